"""Webhook requests of Mango Office: signature, paths, summaries."""

from datetime import timedelta

import pytest

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.providers.base import (
    ParseResult,
    PayloadError,
    SignatureError,
    VerificationKeys,
)
from hangtag.providers.mango.wire import signature
from local.simulator.providers.mango import pbx as simulator
from mango_helpers import (
    CALLBACK,
    DISCONNECTED,
    DOCUMENTED,
    INCOMING,
    KEY,
    KEYS,
    LINK,
    MANGO,
    SALT,
    SENT_AT,
    leg,
    parsed,
    single,
    summary,
    webhook,
)
from provider_stories import NOON


@pytest.mark.parametrize(("payload", "sign"), DOCUMENTED, ids=["callback", "disconnected"])
def test_documented_signatures_are_accepted(payload: str, sign: str) -> None:
    assert signature(KEY, payload, SALT) == simulator.sign(KEY, payload, SALT) == sign
    MANGO.verify(webhook("events/call", payload, sign), KEYS)
    for other in ("", sign.upper(), sign[:-1], f"{sign},{sign}", sign + " "):
        with pytest.raises(SignatureError):
            MANGO.verify(webhook("events/call", payload, other), KEYS)


def test_documented_link_signature_follows_the_same_recipe() -> None:
    assert signature(KEY, LINK[0], SALT) == LINK[1]


def test_key_is_verified_in_addition_to_the_signature() -> None:
    other = "0987654321ytrewq"
    # Signed with the right salt, but with the key of another account.
    other_signature = signature(other, CALLBACK, SALT)
    with pytest.raises(SignatureError):
        MANGO.verify(webhook("events/call", CALLBACK, other_signature, other), KEYS)
    both = VerificationKeys(credentials={"vpbx_api_key": (KEY, other), "vpbx_api_salt": (SALT,)})
    MANGO.verify(webhook("events/call", CALLBACK, other_signature, other), both)


def test_signature_covers_the_json_exactly_as_sent() -> None:
    """The JSON is not re-encoded: spaces, escapes and other alphabets stay as they are."""
    for payload in ('{ "entry_id" : "\\u0421" }', '{"entry_id":"Вызов"}', '{"b":1,"a":2}', "no json at all", ""):
        MANGO.verify(webhook("events/call", payload, signature(KEY, payload, SALT)), KEYS)


def test_documented_notification_is_parsed() -> None:
    event = single(MANGO.parse(webhook("events/call", DISCONNECTED, at=SENT_AT), {}).events)
    assert event == CallEvent(
        call_id="1MN0Q1MDOQ==",
        kind=Kind.ENDED,
        at=SENT_AT + timedelta(milliseconds=2),
        leg="MIxEyNTzTo6NDxkzNMMOzNQ==",
        direction=Direction.IN,
        external="79001234567",
        line="74951234567",
        extension="29",
        outcome=Outcome.UNAVAILABLE,
    )


@pytest.mark.parametrize("rest", ["events/record/tagged", "events/dtmf", "events/sms", "result/stat", "result/route"])
def test_notifications_unrelated_to_calls_are_ignored(rest: str) -> None:
    assert parsed(rest) == ParseResult()


@pytest.mark.parametrize(
    "rest", ["", "events", "events/call/x", "events/md/onAppealClose", "xevents/call", "Events/Call"]
)
def test_unknown_paths_are_marked_as_unknown(rest: str) -> None:
    assert parsed(rest) == ParseResult(unknown=True)


def test_path_matches_with_surrounding_slashes() -> None:
    payload = {"recording_id": "r1", "timestamp": int(NOON.timestamp())}
    for rest in ("events/record/added", "/events/record/added/", "vpbx/events/record/added"):
        assert single(parsed(rest, **payload).events).recording == "r1"


@pytest.mark.parametrize("payload", ["", "[]", "null", "{", '"x"', "9" * 5000, "[" * 100_000, '{"entry_id":1.5}'])
def test_payload_that_is_not_an_object_is_rejected(payload: str) -> None:
    with pytest.raises(PayloadError):
        MANGO.parse(webhook("events/call", payload), {})


def test_summary_without_talk_time_is_not_a_success() -> None:
    """The second documented sample ended in the menu, although entry_result is 1."""
    events = summary(call_direction=1, talk_time=0, entry_result=1, disconnect_reason=1170)
    call = fold(events)
    assert (call.closed, call.outcome, call.external, call.line) == (True, Outcome.MISSED, "79000000000", "78001234567")
    assert (call.started_at, call.ended_at) == (NOON - timedelta(seconds=14), NOON)
    talked = summary(call_direction="1", talk_time=str(int(NOON.timestamp()) - 5), entry_result=0)
    assert single(talked).outcome is Outcome.SUCCESS


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [(1100, Outcome.NO_ANSWER), (1110, Outcome.CANCELLED), (1111, Outcome.NO_ANSWER), (1121, Outcome.BUSY),
     (1120, Outcome.BUSY), (1131, Outcome.UNAVAILABLE), (2240, Outcome.NOT_ALLOWED), (5001, Outcome.FAILED),
     (9999, Outcome.NO_ANSWER), ("", Outcome.NO_ANSWER)],
)  # fmt: skip
def test_summary_reason_sets_the_outcome_of_an_outgoing_call(reason: object, outcome: Outcome) -> None:
    caller, called = {"extension": "123"}, {"number": "78001234567"}
    events = summary(call_direction=2, talk_time=0, disconnect_reason=reason, **{"from": caller, "to": called})
    assert (single(events).outcome, single(events).external) == (outcome, "78001234567")


def test_summary_ignores_group_extensions() -> None:
    events = summary(call_direction=1, talk_time=0, **{"from": {}, "to": {"extension": "303"}})
    call = fold(events)
    assert (call.extensions, call.external) == ((), "")


def test_summary_between_employees_is_internal() -> None:
    events = summary(call_direction=0, talk_time=0, **{"from": {"extension": "101"}, "to": {"extension": "102"}})
    assert (fold(events).direction, fold(events).external, fold(events).line) == (Direction.INTERNAL, "101", None)


def test_summary_closes_a_call_with_a_lost_hangup() -> None:
    """The leg's hang-up is missing."""
    events = [*leg(**INCOMING), *leg("Connected", **INCOMING, seq=2)]
    call = fold([*events, *summary(call_direction=1, talk_time=int(NOON.timestamp()))])
    assert (call.closed, call.outcome, call.answered_by) == (True, Outcome.SUCCESS, "101")
