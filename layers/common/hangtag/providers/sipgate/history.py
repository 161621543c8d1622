"""sipgate's history as events."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import Account, PayloadError, PbxClient
from hangtag.providers.reading import moment, need, outcome_of, text, whole
from hangtag.providers.sipgate.api import API, request
from hangtag.providers.sipgate.webhook import LIMITS, OUTGOING_LEG, VOICEMAIL, number, users_of

__all__ = ["history"]

_PAGE = 500
_MAX_PAGES = 100
# A call rings for less time than this, so it ended at most this long after its talk time.
_MAX_RINGING = timedelta(hours=1)
_STATUSES = {
    "SUCCESS": Outcome.SUCCESS,
    "BUSY": Outcome.BUSY,
    "BUSY_ON_BUSY": Outcome.BUSY,
    "REJECTED": Outcome.BUSY,
    "REJECTED_DND": Outcome.BUSY,
    "MISSED": Outcome.NO_ANSWER,
    "FAILURE": Outcome.FAILED,
}


def history(account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
    """Yield the events of the calls of that period, and their recordings. Unreadable rows are skipped."""
    users = users_of(account.settings)
    parameters = {"types": "CALL", "from": _stamp(since), "to": _stamp(until), "limit": str(_PAGE)}
    for page in range(_MAX_PAGES):
        path = f"/history?{urlencode({**parameters, 'offset': page * _PAGE})}"
        rows = API.rows(request(account, client, "GET", path).get("items"))
        for row in rows:
            yield from _events(row, users)
        if len(rows) < _PAGE:
            return
    raise API.too_long(_MAX_PAGES)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _events(row: Mapping[str, Any], users: Mapping[str, str]) -> Iterator[CallEvent]:
    """Yield the end of a row's call, and its recordings. An unreadable row yields nothing."""
    try:
        began, call_id = moment(need(row, "created")), need(row, "callId", LIMITS["callId"])
        talked, status = whole(row, "duration") or 0, text(row, "callStatus").upper()
        direction = Direction.OUT if text(row, "direction").upper().endswith("OUTGOING") else Direction.IN
        source, target = number(row, "source"), number(row, "target")
        changed = moment(text(row, "lastModified"))
    except PayloadError:
        return
    if began is None:
        return
    outcome = outcome_of(_STATUSES, status or "?", direction)
    talked = talked if outcome is Outcome.SUCCESS else 0
    shortest = began + timedelta(seconds=talked)
    ended_at = changed if changed and shortest <= changed <= shortest + _MAX_RINGING else shortest
    extension = _extension(row.get("endpoints"), users)
    yield CallEvent(
        call_id=call_id,
        kind=Kind.ENDED,
        at=ended_at,
        leg=OUTGOING_LEG if direction is Direction.OUT else extension or "",
        direction=direction,
        external=target if direction is Direction.OUT else source,
        line=(source if direction is Direction.OUT else target) or None,
        extension=extension,
        outcome=outcome,
        talk_seconds=talked,
        final=True,
        started_at=began,
    )
    if status.lower().startswith(VOICEMAIL):
        # The webhook can report a mailbox as an answer.
        yield CallEvent(call_id=call_id, kind=Kind.SUMMARY, at=ended_at, outcome=Outcome.MISSED)
    recordings = row.get("recordings")
    for item in recordings if isinstance(recordings, list) else []:
        url = item.get("url") if isinstance(item, dict) else None
        if isinstance(url, str) and 0 < len(url) <= 2048:
            yield CallEvent(call_id=call_id, kind=Kind.RECORDED, at=ended_at, recording=url)


def _extension(endpoints: Any, users: Mapping[str, str]) -> str | None:
    """Return the extension of the endpoint that answered, or of the only endpoint; None if neither exists."""
    rows = [row for row in endpoints if isinstance(row, dict)] if isinstance(endpoints, list) else []
    answers = [row for row in rows if "answer" in str(row.get("type", "")).lower()]
    matches = answers[:1] or (rows if len(rows) == 1 else [])
    inner = matches[0].get("endpoint") if matches else None
    user = inner.get("extension") if isinstance(inner, dict) else None
    return users.get(user, user)[:64] if isinstance(user, str) and user else None
