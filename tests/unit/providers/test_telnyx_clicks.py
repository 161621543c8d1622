"""Click-to-call at Telnyx."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from telnyx.types.call_dial_params import CallDialParams

from hangtag.domain.calls.classify import PickUp, SkipReason, classify
from hangtag.domain.calls.event import Direction, Kind, Outcome
from hangtag.domain.calls.fold import Call, fold
from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers.base import (
    Click,
    PayloadError,
    PlacedCall,
)
from local.simulator.providers.telnyx import pbx as simulated
from local.simulator.providers.telnyx.api import KNOWN_RECORDING
from local.simulator.rest import Fault, Response
from provider_stories import NOON
from telnyx_helpers import (
    ANNA,
    CONTACT,
    EMPLOYEE,
    OWN,
    SECOND_OWN,
    THE_CONTACT,
    all_of,
    body_of,
    fake_account,
    library,
    parse,
    single_event,
    telnyx,
    webhook_request,
)


def folded(*bodies: Mapping[str, Any]) -> Call:
    return fold(all_of(*bodies))


def own_leg(name: str, after: float, **more: Any) -> dict[str, Any]:
    return body_of(name, OWN, ANNA, leg="E", after=after, state=EMPLOYEE, **more)


def contacts_leg(name: str, after: float, **more: Any) -> dict[str, Any]:
    return body_of(name, OWN, CONTACT, leg="C", after=after, state=THE_CONTACT, **more)


def test_click_is_one_leg_of_the_employee() -> None:
    rung = single_event("initiated", OWN, ANNA, state=EMPLOYEE, start_time=NOON.isoformat())
    assert (rung.kind, rung.leg, rung.extension, rung.direction) == (Kind.RINGING, "out", "101", Direction.OUT)
    assert (rung.external, rung.line, rung.started_at) == (CONTACT, OWN, NOON)
    assert single_event("answered", OWN, ANNA, state=EMPLOYEE).kind is Kind.PICKED_UP
    assert parse("bridged", OWN, ANNA, state=EMPLOYEE).events == ()
    assert parse("initiated", OWN, CONTACT, state=THE_CONTACT).events == ()
    for name in ("answered", "bridged"):
        answered = single_event(name, OWN, CONTACT, state=THE_CONTACT)
        assert (answered.kind, answered.leg, answered.extension) == (Kind.ANSWERED, "out", "101")
    over = single_event("hangup", OWN, ANNA, state=EMPLOYEE, hangup_cause="normal_clearing")
    assert (over.kind, over.outcome, over.final, over.leg) == (Kind.ENDED, None, True, "out")
    ended = single_event("hangup", OWN, CONTACT, state=THE_CONTACT, hangup_cause="user_busy")
    assert (ended.kind, ended.outcome, ended.final, ended.leg) == (Kind.ENDED, Outcome.BUSY, False, "out")


@pytest.mark.parametrize(
    "cause", ["timeout", "no_answer", "user_busy", "call_rejected", "not_found", "originator_cancel"]
)
def test_click_without_pick_up_by_the_employee_has_no_tag(cause: str) -> None:
    end = own_leg("hangup", 30, hangup_cause=cause, sip_hangup_cause="487")
    (event,) = all_of(end)
    assert (event.outcome, event.final) == (Outcome.NO_ANSWER, True)
    call = folded(own_leg("initiated", 0), end)
    assert (call.closed, call.outcome, call.picked_up) == (True, Outcome.NO_ANSWER, False)
    verdict = classify(call, mapped=frozenset({"101"}), external_is_employee=False, pick_up=PickUp.TOLD)
    assert verdict.skip is SkipReason.EMPLOYEE_NO_ANSWER


def test_click_without_answer_by_the_contact_is_a_missed_call() -> None:
    call = folded(
        own_leg("initiated", 0),
        own_leg("answered", 3),
        contacts_leg("initiated", 3),
        contacts_leg("hangup", 30, hangup_cause="call_rejected", sip_hangup_cause="603"),
        own_leg("hangup", 31, hangup_cause="normal_clearing"),
    )
    assert (call.closed, call.outcome, call.picked_up, call.answered_at) == (True, Outcome.BUSY, True, None)
    verdict = classify(call, mapped=frozenset({"101"}), external_is_employee=False, pick_up=PickUp.TOLD)
    assert (verdict.tag, verdict.direction) == ("missed_call", Direction.OUT)


def test_pick_up_by_the_employee_is_the_only_trigger_to_dial() -> None:
    step = telnyx.next_step(webhook_request(own_leg("answered", 3)))
    assert step == {
        "do": "dial",
        "call_id": "S1",
        "control_id": "v3:E",
        "extension": "101",
        "number": CONTACT,
        "line": OWN,
    }
    others: tuple[dict[str, Any], ...] = (
        own_leg("initiated", 0),
        own_leg("bridged", 3),
        own_leg("hangup", 3, hangup_cause="timeout"),
        contacts_leg("answered", 9),
        contacts_leg("initiated", 4),
        body_of("answered", CONTACT, ANNA),
        body_of("answered", CONTACT, ANNA, state={"d": "in", "leg": "employee", "n": CONTACT, "l": OWN}),
        body_of("answered", OWN, ANNA, state={**EMPLOYEE, "n": "sip:x@evil.example"}),
        body_of("answered", OWN, ANNA, state={**EMPLOYEE, "l": ""}),
        body_of("answered", OWN, ANNA, state=EMPLOYEE, call_control_id=None),
        body_of("recording.saved", OWN, CONTACT, state=EMPLOYEE),
        {"data": []},
        {},
    )
    for body in others:
        assert telnyx.next_step(webhook_request(body)) is None, body
    with pytest.raises(PayloadError):
        telnyx.next_step(webhook_request(b"\xff"))


def test_contact_is_not_dialled_after_the_command_id_expires() -> None:
    body = own_leg("answered", 0)
    for seconds, is_pending in ((-2, True), (0, True), (49, True), (50, False), (3600, False)):
        step = telnyx.next_step(webhook_request(body, at=NOON + timedelta(seconds=seconds)))
        assert (step is not None) is is_pending, seconds
    # The hang-up has no time limit.
    assert telnyx.next_step(webhook_request(contacts_leg("hangup", 0), at=NOON + timedelta(hours=1))) is not None


def test_end_of_the_contacts_leg_hangs_up_the_employee() -> None:
    for cause in ("user_busy", "normal_clearing", "unspecified"):
        step = telnyx.next_step(webhook_request(contacts_leg("hangup", 30, hangup_cause=cause)))
        assert step == {"do": "hang_up", "call_id": "S1", "control_id": "v3:employee"}
    state = {name: value for name, value in THE_CONTACT.items() if name != "c"}
    assert telnyx.next_step(webhook_request(body_of("hangup", OWN, CONTACT, state=state))) is None


CLICK = Click(extension="101", number=CONTACT, reference="r-1", line=SECOND_OWN)


def state_of(dial: Mapping[str, Any]) -> Any:
    return json.loads(base64.b64decode(dial["client_state"]))


def test_retried_click_sends_the_same_command() -> None:
    with fake_account() as at:
        assert telnyx.originate(at.account, CLICK, at.client) == PlacedCall("session-0")
        assert telnyx.originate(at.account, CLICK, at.client) == PlacedCall("session-0")
        (dial,) = at.api.placed
        assert (dial["to"], dial["from"]) == (ANNA, SECOND_OWN)
        assert dial["connection_id"] == simulated.CREDENTIALS["connection_id"]
        assert state_of(dial) == {"d": "out", "leg": "employee", "ext": "101", "n": CONTACT, "l": SECOND_OWN}
        assert {"link_to", "bridge_on_answer", "record"} & dial.keys() == set()
        assert (at.last().method, at.last().path) == ("POST", "/v2/calls")
        assert at.last().headers["authorization"] == f"Bearer {simulated.CREDENTIALS['api_key']}"
        telnyx.originate(at.account, replace(CLICK, reference="r-2"), at.client)
        assert len(at.api.placed) == 2


def test_contact_is_called_on_behalf_of_the_employees_leg() -> None:
    with fake_account() as at:
        telnyx.originate(at.account, CLICK, at.client)
        body = body_of("answered", SECOND_OWN, ANNA, call_control_id="v3:control-0", call_session_id="session-0")
        body["data"]["payload"]["client_state"] = at.api.placed[0]["client_state"]
        step = telnyx.next_step(webhook_request(body))
        assert step is not None
        assert telnyx.connect(at.account, step, at.client) == PlacedCall("session-0")
        # The webhook can arrive twice.
        telnyx.connect(at.account, step, at.client)
        _, dial = at.api.placed
        assert (dial["to"], dial["from"], dial["link_to"]) == (CONTACT, SECOND_OWN, "v3:control-0")
        assert (dial["bridge_on_answer"], dial["bridge_intent"]) == (True, True)
        assert (dial["record"], dial["record_channels"], dial["record_format"]) == ("record-from-answer", "dual", "mp3")
        assert state_of(dial) == {
            "d": "out", "leg": "contact", "ext": "101", "n": CONTACT, "l": SECOND_OWN, "c": "v3:control-0",
        }  # fmt: skip
        ended = body_of("hangup", SECOND_OWN, CONTACT, leg="C", hangup_cause="user_busy")
        ended["data"]["payload"]["client_state"] = dial["client_state"]
        step = telnyx.next_step(webhook_request(ended))
        assert step is not None
        for _ in range(2):
            # A leg that has already ended is not an error.
            telnyx.connect(at.account, step, at.client)
        assert at.api.over == ["v3:control-0"]
        assert at.last().path in ("/v2/calls/v3%3Acontrol-0/actions/hangup", "/v2/calls/v3:control-0/actions/hangup")


def test_requests_of_a_click_equal_those_of_the_vendor_library() -> None:
    with fake_account() as at, library(at) as client:
        telnyx.originate(at.account, CLICK, at.client)
        step = {
            "do": "dial",
            "call_id": "s",
            "control_id": "v3:control-0",
            "extension": "101",
            "number": CONTACT,
            "line": OWN,
        }
        telnyx.connect(at.account, step, at.client)
        by_history = {"from" if name == "from_" else name for name in CallDialParams.__annotations__}
        for dial in at.api.placed:
            assert dial.keys() <= by_history
            ours = at.server.requests[0]
            arguments = {"from_" if name == "from" else name: value for name, value in dial.items()}
            data = client.calls.dial(**arguments).data
            assert data is not None
            assert data.call_session_id == "session-0"
            assert at.last().json == dial
            assert (at.last().method, at.last().path) == (ours.method, ours.path)
            assert at.last().headers["authorization"] == ours.headers["authorization"]
        client.calls.actions.hangup("v3:control-0")
        theirs = at.last()
        at.api.live.add("v3:control-0")
        telnyx.connect(at.account, {**step, "do": "hang_up"}, at.client)
        assert at.api.over == ["v3:control-0"] * 2
        assert at.last().path.replace("%3A", ":") == theirs.path.replace("%3A", ":")


@pytest.mark.parametrize("record", [True, False])
def test_click_is_recorded_unless_the_setting_is_off(record: bool) -> None:
    with fake_account(record_calls=record) as at:
        telnyx.originate(at.account, CLICK, at.client)
        step = {"do": "dial", "call_id": "s", "control_id": "v3:control-0", "number": CONTACT, "line": OWN}
        telnyx.connect(at.account, step, at.client)
        assert ("record" in at.api.placed[1]) is record


def test_employee_is_hung_up_if_the_contact_cannot_be_called() -> None:
    with fake_account() as at:
        telnyx.originate(at.account, CLICK, at.client)
        step = {"do": "dial", "call_id": "s", "control_id": "v3:control-0", "number": "+7", "line": OWN}
        with pytest.raises(BadInputError, match="10016"):
            telnyx.connect(at.account, step, at.client)
        assert at.api.over == ["v3:control-0"]
        with pytest.raises(BadInputError, match="already ended"):
            telnyx.connect(at.account, {**step, "number": CONTACT}, at.client)
        # Without a response the leg stays up: a retry can succeed.
        at.api.live.add("v3:control-0")
        at.server.faults += [Fault(Response(503, "<html>"))]
        with pytest.raises(UnreachableError):
            telnyx.connect(at.account, {**step, "number": CONTACT}, at.client)
        assert at.api.over == ["v3:control-0"]
        telnyx.connect(at.account, {**step, "number": CONTACT}, at.client)
        assert len(at.api.placed) == 2


def test_setting_determines_the_domain_of_the_phones() -> None:
    for domain, to in ((None, "sip:anna101@sip.telnyx.com"), ("pbx.example.com", "sip:anna101@pbx.example.com")):
        with fake_account(sip_domain=domain) as at:
            telnyx.originate(at.account, replace(CLICK, extension="anna101", line=None), at.client)
            assert (at.api.placed[0]["to"], at.api.placed[0]["from"]) == (to, OWN)


def test_invalid_click_is_rejected_without_a_request() -> None:
    with fake_account() as at:
        for account, click, words in (
            (at.account, replace(CLICK, number="anonymous"), "plus and digits"),
            (at.account, replace(CLICK, number=""), "plus and digits"),
            (at.account, replace(CLICK, extension="101@evil.example"), "extension"),
            (at.account, replace(CLICK, extension=""), "extension"),
            (at.without("connection_id"), CLICK, "connection_id"),
            (at.without("api_key"), CLICK, "api_key"),
            (replace(at.account, settings={}), replace(CLICK, line=None), "caller_id"),
        ):
            with pytest.raises(BadInputError, match=words):
                telnyx.originate(account, click, at.client)
        assert at.server.requests == []


REFUSED = {
    (422, "10001"): "not active",
    (422, "10002"): "not valid",
    (422, "10016"): "plus",
    (422, "10017"): "connection_id",
    (403, "10010"): "not allowed to do that",
    (404, "10005"): "nothing with that id",
    (422, "90018"): "already ended",
    (403, ""): "or to call that number",
    (404, ""): "nothing with that id",
    (422, "90099"): "list of errors",
    (400, "<b>"): "list of errors",
    (402, "20100"): "20100",
}


@pytest.mark.parametrize(("status", "code"), REFUSED)
def test_api_rejection_has_our_message_without_the_number(status: int, code: str) -> None:
    payload = {
        "errors": [{"code": code, "title": "Bad", "detail": f"{CONTACT} <script> {simulated.CREDENTIALS['api_key']}"}]
    }
    with fake_account() as at:
        at.server.faults += [Fault(Response(status, payload))]
        with pytest.raises(BadInputError, match=REFUSED[status, code]) as error:
            telnyx.originate(at.account, CLICK, at.client)
        words = error.value.message
        assert CONTACT not in words
        assert "<" not in words
        assert simulated.CREDENTIALS["api_key"] not in words


@pytest.mark.parametrize("errors", [None, [], [None], ["x"], [{"code": ["1"]}], {"code": "10002"}, [{}]])
def test_rejection_without_an_error_code_shows_the_status(errors: object) -> None:
    with fake_account() as at:
        at.server.faults += [Fault(Response(422, {"errors": errors}))]
        with pytest.raises(BadInputError, match="422"):
            telnyx.originate(at.account, CLICK, at.client)


def test_message_about_a_rejected_api_key_does_not_contain_it() -> None:
    with fake_account() as at:
        wrong = replace(at.account, credentials={**at.account.credentials, "api_key": "KEY_of_another_account"})
        for ask in (
            lambda: telnyx.originate(wrong, CLICK, at.client),
            lambda: telnyx.recording(wrong, KNOWN_RECORDING, at.client),
            lambda: telnyx.ping(wrong, at.client),
            lambda: telnyx.extensions(wrong, at.client),
            lambda: list(telnyx.history(wrong, NOON, NOON + timedelta(hours=1), at.client)),
        ):
            with pytest.raises(BadInputError, match="api_key") as error:
                ask()
            assert "KEY_of_another_account" not in error.value.message


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"data":null}',
        b'{"data":[]}',
        b'{"data":{}}',
        b'{"data":{"call_session_id":1}}',
        b"\xff",
        b"[" * 50_000,
    ],
)
def test_unreadable_response_is_an_unreachable_pbx(junk: bytes) -> None:
    with fake_account() as at:
        for ask in (
            lambda: telnyx.originate(at.account, CLICK, at.client),
            lambda: telnyx.recording(at.account, KNOWN_RECORDING, at.client),
            lambda: telnyx.ping(at.account, at.client),
            lambda: telnyx.ping(at.without("connection_id"), at.client),
        ):
            at.server.faults += [Fault(Response(200, junk))]
            with pytest.raises(UnreachableError):
                ask()
        for junk_list in (junk, b'{"data":{"0":1}}'):
            if junk_list == b'{"data":[]}':
                continue
            at.server.faults += [Fault(Response(200, junk_list))]
            with pytest.raises(UnreachableError):
                telnyx.extensions(at.account, at.client)
