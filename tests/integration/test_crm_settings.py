"""CRM settings of the API, from the connection to the redrive of dead letters."""

import json
import secrets as random_bytes
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from api_client import Office, Response, open_office
from crm_outbox import put_tag
from fake_crm import DOWN, OK, CrmResponse, FakeCrm
from hangtag.store.crm import config as crm
from hangtag.store.db import audit
from local.stack import Stack

pytestmark = pytest.mark.stack

PORT = 4640


def assert_problem(response: Response, status: int) -> None:
    assert (response.status, response.media) == (status, "application/problem+json"), response


def test_connected_crm_receives_retried_tag_with_a_valid_signature(
    stack: Stack, loopback: pytest.MonkeyPatch, external_crm: FakeCrm
) -> None:
    office = open_office(stack.api, stack.operator_token)
    assert office.owner.get("/v1/settings/crm").json == {
        "kind": "builtin",
        "url": None,
        "previous_secret_until": None,
        "health": None,
    }
    created = office.owner.put("/v1/settings/crm", {"kind": "webhook", "url": external_crm.url})
    assert created.status == 200
    secret = created.json["secret"]
    shown = office.owner.get("/v1/settings/crm").json
    assert (shown["kind"], shown["url"], shown["health"]["state"]) == ("webhook", external_crm.url, "ok")
    again = office.owner.put("/v1/settings/crm", {"kind": "webhook", "url": external_crm.url + "&more=1"})
    assert again.json["secret"] is None
    assert secret not in json.dumps([shown, again.json])
    external_crm.respond = lambda _: OK if external_crm.messages else DOWN
    put_tag(office.tenant_id, "tag", datetime.now(UTC))
    failed, delivered = external_crm.await_messages(2)
    assert failed.headers["webhook-id"] == delivered.headers["webhook-id"]
    assert Webhook(secret).verify(delivered.text, dict(delivered.headers))["data"]["tag"]["id"] == "tag"


def test_rotated_secret_overlaps_with_the_old_one(
    stack: Stack, loopback: pytest.MonkeyPatch, external_crm: FakeCrm
) -> None:
    office = open_office(stack.api, stack.operator_token)
    old = office.owner.put("/v1/settings/crm", {"kind": "webhook", "url": external_crm.url}).json["secret"]
    rotated = office.owner.post("/v1/settings/crm/rotate", {"overlap_hours": 1})
    assert rotated.status == 200
    new = rotated.json["secret"]
    assert new != old
    tested = office.owner.post("/v1/settings/crm/test", {})
    assert tested.json == {"ok": True, "http_status": 200, "message": "The CRM accepted the message."}
    for secret in (old, new):
        assert (
            Webhook(secret).verify(external_crm.messages[0].text, dict(external_crm.messages[0].headers))["type"]
            == "test"
        )
    new = office.owner.post("/v1/settings/crm/rotate", {"overlap_hours": 0}).json["secret"]
    office.owner.post("/v1/settings/crm/test", {})
    listed = [(change.action, change.who) for change in audit.list_changes(office.tenant_id, 3, None).items]
    assert listed == [("crm.rotated", "owner"), ("crm.rotated", "owner"), ("crm.changed", "owner")]
    assert len(external_crm.messages[1].headers["webhook-signature"].split(" ")) == 1
    assert Webhook(new).verify(external_crm.messages[1].text, dict(external_crm.messages[1].headers))


def test_crm_test_message_reports_the_response_in_words(stack: Stack, office: Office, external_crm: FakeCrm) -> None:
    assert_problem(office.owner.post("/v1/settings/crm/test", {}), 409)
    office.owner.put("/v1/settings/crm", {"kind": "webhook", "url": external_crm.url})
    external_crm.respond = lambda _: CrmResponse(401)
    result = office.owner.post("/v1/settings/crm/test", {}).json
    assert (result["ok"], result["http_status"]) == (False, 401)
    assert "Check the secret" in result["message"]
    external_crm.respond = lambda _: CrmResponse(lost=True)
    assert office.owner.post("/v1/settings/crm/test", {}).json == {
        "ok": False,
        "http_status": None,
        "message": "the service did not answer",
    }
    assert office.owner.put("/v1/settings/crm", {"kind": "builtin"}).json["kind"] == "builtin"


def test_admin_can_redrive_messages_that_the_crm_rejected(
    stack: Stack, loopback: pytest.MonkeyPatch, external_crm: FakeCrm
) -> None:
    office = open_office(stack.api, stack.operator_token)
    office.owner.put("/v1/settings/crm", {"kind": "webhook", "url": external_crm.url})
    external_crm.respond = lambda _: CrmResponse(422, accepted=False)
    sent = {put_tag(office.tenant_id, tag, datetime.now(UTC)) for tag in ("one", "two", "three")}
    external_crm.await_messages(3)
    letters = await_letters(office, 3)
    assert {letter["id"] for letter in letters} == sent
    reasons = {(letter["last_http_status"], letter["reason"]) for letter in letters}
    assert reasons == {(422, "The CRM rejected the message.")}
    first = office.owner.get("/v1/settings/crm/dead-letters", limit=2).json
    rest = office.owner.get("/v1/settings/crm/dead-letters", limit=2, cursor=first["next_cursor"]).json
    assert [*first["items"], *rest["items"]] == letters
    external_crm.respond = lambda _: OK
    path = "/v1/settings/crm/dead-letters"
    assert office.owner.post(f"{path}/{letters[0]['id']}/redrive", {}).json == {"redriven": 1, "has_more": False}
    assert_problem(office.owner.post(f"{path}/{random_bytes.token_hex(16)}/redrive", {}), 404)
    assert_problem(office.owner.post(f"{path}/nonsense/redrive", {}), 404)
    assert office.owner.post(f"{path}/redrive", {}).json == {"redriven": 2, "has_more": False}
    external_crm.await_messages(6)
    assert set(external_crm.writes.values()) == {1}
    assert len(external_crm.writes) == 3
    assert await_letters(office, 0) == []


def await_letters(office: Office, count: int) -> list[dict[str, Any]]:
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while datetime.now(UTC) < deadline:
        letters: list[dict[str, Any]] = office.owner.get("/v1/settings/crm/dead-letters").json["items"]
        if len(letters) == count:
            return letters
    raise AssertionError(f"{len(letters)} of {count}")


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "webhook"},
        {"kind": "builtin", "url": "https://crm.example.com/"},
        {"kind": "webhook", "url": "crm.example.com"},
        {"kind": "webhook", "url": "ftp://crm.example.com/"},
        {"kind": "webhook", "url": "https://user:password@crm.example.com/"},
        {"kind": "webhook", "url": "https://169.254.169.254/latest"},
        {"kind": "webhook", "url": "https://crm.example.com/\n"},
        {"kind": "webhook", "url": "https://" + "x" * 3000},
        {"kind": "webhook", "url": "https://[::1/"},
        {"kind": "planfix", "url": "https://crm.example.com/"},
        {"kind": "webhook", "url": "https://crm.example.com/", "secret": "mine"},
    ],
)
def test_invalid_crm_settings_are_rejected(office: Office, body: dict[str, Any]) -> None:
    assert_problem(office.owner.put("/v1/settings/crm", body), 400)


def test_employee_has_no_access_to_crm_settings(stack: Stack, office: Office) -> None:
    for method, path in (
        ("GET", ""),
        ("PUT", ""),
        ("POST", "/rotate"),
        ("POST", "/test"),
        ("GET", "/dead-letters"),
        ("POST", "/dead-letters/redrive"),
    ):
        assert_problem(office.employee.send(method, "/v1/settings/crm" + path, json={}), 403)
    assert crm.load(office.tenant_id) is None
