"""Configuration of a tenant's outside CRM: the item key("T", tenant) / "CRM". Without it, the built-in CRM is used."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from hangtag.runtime import TtlCache
from hangtag.store.db.audit import AuditItem
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.keys import key

SK = "CRM"
CACHED_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmConfig:
    """An outside CRM. `sealed` holds its secrets, encrypted: the newest, and the previous one until `overlap_until`.

    `overlap_until` is epoch seconds. `version` changes with every change.
    """

    url: str
    sealed: str
    overlap_until: int | None = None
    version: str


_configs: TtlCache[str, CrmConfig | None] = TtlCache(1000, CACHED_SECONDS)


def load(tenant_id: str) -> CrmConfig | None:
    """Return the tenant's outside CRM, cached for a minute, or None. Raises botocore's errors."""
    return _configs.get_or(tenant_id, lambda: read(tenant_id))


def read(tenant_id: str) -> CrmConfig | None:
    """Return the tenant's current outside CRM, or None."""
    item = dynamodb().get_item(TableName=table(), Key=_key(tenant_id), ConsistentRead=True).get("Item")
    if item is None:
        return None
    overlap = item.get("overlap_until", {}).get("N")
    return CrmConfig(
        url=item["url"]["S"],
        sealed=item["sealed"]["S"],
        overlap_until=int(overlap) if overlap else None,
        version=item["version"]["S"],
    )


def save(tenant_id: str, config: CrmConfig, replacing: CrmConfig | None, entry: AuditItem) -> bool:
    """Replace a configuration, with its audit entry; False if another change was faster."""
    item: dict[str, Any] = {
        **_key(tenant_id),
        "kind": {"S": "crm"},
        "url": {"S": config.url},
        "sealed": {"S": config.sealed},
        "version": {"S": config.version},
    }
    if config.overlap_until is not None:
        item["overlap_until"] = {"N": str(config.overlap_until)}
    return _write(tenant_id, {"Put": {"TableName": table(), "Item": item, **_unchanged(replacing)}}, entry)


def remove(tenant_id: str, replacing: CrmConfig, entry: AuditItem) -> bool:
    """Delete the outside CRM and its secrets, with an audit entry; False if it was changed meanwhile."""
    delete = {"TableName": table(), "Key": _key(tenant_id), **_unchanged(replacing)}
    return _write(tenant_id, {"Delete": delete}, entry)


def _unchanged(since: CrmConfig | None) -> dict[str, Any]:
    """Return the condition that the item is still the one that was read."""
    if since is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "version = :seen",
        "ExpressionAttributeValues": {":seen": {"S": since.version}},
    }


def _write(tenant_id: str, change: dict[str, Any], entry: AuditItem) -> bool:
    items: list[Any] = [change, {"Put": {"TableName": table(), "Item": entry.serialize()}}]
    try:
        dynamodb().transact_write_items(TransactItems=items)
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return False
    _configs.discard(tenant_id)
    return True


def _key(tenant_id: str) -> dict[str, Any]:
    return {"pk": {"S": key("T", tenant_id)}, "sk": {"S": SK}}
