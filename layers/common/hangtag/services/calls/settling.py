"""Step 2b: an end that may not be the end is looked at again after the tenant's settle time."""

from datetime import UTC, datetime

from hangtag.domain.calls.event import CallEvent, Kind
from hangtag.domain.calls.fold import Call
from hangtag.store.calls import items as calls


def settlement(call: Call, at: datetime, *, forced: bool) -> CallEvent:
    """The event that closes a call as it is now. Later ringing supersedes it, because it counts the rings."""
    forced_or_not = "forced" if forced else "quiet"
    return CallEvent(
        call_id=call.call_id,
        kind=Kind.SETTLED,
        at=at,
        legs=call.rounds,
        forced=forced,
        event_id=f"{forced_or_not}-{call.rounds}",
    )


def settle(key: calls.CallKey, count: int) -> bool:
    """Settle a call if nothing came since `count` events were seen; False if there was nothing to settle."""
    item = calls.read(key)
    if item is None or item.count != count:
        return False
    call = item.fold()
    if call.quiet_since is None:
        return False
    return calls.settle(item, settlement(call, datetime.now(UTC), forced=False))
