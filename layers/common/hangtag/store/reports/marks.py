"""Marks of hours whose sums are out of date, of all tenants, found by the index of what is due.

key("T", tenant, "REPORT.MARK") / key("HOUR", hour). `n` grows with every change: a mark goes only if it is the one that
was read. Imports little: it lies on the tracker's path.
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
# Until then the indexes, which are behind the table, have what the mark was made for.
PAUSE = timedelta(seconds=60)
# Then once more, should an index have been behind for longer.
AGAIN = timedelta(minutes=10)
_HOUR_FORM = "%Y-%m-%dT%H"


@dataclass(frozen=True, slots=True)
class Mark:
    """An hour (UTC) to be summed up. `again`: it was already, and is only looked at for safety."""

    tenant_id: str
    hour: datetime
    version: int
    marked_at: datetime
    again: bool


def hour_of(moment: datetime) -> datetime:
    """The UTC hour that a time lies in."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def name_of(hour: datetime) -> str:
    """Such as 2026-03-01T10."""
    return hour.strftime(_HOUR_FORM)


def partition(tenant_id: str) -> str:
    """Where the marks of a tenant lie."""
    return key("T", tenant_id, WORD)


def mark(tenant_id: str, hour: datetime, now: datetime) -> None:
    """Say that something of an hour changed. A mark that is there stays due when it was. Raises botocore's errors."""
    due = _text(now + PAUSE)
    answer = dynamodb().update_item(
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
    if answer["Attributes"]["live_due"]["S"] > due:
        # It was about to be looked at once more, much later.
        _update(tenant_id, hour, "SET live_due = :due", "live_due > :due", {":due": {"S": due}})


def due(before: datetime) -> Iterator[Mark]:
    """The marks whose time has come, the oldest of each part first. Raises botocore's errors."""
    query = dynamodb().get_paginator("query")
    for number in range(SHARDS):
        pages = query.paginate(
            TableName=table(),
            IndexName="live",
            KeyConditionExpression="live_shard = :shard AND live_due <= :now",
            ExpressionAttributeValues={":shard": {"S": f"REPORTS#{number}"}, ":now": {"S": _text(before)}},
        )
        for page in pages:
            for found in page["Items"]:
                read = _read(found["pk"]["S"], found["sk"]["S"])
                if read is not None:
                    yield read


def settle(found: Mark, now: datetime) -> None:
    """Say that its hour was summed up: look again later, or never more. Raises botocore's errors.

    A mark that was renewed meanwhile, or just before, stays as one that is new.
    """
    unchanged, seen = "n = :seen", {":seen": {"N": str(found.version)}}
    if now - found.marked_at < PAUSE / 2:
        done = False
    elif found.again:
        done = _delete(found, unchanged, seen)
    else:
        later = {":due": {"S": _text(now + AGAIN)}, ":yes": {"BOOL": True}}
        done = _update(found.tenant_id, found.hour, "SET live_due = :due, again = :yes", unchanged, {**seen, **later})
    if not done:
        put_off(found, now)


def put_off(found: Mark, now: datetime) -> None:
    """Look at it again in a minute."""
    soon = {":due": {"S": _text(now + PAUSE)}}
    _update(found.tenant_id, found.hour, "SET live_due = :due", "attribute_exists(pk)", soon)


def drop(found: Mark) -> None:
    """Take a mark away whose tenant is gone."""
    _delete(found, "attribute_exists(pk)", {})


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


def _delete(found: Mark, condition: str, values: Any) -> bool:
    arguments: Any = {"ExpressionAttributeValues": values} if values else {}
    try:
        dynamodb().delete_item(
            TableName=table(), Key=_key(found.tenant_id, found.hour), ConditionExpression=condition, **arguments
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return False
    return True
