"""Tasks, the planner, comments and timelines, and their visibility for employees."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api_client import Caller, Office, hire
from pbx_line import Line

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

PORT = 4625


def contact(office: Office, phone: str, **more: Any) -> str:
    contact_id: str = office.employee.create("/v1/contacts", {"name": "Ivan", "phones": [phone], **more})["id"]
    return contact_id


def in_hours(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def ids(caller: Caller, path: str, **params: str) -> list[str]:
    return [item["id"] for item in caller.get(path, **params).json["items"]]


def test_the_planner_lists_due_tasks_with_contacts_to_call(office: Office) -> None:
    ivan = contact(office, "+79035550301")
    anna = office.anna["id"]
    for title, hours, more in (
        ("Later", 30, {"assignee_id": anna}),
        ("Soon", 1, {}),
        ("Overdue", -30, {}),
        ("Far", 24 * 30, {}),
        ("Done", 2, {"status": "completed"}),
    ):
        task = {"title": title, "contact_ids": [ivan], "due_at": in_hours(hours), **more}
        office.employee.create("/v1/tasks", task)
    office.employee.create("/v1/tasks", {"title": "Never due", "contact_ids": [ivan]})
    planned = office.employee.get("/v1/planner").json["items"]
    assert [entry["task"]["title"] for entry in planned] == ["Overdue", "Soon", "Later"]
    (called,) = planned[0]["contacts"]
    assert (called["id"], called["phones"][0]["e164"]) == (ivan, "+79035550301")
    mine = office.employee.get("/v1/planner", assignee_id=anna).json["items"]
    assert [entry["task"]["title"] for entry in mine] == ["Later"]
    # Completed tasks leave the planner; tasks with a later due time move.
    soon, overdue = planned[1]["task"]["id"], planned[0]["task"]["id"]
    assert office.employee.patch(f"/v1/tasks/{soon}", {"status": "cancelled"}).status == 200
    assert office.employee.patch(f"/v1/tasks/{overdue}", {"due_at": in_hours(40)}).status == 200
    planned = office.employee.get("/v1/planner").json["items"]
    assert [entry["task"]["title"] for entry in planned] == ["Later", "Overdue"]


def test_tasks_of_a_contact_are_listed_newest_first(office: Office) -> None:
    ivan, olga = contact(office, "+79035550302"), contact(office, "+79035550303")
    fields = [{"name": "Sum", "type": "number", "value": 5}, {"name": "From", "type": "date", "value": "2026-03-01"}]
    first = office.employee.create("/v1/tasks", {"title": "One", "contact_ids": [ivan, olga], "fields": fields})
    second = office.employee.create("/v1/tasks", {"title": "Two", "contact_ids": [ivan]})
    assert ids(office.employee, "/v1/tasks", contact_id=ivan) == [second["id"], first["id"]]
    office.employee.patch(f"/v1/tasks/{first['id']}", {"contact_ids": [olga], "status": "completed"})
    assert ids(office.employee, "/v1/tasks", contact_id=ivan) == [second["id"]]
    assert ids(office.employee, "/v1/tasks", contact_id=olga, status="open") == []
    assert office.employee.get(f"/v1/tasks/{first['id']}").json["fields"] == fields
    assert ids(office.employee, "/v1/tasks", status="completed") == [first["id"]]


def test_task_lists_continue_when_tasks_leave_them(office: Office) -> None:
    ivan = contact(office, "+79035550310")
    task_ids = [
        office.employee.create("/v1/tasks", {"title": str(n), "contact_ids": [ivan], "due_at": in_hours(n + 1)})["id"]
        for n in range(3)
    ]
    first = office.employee.get("/v1/tasks", contact_id=ivan, limit="2").json
    rest = office.employee.get("/v1/tasks", contact_id=ivan, limit="2", cursor=first["next_cursor"]).json
    assert [task["id"] for task in first["items"] + rest["items"]] == task_ids[::-1]
    first = office.employee.get("/v1/planner", limit="2").json
    rest = office.employee.get("/v1/planner", limit="2", cursor=first["next_cursor"]).json
    assert [entry["task"]["id"] for entry in first["items"] + rest["items"]] == task_ids
    assert rest["next_cursor"] is None
    # The cursor stays valid, although its task is completed.
    office.employee.patch(f"/v1/tasks/{task_ids[1]}", {"status": "completed"})
    rest = office.employee.get("/v1/planner", limit="2", cursor=first["next_cursor"]).json
    assert [entry["task"]["id"] for entry in rest["items"]] == task_ids[2:]
    opened = office.employee.get("/v1/tasks", contact_id=ivan, status="open", limit="1").json
    office.employee.patch(f"/v1/tasks/{task_ids[2]}", {"status": "completed"})
    rest = office.employee.get("/v1/tasks", contact_id=ivan, status="open", cursor=opened["next_cursor"]).json
    assert [task["id"] for task in opened["items"] + rest["items"]] == [task_ids[2], task_ids[0]]


@pytest.mark.parametrize("path", ["/v1/planner", "/v1/tasks", "/v1/calls", "/v1/tags", "/v1/missed-calls"])
def test_periods_at_the_end_of_the_calendar_are_accepted(office: Office, path: str) -> None:
    whole = {"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"}
    for times in ({"from": "9999-12-31"}, {"to": "0001-01-01"}, whole):
        assert office.employee.get(path, **times).status == 200


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "A", "contact_ids": ["0" * 32]}, "contact_ids.0"),
        ({"title": "A", "assignee_id": "0" * 16}, "assignee_id"),
        ({"title": "A", "member_ids": ["0" * 16]}, "member_ids.0"),
        ({"title": "A", "due_at": "next week"}, "due_at"),
        ({"title": "A", "fields": [{"name": "Sum", "type": "number", "value": "five"}]}, "fields.0.value"),
        ({"title": "A", "fields": [{"name": "B", "value": "1"}, {"name": "B", "value": "2"}]}, "fields.1.name"),
        ({"title": "A", "status": "lost"}, "status"),
    ],
)
def test_an_invalid_task_is_rejected_with_its_field(office: Office, wrong: dict[str, Any], field: str) -> None:
    response = office.employee.post("/v1/tasks", wrong)
    assert response.status == 400
    assert [fault["field"] for fault in response.json["errors"]] == [field]


def test_comments_belong_to_the_contact_or_to_a_task(office: Office, line: Line) -> None:
    ivan = contact(office, "+79035550304")
    tag = line.talk("c1", "79035550304")
    call_id = tag["call_id"]
    task = office.employee.create(f"/v1/calls/{call_id}/tasks", {"title": "Send the offer"})
    assert (task["contact_ids"], task["call_id"]) == ([ivan], call_id)
    comment = office.employee.create(f"/v1/calls/{call_id}/comments", {"text": "Wants a flat"})
    assert comment["contact_id"] == ivan
    assert comment["author"] == {"type": "employee", "id": office.anna["id"], "name": "Anna"}
    assert (comment["call"]["direction"], comment["call"]["outcome"]) == ("in", "success")
    on_task = office.employee.create(f"/v1/calls/{call_id}/comments", {"text": "Two rooms", "task_id": task["id"]})
    timeline = office.employee.get(f"/v1/contacts/{ivan}/timeline").json["items"]
    assert [entry["type"] for entry in timeline] == ["comment", "tag"]
    assert (timeline[0]["comment"], timeline[1]["tag"]["id"]) == (comment, tag["id"])
    assert office.employee.get(f"/v1/tasks/{task['id']}/timeline").json["items"][0]["comment"] == on_task
    assert ids(office.employee, f"/v1/calls/{call_id}/comments") == [on_task["id"], comment["id"]]
    withheld = line.talk("c2", "anonymous")["call_id"]
    assert office.employee.post(f"/v1/calls/{withheld}/comments", {"text": "Who?"}).status == 409


def test_hidden_calls_are_visible_to_admins_or_task_members(office: Office, line: Line) -> None:
    ivan = contact(office, "+79035550305")
    boris, as_boris = hire(office, "Boris", "102")
    task = office.owner.create("/v1/tasks", {"title": "Deal", "contact_ids": [ivan], "member_ids": [boris]})["id"]
    rule = {"settle_seconds": 1, "attach": {"to": "last_active_task", "hidden": True}}
    assert office.owner.put("/v1/settings/telephony", rule).status == 200
    tag = line.talk("c1", "79035550305")
    assert (tag["hidden"], tag["task_id"]) == (True, task)
    # Comments on a hidden call are hidden too.
    as_boris.create(f"/v1/calls/{tag['call_id']}/comments", {"text": "Big deal"})
    as_boris.create(f"/v1/calls/{tag['call_id']}/comments", {"text": "Call back", "task_id": task})
    for caller, sees in ((office.owner, True), (as_boris, True), (office.employee, False)):
        expected = [tag["id"]] if sees else []
        assert ids(caller, "/v1/tags", contact_id=ivan) == expected
        assert ids(caller, "/v1/tags", task_id=task) == expected
        assert ids(caller, "/v1/tags") == expected
        assert ids(caller, "/v1/calls") == ([tag["call_id"]] if sees else [])
        for path in (f"/v1/contacts/{ivan}/timeline", f"/v1/tasks/{task}/timeline"):
            assert len(caller.get(path).json["items"]) == 2 * len(expected)
        for path in (f"/v1/tags/{tag['id']}", f"/v1/calls/{tag['call_id']}"):
            assert caller.get(path).status == (200 if sees else 404)


def test_own_visibility_covers_own_calls_or_supervised_contacts(office: Office, line: Line) -> None:
    boris, as_boris = hire(office, "Boris", "102")
    _, as_vera = hire(office, "Vera", "103")
    contact(office, "+79035550306", supervisor_id=boris)
    rules = {"settle_seconds": 1, "visibility": {"calls": "own"}}
    assert office.owner.put("/v1/settings/telephony", rules).status == 200
    talked, missed = line.talk("c1", "79035550306"), line.missed("c2", "79035550306")
    both = {talked["id"], missed["id"]}
    assert set(ids(office.employee, "/v1/tags")) == both
    assert set(ids(as_boris, "/v1/tags")) == both
    assert ids(as_vera, "/v1/tags") == ids(as_vera, "/v1/calls") == ids(as_vera, "/v1/missed-calls") == []
    assert as_vera.get(f"/v1/missed-calls/{missed['id']}").status == 404
    assert as_vera.post(f"/v1/missed-calls/{missed['id']}/resolve", {}).status == 404
    assert ids(as_boris, "/v1/missed-calls") == [missed["id"]]


def test_display_formats_change_formatted_numbers_only(office: Office) -> None:
    masks = [{"type": "Mobile", "mask": "+# (###) ###-##-##,###"}]
    assert office.owner.put("/v1/settings/telephony", {"masks": masks}).status == 200
    assert office.employee.get("/v1/masks").json["items"] == masks
    phones = [{"number": "8 903 555 03 07 ext. 12", "type": "Mobile"}, "+79035550308"]
    card = office.employee.create("/v1/contacts", {"name": "Olga", "phones": phones})
    mobile, other = card["phones"]
    assert (mobile["formatted"], mobile["e164"], mobile["extension"]) == ("+7 (903) 555-03-07,12", "+79035550307", "12")
    assert other["formatted"] == "+79035550308"
    assert ids(office.employee, "/v1/contacts", phone="+7 (903) 555-03-07") == [card["id"]]


def test_unmapped_extensions_are_listed_with_their_calls(office: Office, line: Line) -> None:
    for call in ("c1", "c2"):
        line.ring(call, "79035550309", "777")
        line.hang_up(call, "79035550309", "777")
        assert line.call(call)["skip_reason"] == "unknown_extension"
    path = f"/v1/integrations/{office.integration['id']}/extensions"
    listed = [
        (one["extension"], (one["employee"] or {}).get("name"), one["calls"])
        for one in office.owner.get(path).json["items"]
    ]
    assert listed == [("101", "Anna", None), ("777", None, 2)]
    hire(office, "Boris", "777")
    assert [one["employee"]["name"] for one in office.owner.get(path).json["items"]] == ["Anna", "Boris"]


def test_invalid_working_hours_are_rejected_by_position(office: Office) -> None:
    boris, _ = hire(office, "Boris", "102")
    path = f"/v1/employees/{office.anna['id']}"
    hours = {"time_zone": None, "days": [{"day": "mon", "from": "09:00", "to": "18:00"}]}
    changed = office.owner.patch(path, {"working_hours": hours, "deputy_id": boris}).json
    assert (changed["working_hours"], changed["deputy_id"]) == (hours, boris)
    late = {"days": [{"day": "mon", "from": "18:00", "to": "09:00"}]}
    for wrong, field in (
        ({"working_hours": late}, "working_hours.days.0"),
        ({"working_hours": {**hours, "time_zone": "Mars/Olympus"}}, "working_hours.time_zone"),
        ({"deputy_id": office.anna["id"]}, "deputy_id"),
        ({"deputy_id": "0" * 16}, "deputy_id"),
    ):
        response = office.owner.patch(path, wrong)
        assert (response.status, response.json["errors"][0]["field"]) == (400, field)
    assert office.owner.send("DELETE", f"/v1/employees/{boris}").status == 204
    hire(office, "Vera", "102")
