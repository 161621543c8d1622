"""Step 2d: no hang-up came within the time limit; find out whether the call is over."""

from datetime import UTC, datetime, timedelta

from hangtag.observability import logger
from hangtag.services.calls.settling import settlement
from hangtag.services.integrations.reconciliation import tell_one
from hangtag.store.calls import items as calls

# A call that nobody can vouch for is over by then, whatever its events say.
LONGEST_CALL = timedelta(hours=24)


def reconcile(key: calls.CallKey, hangup_timeout: timedelta) -> bool:
    """Whether the call is still open. If not, and its end is unknown, it is settled from what is known.

    The PBX's history is asked first. A call that had an event in the later half of the time limit goes on, for at most
    24 hours in all: the wait began with its first event. Raises botocore's errors.
    """
    item = calls.read(key)
    if item is None:
        return False
    call = item.fold()
    if call.closed:
        return False
    now = datetime.now(UTC)
    if tell_one(item):
        # The tracker takes it from there; what is open still is waited for.
        told = calls.read(key)
        return told is not None and not told.fold().closed
    if not item.events or not _may_go_on(item, now, hangup_timeout):
        settled = calls.settle(item, settlement(call, now, forced=True))
        logger.info("call.timed_out", extra={"tenant": item.tenant_id, "settled": settled})
        # An event that came this very moment wins; then the call is looked at again.
        return not settled
    return True


def _may_go_on(item: calls.CallItem, now: datetime, hangup_timeout: timedelta) -> bool:
    times = [event.at for event in item.events]
    young = now - min(times) < LONGEST_CALL
    return young and now - max(times) < hangup_timeout / 2
