"""A tenant's export, the erasure of a contact by its number, and what is left of an erased tenant: nothing."""

import json
import time
from typing import Any

import pytest
import requests

from api_client import Caller, Office, open_office
from live_listener import listening
from local.simulator.rest import Fault, Reply, serving
from local.simulator.rest.telephony_api import Api
from local.stack import Stack
from pbx_line import Line

pytestmark = pytest.mark.stack

PORT = 4637
PHONE = "79105557701"
OTHER = "79105557702"
WITHIN_SECONDS = 60.0


@pytest.fixture
def office(stack: Stack) -> Office:
    return seed(open_office(stack.api, stack.operator_token))


def seed(office: Office) -> Office:
    """Something of every kind."""
    owner, line = office.owner, Line(office)
    owner.made("/v1/groups", {"name": "Sales", "employee_ids": [office.anna["id"]]})
    assert owner.put("/v1/lines/74951230001", {"name": "Ads", "color": "#aa0000"}).status == 200
    assert owner.put("/v1/settings/telephony", {"settle_seconds": 2}).status == 200
    talk = line.talk("leaving-talk", PHONE)
    line.missed("leaving-missed", PHONE)
    line.talk("leaving-other", OTHER)
    task = {"title": f"Call +{PHONE} back", "contact_ids": [talk["contact_id"]], "due_at": "2026-06-01T09:00:00Z"}
    made = owner.made("/v1/tasks", task)
    click(office, PHONE, "leaving-click")
    owner.made(f"/v1/calls/{talk['call_id']}/comments", {"text": "Wants a call", "task_id": made["id"]})
    owner.made(f"/v1/calls/{talk['call_id']}/comments", {"text": "Nice"})
    return office


def click(office: Office, number: str, call_id: str) -> None:
    """A call that an employee started, and one that came to nothing, both watched by a browser."""
    place, api, line = f"/v1/integrations/{office.integration['id']}", Api({}), Line(office)
    with serving(api) as server, listening(office.employee) as browser:
        assert office.owner.patch(place, {"credentials": dict(api.credentials(server.url))}).status == 200
        server.faults.append(Fault(Reply(400)))
        refused = office.employee.post("/v1/calls", {"to": number})
        assert refused.status == 202
        browser.call("ended", id=refused.json["call_id"])
        assert office.employee.post("/v1/calls", {"to": number}).status == 202
        for event in ("OUTGOING", "ACCEPTED", "COMPLETED"):
            told = {"status": "Success", "duration": "3"} if event == "COMPLETED" else {}
            line.event(call_id, event, number, type="out", **told)
        assert line.call(call_id)["clicked"]


def finished(caller: Caller, path: str) -> Any:
    """What a job came to."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while (answer := caller.get(path)).json.get("state") == "running":
        assert time.monotonic() < deadline, answer
        # Nothing tells a client of the API that something changed; it asks again.
        time.sleep(0.1)
    assert answer.status == 200, answer
    assert answer.json["state"] == "done", answer
    return answer.json


def exported(office: Office) -> list[Any]:
    started = office.owner.made("/v1/exports", {})
    done = finished(office.owner, f"/v1/exports/{started['id']}")
    fetched = requests.get(done["url"], timeout=30)
    assert fetched.status_code == 200, fetched.text
    rows = [json.loads(line) for line in fetched.text.splitlines()]
    assert done["rows"] == len(rows)
    return rows


def items_with(stack: Stack, *texts: str) -> list[str]:
    """The keys of all items of the table in which one of these texts stands."""
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.table)
    return [
        f"{item['pk']['S']} / {item['sk']['S']}"
        for page in pages
        for item in page["Items"]
        if any(text in json.dumps(item, default=str) for text in texts)
    ]


def files(stack: Stack) -> list[str]:
    found = stack.client("s3").list_objects_v2(Bucket=stack.files_bucket)
    return [one["Key"] for one in found.get("Contents", [])]


def test_an_export_holds_a_line_for_everything_and_no_secret(office: Office) -> None:
    rows = exported(office)
    kinds = {row["kind"] for row in rows}
    assert kinds == {
        "contact", "call", "tag", "task", "comment", "employee", "group", "line", "integration", "settings",
        "missed_call", "audit",
    }  # fmt: skip
    count = {kind: sum(row["kind"] == kind for row in rows) for kind in kinds}
    assert [count[kind] for kind in ("contact", "call", "tag", "task", "comment")] == [2, 4, 4, 1, 2]
    text = json.dumps(rows)
    assert "pbx-key-of-the-tenant" not in text
    assert office.integration["secrets"]["planfix_token"] not in text
    assert office.employee.get("/v1/exports/0123456789abcdef").status == 403
    assert office.owner.get("/v1/exports/0123456789abcdef").status == 404


def test_an_erased_number_is_nowhere_any_more_and_the_rest_stays(stack: Stack, office: Office) -> None:
    exported(office)
    before = {item["id"]: item for item in office.owner.get("/v1/calls", limit="50").json["items"]}
    started = office.owner.made("/v1/erasures", {"number": "+7 (910) 555-77-01"})
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
    assert sorted(item["external"] for item in after.values()) == ["", "", "", OTHER]
    assert len(office.owner.get("/v1/contacts").json["items"]) == 1
    assert len(office.owner.get("/v1/tags").json["items"]) == 1
    (task,) = office.owner.get("/v1/tasks").json["items"]
    assert task["contact_ids"] == []
    (change,) = [one for one in office.owner.get("/v1/audit").json["items"] if one["action"] == "contact.erased"]
    assert change["who"] == "owner"
    # Again: there is nothing left to be erased.
    again = office.owner.made("/v1/erasures", {"number": PHONE})
    assert finished(office.owner, f"/v1/erasures/{again['id']}")["counts"] == {}


def test_numbers_that_can_not_be_erased_are_told(office: Office) -> None:
    assert office.owner.post("/v1/erasures", {"number": "anonymous"}).status == 400
    assert office.owner.post("/v1/erasures", {"number": "+79100000101"}).status == 409
    assert office.employee.post("/v1/erasures", {"number": PHONE}).status == 403


def test_nothing_is_left_of_an_erased_tenant(stack: Stack, office: Office) -> None:
    exported(office)
    assert len(items_with(stack, office.tenant_id)) > 20
    deadline = time.monotonic() + WITHIN_SECONDS
    with listening(office.employee):
        while office.operator.send("DELETE", f"/v1/tenants/{office.tenant_id}").status == 202:
            assert time.monotonic() < deadline
    assert items_with(stack, office.tenant_id) == []
    assert not [name for name in files(stack) if office.tenant_id in name]
