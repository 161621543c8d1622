"""Contacts, calls and tags of the API, on the deployed template."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from api_client import Office, Response, open_office
from local.stack import Stack

pytestmark = pytest.mark.stack

PORT = 4604
CALLER = "+79990000001"


@pytest.fixture(scope="module")
def busy(stack: Stack) -> Office:
    """Return an office with three calls: answered and missed of one caller, hidden of another."""
    office = open_office(stack.api, stack.operator_token)
    ring(office, "answered", "Success", minutes_ago=3)
    tagged(office, "answered")
    ring(office, "missed", "Missed", minutes_ago=2)
    tagged(office, "missed")
    office.owner.put("/v1/settings/telephony", {"attach": {"hidden": True}, "settle_seconds": 1})
    ring(office, "hidden", "Success", phone="79990000002")
    tagged(office, "hidden")
    return office


def assert_problem(response: Response, status: int) -> None:
    assert response.status == status, response
    assert response.media == "application/problem+json"


def ring(
    office: Office, call_id: str, status: str, phone: str = CALLER, *, hang_up: bool = True, minutes_ago: int = 0
) -> None:
    """Post one incoming call for Anna, from ringing to the end."""
    common = {
        "cmd": "event",
        "type": "in",
        "phone": phone,
        "ext": "101",
        "callid": call_id,
        "diversion": "74957770000",
        "start": str(int(time.time()) - 60 * minutes_ago),
        "planfix_token": office.integration["secrets"]["planfix_token"],
    }
    events = [{"event": "INCOMING"}]
    if status == "Success":
        events.append({"event": "ACCEPTED"})
    if hang_up:
        events.append({"event": "COMPLETED", "status": status, "duration": "5", "final": "1"})
    for event in events:
        response = requests.post(office.integration["webhook_url"], data={**common, **event}, timeout=60)
        assert response.status_code == 200


def of_pbx(office: Office, call_id: str) -> list[Any]:
    response = office.owner.get("/v1/calls", integration_id=office.integration["id"], pbx_call_id=call_id)
    assert response.status == 200
    calls: list[Any] = response.json["items"]
    return calls


def tagged(office: Office, call_id: str) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        calls = of_pbx(office, call_id)
        if calls and calls[0]["tag_id"]:
            return calls[0]
        time.sleep(0.1)
    raise AssertionError(call_id)


# ------------------------------------------------------------------ contacts


def test_a_contact_is_found_by_its_number_in_any_format(office: Office) -> None:
    created = office.employee.create("/v1/contacts", {"name": "Ivan", "phones": ["8 (495) 123-45-67 доб. 12"]})
    (phone,) = created["phones"]
    assert (phone["raw"], phone["e164"]) == ("8 (495) 123-45-67 доб. 12", "+74951234567")
    assert (phone["extension"], phone["formatted"], phone["matched"]) == ("12", "+74951234567,12", True)
    for phone in ("+74951234567", "84951234567", "74951234567", "495 123-45-67", "81074951234567"):
        assert office.employee.get("/v1/contacts", phone=phone).json == {"items": [created], "next_cursor": None}
    assert office.employee.get("/v1/contacts", phone="+74951234568").json["items"] == []
    for phone in ("4951234", "anonymous", "hello", "", "-", "\0", "x" * 64):
        response = office.employee.get("/v1/contacts", phone=phone)
        assert_problem(response, 400)
        assert [(fault["field"], fault["code"]) for fault in response.json["errors"]] == [("phone", "invalid_phone")]
    assert office.employee.get(f"/v1/contacts/{created['id']}").json == created


def test_numbers_are_read_by_the_rules_of_the_tenants_country(stack: Stack) -> None:
    office = open_office(stack.api, stack.operator_token, country="RO")
    created = office.employee.create("/v1/contacts", {"name": "Ion", "phones": ["0722 123 456"]})
    assert created["phones"][0]["e164"] == "+40722123456"
    assert office.employee.get("/v1/contacts", phone="0040722123456").json["items"] == [created]


def test_a_number_of_two_contacts_matches_the_older_one(office: Office) -> None:
    ivan = office.employee.create("/v1/contacts", {"name": "Ivan", "phones": ["+74951234567"]})
    oleg = office.employee.create("/v1/contacts", {"name": "Oleg", "phones": ["+74950000000", "84951234567"]})
    shown = [(phone["matched"], phone["matched_contact_id"]) for phone in oleg["phones"]]
    assert shown == [(True, oleg["id"]), (False, ivan["id"])]
    assert office.employee.get("/v1/contacts", phone="+74951234567").json["items"] == [ivan]


def test_concurrent_contacts_with_one_number_get_one_match(office: Office) -> None:
    def attempt(number: int) -> int:
        body = {"name": f"Contact {number}", "phones": ["+74951234567", f"+749500000{number:02d}"]}
        return office.employee.post("/v1/contacts", body).status

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(attempt, range(12)))
    assert statuses == [201] * 12
    cards = office.employee.get("/v1/contacts").json["items"]
    matched = {card["phones"][0]["matched_contact_id"] for card in cards}
    assert (len(cards), len(matched)) == (12, 1)
    assert [card["id"] for card in cards if card["phones"][0]["matched"]] == list(matched)


def test_an_update_moves_numbers_but_no_omitted_property(office: Office) -> None:
    created = office.employee.create("/v1/contacts", {"name": "Ivan", "phones": ["+74951234567", "+74951234568"]})
    path = f"/v1/contacts/{created['id']}"
    changed = office.employee.patch(path, {"phones": ["+74951234568", "+74951234569"]}).json
    assert [phone["e164"] for phone in changed["phones"]] == ["+74951234568", "+74951234569"]
    assert {name: changed[name] for name in ("id", "name", "supervisor_id", "created_at")} == {
        name: created[name] for name in ("id", "name", "supervisor_id", "created_at")
    }
    assert office.employee.get("/v1/contacts", phone="+74951234567").json["items"] == []
    assert office.employee.get("/v1/contacts", phone="+74951234569").json["items"] == [changed]
    office.employee.create("/v1/contacts", {"name": "Oleg", "phones": ["+74951234567"]})
    named = office.employee.patch(path, {"name": "Ivan II", "supervisor_id": office.anna["id"]}).json
    assert (named["name"], named["supervisor_id"], named["phones"]) == ("Ivan II", office.anna["id"], changed["phones"])
    assert office.employee.patch(path, {"supervisor_id": None}).json["supervisor_id"] is None
    assert office.employee.patch(path, {}).json["name"] == "Ivan II"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"phones": ["anonymous"]}, "phones.0"),
        ({"phones": ["+74951234567", ""]}, "phones.1"),
        ({"phones": ["101"]}, "phones.0"),
        ({"phones": ["9" * 65]}, "phones.0"),
        ({"phones": ["+74951234567"] * 21}, "phones"),
        ({"phones": "+74951234567"}, "phones"),
        ({"phones": None}, "phones"),
        ({"name": None}, "name"),
        ({"name": "  "}, "name"),
        ({"supervisor_id": "0" * 16}, "supervisor_id"),
        ({"supervisor_id": "TENANT"}, "supervisor_id"),
        ({"tenant_id": "x"}, "tenant_id"),
        ({"id": "x"}, "id"),
    ],
)
def test_an_invalid_contact_is_rejected_with_its_field(shared: Office, wrong: dict[str, Any], field: str) -> None:
    response = shared.employee.post("/v1/contacts", {"name": "Ivan", **wrong})
    assert_problem(response, 400)
    assert [fault["field"] for fault in response.json["errors"]] == [field]
    assert_problem(shared.employee.patch("/v1/contacts/" + "0" * 32, {"nothing": 1}), 400)


def test_contacts_are_listed_newest_first_in_pages(office: Office) -> None:
    created = [office.employee.create("/v1/contacts", {"name": f"Contact {number}"}) for number in range(7)]
    listed: list[Any] = []
    cursor: dict[str, str] = {}
    for _ in range(10):
        page = office.employee.get("/v1/contacts", limit=3, **cursor).json
        listed += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert listed == created[::-1]


# ------------------------------------------------------------------ calls


def test_a_call_keeps_its_id_from_ringing_to_the_end(office: Office) -> None:
    ring(office, "call/1#x", "Success", hang_up=False)
    (call,) = of_pbx(office, "call/1#x")
    assert (call["state"], call["pbx_call_id"], call["external_number"]) == ("open", "call/1#x", CALLER)
    assert (call["employee"], call["line"]["number"]) == ({"id": office.anna["id"], "name": "Anna"}, "+74957770000")
    assert office.employee.get(f"/v1/calls/{call['id']}").json == call
    ring(office, "call/1#x", "Success")
    closed = tagged(office, "call/1#x")
    assert (closed["id"], closed["state"], closed["outcome"]) == (call["id"], "closed", "success")
    assert office.employee.get(f"/v1/calls/{call['id']}").json == closed
    assert office.employee.get("/v1/calls").json["items"] == [closed]


def test_calls_of_a_period_are_listed_by_filters(busy: Office) -> None:
    def ids(**query: str) -> list[str]:
        response = busy.owner.get("/v1/calls", **query)
        assert response.status == 200, response
        return [call["pbx_call_id"] for call in response.json["items"]]

    assert ids() == ["hidden", "missed", "answered"]
    assert ids(state="closed", integration_id=busy.integration["id"]) == ["hidden", "missed", "answered"]
    assert ids(employee_id=busy.anna["id"]) == ["hidden", "answered"]
    assert ids(employee_id="0" * 16) == []
    caller = busy.employee.get("/v1/contacts", phone=CALLER).json["items"][0]
    assert ids(contact_id=caller["id"]) == ["missed", "answered"]
    began = of_pbx(busy, "missed")[0]["started_at"]
    assert ids(to=began) == ["answered"]
    assert ids(**{"from": began}) == ["hidden", "missed"]
    assert ids(**{"from": began.replace("Z", "+00:00"), "to": "2999-01-01T00:00:00Z"}) == ["hidden", "missed"]
    assert ids(**{"from": "2999-01-01"}) == []
    assert ids(**{"from": "0001-01-01", "to": "2000-01-05"}) == []
    reversed_period = busy.owner.get("/v1/calls", **{"from": "2999-01-01", "to": "0001-01-01"})
    assert (reversed_period.status, reversed_period.json["code"]) == (400, "range_invalid")
    assert ids(state="open", employee_id=busy.anna["id"]) == []


def test_a_long_empty_period_ends_by_its_cursors(shared: Office) -> None:
    query = {"from": "2025-01-01", "to": "2025-06-01"}
    following: list[str | None] = []
    while len(following) < 5:
        response = shared.employee.get("/v1/calls", **query).json
        assert response["items"] == []
        following.append(response["next_cursor"])
        if response["next_cursor"] is None:
            break
        query["cursor"] = response["next_cursor"]
    assert [cursor is None for cursor in following] == [False, True]


def test_calls_in_progress_are_listed_as_open(stack: Stack, office: Office) -> None:
    other = open_office(stack.api, stack.operator_token)
    ring(other, "elsewhere", "Missed", hang_up=False)
    ring(office, "first", "Missed", hang_up=False, minutes_ago=2)
    ring(office, "second", "Success", hang_up=False, minutes_ago=1)
    ring(office, "over", "Success")
    tagged(office, "over")

    def ids(**query: str) -> list[str]:
        listed = office.employee.get("/v1/calls", **query).json
        assert listed["next_cursor"] is None
        return [call["pbx_call_id"] for call in listed["items"]]

    assert ids(state="open") == ["second", "first"]
    assert ids(state="open", limit="1") == ["second"]
    assert ids(state="open", employee_id=office.anna["id"]) == ["second", "first"]
    assert ids(state="open", **{"from": "2999-01-01"}) == []
    assert ids(state="closed") == ids() == ["over"]


def test_unknown_calls_are_not_found(shared: Office) -> None:
    assert of_pbx(shared, "unknown") == []
    strange = shared.employee.get("/v1/calls", integration_id="x", pbx_call_id="y")
    assert (strange.status, strange.json["errors"][0]["code"]) == (400, "unknown_integration")
    integration_id = shared.integration["id"]
    for wrong in (
        "x",
        "a.b.c",
        f"{integration_id}.{'0' * 32}.0000",
        f"{integration_id}.{'0' * 32}.9999999",
        "x" * 2000,
    ):
        assert_problem(shared.employee.get(f"/v1/calls/{wrong}"), 404)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-13-01"}, "to"),
        ({"to": "9" * 50}, "to"),
        ({"state": "ringing"}, "state"),
        ({"employee_id": "zzz"}, "employee_id"),
        ({"contact_id": "zzz"}, "contact_id"),
        ({"pbx_call_id": "x"}, "integration_id"),
        ({"call_id": "x"}, "integration_id"),
        ({"direction": "in"}, "direction"),
        ({"limit": "0"}, "limit"),
        ({"cursor": "x"}, "cursor"),
    ],
)
def test_an_invalid_query_is_rejected_with_its_parameter(shared: Office, query: dict[str, str], field: str) -> None:
    response = shared.employee.get("/v1/calls", **query)
    assert_problem(response, 400)
    assert [fault["field"] for fault in response.json["errors"]] == [field]


# ------------------------------------------------------------------ tags


def test_tags_are_listed_by_contact_call_or_period(busy: Office) -> None:
    everything = busy.owner.get("/v1/tags").json["items"]
    assert [tag["type"] for tag in everything] == ["call", "missed_call", "call"]
    assert [tag["hidden"] for tag in everything] == [True, False, False]
    caller = busy.owner.get("/v1/contacts", phone=CALLER).json["items"][0]
    of_contact = busy.owner.get("/v1/tags", contact_id=caller["id"]).json["items"]
    assert of_contact == everything[1:]
    call = of_pbx(busy, "missed")[0]
    assert busy.owner.get("/v1/tags", call_id=call["id"]).json["items"] == [everything[1]]
    assert busy.owner.get(f"/v1/tags/{everything[1]['id']}").json == everything[1]
    assert busy.owner.get("/v1/tags", type="missed_call").json["items"] == [everything[1]]
    assert busy.owner.get("/v1/tags", contact_id=caller["id"], type="call").json["items"] == [everything[2]]
    assert busy.owner.get("/v1/tags", **{"from": "2999-01-01"}).json["items"] == []


def test_hidden_tags_are_visible_to_admins_only(busy: Office) -> None:
    hidden = busy.owner.get("/v1/tags").json["items"][0]
    assert hidden["id"] not in [tag["id"] for tag in busy.employee.get("/v1/tags").json["items"]]
    assert len(busy.employee.get("/v1/tags").json["items"]) == 2
    for query in ({"contact_id": hidden["contact_id"]}, {"call_id": hidden["call_id"]}):
        assert busy.owner.get("/v1/tags", **query).json["items"] == [hidden]
        assert busy.employee.get("/v1/tags", **query).json["items"] == []
    assert_problem(busy.employee.get(f"/v1/tags/{hidden['id']}"), 404)


def test_tags_of_a_contact_are_listed_in_pages(busy: Office) -> None:
    caller = busy.owner.get("/v1/contacts", phone=CALLER).json["items"][0]
    everything = busy.owner.get("/v1/tags", contact_id=caller["id"]).json["items"]
    first = busy.owner.get("/v1/tags", contact_id=caller["id"], limit=1).json
    second = busy.owner.get("/v1/tags", contact_id=caller["id"], limit=1, cursor=first["next_cursor"]).json
    assert first["items"] + second["items"] == everything
    days = busy.owner.get("/v1/tags", limit=2).json
    rest = busy.owner.get("/v1/tags", limit=2, cursor=days["next_cursor"]).json
    assert [len(days["items"]), len(rest["items"])] == [2, 1]
    assert_problem(busy.owner.get("/v1/tags", contact_id=caller["id"], cursor=days["next_cursor"]), 400)


def test_calls_of_another_tenant_are_not_found(busy: Office, shared: Office) -> None:
    call = of_pbx(busy, "missed")[0]
    assert_problem(shared.owner.get(f"/v1/calls/{call['id']}"), 404)
    assert_problem(shared.owner.get(f"/v1/tags/{call['tag_id']}"), 404)
    for query in ({"call_id": call["id"]}, {"contact_id": call["contact_id"]}, {}):
        assert shared.owner.get("/v1/tags", **query).json["items"] == []
    calls = shared.owner.get("/v1/calls", integration_id=busy.integration["id"], pbx_call_id="missed")
    assert calls.json["items"] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "/v1/contacts", 405),
        ("PUT", "/v1/contacts/x", 405),
        ("POST", "/v1/tags", 405),
        ("PUT", "/v1/calls", 405),
        ("GET", "/v1/contacts/x/timeline", 404),
        ("GET", "/v1/contacts/TENANT", 404),
        ("GET", "/v1/contacts/%2e%2e", 404),
        ("GET", "/v1/tags/%00", 404),
        ("GET", "/v1/tags/x", 404),
        ("GET", "/v1/tags?type=other", 400),
        ("GET", "/v1/tags?from=x", 400),
    ],
)
def test_unknown_routes_return_their_status(shared: Office, method: str, path: str, status: int) -> None:
    assert_problem(shared.employee.send(method, path), status)
