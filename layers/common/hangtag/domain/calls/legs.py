"""Legs of a call: each extension's part, folded from its own events alone. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome

LIFECYCLE = (Kind.RINGING, Kind.ANSWERED, Kind.TRANSFERRED, Kind.ENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One extension's part in a call; times are UTC. `outcome` is None while the leg is live.

    `handed_over`: this leg passed the call on within the same call (a transfer without a linked call). `rounds` counts
    how often the extension rang: a queue can ring it again.
    """

    key: str
    extension: str | None
    outcome: Outcome | None
    answered: bool
    live: bool
    handed_over: bool
    talk_seconds: int | None
    rounds: int
    first_at: datetime
    rang_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None

    @property
    def talked(self) -> bool:
        """True if there was a conversation on this leg, or there is one now."""
        return self.outcome is Outcome.SUCCESS or (self.live and self.answered)


def fold_legs(ordered: Sequence[CallEvent], direction: Direction | None) -> tuple[Leg, ...]:
    """Fold a call's events into its legs, ordered by their first event. `ordered` is sorted by `order`."""
    by_leg: dict[str, list[CallEvent]] = defaultdict(list)
    for event in ordered:
        if event.kind in LIFECYCLE:
            by_leg[event.leg].append(event)
    if direction is Direction.OUT:
        _assign_answers(by_leg)
    unnamed = by_leg.get("", ())
    begun = any(event.kind is not Kind.ENDED for event in unnamed)
    whole = [event for event in unnamed if event.kind is Kind.ENDED and (event.final or not begun)]
    legs = _end_all([_fold_leg(key, events, direction) for key, events in by_leg.items()], by_leg, whole, direction)
    return tuple(sorted(_end_losers(legs), key=lambda leg: (leg.first_at, leg.key)))


def _assign_answers(by_leg: dict[str, list[CallEvent]]) -> None:
    """Assign answers without a leg to the only leg there is: an outgoing call's answer belongs to the caller's leg."""
    answers = [event for event in by_leg.get("", ()) if event.kind is Kind.ANSWERED]
    named = [key for key in by_leg if key]
    if not answers or len(named) != 1:
        return
    assigned = (replace(event, leg=named[0]) for event in answers)
    by_leg[named[0]] = sorted([*by_leg[named[0]], *assigned], key=order)
    by_leg[""] = [event for event in by_leg[""] if event not in answers]
    if not by_leg[""]:
        del by_leg[""]


def _end_all(
    legs: Sequence[Leg],
    by_leg: Mapping[str, Sequence[CallEvent]],
    whole: Sequence[CallEvent],
    direction: Direction | None,
) -> list[Leg]:
    """End the live legs when the PBX reports an end without a leg: such an end concerns all of them.

    Legs that were answered talked; the end is then theirs and not a leg of its own. After an end that is not final the
    call can continue: later rings stay live.
    """
    if not whole:
        return list(legs)
    talked = any(leg.answered for leg in legs if leg.key) and any(end.outcome is Outcome.SUCCESS for end in whole)
    ended = []
    for leg in legs:
        if leg.key and leg.live:
            ends = [_end_of_leg(end, leg) for end in whole if end.final or leg.first_at <= end.at]
            ended.append(_fold_leg(leg.key, sorted([*by_leg[leg.key], *ends], key=order), direction))
        elif leg.key or not talked:
            ended.append(leg)
        elif rest := [event for event in by_leg[""] if event not in whole]:
            ended.append(_fold_leg("", rest, direction))
    return ended


def _end_of_leg(end: CallEvent, leg: Leg) -> CallEvent:
    lost = end.outcome is Outcome.SUCCESS and not leg.answered
    leg_end = replace(end, leg=leg.key, extension=leg.extension)
    return replace(leg_end, outcome=Outcome.CANCELLED, talk_seconds=0) if lost else leg_end


def _fold_leg(key: str, events: Sequence[CallEvent], direction: Direction | None) -> Leg:
    ends = [event for event in events if event.kind is Kind.ENDED]
    answers = [event for event in events if event.kind is Kind.ANSWERED]
    rings = [event for event in events if event.kind is Kind.RINGING]
    transfers = [event for event in events if event.kind is Kind.TRANSFERRED]
    answered = bool(answers or transfers)
    talk = max((end.talk_seconds for end in ends if end.talk_seconds is not None), default=None)
    outcome = _outcome(ends, bool(transfers), answered, talk, direction)
    openings, live = _rounds(rings or answers, ends)
    if outcome is Outcome.SUCCESS:
        live = False
    ended_at = max((event.at for event in ends or transfers), default=None)
    answered_at = min((event.at for event in answers), default=None)
    return Leg(
        key=key,
        extension=next((event.extension for event in events if event.extension), None),
        outcome=None if live else outcome,
        answered=answered or outcome is Outcome.SUCCESS,
        live=live,
        handed_over=any(event.linked_call_id is None for event in transfers),
        talk_seconds=_talk(outcome, talk, answered_at, ended_at) if not live else None,
        rounds=openings,
        first_at=events[0].at,
        rang_at=min((event.at for event in rings), default=None),
        answered_at=answered_at,
        ended_at=None if live else ended_at,
    )


def _rounds(openings: Iterable[CallEvent], ends: Iterable[CallEvent]) -> tuple[int, bool]:
    """Count how often the leg was opened, and return True with the count if it is live.

    Duplicates are adjacent, so a run of openings is one opening. If a leg's events begin with an end, its opening was
    late; that opening belongs to the end and opens nothing. So a leg is live only if its events both begin and end with
    an opening.
    """
    both = sorted([*openings, *ends], key=order)
    runs = [opening for opening, _ in groupby(both, key=lambda event: event.kind is not Kind.ENDED)]
    return max(1, sum(runs)), bool(runs) and runs[0] and runs[-1]


def _outcome(
    ends: Sequence[CallEvent],
    transferred: bool,
    answered: bool,
    talk: int | None,
    direction: Direction | None,
) -> Outcome | None:
    """Return the leg's outcome, None if no event reports its end.

    If events contradict each other, the status decides: Success stands with no talk time, and a leg that was answered
    but ended Missed is missed. One fact outweighs the status: talk time on a leg that was answered.
    """
    outcomes = {end.outcome for end in ends if end.outcome is not None}
    spoke = answered and bool(talk)
    if transferred or Outcome.SUCCESS in outcomes or (ends and spoke):
        return Outcome.SUCCESS
    if not ends:
        return None
    if not outcomes:
        return Outcome.SUCCESS if answered or talk else not_reached(direction)
    return max((end for end in ends if end.outcome is not None), key=order).outcome


def not_reached(direction: Direction | None) -> Outcome:
    """Return the outcome of a leg or call that was not answered and has no reported status.

    An incoming call that was not answered is missed.
    """
    return Outcome.NO_ANSWER if direction is Direction.OUT else Outcome.MISSED


def _talk(
    outcome: Outcome | None,
    talk: int | None,
    answered_at: datetime | None,
    ended_at: datetime | None,
) -> int | None:
    if outcome is not Outcome.SUCCESS:
        return 0 if outcome is not None else None
    if talk is None and answered_at is not None and ended_at is not None:
        return max(0, round((ended_at - answered_at) / timedelta(seconds=1)))
    return talk


def _end_losers(legs: Sequence[Leg]) -> list[Leg]:
    """End the legs that only rang when another leg was answered, in case their own ends are lost."""
    answers: Mapping[str, datetime] = {
        leg.key: moment for leg in legs if leg.talked and (moment := leg.answered_at or leg.ended_at)
    }

    def lost(leg: Leg) -> bool:
        return leg.live and not leg.answered and any(leg.first_at <= at for at in answers.values())

    return [replace(leg, live=False, outcome=Outcome.CANCELLED, talk_seconds=0) if lost(leg) else leg for leg in legs]


_RANK = {
    Kind.RINGING: 0,
    Kind.PICKED_UP: 1,
    Kind.ANSWERED: 2,
    Kind.TRANSFERRED: 3,
    Kind.ENDED: 4,
    Kind.RECORDED: 5,
    Kind.SUMMARY: 6,
    Kind.SETTLED: 7,
}


def order(event: CallEvent) -> tuple[datetime, int, str]:
    """Return the sort key of an event: time, the natural order of kinds (clocks with whole seconds tie), digest."""
    return event.at, _RANK[event.kind], event.digest()
