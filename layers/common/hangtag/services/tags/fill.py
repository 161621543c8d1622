"""Late contacts: amendment of the tags of a number that had no contact when they were written."""

from hangtag.runtime import logger
from hangtag.services.tags.emit import emit
from hangtag.store.calls import tags


def fill(tenant_id: str, number: str) -> int:
    """Amend every tag that waits for the contact of a number (E.164). Return their number. Raises botocore's errors."""
    count = 0
    for tag_id in tags.tags_without_contact(tenant_id, number):
        emission = tags.load(tenant_id, tag_id)
        if emission is None or emission.awaits is None:
            continue
        emit(emission.call, first=False, fill=True)
        count += 1
    if count:
        logger.info("tag.contact_filled", extra={"tenant": tenant_id, "tags": count})
    return count
