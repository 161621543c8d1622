"""Step 2a: the phone rings; find out who calls, and make the contact of an unknown caller.

A message to the tags function, not a part of the tracker: an outside CRM may be asked, and must not hold up the stream.
"""

from hangtag.domain.calls.fold import Call
from hangtag.errors import NotFoundError
from hangtag.observability import logger
from hangtag.services.tags.contacts import may_be_met, with_contact
from hangtag.services.tags.match_click import joined
from hangtag.services.tags.snapshot import resolve
from hangtag.store.calls import items as calls


def lookup_caller(key: calls.CallKey) -> bool:
    """Note on the call who the other party is; false if the call is over or gone. Raises botocore's errors."""
    item = calls.read(key)
    call = item.fold() if item is not None else None
    if item is None or call is None or call.closed or _is_met(item, call):
        return False
    try:
        item = joined(item, call)
        resolution = resolve(item.tenant_id, item.integration_id, call, None)
        unknown = resolution.contact is None
        if may_be_met(call, resolution):
            resolution = with_contact(item.tenant_id, key.digest, call, resolution, over=False)
    except NotFoundError:
        # The tenant was erased while its call was on.
        return False
    contact_id = resolution.contact.id if resolution.contact else None
    made = unknown and contact_id is not None
    calls.set_caller(key, calls.CallerLookup(contact_id, answered=call.answered_by is not None, is_new_contact=made))
    logger.info("call.caller_found", extra={"tenant": item.tenant_id, "known": contact_id is not None})
    return True


def _is_met(item: calls.CallItem, call: Call) -> bool:
    """Whether another message did it: several may be sent for one ring."""
    met = item.met
    return met is not None and (met.contact_id is not None or met.answered or call.answered_by is None)
