"""Caller lookup: the contact of a ringing call, created if the caller is unknown.

Runs in the tags function, not in the tracker: a request to an external CRM must not delay the stream.
"""

from hangtag.domain.calls.fold import Call
from hangtag.errors import NotFoundError
from hangtag.runtime import logger
from hangtag.services.tags.contacts import will_be_tagged, with_contact
from hangtag.services.tags.match_click import with_click
from hangtag.services.tags.snapshot import resolve
from hangtag.store.calls import items as calls


def lookup_caller(key: calls.CallKey) -> bool:
    """Store the caller's contact on the call. Return False if the call is over or gone. Raises botocore's errors."""
    item = calls.read(key)
    call = item.fold() if item is not None else None
    if item is None or call is None or call.closed or _is_complete(item, call):
        return False
    try:
        item = with_click(item, call)
        snapshot = resolve(item.tenant_id, item.integration_id, call, None)
        unknown = snapshot.contact is None
        if will_be_tagged(call, snapshot):
            snapshot = with_contact(item.tenant_id, key.digest, call, snapshot, over=False)
    except NotFoundError:
        # The tenant was erased during the call.
        return False
    contact_id = snapshot.contact.id if snapshot.contact else None
    created = unknown and contact_id is not None
    calls.set_caller(key, calls.CallerLookup(contact_id, answered=call.answered_by is not None, is_new_contact=created))
    logger.info("call.caller_found", extra={"tenant": item.tenant_id, "known": contact_id is not None})
    return True


def _is_complete(item: calls.CallItem, call: Call) -> bool:
    """Return True if another message did the lookup: several can be sent for one ring."""
    lookup = item.met
    return lookup is not None and (lookup.contact_id is not None or lookup.answered or call.answered_by is None)
