"""Missed calls to be worked off: open, returned (somebody talked to that number later), resolved.

All missed calls of a number lie in one partition, beside the last time that somebody talked to it: key("T", tenant,
"MISSED", number) / key("MISSED", tag) and "TALKED". Incoming ones only; the tag is the record, this is the queue.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from hangtag.errors import ConflictError, NotFoundError
from hangtag.store.client import dynamodb, is_refused, table
from hangtag.store.keys import DAY_SHARDS, key, shard

WORD = "MISSED"
OPEN, RETURNED, RESOLVED = "open", "returned", "resolved"
STATES = (OPEN, RETURNED, RESOLVED)
_TALKED = "TALKED"
# For a missed call whose tag is written only after that of the call that returned it.
TALK_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedCall:
    """One missed call. `id` is its tag's, `number` E.164 where it can be read, "" for a withheld one.

    `rung` and `recipients` are employees' ids; times are ISO 8601 in UTC. `resolved_by` says who, as the audit does.
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
        """As it is kept and shown."""
        return {**asdict(self), "rung": list(self.rung), "recipients": list(self.recipients)}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "MissedCall":
        """The inverse of `to_json`."""
        lists = {"rung": tuple(said["rung"]), "recipients": tuple(said["recipients"])}
        return cls(**{**said, **lists})


def word(state: str) -> str:
    """The word of a state's list in the index of days."""
    return f"{WORD}.{state}"


def puts(tenant_id: str, missed: MissedCall, before: MissedCall | None) -> tuple[dict[str, Any], ...]:
    """The write that puts a missed call in place of what it was made from, if nobody changed that meanwhile."""
    return ({"Put": _put(tenant_id, missed, before)},)


def deletes(tenant_id: str, missed: MissedCall) -> tuple[dict[str, Any], ...]:
    """The write that takes a missed call off the queue."""
    return ({"Delete": {"TableName": table(), "Key": _key(tenant_id, missed.number, missed.id)}},)


def load(tenant_id: str, number: str, missed_id: str) -> MissedCall | None:
    """A missed call as it is now. Raises botocore's errors."""
    found = dynamodb().get_item(TableName=table(), Key=_key(tenant_id, number, missed_id), ConsistentRead=True)
    return _parse(found["Item"]) if "Item" in found else None


def resolve(tenant_id: str, number: str, missed_id: str, who: str, at: str) -> MissedCall:
    """Say that nothing is left to be done. Resolving twice changes nothing.

    Raises NotFoundError, and ConflictError when somebody changed it this very moment.
    """
    missed = load(tenant_id, number, missed_id)
    if missed is None:
        raise NotFoundError("there is no such missed call")
    if missed.state == RESOLVED:
        return missed
    after = replace(missed, state=RESOLVED, resolved_by=who, resolved_at=at)
    if not _replace(tenant_id, after, missed):
        raise ConflictError("it was being changed by others at the same time; try again")
    return after


def note_talk(tenant_id: str, number: str, at: str) -> None:
    """Remember for some days that somebody talked to a number at that time; an earlier time changes nothing."""
    until = int((datetime.fromisoformat(at) + TALK_KEPT).timestamp())
    _update_if(
        Key={"pk": {"S": _pk(tenant_id, number)}, "sk": {"S": _TALKED}},
        UpdateExpression="SET talked_at = :at, kind = :kind, expires_at = :until",
        ConditionExpression="attribute_not_exists(talked_at) OR talked_at < :at",
        ExpressionAttributeValues={":at": {"S": at}, ":kind": {"S": "talked"}, ":until": {"N": str(until)}},
    )


def talked_at(tenant_id: str, number: str) -> str | None:
    """When somebody last talked to a number. Raises botocore's errors."""
    place: Any = {"pk": {"S": _pk(tenant_id, number)}, "sk": {"S": _TALKED}}
    found = dynamodb().get_item(TableName=table(), Key=place, ConsistentRead=True)
    return found["Item"]["talked_at"]["S"] if "Item" in found else None


def return_all(tenant_id: str, number: str, call_id: str | None, at: str) -> int:
    """Mark the open missed calls of a number before that time as returned; how many there were."""
    count = 0
    for missed in _of_number(tenant_id, number):
        if missed.state != OPEN or missed.at >= at:
            continue
        after = replace(missed, state=RETURNED, returned_by_call_id=call_id, returned_at=at)
        # If somebody resolves it this very moment, that stands.
        count += _replace(tenant_id, after, missed)
    return count


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
        if not is_refused(error):
            raise
        return False
    return True


def _update_if(**arguments: Any) -> bool:
    try:
        dynamodb().update_item(TableName=table(), **arguments)
    except ClientError as error:
        if not is_refused(error):
            raise
        return False
    return True


def _parse(item: Mapping[str, Any]) -> MissedCall:
    return MissedCall.from_json(json.loads(item["body"]["S"]))
