"""One event that a PBX reported about a call, in the terms of the design, and its form in the table."""

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
    """Kind of event. `picked_up`: a call that rings the employee's own phone first was picked up there; no conversation
    yet.
    """

    RINGING = "ringing"
    PICKED_UP = "picked_up"
    ANSWERED = "answered"
    TRANSFERRED = "transferred"
    ENDED = "ended"
    RECORDED = "recorded"
    SUMMARY = "summary"
    SETTLED = "settled"


class Direction(StrEnum):
    """Direction from the tenant's point of view: `in` is a call from outside."""

    IN = "in"
    OUT = "out"
    INTERNAL = "internal"


class Outcome(StrEnum):
    """End of a leg or of a call."""

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

    `TOLD`: by a separate event. `ACCEPTED`: by the event that marks the other calls as answered.
    """

    TOLD = "told"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent:
    """One event of one call.

    `at` is UTC: the provider's clock, or the arrival when `at_is_arrival`. `leg` names the part of the call that the
    event concerns (the provider's leg id, otherwise the extension, or "" if there is neither). `started_at` is when the
    whole call began, if the provider sends it. `recording` is a URL or the provider's reference. `legs` is set on
    `settled` events only: how many legs existed when the call was settled; `forced` settles even legs that never ended.
    `event_id` is the provider's own id of the event, used only to distinguish a duplicate from a second event.
    `reference` is Hangtag's id of the click that began the call, if the PBX returns it.
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
        """Return 16 hexadecimal characters: equal for duplicates of this event, different for any other event.

        The provider's event id identifies the event if there is one. Otherwise its content does, with the provider's
        time or with the arrival rounded to ten seconds, which counts an extension that rings twice as two events.
        """
        if self.event_id is not None:
            identity = f"id:{self.kind}:{self.leg}:{self.event_id}"
        else:
            content = _to_fields(self)
            content["t"] = (
                int(self.at.timestamp()) // ARRIVAL_GRAIN_SECONDS if self.at_is_arrival else self.at.timestamp()
            )
            identity = "say:" + json.dumps(content, sort_keys=True)
        return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:16]


# Short names, because an event has 1 KB in the table and an item holds 200 events.
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
    # An empty number is a fact of its own (a withheld caller), unlike a missing number.
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
    """Return the event as stored in the table: JSON of at most 1 KB, without the call id, which is in the key.

    Parts of a longer event are dropped in this order: extra data from its end, the recording's address, the event id,
    the linked call's id. The outcome does not depend on them.
    """
    return fit(event)[0]


def fit(event: CallEvent) -> tuple[str, bool]:
    """Return the event as `encode` does, and True if a part of it was dropped."""
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
        # UTF-8 can't hold lone surrogates, ASCII escapes can.
        return json.dumps(fields, separators=(",", ":"), sort_keys=True)
    return text


def decode(call_id: str, text: str) -> CallEvent:
    """Return the event of a stored text, the inverse of `encode`. Ignores unknown fields written by a newer version."""
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
