"""Queue of missed calls: open, returned (by a later conversation with the number), resolved.

All missed calls of a number are in one partition, with the recent conversations with it: key("T", tenant, "MISSED",
number) / key("MISSED", tag) and key("TALKED", time). Incoming ones only; the tag is the record, this is the queue. A
missed call is returned by the first conversation after it, in either order of arrival.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from hangtag.errors import ConflictError, NotFoundError, UnavailableError
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.clock import now
from hangtag.store.db.keys import DAY_SHARDS, key, shard

WORD = "MISSED"
OPEN, RETURNED, RESOLVED = "open", "returned", "resolved"
STATES = (OPEN, RETURNED, RESOLVED)
_TALKED = "TALKED"
# For a missed call whose tag is written after that of the call that returned it: PBXs' histories are late.
TALK_RETENTION = timedelta(days=8)
_ATTEMPTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedCall:
    """One missed call. `id` is its tag's, `number` E.164 if it is readable, "" for a withheld one.

    `rung` and `recipients` are employees' ids; times are ISO 8601 in UTC. `resolved_by` has the form of the
    audit's `who`.
    """

    id: str
    call_id: str
    at: str
    number: str
    line: str | None
    contact_id: str | None
    rung: tuple[str, ...]
    recipients: tuple[str, ...]
    state: str = OPEN
    returned_by_call_id: str | None = None
    returned_at: str | None = None
    resolved_by: str | None = None
    resolved_at: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the missed call as stored and shown."""
        return {**asdict(self), "rung": list(self.rung), "recipients": list(self.recipients)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "MissedCall":
        """Return the missed call of a stored body, the inverse of `to_json`."""
        lists = {"rung": tuple(body["rung"]), "recipients": tuple(body["recipients"])}
        return cls(**{**body, **lists})


class Talk(NamedTuple):
    """A call with a conversation, and when it was: ISO 8601 in UTC, whole seconds."""

    call_id: str
    at: str


def word(state: str) -> str:
    """Return the word of a state's list in the index of days."""
    return f"{WORD}.{state}"


def puts(tenant_id: str, missed: MissedCall, before: MissedCall | None) -> tuple[dict[str, Any], ...]:
    """Return the write that replaces a missed call, on condition that it is unchanged since `before`."""
    return ({"Put": _put(tenant_id, missed, before)},)


def deletes(tenant_id: str, missed: MissedCall) -> tuple[dict[str, Any], ...]:
    """Return the write that removes a missed call from the queue."""
    return ({"Delete": {"TableName": table(), "Key": _key(tenant_id, missed.number, missed.id)}},)


def load(tenant_id: str, number: str, missed_id: str) -> MissedCall | None:
    """Return the current missed call, or None. Raises botocore's errors."""
    response = dynamodb().get_item(TableName=table(), Key=_key(tenant_id, number, missed_id), ConsistentRead=True)
    return _parse(response["Item"]) if "Item" in response else None


def resolve(tenant_id: str, number: str, missed_id: str, who: str, at: str) -> MissedCall:
    """Resolve a missed call. Resolving twice changes nothing.

    Raises NotFoundError, and ConflictError if it is changed at the same moment.
    """
    missed = load(tenant_id, number, missed_id)
    if missed is None:
        raise NotFoundError("No such missed call.")
    if missed.state == RESOLVED:
        return missed
    after = replace(missed, state=RESOLVED, resolved_by=who, resolved_at=at)
    if not _replace(tenant_id, after, missed):
        raise ConflictError("The missed call was changed at the same time. Try again.")
    return after


def add_talk(tenant_id: str, number: str, call_id: str, at: str) -> None:
    """Store for some days that there was a conversation with a number at that time. Raises botocore's errors."""
    item: Any = {
        "pk": {"S": _pk(tenant_id, number)},
        "sk": {"S": key(_TALKED, at)},
        "kind": {"S": "talked"},
        "call_id": {"S": call_id},
        "expires_at": {"N": str(int((now() + TALK_RETENTION).timestamp()))},
    }
    dynamodb().put_item(TableName=table(), Item=item)


def first_talk(tenant_id: str, number: str, after: str) -> Talk | None:
    """Return the first conversation with a number after a time. Raises botocore's errors."""
    # The rest of a key after its time sorts behind it, and before the next second.
    begin, end = f"{key(_TALKED, after)}!", f"{key(_TALKED, '')}~"
    response = dynamodb().query(
        TableName=table(),
        KeyConditionExpression="pk = :pk AND sk BETWEEN :begin AND :end",
        ExpressionAttributeValues={":pk": {"S": _pk(tenant_id, number)}, ":begin": {"S": begin}, ":end": {"S": end}},
        Limit=1,
        ConsistentRead=True,
    )
    return next((Talk(item["call_id"]["S"], item["sk"]["S"].split("#", 1)[1]) for item in response["Items"]), None)


def mark_returned(tenant_id: str, number: str, talk: Talk) -> None:
    """Mark the missed calls of a number before a conversation as returned by it, except those returned earlier.

    Raises UnavailableError if one of them keeps changing, and botocore's errors.
    """
    for queued in _of_number(tenant_id, number):
        missed: MissedCall | None = queued
        for _ in range(_ATTEMPTS):
            if missed is None or not _waits_for(missed, talk):
                break
            after = replace(missed, state=RETURNED, returned_by_call_id=talk.call_id, returned_at=talk.at)
            if _replace(tenant_id, after, missed):
                break
            # Another conversation returned it meanwhile, or it was resolved.
            missed = load(tenant_id, number, missed.id)
        else:
            raise UnavailableError("A missed call keeps changing. Try again later.")


def _waits_for(missed: MissedCall, talk: Talk) -> bool:
    """Return True if a conversation returns a missed call: it is the first known one after it."""
    first = missed.state == OPEN or (missed.state == RETURNED and talk.at < (missed.returned_at or talk.at))
    return first and missed.at < talk.at


def _of_number(tenant_id: str, number: str) -> Iterator[MissedCall]:
    pages = (
        dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=table(),
            KeyConditionExpression="pk = :pk AND begins_with(sk, :missed)",
            ExpressionAttributeValues={":pk": {"S": _pk(tenant_id, number)}, ":missed": {"S": key(WORD, "")}},
            ConsistentRead=True,
        )
    )
    for page in pages:
        for item in page["Items"]:
            yield _parse(item)


def _pk(tenant_id: str, number: str) -> str:
    return key("T", tenant_id, WORD, number)


def _key(tenant_id: str, number: str, missed_id: str) -> dict[str, Any]:
    return {"pk": {"S": _pk(tenant_id, number)}, "sk": {"S": key(WORD, missed_id)}}


def _put(tenant_id: str, missed: MissedCall, before: MissedCall | None) -> dict[str, Any]:
    day = key("T", tenant_id, word(missed.state), missed.at[:10], str(shard(missed.id, DAY_SHARDS)))
    put: dict[str, Any] = {
        "TableName": table(),
        "Item": {
            **_key(tenant_id, missed.number, missed.id),
            "kind": {"S": "missed_call"},
            "body": {"S": json.dumps(missed.to_json(), ensure_ascii=False)},
            "day_key": {"S": day},
            "day_order": {"S": f"{missed.at}#{missed.id}"},
        },
    }
    if before is None:
        return put | {"ConditionExpression": "attribute_not_exists(pk)"}
    return put | {
        "ConditionExpression": "body = :before",
        "ExpressionAttributeValues": {":before": {"S": json.dumps(before.to_json(), ensure_ascii=False)}},
    }


def _replace(tenant_id: str, after: MissedCall, before: MissedCall) -> bool:
    try:
        dynamodb().put_item(**_put(tenant_id, after, before))
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return False
    return True


def _parse(item: Mapping[str, Any]) -> MissedCall:
    return MissedCall.from_json(json.loads(item["body"]["S"]))
