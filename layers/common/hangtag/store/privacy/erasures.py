"""Receipts of erased contacts: deleted items, times, and a digest of the number, never the number.

key("T", tenant) / key("ERASURE", id). A receipt stays as long as its tenant.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pynamodb.attributes import JSONAttribute, UnicodeAttribute

from hangtag.errors import NotFoundError
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import digest, key
from hangtag.store.db.models import Entry

WORD = "ERASURE"
RUNNING, DONE = "running", "done"


class ErasureItem(Entry):
    """Progress of an erasure. `counts`: by kind; `day`: the day down to which it came, or None; `who`: the
    requester.
    """

    kind = UnicodeAttribute(default="erasure")
    id = UnicodeAttribute()
    state = UnicodeAttribute(default=RUNNING)
    number_digest = UnicodeAttribute()
    counts: JSONAttribute = JSONAttribute(default=dict)
    day = UnicodeAttribute(null=True)
    who = UnicodeAttribute()
    created_at = UnicodeAttribute()
    finished_at = UnicodeAttribute(null=True)


@dataclass(frozen=True, slots=True)
class Receipt:
    """An erasure as the API shows it. Times are ISO 8601 in UTC."""

    id: str
    state: str
    number_digest: str
    counts: Mapping[str, int]
    created_at: str
    finished_at: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the receipt as the API shows it."""
        return {name: getattr(self, name) for name in self.__slots__} | {"counts": dict(self.counts)}


def create(tenant_id: str, e164: str, who: str) -> ErasureItem:
    """Create an erasure that has not begun."""
    erasure_id = secrets.token_hex(16)
    item = ErasureItem(
        key("T", tenant_id),
        key(WORD, erasure_id),
        id=erasure_id,
        number_digest=digest("erased", tenant_id, e164),
        who=who,
        created_at=iso(now()),
    )
    item.save()
    return item


def load(tenant_id: str, erasure_id: str) -> ErasureItem:
    """Return an erasure. Raises NotFoundError."""
    try:
        return ErasureItem.get(key("T", tenant_id), key(WORD, erasure_id), consistent_read=True)
    except ErasureItem.DoesNotExist:
        raise NotFoundError("No such erasure.") from None


def receipt(item: ErasureItem) -> Receipt:
    """Return the item as the API shows it."""
    return Receipt(item.id, item.state, item.number_digest, item.counts, item.created_at, item.finished_at)
