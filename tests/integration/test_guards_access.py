"""Every route with every kind of invalid token and every role: the documented rejection, never a 5xx."""

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from api_client import Caller, Office, Response, open_office
from fake_issuer import AUDIENCE, FakeIssuer, by_hand, issuing, make_key
from guard_routes import Route, all_routes
from hangtag.auth import token_hash
from local.stack import Stack, running

pytestmark = pytest.mark.stack

PORT = 4643
KEY = make_key("first")
THREADS = 4
UNKNOWN_ID = "0123456789abcdef"
ROUTES = [route for route in all_routes() if route.role != "none"]
# Each role includes the ones before it; the operator is separate.
ROLES = ("anyone", "employee", "admin", "owner")


@dataclass(frozen=True, slots=True)
class GuardedStack:
    """A stack that accepts tokens of an issuer, an office in it, and callers of every role."""

    stack: Stack
    issuer: FakeIssuer
    office: Office
    by_role: Mapping[str, Caller]


@pytest.fixture(scope="module")
def guarded() -> Iterator[GuardedStack]:
    with issuing(KEY) as issuer:
        parameters = {"OidcIssuer": issuer.url, "OidcAudience": AUDIENCE}
        with running(port=PORT, parameters=parameters) as stack:
            office = open_office(stack.api, stack.operator_token)
            boss = office.owner.create("/v1/employees", {"name": "Boss", "role": "admin"})
            token = office.owner.create("/v1/tokens", {"employee_id": boss["id"]})["token"]
            by_role = {
                "employee": office.employee,
                "admin": office.owner.with_token(token),
                "owner": office.owner,
                "operator": office.operator,
            }
            yield GuardedStack(stack, issuer, office, by_role)


def send(caller: Caller, route: Route) -> Response:
    """Send a request to a route with unknown ids."""
    address = route.address(dict.fromkeys(route.parameters, UNKNOWN_ID))
    body: dict[str, Any] = {"json": {}} if route.method in ("POST", "PUT", "PATCH") else {}
    return caller.send(route.method, address, **body)


def on_every_route(caller: Caller, routes: list[Route], *statuses: int) -> list[str]:
    """Return the routes whose response is not a problem document with one of these statuses."""

    def fault_of(route: Route) -> str | None:
        response = send(caller, route)
        expected = response.status in statuses and response.media == "application/problem+json"
        return None if expected else f"{route.name}: {response.status} {response.media}"

    with ThreadPoolExecutor(THREADS) as pool:
        return [fault for fault in pool.map(fault_of, routes) if fault is not None]


def expire(guarded: GuardedStack, token: str) -> None:
    """Set the expiry of a token to the past."""
    guarded.stack.client("dynamodb").update_item(
        TableName=guarded.stack.table,
        Key={"pk": {"S": f"TOKEN#{token_hash(token)}"}, "sk": {"S": "API"}},
        UpdateExpression="SET expires_at = :at",
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeValues={":at": {"N": str(int(time.time()) - 1)}},
    )


def invalid_token(guarded: GuardedStack, kind: str) -> str | None:
    """Return a token of an invalid kind; None for a request without one."""
    claims = {"tenant": guarded.office.tenant_id, "role": "owner"}
    issuer = guarded.issuer
    if kind in ("expired", "revoked"):
        created = guarded.office.owner.create("/v1/tokens", {"employee_id": guarded.office.anna["id"]})
        token: str = created["token"]
        assert guarded.office.owner.with_token(token).get("/v1/me").status == 200
        if kind == "expired":
            expire(guarded, token)
        else:
            assert guarded.office.owner.send("DELETE", f"/v1/tokens/{created['id']}").status == 204
        return token
    tokens: dict[str, Any] = {
        "no token": None,
        "junk": "junk",
        "junk in three parts": "a.b.c",
        "a tampered token of ours": (guarded.office.employee.token or "")[:-4] + "AAAA",
        "alg=none": by_hand({"alg": "none", "typ": "JWT"}, issuer.claims(**claims)),
        "wrong audience": issuer.token(KEY, aud="somebody-else", **claims),
        "expired JWT": issuer.token(KEY, exp=int(time.time()) - 3600, **claims),
        "huge JWT": issuer.token(KEY, filler="x" * 6000, **claims),
        "unknown tenant's JWT": issuer.token(KEY, tenant=UNKNOWN_ID, role="owner"),
    }
    return None if tokens[kind] is None else str(tokens[kind])


INVALID = (
    "no token", "junk", "junk in three parts", "a tampered token of ours", "expired", "revoked", "alg=none",
    "wrong audience", "expired JWT", "huge JWT", "unknown tenant's JWT",
)  # fmt: skip


def test_documented_roles_match_the_roles_of_the_guards() -> None:
    different = [
        (route.name, route.role, route.operation["x-required-role"])
        for route in all_routes()
        if route.role != route.operation["x-required-role"]
    ]
    assert different == []


@pytest.mark.parametrize("kind", INVALID)
def test_every_route_rejects_each_kind_of_invalid_token(guarded: GuardedStack, kind: str) -> None:
    caller = Caller(guarded.stack.api, invalid_token(guarded, kind))
    assert on_every_route(caller, ROUTES, 401) == []


@pytest.mark.parametrize("role", ["employee", "admin", "owner", "operator"])
def test_every_route_rejects_roles_below_its_own(guarded: GuardedStack, role: str) -> None:
    forbidden = [route for route in ROUTES if not reaches(role, route.role)]
    assert forbidden
    # The desk rejects the operator's token as unknown.
    statuses = (401, 403) if role == "operator" else (403,)
    assert on_every_route(guarded.by_role[role], forbidden, *statuses) == []


def reaches(role: str, needed: str) -> bool:
    """Return True if a role can use a route that requires `needed`."""
    if needed == "anyone" or "operator" in (role, needed):
        return needed in ("anyone", role)
    return ROLES.index(role) >= ROLES.index(needed)


@pytest.mark.parametrize("role", ["employee", "admin", "owner", "operator"])
def test_every_read_route_admits_the_documented_roles(guarded: GuardedStack, role: str) -> None:
    for route in ROUTES:
        if route.method == "GET" and reaches(role, route.role):
            response = send(guarded.by_role[role], route)
            assert response.status in (200, 400, 404), (route.name, response.status, json.dumps(response.json))


def test_token_of_another_tenant_gets_404_for_known_ids(guarded: GuardedStack) -> None:
    other = open_office(guarded.stack.api, guarded.stack.operator_token)
    ids = {"integration_id": guarded.office.integration["id"], "employee_id": guarded.office.anna["id"]}
    for route in ROUTES:
        if route.parameters and set(route.parameters) <= ids.keys() and route.role != "operator":
            body: dict[str, Any] = {"json": {}} if route.method in ("POST", "PUT", "PATCH") else {}
            response = other.owner.send(route.method, route.address(ids), **body)
            assert response.status == 404 or (response.status == 400 and body), (route.name, response)


def test_openapi_document_is_served_without_a_token(guarded: GuardedStack) -> None:
    response = Caller(guarded.stack.api).get("/v1/openapi.json")
    assert (response.status, response.media) == (200, "application/json")
    assert set(response.json["paths"]) == {route.path for route in all_routes()}
    (server,) = response.json["servers"]
    assert server["url"].startswith("http")


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/contactz/0123456789abcdef"])
def test_unknown_path_without_a_token_is_a_problem(guarded: GuardedStack, path: str) -> None:
    response = Caller(guarded.stack.api).get(path)
    assert (response.status, response.media) == (404, "application/problem+json")
    assert response.json["code"] == "route_not_found"
    assert response.json["request_id"]


def test_405_lists_the_methods_of_all_functions(guarded: GuardedStack) -> None:
    response = guarded.office.owner.send("DELETE", "/v1/calls")
    assert (response.status, response.json["code"], response.headers["allow"]) == (
        405,
        "method_not_allowed",
        "GET, POST",
    )


def test_unknown_query_parameter_is_rejected_by_name(guarded: GuardedStack) -> None:
    for path in ("/v1/contacts", "/v1/tasks", "/v1/calls", "/v1/audit"):
        response = guarded.office.owner.get(path, nmae="Anna")
        assert (response.status, response.json["code"]) == (400, "unknown_parameter"), path
        assert [entry["field"] for entry in response.json["errors"]] == ["nmae"]
