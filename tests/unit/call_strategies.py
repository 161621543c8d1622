"""Generated calls: event sets that a PBX could send, plausible or not."""

from datetime import timedelta

from hypothesis import strategies as st

from calls_helpers import NOON
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome

EXTENSIONS = st.sampled_from(["101", "102", "103", ""])
SECONDS = st.integers(min_value=0, max_value=120)


@st.composite
def call_events(draw: st.DrawFn) -> CallEvent:
    """Draw any event of one call."""
    kind = draw(st.sampled_from(list(Kind)))
    extension = draw(EXTENSIONS)
    return CallEvent(
        call_id="call-1",
        kind=kind,
        at=NOON + timedelta(seconds=draw(SECONDS)),
        at_is_arrival=draw(st.booleans()),
        leg=extension,
        extension=extension or None,
        direction=draw(st.none() | st.sampled_from(list(Direction))),
        external=draw(st.none() | st.sampled_from(["", "79101234567", "102"])),
        line=draw(st.none() | st.just("74951234567")),
        outcome=draw(st.none() | st.sampled_from(list(Outcome))),
        talk_seconds=draw(st.none() | st.integers(min_value=0, max_value=600)),
        recording=draw(st.none() | st.sampled_from(["https://pbx/1", "https://pbx/2"])),
        recording_is_temporary=draw(st.booleans()),
        final=draw(st.sampled_from([False, False, False, True])),
        linked_call_id=draw(st.none() | st.just("call-2")),
        started_at=draw(st.none() | st.just(NOON)),
        legs=draw(st.integers(min_value=0, max_value=5)) if kind is Kind.SETTLED else None,
        forced=kind is Kind.SETTLED and draw(st.booleans()),
        event_id=draw(st.none() | st.sampled_from(["1", "2", "3"])),
        data=draw(st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=3), max_size=2)),
    )


CALLS = st.lists(call_events(), max_size=8)
EVENTS = call_events()
