"""Reconciliation of calls with one or two lost webhook requests from the call log of the PBX, over all stories.

`tests/integration/test_history.py` does the same with a day of calls on the stack.
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
# Seconds: tolerance of times that come from the arrival of a request.
TOLERANCE = 3
# Fields missing from the call logs, with the reason.
NOT_CARRIED: Mapping[str, frozenset[str]] = {
    # One row a call: its start, the last employee and the talk time, without the ringing time.
    "zadarma": frozenset({"legs", "line", "answered_at", "ended_at"}),
    # One row a call, with the ringing time of answered calls only.
    "itoolabs": frozenset({"legs", "linked_call_id", "ended_at"}),
    # Every leg, without the order of ringing.
    "twilio": frozenset({"legs"}),
    # The events of the webhooks.
    "telnyx": frozenset(),
    # Every leg, without its ringing and its recordings.
    "vonage": frozenset({"legs", "recordings", "started_at"}),
    # One row a call with its endpoints, without the transfers.
    "sipgate": frozenset({"legs", "linked_call_id"}),
    # Every phone that rang, without menus, queues and the line of outgoing calls.
    "mango": frozenset({"legs", "line"}),
    # Every leg, without its ringing.
    "plivo": frozenset({"legs"}),
    # One row a call, without the phones that rang.
    "ringostat": frozenset({"legs"}),
    # One row a call, without the phones that rang.
    "binotel": frozenset({"legs"}),
    # The bridge returns the events that it sent.
    "generic": frozenset(),
    # Start and end of the call and its legs, and the employee who answered, without the time of the answer.
    "ringcentral": frozenset({"legs", "answered_at", "talk_seconds"}),
}
# Only the webhook reports a transfer, so the talk times of both employees are not added.
NOT_CARRIED_OF_A_STORY = {
    ("twilio", "transfer_within_call"): frozenset({"talk_seconds", "answered_at"}),
    ("vonage", "transfer_within_call"): frozenset({"talk_seconds", "answered_at"}),
}

ABLE = [key for key in provider_keys() if load(key).supports("history")]
STORIES = [
    (provider, story)
    for provider in ABLE
    for story in load_stories(provider)
    # A click is stored before its first webhook request.
    if not story.name.startswith("click_")
]

pytestmark = pytest.mark.usefixtures("_loopback")


@pytest.fixture
def _loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services may be on this machine."""
    monkeypatch.setenv("OUTBOUND_LOOPBACK", "true")


@dataclass(frozen=True, slots=True)
class Past:
    """Played story: the events of each webhook request, the events in the PBX's call log by call, and its end."""

    provider: str
    requests: Sequence[Sequence[CallEvent]]
    history: Mapping[str, Sequence[CallEvent]]
    ended: datetime

    def without(self, lost: Sequence[int]) -> dict[str, Sequence[CallEvent]]:
        """Return the events of each call if these webhook requests were lost."""
        received: dict[str, list[CallEvent]] = {call_id: [] for call_id in self.history}
        for number, events in enumerate(self.requests):
            for event in events:
                received.setdefault(event.call_id, [])
                if number not in lost:
                    received[event.call_id].append(event)
        return {call_id: tuple(events) for call_id, events in received.items()}

    def records(self, lost: Sequence[int]) -> dict[str, Call]:
        """Return every call after the reconciliation and its last event."""
        records = {}
        for call_id, stored in self.without(lost).items():
            listed = self.history.get(call_id, ())
            added = listed if lacks(stored, listed) else ()
            records[call_id] = closed([*stored, *added], self.ended)
        return records


def play(provider: str, story: Story) -> Past:
    """Play a story through the provider's webhook and through the call log of its fake REST API."""
    sender, at = line(provider), BEGUN
    sent, requests = [], []
    for event in story.events:
        at += timedelta(seconds=event.after)
        payload = message(event, IDS, BEGUN, at)
        sent.append(Sent(payload, at))
        requests.append(sender.accepted(sender.signed(payload, at), at).events)
    api: Any = load_rest(provider)(sender.pbx.CREDENTIALS)
    api.remember(BEGUN, sent)
    history: dict[str, list[CallEvent]] = defaultdict(list)
    with serving(api) as server:
        pbx = RestLine(provider, api, server)
        for listed in load(provider).history(pbx.account, BEGUN - timedelta(minutes=5), NOON, pbx.client):
            history[listed.call_id].append(listed)
    return Past(provider, requests, history, at)


def losses(past: Past) -> Iterator[tuple[int, ...]]:
    """Yield the numbers of lost webhook requests: each one, each pair, and all."""
    numbers = range(len(past.requests))
    yield from combinations(numbers, 1)
    yield from combinations(numbers, 2)
    yield tuple(numbers)


def differences(provider: str, story: str, received: Call, reconciled: Call) -> dict[str, Any]:
    """Return the fields in the call log that differ."""
    exempt = NOT_CARRIED[provider] | NOT_CARRIED_OF_A_STORY.get((provider, story), frozenset())
    ours, theirs = comparable(received), comparable(reconciled)
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


def test_every_provider_with_history_is_compared() -> None:
    assert set(ABLE) == set(NOT_CARRIED)


@pytest.mark.parametrize(("provider", "story"), STORIES, ids=[f"{key}-{story.name}" for key, story in STORIES])
def test_history_restores_the_lost_webhooks_of_a_call(provider: str, story: Story) -> None:
    past = play(provider, story)
    complete = past.records(())
    for lost in losses(past):
        reconciled = past.records(lost)
        assert reconciled.keys() == complete.keys()
        for call_id, call in complete.items():
            assert differences(provider, story.name, call, reconciled[call_id]) == {}, lost


@pytest.mark.parametrize(("provider", "story"), STORIES, ids=[f"{key}-{story.name}" for key, story in STORIES])
def test_complete_call_needs_no_reconciliation(provider: str, story: Story) -> None:
    past = play(provider, story)
    missing = {
        lacks(settled(stored, past.ended), past.history.get(call_id, ()))
        for call_id, stored in past.without(()).items()
    }
    # Telnyx sends the address of that recording first; only the list contains its lasting name.
    assert missing == ({"recording"} if (provider, story.name) == ("telnyx", "recording_temporary") else {None})


AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RANG = CallEvent(call_id="A1", kind=Kind.RINGING, at=AT, leg="101", extension="101", external="+79101234567")
ANSWERED = replace(RANG, kind=Kind.ANSWERED, at=AT + timedelta(seconds=5))
ENDED = replace(
    RANG, kind=Kind.ENDED, at=AT + timedelta(seconds=65), outcome=Outcome.SUCCESS, talk_seconds=60, final=True
)
RECORDED = CallEvent(call_id="A1", kind=Kind.RECORDED, at=AT + timedelta(seconds=90), recording="r-1")


@pytest.mark.parametrize(
    ("stored", "listed", "missing"),
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
def test_missing_part_of_a_call_is_named(
    stored: Sequence[CallEvent], listed: Sequence[CallEvent], missing: str | None
) -> None:
    assert lacks(stored, listed) == missing
