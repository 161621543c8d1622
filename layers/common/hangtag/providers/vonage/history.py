"""Vonage's list of calls as events."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import Account, PbxClient
from hangtag.providers.call_control import Leg
from hangtag.providers.call_control_api import readable, timestamp
from hangtag.providers.reading import moment, need, text
from hangtag.providers.vonage.api import API, call_rows, send
from hangtag.providers.vonage.webhook import OUTCOMES, direction_of, leg_events, read_leg, rings_device

_PAGE = 100
_MAX_PAGES = 100
# Maximum length of a call: its last leg can begin this much later than its first.
_LONGEST = timedelta(hours=2)


def history(account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
    """Yield the ends of all legs of the calls that began in the period. Recordings are in no list."""
    calls: dict[str, list[Leg]] = defaultdict(list)
    # Without the earlier legs of its call, a leg would look like a separate call.
    for leg in readable(_list(account, client, since - _LONGEST, until + _LONGEST), _leg):
        calls[leg.call_id].append(leg)
    for legs in calls.values():
        if since <= min(leg.begun or leg.at for leg in legs) < until:
            yield from _call_events(legs)


def _leg(row: Mapping[str, Any]) -> Leg | None:
    """Return the leg of a row; None if it has not ended."""
    end = moment(text(row, "end_time"))
    if end is None or text(row, "status") not in OUTCOMES:
        return None
    ends = (_address(row.get("from")), _address(row.get("to")))
    begun = moment(text(row, "start_time"))
    return read_leg(row, need(row, "uuid"), ends, kind=Kind.ENDED, at=end, begun=begun)


def _address(endpoint: object) -> str:
    """Return the address of an endpoint of any type."""
    if not isinstance(endpoint, dict):
        return ""
    names = ("number", "uri", "user", "extension")
    return next((address for name in names if (address := text(endpoint, name))), "")


def _call_events(legs: Sequence[Leg]) -> Iterator[CallEvent]:
    """Yield the events of one call. Rows have no hints, so a leg from outside states the direction."""
    inbound = next((leg for leg in legs if leg.way == "inbound"), None)
    direction = direction_of(inbound) if inbound is not None else Direction.OUT
    only_devices = inbound is None and all(rings_device(leg) for leg in legs)
    line = inbound.called if inbound is not None and direction is Direction.IN else ""
    for leg in legs:
        if only_devices and leg.outcome is Outcome.SUCCESS:
            # The other leg continued in another call, so neither its party nor the direction is known.
            continue
        hints = {"direction": str(direction), "line": line}
        if inbound is None and rings_device(leg):
            hints["leg"] = "employee"
        for event in leg_events(replace(leg, hints=hints)):
            yield replace(event, started_at=leg.begun) if leg is inbound else event


def _list(account: Account, client: PbxClient, since: datetime, until: datetime) -> Iterator[Mapping[str, Any]]:
    """Yield all rows of the list of calls, page by page."""
    query = {"date_start": timestamp(since), "date_end": timestamp(until), "order": "asc", "page_size": _PAGE}
    index = 0
    for _ in range(_MAX_PAGES):
        page = send(account, client, "GET", f"/v1/calls?{urlencode({**query, 'record_index': index})}")
        rows = call_rows(page)
        yield from rows
        index += len(rows)
        count = page.get("count")
        if not rows or (type(count) is int and index >= count):
            return
    raise API.too_long(_MAX_PAGES)
