"""Parties of a RingCentral session: roles, outcomes, transfers."""

from typing import Any

import pytest

from hangtag.domain.calls.classify import SkipReason, TagType
from hangtag.domain.calls.event import Direction, Outcome
from hangtag.domain.calls.fold import fold
from local.simulator.providers.ringcentral import pbx as simulator
from provider_stories import NOON
from ringcentral_helpers import (
    ANNA,
    BORIS,
    CONTACT,
    OWN,
    RINGCENTRAL,
    call_of,
    caller,
    contact,
    dialling,
    events_of,
    notice,
    party,
    ringing,
    verdict,
    webhook,
)


def test_call_through_a_menu_belongs_to_the_employee_it_reaches() -> None:
    call = call_of(
        notice(caller("Setup")),
        notice(ringing("Setup", own=simulator.MENU)),
        notice(caller("Answered"), after=0.1),
        notice(ringing("Disconnected", own=simulator.MENU), after=8.6),
        notice(ringing("Setup"), after=8.6),
        notice(ringing("Proceeding"), after=8.7),
        notice(ringing("Answered"), after=16),
        notice(ringing("Hold"), after=20),
        notice(ringing("Answered"), after=23),
        notice(ringing("Disconnected"), after=40),
        notice(caller("Disconnected"), after=40.1),
    )
    assert (call.direction, call.external, call.line) == (Direction.IN, CONTACT, OWN)
    assert (call.outcome, call.answered_by, call.extensions, call.talk_seconds) == (
        Outcome.SUCCESS,
        "101",
        ("101",),
        24,
    )
    assert call.started_at is not None
    assert call.started_at.replace(microsecond=0) == NOON


@pytest.mark.parametrize("menu", [simulator.MENU, "62242999999"])
def test_hangup_in_a_menu_is_a_missed_call(menu: str) -> None:
    call = call_of(
        notice(caller("Setup")),
        notice(ringing("Setup", own=menu)),
        notice(caller("Answered"), after=0.1),
        notice(ringing("Disconnected", own=menu), after=5),
        notice(caller("Disconnected"), after=5),
    )
    assert (call.outcome, call.extensions) == (Outcome.MISSED, ())
    assert verdict(call) == (TagType.MISSED_CALL, None)


def test_answer_of_a_mapped_queue_does_not_count() -> None:
    call = call_of(
        notice(caller("Setup")),
        notice(ringing("Proceeding", own=simulator.MENU), after=1),
        notice(ringing("Answered", own=simulator.MENU), after=2),
        notice(ringing("Proceeding"), after=3),
        notice(ringing("Disconnected", missedCall=True), after=20),
        notice(caller("Disconnected"), after=20),
    )
    assert (call.outcome, call.answered_by) == (Outcome.MISSED, None)
    assert verdict(call) == (TagType.MISSED_CALL, None)


@pytest.mark.parametrize("code", ["VoiceMail", "Voicemail", "VoiceMailScreening", "VMScreening"])
def test_call_answered_by_voice_mail_is_missed(code: str) -> None:
    begun = (
        notice(caller("Setup")),
        notice(ringing("Proceeding"), after=1),
        notice(ringing(code), after=20),
    )
    assert [event.outcome for event in events_of(begun[2])] == [Outcome.MISSED]
    call = call_of(*begun, notice(ringing("Disconnected"), after=50), notice(caller("Disconnected"), after=50))
    assert (call.outcome, call.answered_by, call.extensions) == (Outcome.MISSED, None, ("101",))


def test_unmapped_extension_keeps_its_internal_id() -> None:
    (event,) = events_of(notice(ringing("Proceeding", own="62264429999")))
    assert (event.extension, event.leg) == ("62264429999", "62264429999")
    (bare,) = RINGCENTRAL.parse(webhook(notice(ringing("Proceeding"))), {}).events
    assert (bare.extension, bare.leg) == (ANNA, ANNA)


@pytest.mark.parametrize("alone", [(dialling,), (contact,), (dialling, contact)])
def test_either_party_of_an_outgoing_call_is_sufficient(alone: tuple[Any, ...]) -> None:
    steps = (("Setup", 0), ("Proceeding", 1), ("Answered", 9), ("Disconnected", 60))
    call = call_of(*(notice(who(code), after=after) for code, after in steps for who in alone))
    assert (call.direction, call.external, call.line) == (Direction.OUT, CONTACT, OWN)
    assert (call.outcome, call.answered_by, call.talk_seconds, call.closed) == (Outcome.SUCCESS, "101", 51, True)
    assert len(call.legs) == 1


@pytest.mark.parametrize(
    ("reason", "out", "incoming"),
    [
        ("TargetBusy", Outcome.BUSY, Outcome.MISSED),
        ("Rejected", Outcome.BUSY, Outcome.MISSED),
        ("NoAnswer", Outcome.NO_ANSWER, Outcome.MISSED),
        ("Timeout", Outcome.NO_ANSWER, Outcome.MISSED),
        ("Cancelled", Outcome.CANCELLED, Outcome.CANCELLED),
        ("AgentAnswered", Outcome.CANCELLED, Outcome.CANCELLED),
        ("InvalidNumber", Outcome.UNAVAILABLE, Outcome.MISSED),
        ("NoSuchUser", Outcome.UNAVAILABLE, Outcome.MISSED),
        ("NotEnoughFunds", Outcome.NOT_ALLOWED, Outcome.MISSED),
        ("InternationalDisabled", Outcome.NOT_ALLOWED, Outcome.MISSED),
        ("InternalError", Outcome.FAILED, Outcome.MISSED),
        ("CallFinished", None, None),
        ("CallDropped", None, None),
        ("SomethingNew", None, None),
    ],
)
def test_reason_of_a_party_sets_the_outcome(reason: str, out: Outcome | None, incoming: Outcome | None) -> None:
    assert [event.outcome for event in events_of(notice(contact("Disconnected", reason)))] == [out]
    assert [event.outcome for event in events_of(notice(dialling("Disconnected", reason)))] == [out]
    assert [event.outcome for event in events_of(notice(ringing("Disconnected", reason)))] == [incoming]


def test_call_between_employees_gets_no_tag() -> None:
    boris = {"phoneNumber": "102", "extensionId": BORIS}
    anna = {"phoneNumber": "101", "extensionId": ANNA}
    call = call_of(
        notice(party("Outbound", "Setup", "", boris, anna, extensionId=ANNA)),
        notice(party("Inbound", "Proceeding", "", boris, anna, extensionId=BORIS), after=1),
        notice(party("Inbound", "Answered", "", boris, anna, extensionId=BORIS), after=5),
        notice(party("Inbound", "Disconnected", "", boris, anna, extensionId=BORIS), after=9),
        notice(party("Outbound", "Disconnected", "", boris, anna, extensionId=ANNA), after=9),
    )
    assert (call.direction, call.line) == (Direction.INTERNAL, None)
    assert verdict(call) == (None, SkipReason.INTERNAL)


@pytest.mark.parametrize("fetched_by", ["own", "other"])
def test_fetching_a_parked_call_is_internal(fetched_by: str) -> None:
    code, boris = {"phoneNumber": "*801"}, {"phoneNumber": OWN, "extensionId": BORIS}
    own = {"extensionId": BORIS} if fetched_by == "own" else {}
    way = "Outbound" if own else "Inbound"
    call = call_of(
        notice(party(way, "Proceeding", "", code, boris, **own)),
        notice(party(way, "Answered", "", code, boris, **own), after=1),
        notice(party(way, "Disconnected", "", code, boris, **own), after=9),
    )
    assert verdict(call) == (None, SkipReason.INTERNAL)


def test_number_after_a_feature_code_is_an_outgoing_call() -> None:
    hidden = {"phoneNumber": "*6779101234567"}
    (event,) = events_of(notice(party("Outbound", "Proceeding", "", hidden, {"extensionId": ANNA}, extensionId=ANNA)))
    assert event.direction is Direction.OUT


@pytest.mark.parametrize("origin", ["GreetingsRecording", "VerificationCall", "TestCall"])
def test_sessions_started_by_the_pbx_are_not_calls(origin: str) -> None:
    for code in ("Setup", "Proceeding", "Answered", "Disconnected"):
        result = RINGCENTRAL.parse(webhook(notice(ringing(code), origin=origin)), simulator.SETTINGS)
        assert (result.events, result.unknown) == ((), False)


def test_withheld_number_is_empty() -> None:
    for value in ({}, {"phoneNumber": "anonymous"}, {"phoneNumber": None}, {"name": "Unknown"}):
        (event,) = events_of(notice(party("Outbound", "Setup", "", {"phoneNumber": OWN}, value)))
        assert event.external == ""


def test_attended_transfer_links_the_next_session() -> None:
    peer = {"status": {"peerId": {"telephonySessionId": "s-2", "sessionId": "0", "partyId": "p-2"}}}
    call = call_of(
        notice(caller("Setup")),
        notice(ringing("Proceeding"), after=1),
        notice(ringing("Answered"), after=5),
        notice(caller("Gone", "AttendedTransfer", **peer), after=30),
        notice(ringing("Disconnected", "AttendedTransfer"), after=30),
    )
    assert (call.outcome, call.answered_by, call.talk_seconds) == (Outcome.SUCCESS, "101", 25)
    assert (call.linked_call_id, call.closed) == ("s-2", True)


@pytest.mark.parametrize("who", [dialling, contact])
def test_either_party_can_link_an_outgoing_call(who: Any) -> None:
    peer: dict[str, Any] = {"status": {"peerId": {"telephonySessionId": "s-2"}}}
    call = call_of(
        *(notice(item("Answered"), after=5) for item in (dialling, contact)),
        notice(who("Gone", "AttendedTransfer", **peer), after=30),
        notice(dialling("Disconnected", "AttendedTransfer"), after=30),
    )
    assert (call.outcome, call.answered_by, call.linked_call_id) == (Outcome.SUCCESS, "101", "s-2")


@pytest.mark.parametrize("reason", ["ParkLocation", "CallPark", "BlindTransfer"])
def test_talk_time_continues_after_a_call_is_parked(reason: str) -> None:
    begun = (
        notice(caller("Setup")),
        notice(ringing("Proceeding"), after=1),
        notice(ringing("Answered"), after=5),
    )
    parked = (*begun, notice(ringing("Disconnected", reason), after=30))
    assert not fold(event for step in parked for event in events_of(step)).closed
    call = call_of(
        *parked,
        notice(ringing("Answered", own=BORIS), after=50),
        notice(ringing("Disconnected", own=BORIS), after=80),
        notice(caller("Disconnected"), after=80),
    )
    assert (call.outcome, call.answered_by, call.talk_seconds) == (Outcome.SUCCESS, "102", 25 + 30)


def test_parked_call_fetched_in_another_session_is_a_success() -> None:
    peer: dict[str, Any] = {"status": {"peerId": {"telephonySessionId": "s-2"}}}
    call = call_of(
        notice(caller("Setup")),
        notice(ringing("Answered"), after=5),
        notice(ringing("Parked"), after=30),
        notice(ringing("Gone", "Pickup", **peer), after=50),
        notice(caller("Gone", "Pickup", **peer), after=50),
    )
    assert (call.outcome, call.answered_by, call.linked_call_id) == (Outcome.SUCCESS, "101", "s-2")
    assert verdict(call) == (TagType.CALL, None)


def test_call_pickup_counts_for_the_colleague_who_answers() -> None:
    call = call_of(
        notice(caller("Setup")),
        notice(ringing("Proceeding"), after=1),
        notice(ringing("Disconnected", "Pickup"), after=5),
        notice(ringing("Answered", own=BORIS), after=5),
        notice(ringing("Disconnected", own=BORIS), after=25),
        notice(caller("Disconnected"), after=25),
    )
    assert (call.outcome, call.answered_by, call.talk_seconds) == (Outcome.SUCCESS, "102", 20)


@pytest.mark.parametrize("reason", ["CallFlip", "CallSwitch"])
def test_call_moved_to_another_phone_continues(reason: str) -> None:
    begun = (notice(dialling("Setup")), notice(contact("Answered"), after=5))
    flipped = (*begun, notice(dialling("Disconnected", reason), after=30))
    assert not fold(event for step in flipped for event in events_of(step)).closed
    call = call_of(*flipped, notice(contact("Disconnected"), after=65))
    assert (call.direction, call.outcome, call.answered_by, call.talk_seconds) == (
        Direction.OUT,
        Outcome.SUCCESS,
        "101",
        60,
    )


def test_listening_supervisor_yields_no_events() -> None:
    assert events_of(notice(ringing("Gone", "Supervising"))) == ()


def test_forwarding_to_an_outside_phone_yields_no_events() -> None:
    outside = party("Inbound", "Proceeding", "", {"phoneNumber": "+79990001122"}, {"phoneNumber": CONTACT})
    assert events_of(notice(outside)) == ()
