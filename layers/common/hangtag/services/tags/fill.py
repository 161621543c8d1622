"""Step 4: a number without a contact has one now; the tags that lack it get it, once."""

from hangtag.observability import logger
from hangtag.services.tags.emit import emit
from hangtag.store.calls import tags


def fill(tenant_id: str, number: str) -> int:
    """Amend every tag that waits for the contact of a number (E.164); how many there were. Raises botocore's errors."""
    count = 0
    for tag_id in tags.tags_without_contact(tenant_id, number):
        found = tags.load(tenant_id, tag_id)
        if found is None or found.awaits is None:
            continue
        emit(found.call, first=False, fill=True)
        count += 1
    if count:
        logger.info("tag.contact_filled", extra={"tenant": tenant_id, "tags": count})
    return count
