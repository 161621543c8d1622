"""Receipts of contacts that were erased: what went, when, and a digest of the number, never the number.

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
    """How far an erasure came. `counts`: by kind; `day`: down to which day, or None; `who` asked for it."""

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
    """What the API shows of an erasure. Times are ISO 8601 in UTC."""

    id: str
    state: str
    number_digest: str
    counts: Mapping[str, int]
    created_at: str
    finished_at: str | None

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {name: getattr(self, name) for name in self.__slots__} | {"counts": dict(self.counts)}


def create(tenant_id: str, e164: str, who: str) -> ErasureItem:
    """A new erasure, which has not begun."""
    made_id = secrets.token_hex(16)
    item = ErasureItem(
        key("T", tenant_id),
        key(WORD, made_id),
        id=made_id,
        number_digest=digest("erased", tenant_id, e164),
        who=who,
        created_at=iso(now()),
    )
    item.save()
    return item


def load(tenant_id: str, erasure_id: str) -> ErasureItem:
    """Raises NotFoundError."""
    try:
        return ErasureItem.get(key("T", tenant_id), key(WORD, erasure_id), consistent_read=True)
    except ErasureItem.DoesNotExist:
        raise NotFoundError("No such erasure.") from None


def receipt(item: ErasureItem) -> Receipt:
    """The item as the API shows it."""
    return Receipt(item.id, item.state, item.number_digest, item.counts, item.created_at, item.finished_at)
