"""Erasures of a person's data by phone number."""

import json

import pytest

from api_client import Office, open_office
from local.stack import Stack
from seeded_office import OTHER, PHONE, exported, files, finished, items_with, seed

pytestmark = pytest.mark.stack

PORT = 4637


@pytest.fixture
def office(stack: Stack) -> Office:
    return seed(open_office(stack.api, stack.operator_token))


def test_erased_number_is_removed_everywhere(stack: Stack, office: Office) -> None:
    exported(office)
    before = {item["id"]: item for item in office.owner.get("/v1/calls", limit="50").json["items"]}
    started = office.owner.create("/v1/erasures", {"number": "+7 (910) 555-77-01"})
    receipt = finished(office.owner, f"/v1/erasures/{started['id']}")
    assert receipt["counts"]["contact"] == 1
    assert receipt["counts"]["call"] == 3
    assert receipt["counts"]["tag"] == 3
    assert receipt["counts"]["comment"] == 2
    assert receipt["counts"]["missed_call"] == 1
    assert receipt["finished_at"]
    assert "9105557701" not in json.dumps(receipt)
    own = [item for item in items_with(stack, "9105557701") if office.tenant_id in item]
    assert own == []
    assert not [name for name in files(stack) if office.tenant_id in name]

    after = {item["id"]: item for item in office.owner.get("/v1/calls", limit="50").json["items"]}
    assert after.keys() == before.keys()
    assert all(office.owner.get(f"/v1/calls/{one}").status == 200 for one in after)
    assert sorted(item["external_number"] or "" for item in after.values()) == ["", "", "", f"+{OTHER}"]
    assert len(office.owner.get("/v1/contacts").json["items"]) == 1
    assert len(office.owner.get("/v1/tags").json["items"]) == 1
    (task,) = office.owner.get("/v1/tasks").json["items"]
    assert task["contact_ids"] == []
    (change,) = [one for one in office.owner.get("/v1/audit").json["items"] if one["action"] == "contact.erased"]
    assert change["actor"]["type"] == "owner"
    # A second erasure finds nothing.
    again = office.owner.create("/v1/erasures", {"number": PHONE})
    assert finished(office.owner, f"/v1/erasures/{again['id']}")["counts"] == {}


def test_invalid_or_employee_number_cannot_be_erased(office: Office) -> None:
    assert office.owner.post("/v1/erasures", {"number": "anonymous"}).status == 400
    assert office.owner.post("/v1/erasures", {"number": "+79100000101"}).status == 409
    assert office.employee.post("/v1/erasures", {"number": PHONE}).status == 403
