"""Legs of Mango Office calls: roles, parties, outcomes."""

from collections.abc import Mapping
from itertools import permutations

import pytest

from hangtag.domain.calls.classify import SkipReason, TagType, classify
from hangtag.domain.calls.event import Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.providers.base import (
    PayloadError,
)
from mango_helpers import INCOMING, OUTGOING, leg, parsed, single, story
from provider_stories import NOON


def test_seq_orders_events_of_the_same_second() -> None:
    """Three events of one second fold to one record in any order, also if repeated."""
    events = [*leg(**INCOMING, seq=1), *leg("Connected", **INCOMING, seq=2), *leg("Disconnected", **INCOMING, seq=3)]
    records = {fold([*order, *order]).digest() for order in permutations(events)}
    assert len(records) == 1
    call = fold(events)
    assert (call.outcome, call.answered_by) == (Outcome.SUCCESS, "101")
    # A late event with a smaller seq has no effect.
    assert fold([*events, *leg(**INCOMING, seq=1)]).digest() == call.digest()


def test_numeric_fields_are_accepted_as_text() -> None:
    at = str(int(NOON.timestamp()))
    party = {"extension": 101, "number": "sip:a@x.ru", "line_number": 74951234567}
    events = leg(timestamp=at, seq="1", **{"from": {"number": 79001234567}, "to": party})
    assert events == leg(**INCOMING)
    assert single(leg("Disconnected", **INCOMING, disconnect_reason="1121")).outcome is Outcome.BUSY


def test_implausible_timestamp_is_replaced_by_the_arrival() -> None:
    event = single(leg(**INCOMING, timestamp=1399906976))
    assert (event.at, event.at_is_arrival) == (NOON, True)


def test_words_with_cyrillic_lookalikes_are_recognised() -> None:
    assert single(leg("\u0410ppeared", **INCOMING)) == single(leg(**INCOMING))
    assert single(leg("\u0421\u043ennected", **INCOMING)).kind is Kind.ANSWERED
    added = parsed("events/recording", recording_id="r", recording_state="\u0421ompleted", recipient="\u0421l\u043eud")
    assert single(added.events).recording == "r"


@pytest.mark.parametrize("state", ["OnHold", "Teleported", ""])
def test_other_states_yield_no_events(state: str) -> None:
    assert leg(state, **INCOMING) == ()


def test_only_an_empty_list_can_replace_a_party() -> None:
    assert single(leg(**{"from": [], "to": []})).external == ""
    for party in ("", "x", [1], 5, True):
        with pytest.raises(PayloadError):
            leg(**{**INCOMING, "from": party})


@pytest.mark.parametrize(
    ("payload", "number"),
    [("79001234567", "79001234567"), ("+79001234567", "+79001234567"), ("sip:74951234567@x.ru", "74951234567"),
     ("sip:line00000@tech.mangosip.ru", ""), ("anonymous", ""), ("", ""), (None, "")],
)  # fmt: skip
def test_number_is_extracted_from_a_sip_address(payload: str | None, number: str) -> None:
    event = single(leg(**{"from": {"number": payload}, "to": {"extension": "101", "line_number": payload}}))
    assert (event.external, event.line) == (number, number or None)


def test_menu_reports_the_call_before_a_phone_rings() -> None:
    menu = {"location": "ivr", "from": {"number": "79001234567"}, "to": {"number": "74951234567"}}
    event = single(leg(**menu))
    assert (event.leg, event.extension, event.line) == ("", None, "74951234567")
    # The answer and the end of a menu yield no events.
    assert leg("Connected", **menu) == leg("Disconnected", **menu) == ()
    assert not fold([event]).closed


def test_call_dialled_by_an_employee_is_outgoing() -> None:
    event = single(leg(**OUTGOING))
    assert (event.direction, event.extension, event.external) == (Direction.OUT, "101", "79001234567")
    assert (event.line, event.reference) == (None, None)


def test_call_routed_by_a_command_stays_incoming() -> None:
    caller = {"number": "79001234567", "taken_from_call_id": "c0"}
    event = single(leg(**{**INCOMING, "from": caller}, command_id="c111"))
    assert (event.direction, event.extension, event.leg) == (Direction.IN, "101", "c1")


@pytest.mark.parametrize(
    ("reason", "outgoing", "incoming"),
    [
        ("1111", Outcome.NO_ANSWER, Outcome.MISSED),
        ("1121", Outcome.BUSY, Outcome.BUSY),
        ("1124", Outcome.BUSY, Outcome.BUSY),
        ("1133", Outcome.UNAVAILABLE, Outcome.UNAVAILABLE),
        ("1151", Outcome.NOT_ALLOWED, Outcome.NOT_ALLOWED),
        ("1193", Outcome.BUSY, Outcome.BUSY),
        ("3200", Outcome.UNAVAILABLE, Outcome.UNAVAILABLE),
        ("4219", Outcome.UNAVAILABLE, Outcome.UNAVAILABLE),
        ("1182", Outcome.CANCELLED, Outcome.CANCELLED),
        # These can follow an answer, so the answer decides.
        ("1100", None, None),
        ("1110", None, None),
        ("1120", None, None),
        ("2240", None, None),
        ("5003", None, None),
        ("110", None, None),
        ("", None, None),
    ],
)
def test_disconnect_reason_sets_the_leg_outcome(
    reason: str, outgoing: Outcome | None, incoming: Outcome | None
) -> None:
    assert single(leg("Disconnected", **OUTGOING, disconnect_reason=reason)).outcome is outgoing
    assert single(leg("Disconnected", **INCOMING, disconnect_reason=reason)).outcome is incoming


def test_transferred_party_marks_its_leg_as_transferred() -> None:
    for side in ("from", "to"):
        party = {**INCOMING[side], "was_transferred": True}
        kinds = [event.kind for event in leg("Disconnected", **{**INCOMING, side: party})]
        assert kinds == [Kind.TRANSFERRED, Kind.ENDED]
    transferred = {**INCOMING, "from": {"number": "79001234567", "taken_from_call_id": "c0"}}
    first, second = leg(**transferred, transfer="blind")
    assert (first.kind, first.leg, second.kind, second.leg) == (Kind.TRANSFERRED, "c0", Kind.RINGING, "c1")
    # The leg of a callback has another id; its own end reports the transfer.
    assert [event.kind for event in leg(**transferred, transfer="blind", callback_initiator="API")] == [Kind.RINGING]
    # A returned transfer rings an employee who was not on the previous leg.
    assert [event.kind for event in leg(**transferred, transfer="return_blind")] == [Kind.RINGING]


@pytest.mark.parametrize("by", [{}, {"command_id": "another-system-1"}, {"callback_initiator": "API"}])
def test_consultation_yields_no_events(by: Mapping[str, str]) -> None:
    """Also if another system requested it, or if the interrupted call began as a callback."""
    among = {"from": {"extension": "101", "taken_from_call_id": "c0"}, "to": {"extension": "102"},
             "transfer": "consultative", **by}  # fmt: skip
    assert leg(**among) == leg("Connected", **among) == leg("Disconnected", **among) == ()


def test_consultation_without_transfer_field_yields_no_events() -> None:
    among = {"from": {"extension": "101", "taken_from_call_id": "c0"}, "to": {"extension": "102"}}
    assert leg(**among) == leg("Connected", **among) == leg("Disconnected", **among) == ()


@pytest.mark.parametrize(
    ("number", "extension"),
    [("sip:dana.reid@acme.mangosip.ru", "dana.reid"), ("SIPS:dana@mangosip.ru:5061;transport=tls", "dana"),
     ("sip:dana@example.org", None), ("sip:dana@mangosip.ru.example.org", None), ("dana@acme.mangosip.ru", None),
     ("79001234567", None), ("", None)],
)  # fmt: skip
def test_sip_account_stands_in_for_a_missing_short_number(number: str, extension: str | None) -> None:
    event = single(leg(**{**INCOMING, "to": {"number": number, "line_number": "74951234567"}}))
    assert (event.direction, event.extension) == (Direction.IN, extension)
    short = {"extension": "29", "number": "sip:dana@acme.mangosip.ru"}
    assert single(leg(**{**INCOMING, "to": short})).extension == "29"


@pytest.mark.parametrize("name", ["answered_without_a_short_number", "outgoing_without_a_short_number"])
def test_sip_account_needs_a_mapping_to_an_employee(name: str) -> None:
    call, incoming = story(name), name.startswith("answered")
    verdict = classify(call, mapped=set(), external_is_employee=False)
    assert verdict.skip is SkipReason.UNKNOWN_EXTENSION
    verdict = classify(call, mapped={"dana"}, external_is_employee=False)
    assert (verdict.tag, verdict.direction) == (TagType.CALL, Direction.IN if incoming else Direction.OUT)
    assert call.external == "79101234567"


def test_employee_without_short_number_can_call() -> None:
    anna, dana = ({"number": f"sip:{name}@acme.mangosip.ru"} for name in ("anna", "dana"))
    event = single(leg(**{**OUTGOING, "from": dana}))
    assert (event.direction, event.extension, event.external) == (Direction.OUT, "dana", "79001234567")
    event = single(leg(**{"from": dana, "to": anna}))
    assert (event.direction, event.extension, event.external) == (Direction.INTERNAL, "anna", "dana")
