"""Marks of hours with outdated sums, of all tenants, listed by the index of due items.

key("T", tenant, "REPORT.MARK") / key("HOUR", hour). `n` grows with every change: a mark is deleted only in the version
that was read. Imports little, because it is on the tracker's path.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.keys import key

WORD = "REPORT.MARK"
SHARDS = 4
# By then the indexes, which lag behind the table, contain the change behind the mark.
PAUSE = timedelta(seconds=60)
# Time of one more check, in case an index lagged for longer.
AGAIN = timedelta(minutes=10)
_HOUR_FORM = "%Y-%m-%dT%H"


@dataclass(frozen=True, slots=True)
class Mark:
    """An hour (UTC) to sum. `again`: it was summed already, and is checked once more."""

    tenant_id: str
    hour: datetime
    version: int
    marked_at: datetime
    again: bool


def hour_of(moment: datetime) -> datetime:
    """Return the UTC hour of a time."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def name_of(hour: datetime) -> str:
    """Format an hour, for example 2026-03-01T10."""
    return hour.strftime(_HOUR_FORM)


def partition(tenant_id: str) -> str:
    """Return the partition of a tenant's marks."""
    return key("T", tenant_id, WORD)


def mark(tenant_id: str, hour: datetime, now: datetime) -> None:
    """Mark an hour as changed. An existing mark keeps its due time. Raises botocore's errors."""
    due = _text(now + PAUSE)
    response = dynamodb().update_item(
        TableName=table(),
        Key=_key(tenant_id, hour),
        UpdateExpression="SET live_shard = :shard, live_due = if_not_exists(live_due, :due), kind = :kind,"
        " marked_at = :now, again = :no ADD n :one",
        ExpressionAttributeValues={
            ":shard": {"S": _shard(tenant_id, hour)},
            ":due": {"S": due},
            ":kind": {"S": "report_mark"},
            ":now": {"S": _text(now)},
            ":no": {"BOOL": False},
            ":one": {"N": "1"},
        },
        ReturnValues="ALL_NEW",
    )
    if response["Attributes"]["live_due"]["S"] > due:
        # Only its later check was scheduled.
        _update(tenant_id, hour, "SET live_due = :due", "live_due > :due", {":due": {"S": due}})


def due(before: datetime) -> Iterator[Mark]:
    """Yield the due marks, oldest of each shard first. Raises botocore's errors."""
    query = dynamodb().get_paginator("query")
    for number in range(SHARDS):
        pages = query.paginate(
            TableName=table(),
            IndexName="live",
            KeyConditionExpression="live_shard = :shard AND live_due <= :now",
            ExpressionAttributeValues={":shard": {"S": f"REPORTS#{number}"}, ":now": {"S": _text(before)}},
        )
        for page in pages:
            for entry in page["Items"]:
                item = _read(entry["pk"]["S"], entry["sk"]["S"])
                if item is not None:
                    yield item


def settle(mark_read: Mark, now: datetime) -> None:
    """Schedule the check of a summed hour, or delete its mark after the check. Raises botocore's errors.

    A mark that was renewed meanwhile, or just before, counts as a new one.
    """
    unchanged, values = "n = :seen", {":seen": {"N": str(mark_read.version)}}
    if now - mark_read.marked_at < PAUSE / 2:
        done = False
    elif mark_read.again:
        done = _delete(mark_read, unchanged, values)
    else:
        later = {":due": {"S": _text(now + AGAIN)}, ":yes": {"BOOL": True}}
        done = _update(
            mark_read.tenant_id, mark_read.hour, "SET live_due = :due, again = :yes", unchanged, {**values, **later}
        )
    if not done:
        postpone(mark_read, now)


def postpone(mark_read: Mark, now: datetime) -> None:
    """Make a mark due again in a minute."""
    soon = {":due": {"S": _text(now + PAUSE)}}
    _update(mark_read.tenant_id, mark_read.hour, "SET live_due = :due", "attribute_exists(pk)", soon)


def drop(mark_read: Mark) -> None:
    """Delete the mark of a deleted tenant."""
    _delete(mark_read, "attribute_exists(pk)", {})


def _read(pk: str, sk: str) -> Mark | None:
    place: Any = {"pk": {"S": pk}, "sk": {"S": sk}}
    item = dynamodb().get_item(TableName=table(), Key=place, ConsistentRead=True).get("Item")
    if item is None:
        return None
    return Mark(
        tenant_id=pk.split("#")[1],
        hour=datetime.strptime(sk.split("#")[1], _HOUR_FORM).replace(tzinfo=UTC),
        version=int(item["n"]["N"]),
        marked_at=datetime.fromisoformat(item["marked_at"]["S"]),
        again=item["again"]["BOOL"],
    )


def _key(tenant_id: str, hour: datetime) -> Any:
    return {"pk": {"S": partition(tenant_id)}, "sk": {"S": key("HOUR", name_of(hour))}}


def _shard(tenant_id: str, hour: datetime) -> str:
    hashed = hashlib.sha256(f"{tenant_id} {name_of(hour)}".encode()).digest()
    return f"REPORTS#{hashed[0] % SHARDS}"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _update(tenant_id: str, hour: datetime, update: str, condition: str, values: Any) -> bool:
    try:
        dynamodb().update_item(
            TableName=table(),
            Key=_key(tenant_id, hour),
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return False
    return True


def _delete(mark_read: Mark, condition: str, values: Any) -> bool:
    arguments: Any = {"ExpressionAttributeValues": values} if values else {}
    try:
        dynamodb().delete_item(
            TableName=table(), Key=_key(mark_read.tenant_id, mark_read.hour), ConditionExpression=condition, **arguments
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return False
    return True
