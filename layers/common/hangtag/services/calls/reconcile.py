"""Timeout of a call without a hang-up: continue to wait, or settle it."""

from datetime import UTC, datetime, timedelta

from hangtag.runtime import logger
from hangtag.services.calls.settling import settlement
from hangtag.services.integrations.reconciliation import recover_end
from hangtag.store.calls import items as calls

# A call that the PBX's call log does not contain is over by then, regardless of its events.
LONGEST_CALL = timedelta(hours=24)


def reconcile(key: calls.CallKey, hangup_timeout: timedelta) -> bool:
    """Return True if the call is still open. Settle it from its events if its end is unknown.

    Requests the PBX's call log first. A call with an event in the second half of the time limit stays open, for at most
    24 hours after its first event. Raises botocore's errors.
    """
    item = calls.read(key)
    if item is None:
        return False
    call = item.fold()
    if call.closed:
        return False
    now = datetime.now(UTC)
    if recover_end(item):
        # The tracker continues with a closed call; the state machine waits for an open one.
        newest = calls.read(key)
        return newest is not None and not newest.fold().closed
    if not item.events or not _can_continue(item, now, hangup_timeout):
        settled = calls.settle(item, settlement(call, now, forced=True))
        logger.info("call.timed_out", extra={"tenant": item.tenant_id, "settled": settled})
        # An event that arrived at the same moment wins; the call is then checked again.
        return not settled
    return True


def _can_continue(item: calls.CallItem, now: datetime, hangup_timeout: timedelta) -> bool:
    times = [event.at for event in item.events]
    young = now - min(times) < LONGEST_CALL
    return young and now - max(times) < hangup_timeout / 2
