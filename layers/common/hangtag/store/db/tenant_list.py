"""The list of all tenants, for the operator: a pointer for each, in a few partitions, the newest first."""

from heapq import merge
from itertools import islice

from pynamodb.attributes import UnicodeAttribute

from hangtag.store.db.keys import key, shard
from hangtag.store.db.models import Entry
from hangtag.store.db.paging import Page

WORD = "TENANTS"
SHARDS = 4


class TenantPointer(Entry):
    """key("TENANTS", shard) / key("TENANT", created_at, id). The tenant itself is looked up."""

    kind = UnicodeAttribute(default="tenant_pointer")
    id = UnicodeAttribute()


def place(tenant_id: str, created_at: str) -> tuple[str, str]:
    """Where a tenant's pointer lies: pk and sk."""
    return key(WORD, str(shard(tenant_id, SHARDS))), key("TENANT", created_at, tenant_id)


def pointer(tenant_id: str, created_at: str) -> TenantPointer:
    """The pointer to a tenant, to be saved with it."""
    return TenantPointer(*place(tenant_id, created_at), id=tenant_id)


def list_ids(limit: int, before: str | None) -> Page[str]:
    """The ids of the tenants, the newest first. `before` is a page's `next`."""
    found = list(islice(merge(*(_shard(number, limit, before) for number in range(SHARDS)), reverse=True), limit + 1))
    shown = found[:limit]
    following = "/".join(shown[-1]) if len(found) > limit else None
    return Page(tuple(tenant_id for _, tenant_id in shown), following)


def _shard(number: int, limit: int, before: str | None) -> list[tuple[str, str]]:
    """When the tenants of one partition were made, and their ids."""
    pk = key(WORD, str(number))
    # A place in another partition is one between two in this one.
    start = {"pk": {"S": pk}, "sk": {"S": key("TENANT", *before.split("/", 1))}} if before is not None else None
    found = TenantPointer.query(
        pk,
        TenantPointer.sk.startswith(key("TENANT", "")),
        limit=limit + 1,
        last_evaluated_key=start,
        scan_index_forward=False,
        consistent_read=True,
    )
    return [(item.sk.split("#")[1], item.id) for item in found]
