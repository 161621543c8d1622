"""Effects of telephony settings: contacts and supervisors, placement of tags, tag definitions, missed calls."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from secrets import token_hex
from typing import Any
from urllib.parse import quote

import pytest

from api_client import Caller, Office, Response, hire
from hangtag.services.tags.emit import emit
from hangtag.services.tags.missed_calls import after_tag
from hangtag.services.tags.snapshot import PartySnapshot
from hangtag.store.calls import items as calls
from hangtag.store.calls import missed_calls
from hangtag.store.calls.items import call_key
from hangtag.store.calls.missed_calls import MissedCall, Talk
from local.stack import Stack
from pbx_line import Line, until, values

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

PORT = 4623


def change_settings(office: Office, **changed: Any) -> None:
    """Change telephony settings; calls settle after a second."""
    response = office.owner.put("/v1/settings/telephony", {"settle_seconds": 1, **changed})
    assert response.status == 200, response


def contacts(caller: Caller, phone: str) -> list[Any]:
    rows: list[Any] = caller.get("/v1/contacts", phone=phone).json["items"]
    return rows


def errors_of(response: Response, status: int) -> list[dict[str, str]]:
    assert response.status == status, response
    return list(response.json["errors"])


# ------------------------------------------------------------------ unknown callers and their supervisors


def test_unknown_caller_gets_a_contact_while_the_phone_rings(office: Office, line: Line) -> None:
    line.ring("c1", "79035550101")
    ringing = until(office.owner, "/v1/calls", {"state": "open"}, lambda call: call["contact_id"])
    (contact,) = contacts(office.employee, "+79035550101")
    assert ringing["contact_id"] == contact["id"]
    line.hang_up("c1", "79035550101")
    assert line.tag("c1")["contact_id"] == contact["id"]


def test_supervisor_of_a_new_contact_follows_template_then_answer(office: Office, line: Line) -> None:
    boris, _ = hire(office, "Boris", "102")
    change_settings(office)
    for ext in ("101", "102"):
        line.ring("answered", "79035550102", ext)
    line.pick_up("answered", "79035550102", "102")
    line.event("answered", "COMPLETED", "79035550102", "101", status="Cancelled", duration="0")
    line.hang_up("answered", "79035550102", "102")
    line.tag("answered")
    assert contacts(office.owner, "+79035550102")[0]["supervisor_id"] == boris
    # If the call is not answered, the first ringing employee is the supervisor.
    for ext in ("102", "101"):
        line.ring("missed", "79035550103", ext)
    for ext in ("102", "101"):
        line.event("missed", "COMPLETED", "79035550103", ext, status="Missed", duration="0")
    line.tag("missed")
    assert contacts(office.owner, "+79035550103")[0]["supervisor_id"] == boris
    # A supervisor in the template has priority over the employee who answers.
    anna = office.anna["id"]
    change_settings(office, contacts={"template": {"name": "Caller {number}", "supervisor_id": anna}})
    line.talk("template", "79035550104", "102")
    (contact,) = contacts(office.owner, "+79035550104")
    assert (contact["supervisor_id"], contact["name"]) == (anna, "Caller +79035550104")


def test_answered_only_creates_the_contact_at_the_answer(office: Office, line: Line) -> None:
    change_settings(office, contacts={"create_unknown": "answered_only"})
    assert line.missed("c1", "79035550105")["contact_id"] is None
    assert contacts(office.owner, "+79035550105") == []
    line.ring("c2", "79035550106")
    line.pick_up("c2", "79035550106")
    ringing = until(office.owner, "/v1/calls", {"state": "open"}, lambda call: call["contact_id"])
    assert [ringing["contact_id"]] == [contact["id"] for contact in contacts(office.owner, "+79035550106")]


def test_tag_without_a_contact_is_filled_once(office: Office, line: Line) -> None:
    change_settings(office, contacts={"create_unknown": "never"})
    assert line.talk("c1", "79035550107")["contact_id"] is None
    created = office.employee.create("/v1/contacts", {"name": "Ivan", "phones": ["8 903 555-01-07"]})
    filled = line.tag("c1", revision=2)
    assert (filled["contact_id"], values(filled)["Contact"]) == (created["id"], {"id": created["id"], "name": "Ivan"})
    # The tag is filled once; it does not follow the number to another contact.
    office.employee.patch(f"/v1/contacts/{created['id']}", {"phones": []})
    office.employee.create("/v1/contacts", {"name": "Olga", "phones": ["+79035550107"]})
    later = line.talk("c2", "79035550107")
    assert values(later)["Contact"]["name"] == "Olga"
    assert line.tag("c1")["contact_id"] == created["id"]


def test_line_reported_after_the_tag_is_added(office: Office, line: Line) -> None:
    """Numbers are covered by test_reconciliation.py, because the telephony API always reports one."""
    path = f"/v1/lines/{quote('+74951230001', safe='')}"
    office.owner.put(path, {"name": "Main office"})
    for event in ("INCOMING", "ACCEPTED", "COMPLETED"):
        line.event("c1", event, "79035550108", status="Success", duration="9", diversion="")
    shown = values(line.tag("c1"))
    assert (shown["External line"], shown["External line name"]) == ("", "")
    line.hang_up("c1", "79035550108")
    shown = values(line.tag("c1", revision=2))
    assert (shown["External line"], shown["External line name"]) == ("74951230001", "Main office")
    # The name is added once; later names of the line do not change it.
    office.owner.put(path, {"name": "Front desk"})
    line.post(cmd="record", callid="c1", is_temp="0", record_link="https://pbx.example.com/c1.mp3")
    assert values(line.tag("c1", revision=3))["External line name"] == "Main office"


def test_number_of_an_own_line_is_never_a_contact(office: Office, line: Line) -> None:
    office.owner.put(f"/v1/lines/{quote('+74951230009', safe='')}", {"name": "Second office"})
    assert line.talk("c1", "74951230009")["contact_id"] is None
    assert contacts(office.owner, "+74951230009") == []


# ------------------------------------------------------------------ lines, tasks, tag definitions


def test_tag_contains_the_name_of_the_external_line(office: Office, line: Line) -> None:
    put = office.owner.put(f"/v1/lines/{quote('+74951230001', safe='')}", {"name": "Sales", "color": "#2f855a"})
    assert put.json == {"number": "+74951230001", "name": "Sales", "color": "#2f855a"}
    assert values(line.talk("c1", "79035550110"))["External line name"] == "Sales"
    assert office.owner.get("/v1/lines").json["items"] == [put.json]


def test_tag_of_a_call_is_placed_as_previewed(office: Office, line: Line) -> None:
    contact = office.employee.create("/v1/contacts", {"name": "Ivan", "phones": ["+79035550111"]})["id"]
    deal = {"name": "Object", "type": "string", "value": "Deal"}
    first = office.employee.create("/v1/tasks", {"title": "Sale", "contact_ids": [contact], "fields": [deal]})["id"]
    office.employee.create("/v1/tasks", {"title": "Support", "contact_ids": [contact]})
    line.talk("before", "79035550111")
    call_id = line.call("before")["id"]
    condition = {"field": "Object", "op": "=", "value": "Deal"}
    template = {"title": "Deal", "fields": [deal]}
    change_settings(
        office,
        attach={
            "to": "last_task_matching",
            "conditions": [condition],
            "hidden": True,
            "if_none": "create_task",
            "task": template,
        },
    )
    preview = office.owner.run("/v1/settings/telephony/preview", {"call_id": call_id})
    assert (preview["task_id"], preview["hidden"], preview["reason_code"]) == (first, True, "matching_task")
    tag = line.talk("after", "79035550111")
    assert (tag["task_id"], tag["contact_id"], tag["hidden"]) == (first, contact, True)
    # New settings do not move existing tags.
    assert line.tag("before")["task_id"] is None
    # A hidden tag is in none of the lists of an employee, not even in those of the contact.
    assert office.employee.get("/v1/tags", contact_id=contact).json["items"] == [line.tag("before")]
    assert office.owner.get("/v1/tags", task_id=first).json["items"] == [tag]


def test_unknown_caller_with_new_task_gets_one_of_each(office: Office, line: Line) -> None:
    change_settings(office, attach={"to": "new_task", "task": {"title": "Call from {number}", "due_in_minutes": 30}})
    tag = line.talk("c1", "79035550112")
    (contact,) = contacts(office.owner, "+79035550112")
    (task,) = office.owner.get("/v1/tasks", contact_id=contact["id"]).json["items"]
    assert (tag["task_id"], tag["contact_id"]) == (task["id"], contact["id"])
    assert task["title"] == "Call from +79035550112"
    # A late recording updates the tag; its task does not change.
    line.post(cmd="record", callid="c1", record_link="https://pbx.example/1.mp3")
    assert line.tag("c1", revision=2)["task_id"] == task["id"]
    assert len(office.owner.get("/v1/tasks", contact_id=contact["id"]).json["items"]) == 1


def test_invalid_telephony_settings_are_rejected_by_field(office: Office) -> None:
    put = office.owner.put
    rows = [{"field": "Object", "value": "Deal"}, {"field": "status", "op": "≠", "value": "completed"}]
    invalid = {"attach": {"to": "last_task_matching", "conditions": rows, "logic": "(1 AND 2) OR 3"}}
    (fault,) = errors_of(put("/v1/settings/telephony", invalid), 400)
    assert fault == {
        "field": "attach.logic",
        "code": "syntax_error",
        "reason": "Column 14: Condition 3 does not exist.",
        "params": {"position": 13},
    }
    lonely = {"attach": {"to": "last_task_matching", "conditions": rows, "if_none": "create_task"}}
    assert errors_of(put("/v1/settings/telephony", lonely), 422)[0]["field"] == "attach.task"
    unfit = {
        "attach": {"to": "new_task", "task": {"title": "T", "fields": [{"name": "S", "type": "number", "value": "x"}]}}
    }
    (fault,) = errors_of(put("/v1/settings/telephony", unfit), 400)
    assert (fault["field"], fault["code"]) == ("attach.task.fields.0.value", "invalid_type")
    always = {"attach": {"to": "last_task_matching"}}
    (fault,) = errors_of(put("/v1/settings/telephony", always), 400)
    assert (fault["field"], fault["code"]) == ("attach.conditions", "conditions_required")
    masks = {"masks": [{"type": "Mobile", "mask": "#"}, {"type": "mobile", "mask": "##"}]}
    (fault,) = errors_of(put("/v1/settings/telephony", masks), 400)
    assert (fault["field"], fault["code"]) == ("masks.1.type", "duplicate_value")
    for unknown in ("0" * 16, "zzz"):
        (fault,) = errors_of(put("/v1/settings/telephony", {"contacts": {"template": {"supervisor_id": unknown}}}), 400)
        assert fault["code"] == "unknown_employee"
    unknown_body = {"contacts": {"template": {"supervisor_id": "0" * 16}}}
    assert errors_of(put("/v1/settings/telephony", unknown_body), 400)[0]["field"] == "contacts.template.supervisor_id"
    assert office.owner.get("/v1/settings/telephony").json["attach"]["to"] == "contact"


def test_tag_definition_is_rejected_by_position(office: Office, line: Line) -> None:
    standard = office.owner.get("/v1/settings/tags").json
    named = [{**field, "name": f"Field {place}"} for place, field in enumerate(standard["call"], start=1)]
    own = [*named, {"name": "utm_source", "type": "string"}]
    assert office.owner.put("/v1/settings/tags", {"call": own}).json == {**standard, "call": own}
    tag = line.talk("c1", "79035550113", data_utm_source="site", data_other="dropped")
    assert [(field["name"], field["type"]) for field in tag["fields"]] == [(f["name"], f["type"]) for f in own]
    assert values(tag)["utm_source"] == "site"
    own[3] = {"name": "Field 4", "type": "string"}
    (fault,) = errors_of(office.owner.put("/v1/settings/tags", {"call": own}), 422)
    assert fault == {"field": "call.3", "code": "not_allowed_value", "reason": "The type must be number, not string."}


@pytest.mark.usefixtures("environment")
def test_execution_handles_a_hang_up_during_its_run(
    stack: Stack, office: Office, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = "79035550140"
    line.ring("open-again", phone)
    line.pick_up("open-again", phone)
    place = call_key(office.tenant_id, office.integration["id"], "open-again", 0)
    raise_attempt = calls.raise_attempt

    def end_first(*arguments: Any) -> bool:
        """Send the hang-up between the read and the write of the execution."""
        monkeypatch.setattr(calls, "raise_attempt", raise_attempt)
        line.hang_up("open-again", phone)
        return raise_attempt(*arguments)

    monkeypatch.setattr(calls, "raise_attempt", end_first)
    assert emit(place, first=True) == "tagged"
    assert line.tag("open-again")["revision"] == 1


# ------------------------------------------------------------------ missed calls


def test_missed_call_is_open_until_returned_or_resolved(office: Office, line: Line) -> None:
    change_settings(office)
    first, second = line.missed("m1", "79035550120"), line.missed("m2", "79035550121")
    waiting = office.employee.get("/v1/missed-calls").json["items"]
    assert {missed["id"] for missed in waiting} == {first["id"], second["id"]}
    assert waiting[0]["ringing_employees"] == [{"id": office.anna["id"], "name": "Anna"}]
    returned = line.talk("back", "79035550120", type="out")
    path = "/v1/missed-calls"
    missed_call = until(office.employee, path, {"state": "returned"}, lambda missed: missed["id"] == first["id"])
    assert missed_call["returned_by_call_id"] == returned["call_id"]
    done = office.employee.post(f"{path}/{second['id']}/resolve", {}).json
    assert (done["state"], done["resolved_by"]["id"]) == ("resolved", office.anna["id"])
    assert office.employee.get(path).json["items"] == []
    assert [missed["id"] for missed in office.employee.get(path, state="resolved").json["items"]] == [second["id"]]


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_missed_call_is_returned_by_the_first_later_talk(stack: Stack, order: tuple[int, ...]) -> None:
    tenant_id, number = token_hex(8), "+79035550129"
    resolution = PartySnapshot(number=number, readable=True)
    before, missed, first, second = (f"2026-03-01T12:{minute}:00+00:00" for minute in ("00", "05", "10", "15"))

    def write(at: str) -> None:
        """Write what the emission of a tag writes."""
        if at == missed:
            call: dict[str, Any] = {"call_id": "missed", "line": None, "contact_id": None, "rung": (), "recipients": ()}
            writes = missed_calls.puts(tenant_id, MissedCall(id="m", at=at, number=number, **call), None)
            stack.client("dynamodb").transact_write_items(TransactItems=list(writes))
        else:
            missed_calls.add_talk(tenant_id, number, f"talk at {at}", at)
        tag = {"type": "missed_call" if at == missed else "call", "call_id": f"talk at {at}", "at": at}
        after_tag(tenant_id, {**tag, "direction": "in"}, resolution)

    for place in order:
        write((before, missed, first, second)[place])
    stored = missed_calls.load(tenant_id, number, "m")
    assert stored is not None
    assert (stored.state, stored.returned_at, stored.returned_by_call_id) == ("returned", first, f"talk at {first}")


@pytest.mark.usefixtures("environment")
def test_concurrent_returns_keep_the_first_talk(stack: Stack) -> None:
    tenant_id, number = token_hex(8), "+79035550130"
    call: dict[str, Any] = {"call_id": "missed", "line": None, "contact_id": None, "rung": (), "recipients": ()}
    writes = missed_calls.puts(
        tenant_id, MissedCall(id="m", at="2026-03-01T12:00:00+00:00", number=number, **call), None
    )
    stack.client("dynamodb").transact_write_items(TransactItems=list(writes))
    talks = [Talk(f"talk {minute}", f"2026-03-01T12:{minute:02d}:00+00:00") for minute in range(8, 0, -1)]
    with ThreadPoolExecutor(len(talks)) as pool:
        list(pool.map(lambda talk: missed_calls.mark_returned(tenant_id, number, talk), talks))
    stored = missed_calls.load(tenant_id, number, "m")
    assert stored is not None
    assert stored.returned_by_call_id == "talk 1"


def test_notified_employees_follow_the_settings(office: Office, line: Line) -> None:
    staff = {"Boris": "102", "Vera": "103", "Gleb": "104"}
    boris, vera, gleb = (hire(office, name, extension)[0] for name, extension in staff.items())
    group = office.owner.create("/v1/groups", {"name": "Support", "employee_ids": [boris, vera]})["id"]
    office.employee.create("/v1/contacts", {"name": "Ivan", "phones": ["+79035550122"], "supervisor_id": group})
    notices = {"supervisor": True, "ringing_employees": True, "employee_ids": [gleb]}
    change_settings(office, notifications={"missed_calls": notices})
    missed = line.missed("m1", "79035550122")
    notified = office.owner.get(f"/v1/missed-calls/{missed['id']}").json["notified_employees"]
    assert sorted(one["id"] for one in notified) == sorted([boris, vera, office.anna["id"], gleb])


# ------------------------------------------------------------------ load


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_thousand_concurrent_calls_of_one_number_make_one_contact(office: Office, line: Line) -> None:
    calls = [f"call-{number}" for number in range(1000)]
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda call: line.ring(call, "79035550130"), calls))
        list(pool.map(lambda call: line.hang_up(call, "79035550130"), calls))
    deadline = time.monotonic() + 400
    while len(tags := all_tags(office)) < 1000:
        assert time.monotonic() < deadline, len(tags)
        # The API has no notification for a written tag.
        time.sleep(2)
    assert len({tag["id"] for tag in tags}) == 1000
    (contact,) = contacts(office.owner, "+79035550130")
    assert {tag["contact_id"] for tag in tags} == {contact["id"]}
    assert len(office.owner.get("/v1/contacts").json["items"]) == 1


def all_tags(office: Office) -> list[Any]:
    """Return all tags of the last days."""
    rows: list[Any] = []
    page: dict[str, str] = {}
    while True:
        response = office.owner.get("/v1/tags", limit="200", **page).json
        rows += response["items"]
        if response["next_cursor"] is None:
            return rows
        page = {"cursor": response["next_cursor"]}
