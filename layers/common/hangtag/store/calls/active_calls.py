"""Who is in a call now: a mark for each talking extension, for tenants whose groups take calls.

key("T", tenant, "BUSY") / key(integration, extension, call). A mark that is never taken away expires.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hangtag.store.db.cache import TtlCache
from hangtag.store.db.client import dynamodb, table
from hangtag.store.db.clock import now
from hangtag.store.db.keys import key

if TYPE_CHECKING:
    pass

WORD = "BUSY"
LONGEST = timedelta(hours=4)

_wanted: TtlCache[str, bool] = TtlCache(1000, 60.0)


def wanted(tenant_id: str) -> bool:
    """Whether the tenant has a group, so that somebody asks who is free; remembered for a minute."""

    def load() -> bool:
        found = dynamodb().query(
            TableName=table(),
            KeyConditionExpression="pk = :pk AND begins_with(sk, :group)",
            ExpressionAttributeValues={":pk": {"S": key("T", tenant_id)}, ":group": {"S": key("GROUP", "")}},
            Limit=1,
        )
        return bool(found["Items"])

    return _wanted.get_or(tenant_id, load)


def mark(tenant_id: str, integration_id: str, extension: str, call: str) -> None:
    """An extension talks, in the call of this digest. Raises botocore's errors."""
    until = int((now() + LONGEST).timestamp())
    item: Any = {
        **_key(tenant_id, integration_id, extension, call),
        "kind": {"S": "busy"},
        "extension": {"S": key(integration_id, extension)},
        "expires_at": {"N": str(until)},
    }
    dynamodb().put_item(TableName=table(), Item=item)


def clear(tenant_id: str, integration_id: str, extension: str, call: str) -> None:
    """It talks no more. Raises botocore's errors."""
    dynamodb().delete_item(TableName=table(), Key=_key(tenant_id, integration_id, extension, call))


def talking(tenant_id: str) -> frozenset[str]:
    """Who talks: key(integration, extension) of each, by one query. Raises botocore's errors."""
    moment = str(int(now().timestamp()))
    found = dynamodb().query(
        TableName=table(),
        KeyConditionExpression="pk = :pk",
        # Expired items may lie about for two days.
        FilterExpression="expires_at > :now",
        ExpressionAttributeValues={":pk": {"S": key("T", tenant_id, WORD)}, ":now": {"N": moment}},
        ConsistentRead=True,
    )
    return frozenset(item["extension"]["S"] for item in found["Items"])


def _key(tenant_id: str, integration_id: str, extension: str, call: str) -> dict[str, Any]:
    return {"pk": {"S": key("T", tenant_id, WORD)}, "sk": {"S": key(integration_id, extension, call)}}
