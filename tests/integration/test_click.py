"""Click-to-call with the telephony API: the party, the phone, limits and results."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api_client import Caller, Office, Response, hire, open_office
from hangtag.services.clicks import originate
from hangtag.services.tags.match_click import with_click
from hangtag.store.calls import clicks
from hangtag.store.calls import items as calls
from live_listener import listening
from local.simulator.providers.telephony_api.api import Api
from local.simulator.rest import Fault, Server, serving
from local.simulator.rest import Response as PbxResponse
from local.stack import Stack
from pbx_line import Line

PORT = 4664

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

OLGA = "+79035550301"
IGOR = "+79035550302"


@dataclass(frozen=True, slots=True)
class Desk:
    """An office and its PBX, which supports click-to-call."""

    office: Office
    line: Line
    server: Server

    @property
    def pbx_requests(self) -> list[dict[str, str]]:
        """Return the call requests that the PBX received: `from` and `to`."""
        forms = [request.form for request in self.server.requests if request.form.get("cmd") == "makeCall"]
        return [{"from": form["from"], "to": form["to"]} for form in forms]

    def click(self, caller: Caller | None = None, key: str | None = None, **body: Any) -> Response:
        """Send `POST /v1/calls`."""
        headers = {"Idempotency-Key": key} if key else {}
        return (caller or self.office.employee).post("/v1/calls", body, **headers)

    def start_call(self, caller: Caller | None = None, key: str | None = None, **body: Any) -> str:
        """Start a call and return its id."""
        response = self.click(caller, key, **body)
        assert response.status == 202, response
        return str(response.json["call_id"])

    def until(self, call_id: str, /, **expected: Any) -> dict[str, Any]:
        """Return the call, once it has these values."""
        clock = threading.Event()
        call: Any = None
        for _ in range(600):
            call = self.office.owner.get(f"/v1/calls/{call_id}").json
            if all(call[name] == value for name, value in expected.items()):
                return dict(call)
            # The API does not push changes.
            clock.wait(0.1)
        raise AssertionError(call)

    def await_requests(self, count: int) -> None:
        """Wait until the PBX has received so many requests."""
        clock = threading.Event()
        for _ in range(600):
            if len(self.pbx_requests) >= count:
                return
            clock.wait(0.05)
        raise AssertionError(self.pbx_requests)


@pytest.fixture
def desk(stack: Stack) -> Iterator[Desk]:
    api = Api({})
    with serving(api) as server:
        office = open_office(stack.api, stack.operator_token)
        changed = office.owner.patch(
            f"/v1/integrations/{office.integration['id']}", {"credentials": dict(api.credentials(server.url))}
        )
        assert changed.status == 200, changed
        yield Desk(office, Line(office), server)


def out(desk: Desk, call_id: str, event: str, number: str = OLGA, ext: str = "101", **more: str) -> None:
    """Post an event of an outgoing call."""
    desk.line.event(call_id, event, number.removeprefix("+"), ext, type="out", **more)


def contact(desk: Desk, name: str = "Olga", number: str = OLGA, **more: Any) -> Any:
    return desk.office.owner.create("/v1/contacts", {"name": name, "phones": [number], **more})


# ------------------------------------------------------------------ one call


def test_a_click_matches_the_call_that_the_pbx_reports(desk: Desk) -> None:
    olga = contact(desk)
    with listening(desk.office.employee) as browser:
        call_id = desk.start_call(contact_id=olga["id"])
        placing = browser.call("placing")
        assert (placing["id"], placing["click_to_call"], placing["contact"]["name"]) == (call_id, True, "Olga")
        desk.await_requests(1)
        assert desk.pbx_requests == [{"from": "101", "to": OLGA.removeprefix("+")}]
        out(desk, "p1", "OUTGOING")
        assert browser.call("ringing")["id"] == call_id
        out(desk, "p1", "ACCEPTED")
        assert browser.call("answered")["click_to_call"]
        out(desk, "p1", "COMPLETED", status="Success", duration="9")
        tag = desk.line.tag("p1")
        assert (tag["type"], tag["direction"], tag["call_id"]) == ("call", "out", call_id)
        browser.call("ended", tag={"id": tag["id"], "type": "call"})
        assert {message["call"]["id"] for message in browser.all()} == {call_id}
    shown = desk.until(call_id, state="closed")
    assert (shown["pbx_call_id"], shown["click_to_call"], shown["contact_id"]) == ("p1", True, olga["id"])
    listed = desk.office.owner.get("/v1/calls").json["items"]
    assert [call["id"] for call in listed] == [call_id]
    assert len(desk.office.owner.get("/v1/tags").json["items"]) == 1
    assert desk.office.owner.get("/v1/tags", call_id=call_id).json["items"] == [tag]


def test_the_tag_of_a_call_from_a_task_belongs_to_the_task(desk: Desk) -> None:
    olga = contact(desk)
    task = desk.office.owner.create("/v1/tasks", {"title": "Deal", "contact_ids": [olga["id"]]})
    for number, (status, kind) in enumerate((("Success", "call"), ("Busy", "missed_call"))):
        call_id = desk.start_call(task_id=task["id"])
        out(desk, f"p{number}", "OUTGOING")
        # In click-to-call this event means that the employee picked up.
        out(desk, f"p{number}", "ACCEPTED")
        out(desk, f"p{number}", "COMPLETED", status=status, duration="0")
        tag = desk.line.tag(f"p{number}")
        assert (tag["call_id"], tag["type"], tag["task_id"]) == (call_id, kind, task["id"])
        assert tag["contact_id"] == olga["id"]


def test_the_number_has_the_format_of_the_pbx(desk: Desk) -> None:
    place = f"/v1/integrations/{desk.office.integration['id']}"
    forms: list[tuple[dict[str, str], str]] = [
        ({"dial_format": "national"}, "89035550301"),
        ({"dial_format": "international", "dial_prefix": "9"}, "979035550301"),
    ]
    for number, (settings, dialled) in enumerate(forms):
        assert desk.office.owner.patch(place, {"settings": settings}).status == 200
        call_id = desk.start_call(to="8 (903) 555-03-01")
        desk.await_requests(number + 1)
        assert desk.pbx_requests[-1]["to"] == dialled
        # The PBX can report the number in the dialled format.
        out(desk, f"p{number}", "OUTGOING", dialled)
        assert desk.until(call_id, pbx_call_id=f"p{number}")["click_to_call"]
        out(desk, f"p{number}", "COMPLETED", dialled, status="Busy", duration="0")
        desk.line.call(f"p{number}")
    assert desk.office.owner.patch(place, {"settings": {"dial_prefix": "+"}}).status == 400


# ------------------------------------------------------------------ choice of the PBX


def test_the_pbx_of_the_last_call_with_the_contact_is_used(stack: Stack, desk: Desk) -> None:
    owner, olga = desk.office.owner, contact(desk)
    api = Api({})
    with serving(api) as server:
        second = owner.create(
            "/v1/integrations",
            {"provider": "telephony_api", "name": "2", "credentials": dict(api.credentials(server.url))},
        )
        extensions = [*desk.office.anna["extensions"], {"integration_id": second["id"], "extension": "201"}]
        assert owner.patch(f"/v1/employees/{desk.office.anna['id']}", {"extensions": extensions}).status == 200
        assert desk.click(contact_id=olga["id"]).json["extension"] == "101"
        # The contact then calls through the second PBX.
        other = Line(replace(desk.office, integration=second), "74951230002")
        other.talk("in1", OLGA.removeprefix("+"), "201", final="1")
        response = desk.click(contact_id=olga["id"]).json
        assert (response["extension"], response["integration_id"]) == ("201", second["id"])
        assert response["line"]["number"] == "+74951230002"
        # An explicit integration_id has priority.
        explicit = desk.click(to=IGOR, integration_id=second["id"])
        assert explicit.status == 409, explicit
        assert explicit.json["code"] == "phone_busy"


def test_without_a_phone_to_ring_the_error_has_a_dial_link(desk: Desk) -> None:
    owner = desk.office.owner
    bare = owner.create("/v1/employees", {"name": "Boris"})["id"]
    boris = owner.with_token(owner.create("/v1/tokens", {"employee_id": bare})["token"])
    deaf = owner.create("/v1/integrations", {"provider": "telephony_api", "name": "Without an address"})
    extensions = [{"integration_id": deaf["id"], "extension": "102"}]
    unable = owner.create("/v1/employees", {"name": "Vera", "extensions": extensions})["id"]
    vera = owner.with_token(owner.create("/v1/tokens", {"employee_id": unable})["token"])
    codes = ((boris, "no_extension"), (vera, "originate_unsupported"), (owner, "no_extension"))
    for caller, code in codes:
        response = desk.click(caller, to=OLGA)
        assert (response.status, response.media, response.json.get("tel")) == (
            409,
            "application/problem+json",
            f"tel:{OLGA}",
        )
        assert response.json["code"] == code
    assert desk.pbx_requests == []


# ------------------------------------------------------------------ rejected calls


def test_a_party_that_cannot_be_called_is_rejected(desk: Desk) -> None:
    unreachable = desk.office.owner.create("/v1/contacts", {"name": "Without a number"})
    for body in ({"to": "hello"}, {"to": "205"}, {}, {"contact_id": unreachable["id"]}, {"contact_id": "0" * 32}):
        response = desk.click(**body)
        assert (response.status, bool(response.json["errors"])) == (400, True), (body, response)
    assert desk.click(task_id="0" * 32).status == 400
    assert desk.pbx_requests == []


def test_numbers_that_the_settings_exclude_are_rejected(desk: Desk) -> None:
    for number in ("112", " 01 ", "+7 809 123-45-67"):
        response = desk.click(to=number)
        assert (response.status, response.json["errors"][0]["field"]) == (422, "to"), (number, response)
    assert desk.click(to="112").json["tel"] == "tel:112"
    rule = {"countries": ["RU", "KZ"], "allow_premium_rate": True}
    assert desk.office.owner.put("/v1/settings/telephony", {"calling": rule}).status == 200
    for number, status in (("+442037691880", 422), ("+881612345678", 422), ("+7 809 123-45-67", 202)):
        assert desk.click(to=number).status == status, number


def test_click_rates_are_limited_per_employee_or_tenant(desk: Desk) -> None:
    rule = {"employee_per_minute": 2, "tenant_per_minute": 4}
    assert desk.office.owner.put("/v1/settings/telephony", {"calling": rule}).status == 200
    _, boris = hire(desk.office, "Boris", "102")
    _, vera = hire(desk.office, "Vera", "103")
    # Bursts can use half of a limit.
    assert [desk.click(caller, to=OLGA).status for caller in (desk.office.employee, boris, vera)] == [202, 202, 429]
    response = desk.click(vera, to=OLGA)
    assert (response.status, "Try again in" in response.json["detail"]) == (429, True)


# ------------------------------------------------------------------ idempotency


def test_requests_with_one_idempotency_key_are_one_call(desk: Desk) -> None:
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: desk.click(key="k-1", to=OLGA), range(8)))
    assert {response.status for response in responses} == {202}
    assert len({response.json["call_id"] for response in responses}) == 1
    desk.await_requests(1)
    second = desk.click(key="k-2", to=OLGA)
    assert (second.status, second.json["code"]) == (409, "phone_busy")
    assert desk.click(to=OLGA).status == 409
    assert desk.click(key="k-1", to=IGOR).status == 422
    # Keys belong to one employee.
    _, boris = hire(desk.office, "Boris", "102")
    assert desk.click(boris, key="k-1", to=OLGA).status == 202
    desk.await_requests(2)
    assert sorted(call["from"] for call in desk.pbx_requests) == ["101", "102"]
    # After the call the key still returns it.
    out(desk, "p1", "OUTGOING")
    out(desk, "p1", "COMPLETED", status="Busy", duration="0")
    desk.line.call("p1")
    assert desk.click(key="k-1", to=OLGA).json["click_state"] == "matched"
    assert len(desk.pbx_requests) == 2


def test_a_duplicate_queue_message_rings_once(desk: Desk, environment: pytest.MonkeyPatch) -> None:
    call_id = desk.start_call(to=OLGA)
    desk.await_requests(1)
    click_id = calls.click_of(call_id) or ""
    assert originate.place(desk.office.tenant_id, click_id, datetime.now(UTC)) is None
    assert len(desk.pbx_requests) == 1


# ------------------------------------------------------------------ failures


def test_a_rejected_call_has_the_words_of_the_pbx(desk: Desk) -> None:
    desk.server.faults.append(Fault(PbxResponse(400, {"error": "user 101 is not registered"})))
    with listening(desk.office.employee) as browser:
        call_id = desk.start_call(to=OLGA)
        window = browser.call("ended")
        assert (window["id"], window["outcome"]) == (call_id, "failed")
        assert "user 101 is not registered" in window["failure_reason"]
    shown = desk.until(call_id, state="closed")
    assert (shown["outcome"], shown["failure_reason"]) == ("failed", window["failure_reason"])
    # The phone is available again.
    desk.start_call(to=OLGA)


def test_an_unreachable_pbx_differs_from_a_timed_out_request(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    gone = {"credentials": {"pbx_url": f"http://127.0.0.1:{port}/planfix_api.php"}}
    place = f"/v1/integrations/{desk.office.integration['id']}"
    before = {"credentials": {"pbx_url": f"{desk.server.url}/planfix_api.php"}}
    assert desk.office.owner.patch(place, gone).status == 200
    shown = desk.until(desk.start_call(to=OLGA), state="closed")
    assert shown["failure_reason"].startswith("The call was not placed.")
    assert desk.office.owner.patch(place, before).status == 200
    desk.server.faults.append(Fault(None))
    call_id = desk.start_call(to=OLGA)
    desk.await_requests(1)
    # The PBX placed the call, and sends its events before the request times out.
    out(desk, "p1", "OUTGOING")
    out(desk, "p1", "ACCEPTED")
    out(desk, "p1", "COMPLETED", status="Success", duration="5")
    tag = desk.line.tag("p1")
    assert (tag["call_id"], tag["type"]) == (call_id, "call")
    assert len(desk.pbx_requests) == 1


def test_a_click_that_the_pbx_never_reports_is_closed(desk: Desk, environment: pytest.MonkeyPatch) -> None:
    with listening(desk.office.employee) as browser:
        call_id = desk.start_call(to=OLGA)
        click_id, tenant_id = calls.click_of(call_id) or "", desk.office.tenant_id
        desk.await_requests(1)
        at = datetime.now(UTC)
        assert not originate.close(tenant_id, click_id, at)
        assert originate.close(tenant_id, click_id, at + clicks.WINDOW + timedelta(seconds=1))
        assert browser.call("ended")["failure_reason"] == "The PBX did not report the call."
    assert desk.until(call_id, state="closed")["outcome"] == "failed"
    assert desk.office.owner.get("/v1/tags").json["items"] == []


def test_a_delayed_click_does_not_ring_the_phone(desk: Desk, environment: pytest.MonkeyPatch) -> None:
    desk.server.faults.append(Fault(PbxResponse(400, {"error": "no"})))
    first = clicks.load(desk.office.tenant_id, calls.click_of(desk.start_call(to=OLGA)) or "")
    desk.until(first.public_id, state="closed")
    late = replace(first, id="f" * 32, state=clicks.State.WAITING, reason=None)
    clicks.begin(late)
    state = originate.place(late.tenant_id, late.id, datetime.now(UTC) + originate.LATEST)
    assert state is clicks.State.FAILED
    assert "could not be started in time" in desk.until(late.public_id, state="closed")["failure_reason"]
    assert len(desk.pbx_requests) == 1


# ------------------------------------------------------------------ matching


def test_concurrent_clicks_to_one_number_match_by_employee(desk: Desk) -> None:
    _, boris = hire(desk.office, "Boris", "102")
    mine, his = desk.start_call(to=OLGA), desk.start_call(boris, to=OLGA)
    # Both calls are open at the same time; the second click is reported first.
    out(desk, "p2", "OUTGOING", ext="102")
    out(desk, "p1", "OUTGOING", ext="101")
    for call_id, ext in (("p1", "101"), ("p2", "102")):
        out(desk, call_id, "ACCEPTED", ext=ext)
        out(desk, call_id, "COMPLETED", ext=ext, status="Success", duration="3")
    assert desk.line.tag("p1")["call_id"] == mine
    assert desk.line.tag("p2")["call_id"] == his


def test_a_call_from_before_the_click_does_not_match(desk: Desk) -> None:
    # Dialled by hand from the same phone to the same number; it ends after the click.
    out(desk, "by-hand", "OUTGOING")
    out(desk, "by-hand", "ACCEPTED")
    before = desk.line.call("by-hand", state="open")
    call_id = desk.start_call(to=OLGA)
    out(desk, "by-hand", "COMPLETED", status="Success", duration="3")
    assert desk.line.tag("by-hand")["call_id"] == before["id"]
    assert not desk.line.call("by-hand")["click_to_call"]
    out(desk, "p1", "OUTGOING")
    out(desk, "p1", "COMPLETED", status="Busy", duration="0")
    assert desk.line.call("p1")["id"] == call_id


def test_calls_with_other_facts_do_not_match_a_click(desk: Desk) -> None:
    hire(desk.office, "Boris", "102")
    click_call_id = desk.start_call(to=OLGA)
    out(desk, "other-number", "OUTGOING", IGOR)
    out(desk, "other-phone", "OUTGOING", ext="102")
    desk.line.ring("incoming", OLGA.removeprefix("+"))
    for call_id in ("other-number", "other-phone", "incoming"):
        number = IGOR if call_id == "other-number" else OLGA
        ext = "102" if call_id == "other-phone" else "101"
        kind = "in" if call_id == "incoming" else "out"
        desk.line.event(
            call_id, "COMPLETED", number.removeprefix("+"), ext, type=kind, status="Busy", duration="0", final="1"
        )
        assert not desk.line.call(call_id)["click_to_call"]
    out(desk, "p1", "OUTGOING")
    assert desk.until(click_call_id, pbx_call_id="p1")["click_to_call"]


def test_a_click_matches_one_of_two_fitting_calls(desk: Desk) -> None:
    click_call_id = desk.start_call(to=OLGA)
    out(desk, "p1", "OUTGOING")
    assert desk.until(click_call_id, pbx_call_id="p1")
    out(desk, "p2", "OUTGOING")
    out(desk, "p1", "ACCEPTED")
    for call_id in ("p2", "p1"):
        out(desk, call_id, "COMPLETED", status="Busy", duration="0")
    assert desk.line.tag("p1")["call_id"] == click_call_id
    assert not desk.line.call("p2")["click_to_call"]


def test_a_call_keeps_its_earlier_id_after_it_matches_a_click(desk: Desk, environment: pytest.MonkeyPatch) -> None:
    task = desk.office.owner.create("/v1/tasks", {"title": "Offer", "contact_ids": [contact(desk)["id"]]})
    call_id = desk.start_call(task_id=task["id"])
    out(desk, "p1", "OUTGOING")
    desk.until(call_id, pbx_call_id="p1")
    item = calls.read_newest(desk.office.tenant_id, desk.office.integration["id"], "p1")
    assert item is not None
    before = replace(item, click_id=None, from_task=None)
    matched = with_click(before, before.fold())
    assert (matched.click_id, matched.from_task) == (calls.click_of(call_id), task["id"])


def test_clicks_follow_the_visibility_of_calls(desk: Desk) -> None:
    _, boris = hire(desk.office, "Boris", "102")
    call_id = desk.start_call(to=OLGA)
    assert boris.get(f"/v1/calls/{call_id}").status == 200
    own = {"visibility": {"calls": "own"}}
    assert desk.office.owner.put("/v1/settings/telephony", own).status == 200
    assert boris.get(f"/v1/calls/{call_id}").status == 404
    assert desk.office.employee.get(f"/v1/calls/{call_id}").status == 200
