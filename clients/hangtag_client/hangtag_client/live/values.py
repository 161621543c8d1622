"""Values that a program receives from the live channel, and their parser. Pure.

A newer server can send more: unknown fields are in `body`, and a value of an unexpected type becomes None.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

__all__ = ["Call", "CallTag", "Change", "Line", "Missed", "Party", "Signal", "read"]

# A call in any other state, including those of a newer server, has a window.
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
    """The office's number that the call used. `color` is #rrggbb."""

    number: str
    name: str | None
    color: str | None


@dataclass(frozen=True, slots=True)
class CallTag:
    """The tag written for the call. `type` is call or missed_call."""

    id: str
    type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call as the employee's window shows it. `seq` grows with each message of the call.

    `window_state`: placing (a click was sent to the PBX), ringing, answered, watching (a colleague talks to a contact
    that the employee supervises), taken (another employee answered), gone (the call no longer belongs to the employee),
    ended. `external_number` is in E.164; it is None if the number is withheld or unreadable.
    Times are in UTC. `body` is the complete message.
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
        """True if the window closes while the call can continue."""
        return self.window_state in _TAKEN_AWAY


@dataclass(frozen=True, slots=True)
class Missed:
    """A missed call."""

    id: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change.

    `kind` is call: `call` is the current state; an ended call can keep its window, and changes once more when its tag
    is written. gone: the window of `call` closes; its window state is taken or gone. missed_call: `missed_call` has the
    fields of the API and is sent once.
    """

    kind: Literal["call", "missed_call", "gone"]
    call: Call | None = None
    missed_call: Mapping[str, Any] | None = None


def read(frame: str | bytes) -> Call | Missed | Signal | None:
    """Parse a frame. Return None if it is unknown or unreadable."""
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
    fields = {name: parse(body.get(name)) for name, parse in _FIELDS.items()}
    if not fields["id"] or fields["seq"] is None or not fields["window_state"]:
        return None
    return Call(**fields, click_to_call=body.get("click_to_call") is True, body=_frozen(body))


def _missed(body: dict[str, Any]) -> Missed | None:
    missed_id = _text(body.get("id"))
    return Missed(missed_id, _frozen(body)) if missed_id else None


def _part(kind: type[Any], *names: str) -> Callable[[Any], Any]:
    """Return a parser of an object: `kind` with these text fields, or None without the first of them."""

    def parse(value: Any) -> Any:
        texts = [_text(value.get(name)) for name in names] if isinstance(value, dict) else [None]
        return None if texts[0] is None else kind(*texts)

    return parse


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        # A time in the year 1 with an offset can be out of range in UTC.
        return at and (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


# Parsers of the fields of `Call`. Each returns None for a value of an unexpected type.
_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("id", "window_state", "direction", "extension", "task_id", "failure_reason", "outcome"), _text),
    **dict.fromkeys(("external_number", "external_number_raw", "external_number_formatted"), _text),
    "external_number_state": _text,
    **dict.fromkeys(("seq", "talk_seconds"), _whole),
    **dict.fromkeys(("started_at", "answered_at", "ended_at"), _time),
    **dict.fromkeys(("contact", "employee"), _part(Party, "id", "name")),
    "line": _part(Line, "number", "name", "color"),
    "tag": _part(CallTag, "id", "type"),
}


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(part) for name, part in value.items()})
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
