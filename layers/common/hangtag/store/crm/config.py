"""A tenant's CRM outside: the item key("T", tenant) / "CRM". Without it there is the built-in one."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from hangtag.store.db.audit import AuditItem
from hangtag.store.db.cache import TtlCache
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.keys import key

SK = "CRM"
CACHED_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmConfig:
    """A CRM outside. `sealed` holds its secrets, encrypted: the newest, and the one before it until `overlap_until`.

    `overlap_until` is epoch seconds. `version` changes with every change.
    """

    url: str
    sealed: str
    overlap_until: int | None = None
    version: str


_configs: TtlCache[str, CrmConfig | None] = TtlCache(1000, CACHED_SECONDS)


def load(tenant_id: str) -> CrmConfig | None:
    """The tenant's outside CRM, remembered for a minute; None if it has none. Raises botocore's errors."""
    return _configs.get_or(tenant_id, lambda: read(tenant_id))


def read(tenant_id: str) -> CrmConfig | None:
    """The tenant's outside CRM as it is now."""
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


def save(tenant_id: str, config: CrmConfig, replacing: CrmConfig | None, noted: AuditItem) -> bool:
    """Put a configuration, and who did it, in place of the one that it was made from; False if another was faster."""
    item: dict[str, Any] = {
        **_key(tenant_id),
        "kind": {"S": "crm"},
        "url": {"S": config.url},
        "sealed": {"S": config.sealed},
        "version": {"S": config.version},
    }
    if config.overlap_until is not None:
        item["overlap_until"] = {"N": str(config.overlap_until)}
    return _write(tenant_id, {"Put": {"TableName": table(), "Item": item, **_unchanged(replacing)}}, noted)


def remove(tenant_id: str, replacing: CrmConfig, noted: AuditItem) -> bool:
    """Forget the outside CRM and its secrets, and note who did it; False if somebody changed it meanwhile."""
    delete = {"TableName": table(), "Key": _key(tenant_id), **_unchanged(replacing)}
    return _write(tenant_id, {"Delete": delete}, noted)


def _unchanged(since: CrmConfig | None) -> dict[str, Any]:
    """The condition that what is there is what was read."""
    if since is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "version = :seen",
        "ExpressionAttributeValues": {":seen": {"S": since.version}},
    }


def _write(tenant_id: str, change: dict[str, Any], noted: AuditItem) -> bool:
    items: list[Any] = [change, {"Put": {"TableName": table(), "Item": noted.serialize()}}]
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
