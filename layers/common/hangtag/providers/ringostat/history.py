"""Calls of Ringostat's call log, as events that the fold merges with those of the webhook."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from hangtag.domain.calls.event import CallEvent, Direction, Kind
from hangtag.providers.base import Account, PayloadError, PbxClient
from hangtag.providers.reading import moment, need, text, zone
from hangtag.providers.ringostat.api import API, request
from hangtag.providers.ringostat.webhook import call_event

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["MAX_ROWS", "history"]

_FIELDS = (
    "uniqueid,calldate,call_type,caller,dst,outbound_number,connected_with,disposition,billsec,waittime,recording,"
    "has_recording"
)
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
# Maximum rows in a response; the call log does not report that there are more.
MAX_ROWS = 6500
_SHORTEST_SPAN = timedelta(minutes=1)


def history(account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
    """Yield the events of calls that began in the given time. Unreadable rows are skipped.

    The call log's times are in the project's time zone.
    """
    clock = zone(str(account.settings.get("time_zone") or account.time_zone)) or zone("UTC")
    for row in _rows(account, client, since.astimezone(clock), until.astimezone(clock)):
        event = _row_event(row, clock)
        if event is not None:
            yield event


def _rows(account: Account, client: PbxClient, begin: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a span. A span with as many rows as a response can hold is split in half."""
    query = urlencode(
        {
            "export_type": "json",
            "from": begin.strftime(_TIME_FORMAT),
            "to": end.strftime(_TIME_FORMAT),
            "fields": _FIELDS,
        }
    )
    rows = API.rows(request(account, client, f"/calls/list?{query}"))
    if len(rows) < MAX_ROWS or end - begin <= _SHORTEST_SPAN:
        yield from rows
        return
    middle = begin + (end - begin) / 2
    yield from _rows(account, client, begin, middle)
    # Both ends of a span are included, to the second.
    yield from _rows(account, client, middle + timedelta(seconds=1), end)


def _row_event(row: Mapping[str, Any], clock: "ZoneInfo | None") -> CallEvent | None:
    """Return the end of one row's call; None if the row is unreadable."""
    try:
        direction = Direction.OUT if text(row, "call_type").lower().endswith("out") else Direction.IN
        started_at = moment(need(row, "calldate"), clock)
        return call_event(row, direction, Kind.ENDED, started_at, clock) if started_at is not None else None
    except PayloadError:
        return None
