"""Zadarma's statistics as events."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import Account, PayloadError, PbxClient
from hangtag.providers.reading import flag, moment, need, text, whole, zone
from hangtag.providers.zadarma.api import API, request
from hangtag.providers.zadarma.webhook import outcome

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["history"]

_PAGE = 1000
_MAX_SPAN = timedelta(days=30)


def history(account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
    """Yield the events of the PBX's statistics, requested by month and page; its clock is the account's."""
    clock = zone(str(account.settings.get("time_zone") or account.time_zone)) or zone("UTC")
    begin = since
    while begin < until:
        end = min(until, begin + _MAX_SPAN)
        for direction in (Direction.IN, Direction.OUT):
            for row in _rows(account, client, (begin, end), clock, direction):
                yield from _events(row, direction, clock)
        begin = end


def _rows(
    account: Account,
    client: PbxClient,
    span: tuple[datetime, datetime],
    clock: tzinfo | None,
    direction: Direction,
) -> Iterator[Mapping[str, Any]]:
    start, end = (at.astimezone(clock).strftime("%Y-%m-%d %H:%M:%S") for at in span)
    skip = 0
    while True:
        parameters = {
            "start": start,
            "end": end,
            "version": "2",
            "call_type": str(direction),
            "skip": str(skip),
            "limit": str(_PAGE),
        }
        response = request(account, client, "GET", "/v1/statistics/pbx/", parameters, limit="statistics")
        rows = API.rows(response.get("stats"))
        yield from rows
        if len(rows) < _PAGE:
            return
        skip += len(rows)


def _events(row: Mapping[str, Any], direction: Direction, clock: "ZoneInfo | None") -> Iterator[CallEvent]:
    """Yield the events of one row. An unreadable row yields none."""
    try:
        started_at = moment(need(row, "callstart"), clock)
        call_id = need(row, "pbx_call_id")
        disposition = text(row, "disposition")
        talked = whole(row, "seconds") or 0
        sip, destination = text(row, "sip"), text(row, "destination")
        caller = text(row, "clid")
    except PayloadError:
        return
    if started_at is None:
        return
    # The employee's extension is `destination` in an incoming call, `sip` in an outgoing one.
    extension = (sip if direction is Direction.OUT else destination) or None
    result = outcome(disposition, direction)
    yield CallEvent(
        call_id=call_id,
        kind=Kind.ENDED,
        at=started_at + timedelta(seconds=talked),
        leg=extension or "",
        direction=direction,
        external=destination if direction is Direction.OUT else caller,
        extension=extension,
        outcome=result,
        talk_seconds=talked if result is Outcome.SUCCESS else 0,
        final=True,
        started_at=started_at,
    )
    if flag(row, "is_recorded"):
        yield CallEvent(call_id=call_id, kind=Kind.RECORDED, at=started_at, recording=text(row, "call_id"))
