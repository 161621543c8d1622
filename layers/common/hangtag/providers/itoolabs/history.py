"""The VATS's history as events."""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from hangtag.domain.calls.event import CallEvent
from hangtag.providers.base import (
    Account,
    PayloadError,
    PbxClient,
)
from hangtag.providers.itoolabs.api import is_legacy, legacy_request, request, rows
from hangtag.providers.itoolabs.webhook import ended_event

__all__ = ["history"]

_STAMP = "%Y%m%dT%H%M%SZ"
_MAX_ROWS = 100_000


def history(account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
    """Yield the final events of the calls of that period. Unreadable rows are skipped."""
    span = {"start": since.astimezone(UTC).strftime(_STAMP), "end": until.astimezone(UTC).strftime(_STAMP)}
    calls = _legacy_rows(account, client, span) if is_legacy(account) else _rows(account, client, span)
    for row in calls:
        try:
            yield ended_event(row, None)
        except PayloadError:
            continue


def _rows(account: Account, client: PbxClient, span: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    parameters = urlencode({**span, "type": "all", "limit": str(_MAX_ROWS)})
    for row in rows(request(account, client, "GET", f"/history/json?{parameters}")):
        kind = str(row.get("type", "")).lower()
        status = row.get("status") or ("missed" if kind == "missed" else "")
        yield {**row, "user": row.get("user") or row.get("account"), "status": status}


def _legacy_rows(account: Account, client: PbxClient, span: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of the CSV: UID, type, client, account, via, start, wait, duration, record.

    It has no status: a call with a duration was answered.
    """
    response = legacy_request(
        account, client, {"cmd": "history", **span, "type": "all", "limit": str(_MAX_ROWS)}, safe=True
    )
    names = ("uid", "type", "client", "user", "diversion", "start", "wait", "duration", "record")
    for cells in csv.reader(io.StringIO(response.body.decode("utf-8", "replace"))):
        if len(cells) < 8 or cells[0].lower() == "uid":
            continue
        row: dict[str, Any] = dict(zip(names, cells, strict=False))
        yield {**row, "status": "success" if row["duration"].strip("0") else "missed"}
