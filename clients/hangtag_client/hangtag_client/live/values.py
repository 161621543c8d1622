"""Messages of the live channel, and their parser. Pure.

Newer servers can send more: unknown properties are in `body`, and a value of an unexpected type is None.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

__all__ = ["Call", "CallTag", "Change", "Line", "Missed", "Party", "Signal", "read"]

# A call has a window in all other states, including those of a newer server.
_CLOSED = frozenset({"taken", "gone", "ended"})
_TAKEN_AWAY = frozenset({"taken", "gone"})


class Signal(StrEnum):
    """Messages about the channel itself."""

    SYNCED = "synced"
    PONG = "pong"


@dataclass(frozen=True, slots=True)
class Party:
    """A contact, or an employee."""

    id: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """The tenant's own number of a call, in E.164. `color` is #rrggbb."""

    number: str
    name: str | None
    color: str | None


@dataclass(frozen=True, slots=True)
class CallTag:
    """The tag of a call. `type` is call or missed_call."""

    id: str
    type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call as the employee's window shows it. `seq` grows with each message of the call.

    `window_state`: placing (a click-to-call is being placed), ringing, answered, watching (a colleague's call with a
    contact that the employee supervises), taken (a colleague answered), gone (no longer the employee's call), ended.
    `external_number` is the other party's in E.164, `external_number_formatted` in the tenant's display format;
    both are None if it is withheld or unreadable. Times are in UTC. `body` is the whole message of the call.
    """

    id: str
    seq: int
    window_state: str
    direction: str | None = None
    external_number: str | None = None
    external_number_raw: str | None = None
    external_number_formatted: str | None = None
    external_number_state: str | None = None
    extension: str | None = None
    line: Line | None = None
    contact: Party | None = None
    employee: Party | None = None
    task_id: str | None = None
    click_to_call: bool = False
    failure_reason: str | None = None
    outcome: str | None = None
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    talk_seconds: int | None = None
    tag: CallTag | None = None
    body: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def open(self) -> bool:
        """True if the call has a window."""
        return self.window_state not in _CLOSED

    @property
    def taken_away(self) -> bool:
        """True if the window closes although the call can continue."""
        return self.window_state in _TAKEN_AWAY


@dataclass(frozen=True, slots=True)
class Missed:
    """A missed call, as in its message."""

    id: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change.

    call: `call` has its current state; an ended call can change once more, when its tag is written. gone: the window of
    `call` closes; its window state is taken or gone. missed_call: `missed_call` has the properties of the API's
    MissedCall, and is reported once.
    """

    kind: Literal["call", "missed_call", "gone"]
    call: Call | None = None
    missed_call: Mapping[str, Any] | None = None


def read(frame: str | bytes) -> Call | Missed | Signal | None:
    """Parse a frame; None for an unknown or invalid message."""
    try:
        message = json.loads(frame) if isinstance(frame, str) else None
    except (ValueError, RecursionError):
        return None
    match message:
        case {"type": "call", "call": dict(body)}:
            return _call(body)
        case {"type": "missed_call", "missed_call": dict(body)}:
            return _missed(body)
        case {"type": "synced" | "pong" as word}:
            return Signal(word)
    return None


def _call(body: dict[str, Any]) -> Call | None:
    call_id, seq, state = _text(body.get("id")), _whole(body.get("seq")), _text(body.get("window_state"))
    if not call_id or seq is None or not state:
        return None
    return Call(
        id=call_id,
        seq=seq,
        window_state=state,
        direction=_text(body.get("direction")),
        external_number=_text(body.get("external_number")),
        external_number_raw=_text(body.get("external_number_raw")),
        external_number_formatted=_text(body.get("external_number_formatted")),
        external_number_state=_text(body.get("external_number_state")),
        extension=_text(body.get("extension")),
        line=_line(body.get("line")),
        contact=_party(body.get("contact")),
        employee=_party(body.get("employee")),
        task_id=_text(body.get("task_id")),
        click_to_call=body.get("click_to_call") is True,
        failure_reason=_text(body.get("failure_reason")),
        outcome=_text(body.get("outcome")),
        started_at=_time(body.get("started_at")),
        answered_at=_time(body.get("answered_at")),
        ended_at=_time(body.get("ended_at")),
        talk_seconds=_whole(body.get("talk_seconds")),
        tag=_tag(body.get("tag")),
        body=_frozen(body),
    )


def _missed(body: dict[str, Any]) -> Missed | None:
    missed_id = _text(body.get("id"))
    return Missed(missed_id, _frozen(body)) if missed_id else None


def _line(body: Any) -> Line | None:
    match body:
        case {"number": str(number)}:
            return Line(number, _text(body.get("name")), _text(body.get("color")))
    return None


def _party(body: Any) -> Party | None:
    match body:
        case {"id": str(party_id)}:
            return Party(party_id, _text(body.get("name")))
    return None


def _tag(body: Any) -> CallTag | None:
    match body:
        case {"id": str(tag_id)}:
            return CallTag(tag_id, _text(body.get("type")))
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        # The year 1 with an offset has no UTC.
        return at and (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(part) for name, part in value.items()})
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
