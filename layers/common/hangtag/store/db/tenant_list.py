"""List of all tenants, for the operator: a pointer to each, in a few partitions, newest first."""

from heapq import merge
from itertools import islice

from pynamodb.attributes import UnicodeAttribute

from hangtag.store.db.keys import key, shard
from hangtag.store.db.models import Entry
from hangtag.store.db.paging import Page

WORD = "TENANTS"
SHARDS = 4


class TenantPointer(Entry):
    """Item key("TENANTS", shard) / key("TENANT", created_at, id). The tenant itself is read separately."""

    kind = UnicodeAttribute(default="tenant_pointer")
    id = UnicodeAttribute()


def place(tenant_id: str, created_at: str) -> tuple[str, str]:
    """Return pk and sk of a tenant's pointer."""
    return key(WORD, str(shard(tenant_id, SHARDS))), key("TENANT", created_at, tenant_id)


def pointer(tenant_id: str, created_at: str) -> TenantPointer:
    """Build the pointer to a tenant, to be saved with it."""
    return TenantPointer(*place(tenant_id, created_at), id=tenant_id)


def list_ids(limit: int, before: str | None) -> Page[str]:
    """Return the ids of the tenants, newest first. `before` is a page's `next`."""
    pointers = list(
        islice(merge(*(_shard(number, limit, before) for number in range(SHARDS)), reverse=True), limit + 1)
    )
    page = pointers[:limit]
    following = "/".join(page[-1]) if len(pointers) > limit else None
    return Page(tuple(tenant_id for _, tenant_id in page), following)


def _shard(number: int, limit: int, before: str | None) -> list[tuple[str, str]]:
    """Return creation times and ids of the tenants in one partition."""
    pk = key(WORD, str(number))
    # A position in another partition falls between two entries of this one.
    start = {"pk": {"S": pk}, "sk": {"S": key("TENANT", *before.split("/", 1))}} if before is not None else None
    pointers = TenantPointer.query(
        pk,
        TenantPointer.sk.startswith(key("TENANT", "")),
        limit=limit + 1,
        last_evaluated_key=start,
        scan_index_forward=False,
        consistent_read=True,
    )
    return [(item.sk.split("#")[1], item.id) for item in pointers]
