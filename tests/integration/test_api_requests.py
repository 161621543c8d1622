"""Request parsing and idempotency keys of the API, on a stack."""

import json
from typing import Any

import pytest

from api_client import Office, assert_problem, invalid_fields, open_office
from local.stack import Stack

pytestmark = pytest.mark.stack

PORT = 4641


def items(stack: Stack) -> list[dict[str, Any]]:
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.table)
    return [item for page in pages for item in page["Items"]]


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


def test_body_over_64_kb_is_rejected_by_every_write(shared: Office) -> None:
    for method, path in WRITES:
        assert_problem(shared.owner.send(method, path, json={"name": "x" * 70000}), 413)


@pytest.mark.parametrize("media", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "junk"])
def test_media_type_other_than_json_is_rejected_by_every_write(shared: Office, media: str) -> None:
    for method, path in WRITES:
        assert_problem(shared.owner.send(method, path, data=b"name=x", headers={"content-type": media}), 415)


def test_json_media_types_with_parameters_are_accepted(shared: Office) -> None:
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
def test_unknown_path_or_method_is_rejected_with_its_status(
    shared: Office, method: str, path: str, status: int
) -> None:
    assert_problem(shared.owner.send(method, path), status)


def test_method_not_allowed_lists_allowed_methods(shared: Office) -> None:
    assert shared.owner.send("DELETE", "/v1/employees").headers["allow"] == "GET, POST"


@pytest.mark.parametrize("limit", ["0", "-1", "201", "x", "", "1.5", "9" * 5000, "1,2"])
def test_invalid_limit_of_a_list_is_rejected_with_its_field(shared: Office, limit: str) -> None:
    for path in ("/v1/employees", "/v1/lines", "/v1/integrations"):
        response = shared.owner.get(path, limit=limit)
        assert_problem(response, 400)
        assert invalid_fields(response) == ["limit"]


@pytest.mark.parametrize(
    "cursor", ["x", "", "!", "W10", "é", "A" * 5000, "WyJsaW5lcyIsIngiXQ", "bnVsbA", "WyJlbXBsb3llZXMiLDVd"]
)
def test_invalid_cursor_of_a_list_is_rejected_with_its_field(shared: Office, cursor: str) -> None:
    response = shared.owner.get("/v1/employees", cursor=cursor)
    assert_problem(response, 400)
    assert invalid_fields(response) == ["cursor"]


# ------------------------------------------------------------------ idempotency


def test_request_with_a_repeated_idempotency_key_runs_once(office: Office) -> None:
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
