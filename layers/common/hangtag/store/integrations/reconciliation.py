"""What the clock asks of each PBX: how far its history was compared with what its webhooks told, what was missing.

key("T", tenant) / key("COMPARED", integration) says how far. key("T", tenant, "RECOVERED", integration) /
key("RECOVERED", at, call's digest) is one call that had lacked something, for 30 days. None holds a number.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from hangtag.providers.base import Check
from hangtag.store.db.batch import delete_partition
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.keys import key
from hangtag.store.db.paging import Page

__all__ = ["Compared", "Recovered", "begin", "finish", "load", "note", "purge", "recent"]

WORD = "RECOVERED"
KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Compared:
    """How it stands with one integration. Times are ISO 8601 in UTC.

    `until`: all calls that began before were compared, once. `whole_at`: when the last days were looked at again.
    `at`: when the last try ended; `error` says in words why that failed. `looked_after` is what came of seeing to it
    that the PBX goes on posting, where it must be seen to.
    """

    until: str | None = None
    whole_at: str | None = None
    at: str | None = None
    error: str | None = None
    looked_after: Check | None = None


@dataclass(frozen=True, slots=True)
class Recovered:
    """A call that lacked something: `missing` is call, end, answer, recording or details. `at`: when it was found."""

    call_id: str
    missing: str
    started_at: str | None
    at: str

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return asdict(self)


def load(tenant_id: str, integration_id: str) -> Compared:
    """How it stands; all None if it was never compared. Raises botocore's errors."""
    found = dynamodb().get_item(TableName=table(), Key=_key(tenant_id, integration_id), ConsistentRead=True)
    return _compared(found.get("Item", {}))


def begin(tenant_id: str, integration_id: str, now: datetime, lease: timedelta) -> Compared | None:
    """Be the one who compares for so long; how it stands, or None if somebody else does. Raises botocore's errors."""
    try:
        answer = dynamodb().update_item(
            TableName=table(),
            Key=_key(tenant_id, integration_id),
            UpdateExpression="SET leased_until = :until, kind = :kind",
            ConditionExpression="attribute_not_exists(leased_until) OR leased_until < :now",
            ExpressionAttributeValues={
                ":until": {"N": str((now + lease).timestamp())},
                ":now": {"N": str(now.timestamp())},
                ":kind": {"S": "compared"},
            },
            ReturnValues="ALL_NEW",
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return None
    return _compared(answer["Attributes"])


def finish(tenant_id: str, integration_id: str, stands: Compared) -> None:
    """Say how it stands, and let others compare; nothing if the integration is gone. Raises botocore's errors."""
    said = {"until": stands.until, "whole_at": stands.whole_at, "error": stands.error, "at": stands.at}
    if stands.looked_after is not None:
        said["well" if stands.looked_after.ok else "trouble"] = stands.looked_after.detail
        said.setdefault("well", None)
        said.setdefault("trouble", None)
    sets = {name: value for name, value in said.items() if value is not None}
    gone = [name for name, value in said.items() if value is None]
    update = f"REMOVE {', '.join(('leased_until', *(f'#{name}' for name in gone)))}"
    if sets:
        update = f"SET {', '.join(f'#{name} = :{name}' for name in sets)} {update}"
    values: Any = {f":{name}": {"S": value} for name, value in sets.items()}
    try:
        dynamodb().update_item(
            TableName=table(),
            Key=_key(tenant_id, integration_id),
            UpdateExpression=update,
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeNames={f"#{name}": name for name in said},
            **({"ExpressionAttributeValues": values} if values else {}),
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise


def note(tenant_id: str, integration_id: str, found: Recovered, digest: str) -> None:
    """Remember a call that lacked something. Raises botocore's errors."""
    item: Any = {
        "pk": {"S": key("T", tenant_id, WORD, integration_id)},
        "sk": {"S": key(WORD, found.at, digest)},
        "kind": {"S": "recovered"},
        "call_id": {"S": found.call_id},
        "missing": {"S": found.missing},
        "at": {"S": found.at},
        "expires_at": {"N": str(int((datetime.fromisoformat(found.at) + KEPT).timestamp()))},
    }
    if found.started_at is not None:
        item["started_at"] = {"S": found.started_at}
    dynamodb().put_item(TableName=table(), Item=item)


def recent(tenant_id: str, integration_id: str, limit: int, before: str | None) -> Page[Recovered]:
    """What was recovered, the newest first. `before` is a page's `next`. Raises botocore's errors."""
    pk = key("T", tenant_id, WORD, integration_id)
    more: dict[str, Any] = {}
    if before is not None:
        more["ExclusiveStartKey"] = {"pk": {"S": pk}, "sk": {"S": key(WORD, *before.split("/", 1))}}
    answer = dynamodb().query(
        TableName=table(),
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": pk}},
        ScanIndexForward=False,
        Limit=limit,
        ConsistentRead=True,
        **more,
    )
    last = answer.get("LastEvaluatedKey")
    following = last["sk"]["S"].split("#", 1)[1].replace("#", "/") if last else None
    return Page(tuple(map(_recovered, answer["Items"])), following)


def purge(tenant_id: str, integration_id: str, has_time: Callable[[], bool]) -> bool:
    """Delete all of an integration; false when time ran out before. Raises botocore's errors."""
    dynamodb().delete_item(TableName=table(), Key=_key(tenant_id, integration_id))
    return delete_partition(key("T", tenant_id, WORD, integration_id), has_time)


def _compared(item: Any) -> Compared:
    said = {name: item[name]["S"] for name in ("until", "whole_at", "at", "error") if name in item}
    found = next(
        (Check("look_after", name == "well", item[name]["S"]) for name in ("well", "trouble") if name in item), None
    )
    return Compared(**said, looked_after=found)


def _recovered(item: Any) -> Recovered:
    return Recovered(item["call_id"]["S"], item["missing"]["S"], item.get("started_at", {}).get("S"), item["at"]["S"])


def _key(tenant_id: str, integration_id: str) -> Any:
    return {"pk": {"S": key("T", tenant_id)}, "sk": {"S": key("COMPARED", integration_id)}}
