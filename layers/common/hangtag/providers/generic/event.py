"""One event of a bridge, read strictly.

Hangtag defines this format, so types are not converted: a mistake in a bridge is an error at once. null is a missing
field.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import PayloadError
from hangtag.providers.reading import moment, plausible

__all__ = ["read_event"]

MAX_TALK_SECONDS = 7 * 24 * 3600
MAX_DATA = 50
_MAX_ID = 128
_LIMITS = {"call_id": 512, "leg": 128, "external": 64, "line": 64, "extension": 32, "linked_call_id": 512}
_LIMITS |= {"url": 2048, "reference": 512, "data": 1024}
_KINDS = {kind.value: kind for kind in Kind if kind is not Kind.SETTLED}
# Events of a call whose direction is in other events.
_WITHOUT_DIRECTION = (Kind.RECORDED, Kind.SUMMARY)
_TIME = re.compile(
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
)
WordT = TypeVar("WordT", bound=StrEnum)


def read_event(payload: object, arrived_at: datetime | None, event_id: str | None, place: str) -> CallEvent | None:
    """Return one event; None if its type is unknown.

    `arrived_at` is None for an event of the history, which must contain its time. Raises PayloadError, whose reason
    begins with `place`.
    """
    try:
        if not isinstance(payload, dict):
            raise PayloadError("The event is not a JSON object.")
        return _event(payload, arrived_at, event_id)
    except PayloadError as error:
        raise PayloadError(place + error.reason) from None


def _event(payload: Mapping[str, Any], arrived_at: datetime | None, event_id: str | None) -> CallEvent | None:
    kind = _KINDS.get(_need(payload, "type"))
    if kind is None:
        return None
    direction = _word(payload, "direction", Direction)
    if direction is None and kind not in _WITHOUT_DIRECTION:
        raise PayloadError("Field direction is missing.")
    sent_at = _time(payload, "at", arrived_at)
    at = sent_at or arrived_at
    if at is None:
        raise PayloadError("Field at is missing, or is not a date of the calendar.")
    extension = (_text(payload, "extension") or "").strip()
    external = _text(payload, "external")
    outcome = _word(payload, "outcome", Outcome)
    if outcome is Outcome.NO_ANSWER and direction is Direction.IN:
        outcome = Outcome.MISSED
    recording, is_temporary = _recording(payload)
    if kind is Kind.RECORDED and recording is None:
        raise PayloadError("Field recording is missing.")
    return CallEvent(
        call_id=_need(payload, "call_id"),
        kind=kind,
        at=at,
        at_is_arrival=sent_at is None,
        leg=_text(payload, "leg") or extension,
        direction=direction,
        external=external.strip() if external is not None else None,
        line=(_text(payload, "line") or "").strip() or None,
        extension=extension or None,
        outcome=outcome,
        talk_seconds=_seconds(payload, "talk_seconds"),
        recording=recording,
        recording_is_temporary=is_temporary,
        final=_flag(payload, "final"),
        linked_call_id=_text(payload, "linked_call_id") or None,
        started_at=_time(payload, "started_at", arrived_at),
        event_id=event_id,
        reference=_text(payload, "reference") or None,
        data=_data(payload),
    )


def _text(payload: Mapping[str, Any], name: str, limit: int = 0) -> str | None:
    value = payload.get(name)
    if value is None:
        return None
    limit = limit or _LIMITS.get(name, _MAX_ID)
    if not isinstance(value, str) or len(value) > limit or "\0" in value:
        raise PayloadError(f"Field {name} is not a text of at most {limit} characters without NUL.")
    return value


def _need(payload: Mapping[str, Any], name: str) -> str:
    value = _text(payload, name)
    if not value:
        raise PayloadError(f"Field {name} is missing.")
    return value


def _word(payload: Mapping[str, Any], name: str, words: type[WordT]) -> WordT | None:
    value = _text(payload, name)
    try:
        return words(value) if value is not None else None
    except ValueError:
        raise PayloadError(f"Field {name} is not one of {', '.join(words)}.") from None


def _flag(payload: Mapping[str, Any], name: str) -> bool:
    value = payload.get(name)
    if value is not None and not isinstance(value, bool):
        raise PayloadError(f"Field {name} is neither true nor false.")
    return bool(value)


def _seconds(payload: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number; in JSON, 5.0 is one."""
    value = payload.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_TALK_SECONDS:
        raise PayloadError(f"Field {name} is not a number from 0 to {MAX_TALK_SECONDS}.")
    if value != int(value):
        raise PayloadError(f"Field {name} is not a whole number.")
    return int(value)


def _time(payload: Mapping[str, Any], name: str, arrived_at: datetime | None) -> datetime | None:
    """Return a time with an offset; None if it is missing, not in the calendar, or too far from the arrival."""
    value = _text(payload, name)
    if value is None:
        return None
    if not _TIME.match(value):
        raise PayloadError(f"Field {name} is not a time with an offset or Z, such as 2026-03-02T12:30:00+03:00.")
    at = moment(value)
    return plausible(at, arrived_at) if arrived_at is not None else at


def _recording(payload: Mapping[str, Any]) -> tuple[str | None, bool]:
    """Return the recording's address, or the reference that `recording` sends; and whether it is temporary."""
    value = payload.get("recording")
    if value is None:
        return None, False
    if not isinstance(value, dict):
        raise PayloadError("Field recording is not a JSON object.")
    url, reference, is_temporary = _text(value, "url"), _text(value, "reference"), _flag(value, "temporary")
    if url is not None and not url.startswith(("https://", "http://")):
        raise PayloadError("Field url of the recording is not an address.")
    if not (url or reference):
        raise PayloadError("Field recording has neither url nor reference.")
    return url or reference, is_temporary


def _data(payload: Mapping[str, Any]) -> dict[str, str]:
    value = payload.get("data")
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > MAX_DATA:
        raise PayloadError(f"Field data is not a JSON object of at most {MAX_DATA} fields.")
    if not all(0 < len(name) <= _MAX_ID and "\0" not in name for name in value):
        raise PayloadError(f"A name in data is empty, longer than {_MAX_ID} characters, or holds a NUL.")
    if None in value.values():
        raise PayloadError("A field of data is not text.")
    # Errors name the field `data`, because the inner names are the bridge's.
    return {name: _text({"data": item}, "data") or "" for name, item in value.items()}
