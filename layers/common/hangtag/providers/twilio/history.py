"""Twilio's lists of calls and recordings as events."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from hangtag.domain.calls.event import CallEvent, Direction
from hangtag.errors import UnreachableError
from hangtag.providers.base import Account, PbxClient
from hangtag.providers.call_control import Leg
from hangtag.providers.call_control_api import call_legs, readable, recording_events, timestamp
from hangtag.providers.reading import moment, need, text
from hangtag.providers.twilio.api import ACCOUNTS, API, account_path, send
from hangtag.providers.twilio.webhook import LEG_FIELDS, OUTCOMES, direction_of, leg_events, read_leg

_PAGE = 1000
_MAX_PAGES = 50
# Legs and recordings of a call can begin this much later than the call.
_LATER = timedelta(hours=1)


def history(account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
    """Yield the ends of all legs of the calls that began in the period, and their recordings."""
    # The StartTime of an answered leg is the time of the answer.
    legs = readable(_list(account, client, "Calls", "calls", "StartTime", since, until), _leg)
    calls = call_legs(legs, since, until)
    for parent, children in calls:
        yield from _call_events(parent, children)
    if calls:
        rows = _list(account, client, "Recordings", "recordings", "DateCreated", since, until)
        ids = {parent.id for parent, _ in calls}
        yield from recording_events(rows, ids, call_id="call_sid", created="date_created", reference=_recording)


def _leg(row: Mapping[str, Any]) -> Leg | None:
    """Return the leg of a row; None if it has not ended."""
    end = moment(text(row, "end_time")) or moment(text(row, "date_updated"))
    begun = moment(text(row, "date_created")) or moment(text(row, "start_time"))
    if end is None or begun is None or need(row, "status") not in OUTCOMES or not need(row, "sid"):
        return None
    return replace(read_leg({name: row.get(column) for name, column in LEG_FIELDS.items()}, end), begun=begun)


def _call_events(parent: Leg, children: list[Leg]) -> Iterator[CallEvent]:
    """Yield the events of one call: its own leg states the direction; an incoming call begins with the first ring."""
    direction = direction_of(parent)
    if direction is None:
        return
    incoming = direction is Direction.IN
    begun = min((leg.begun for leg in (children if incoming and children else [parent]) if leg.begun), default=None)
    hints = {"direction": str(direction), "line": parent.called if incoming else ""}
    for leg in (*children, parent):
        for event in leg_events(replace(leg, hints=hints), direction):
            yield replace(event, started_at=begun)


def _recording(row: Mapping[str, Any]) -> str:
    return text(row, "media_url", 2048) or API.base + need(row, "uri", 2048).removesuffix(".json")


def _list(
    account: Account, client: PbxClient, name: str, key: str, by: str, since: datetime, until: datetime
) -> Iterator[Mapping[str, Any]]:
    """Yield all rows of a list, page by page."""
    query = {f"{by}>": timestamp(since), f"{by}<": timestamp(until + _LATER), "PageSize": _PAGE}
    path: Any = f"{account_path(account)}/{name}.json?{urlencode(query)}"
    for _ in range(_MAX_PAGES):
        page = send(account, client, "GET", path)
        yield from API.rows(page.get(key))
        path = page.get("next_page_uri")
        if not path:
            return
        if not isinstance(path, str) or not path.startswith(ACCOUNTS):
            raise UnreachableError("Twilio's list continues at an address outside its API.")
    raise API.too_long(_MAX_PAGES)
