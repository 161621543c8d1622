"""RingCentral's call log: missed events of calls, and the addresses of recordings.

The call log contains who took a call and when it began and ended, but not when it was answered.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import UnreachableError
from hangtag.providers.base import Account, Media, PayloadError, PbxClient
from hangtag.providers.reading import moment, need, text, whole
from hangtag.providers.ringcentral.api import ACCOUNT, pages, records, request, token
from hangtag.providers.ringcentral.wire import (
    CALLER_LEG,
    FEATURE_CODE,
    OUT_LEG,
    caller_number,
    extension_numbers,
    inner,
    line_number,
)

__all__ = ["history", "recording"]

# A recording is looked up for this long after its call.
_RECORDINGS_KEPT = timedelta(days=90)


def recording(account: Account, reference: str, client: PbxClient) -> Media:
    """Return the address of a session's recording. The download needs the access token."""
    query = {
        "telephonySessionId": reference,
        "recordingType": "All",
        "dateFrom": _iso(datetime.now(UTC) - _RECORDINGS_KEPT),
        "view": "Simple",
    }
    rows = records(request(account, client, "GET", f"{ACCOUNT}/call-log?{urlencode(query)}", limit="heavy"))
    candidates = [row.get("recording") for row in rows if row.get("telephonySessionId") == reference]
    uri = next((one["contentUri"] for one in candidates if isinstance(one, dict) and one.get("contentUri")), None)
    if not isinstance(uri, str):
        raise UnreachableError(
            "RingCentral's call log contains no recording of this call. RingCentral does not keep short recordings."
        )
    return Media(uri, {"authorization": f"Bearer {token(account, client)}"})


# Few requests to the call log are allowed per minute, so a page is as large as possible.
_PAGE_SIZE = 250


def history(account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
    """Yield the events of calls that began in the given time. Unreadable rows are skipped."""
    query = {"view": "Detailed", "type": "Voice", "dateFrom": _iso(since), "dateTo": _iso(until)}
    numbers = extension_numbers(account.settings)
    for row in pages(account, client, f"{ACCOUNT}/call-log", query, _PAGE_SIZE, "heavy"):
        try:
            yield from _call_events(row, since, until, numbers)
        except PayloadError:
            continue


_IN_PROGRESS = "in progress"
# Unambiguous results of outgoing calls, in lower case.
_RESULTS = {
    "call connected": Outcome.SUCCESS,
    "accepted": Outcome.SUCCESS,
    "busy": Outcome.BUSY,
    "wrong number": Outcome.UNAVAILABLE,
    "international disabled": Outcome.NOT_ALLOWED,
    "international restricted": Outcome.NOT_ALLOWED,
    "restricted number": Outcome.NOT_ALLOWED,
    "not allowed": Outcome.NOT_ALLOWED,
    "no calling credit": Outcome.NOT_ALLOWED,
    "suspended account": Outcome.NOT_ALLOWED,
    "internal error": Outcome.FAILED,
    "call failed": Outcome.FAILED,
    "call failure": Outcome.FAILED,
}


def _call_events(
    row: Mapping[str, Any], since: datetime, until: datetime, numbers: Mapping[str, str]
) -> Iterator[CallEvent]:
    """Yield the events of one call; nothing for a call in progress or between employees. Raises PayloadError."""
    span, result = _span(row), text(row, "result").lower()
    is_out = text(row, "direction") == "Outbound"
    caller, called = inner(row, "from"), inner(row, "to")
    other = called if is_out else caller
    if span is None or not since <= span[0] < until or result == _IN_PROGRESS or _is_internal(other):
        return
    event = CallEvent(
        call_id=need(row, "telephonySessionId"),
        kind=Kind.ENDED,
        at=span[1],
        direction=Direction.OUT if is_out else Direction.IN,
        external=caller_number(text(other, "phoneNumber", 64)),
        line=line_number(text(caller if is_out else called, "phoneNumber", 64)),
        started_at=span[0],
        final=True,
    )
    if is_out:
        extension_id = next((_extension_id(part) for part in (*_legs(row), row) if _extension_id(part)), "")
        extension_id = extension_id or text(caller, "extensionId", 64)
        extension = numbers.get(extension_id, extension_id) or None
        yield replace(event, leg=OUT_LEG, extension=extension, outcome=_RESULTS.get(result))
    else:
        yield from _incoming_events(event, row, numbers)
    if isinstance(row.get("recording"), dict):
        yield CallEvent(call_id=event.call_id, kind=Kind.RECORDED, at=event.at, recording=event.call_id)


def _incoming_events(event: CallEvent, row: Mapping[str, Any], numbers: Mapping[str, str]) -> Iterator[CallEvent]:
    """Yield the legs of the employees who answered, or of all who were rung if none of them did."""
    ends: dict[str, tuple[datetime, bool]] = {}
    for leg in _legs(row):
        span, extension_id = _span(leg), _extension_id(leg)
        # Once the setting has entries, only mapped ids count as employees.
        if span is None or not extension_id or not (numbers.get(extension_id) if numbers else extension_id):
            continue
        latest, had_answered = ends.get(extension_id, (span[1], False))
        has_answered = text(leg, "result").lower() in ("accepted", "call connected")
        ends[extension_id] = max(latest, span[1]), had_answered or has_answered
    is_answered = any(has_answered for _, has_answered in ends.values())
    for extension_id, (end, has_answered) in ends.items():
        if has_answered or not is_answered:
            yield replace(
                event,
                at=end,
                leg=extension_id,
                extension=numbers.get(extension_id, extension_id),
                outcome=Outcome.SUCCESS if has_answered else None,
                final=False,
            )
    if ends:
        yield replace(event, kind=Kind.SUMMARY)
    else:
        yield replace(event, leg=CALLER_LEG, outcome=Outcome.CANCELLED)


def _legs(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    legs = row.get("legs")
    return [leg for leg in legs if isinstance(leg, dict)] if isinstance(legs, list) else []


def _extension_id(row: Mapping[str, Any]) -> str:
    """Return the internal id of the extension that a call or leg belongs to."""
    return text(inner(row, "extension"), "id", 64)


def _span(row: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    """Return begin and end, waiting time included; None if the begin is missing or unreadable."""
    begun, milliseconds = moment(text(row, "startTime")), whole(row, "durationMs")
    seconds = whole(row, "duration") or 0 if milliseconds is None else milliseconds / 1000
    with suppress(OverflowError):
        return (begun, begun + timedelta(seconds=seconds)) if begun is not None else None
    return None


def _is_internal(party: Mapping[str, Any]) -> bool:
    feature_code = FEATURE_CODE.fullmatch(text(party, "phoneNumber", 64))
    return bool(feature_code or text(party, "extensionNumber", 64) or text(party, "extensionId", 64))


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
