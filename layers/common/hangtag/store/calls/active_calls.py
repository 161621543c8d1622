"""Employees in a call now: a mark for each talking extension, for tenants whose groups take calls.

key("T", tenant, "BUSY") / key(integration, extension, call). A mark that is never removed expires.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hangtag.runtime import TtlCache
from hangtag.store.db.client import dynamodb, table
from hangtag.store.db.clock import now
from hangtag.store.db.keys import key

if TYPE_CHECKING:
    pass

WORD = "BUSY"
LONGEST = timedelta(hours=4)

_tracked: TtlCache[str, bool] = TtlCache(1000, 60.0)


def is_tracked(tenant_id: str) -> bool:
    """Return True if the tenant has a group, which needs to know free employees; cached for a minute."""

    def load() -> bool:
        response = dynamodb().query(
            TableName=table(),
            KeyConditionExpression="pk = :pk AND begins_with(sk, :group)",
            ExpressionAttributeValues={":pk": {"S": key("T", tenant_id)}, ":group": {"S": key("GROUP", "")}},
            Limit=1,
        )
        return bool(response["Items"])

    return _tracked.get_or(tenant_id, load)


def mark(tenant_id: str, integration_id: str, extension: str, call: str) -> None:
    """Mark an extension as talking, in the call of this digest. Raises botocore's errors."""
    until = int((now() + LONGEST).timestamp())
    item: Any = {
        **_key(tenant_id, integration_id, extension, call),
        "kind": {"S": "busy"},
        "extension": {"S": key(integration_id, extension)},
        "expires_at": {"N": str(until)},
    }
    dynamodb().put_item(TableName=table(), Item=item)


def clear(tenant_id: str, integration_id: str, extension: str, call: str) -> None:
    """Remove the mark of an extension. Raises botocore's errors."""
    dynamodb().delete_item(TableName=table(), Key=_key(tenant_id, integration_id, extension, call))


def busy_extensions(tenant_id: str) -> frozenset[str]:
    """Return the talking extensions: key(integration, extension) of each, by one query. Raises botocore's errors."""
    moment = str(int(now().timestamp()))
    response = dynamodb().query(
        TableName=table(),
        KeyConditionExpression="pk = :pk",
        # Expired items can remain for two days.
        FilterExpression="expires_at > :now",
        ExpressionAttributeValues={":pk": {"S": key("T", tenant_id, WORD)}, ":now": {"N": moment}},
        ConsistentRead=True,
    )
    return frozenset(item["extension"]["S"] for item in response["Items"])


def _key(tenant_id: str, integration_id: str, extension: str, call: str) -> dict[str, Any]:
    return {"pk": {"S": key("T", tenant_id, WORD)}, "sk": {"S": key(integration_id, extension, call)}}
