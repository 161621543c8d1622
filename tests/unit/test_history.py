"""Whatever one or two webhooks of a call told, and were lost, its PBX's history tells again: over all stories.

Also in `tests/integration/test_history.py`, with a day of calls on the stack.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest

from hangtag.domain.calls.event import CallEvent, Kind, Outcome
from hangtag.domain.calls.fold import Call
from hangtag.providers import load, provider_keys
from hangtag.services.integrations.reconciliation import lacks
from local.simulator.past import Sent
from local.simulator.rest import load as load_rest
from local.simulator.rest import serving
from local.simulator.story import Story, load_stories, message
from provider_stories import IDS, NOON, closed, line, settled
from test_provider_outgoing import Line as RestLine

BEGUN = NOON - timedelta(hours=1)
# Seconds: what is known by its arrival only differs by so much, and is left as it is.
TOLERANCE = 3
# What the histories do not carry, and why.
NOT_CARRIED: Mapping[str, frozenset[str]] = {
    # One row a call: when it began, who talked or was called last, and for how long. The waiting is left out.
    "zadarma": frozenset({"legs", "line", "answered_at", "ended_at"}),
    # One row a call, with the waiting only where somebody talked.
    "itoolabs": frozenset({"legs", "linked_call_id", "ended_at"}),
    # Every leg, but not in which order they rang.
    "twilio": frozenset({"legs"}),
    # The webhooks themselves.
    "telnyx": frozenset(),
    # Every leg, but neither its ringing nor the recordings, which are in no list.
    "vonage": frozenset({"legs", "recordings", "started_at"}),
    # One row a call, with its endpoints, but not that one was handed on.
    "sipgate": frozenset({"legs", "linked_call_id"}),
    # Every phone that rang, but neither the menu nor the queue, nor by which line a call went out.
    "mango": frozenset({"legs", "line"}),
    # Every leg, but not that it rang.
    "plivo": frozenset({"legs"}),
    # One row a call: whose phones rang, and that nobody answered at one of them, is left out.
    "ringostat": frozenset({"legs"}),
    # One row a call, likewise.
    "binotel": frozenset({"legs"}),
    # As the bridge remembers them: the events themselves.
    "generic": frozenset(),
    # When a call and its legs began and ended, and who took it; not when, and so not for how long was talked.
    "ringcentral": frozenset({"legs", "answered_at", "talk_seconds"}),
}
# That one employee handed the call to another is in the webhook alone: so what both talked is not added up.
NOT_CARRIED_OF_A_STORY = {
    ("twilio", "transfer_within_call"): frozenset({"talk_seconds", "answered_at"}),
    ("vonage", "transfer_within_call"): frozenset({"talk_seconds", "answered_at"}),
}

ABLE = [key for key in provider_keys() if load(key).supports("history")]
STORIES = [
    (provider, story)
    for provider in ABLE
    for story in load_stories(provider)
    # What a click began is known before any webhook.
    if not story.name.startswith("click_")
]

pytestmark = pytest.mark.usefixtures("_loopback")


@pytest.fixture
def _loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services may be on this machine."""
    monkeypatch.setenv("OUTBOUND_LOOPBACK", "true")


@dataclass(frozen=True, slots=True)
class Past:
    """A story: the events of each delivery, what the PBX's history tells of them by call, and when it ended."""

    provider: str
    deliveries: Sequence[Sequence[CallEvent]]
    history: Mapping[str, Sequence[CallEvent]]
    ended: datetime

    def without(self, lost: Sequence[int]) -> dict[str, Sequence[CallEvent]]:
        """The events of each call if these deliveries did not arrive."""
        told: dict[str, list[CallEvent]] = {call_id: [] for call_id in self.history}
        for number, events in enumerate(self.deliveries):
            for event in events:
                told.setdefault(event.call_id, [])
                if number not in lost:
                    told[event.call_id].append(event)
        return {call_id: tuple(events) for call_id, events in told.items()}

    def records(self, lost: Sequence[int]) -> dict[str, Call]:
        """Every call once the PBX was asked, and nothing comes any more."""
        made = {}
        for call_id, known in self.without(lost).items():
            told = self.history.get(call_id, ())
            added = told if lacks(known, told) else ()
            made[call_id] = closed([*known, *added], self.ended)
        return made


def play(provider: str, story: Story) -> Past:
    """A story through the provider's module, and through its fake REST API's history."""
    sender, at = line(provider), BEGUN
    sent, deliveries = [], []
    for event in story.events:
        at += timedelta(seconds=event.after)
        said = message(event, IDS, BEGUN, at)
        sent.append(Sent(said, at))
        deliveries.append(sender.accepted(sender.signed(said, at), at).events)
    api: Any = load_rest(provider)(sender.pbx.CREDENTIALS)
    api.remember(BEGUN, sent)
    history: dict[str, list[CallEvent]] = defaultdict(list)
    with serving(api) as server:
        asked = RestLine(provider, api, server)
        for told in load(provider).history(asked.account, BEGUN - timedelta(minutes=5), NOON, asked.door):
            history[told.call_id].append(told)
    return Past(provider, deliveries, history, at)


def losses(past: Past) -> Iterator[tuple[int, ...]]:
    """Every delivery alone, every two, and all."""
    numbers = range(len(past.deliveries))
    yield from combinations(numbers, 1)
    yield from combinations(numbers, 2)
    yield tuple(numbers)


def differences(provider: str, story: str, heard: Call, found: Call) -> dict[str, Any]:
    """The fields that the history carries, and that are not the same."""
    exempt = NOT_CARRIED[provider] | NOT_CARRIED_OF_A_STORY.get((provider, story), frozenset())
    ours, theirs = comparable(heard), comparable(found)
    return {
        name: (ours[name], theirs[name])
        for name in ours
        if name not in exempt and not is_same(ours[name], theirs[name])
    }


def comparable(call: Call) -> dict[str, Any]:
    names = ("direction", "external", "line", "closed", "outcome", "started_at", "answered_at", "ended_at",
             "talk_seconds", "answered_by", "end_unknown", "linked_call_id")  # fmt: skip
    record = {name: getattr(call, name) for name in names}
    record["recordings"] = {one.id for one in call.recordings}
    record["legs"] = [(leg.extension, leg.outcome, leg.answered, leg.talk_seconds) for leg in call.legs]
    return {**record, "data": dict(call.data)}


def is_same(one: Any, other: Any) -> bool:
    if isinstance(one, datetime) and isinstance(other, datetime):
        return abs((one - other).total_seconds()) <= TOLERANCE
    return bool(one == other)


def test_every_history_is_played() -> None:
    assert set(ABLE) == set(NOT_CARRIED)


@pytest.mark.parametrize(("provider", "story"), STORIES, ids=[f"{key}-{story.name}" for key, story in STORIES])
def test_whatever_is_lost_of_a_call_is_found_in_the_history(provider: str, story: Story) -> None:
    past = play(provider, story)
    undisturbed = past.records(())
    for lost in losses(past):
        found = past.records(lost)
        assert found.keys() == undisturbed.keys()
        for call_id, call in undisturbed.items():
            assert differences(provider, story.name, call, found[call_id]) == {}, lost


@pytest.mark.parametrize(("provider", "story"), STORIES, ids=[f"{key}-{story.name}" for key, story in STORIES])
def test_a_call_of_which_all_arrived_lacks_nothing(provider: str, story: Story) -> None:
    past = play(provider, story)
    found = {
        lacks(settled(known, past.ended), past.history.get(call_id, ())) for call_id, known in past.without(()).items()
    }
    # Telnyx tells of that recording's address first, and knows its lasting name in the list only.
    assert found == ({"recording"} if (provider, story.name) == ("telnyx", "recording_temporary") else {None})


AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RANG = CallEvent(call_id="A1", kind=Kind.RINGING, at=AT, leg="101", extension="101", external="+79101234567")
ANSWERED = replace(RANG, kind=Kind.ANSWERED, at=AT + timedelta(seconds=5))
ENDED = replace(
    RANG, kind=Kind.ENDED, at=AT + timedelta(seconds=65), outcome=Outcome.SUCCESS, talk_seconds=60, final=True
)
RECORDED = CallEvent(call_id="A1", kind=Kind.RECORDED, at=AT + timedelta(seconds=90), recording="r-1")


@pytest.mark.parametrize(
    ("known", "told", "missing"),
    [
        ((), (RANG, ANSWERED, ENDED), "call"),
        ((RANG, ANSWERED), (RANG, ANSWERED, ENDED), "end"),
        ((RANG,), (RANG, ANSWERED), "answer"),
        ((RANG, ANSWERED, ENDED), (ENDED, RECORDED), "recording"),
        ((RECORDED,), (RANG, ANSWERED, ENDED, RECORDED), "call"),
        ((RANG, ENDED), (RANG, ANSWERED, ENDED), None),
        ((ENDED,), (replace(ENDED, talk_seconds=61),), None),
        ((ENDED,), (replace(ENDED, at=ENDED.at + timedelta(seconds=1)),), None),
        ((ENDED,), (replace(ENDED, at=ENDED.at + timedelta(seconds=2)),), "details"),
        ((replace(ENDED, at_is_arrival=True),), (replace(ENDED, at=ENDED.at + timedelta(seconds=2)),), None),
        ((replace(ENDED, at_is_arrival=True),), (replace(ENDED, at=ENDED.at + timedelta(seconds=4)),), "details"),
        ((ENDED,), (replace(ENDED, line="+74951230001"),), "details"),
        ((ENDED,), (replace(ENDED, external="79101234567"),), None),
        ((ENDED,), (replace(ENDED, data={"utm": "spring"}),), "details"),
        ((ENDED,), (replace(ENDED, linked_call_id="B2"),), "details"),
        ((RANG, ANSWERED, ENDED), (replace(RANG, leg="102", extension="102"),), "details"),
        ((RANG, ANSWERED, ENDED), (), None),
    ],
)
def test_what_a_call_lacks(known: Sequence[CallEvent], told: Sequence[CallEvent], missing: str | None) -> None:
    assert lacks(known, told) == missing
