"""One thing that a PBX said about a call, in the words of the design, and its form in the table."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

MAX_EVENT_BYTES = 1024
ARRIVAL_GRAIN_SECONDS = 10


class Kind(StrEnum):
    """What happened. `picked_up`: the employee's own phone was, in a call that rings it first; nobody talks yet."""

    RINGING = "ringing"
    PICKED_UP = "picked_up"
    ANSWERED = "answered"
    TRANSFERRED = "transferred"
    ENDED = "ended"
    RECORDED = "recorded"
    SUMMARY = "summary"
    SETTLED = "settled"


class Direction(StrEnum):
    """Seen from the tenant: `in` is a call from outside."""

    IN = "in"
    OUT = "out"
    INTERNAL = "internal"


class Outcome(StrEnum):
    """How a leg, or the call, ended."""

    SUCCESS = "success"
    MISSED = "missed"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    CANCELLED = "cancelled"
    UNAVAILABLE = "unavailable"
    NOT_ALLOWED = "not_allowed"
    FAILED = "failed"


class PickUp(StrEnum):
    """The way a PBX shows, in a call that rings the employee first, that the employee picked up.

    told: by a separate event. accepted: by the event that marks the other calls as answered.
    """

    TOLD = "told"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent:
    """One event of one call.

    `at` is UTC: the provider's clock, or the arrival when `at_is_arrival`. `leg` names the part of the call that
    the event speaks of (the provider's leg id, else the extension; "" where there is neither). `started_at` is when
    the whole call began, if the provider says so. `recording` is a URL or the provider's reference. `legs` is set on
    `settled` events only: how many legs were known when the call was settled; `forced` settles even legs that never
    ended. `event_id` is the provider's own id of the event, used only to tell a double from a second event.
    `reference` is ours of the click that began the call, where the PBX gives it back.
    """

    call_id: str
    kind: Kind
    at: datetime
    at_is_arrival: bool = False
    leg: str = ""
    direction: Direction | None = None
    external: str | None = None
    line: str | None = None
    extension: str | None = None
    outcome: Outcome | None = None
    talk_seconds: int | None = None
    recording: str | None = None
    recording_is_temporary: bool = False
    final: bool = False
    linked_call_id: str | None = None
    started_at: datetime | None = None
    legs: int | None = None
    forced: bool = False
    event_id: str | None = None
    reference: str | None = None
    data: Mapping[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """16 hexadecimal characters: the same for a double of this event, another for anything else.

        The provider's event id stands for the event where it gives one; else its content with the provider's time,
        or with the arrival rounded to ten seconds, so that an extension that rings twice is seen twice.
        """
        if self.event_id is not None:
            said = f"id:{self.kind}:{self.leg}:{self.event_id}"
        else:
            content = _to_fields(self)
            content["t"] = (
                int(self.at.timestamp()) // ARRIVAL_GRAIN_SECONDS if self.at_is_arrival else self.at.timestamp()
            )
            said = "say:" + json.dumps(content, sort_keys=True)
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]


# One short name a field: an event has 1 KB in the table, and an item holds two hundred.
_NAMES = {
    "kind": "k",
    "leg": "g",
    "direction": "d",
    "external": "x",
    "line": "l",
    "extension": "e",
    "outcome": "o",
    "talk_seconds": "s",
    "recording": "r",
    "recording_is_temporary": "rt",
    "final": "f",
    "linked_call_id": "c2",
    "legs": "n",
    "forced": "fo",
    "event_id": "id",
    "reference": "rf",
}


def _to_fields(event: CallEvent) -> dict[str, Any]:
    fields: dict[str, Any] = {"t": event.at.timestamp()}
    for name, short in _NAMES.items():
        value = getattr(event, name)
        if value is not None and value is not False and value != "":
            fields[short] = value
    # An empty number is a fact of its own (a withheld caller), unlike no number at all.
    if event.external == "":
        fields["x"] = ""
    if event.at_is_arrival:
        fields["ta"] = True
    if event.started_at is not None:
        fields["st"] = event.started_at.timestamp()
    if event.data:
        fields["data"] = dict(event.data)
    return fields


def encode(event: CallEvent) -> str:
    """The event as the text kept in the table: JSON of at most 1 KB, without the call id (the key holds it).

    What is too long is cut in this order: extra data from its end, then the recording's address, then the id
    of the event; nothing that the outcome depends on is ever cut.
    """
    return fit(event)[0]


def fit(event: CallEvent) -> tuple[str, bool]:
    """The event as `encode` makes it, and whether something of it had to be cut."""
    fields = _to_fields(event)
    text = _dump(fields)
    if len(text.encode()) <= MAX_EVENT_BYTES:
        return text, False
    data = dict(event.data)
    while len(text.encode()) > MAX_EVENT_BYTES and data:
        data.popitem()
        fields["data"] = data
        text = _dump(fields)
    for name in ("r", "id", "c2"):
        if len(text.encode()) > MAX_EVENT_BYTES:
            fields.pop(name, None)
            text = _dump(fields)
    return text, True


def _dump(fields: Mapping[str, Any]) -> str:
    text = json.dumps(fields, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Lone surrogates: UTF-8 can't hold them, ASCII escapes can.
        return json.dumps(fields, separators=(",", ":"), sort_keys=True)
    return text


def decode(call_id: str, text: str) -> CallEvent:
    """The inverse of `encode`. Unknown fields, written by a newer version, are ignored."""
    fields = json.loads(text)
    return CallEvent(
        call_id=call_id,
        kind=Kind(fields["k"]),
        at=_time(fields["t"]),
        at_is_arrival=fields.get("ta", False),
        leg=fields.get("g", ""),
        direction=Direction(fields["d"]) if "d" in fields else None,
        external=fields.get("x"),
        line=fields.get("l"),
        extension=fields.get("e"),
        outcome=Outcome(fields["o"]) if "o" in fields else None,
        talk_seconds=fields.get("s"),
        recording=fields.get("r"),
        recording_is_temporary=fields.get("rt", False),
        final=fields.get("f", False),
        linked_call_id=fields.get("c2"),
        started_at=_time(fields["st"]) if "st" in fields else None,
        legs=fields.get("n"),
        forced=fields.get("fo", False),
        event_id=fields.get("id"),
        reference=fields.get("rf"),
        data=fields.get("data", {}),
    )


def _time(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)
