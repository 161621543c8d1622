"""What the fold promises of every call that could be, by Hypothesis."""

from dataclasses import replace
from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from call_strategies import CALLS, EVENTS
from calls_helpers import NOON
from hangtag.domain.calls.classify import PickUp, classify
from hangtag.domain.calls.event import MAX_EVENT_BYTES, CallEvent, Kind, Outcome, decode, encode
from hangtag.domain.calls.fold import fold


def doubles_removed(events: list[CallEvent]) -> list[CallEvent]:
    """The table's set of events: of two with the same digest the first one stays."""
    kept: dict[str, CallEvent] = {}
    for event in events:
        kept.setdefault(event.digest(), event)
    return list(kept.values())


@given(CALLS, st.randoms(use_true_random=False), st.integers(min_value=1, max_value=3))
def test_every_permutation_and_duplication_folds_to_the_same_record(
    events: list[CallEvent], random: Random, times: int
) -> None:
    """Promise: the fold is a function of the set of events; order and repetition do not matter."""
    events = doubles_removed(events)
    again = events * times
    random.shuffle(again)
    assert fold(again) == fold(events)
    assert fold(again).digest() == fold(events).digest()


@given(CALLS, EVENTS)
def test_a_final_end_never_reopens(events: list[CallEvent], more: CallEvent) -> None:
    """Promise: nothing supersedes `final`."""
    events = doubles_removed([*events, more])
    if any(said.final for said in events[:-1]):
        assert fold(events).closed


@given(CALLS, EVENTS)
def test_a_leg_that_ended_in_success_never_lives_again(events: list[CallEvent], more: CallEvent) -> None:
    """Promise: an end never reopens; at most another leg holds the call open."""
    before = {leg.key for leg in fold(events).legs if leg.outcome is Outcome.SUCCESS and not leg.live}
    transferred_or_ended = {
        event.leg
        for event in events
        if event.kind is Kind.TRANSFERRED or (event.kind is Kind.ENDED and event.outcome is Outcome.SUCCESS)
    }
    after = {leg.key for leg in fold(doubles_removed([*events, more])).legs if leg.live}
    assert not before & transferred_or_ended & after


@given(CALLS)
def test_an_open_call_has_no_outcome_and_no_duration_is_negative(events: list[CallEvent]) -> None:
    """Promise: a call has an outcome exactly when it is closed, and time never runs backwards in it."""
    call = fold(events)
    assert (call.outcome is not None) == call.closed
    assert call.talk_seconds is None or call.talk_seconds >= 0
    assert call.quiet_since is None or not call.closed


@given(CALLS, st.sets(st.sampled_from(["101", "102", "103"])), st.booleans(), st.none() | st.sampled_from(PickUp))
def test_every_closed_call_gets_either_a_tag_or_a_reason(
    events: list[CallEvent], mapped: set[str], employee: bool, clicked: PickUp | None
) -> None:
    """Promise: classify is total, and says exactly one of the two things."""
    call = fold(events)
    verdict = classify(call, mapped=mapped, external_is_employee=employee, pick_up=clicked)
    assert (verdict.tag is None) != (verdict.skip is None)
    assert (verdict.tag is None) == (verdict.direction is None)


@given(EVENTS)
def test_an_event_survives_the_table_and_keeps_its_digest(event: CallEvent) -> None:
    """Promise: what was written is what is folded; a double is known by its digest before and after."""
    stored = decode(event.call_id, encode(event))
    assert stored == event
    assert stored.digest() == event.digest()


@given(st.dictionaries(st.text(), st.text(), max_size=30), st.text(max_size=2000))
def test_an_encoded_event_has_at_most_a_kilobyte(data: dict[str, str], recording: str) -> None:
    """Promise: two hundred events fit an item, whatever a PBX puts into them."""
    event = CallEvent(
        call_id="c",
        kind=Kind.ENDED,
        at=NOON,
        outcome=Outcome.SUCCESS,
        recording=recording,
        data=data,
    )
    text = encode(event)
    assert len(text.encode()) <= MAX_EVENT_BYTES
    assert decode("c", text).outcome is Outcome.SUCCESS


@given(EVENTS, st.integers(min_value=1, max_value=9))
def test_two_arrivals_in_the_same_ten_seconds_are_doubles_and_others_are_not(event: CallEvent, seconds: int) -> None:
    """Promise: without an id or the PBX's clock, a double is told by the arrival, rounded to ten seconds."""
    first = replace(event, at=event.at.replace(second=0), at_is_arrival=True, event_id=None)
    double = replace(first, at=first.at + timedelta(seconds=seconds))
    later = replace(first, at=first.at + timedelta(seconds=10))
    assert double.digest() == first.digest()
    assert later.digest() != first.digest()
