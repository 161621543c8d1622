"""Tenants, tokens, roles, the audit log and tokens of the identity provider, on a stack."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from api_client import Caller, Office, Response, open_office
from fake_issuer import AUDIENCE, FakeIssuer, by_hand, issuing, make_key
from hangtag.auth import token_hash
from local.stack import Stack, running

pytestmark = pytest.mark.stack

PORT = 4631
KEY = make_key("first")
NOBODY = "0123456789abcdef"


@pytest.fixture(scope="module")
def issuer() -> Iterator[FakeIssuer]:
    with issuing(KEY) as started:
        yield started


@pytest.fixture(scope="module")
def stack(issuer: FakeIssuer) -> Iterator[Stack]:
    with running(port=PORT, parameters={"OidcIssuer": issuer.url, "OidcAudience": AUDIENCE}) as started:
        yield started


def items(stack: Stack) -> list[dict[str, Any]]:
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.table)
    return [item for page in pages for item in page["Items"]]


def assert_problem(response: Response, status: int) -> None:
    assert response.status == status, response
    assert response.media == "application/problem+json"


def all_of(caller: Caller, path: str, limit: int) -> list[Any]:
    """Return a whole list, read by pages."""
    rows: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = caller.get(path, limit=limit, **cursor)
        assert page.status == 200, page
        assert len(page.json["items"]) <= limit
        rows += page.json["items"]
        if page.json["next_cursor"] is None:
            return rows
        cursor = {"cursor": page.json["next_cursor"]}


def by(entry: Any) -> str:
    """Return the actor of an audit entry as one text, such as `employee:<id>`."""
    actor = entry["actor"]
    return f"{actor['type']}:{actor['id']}" if actor["id"] else str(actor["type"])


def hire(office: Office, role: str) -> tuple[Any, Caller]:
    """Create an employee with a role. Return it, and a client with its token."""
    hired = office.owner.create("/v1/employees", {"name": f"The {role}", "role": role})
    token = office.owner.create("/v1/tokens", {"employee_id": hired["id"]})["token"]
    return hired, office.owner.with_token(token)


# ------------------------------------------------------------------ tokens


def test_revoked_token_of_an_employee_ends_at_once(office: Office) -> None:
    created = office.owner.create("/v1/tokens", {"employee_id": office.anna["id"], "expires_in_days": 7})
    theirs = office.owner.with_token(created["token"])
    listed = all_of(office.owner, "/v1/tokens", 1)
    assert sorted(one["employee_id"] or "owner" for one in listed) == sorted([office.anna["id"]] * 2 + ["owner"])
    shown = next(one for one in listed if one["id"] == created["id"])
    assert sorted(shown) == ["created_at", "employee_id", "expires_at", "id"]
    assert shown["expires_at"][:19] == created["expires_at"][:19]
    hashed = token_hash(created["token"])
    assert created["token"] not in str(listed)
    assert hashed not in str(listed)
    assert created["id"] == hashed[:32]

    assert theirs.get("/v1/contacts").status == 200
    assert office.owner.send("DELETE", f"/v1/tokens/{created['id']}").status == 204
    assert_problem(theirs.get("/v1/contacts"), 401)
    assert_problem(office.owner.send("DELETE", f"/v1/tokens/{created['id']}"), 404)
    assert len(all_of(office.owner, "/v1/tokens", 200)) == 2


def test_token_is_found_only_in_its_tenant_by_its_whole_id(stack: Stack, office: Office) -> None:
    created = office.owner.create("/v1/tokens", {"employee_id": office.anna["id"]})
    other = open_office(stack.api, stack.operator_token)
    assert_problem(other.owner.send("DELETE", f"/v1/tokens/{created['id']}"), 404)
    for wrong in (created["id"][:16], created["id"] + "0", token_hash(created["token"]), NOBODY, "owner", "%20"):
        assert_problem(office.owner.send("DELETE", f"/v1/tokens/{wrong}"), 404)
    assert_problem(office.employee.send("DELETE", f"/v1/tokens/{created['id']}"), 403)
    assert_problem(office.employee.get("/v1/tokens"), 403)


def test_expired_token_is_rejected_everywhere(stack: Stack, office: Office) -> None:
    created = office.owner.create("/v1/tokens", {"employee_id": office.anna["id"], "expires_in_days": 1})
    theirs = office.owner.with_token(created["token"])
    assert theirs.get("/v1/contacts").status == 200
    over = {":at": {"N": str(int(time.time()) - 1)}}
    for item in items(stack):
        if token_hash(created["token"]) in item["pk"]["S"] + item["sk"]["S"]:
            stack.client("dynamodb").update_item(
                TableName=stack.table,
                Key={"pk": item["pk"], "sk": item["sk"]},
                UpdateExpression="SET expires_at = :at",
                ExpressionAttributeValues=over,
            )
    assert_problem(theirs.get("/v1/contacts"), 401)
    assert created["id"] not in [one["id"] for one in all_of(office.owner, "/v1/tokens", 200)]
    for days in (0, -1, 366, 1.5, "x", None):
        assert_problem(
            office.owner.post("/v1/tokens", {"employee_id": office.anna["id"], "expires_in_days": days}), 400
        )


def test_owner_token_can_be_replaced_by_owner_or_operator(office: Office) -> None:
    _, admin = hire(office, "admin")
    old = next(one for one in all_of(office.owner, "/v1/tokens", 200) if one["employee_id"] is None)
    assert_problem(admin.send("DELETE", f"/v1/tokens/{old['id']}"), 403)
    assert_problem(admin.post("/v1/tokens/owner", {}), 403)
    replaced = office.owner.create("/v1/tokens/owner", {})
    assert_problem(office.owner.get("/v1/me"), 401)
    second = office.owner.with_token(replaced["owner_token"])
    assert second.get("/v1/me").json["role"] == "owner"

    path = f"/v1/tenants/{office.tenant_id}/owner-token"
    assert_problem(second.post(path, {}), 403)
    assert_problem(office.operator.post(f"/v1/tenants/{NOBODY}/owner-token", {}), 404)
    lost = office.operator.post(path, {}, Idempotency_Key="once")
    again = office.operator.post(path, {}, Idempotency_Key="once")
    assert lost.status == 201
    assert again.json == lost.json
    assert_problem(second.get("/v1/me"), 401)
    third = office.owner.with_token(lost.json["owner_token"])
    assert [one["id"] for one in all_of(third, "/v1/tokens", 200) if one["employee_id"] is None] == [lost.json["id"]]
    changes = [one for one in all_of(third, "/v1/audit", 3) if one["action"] == "token.owner_replaced"]
    assert [by(one) for one in changes] == ["operator", "owner"]
    assert [one["target"]["id"] for one in changes] == [lost.json["id"], replaced["id"]]


def test_concurrent_replacements_leave_one_owner_token(office: Office) -> None:
    path = f"/v1/tenants/{office.tenant_id}/owner-token"
    with ThreadPoolExecutor(4) as threads:
        responses = list(threads.map(lambda _: office.operator.post(path, {}), range(4)))
    assert {response.status for response in responses} <= {201, 409}
    created = [
        office.owner.with_token(response.json["owner_token"]) for response in responses if response.status == 201
    ]
    assert sorted(caller.get("/v1/me").status for caller in created) == [200] + [401] * (len(created) - 1)


# ------------------------------------------------------------------ roles


def test_current_user_has_role_tenant_and_employee(office: Office) -> None:
    admin, admins = hire(office, "admin")
    tenant = office.operator.get(f"/v1/tenants/{office.tenant_id}").json
    expected = {
        office.operator: {"role": "operator", "tenant": None, "employee_id": None},
        office.owner: {"role": "owner", "tenant": tenant, "employee_id": None},
        admins: {"role": "admin", "tenant": tenant, "employee_id": admin["id"]},
        office.employee: {"role": "employee", "tenant": tenant, "employee_id": office.anna["id"]},
    }
    for caller, me in expected.items():
        assert caller.get("/v1/me").json == me
    assert_problem(office.owner.with_token(None).get("/v1/me"), 401)


def test_changed_role_of_an_employee_applies_at_once(office: Office) -> None:
    admin, theirs = hire(office, "admin")
    assert theirs.get("/v1/tokens").status == 200
    office.owner.patch(f"/v1/employees/{admin['id']}", {"role": "employee"})
    assert_problem(theirs.get("/v1/tokens"), 403)
    assert theirs.get("/v1/me").json["role"] == "employee"


def test_token_of_a_deleted_employee_is_rejected_at_once(stack: Stack, issuer: FakeIssuer, office: Office) -> None:
    admin, theirs = hire(office, "admin")
    token = issuer.token(KEY, tenant=office.tenant_id, role="admin", employee=admin["id"])
    by_saas = office.owner.with_token(token)
    assert [caller.get("/v1/me").status for caller in (theirs, by_saas)] == [200, 200]
    place = {"pk": {"S": f"T#{office.tenant_id}"}, "sk": {"S": f"EMPLOYEE#{admin['id']}"}}
    stack.client("dynamodb").delete_item(TableName=stack.table, Key=place)
    for caller in (theirs, by_saas):
        assert_problem(caller.get("/v1/me"), 401)
        assert_problem(caller.get("/v1/contacts"), 401)


# ------------------------------------------------------------------ audit log


def test_audit_log_has_actors_without_values(stack: Stack, office: Office) -> None:
    admin, admins = hire(office, "admin")
    created = admins.create("/v1/tokens", {"employee_id": office.anna["id"]})
    assert admins.send("DELETE", f"/v1/tokens/{created['id']}").status == 204
    changed = {"name": "Renamed Office", "time_zone": "Asia/Omsk"}
    assert office.operator.patch(f"/v1/tenants/{office.tenant_id}", changed).json["name"] == "Renamed Office"

    listed = all_of(admins, "/v1/audit", 2)
    assert listed == all_of(office.owner, "/v1/audit", 200)
    assert [one["created_at"] for one in listed] == sorted((one["created_at"] for one in listed), reverse=True)
    # Oldest first, without the entries of other resources.
    ours = [one for one in reversed(listed) if one["action"].split(".")[0] in ("token", "tenant")]
    entries = [(by(one), one["action"], one["target"]["id"], one["changed_fields"]) for one in ours]
    assert entries[0] == ("operator", "tenant.created", office.tenant_id, [])
    assert [one[:2] for one in entries[1:3]] == [("owner", "token.created")] * 2
    assert entries[3:] == [
        (f"employee:{admin['id']}", "token.created", created["id"], []),
        (f"employee:{admin['id']}", "token.revoked", created["id"], []),
        ("operator", "tenant.changed", office.tenant_id, ["name", "time_zone"]),
    ]
    for secret in (created["token"], "Renamed", "Asia/Omsk"):
        assert secret not in str(listed)

    assert_problem(office.employee.get("/v1/audit"), 403)
    assert_problem(office.operator.get("/v1/audit"), 403)
    other = open_office(stack.api, stack.operator_token)
    assert office.tenant_id not in str(all_of(other.owner, "/v1/audit", 200))
    own = [item for item in items(stack) if item["pk"]["S"].endswith(office.tenant_id)]
    stored = [item for item in own if item["kind"]["S"] == "audit"]
    assert len(stored) == len(listed)
    days = {round((int(item["expires_at"]["N"]) - time.time()) / 86400) for item in stored}
    assert days == {400}


# ------------------------------------------------------------------ tenants


def test_tenants_are_listed_newest_first_until_erased(stack: Stack, office: Office) -> None:
    younger = open_office(stack.api, stack.operator_token)
    listed = all_of(office.operator, "/v1/tenants", 1)
    assert [one["id"] for one in listed[:2]] == [younger.tenant_id, office.tenant_id]
    assert listed[0] == office.operator.get(f"/v1/tenants/{younger.tenant_id}").json
    assert listed == all_of(office.operator, "/v1/tenants", 200)
    assert_problem(office.owner.get("/v1/tenants"), 403)
    assert_problem(office.operator.get("/v1/tenants", cursor="abc"), 400)
    while (response := office.operator.send("DELETE", f"/v1/tenants/{younger.tenant_id}")).status == 202:
        pass
    assert response.status == 204
    assert all_of(office.operator, "/v1/tenants", 200) == listed[1:]
    assert [item for item in items(stack) if younger.tenant_id in str(item)] == []


def test_new_country_of_a_tenant_reaches_its_webhook_endpoints(stack: Stack, office: Office) -> None:
    path = f"/v1/tenants/{office.tenant_id}"
    moved = office.operator.patch(path, {"country": "KZ"})
    assert (moved.status, moved.json["country"], moved.json["time_zone"]) == (200, "KZ", "Europe/Moscow")
    hooks = [item for item in items(stack) if item["sk"]["S"] == "HOOK" and item["tenant_id"]["S"] == office.tenant_id]
    assert [hook["country"]["S"] for hook in hooks] == ["KZ"]
    assert office.operator.patch(path, {}).json == moved.json
    for wrong in ({"country": "ZZ"}, {"time_zone": "Mars/Base"}, {"name": ""}, {"name": None}, {"id": NOBODY}):
        assert_problem(office.operator.patch(path, wrong), 400)
    assert_problem(office.owner.patch(path, {"name": "Mine"}), 403)
    assert_problem(office.operator.patch(f"/v1/tenants/{NOBODY}", {"name": "Nobody"}), 404)


# ------------------------------------------------------------------ tokens of the identity provider


def test_token_of_the_identity_provider_signs_in(issuer: FakeIssuer, office: Office) -> None:
    anna = office.anna["id"]
    for role, employee in (("owner", None), ("admin", None), ("employee", anna), ("employee", None)):
        token = issuer.token(KEY, tenant=office.tenant_id, role=role, employee=employee)
        theirs = office.owner.with_token(token)
        me = theirs.get("/v1/me").json
        assert (me["role"], me["tenant"]["id"], me["employee_id"]) == (role, office.tenant_id, employee)
        assert theirs.get("/v1/tokens").status == (403 if role == "employee" else 200)
        assert theirs.get("/v1/contacts").status == 200
        assert theirs.get("/v1/calls").status == 200
        assert_problem(theirs.get("/v1/tenants"), 403)
    admins = office.owner.with_token(issuer.token(KEY, sub="u-7", tenant=office.tenant_id, role="admin"))
    created = admins.create("/v1/tokens", {"employee_id": anna})
    newest = admins.get("/v1/audit", limit=1).json["items"][0]
    assert (by(newest), newest["action"], newest["target"]["id"]) == ("oidc:u-7", "token.created", created["id"])


def test_invalid_tokens_get_the_same_response_everywhere(stack: Stack, issuer: FakeIssuer, office: Office) -> None:
    other = open_office(stack.api, stack.operator_token)
    good = {"tenant": office.tenant_id, "role": "admin"}
    assert office.owner.with_token(issuer.token(KEY, **good)).get("/v1/me").status == 200
    now = int(time.time())
    wrong = {
        "none": by_hand({"alg": "none", "kid": "first"}, issuer.claims(**good)),
        "audience": issuer.token(KEY, **good, aud="another"),
        "issuer": issuer.token(KEY, **good, iss="https://another.example"),
        "expired": issuer.token(KEY, **good, iat=now - 900, exp=now - 600),
        "unknown key": issuer.token(make_key("stranger"), **good),
        "forged key": issuer.token(make_key("forger"), headers={"kid": "first"}, **good),
        "tenant": issuer.token(KEY, tenant=NOBODY, role="admin"),
        "no tenant": issuer.token(KEY, role="admin"),
        "operator": issuer.token(KEY, tenant=office.tenant_id, role="operator"),
        "employee": issuer.token(KEY, **good, employee=NOBODY),
        "other tenant's employee": issuer.token(KEY, **good, employee=other.anna["id"]),
        "huge": issuer.token(KEY, **good, more="x" * 7000),
        "dots": "..",
    }
    for name, token in wrong.items():
        for path in ("/v1/me", "/v1/contacts"):
            response = office.owner.with_token(token).get(path)
            assert_problem(response, 401)
            assert response.json["detail"] == "The token is not valid.", name
            assert response.headers["www-authenticate"] == "Bearer"


def test_tokens_of_a_tenant_being_erased_are_rejected(stack: Stack, issuer: FakeIssuer, office: Office) -> None:
    theirs = office.owner.with_token(issuer.token(KEY, tenant=office.tenant_id, role="owner"))
    assert theirs.get("/v1/contacts").status == 200
    stack.client("dynamodb").update_item(
        TableName=stack.table,
        Key={"pk": {"S": f"T#{office.tenant_id}"}, "sk": {"S": "TENANT"}},
        UpdateExpression="SET erasing = :day",
        ExpressionAttributeValues={":day": {"S": ""}},
    )
    assert_problem(theirs.get("/v1/contacts"), 401)
    while office.operator.send("DELETE", f"/v1/tenants/{office.tenant_id}").status == 202:
        pass
    assert_problem(theirs.get("/v1/contacts"), 401)
