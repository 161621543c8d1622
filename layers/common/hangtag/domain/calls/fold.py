"""Fold of a set of call events into the record of the call. Pure, total and independent of order."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.legs import Leg, fold_legs, not_reached, order

__all__ = ["Call", "Leg", "Recording", "fold"]


@dataclass(frozen=True, slots=True)
class Recording:
    """Place of a recording: a URL or the provider's reference. A temporary one can be fetched once."""

    url: str
    temporary: bool

    @property
    def id(self) -> str:
        """16 hexadecimal characters that identify the recording within its call."""
        return hashlib.sha256(self.url.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Record of one call. Times are UTC, durations whole seconds.

    `outcome` is None while the call is open. `answered_by` is the extension that talked (the last one, after a
    transfer). `rounds` is the number of rings. `quiet_since` is the time of the last change, set when no leg is live
    but the call can continue. `end_unknown`: closed by the time limit, without a hang-up. `picked_up`: the employee's
    own phone was picked up, in a call that rings it first. `reference` is Hangtag's id of the click that began the
    call, if the PBX returned it.
    """

    call_id: str = ""
    direction: Direction | None = None
    external: str | None = None
    line: str | None = None
    closed: bool = False
    outcome: Outcome | None = None
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    talk_seconds: int | None = None
    answered_by: str | None = None
    legs: tuple[Leg, ...] = ()
    rounds: int = 0
    quiet_since: datetime | None = None
    end_unknown: bool = False
    picked_up: bool = False
    linked_call_id: str | None = None
    reference: str | None = None
    recordings: tuple[Recording, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)

    @property
    def recording(self) -> Recording | None:
        """The last recording that the PBX named."""
        return self.recordings[-1] if self.recordings else None

    @property
    def extensions(self) -> tuple[str, ...]:
        """The extensions that rang, in order."""
        return tuple(leg.extension for leg in self.legs if leg.extension)

    def digest(self) -> str:
        """Return 32 hexadecimal characters of the whole record: two records are equal if their digests are."""
        text = json.dumps(asdict(self), sort_keys=True, default=_plain)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value))


def fold(events: Iterable[CallEvent]) -> Call:
    """Fold events into the record of their call. Permutations and repetitions of the events give an equal record."""
    ordered = sorted({event.digest(): event for event in events}.values(), key=order)
    if not ordered:
        return Call()
    direction = next((event.direction for event in ordered if event.direction), None)
    legs = fold_legs(ordered, direction)
    rounds = sum(leg.rounds for leg in legs)
    settled = _settled(ordered, legs, rounds)
    closed = settled is not None or any(event.final for event in ordered) or _hung_up(legs)
    winner = _winner(legs)
    summary = _summary(ordered)
    end_unknown = closed and settled is not None and settled.forced and not _end_known(legs, winner)
    outcome = _outcome(legs, winner, summary, direction) if closed else None
    talk = _talk_seconds(legs, winner, summary) if outcome is Outcome.SUCCESS else None
    ended_at = _ended_at(legs, winner) if closed and not end_unknown else None
    live = any(leg.live for leg in legs)
    return Call(
        call_id=ordered[0].call_id,
        direction=direction,
        external=_external(ordered),
        line=next((event.line for event in ordered if event.line), None),
        closed=closed,
        outcome=outcome,
        started_at=_started_at(ordered, legs),
        answered_at=_answered_at(winner, talk),
        ended_at=ended_at,
        talk_seconds=talk,
        answered_by=winner.extension if winner else None,
        legs=legs,
        rounds=rounds,
        quiet_since=_last_change(legs) if legs and not live and not closed else None,
        end_unknown=end_unknown,
        picked_up=any(event.kind is Kind.PICKED_UP for event in ordered),
        linked_call_id=next((event.linked_call_id for event in ordered if event.linked_call_id), None),
        reference=next((event.reference for event in ordered if event.reference), None),
        recordings=_recordings(ordered),
        data={name: value for event in ordered for name, value in event.data.items()},
    )


def _settled(ordered: Sequence[CallEvent], legs: Sequence[Leg], rounds: int) -> CallEvent | None:
    """Return the settlement that still holds: no ring since, and either no leg is live or it was forced."""
    live = any(leg.live for leg in legs)
    holding = [
        event for event in ordered if event.kind is Kind.SETTLED and event.legs == rounds and (event.forced or not live)
    ]
    # An unforced settlement carries more information: the end was reported.
    return min(holding, key=lambda event: (event.forced, order(event)), default=None)


def _hung_up(legs: Sequence[Leg]) -> bool:
    """Return True if a successful leg has ended, no other leg is live, and the call was not handed over within
    itself.
    """
    if any(leg.live for leg in legs):
        return False
    return any(leg.outcome is Outcome.SUCCESS and not leg.handed_over for leg in legs)


def _winner(legs: Sequence[Leg]) -> Leg | None:
    """Return the leg that talked: after a transfer the last one, and one that handed over only if no other talked."""

    def last(leg: Leg) -> tuple[bool, bool, datetime, str]:
        moment = leg.answered_at or leg.ended_at or leg.first_at
        return (not leg.handed_over, leg.outcome is Outcome.SUCCESS, moment, leg.key)

    return max((leg for leg in legs if leg.talked), key=last, default=None)


def _summary(ordered: Sequence[CallEvent]) -> CallEvent | None:
    """Return the latest summary event; its values override those of live events."""
    return next((event for event in reversed(ordered) if event.kind is Kind.SUMMARY), None)


def _outcome(
    legs: Sequence[Leg],
    winner: Leg | None,
    summary: CallEvent | None,
    direction: Direction | None,
) -> Outcome:
    if summary is not None and summary.outcome is not None:
        return summary.outcome
    if winner is not None:
        return Outcome.SUCCESS
    if direction is not Direction.OUT:
        return Outcome.MISSED
    ended = [leg for leg in legs if leg.outcome is not None and leg.ended_at is not None]
    last = max(ended, key=lambda leg: (leg.ended_at or leg.first_at, leg.key), default=None)
    return (last.outcome if last else None) or not_reached(direction)


def _talk_seconds(legs: Sequence[Leg], winner: Leg | None, summary: CallEvent | None) -> int | None:
    if summary is not None and summary.talk_seconds is not None:
        return summary.talk_seconds
    if winner is None or winner.talk_seconds is None:
        return None
    before = (leg.talk_seconds or 0 for leg in legs if leg.handed_over and leg is not winner)
    return winner.talk_seconds + sum(before)


def _end_known(legs: Sequence[Leg], winner: Leg | None) -> bool:
    if winner is not None:
        return winner.ended_at is not None
    return bool(legs) and not any(leg.live for leg in legs)


def _external(ordered: Sequence[CallEvent]) -> str | None:
    numbers = [event.external for event in ordered if event.external is not None]
    return next((number for number in numbers if number), "" if numbers else None)


def _started_at(ordered: Sequence[CallEvent], legs: Sequence[Leg]) -> datetime | None:
    reported = min((event.started_at for event in ordered if event.started_at), default=None)
    if reported is not None or not legs:
        return reported
    return min(_leg_start(leg) for leg in legs)


def _leg_start(leg: Leg) -> datetime:
    """Return when the leg began. A leg known only by its end began its talk time earlier."""
    if leg.rang_at is None and leg.answered_at is None and leg.talk_seconds:
        return leg.first_at - timedelta(seconds=leg.talk_seconds)
    return leg.first_at


def _answered_at(winner: Leg | None, talk: int | None) -> datetime | None:
    if winner is None or winner.answered_at is not None:
        return winner.answered_at if winner else None
    if winner.ended_at is None or talk is None:
        return None
    return winner.ended_at - timedelta(seconds=talk)


def _ended_at(legs: Sequence[Leg], winner: Leg | None) -> datetime | None:
    if winner is not None:
        return winner.ended_at
    return max((leg.ended_at for leg in legs if leg.ended_at is not None), default=None)


def _last_change(legs: Sequence[Leg]) -> datetime:
    return max(leg.ended_at or leg.first_at for leg in legs)


def _recordings(ordered: Sequence[CallEvent]) -> tuple[Recording, ...]:
    """Return all recordings, ordered by their last mention. Temporary addresses count only without others."""
    recordings: dict[str, Recording] = {}
    for event in ordered:
        if event.recording:
            before = recordings.pop(event.recording, None)
            temporary = event.recording_is_temporary and (before is None or before.temporary)
            recordings[event.recording] = Recording(event.recording, temporary)
    lasting = tuple(recording for recording in recordings.values() if not recording.temporary)
    return lasting or tuple(recordings.values())
