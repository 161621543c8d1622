"""Events of Telnyx webhooks: roles of legs, outcomes, times."""

import base64
from datetime import timedelta
from importlib import import_module
from pkgutil import iter_modules
from typing import get_args

import pytest

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.providers.base import (
    PayloadError,
)
from provider_stories import NOON
from telnyx_helpers import (
    ANNA,
    BORIS,
    CONTACT,
    EMPLOYEE,
    MOBILE,
    OWN,
    SECOND_OWN,
    SETTINGS,
    THE_CONTACT,
    WORKED_AT,
    all_of,
    body_of,
    packed_state,
    parse,
    single_event,
    telnyx,
    webhook_request,
    worked_example,
)


def test_worked_example_is_the_end_of_a_callers_leg() -> None:
    (event,) = telnyx.parse(worked_example(), {}).events
    assert event == CallEvent(
        call_id="428c31b6-abf3-3bc1-b7f4-5013ef9657c1",
        kind=Kind.ENDED,
        at=WORKED_AT,
        leg="428c31b6-7af4-4bcb-b7f5-5013ef9657c1",
        direction=Direction.IN,
        external="+35319605860",
        line="+13129457420",
        outcome=Outcome.CANCELLED,
        final=True,
        started_at=WORKED_AT - timedelta(seconds=60),
        event_id="0ccc7b54-4df3-4bca-a65a-3da1ecc777f0",
    )


def names_of_the_library() -> set[str]:
    """Return the event types of calls in the models of the vendor's library."""
    from telnyx import types

    names: set[str] = set()
    for module in iter_modules(types.__path__):
        if module.name.startswith(("call_", "conference_", "streaming_", "siprec_", "transcription_")):
            for model in vars(import_module(f"telnyx.types.{module.name}")).values():
                field = getattr(model, "model_fields", {}).get("event_type")
                literals = get_args(get_args(field.annotation)[0]) if field is not None else ()
                names |= {name for name in literals if isinstance(name, str)}
    return names


def test_every_call_event_of_the_vendor_library_is_known() -> None:
    names = names_of_the_library()
    assert {"call.initiated", "call.answered", "call.bridged", "call.hangup", "call.recording.saved"} <= names
    assert len(names) > 40
    for name in names:
        accepted = telnyx.parse(webhook_request({"data": {**body_of("x")["data"], "event_type": name}}), SETTINGS)
        assert not accepted.unknown, name
        if name not in ("call.initiated", "call.answered", "call.bridged", "call.hangup"):
            assert accepted.events == (), name


def test_events_of_other_products_are_unknown() -> None:
    for name in ("message.received", "fax.delivered", "call.teleported", "callhangup", "call.hangup.x", "number_order"):
        accepted = telnyx.parse(webhook_request({"data": {"event_type": name, "payload": {}}}), SETTINGS)
        assert (accepted.unknown, accepted.events, accepted.reply.status) == (True, (), 200), name


def test_callers_leg_is_never_an_employees_answer() -> None:
    began = single_event("initiated", direction="incoming", start_time=NOON.isoformat())
    assert (began.kind, began.leg, began.extension) == (Kind.RINGING, "L1", None)
    assert (began.direction, began.external, began.line, began.started_at) == (Direction.IN, CONTACT, OWN, NOON)
    assert (parse("answered").events, parse("bridged").events) == ((), ())
    ended = single_event("hangup", hangup_cause="normal_clearing", sip_hangup_cause="200")
    assert (ended.kind, ended.final, ended.outcome, ended.extension) == (Kind.ENDED, True, Outcome.CANCELLED, None)
    assert (ended.external, ended.line) == (CONTACT, OWN)


@pytest.mark.parametrize(
    ("to", "extension"),
    [
        (ANNA, "101"),
        ("sips:101@acme.sip.telnyx.com:5061;transport=tls", "101"),
        ("SIP:101@acme.sip.telnyx.com", "101"),
        ("101@acme.sip.telnyx.com", "101"),
        ("sip:gencredAbC123@sip.telnyx.com", "gencredAbC123"),
        ("sip:anna.petrova@sip.telnyx.com", "anna.petrova"),
        ("sip:anna%2Ep@sip.telnyx.com", "anna.p"),
        ("sip:101:secret@acme.example", "101"),
        ("101", "101"),
    ],
)
def test_leg_to_a_sip_address_is_the_phone_of_its_user(to: str, extension: str) -> None:
    for name, kind in {"initiated": Kind.RINGING, "answered": Kind.ANSWERED, "bridged": Kind.ANSWERED}.items():
        event = single_event(name, CONTACT, to)
        assert (event.kind, event.leg, event.extension) == (kind, "L1", extension)
        assert (event.direction, event.external, event.final) == (Direction.IN, CONTACT, False)


@pytest.mark.parametrize(
    ("caller", "external"),
    [
        ("+79101234567", "+79101234567"),
        ("+1-202-555-0133", "+1-202-555-0133"),
        ("sip:+79101234567@carrier.example;user=phone", "+79101234567"),
        ("8124040851@206.147.72.186:5060", "8124040851"),
        ("anonymous", ""),
        ("sip:anonymous@anonymous.invalid", ""),
        ("Restricted", ""),
        ("+0000000", ""),
        ("", ""),
    ],
)
def test_caller_is_a_number_or_withheld(caller: str, external: str) -> None:
    assert single_event("initiated", caller, ANNA).external == external
    assert single_event("initiated", caller, OWN, direction="incoming").external == external


def test_call_between_two_employees_is_internal() -> None:
    event = single_event("initiated", BORIS, ANNA)
    assert (event.direction, event.external, event.extension) == (Direction.INTERNAL, "102", "101")


CAUSES = {
    # (cause, SIP status): (outcome of a contact's leg, outcome of an employee's leg of an incoming call)
    ("user_busy", "486"): (Outcome.BUSY, Outcome.MISSED),
    ("call_rejected", "603"): (Outcome.BUSY, Outcome.MISSED),
    ("timeout", "487"): (Outcome.NO_ANSWER, Outcome.MISSED),
    ("no_answer", "480"): (Outcome.NO_ANSWER, Outcome.MISSED),
    ("originator_cancel", "487"): (Outcome.CANCELLED, Outcome.CANCELLED),
    ("not_found", "404"): (Outcome.UNAVAILABLE, Outcome.MISSED),
    ("time_limit", "200"): (Outcome.SUCCESS, Outcome.SUCCESS),
    ("normal_clearing", "200"): (None, None),
    ("normal_clearing", "503"): (None, None),
    ("unspecified", "503"): (Outcome.FAILED, Outcome.MISSED),
    ("unspecified", "unspecified"): (None, None),
    ("unspecified", "200"): (None, None),
    ("never_heard_of", "500"): (Outcome.FAILED, Outcome.MISSED),
    ("", ""): (None, None),
    ("USER_BUSY", "486"): (Outcome.BUSY, Outcome.MISSED),
}


@pytest.mark.parametrize(("cause", "sip"), CAUSES)
def test_hangup_cause_maps_to_an_outcome(cause: str, sip: str) -> None:
    payload = {"hangup_cause": cause, "sip_hangup_cause": sip}
    contacts, employees = CAUSES[cause, sip]
    assert single_event("hangup", OWN, CONTACT, state=THE_CONTACT, **payload).outcome == contacts
    assert single_event("hangup", CONTACT, ANNA, **payload).outcome == employees
    assert single_event("hangup", **payload).outcome is Outcome.CANCELLED


def test_every_hangup_cause_of_the_vendor_library_is_mapped() -> None:
    from telnyx.types.call_hangup import Payload

    field = Payload.model_fields["hangup_cause"]
    causes = set(get_args(get_args(field.annotation)[0]))
    assert causes == {cause for cause, _ in CAUSES} - {"", "never_heard_of", "USER_BUSY"}


def test_cleared_leg_is_a_success_only_after_an_answer() -> None:
    ring = body_of("initiated", CONTACT, ANNA, leg="A")
    answer = body_of("answered", CONTACT, ANNA, leg="A", after=5)
    bridge = body_of("bridged", CONTACT, ANNA, leg="A", after=6)
    end = body_of("hangup", CONTACT, ANNA, leg="A", after=65, hangup_cause="normal_clearing", sip_hangup_cause="200")
    over = body_of("hangup", leg="K", after=65, hangup_cause="normal_clearing", sip_hangup_cause="200")
    missed = fold(all_of(ring, end, over))
    assert (missed.outcome, missed.answered_by, missed.talk_seconds) == (Outcome.MISSED, None, None)
    talked = fold(all_of(ring, answer, bridge, end, over))
    assert (talked.outcome, talked.answered_by, talked.talk_seconds) == (Outcome.SUCCESS, "101", 60)
    # If call.answered is lost, only the second until call.bridged is missing.
    lost = fold(all_of(ring, bridge, end, over))
    assert (lost.outcome, lost.answered_by, lost.talk_seconds) == (Outcome.SUCCESS, "101", 59)


def test_answered_call_with_an_unspecified_cause_is_a_success() -> None:
    end = {"hangup_cause": "unspecified", "sip_hangup_cause": "unspecified"}
    call = fold(
        all_of(
            body_of("answered", OWN, CONTACT, state=THE_CONTACT),
            body_of("hangup", OWN, CONTACT, state=THE_CONTACT, after=30, **end),
            body_of("hangup", OWN, ANNA, state=EMPLOYEE, leg="E", after=30, **end),
        )
    )
    assert (call.outcome, call.talk_seconds, call.closed) == (Outcome.SUCCESS, 30, True)


def test_leg_between_unknown_numbers_is_a_callers_unless_dialled() -> None:
    for settings in ({}, {"caller_id": OWN}, {"lines": ""}, {"lines": None}):
        assert (
            single_event("initiated", CONTACT, SECOND_OWN, direction="incoming", settings=settings).line == SECOND_OWN
        )
        assert single_event("hangup", CONTACT, SECOND_OWN, settings=settings).final
        assert parse("initiated", CONTACT, MOBILE, direction="outgoing", settings=settings).events == ()


@pytest.mark.parametrize("lines", [f"{OWN},{SECOND_OWN}", f"{SECOND_OWN} , {OWN}", OWN])
def test_leg_to_a_mobile_phone_is_ignored_if_lines_are_listed(lines: str) -> None:
    settings = {"lines": lines, "caller_id": None, "sip_domain": None}
    for name in ("initiated", "answered", "bridged", "hangup"):
        assert parse(name, CONTACT, MOBILE, settings=settings).events == ()
    for own in (OWN, "sip:+74951230001@sip.telnyx.com", "+7 (495) 123-00-01"):
        assert single_event("hangup", CONTACT, own, settings=settings).final


def test_call_dialled_by_an_employee_is_outgoing() -> None:
    bodies = (
        body_of("initiated", ANNA, CONTACT, leg="E", direction="incoming", start_time=NOON.isoformat()),
        body_of("initiated", OWN, CONTACT, leg="C", after=1, direction="outgoing"),
        body_of("answered", OWN, CONTACT, leg="C", after=8),
        body_of("answered", ANNA, CONTACT, leg="E", after=8),
        body_of("bridged", OWN, CONTACT, leg="C", after=8),
        body_of("hangup", OWN, CONTACT, leg="C", after=28, hangup_cause="normal_clearing"),
        body_of("hangup", ANNA, CONTACT, leg="E", after=28, hangup_cause="normal_clearing"),
    )
    call = fold(all_of(*bodies))
    assert (call.direction, call.external, call.line, call.answered_by) == (Direction.OUT, CONTACT, OWN, "101")
    assert (call.outcome, call.talk_seconds, call.closed, call.started_at) == (Outcome.SUCCESS, 20, True, NOON)
    assert not call.picked_up
    # The application can answer the employee's own leg at once; that is not the contact's answer.
    unheard = fold(all_of(*(body for body in bodies if body["data"]["payload"]["call_leg_id"] == "E")))
    assert (unheard.outcome, unheard.closed) == (Outcome.NO_ANSWER, True)


def test_client_state_identifies_the_employee_of_a_mobile_phone() -> None:
    state = {"d": "in", "ext": "103", "n": CONTACT, "l": SECOND_OWN}
    for caller in (CONTACT, OWN):
        event = single_event("answered", caller, MOBILE, state=state)
        assert (event.kind, event.extension, event.direction) == (Kind.ANSWERED, "103", Direction.IN)
        assert (event.external, event.line) == (CONTACT, SECOND_OWN)
    assert single_event("answered", CONTACT, MOBILE, state={"d": "in"}).extension == MOBILE.strip("+")
    assert single_event("answered", CONTACT, ANNA, state={"d": "in", "ext": "103"}).extension == "103"


def test_leg_that_takes_over_a_call_is_a_transfer() -> None:
    events = parse("initiated", CONTACT, BORIS, leg="B", state={"d": "in", "t": "A"}).events
    assert [(event.kind, event.leg, event.extension) for event in events] == [
        (Kind.TRANSFERRED, "A", None),
        (Kind.RINGING, "B", "102"),
    ]
    assert len({event.digest() for event in events}) == 2
    assert len(parse("answered", CONTACT, BORIS, leg="B", state={"d": "in", "t": "A"}).events) == 1


@pytest.mark.parametrize(
    "state",
    [
        None,
        "",
        "aGF2ZSBhIG5pY2UgZGF5ID1d",
        "not base64!",
        "é",
        packed_state([]),
        packed_state("out"),
        packed_state({"d": "sideways"}),
        packed_state({"d": ["out"]}),
        packed_state({"leg": "employee"}),
        base64.b64encode(b"[" * 3000).decode(),
        base64.b64encode(b"\xff\xfe{}").decode(),
        base64.b64encode(b'{"d":"out","d":' + b"9" * 2000 + b"}").decode(),
        "A" * 100_000,
        17,
        {"d": "out"},
        ["d", "out"],
        True,
    ],
)
def test_foreign_client_state_is_ignored(state: object) -> None:
    body = body_of("answered", CONTACT, ANNA)
    body["data"]["payload"]["client_state"] = state
    assert telnyx.parse(webhook_request(body), SETTINGS).events == parse("answered", CONTACT, ANNA).events
    assert telnyx.next_step(webhook_request(body)) is None


def test_only_printable_text_of_a_client_state_is_used() -> None:
    odd = {"d": "out", "leg": "contact", "ext": 101, "n": ["+7"], "l": "\u202e+7", "t": None, "c": "x" * 300}
    event = single_event("answered", OWN, CONTACT, state=odd)
    assert (event.extension, event.external, event.line, event.leg) == (None, CONTACT, OWN, "out")


@pytest.mark.parametrize("name", ["call_session_id", "call_leg_id", "to"])
def test_webhook_without_call_leg_or_destination_is_rejected(name: str) -> None:
    values: tuple[object, ...] = ("", None, [], 1.5)
    for value in values:
        body = body_of("hangup")
        body["data"]["payload"][name] = value
        with pytest.raises(PayloadError):
            telnyx.parse(webhook_request(body), SETTINGS)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": None},
        {"data": []},
        {"data": {}},
        {"data": {"event_type": "call.hangup"}},
        {"data": {"event_type": "call.hangup", "payload": []}},
        {"data": {"event_type": "call.recording.saved", "payload": "x"}},
        {"data": {"event_type": ["call.hangup"], "payload": {}}},
        {"data": {"event_type": True}},
    ],
)
def test_body_that_is_not_a_webhook_is_rejected(body: object) -> None:
    with pytest.raises(PayloadError):
        telnyx.parse(webhook_request(body), {})


@pytest.mark.parametrize(
    "payload", ["", "yesterday", "2019-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "2026-03-01T12:00:00"]
)
def test_implausible_event_time_is_replaced_by_the_arrival(payload: str) -> None:
    body = body_of("answered", CONTACT, ANNA)
    body["data"]["occurred_at"] = payload
    (event,) = telnyx.parse(webhook_request(body, at=NOON + timedelta(seconds=3)), SETTINGS).events
    assert (event.at, event.at_is_arrival) == (NOON + timedelta(seconds=3), True)
