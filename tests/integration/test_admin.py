"""Admin API: settings, employees, integrations and roles, on a stack."""

import json
import time
from typing import Any

import pytest
import requests

from api_client import Caller, Office, Response, open_office
from hangtag.auth import make_token, token_hash
from hangtag.settings import TelephonySettings
from local.stack import Stack

pytestmark = pytest.mark.stack

PORT = 4603


def items(stack: Stack) -> list[dict[str, Any]]:
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.table)
    return [item for page in pages for item in page["Items"]]


def fields(response: Response) -> list[str]:
    return [fault["field"] for fault in response.json["errors"]]


def assert_problem(response: Response, status: int) -> None:
    assert response.status == status, response
    assert response.media == "application/problem+json"
    assert response.json["status"] == status
    assert response.headers["cache-control"] == "no-store"


def post_webhook(office: Office, **form: str) -> requests.Response:
    form = {"planfix_token": office.integration["secrets"]["planfix_token"], **form}
    return requests.post(office.integration["webhook_url"], data=form, timeout=60)


# ------------------------------------------------------------------ caller lookup


def test_caller_lookup_returns_name_with_supervisor(office: Office) -> None:
    contact = {"name": "Ivan", "phones": ["8 (495) 123-45-67"], "supervisor_id": office.anna["id"]}
    office.employee.create("/v1/contacts", contact)
    response = post_webhook(office, cmd="contact", phone="74951234567")
    assert (response.status_code, response.json()) == (200, {"contact_name": "Ivan", "responsible": 101})


def test_caller_lookup_returns_a_new_name(office: Office) -> None:
    created = office.employee.create("/v1/contacts", {"name": "Ivan", "phones": ["+74951234567"]})
    office.employee.patch(f"/v1/contacts/{created['id']}", {"name": "Ivan the Second"})
    assert post_webhook(office, cmd="contact", phone="74951234567").json() == {"contact_name": "Ivan the Second"}


def test_tenants_with_the_same_number_are_isolated(stack: Stack, office: Office) -> None:
    other = open_office(stack.api, stack.operator_token)
    office.employee.create("/v1/contacts", {"name": "Here", "phones": ["+74951234567"]})
    created = other.employee.create("/v1/contacts", {"name": "There", "phones": ["+74951234567"]})
    assert post_webhook(office, cmd="contact", phone="74951234567").json() == {"contact_name": "Here"}
    assert post_webhook(other, cmd="contact", phone="74951234567").json() == {"contact_name": "There"}
    assert_problem(office.employee.get(f"/v1/contacts/{created['id']}"), 404)
    assert_problem(office.owner.get(f"/v1/integrations/{other.integration['id']}"), 404)
    assert_problem(office.owner.get(f"/v1/integrations/{other.integration['id']}/deliveries"), 404)
    assert_problem(office.owner.get(f"/v1/employees/{other.anna['id']}"), 404)
    assert_problem(office.owner.patch(f"/v1/employees/{other.anna['id']}", {"name": "Mine"}), 404)
    assert_problem(office.owner.post("/v1/tokens", {"employee_id": other.anna["id"]}), 400)
    body = {"name": "B", "extensions": [{"integration_id": other.integration["id"], "extension": "5"}]}
    assert_problem(office.owner.post("/v1/employees", body), 400)
    assert_problem(office.employee.post("/v1/contacts", {"name": "C", "supervisor_id": other.anna["id"]}), 400)


# ------------------------------------------------------------------ roles


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer \u00e9", "Bearer a b", "x" * 5000])
def test_request_without_a_valid_token_is_rejected(stack: Stack, header: str) -> None:
    for method, path in (("GET", "/v1/providers"), ("DELETE", "/v1/tenants/x"), ("GET", "/v1/contacts")):
        headers = {"authorization": header.encode()}
        response = Caller(stack.api).send(method, path, headers=headers)
        assert_problem(response, 401)
        assert response.headers["www-authenticate"] == "Bearer"


def test_foreign_tokens_are_rejected(stack: Stack, shared: Office) -> None:
    webhook = shared.integration["webhook_url"].rsplit("/", 1)[1]
    foreign = make_token("api", "a" * 64)
    for token in (webhook, foreign, stack.operator_token + "x", stack.operator_token[:-1]):
        assert_problem(Caller(stack.api, token).get("/v1/employees"), 401)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/providers"),
        ("GET", "/v1/integrations"),
        ("POST", "/v1/integrations"),
        ("GET", "/v1/employees"),
        ("POST", "/v1/employees"),
        ("PATCH", "/v1/employees/0123456789abcdef"),
        ("POST", "/v1/tokens"),
        ("GET", "/v1/settings/telephony"),
        ("PUT", "/v1/settings/telephony"),
        ("GET", "/v1/lines"),
        ("PUT", "/v1/lines/+74950000000"),
        ("POST", "/v1/tenants"),
        ("GET", "/v1/nothing"),
    ],
)
def test_employee_cannot_call_admin_operations(shared: Office, method: str, path: str) -> None:
    if path == "/v1/nothing":
        assert shared.employee.send(method, path).status == 404
        return
    assert_problem(shared.employee.send(method, path, json={}), 403)


def test_owner_cannot_call_operator_operations(shared: Office) -> None:
    assert_problem(shared.owner.post("/v1/tenants", {"name": "Mine"}), 403)
    assert_problem(shared.owner.send("DELETE", f"/v1/tenants/{shared.tenant_id}"), 403)
    assert_problem(shared.owner.get(f"/v1/tenants/{shared.tenant_id}"), 403)
    for path in ("/v1/employees", "/v1/integrations", "/v1/contacts", "/v1/calls", "/v1/tags"):
        assert shared.operator.get(path).status in (401, 403)


def test_token_has_the_current_role_of_its_employee(office: Office) -> None:
    assert_problem(office.employee.get("/v1/employees"), 403)
    path = f"/v1/employees/{office.anna['id']}"
    assert office.owner.patch(path, {"role": "admin"}).json["role"] == "admin"
    assert office.employee.get("/v1/employees").status == 200
    assert office.owner.patch(path, {"role": "employee"}).status == 200
    assert_problem(office.employee.get("/v1/employees"), 403)


def test_expired_token_is_rejected(stack: Stack, office: Office) -> None:
    assert office.employee.get("/v1/contacts").status == 200
    assert office.employee.token
    pk = f"TOKEN#{token_hash(office.employee.token)}"
    stack.client("dynamodb").update_item(
        TableName=stack.table,
        Key={"pk": {"S": pk}, "sk": {"S": "API"}},
        UpdateExpression="SET expires_at = :past",
        ExpressionAttributeValues={":past": {"N": str(int(time.time()) - 1)}},
    )
    assert_problem(office.employee.get("/v1/contacts"), 401)


def test_token_is_valid_for_a_year(shared: Office) -> None:
    created = shared.owner.create("/v1/tokens", {"employee_id": shared.anna["id"]})
    assert set(created) == {"id", "token", "expires_at"}
    assert created["expires_at"].startswith(str(time.gmtime().tm_year + 1))


# ------------------------------------------------------------------ integrations


def test_secrets_are_shown_only_once(stack: Stack, office: Office) -> None:
    shown = office.owner.get(f"/v1/integrations/{office.integration['id']}").json
    ours = {"id", "provider", "name", "settings", "created_at", "previous_url_until", "watched_until"}
    assert set(shown) == ours | {"last_webhook_at", "reconciliation", "subscription"}
    listed = office.owner.get("/v1/integrations").json
    assert listed == {"items": [{name: shown[name] for name in ours}], "next_cursor": None}
    table = json.dumps(items(stack), default=str)
    token = office.integration["webhook_url"].rsplit("/", 1)[1]
    secret = office.integration["secrets"]["planfix_token"]
    for plain in (token, secret, "pbx-key-of-the-tenant", office.owner.token, office.employee.token):
        assert plain
        assert plain not in table
    assert office.integration["webhook_url"] in " ".join(office.integration["instructions"])


def test_ping_returns_the_entered_credentials(office: Office) -> None:
    assert post_webhook(office, cmd="ping").json() == {"pbxToken": "pbx-key-of-the-tenant", "pbxUrl": ""}


def test_provider_lists_its_credentials(shared: Office) -> None:
    listed = shared.owner.get("/v1/providers").json["items"]
    first = next(provider for provider in listed if provider["key"] == "telephony_api")
    assert first["generated_secrets"] == ["planfix_token"]
    assert [(one["name"], one["secret"]) for one in first["credentials"]] == [("pbx_url", False), ("pbx_token", True)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"provider": "nobody"}, "provider"),
        ({"provider": 5}, "provider"),
        ({"credentials": {"pbx_token": 5}}, "credentials.pbx_token"),
        ({"credentials": {"pbx_token": "hunter2" * 100}}, "credentials.pbx_token"),
        ({"credentials": {"unknown": "hunter2"}}, "credentials.unknown"),
        ({"credentials": []}, "credentials"),
        ({"settings": {"a": "x" * 3000}}, "settings"),
        ({"name": ""}, "name"),
        ({"name": "\n"}, "name"),
        ({"name": "a\u0007b"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"extra": 1}, "extra"),
    ],
)
def test_invalid_integration_is_rejected_by_field(shared: Office, change: dict[str, Any], field: str) -> None:
    response = shared.owner.post("/v1/integrations", {"provider": "telephony_api", "name": "P", **change})
    assert_problem(response, 400)
    assert fields(response) == [field]
    assert "hunter2" not in json.dumps(response.json)


def test_credentials_over_4_kb_are_rejected(shared: Office) -> None:
    credentials = {"pbx_url": "https://pbx.example/" + "я" * 2028, "pbx_token": "x" * 500}
    response = shared.owner.post(
        "/v1/integrations", {"provider": "telephony_api", "name": "P", "credentials": credentials}
    )
    assert_problem(response, 413)
    assert response.json["code"] == "credentials_too_large"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://pbx.example/", "https_required"),
        ("https://me:secret@pbx.example/", "invalid_url"),
        ("https://10.0.0.1/", "private_address"),
    ],
)
def test_pbx_url_that_is_not_allowed_is_rejected(shared: Office, url: str, code: str) -> None:
    response = shared.owner.post(
        "/v1/integrations", {"provider": "telephony_api", "name": "P", "credentials": {"pbx_url": url}}
    )
    assert_problem(response, 400)
    assert [(fault["field"], fault["code"]) for fault in response.json["errors"]] == [("credentials.pbx_url", code)]
    assert "secret" not in json.dumps(response.json)


def test_rejected_webhook_requests_are_logged_with_masked_secrets(office: Office) -> None:
    response = post_webhook(office, cmd="event", planfix_token="wrong-but-secret", phone="79100000000")
    assert response.status_code == 401
    assert post_webhook(office, cmd="event", phone="79100000000").status_code == 400
    path = f"/v1/integrations/{office.integration['id']}/deliveries"
    listed = office.owner.get(path).json
    assert [one["http_status"] for one in listed["items"]] == [400, 401]
    assert "wrong-but-secret" not in json.dumps(listed)
    assert office.integration["secrets"]["planfix_token"] not in json.dumps(listed)
    assert listed["items"][1]["body"].startswith("planfix_token=***")
    assert office.integration["webhook_url"].rsplit("/", 1)[1] not in json.dumps(listed)
    first = office.owner.get(path, limit=1).json
    second = office.owner.get(path, limit=1, cursor=first["next_cursor"]).json
    assert first["items"] + second["items"] == listed["items"]
    assert_problem(office.employee.get(path), 403)


# ------------------------------------------------------------------ employees


def test_taken_extension_is_a_conflict_naming_the_holder(office: Office) -> None:
    extension = {"integration_id": office.integration["id"], "extension": "101"}
    response = office.owner.post("/v1/employees", {"name": "Boris", "extensions": [extension]})
    assert_problem(response, 409)
    assert "101" in response.json["detail"]
    assert "Anna" in response.json["detail"]
    assert len(office.owner.get("/v1/employees").json["items"]) == 1


def test_extension_can_repeat_at_another_pbx(office: Office) -> None:
    second = office.owner.create("/v1/integrations", {"provider": "telephony_api", "name": "Second"})
    extension = {"integration_id": second["id"], "extension": "101"}
    office.owner.create("/v1/employees", {"name": "Boris", "extensions": [extension]})


def test_taken_phone_is_a_conflict_naming_the_holder(office: Office) -> None:
    response = office.owner.post("/v1/employees", {"name": "Boris", "phones": ["8 910 000-01-01"]})
    assert_problem(response, 409)
    assert "Anna" in response.json["detail"]


def test_released_extension_can_be_mapped_again(office: Office) -> None:
    integration_id = office.integration["id"]
    new = [{"integration_id": integration_id, "extension": "102"}]
    changed = office.owner.patch(f"/v1/employees/{office.anna['id']}", {"extensions": new, "email": "a@example.com"})
    assert changed.json["extensions"] == new
    assert changed.json["name"] == "Anna"
    assert changed.json["email"] == "a@example.com"
    boris = {"name": "Boris", "extensions": [{"integration_id": integration_id, "extension": "101"}]}
    office.owner.create("/v1/employees", boris)
    back = [{"integration_id": integration_id, "extension": "101"}, *new]
    response = office.owner.patch(f"/v1/employees/{office.anna['id']}", {"extensions": back})
    assert_problem(response, 409)
    assert "Boris" in response.json["detail"]
    assert office.owner.get(f"/v1/employees/{office.anna['id']}").json["extensions"] == new


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": None}, "name"),
        ({"role": "owner"}, "role"),
        ({"role": None}, "role"),
        ({"email": "nobody"}, "email"),
        ({"phones": ["anonymous"]}, "phones.0"),
        ({"phones": ["+79100000102", "junk"]}, "phones.1"),
        ({"phones": None}, "phones"),
        ({"phones": ["1"] * 11}, "phones"),
        ({"extensions": [{"integration_id": "0" * 16, "extension": "1"}]}, "extensions.0.integration_id"),
        ({"extensions": [{"integration_id": "0" * 16, "extension": "a b"}]}, "extensions.0.extension"),
        ({"extensions": [{"integration_id": "x", "extension": "1"}]}, "extensions.0.integration_id"),
        ({"extensions": [5]}, "extensions.0"),
        ({"id": "x"}, "id"),
    ],
)
def test_invalid_employee_is_rejected_by_field(shared: Office, change: dict[str, Any], field: str) -> None:
    response = shared.owner.patch(f"/v1/employees/{shared.anna['id']}", change)
    assert_problem(response, 400)
    assert fields(response) == [field]
    if change.get("name", "") is not None:
        assert_problem(shared.owner.post("/v1/employees", {"name": "Boris", **change}), 400)


def test_list_pages_reach_the_end(office: Office) -> None:
    for number in range(4):
        office.owner.create("/v1/employees", {"name": f"Employee {number}"})
    ids, cursor = [], None
    for _ in range(4):
        page = office.owner.get("/v1/employees", limit=2, **({"cursor": cursor} if cursor else {})).json
        ids += [employee["id"] for employee in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert cursor is None
    assert len(ids) == len(set(ids)) == 5


# ------------------------------------------------------------------ settings and lines


def test_telephony_settings_are_replaced_as_a_whole(office: Office) -> None:
    path = "/v1/settings/telephony"
    # tests/unit/test_settings.py covers the default values.
    defaults = TelephonySettings().model_dump(mode="json")
    assert office.owner.get(path).json == defaults
    body = {"settle_seconds": 3, "attach": {"hidden": True}, "contacts": {"create_unknown": "never"}}
    stored = {
        **defaults,
        "settle_seconds": 3,
        "attach": {**defaults["attach"], "hidden": True},
        "contacts": {**defaults["contacts"], "create_unknown": "never"},
    }
    assert office.owner.put(path, body).json == stored
    assert office.owner.get(path).json == stored
    assert office.owner.put(path, {}).json == defaults
    response = office.owner.put(path, {"settle_seconds": "soon", "attach": {"to": "moon"}})
    assert_problem(response, 400)
    assert fields(response) == ["settle_seconds", "attach.to"]


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("+74957770000", "+74957770000"),
        ("8 (495) 777-00-00", "+74957770000"),
        ("74957770000", "+74957770000"),
        ("%2B74957770000", "+74957770000"),
    ],
)
def test_line_number_can_have_any_format(shared: Office, typed: str, number: str) -> None:
    put = shared.owner.put(f"/v1/lines/{typed}", {"name": "Sales", "color": "#00ff00"})
    assert (put.status, put.json) == (200, {"number": number, "name": "Sales", "color": "#00ff00"})
    assert put.json in shared.owner.get("/v1/lines").json["items"]


@pytest.mark.parametrize("typed", ["abc", "line-1", "100"])
def test_line_with_an_invalid_number_is_rejected(shared: Office, typed: str) -> None:
    response = shared.owner.put(f"/v1/lines/{typed}", {"name": "Sales"})
    assert_problem(response, 400)
    assert [(fault["field"], fault["code"]) for fault in response.json["errors"]] == [("number", "invalid_phone")]


@pytest.mark.parametrize("wrong", [{}, {"name": ""}, {"name": "x", "color": "red"}, {"name": "x", "color": 5}])
def test_invalid_line_is_rejected(shared: Office, wrong: dict[str, Any]) -> None:
    assert_problem(shared.owner.put("/v1/lines/+74957770000", wrong), 400)


@pytest.mark.parametrize(
    ("place", "field"),
    [({"country": "XX"}, "country"), ({"country": "Russia"}, "country"), ({"time_zone": "Moscow"}, "time_zone")],
)
def test_unknown_country_or_time_zone_is_rejected(shared: Office, place: dict[str, Any], field: str) -> None:
    response = shared.operator.post("/v1/tenants", {"name": "Nowhere", **place})
    assert_problem(response, 400)
    assert fields(response) == [field]


# ------------------------------------------------------------------ invalid requests

BODIES = {
    "nothing": b"",
    "spaces": b"  ",
    "an array": b"[]",
    "an array of an object": b'[{"name": "x"}]',
    "a text": b'"x"',
    "null": b"null",
    "no JSON": b"{",
    "NaN": b'{"name": NaN}',
    "infinity": b'{"settle_seconds": 1e999}',
    "a NUL": b'{"name": "a\\u0000b"}',
    "a raw NUL": b'{"name": "a\0b"}',
    "half a character": b'{"name": "\\ud800"}',
    "half a character as a key": b'{"\\ud800": 1}',
    "5000 digits": b'{"settle_seconds": ' + b"9" * 5000 + b"}",
    "20 digits": b'{"settle_seconds": 99999999999999999999}',
    "a field twice": b'{"name": "x", "name": "y"}',
    "deep nesting": b'{"a":' * 40 + b"1" + b"}" * 40,
    "very deep nesting": b"[" * 30000,
    "an object as a name": b'{"name": {"a": 1}, "employee_id": {}}',
    "wrong types": b'{"name": 1, "phones": {}, "extensions": "x", "employee_id": 1, "provider": [], "color": 1}',
}
WRITES = (
    ("POST", "/v1/integrations"),
    ("POST", "/v1/employees"),
    ("PATCH", "/v1/employees/0123456789abcdef"),
    ("POST", "/v1/tokens"),
    ("PUT", "/v1/settings/telephony"),
    ("PUT", "/v1/lines/+74957770000"),
    ("POST", "/v1/contacts"),
    ("PATCH", "/v1/contacts/0123456789abcdef"),
)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_invalid_body_is_rejected_by_every_write(shared: Office, body: bytes) -> None:
    for method, path in WRITES:
        response = shared.owner.send(method, path, data=body, headers={"content-type": "application/json"})
        assert_problem(response, 400)


def test_body_over_64_kb_is_rejected(shared: Office) -> None:
    for method, path in WRITES:
        assert_problem(shared.owner.send(method, path, json={"name": "x" * 70000}), 413)


@pytest.mark.parametrize("media", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "junk"])
def test_other_media_type_is_rejected(shared: Office, media: str) -> None:
    for method, path in WRITES:
        assert_problem(shared.owner.send(method, path, data=b"name=x", headers={"content-type": media}), 415)


def test_json_media_types_are_accepted(shared: Office) -> None:
    body = b'\xef\xbb\xbf{"settle_seconds": 10}'
    for media in ("application/json", "application/json; charset=utf-8", "application/problem+json"):
        response = shared.owner.send("PUT", "/v1/settings/telephony", data=body, headers={"content-type": media})
        assert response.status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/tenants", 403),
        ("DELETE", "/v1/employees", 405),
        ("PUT", "/v1/employees/0123456789abcdef", 405),
        ("PUT", "/v1/tokens", 405),
        ("PATCH", "/v1/settings/telephony", 405),
        ("GET", "/v1/settings", 404),
        ("GET", "/v1/settings/unknown", 404),
        ("GET", "/v1/integrations/x/y/z", 404),
        ("GET", "/v1/employees/" + "x" * 3000, 404),
        ("GET", "/v1/employees/%00", 404),
        ("GET", "/v1/employees/%ff", 404),
        ("GET", "/v1/employees/TENANT", 404),
        ("GET", "/v1/integrations/0123456789abcdef", 404),
    ],
)
def test_unknown_path_or_method_is_rejected(shared: Office, method: str, path: str, status: int) -> None:
    assert_problem(shared.owner.send(method, path), status)


def test_method_not_allowed_lists_allowed_methods(shared: Office) -> None:
    assert shared.owner.send("DELETE", "/v1/employees").headers["allow"] == "GET, POST"


@pytest.mark.parametrize("limit", ["0", "-1", "201", "x", "", "1.5", "9" * 5000, "1,2"])
def test_invalid_limit_is_rejected(shared: Office, limit: str) -> None:
    for path in ("/v1/employees", "/v1/lines", "/v1/integrations"):
        response = shared.owner.get(path, limit=limit)
        assert_problem(response, 400)
        assert fields(response) == ["limit"]


@pytest.mark.parametrize(
    "cursor", ["x", "", "!", "W10", "é", "A" * 5000, "WyJsaW5lcyIsIngiXQ", "bnVsbA", "WyJlbXBsb3llZXMiLDVd"]
)
def test_cursor_of_another_list_is_rejected(shared: Office, cursor: str) -> None:
    response = shared.owner.get("/v1/employees", cursor=cursor)
    assert_problem(response, 400)
    assert fields(response) == ["cursor"]


# ------------------------------------------------------------------ idempotency


def test_repeated_idempotency_key_runs_once(office: Office) -> None:
    body = {"provider": "telephony_api", "name": "Second"}
    first = office.owner.post("/v1/integrations", body, idempotency_key="k1")
    again = office.owner.post("/v1/integrations", body, idempotency_key="k1")
    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json
    assert len(office.owner.get("/v1/integrations").json["items"]) == 2
    other = office.owner.post("/v1/integrations", body, idempotency_key="k2")
    assert other.json["id"] != first.json["id"]


def test_idempotency_key_of_another_request_is_rejected(office: Office) -> None:
    assert office.owner.post("/v1/employees", {"name": "Boris"}, idempotency_key="k").status == 201
    assert_problem(office.owner.post("/v1/employees", {"name": "Vera"}, idempotency_key="k"), 422)


def test_idempotency_key_is_scoped_to_route_in_tenant(stack: Stack, office: Office) -> None:
    other = open_office(stack.api, stack.operator_token)
    created = [
        office.owner.post("/v1/employees", {"name": "Boris"}, idempotency_key="k"),
        office.owner.post("/v1/contacts", {"name": "Boris"}, idempotency_key="k"),
        other.owner.post("/v1/employees", {"name": "Boris"}, idempotency_key="k"),
    ]
    assert [response.status for response in created] == [201] * 3
    assert len({response.json["id"] for response in created}) == 3


def test_failed_request_can_be_repeated_with_its_key(office: Office) -> None:
    extension = {"integration_id": office.integration["id"], "extension": "101"}
    boris = {"name": "Boris", "extensions": [extension]}
    assert_problem(office.owner.post("/v1/employees", boris, idempotency_key="k"), 409)
    office.owner.patch(f"/v1/employees/{office.anna['id']}", {"extensions": []})
    assert office.owner.post("/v1/employees", boris, idempotency_key="k").status == 201


def test_stored_response_with_secrets_is_encrypted(stack: Stack, office: Office) -> None:
    created = office.owner.post("/v1/tokens", {"employee_id": office.anna["id"]}, idempotency_key="k").json
    again = office.owner.post("/v1/tokens", {"employee_id": office.anna["id"]}, idempotency_key="k").json
    assert created == again
    assert created["token"] not in json.dumps(items(stack), default=str)


@pytest.mark.parametrize("key", ["x" * 256, "é"])
def test_invalid_idempotency_key_is_rejected(shared: Office, key: str) -> None:
    headers = {"idempotency-key": key.encode()}
    assert_problem(shared.owner.send("POST", "/v1/employees", json={"name": "X"}, headers=headers), 400)


# ------------------------------------------------------------------ erasure


def belonging_to(stack: Stack, tenant_id: str) -> list[str]:
    return [item["pk"]["S"] for item in items(stack) if tenant_id in json.dumps(item, default=str)]


def ring(office: Office, call_id: str, *events: str) -> None:
    for event in events:
        form = {"cmd": "event", "type": "in", "event": event, "phone": "79990000001", "ext": "101", "callid": call_id}
        if event == "COMPLETED":
            form |= {"status": "Success", "duration": "5"}
        assert post_webhook(office, **form).status_code == 200


def eventually_tagged(office: Office, call_id: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        calls = office.owner.get("/v1/calls", integration_id=office.integration["id"], pbx_call_id=call_id).json[
            "items"
        ]
        if calls and calls[0]["tag_id"]:
            return
        time.sleep(0.1)
    raise AssertionError(call_id)


def test_erased_tenant_leaves_no_items(stack: Stack, office: Office) -> None:
    other = open_office(stack.api, stack.operator_token)
    before = len(belonging_to(stack, other.tenant_id))
    office.employee.create("/v1/contacts", {"name": "Ivan", "phones": ["+74951234567", "+74951234568"]})
    office.owner.put("/v1/settings/telephony", {"settle_seconds": 3})
    office.owner.put("/v1/lines/+74957770000", {"name": "Sales"})
    post_webhook(office, cmd="nothing")
    ring(office, "closed", "INCOMING", "ACCEPTED", "COMPLETED")
    eventually_tagged(office, "closed")
    ring(office, "open", "INCOMING")
    assert len(belonging_to(stack, office.tenant_id)) > 15
    path = f"/v1/tenants/{office.tenant_id}"
    assert office.operator.send("DELETE", path).status == 204
    deadline = time.monotonic() + 60
    while belonging_to(stack, office.tenant_id) and time.monotonic() < deadline:
        # The open call's execution can still be writing its token.
        time.sleep(0.2)
    assert belonging_to(stack, office.tenant_id) == []
    assert_problem(office.operator.send("DELETE", path), 404)
    assert_problem(office.owner.get("/v1/employees"), 401)
    assert_problem(office.employee.get("/v1/contacts"), 401)
    assert len(belonging_to(stack, other.tenant_id)) == before
