"""Plivo's lists of calls and recordings as events."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import Account, PbxClient
from hangtag.providers.call_control import Leg, digits, talked
from hangtag.providers.call_control_api import call_legs, readable, recording_events, timestamp
from hangtag.providers.plivo.api import rows
from hangtag.providers.plivo.webhook import direction_of, extension_of, leg_events, line_of, outcome_of
from hangtag.providers.reading import moment, need, text, whole

# A call can end, or its recording appear, this much later than it began.
_LATER = timedelta(hours=4)


def history(account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
    """Yield the ends of all legs of the calls that began in the period, and their recordings."""
    form = "%Y-%m-%d %H:%M:%S"
    period = {"gte": timestamp(since, form), "lt": timestamp(until + _LATER, form)}
    listed = rows(account, client, "Call/", {f"end_time__{name}": at for name, at in period.items()})
    calls = call_legs(readable(listed, _leg), since, until)
    for own, dialled in calls:
        yield from _call_events(own, dialled)
    if calls:
        listed = rows(account, client, "Recording/", {f"add_time__{name}": at for name, at in period.items()})
        ids = {own.id for own, _ in calls}
        yield from recording_events(listed, ids, call_id="call_uuid", created="add_time", reference=_recording)


def _leg(row: Mapping[str, Any]) -> Leg | None:
    """Return the leg of a row; None if it has no end."""
    end, answered = moment(text(row, "end_time")), text(row, "answer_time")
    begun = moment(text(row, "initiation_time")) or end
    if end is None or begun is None:
        return None
    parent, cause = text(row, "parent_call_uuid"), text(row, "hangup_cause_code")
    duration = whole(row, "call_duration")
    duration = duration if answered else 0
    if parent:
        outcome: Outcome | None = outcome_of(cause, duration)
    else:
        outcome = None if duration else Outcome.NO_ANSWER
    return Leg(
        id=need(row, "call_uuid"),
        kind=Kind.ENDED,
        at=end,
        parent=parent,
        way=text(row, "call_direction"),
        caller=text(row, "from_number"),
        called=text(row, "to_number"),
        outcome=outcome,
        talk_seconds=talked(outcome, duration),
        begun=begun,
    )


def _call_events(own: Leg, dialled: list[Leg]) -> Iterator[CallEvent]:
    """Yield the events of one call: its own leg states the direction and the line."""
    direction, clicked = direction_of(own), own.way == "outbound"
    hints = {"direction": str(direction), "line": line_of(own) or ""}
    if clicked:
        hints["extension"] = extension_of(own, own.called) or ""
    elif direction is Direction.OUT and dialled:
        hints["line"] = digits(dialled[0].caller)
    # The contact of a click sees a number of the account.
    legs = [leg if clicked and direction is Direction.OUT else replace(leg, caller=own.caller) for leg in dialled]
    for leg in (*legs, own):
        for event in leg_events(replace(leg, hints=hints), {}):
            yield replace(event, started_at=own.begun)


def _recording(row: Mapping[str, Any]) -> str:
    return need(row, "recording_url", 2048)
