"""Short notation for call events in tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def event(kind: Kind, second: float, extension: str = "101", **changes: Any) -> CallEvent:
    """Return an event of an incoming call, `second` seconds after noon by the arrival's clock."""
    fields: dict[str, Any] = {
        "call_id": "call-1",
        "at": NOON + timedelta(seconds=second),
        "at_is_arrival": True,
        "leg": extension,
        "extension": extension or None,
        "direction": Direction.IN,
        "external": "79101234567",
        "line": "74951234567",
    }
    return CallEvent(kind=kind, **(fields | changes))
