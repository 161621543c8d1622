"""Settling: a second check of a quiet call after the tenant's settle time, because its end may not be final."""

from datetime import UTC, datetime

from hangtag.domain.calls.event import CallEvent, Kind
from hangtag.domain.calls.fold import Call
from hangtag.store.calls import items as calls


def settlement(call: Call, at: datetime, *, forced: bool) -> CallEvent:
    """Return the event that closes a call in its current state. Later ringing supersedes it: it counts the rounds."""
    reason = "forced" if forced else "quiet"
    return CallEvent(
        call_id=call.call_id,
        kind=Kind.SETTLED,
        at=at,
        legs=call.rounds,
        forced=forced,
        event_id=f"{reason}-{call.rounds}",
    )


def settle(key: calls.CallKey, count: int) -> bool:
    """Settle a call that still has `count` events. Return False if there was nothing to settle."""
    item = calls.read(key)
    if item is None or item.count != count:
        return False
    call = item.fold()
    if call.quiet_since is None:
        return False
    return calls.settle(item, settlement(call, datetime.now(UTC), forced=False))
