"""Every route times every kind of token that must not do: the right refusal, and never a 5xx."""

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from api_client import Answer, Caller, Office, open_office
from fake_issuer import AUDIENCE, FakeIssuer, by_hand, issuing, make_key
from guard_routes import Route, all_routes
from hangtag.auth import token_hash
from local.stack import Stack, running

pytestmark = pytest.mark.stack

PORT = 4643
KEY = make_key("first")
THREADS = 4
NOBODY = "0123456789abcdef"
ROUTES = [route for route in all_routes() if route.role != "none"]
# Each may do what the ones before it may; the operator stands apart.
ROLES = ("anyone", "employee", "admin", "owner")


@dataclass(frozen=True, slots=True)
class Scene:
    """A stack that accepts tokens of an issuer, an office in it, and callers of every role."""

    stack: Stack
    issuer: FakeIssuer
    office: Office
    by_role: Mapping[str, Caller]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with issuing(KEY) as issuer:
        parameters = {"OidcIssuer": issuer.url, "OidcAudience": AUDIENCE}
        with running(port=PORT, parameters=parameters) as stack:
            office = open_office(stack.api, stack.operator_token)
            boss = office.owner.made("/v1/employees", {"name": "Boss", "role": "admin"})
            token = office.owner.made("/v1/tokens", {"employee_id": boss["id"]})["token"]
            by_role = {
                "employee": office.employee,
                "admin": office.owner.with_token(token),
                "owner": office.owner,
                "operator": office.operator,
            }
            yield Scene(stack, issuer, office, by_role)


def ask(caller: Caller, route: Route) -> Answer:
    """A request to a route, about things that do not exist."""
    address = route.address(dict.fromkeys(route.parameters, NOBODY))
    body: dict[str, Any] = {"json": {}} if route.method in ("POST", "PUT", "PATCH") else {}
    return caller.send(route.method, address, **body)


def on_every_route(caller: Caller, routes: list[Route], *statuses: int) -> list[str]:
    """Which routes answer otherwise than with one of these statuses and a problem."""

    def judge(route: Route) -> str | None:
        answer = ask(caller, route)
        right = answer.status in statuses and answer.media == "application/problem+json"
        return None if right else f"{route.name}: {answer.status} {answer.media}"

    with ThreadPoolExecutor(THREADS) as pool:
        return [wrong for wrong in pool.map(judge, routes) if wrong is not None]


def expire(scene: Scene, token: str) -> None:
    """Set the end of a token in the past."""
    scene.stack.client("dynamodb").update_item(
        TableName=scene.stack.table,
        Key={"pk": {"S": f"TOKEN#{token_hash(token)}"}, "sk": {"S": "API"}},
        UpdateExpression="SET expires_at = :at",
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeValues={":at": {"N": str(int(time.time()) - 1)}},
    )


def make_refused(scene: Scene, kind: str) -> str | None:
    """A token that nobody may enter with."""
    claims = {"tenant": scene.office.tenant_id, "role": "owner"}
    issuer = scene.issuer
    if kind in ("expired", "revoked"):
        made = scene.office.owner.made("/v1/tokens", {"employee_id": scene.office.anna["id"]})
        token: str = made["token"]
        assert scene.office.owner.with_token(token).get("/v1/me").status == 200
        if kind == "expired":
            expire(scene, token)
        else:
            assert scene.office.owner.send("DELETE", f"/v1/tokens/{made['id']}").status == 204
        return token
    tokens: dict[str, Any] = {
        "no token": None,
        "junk": "junk",
        "junk in three parts": "a.b.c",
        "a tampered token of ours": (scene.office.employee.token or "")[:-4] + "AAAA",
        "alg=none": by_hand({"alg": "none", "typ": "JWT"}, issuer.claims(**claims)),
        "wrong audience": issuer.token(KEY, aud="somebody-else", **claims),
        "expired JWT": issuer.token(KEY, exp=int(time.time()) - 3600, **claims),
        "huge JWT": issuer.token(KEY, filler="x" * 6000, **claims),
        "unknown tenant's JWT": issuer.token(KEY, tenant=NOBODY, role="owner"),
    }
    return None if tokens[kind] is None else str(tokens[kind])


REFUSED = (
    "no token", "junk", "junk in three parts", "a tampered token of ours", "expired", "revoked", "alg=none",
    "wrong audience", "expired JWT", "huge JWT", "unknown tenant's JWT",
)  # fmt: skip


def test_documented_roles_are_those_of_the_guards() -> None:
    different = [
        (route.name, route.role, route.operation["x-required-role"])
        for route in all_routes()
        if route.role != route.operation["x-required-role"]
    ]
    assert different == []


@pytest.mark.parametrize("kind", REFUSED)
def test_no_route_takes_a_token_that_is_not_valid(scene: Scene, kind: str) -> None:
    caller = Caller(scene.stack.api, make_refused(scene, kind))
    assert on_every_route(caller, ROUTES, 401) == []


@pytest.mark.parametrize("role", ["employee", "admin", "owner", "operator"])
def test_no_route_takes_a_role_that_does_not_reach_it(scene: Scene, role: str) -> None:
    too_far = [route for route in ROUTES if not reaches(role, route.role)]
    assert too_far
    # The desk does not even know the operator's token.
    statuses = (401, 403) if role == "operator" else (403,)
    assert on_every_route(scene.by_role[role], too_far, *statuses) == []


def reaches(role: str, needed: str) -> bool:
    """Whether a role may use a route that needs this one."""
    if needed == "anyone" or "operator" in (role, needed):
        return needed in ("anyone", role)
    return ROLES.index(role) >= ROLES.index(needed)


@pytest.mark.parametrize("role", ["employee", "admin", "owner", "operator"])
def test_every_route_that_reads_lets_the_roles_in_that_it_is_for(scene: Scene, role: str) -> None:
    for route in ROUTES:
        if route.method == "GET" and reaches(role, route.role):
            answer = ask(scene.by_role[role], route)
            assert answer.status in (200, 400, 404), (route.name, answer.status, json.dumps(answer.json))


def test_another_tenants_token_finds_nothing_of_this_one(scene: Scene) -> None:
    other = open_office(scene.stack.api, scene.stack.operator_token)
    ids = {"integration_id": scene.office.integration["id"], "employee_id": scene.office.anna["id"]}
    for route in ROUTES:
        if route.parameters and set(route.parameters) <= ids.keys() and route.role != "operator":
            body: dict[str, Any] = {"json": {}} if route.method in ("POST", "PUT", "PATCH") else {}
            answer = other.owner.send(route.method, route.address(ids), **body)
            assert answer.status == 404 or (answer.status == 400 and body), (route.name, answer)


def test_the_document_is_served_without_a_token(scene: Scene) -> None:
    answer = Caller(scene.stack.api).get("/v1/openapi.json")
    assert (answer.status, answer.media) == (200, "application/json")
    assert set(answer.json["paths"]) == {route.path for route in all_routes()}
    (server,) = answer.json["servers"]
    assert server["url"].startswith("http")


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/contactz/0123456789abcdef"])
def test_an_unknown_path_is_a_problem_without_a_token(scene: Scene, path: str) -> None:
    answer = Caller(scene.stack.api).get(path)
    assert (answer.status, answer.media) == (404, "application/problem+json")
    assert answer.json["code"] == "route_not_found"
    assert answer.json["request_id"]


def test_a_405_lists_the_methods_of_all_functions(scene: Scene) -> None:
    answer = scene.office.owner.send("DELETE", "/v1/calls")
    assert (answer.status, answer.json["code"], answer.headers["allow"]) == (405, "method_not_allowed", "GET, POST")


def test_an_unknown_query_parameter_is_rejected_by_name(scene: Scene) -> None:
    for path in ("/v1/contacts", "/v1/tasks", "/v1/calls", "/v1/audit"):
        answer = scene.office.owner.get(path, nmae="Anna")
        assert (answer.status, answer.json["code"]) == (400, "unknown_parameter"), path
        assert [entry["field"] for entry in answer.json["errors"]] == ["nmae"]
