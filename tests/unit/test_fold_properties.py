"""Properties of the fold for any call, tested with Hypothesis."""

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


def without_duplicates(events: list[CallEvent]) -> list[CallEvent]:
    """Return the table's set of events: the first one of each digest."""
    unique: dict[str, CallEvent] = {}
    for event in events:
        unique.setdefault(event.digest(), event)
    return list(unique.values())


@given(CALLS, st.randoms(use_true_random=False), st.integers(min_value=1, max_value=3))
def test_order_or_repetition_of_events_does_not_change_the_record(
    events: list[CallEvent], random: Random, times: int
) -> None:
    """Promise: the fold is a function of the set of events; order and repetition do not matter."""
    events = without_duplicates(events)
    again = events * times
    random.shuffle(again)
    assert fold(again) == fold(events)
    assert fold(again).digest() == fold(events).digest()


@given(CALLS, EVENTS)
def test_a_call_with_a_final_end_never_reopens(events: list[CallEvent], more: CallEvent) -> None:
    """Promise: nothing supersedes `final`."""
    events = without_duplicates([*events, more])
    if any(earlier.final for earlier in events[:-1]):
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
    after = {leg.key for leg in fold(without_duplicates([*events, more])).legs if leg.live}
    assert not before & transferred_or_ended & after


@given(CALLS)
def test_exactly_the_closed_calls_have_an_outcome(events: list[CallEvent]) -> None:
    """Promise: a call has an outcome exactly when it is closed, and time never runs backwards in it."""
    call = fold(events)
    assert (call.outcome is not None) == call.closed
    assert call.talk_seconds is None or call.talk_seconds >= 0
    assert call.quiet_since is None or not call.closed


@given(CALLS, st.sets(st.sampled_from(["101", "102", "103"])), st.booleans(), st.none() | st.sampled_from(PickUp))
def test_every_closed_call_gets_either_a_tag_or_a_reason(
    events: list[CallEvent], mapped: set[str], employee: bool, pick_up: PickUp | None
) -> None:
    """Promise: classify is total, and returns exactly one of the two."""
    call = fold(events)
    verdict = classify(call, mapped=mapped, external_is_employee=employee, pick_up=pick_up)
    assert (verdict.tag is None) != (verdict.skip is None)
    assert (verdict.tag is None) == (verdict.direction is None)


@given(EVENTS)
def test_a_decoded_event_equals_the_encoded_one(event: CallEvent) -> None:
    """Promise: decoding inverts encoding, and duplicates have equal digests before and after."""
    stored = decode(event.call_id, encode(event))
    assert stored == event
    assert stored.digest() == event.digest()


@given(st.dictionaries(st.text(), st.text(), max_size=30), st.text(max_size=2000))
def test_an_encoded_event_has_at_most_a_kilobyte(data: dict[str, str], recording: str) -> None:
    """Promise: two hundred events fit into an item, for any content."""
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
def test_arrivals_in_the_same_ten_seconds_are_duplicates(event: CallEvent, seconds: int) -> None:
    """Promise: without an id or the PBX's clock, a duplicate is detected by its arrival, rounded to ten seconds."""
    first = replace(event, at=event.at.replace(second=0), at_is_arrival=True, event_id=None)
    duplicate = replace(first, at=first.at + timedelta(seconds=seconds))
    later = replace(first, at=first.at + timedelta(seconds=10))
    assert duplicate.digest() == first.digest()
    assert later.digest() != first.digest()
