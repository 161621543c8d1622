"""Events of Twilio webhooks: roles of legs, outcomes, times."""

import itertools
import json
from datetime import datetime, timedelta
from urllib.parse import urlencode

import pytest

from hangtag.domain.calls.classify import PickUp, SkipReason, classify
from hangtag.domain.calls.event import Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.providers.base import (
    ParseResult,
    PayloadError,
)
from local.simulator.pbx.base import JSON
from local.simulator.story import load_story
from provider_stories import NOON, closed
from twilio_helpers import (
    CHILD,
    CLICKED,
    CONTACT,
    DEVICE,
    DIALLED,
    HOOK,
    INCOMING,
    OWN,
    PARENT,
    RECORDED,
    parse,
    single_event,
    twilio,
    verification_keys,
    webhook,
    webhook_request,
)

OLD_NAMES = {**INCOMING, "To": "", "Called": DEVICE, "From": "", "Caller": CONTACT}
CALLER = {"CallSid": PARENT, "Direction": "inbound", "From": CONTACT, "To": OWN}
SOFTPHONE = {**CALLER, "From": DEVICE, "To": f"sip:{CONTACT}@acme.sip.twilio.com"}


def test_repeated_field_is_rejected_only_if_the_adapter_reads_it() -> None:
    twice = urlencode([*INCOMING.items(), ("CallStatus", "ringing"), ("CallStatus", "completed")]).encode()
    with pytest.raises(PayloadError, match="CallStatus is given twice"):
        twilio.parse(webhook_request(HOOK, twice), {})
    same = urlencode([*INCOMING.items(), ("CallStatus", "ringing"), ("CallStatus", "ringing")]).encode()
    assert len(twilio.parse(webhook_request(HOOK, same), {}).events) == 1
    other = urlencode([*INCOMING.items(), ("CallStatus", "ringing"), ("X", "1"), ("X", "2")]).encode()
    assert len(twilio.parse(webhook_request(HOOK, other), {}).events) == 1


def test_form_with_too_many_fields_is_rejected() -> None:
    many = urlencode([(f"a{number}", "1") for number in range(10_000)]).encode()
    with pytest.raises(PayloadError):
        twilio.verify(webhook_request(HOOK, many), verification_keys())
    with pytest.raises(PayloadError):
        twilio.parse(webhook_request(HOOK, many), {})


@pytest.mark.parametrize(
    ("fields", "hints", "expected"),
    [
        # The employee's leg of an incoming call.
        (INCOMING, {}, ("in", CHILD, "101", CONTACT, None)),
        (INCOMING, {"line": "74951230001"}, ("in", CHILD, "101", CONTACT, OWN)),
        # An unescaped plus is a space.
        (INCOMING, {"line": " 74951230001"}, ("in", CHILD, "101", CONTACT, OWN)),
        (INCOMING, {"line": "main"}, ("in", CHILD, "101", CONTACT, None)),
        (INCOMING, {"extension": "7"}, ("in", CHILD, "7", CONTACT, None)),
        ({**INCOMING, "ForwardedFrom": OWN}, {}, ("in", CHILD, "101", CONTACT, OWN)),
        ({**INCOMING, "To": "client:101"}, {}, ("in", CHILD, "101", CONTACT, None)),
        ({**INCOMING, "To": "sips:101@acme.example;transport=tls?x=1"}, {}, ("in", CHILD, "101", CONTACT, None)),
        ({**INCOMING, "To": "sip:+79161112233@carrier.example"}, {}, ("in", CHILD, "79161112233", CONTACT, None)),
        ({**INCOMING, "To": "client:anna"}, {}, ("in", CHILD, "anna", CONTACT, None)),
        # The format of the REST API, and the field names of old callbacks.
        ({**INCOMING, "To": "101@acme.example"}, {}, ("in", CHILD, "101", CONTACT, None)),
        (OLD_NAMES, {}, ("in", CHILD, "101", CONTACT, None)),
        # An ordinary number as the employee's phone, with and without the extension.
        (DIALLED, {"direction": "in", "extension": "102"}, ("in", CHILD, "102", OWN, None)),
        (DIALLED, {"direction": "in"}, ("in", CHILD, "79101234567", OWN, None)),
        # The caller's own leg has no extension.
        (CALLER, {}, ("in", "", None, CONTACT, OWN)),
        (CALLER, {"direction": "in"}, ("in", "", None, CONTACT, OWN)),
        # Both legs of a click have the same id.
        (CLICKED, {}, ("out", "out", "101", None, OWN)),
        ({**CLICKED, "To": "+79161112233"}, {"extension": "101"}, ("out", "out", "101", None, OWN)),
        ({**CLICKED, "To": "+79161112233"}, {}, ("out", "out", "79161112233", None, OWN)),
        (DIALLED, {}, ("out", "out", None, CONTACT, OWN)),
        (DIALLED, {"direction": "out", "leg": "contact", "extension": "101"}, ("out", "out", "101", CONTACT, OWN)),
        ({**DIALLED, "From": "client:101"}, {}, ("out", "out", "101", CONTACT, None)),
        # An employee's phone that calls through Twilio has an inbound leg.
        (SOFTPHONE, {}, ("out", "out", "101", CONTACT, None)),
        ({**CALLER, "From": "client:101", "To": "79101234567"}, {}, ("out", "out", "101", "79101234567", None)),
        ({**CALLER, "From": "client:101", "To": "AP" + "0" * 32}, {}, ("out", "out", "101", None, None)),
        # One employee calls another: the number is short, so that the call counts as internal.
        ({**INCOMING, "From": "sip:102@acme.example"}, {}, ("in", CHILD, "101", "102", None)),
        # Hints in the address override the addresses of the leg.
        ({**INCOMING, "Direction": "something-new"}, {"direction": "in"}, ("in", CHILD, "101", CONTACT, None)),
        (INCOMING, {"direction": "sideways", "leg": "third"}, ("in", CHILD, "101", CONTACT, None)),
    ],
)  # fmt: skip
def test_role_of_a_leg_follows_from_hints_and_addresses(
    fields: dict[str, str], hints: dict[str, str], expected: tuple[str, str, str | None, str | None, str | None]
) -> None:
    event = single_event(fields, "ringing", **hints)
    assert event.call_id == PARENT
    assert (str(event.direction), event.leg, event.extension, event.external, event.line) == expected


@pytest.mark.parametrize(
    "number", ["+266696687", "266696687", "+7378742833", "anonymous", "Restricted", "unknown", "", "0", "+"]
)
def test_withheld_caller_has_an_empty_external_number(number: str) -> None:
    assert single_event({**INCOMING, "From": number}, "ringing").external == ""


@pytest.mark.parametrize(
    ("status", "incoming", "outgoing"),
    [
        ("completed", Outcome.SUCCESS, Outcome.SUCCESS),
        ("busy", Outcome.MISSED, Outcome.BUSY),
        ("no-answer", Outcome.MISSED, Outcome.NO_ANSWER),
        ("canceled", Outcome.CANCELLED, Outcome.CANCELLED),
        ("failed", Outcome.MISSED, Outcome.FAILED),
    ],
)
def test_final_status_maps_to_an_outcome(status: str, incoming: Outcome, outgoing: Outcome) -> None:
    for fields, outcome in ((INCOMING, incoming), (DIALLED, outgoing)):
        event = single_event({**fields, "CallDuration": "9", "Duration": "1"}, status)
        # Duration is in minutes, as charged.
        talked = 9 if outcome is Outcome.SUCCESS else 0
        assert (event.kind, event.outcome, event.talk_seconds, event.final) == (Kind.ENDED, outcome, talked, False)


@pytest.mark.parametrize(
    ("status", "caller", "employee", "own", "contact"),
    [
        ("queued", None, None, None, None),
        ("initiated", None, None, None, None),
        ("ringing", Kind.RINGING, Kind.RINGING, Kind.RINGING, Kind.RINGING),
        # Twilio accepting a caller's call, or an employee a click's, is not an answer yet.
        ("in-progress", None, Kind.ANSWERED, Kind.PICKED_UP, Kind.ANSWERED),
        ("answered", None, Kind.ANSWERED, Kind.PICKED_UP, Kind.ANSWERED),
    ],
)
def test_intermediate_status_maps_to_an_event_kind(
    status: str, caller: Kind | None, employee: Kind | None, own: Kind | None, contact: Kind | None
) -> None:
    for fields, kind in ((CALLER, caller), (INCOMING, employee), (CLICKED, own), (DIALLED, contact)):
        accepted = parse({**fields, "CallStatus": status})
        assert [event.kind for event in accepted.events] == ([kind] if kind else [])
        assert not accepted.unknown


def test_unknown_callback_is_logged_for_the_admin() -> None:
    for fields in (
        {**INCOMING, "CallStatus": "parked"},
        {**INCOMING, "CallStatus": "ringing", "Direction": "trunking-originating"},
        {**INCOMING, "CallStatus": "ringing", "Direction": ""},
        {"CallSid": PARENT, "RecordingStatus": "transcribed"},
    ):
        assert parse(fields) == ParseResult(unknown=True)


def test_callback_without_call_or_status_is_rejected() -> None:
    for fields in ({"CallStatus": "ringing"}, {"CallSid": "", "CallStatus": "ringing"}, INCOMING):
        with pytest.raises(PayloadError):
            parse(fields)


@pytest.mark.parametrize("status", ["completed", "busy", "no-answer", "canceled", "failed"])
def test_unanswered_incoming_call_is_missed_for_every_status(status: str) -> None:
    menu = parse({**CALLER, "CallStatus": "in-progress"}).events
    end = single_event({**CALLER, "CallDuration": "35"}, status)
    assert end.final
    alone = fold([*menu, end])
    assert (alone.outcome, alone.extensions, alone.talk_seconds) == (Outcome.MISSED, (), None)
    rung = fold([single_event(INCOMING, "ringing"), single_event(INCOMING, "no-answer"), end])
    assert (rung.outcome, rung.extensions, rung.answered_by) == (Outcome.MISSED, ("101",), None)


@pytest.mark.parametrize("status", ["busy", "no-answer", "canceled", "failed"])
def test_click_without_pick_up_by_the_employee_has_no_tag(status: str) -> None:
    call = fold([single_event(CLICKED, "ringing"), single_event(CLICKED, status)])
    assert (call.closed, call.outcome, call.picked_up) == (True, Outcome.NO_ANSWER, False)
    verdict = classify(call, mapped={"101"}, external_is_employee=False, pick_up=PickUp.TOLD)
    assert verdict.skip is SkipReason.EMPLOYEE_NO_ANSWER


def test_call_dialled_on_an_employees_phone_is_one_outgoing_call() -> None:
    events = [
        *parse({**SOFTPHONE, "CallStatus": "in-progress"}).events,
        single_event(DIALLED, "ringing"),
        single_event({**DIALLED, "CallDuration": "9"}, "busy"),
        # If unanswered, the employee's leg has its own status, unrelated to the contact's.
        single_event(SOFTPHONE, "no-answer"),
    ]
    call = fold(events)
    assert (call.direction, call.outcome, call.closed) == (Direction.OUT, Outcome.BUSY, True)
    assert (call.extensions, call.external, call.line, call.picked_up) == (("101",), CONTACT, OWN, False)


@pytest.mark.parametrize("name", ["outgoing_busy", "outgoing_answered", "answered_incoming", "transfer_within_call"])
def test_order_of_callbacks_does_not_change_the_call(name: str) -> None:
    events = webhook(load_story(name, "twilio"))
    expected = fold(events).digest()
    orders = itertools.islice(itertools.permutations(events), 0, None, 97)
    assert {fold(order).digest() for order in itertools.islice(orders, 60)} == {expected}


def test_call_belongs_to_the_last_employee_without_transfer_hint() -> None:
    events = webhook(load_story("transfer_within_call", "twilio"))
    # One event, at the first ring of the second phone, for the leg in the address.
    assert [(event.leg, event.at) for event in events if event.kind is Kind.TRANSFERRED] == [
        ("A1-101", NOON + timedelta(seconds=30))
    ]
    call = fold(events)
    assert (call.outcome, call.answered_by, call.talk_seconds) == (Outcome.SUCCESS, "102", 55)
    without_hint = fold(event for event in events if event.kind is not Kind.TRANSFERRED)
    assert (without_hint.outcome, without_hint.answered_by, without_hint.talk_seconds) == (Outcome.SUCCESS, "102", 30)


@pytest.mark.parametrize(
    ("payload", "at", "is_arrival"),
    [
        ("Sun, 01 Mar 2026 11:59:48 +0000", NOON - timedelta(seconds=12), False),
        ("Sun, 01 Mar 2026 14:59:48 +0300", NOON - timedelta(seconds=12), False),
        ("2026-03-01T11:59:48Z", NOON - timedelta(seconds=12), False),
        ("Sun, 08 Mar 2026 11:59:48 +0000", NOON, True),
        ("soon", NOON, True),
        ("", NOON, True),
    ],
)
def test_event_time_is_the_vendors_if_it_is_plausible(payload: str, at: datetime, is_arrival: bool) -> None:
    event = single_event({**INCOMING, "Timestamp": payload}, "ringing")
    assert (event.at, event.at_is_arrival) == (at, is_arrival)


@pytest.mark.parametrize(
    ("payload", "seconds"),
    [("62", 62), ("0", 0), ("", None), ("-1", None), ("1.5", None), ("9" * 5000, None), ("٣", None)],
)
def test_malformed_duration_is_unknown(payload: str, seconds: int | None) -> None:
    if len(payload) > 512:
        with pytest.raises(PayloadError):
            single_event({**INCOMING, "CallDuration": payload}, "completed")
        return
    assert single_event({**INCOMING, "CallDuration": payload}, "completed").talk_seconds == seconds


@pytest.mark.parametrize("status", ["in-progress", "absent", "failed", "paused"])
def test_recording_event_requires_a_completed_recording(status: str) -> None:
    fields = {"CallSid": PARENT, "RecordingUrl": RECORDED, "RecordingDuration": "62"}
    assert parse({**fields, "RecordingStatus": status}) == ParseResult()
    (event,) = parse({**fields, "RecordingStatus": "completed"}).events
    assert (event.kind, event.call_id, event.recording) == (Kind.RECORDED, PARENT, RECORDED)
    assert not event.recording_is_temporary
    with pytest.raises(PayloadError):
        parse({"CallSid": PARENT, "RecordingStatus": "completed"})


def test_end_of_a_recorded_call_contains_the_recording() -> None:
    assert single_event({**CLICKED, "RecordingUrl": RECORDED}, "completed").recording == RECORDED
    assert single_event({**CLICKED, "RecordingUrl": RECORDED}, "ringing").recording is None


def test_form_query_or_json_callback_yields_equal_events() -> None:
    fields = {**INCOMING, "CallStatus": "completed", "CallDuration": "62"}
    hints = "direction=in&line=74951230001"
    form = twilio.parse(webhook_request(f"{HOOK}?{hints}", fields), {}).events
    as_query = webhook_request(f"{HOOK}?{hints}&{urlencode(fields)}", b"", method="GET")
    as_json = webhook_request(
        f"{HOOK}?{hints}", json.dumps({**fields, "CallDuration": 62}).encode(), {"content-type": JSON}
    )
    for request in (as_query, as_json):
        assert [event.digest() for event in twilio.parse(request, {}).events] == [event.digest() for event in form]
    with pytest.raises(PayloadError):
        twilio.parse(webhook_request(HOOK, b'[{"CallSid":"CA1"}]', {"content-type": JSON}), {})


def test_call_closes_without_the_end_of_its_parent_leg() -> None:
    stored = [event for event in webhook(load_story("answered_incoming", "twilio")) if not event.final]
    call = closed(stored, NOON + timedelta(minutes=5))
    assert (call.closed, call.outcome, call.answered_by, call.talk_seconds) == (True, Outcome.SUCCESS, "101", 62)
