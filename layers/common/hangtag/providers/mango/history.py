"""Calls of Mango's extended statistics, as events that the fold merges with those of the webhook."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import UnreachableError
from hangtag.providers.base import Account, PayloadError, PbxClient
from hangtag.providers.mango.api import API, lenient_text, post, users
from hangtag.providers.mango.wire import (
    CALLBACK_LEG,
    RECORDING_ID,
    call_outcome,
    closing_events,
    employee,
    leg_outcome,
    number,
)
from hangtag.providers.reading import flag, moment, need, text, whole

__all__ = ["history"]

# One request covers at most a month, and the shortest month has 28 days.
_SPAN = timedelta(days=27)
# The vendor does not document the time zone of requests: a margin on both sides covers another zone than this one.
_ZONE = timezone(timedelta(hours=3))
_MARGIN = timedelta(hours=3)


def history(account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
    """Yield the events of calls that began in the given time. Unreadable rows are skipped."""
    # Legs name employees by user id.
    extensions = {
        lenient_text(general, "user_id"): lenient_text(telephony, "extension")
        for general, telephony in users(account, client, ("general.user_id",))
    }
    begin = since
    while begin < until:
        end = min(until, begin + _SPAN)
        for row in _rows(account, client, begin - _MARGIN, end + _MARGIN):
            try:
                started = moment(need(row, "context_start_time"))
                if started is not None and begin <= started < end:
                    yield from _call_events(row, started, extensions)
            except PayloadError:
                continue
        begin = end


_PAGE_SIZE = 500
_MAX_PAGES = 100


def _rows(account: Account, client: PbxClient, begin: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
    """Yield the statistics' rows, page by page."""
    time_format = "%d.%m.%Y %H:%M:%S"
    span = {
        "start_date": begin.astimezone(_ZONE).strftime(time_format),
        "end_date": end.astimezone(_ZONE).strftime(time_format),
    }
    for page in range(_MAX_PAGES):
        body = {**span, "limit": _PAGE_SIZE, "offset": page * _PAGE_SIZE}
        key = API.read(post(account, client, "/stats/calls/request/", body, limit="stats", safe=True)).get("key")
        if not isinstance(key, str) or not key:
            raise UnreachableError("Mango's response contains no key of the statistics.")
        rows = _export(account, client, key)
        yield from rows
        if len(rows) < _PAGE_SIZE:
            return
    raise API.too_long(_MAX_PAGES)


# Maximum polls for a statistics export.
_MAX_POLLS = 30


def _export(account: Account, client: PbxClient, key: str) -> Sequence[Mapping[str, Any]]:
    """Poll until the statistics are ready and return their rows. The client waits between polls, see `limits`."""
    for _ in range(_MAX_POLLS):
        response = post(account, client, "/stats/calls/result/", {"key": key}, limit="result", safe=True)
        if response.status == 204:
            continue
        content = API.read(response)
        status = lenient_text(content, "status")
        if status == "complete":
            days = API.rows(content.get("data"))
            return [row for day in days for row in _objects(day.get("list"))]
        if status not in ("request", "work"):
            raise UnreachableError("Mango did not produce the statistics. Try again later.")
    raise UnreachableError(f"Mango's statistics were not ready after {_MAX_POLLS} polls. Try again later.")


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


# The statistics number directions differently from notifications.
_DIRECTIONS = {"1": Direction.IN, "2": Direction.OUT, "3": Direction.INTERNAL}


def _call_events(row: Mapping[str, Any], started: datetime, extensions: Mapping[str, str]) -> Iterator[CallEvent]:
    """Yield the events of one call. Raises PayloadError."""
    direction = _DIRECTIONS.get(text(row, "context_type"))
    answered = (whole(row, "talk_duration") or 0) > 0
    caller = employee(extensions.get(text(row, "caller_id"), ""), row, "caller_number")
    outside = number(row, "called_number" if direction is Direction.OUT else "caller_number")
    legs = [leg for leg in _legs(row) if text(leg, "call_end_time")]
    reason = text(legs[-1], "call_end_reason") if legs else ""
    summary = CallEvent(
        call_id=need(row, "entry_id"),
        kind=Kind.SUMMARY,
        # Earlier than the webhook's summary, which overrides this one.
        at=started,
        direction=direction,
        external=caller if direction is Direction.INTERNAL else outside,
        line=number(row, "called_number") or None if direction is Direction.IN else None,
        outcome=call_outcome(answered, reason, direction),
        final=True,
        started_at=started,
    )
    answer_order = sorted((text(leg, "call_answer_time"), text(leg, "external_call_id")) for leg in legs)
    answered_legs = [key for answered_at, key in answer_order if answered_at]
    was_transferred = any(flag(leg, name) for leg in legs for name in ("BlindTransfer", "ConsultTransfer"))
    events: list[CallEvent] = []
    for leg in legs:
        leg_event = _leg(summary, row, leg, caller, extensions)
        leg_events = _leg_events(leg_event, leg)
        if leg_events and was_transferred and leg_event.leg in answered_legs[:-1]:
            transferred = replace(leg_events[-1], kind=Kind.TRANSFERRED, outcome=None, talk_seconds=None)
            leg_events.append(transferred)
        events += leg_events
        events += _recordings(summary, leg)
    ended_at = started + timedelta(seconds=whole(row, "duration") or 0)
    yield from closing_events(summary, answered, ended_at)
    yield from events


def _legs(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the legs of a call. A group is replaced by its members."""
    for leg in _objects(row.get("context_calls")):
        if text(leg, "call_type") == "group":
            yield from _objects(leg.get("members"))
        else:
            yield leg


# Values of `context_init_type` of calls that Mango started.
_CALLBACKS = ("4", "5", "6")


def _leg(
    summary: CallEvent, row: Mapping[str, Any], leg: Mapping[str, Any], caller: str, extensions: Mapping[str, str]
) -> CallEvent:
    """Return the fields that all events of a leg share."""
    is_out = summary.direction is Direction.OUT
    # A leg of an outgoing call is the caller's, unless the call was transferred to an employee.
    is_callers = is_out and text(leg, "call_type") != "user"
    short_number = extensions.get(text(leg, "call_abonent_id"), "")
    extension = caller if is_callers else employee(short_number, leg, "call_abonent_number")
    is_callback = is_out and text(row, "context_init_type") in _CALLBACKS
    # Older statistics contain no leg ids.
    key = CALLBACK_LEG.format(extension) if is_callback else text(leg, "external_call_id") or extension
    return replace(summary, leg=key, extension=extension or None, outcome=None, final=False, started_at=None, line=None)


def _leg_events(event: CallEvent, leg: Mapping[str, Any]) -> list[CallEvent]:
    """Return a leg's ring, answer and end.

    Milliseconds place them among the webhook's events of the same second: a ring first, an end last.
    """
    begun, answered, ended = (moment(text(leg, f"call_{name}_time")) for name in ("start", "answer", "end"))
    events = []
    if begun is not None:
        events.append(replace(event, kind=Kind.RINGING, at=begun + timedelta(milliseconds=1)))
    if answered is not None:
        events.append(replace(event, kind=Kind.ANSWERED, at=answered + timedelta(milliseconds=2)))
    if ended is not None:
        reason = text(leg, "call_end_reason")
        outcome = Outcome.SUCCESS if answered is not None else leg_outcome(reason, event.direction)
        talk_seconds = whole(leg, "talk_duration") if answered is not None else 0
        at = ended + timedelta(milliseconds=499)
        events.append(replace(event, kind=Kind.ENDED, at=at, outcome=outcome, talk_seconds=talk_seconds))
    return events


def _recordings(summary: CallEvent, leg: Mapping[str, Any]) -> Iterator[CallEvent]:
    references = leg.get("recording_id")
    for reference in references if isinstance(references, list) else []:
        if isinstance(reference, str) and RECORDING_ID.fullmatch(reference):
            yield CallEvent(call_id=summary.call_id, kind=Kind.RECORDED, at=summary.at, recording=reference)
