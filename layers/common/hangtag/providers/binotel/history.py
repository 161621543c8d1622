"""Calls of Binotel's history, as events that the fold merges with those of the webhook."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from hangtag.domain.calls.event import CallEvent
from hangtag.providers.base import Account, PayloadError, PbxClient
from hangtag.providers.binotel.api import request, rows
from hangtag.providers.binotel.calls import completed_events

__all__ = ["history"]

# One request covers at most a day.
_SPAN = timedelta(hours=24)


def history(account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
    """Yield the events of calls that began in the given time, one request per day. Unreadable rows are skipped."""
    begin = since
    while begin < until:
        end = min(until, begin + _SPAN)
        body = {"startTime": int(begin.timestamp()), "stopTime": int(end.timestamp())}
        for row in rows(request(account, client, "stats/list-of-calls-for-period", body).get("callDetails")):
            try:
                yield from completed_events(row, None)
            except PayloadError:
                continue
        begin = end
