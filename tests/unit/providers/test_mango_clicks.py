"""Click-to-call through Mango Office."""

import json
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from fake_clients import PlainClient
from hangtag.domain.calls.classify import SkipReason, classify
from hangtag.domain.calls.event import CallEvent, Direction, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.errors import BadInputError, TooManyError, UnreachableError
from hangtag.providers.base import (
    Click,
    ParseResult,
)
from local.simulator.rest import Fault, Response
from local.simulator.story import load_story, message
from mango_helpers import CALLBACK, CLICK, DOCUMENTED, KEY, MANGO, api_account, leg, parsed, single, story
from provider_stories import IDS, NOON, line


def test_both_legs_of_a_callback_form_one_leg() -> None:
    call = story("click_answered")
    assert (call.reference, call.direction, call.external) == (IDS["call2"], Direction.OUT, "79101234567")
    (only,) = call.legs
    assert (only.extension, only.outcome, only.talk_seconds, call.picked_up) == ("102", Outcome.SUCCESS, 40, True)


def test_callback_events_of_one_second_can_arrive_in_any_order() -> None:
    ours = line("mango")
    events: list[CallEvent] = []
    for event in load_story("click_busy", "mango").events:
        # All events of one second, except for the summary.
        events += ours.accepted(ours.signed(message(event, IDS, NOON, NOON))).events
    assert len({fold(order).digest() for order in permutations(events)}) == 1
    call = fold(events)
    assert (call.outcome, call.picked_up, len(call.legs)) == (Outcome.BUSY, True, 1)


def test_callback_without_employee_answer_gets_no_tag() -> None:
    call = story("click_employee_no_answer")
    verdict = classify(call, mapped={"101"}, external_is_employee=False, pick_up=MANGO.pick_up)
    assert (call.picked_up, verdict.skip) == (False, SkipReason.EMPLOYEE_NO_ANSWER)


def test_group_callback_belongs_to_the_employee_who_answers() -> None:
    """A website widget requests the callback; the second of three phones answers, then the contact is called."""
    events: list[CallEvent] = []

    def add(after: int, name: str, state: str, **payload: Any) -> None:
        payload |= {"timestamp": int(NOON.timestamp()) + after, "call_id": name, "callback_initiator": "CallbackWidget"}
        events.extend(leg(state, **payload))

    contact = {"number": "79001234567"}
    phones = {name: {"extension": name, "acd_group": "303"} for name in ("101", "102", "103")}
    for name, phone in phones.items():
        add(0, f"c{name}", "Appeared", **{"from": contact, "to": phone})
    add(4, "c102", "Connected", seq=2, **{"from": contact, "to": phones["102"]})
    for name in ("101", "103"):
        add(4, f"c{name}", "Disconnected", seq=2, disconnect_reason=1182, **{"from": contact, "to": phones[name]})
    add(4, "c102", "Disconnected", seq=3, disconnect_reason=1000, **{"from": contact, "to": phones["102"]})
    caller = {"extension": "102", "taken_from_call_id": "c102"}
    add(4, "c9", "Appeared", **{"from": caller, "to": contact})
    add(10, "c9", "Connected", seq=2, **{"from": caller, "to": contact})
    add(50, "c9", "Disconnected", seq=3, disconnect_reason=1110, **{"from": caller, "to": contact})
    call = fold(events)
    assert (call.closed, call.outcome, call.direction) == (True, Outcome.SUCCESS, Direction.OUT)
    assert (call.answered_by, call.talk_seconds, call.picked_up) == ("102", 40, True)
    assert [item.outcome for item in call.legs] == [Outcome.CANCELLED, Outcome.SUCCESS, Outcome.CANCELLED]


@pytest.mark.parametrize(
    ("result", "outcome"),
    [(3330, Outcome.FAILED), ("3124", Outcome.FAILED), (2240, Outcome.NOT_ALLOWED), (4001, Outcome.FAILED),
     (5003, Outcome.FAILED)],
)  # fmt: skip
def test_rejected_click_becomes_a_failed_call(result: object, outcome: Outcome) -> None:
    event = single(parsed("result/callback", command_id="0f" * 16, result=result).events)
    assert (event.reference, event.outcome, event.final, event.direction) == ("0f" * 16, outcome, True, Direction.OUT)
    assert event == single(parsed("vpbx/result/callback", command_id="0f" * 16, result=result).events)


def test_results_of_other_commands_yield_no_events() -> None:
    for payload in ({"command_id": "a", "result": 1000}, {"command_id": "a", "result": "1001"}, {"result": 3330},
                 {"command_id": "cmd.2.vpbx.12345", "result": 3330}, {"command_id": "a"}):  # fmt: skip
        assert parsed("result/callback", **payload) == ParseResult()


def test_click_is_signed_as_in_the_documented_example() -> None:
    with api_account() as (account, api, server):
        placed = MANGO.originate(account, CLICK, PlainClient())
        (request,) = server.requests
    assert placed.call_id is None
    assert (request.method, request.path) == ("POST", "/vpbx/commands/callback")
    assert request.form == {"vpbx_api_key": KEY, "sign": DOCUMENTED[0][1], "json": CALLBACK}
    assert api.placed == [json.loads(CALLBACK)]


def test_line_is_sent_in_digits() -> None:
    with api_account() as (account, api, _):
        MANGO.originate(account, replace(CLICK, line="+74951230002"), PlainClient())
        assert api.placed[0]["line_number"] == "74951230002"


@pytest.mark.parametrize(
    "click",
    [
        replace(CLICK, extension="sip:anna"),
        replace(CLICK, extension=""),
        replace(CLICK, extension="1" * 11),
        replace(CLICK, number="12"),
        replace(CLICK, number="+7495*"),
        replace(CLICK, number="anonymous"),
        replace(CLICK, line="main line"),
        replace(CLICK, reference="r" * 65),
        replace(CLICK, reference="r\n"),
    ],
)
def test_requests_that_mango_would_reject_are_not_sent(click: Click) -> None:
    with api_account() as (account, _, server):
        with pytest.raises(BadInputError):
            MANGO.originate(account, click, PlainClient())
        for reference in ("", "https://files.mango-office.ru/1", "a b", "r" * 129, "é"):
            with pytest.raises(BadInputError):
                MANGO.recording(account, reference, PlainClient())
        assert server.requests == []


def test_error_explains_that_mango_blocks_all_requests() -> None:
    with api_account() as (account, api, server):
        now = 1000.0
        api.clock = lambda: now
        unknown_employee = replace(CLICK, extension="999")
        with pytest.raises(BadInputError, match=r"rejected the request \(3330\): no employee has that extension"):
            MANGO.originate(account, unknown_employee, PlainClient())
        with pytest.raises(TooManyError, match="Try again in 120 seconds"):
            MANGO.originate(account, unknown_employee, PlainClient())
        # Correct requests are rejected too until the block ends, and nothing is retried.
        before = len(server.requests)
        with pytest.raises(TooManyError, match="vpbx_api_salt"):
            MANGO.originate(account, CLICK, PlainClient())
        assert len(server.requests) == before + 1
        now += 120
        MANGO.originate(account, CLICK, PlainClient())
    assert len(api.placed) == 1


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (Response(400, {"result": 3102}), BadInputError, "rejects vpbx_api_key and vpbx_api_salt"),
        (Response(200, {"result": 3105}), BadInputError, "rejects vpbx_api_key and vpbx_api_salt"),
        (Response(200, {"result": 3124}), BadInputError, "that line"),
        (Response(400, {"code": 2240, "message": "79001234567"}), BadInputError, "tariff"),
        (Response(404, "<html>"), BadInputError, "404"),
        (Response(503, {"result": 5008}), UnreachableError, "5008"),
        (Response(200, {"result": "5003"}), UnreachableError, "5003"),
        (Response(503, {"name": "Service Unavailable", "message": "Rate limit exceeded.", "code": 0, "status": 429}),
         TooManyError, "rate limit"),
        (Response(401, ""), TooManyError, "120 seconds"),
        (Response(200, "<html>login</html>"), UnreachableError, "unreadable response"),
    ],
)  # fmt: skip
def test_errors_never_repeat_text_from_mango(reply: Response, error: type[Exception], words: str) -> None:
    with api_account() as (account, _, server):
        server.faults.append(Fault(reply))
        with pytest.raises(error, match=words) as raised:
            MANGO.originate(account, CLICK, PlainClient())
        assert "79001234567" not in str(raised.value)
        # The response to an asynchronous request can be empty.
        server.faults.append(Fault(Response(200, "")))
        MANGO.originate(account, CLICK, PlainClient())


def test_missing_credentials_prevent_any_request() -> None:
    for name in ("vpbx_api_key", "vpbx_api_salt"):
        with api_account(**{name: ""}) as (account, _, server):
            with pytest.raises(BadInputError, match="vpbx_api_key and vpbx_api_salt"):
                MANGO.extensions(account, PlainClient())
            assert server.requests == []
