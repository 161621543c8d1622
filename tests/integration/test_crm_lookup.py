"""Contacts and tasks that an external CRM returns for a call."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from api_client import Office
from crm_outbox import START, tenant_with
from fake_crm import DOWN, CrmResponse, FakeCrm, Message
from hangtag.crm import config, lookup
from hangtag.store.crm import breaker
from local.stack import Stack
from pbx_line import Line

pytestmark = pytest.mark.stack

PORT = 4638


def test_contact_lookup_of_the_crm_is_cached(outbox_table: str, external_crm: FakeCrm) -> None:
    tenant = tenant_with(external_crm)
    payload = {"contact": {"external_id": "77", "name": "Иван", "supervisor_external": "5", "more": 1}}
    external_crm.respond = lambda _: CrmResponse(body=json.dumps(payload).encode())
    for _ in range(3):
        contact = lookup.find_contact(tenant, "+74951234567")
        assert contact == lookup.FoundContact(external_id="77", name="Иван", supervisor_external="5")
    (message,) = external_crm.messages
    (key,) = config.signing_secrets(tenant, config.require(tenant), START)
    assert Webhook(key).verify(message.text, dict(message.headers))["data"] == {"external_number": "+74951234567"}
    assert message.payload["type"] == "contact.find"
    external_crm.respond = lambda _: CrmResponse(body=b'{"contact": null}')
    assert [lookup.find_contact(tenant, "+74950000000") for _ in range(2)] == [None, None]
    assert len(external_crm.messages) == 2


@pytest.mark.parametrize(
    "response",
    [
        CrmResponse(404),
        CrmResponse(200, b"<html>"),
        CrmResponse(200, b"[]"),
        CrmResponse(200, b"{}"),
        CrmResponse(200, b'{"contact": {"name": "no id"}}'),
        CrmResponse(200, b'{"contact": {"external_id": 7, "name": "Ivan"}}'),
        CrmResponse(200, b'{"contact": {"external_id": "7", "name": "' + b"x" * 500 + b'"}}'),
        CrmResponse(200, b"[" * 50_000),
        CrmResponse(200, b"x" * 1_000_000),
        CrmResponse(302, headers={"location": "http://169.254.169.254/"}),
        CrmResponse(500),
        CrmResponse(lost=True),
    ],
)
def test_invalid_lookup_response_counts_as_no_result(
    outbox_table: str, external_crm: FakeCrm, response: CrmResponse
) -> None:
    tenant = tenant_with(external_crm)
    external_crm.respond = lambda _: response
    assert lookup.find_contact(tenant, "+74951234567") is None
    assert lookup.last_task(tenant, "77", [], None) is None


def test_slow_lookups_time_out_until_the_crm_is_paused(outbox_table: str, external_crm: FakeCrm) -> None:
    tenant = tenant_with(external_crm)
    external_crm.respond = lambda _: CrmResponse(stalls=True)
    before = datetime.now(UTC)
    assert lookup.find_contact(tenant, "+74951234567") is None
    assert datetime.now(UTC) - before < timedelta(seconds=6)
    external_crm.respond = lambda _: DOWN
    for number in range(10):
        assert lookup.find_contact(tenant, f"+7495123456{number}") is None
    assert len(external_crm.messages) == breaker.THRESHOLD


RESPONSES = {
    "contact.find": {"contact": {"external_id": "77", "name": "Иван", "supervisor_external": "Boss@example.com"}},
    "task.last": {"task": {"external_id": "9", "title": "A deal in the CRM"}},
}


def test_contact_or_task_of_the_crm_is_stored_under_its_id(
    stack: Stack, office: Office, line: Line, external_crm: FakeCrm
) -> None:
    """Two calls from an unknown number and one from a second number of the person: one contact, one task."""
    external_crm.respond = lambda message: CrmResponse(
        body=json.dumps(RESPONSES.get(message.payload["type"], {})).encode()
    )
    assert office.owner.put("/v1/settings/crm", {"kind": "webhook", "url": external_crm.url}).status == 200
    assert office.owner.put("/v1/settings/telephony", {"attach": {"to": "last_active_task"}}).status == 200
    boss = office.owner.create("/v1/employees", {"name": "Boss", "email": "boss@example.com"})["id"]
    numbers = ("74951234567", "74951234567", "74957654321")
    tags = [line.talk(f"call-{place}", number) for place, number in enumerate(numbers)]
    (contact_id,) = {tag["contact_id"] for tag in tags}
    contact = office.owner.get(f"/v1/contacts/{contact_id}").json
    assert (contact["name"], contact["external_id"], contact["supervisor_id"]) == ("Иван", "77", boss)
    assert [phone["e164"] for phone in contact["phones"]] == ["+74951234567", "+74957654321"]
    (task_id,) = {tag["task_id"] for tag in tags}
    task = office.owner.get(f"/v1/tasks/{task_id}").json
    assert (task["title"], task["external_id"], task["contact_ids"]) == ("A deal in the CRM", "9", [contact_id])
    expected_ids = {"contact.created": ("contact", "77"), "task.created": ("task", "9")}
    for kind, (thing, external_id) in expected_ids.items():
        (resource,) = [one.payload["data"][thing] for one in await_type(external_crm, kind)]
        assert resource["external_id"] == external_id
    (lookup_data,) = [one.payload["data"] for one in external_crm.messages if one.payload["type"] == "task.last"][:1]
    assert lookup_data == {"contact": {"external_id": "77"}, "conditions": [], "logic": None}


def test_own_task_has_priority_over_a_task_of_the_crm(
    stack: Stack, office: Office, line: Line, external_crm: FakeCrm
) -> None:
    external_crm.respond = lambda message: CrmResponse(
        body=json.dumps(RESPONSES.get(message.payload["type"], {})).encode()
    )
    assert office.owner.put("/v1/settings/crm", {"kind": "webhook", "url": external_crm.url}).status == 200
    assert office.owner.put("/v1/settings/telephony", {"attach": {"to": "last_active_task"}}).status == 200
    card = {"name": "Olga", "phones": ["+74951234567"], "external_id": "77"}
    contact_id = office.owner.create("/v1/contacts", card)["id"]
    own = office.owner.create("/v1/tasks", {"title": "Ours", "contact_ids": [contact_id]})["id"]
    assert line.talk("call", "74951234567")["task_id"] == own
    assert "task.last" not in {message.payload["type"] for message in external_crm.messages}


def await_type(external_crm: FakeCrm, kind: str) -> list[Message]:
    """Return the messages of a type, once there is one. Fails as `await_messages` does."""
    count = 1
    while True:
        messages = [message for message in external_crm.await_messages(count) if message.payload["type"] == kind]
        if messages:
            return messages
        count = len(external_crm.messages) + 1
