"""Events of Vonage webhooks: roles of legs, outcomes, times."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hangtag.domain.calls.classify import SkipReason, classify
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.providers.base import (
    PayloadError,
)
from local.simulator.story import load_story
from provider_stories import NOON
from vonage_helpers import CALLER, CONTACT, DEVICE, DIALLED, EMPLOYEE, OURS, OWN, STAMP, parse


def single_event(fields: Mapping[str, Any], status: str, **hints: str) -> CallEvent:
    (one,) = parse({**fields, "status": status}, **hints).events
    return one


def test_end_of_the_callers_leg_is_the_end_of_the_call() -> None:
    rang, ended = single_event(CALLER, "ringing"), single_event(CALLER, "completed")
    assert (rang.call_id, rang.leg, rang.direction) == ("CON-1", "u-a", Direction.IN)
    assert (rang.external, rang.line, rang.extension) == (f"+{CONTACT}", f"+{OWN}", None)
    assert (ended.outcome, ended.final) == (Outcome.CANCELLED, True)
    # An answer means only that an NCCO is played.
    assert parse({**CALLER, "status": "answered"}).events == ()


@pytest.mark.parametrize("withheld", ["", "anonymous", "Unknown", "Restricted", "0"])
def test_withheld_caller_has_an_empty_external_number(withheld: str) -> None:
    event = single_event({**CALLER, "from": withheld}, "ringing")
    assert event.external == ""
    assert event.direction is Direction.IN


def test_leg_to_a_device_is_the_employees_without_the_caller() -> None:
    event = single_event(EMPLOYEE, "ringing")
    assert (event.direction, event.extension, event.external, event.leg) == (Direction.IN, "101", None, "u-101")
    assert single_event({**EMPLOYEE, "to": "anna"}, "ringing").extension == "anna"
    # Only the hints identify an employee's mobile phone.
    mobile = single_event({**EMPLOYEE, "to": "79161112233"}, "ringing", direction="in", extension="102", line=OWN)
    assert (mobile.direction, mobile.extension, mobile.line) == (Direction.IN, "102", f"+{OWN}")
    assert single_event({**EMPLOYEE, "to": "79161112233"}, "ringing").direction is Direction.OUT


def test_started_leg_is_ringing() -> None:
    """A phone in the vendor's apps has no `ringing` webhook."""
    started, rang = (
        single_event({**EMPLOYEE, "to": "anna"}, "started"),
        single_event({**EMPLOYEE, "to": "anna"}, "ringing"),
    )
    assert started == rang
    assert (started.kind, started.extension) == (Kind.RINGING, "anna")


def test_call_by_a_user_of_the_vendor_apps_is_outgoing() -> None:
    own = {**CALLER, "from": None, "to": "anna"}
    rang, ended = single_event(own, "started"), single_event(own, "completed")
    assert (rang.direction, rang.extension, rang.external, rang.line) == (Direction.OUT, "anna", None, None)
    assert (ended.outcome, ended.final) == (None, True)
    contact = single_event({**DIALLED, "from": "anna"}, "started")
    assert (contact.leg, contact.extension, contact.external) == (rang.leg, "anna", f"+{CONTACT}")
    for name in ("anna", "101"):
        colleague = single_event({**EMPLOYEE, "from": name, "to": "102"}, "started")
        assert (colleague.direction, colleague.extension, colleague.external) == (Direction.OUT, name, "102")
        # A short number is not a line of the account.
        assert colleague.line is None


def test_call_between_colleagues_has_no_tag() -> None:
    ((_, call),) = OURS.folded(load_story("among_colleagues", "vonage").events).items()
    verdict = classify(call, mapped={"101", "102"}, external_is_employee=False)
    assert (call.outcome, verdict.skip) == (Outcome.SUCCESS, SkipReason.INTERNAL)


def test_call_from_a_device_is_outgoing() -> None:
    own = {**CALLER, "from": DEVICE, "to": CONTACT}
    rang, ended = single_event(own, "ringing"), single_event(own, "completed")
    assert (rang.direction, rang.extension, rang.external) == (Direction.OUT, "101", f"+{CONTACT}")
    assert (ended.outcome, ended.final) == (None, True)
    assert parse({**own, "status": "answered"}).events == ()


@pytest.mark.parametrize(
    ("status", "detail", "outcome"),
    [
        ("busy", "", Outcome.BUSY),
        ("cancelled", "", Outcome.CANCELLED),
        ("unanswered", "", Outcome.NO_ANSWER),
        ("unanswered", "timeout", Outcome.NO_ANSWER),
        ("unanswered", "unavailable", Outcome.UNAVAILABLE),
        ("timeout", "", Outcome.NO_ANSWER),
        ("rejected", "", Outcome.BUSY),
        ("rejected", "declined", Outcome.BUSY),
        ("rejected", "invalid_number", Outcome.UNAVAILABLE),
        ("rejected", "restricted", Outcome.NOT_ALLOWED),
        ("failed", "", Outcome.FAILED),
        ("failed", "internal_error", Outcome.FAILED),
        ("failed", "cannot_route", Outcome.UNAVAILABLE),
        ("failed", "number_out_of_service", Outcome.UNAVAILABLE),
    ],
)
def test_end_of_the_contacts_leg_decides_an_outgoing_call(status: str, detail: str, outcome: Outcome) -> None:
    event = single_event({**DIALLED, "detail": detail}, status)
    assert (event.kind, event.direction, event.outcome, event.talk_seconds) == (
        Kind.ENDED, Direction.OUT, outcome, 0,
    )  # fmt: skip
    incoming = single_event({**EMPLOYEE, "detail": detail}, status)
    assert incoming.outcome is (Outcome.CANCELLED if outcome is Outcome.CANCELLED else Outcome.MISSED)


@pytest.mark.parametrize(
    ("fields", "outcome", "talked"),
    [
        ({"duration": "62", "start_time": STAMP}, Outcome.SUCCESS, 62),
        ({"duration": 62, "start_time": STAMP}, Outcome.SUCCESS, 62),
        ({"duration": "0", "start_time": STAMP}, Outcome.SUCCESS, 0),
        ({"duration": "x", "start_time": STAMP}, Outcome.SUCCESS, None),
        ({"duration": "0", "start_time": ""}, Outcome.MISSED, 0),
        ({}, Outcome.MISSED, 0),
    ],
)
def test_completed_leg_that_never_began_was_not_answered(
    fields: dict[str, Any], outcome: Outcome, talked: int | None
) -> None:
    event = single_event({**EMPLOYEE, **fields}, "completed")
    assert (event.outcome, event.talk_seconds) == (outcome, talked)


@pytest.mark.parametrize(
    "fields",
    [
        {**EMPLOYEE, "status": "disconnected"},
        {"call_uuid": "u-c", "from": OWN, "to": CONTACT, "conversation_uuid": "CON-1", "status": "human"},
        {"call_uuid": "u-c", "from": OWN, "to": CONTACT, "conversation_uuid": "CON-1", "status": "machine"},
        {"conversation_uuid": "CON-1", "reason": "Syntax error in NCCO. Invalid value type or action."},
        {"conversation_uuid": "CON-1", "uuid": "u-a", "dtmf": "42", "timed_out": True, "to": OWN + "x"},
        {"conversation_uuid": "CON-1", "uuid": "u-a", "dtmf": {"digits": "42"}, "speech": {"results": []}},
    ],
)
def test_webhook_without_effect_is_known(fields: dict[str, Any]) -> None:
    accepted = parse(fields)
    assert (accepted.events, accepted.unknown) == ((), False)


def test_recording_belongs_to_its_conversation() -> None:
    address = "https://api.nexmo.com/v1/files/bbbbbbbb-aaaa-cccc-dddd-0123456789ab"
    (event,) = parse(
        {"recording_url": address, "recording_uuid": "r", "size": 12222, "conversation_uuid": "CON-1"}
    ).events
    assert (event.kind, event.call_id, event.recording) == (Kind.RECORDED, "CON-1", address)
    assert not event.recording_is_temporary


def test_moved_leg_links_two_conversations_without_ending_one() -> None:
    (event,) = parse({"conversation_uuid_from": "CON-1", "conversation_uuid_to": "CON-2", "uuid": "u-a"}).events
    assert (event.call_id, event.linked_call_id) == ("CON-1", "CON-2")
    talked = [single_event(CALLER, "ringing"), single_event(EMPLOYEE, "ringing"), single_event(EMPLOYEE, "answered")]
    assert not fold([*talked, event]).closed
    ended = replace(single_event({**EMPLOYEE, "duration": "25"}, "completed"), at=NOON + timedelta(seconds=25))
    call = fold([*talked, event, ended])
    assert (call.closed, call.outcome, call.linked_call_id, call.answered_by) == (True, Outcome.SUCCESS, "CON-2", "101")


def test_implausible_event_time_is_replaced_by_the_arrival() -> None:
    event = single_event({**CALLER, "timestamp": "2020-01-01T12:00:00.000Z"}, "ringing")
    assert (event.at, event.at_is_arrival) == (NOON, True)


@pytest.mark.parametrize(
    "body",
    [
        {"status": "ringing"},
        {**CALLER, "uuid": "", "status": "ringing"},
        {**CALLER, "conversation_uuid": ["a"], "status": "ringing"},
        {"conversation_uuid_to": "CON-2"},
    ],
)
def test_webhook_without_call_or_leg_is_rejected(body: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        parse(body)
