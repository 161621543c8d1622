"""Audit list: who changed which integration, rule, token or role, and when. Contains neither values nor secrets."""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute

from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import key
from hangtag.store.db.models import Entry
from hangtag.store.db.paging import Page

WORD = "AUDIT"
RETENTION = timedelta(days=400)


class AuditItem(Entry):
    """Item key("T", tenant) / key("AUDIT", at, id). `changed` is a list of field names; it expires after 400 days."""

    kind = UnicodeAttribute(default="audit")
    id = UnicodeAttribute()
    at = UnicodeAttribute()
    who = UnicodeAttribute()
    action = UnicodeAttribute()
    target = UnicodeAttribute()
    changed: JSONAttribute = JSONAttribute()
    expires_at = NumberAttribute()


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the list. `at` is ISO 8601 in UTC, `who` is `Caller.name`, `changed` holds the names of the
    fields.
    """

    id: str
    at: str
    who: str
    action: str
    target: str
    changed: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the entry as the API shows it."""
        return {**asdict(self), "changed": list(self.changed)}


def entry(tenant_id: str, who: str, action: str, target: str, changed: Sequence[str] = ()) -> AuditItem:
    """Build an entry to be saved in the transaction of the change: `write.save(audit.entry(…))`.

    `action` is a name such as "integration.rotated", `target` the id of the changed object, or its name without an id.
    """
    at, entry_id = now(), secrets.token_hex(8)
    return AuditItem(
        key("T", tenant_id),
        key(WORD, iso(at), entry_id),
        id=entry_id,
        at=iso(at),
        who=who,
        action=action,
        target=target,
        changed=list(changed),
        expires_at=int((at + RETENTION).timestamp()),
    )


def record(tenant_id: str, who: str, action: str, target: str, changed: Sequence[str] = ()) -> None:
    """Write an entry at once, for changes outside a transaction; takes the arguments of `entry`."""
    entry(tenant_id, who, action, target, changed).save()


def list_changes(tenant_id: str, limit: int, before: str | None) -> Page[Change]:
    """Return the tenant's entries, newest first. `before` is a page's `next`."""
    pk = key("T", tenant_id)
    start = {"pk": {"S": pk}, "sk": {"S": key(WORD, *before.split("/", 1))}} if before is not None else None
    items = AuditItem.query(
        pk,
        AuditItem.sk.startswith(key(WORD, "")),
        limit=limit + 1,
        last_evaluated_key=start,
        scan_index_forward=False,
        consistent_read=True,
    )
    # Expired entries stay in the table for a day or two, at the end of the list.
    oldest = iso(now() - RETENTION)
    changes = [_change(item) for item in items if item.at >= oldest]
    page = tuple(changes[:limit])
    return Page(page, f"{page[-1].at}/{page[-1].id}" if len(changes) > limit else None)


def _change(item: AuditItem) -> Change:
    return Change(item.id, item.at, item.who, item.action, item.target, tuple(item.changed))
