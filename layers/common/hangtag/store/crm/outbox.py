"""Outbox: messages for an outside CRM or for e-mail recipients.

A message is written in the transaction of its change, so neither exists without the other. The table's stream reports a
waiting message, a queue worker (`hangtag.services.crm.outbox_worker`) sends it.

All revisions of a subject are in one partition: key("T", tenant, "OUTBOX", digest of kind and subject) / key("OUTBOX",
revision), next to "DELIVERED", which holds the last delivered revision. States: `waiting` (new, or due for a retry: the
only one that passes the stream's filter), `trying` (a worker has it), `dead` (dead letter; listed until it expires, and
redriven by an admin). Delivered messages are deleted. For erasure, all messages are in the index of days, under
"OUTBOX" and the day of writing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from botocore.exceptions import ClientError
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from hangtag import representation
from hangtag.store.crm import config as crm
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.clock import iso
from hangtag.store.db.keys import DAY_SHARDS, digest, key, shard
from hangtag.store.db.models import Entry

Kind = Literal["tag", "contact", "comment", "task", "missed_call"]

EMAIL = "missed_call_email"
TYPES: Mapping[str, str] = {
    "tag": "tag.written",
    "contact": "contact.created",
    "comment": "comment.created",
    "task": "task.created",
    "missed_call": "missed_call",
    EMAIL: EMAIL,
}
WORD = "OUTBOX"
DEAD_WORD = "DEAD_LETTERS"
WAITING, TRYING, DEAD = "waiting", "trying", "dead"
DELIVERED = "DELIVERED"
# Longer than any retry period: only dead letters expire.
RETENTION = timedelta(days=120)
DEAD_LETTER_RETENTION = timedelta(days=90)
# A late revision is recognised as outdated, and an e-mail as sent, for this long.
DELIVERY_RETENTION = timedelta(days=30)
# Another worker can take a message from a dead worker after this time.
LEASE = timedelta(seconds=60)
_SUBJECT_LENGTH = 24
_CONTESTED_ATTEMPTS = 5


class OutboxItem(Entry):
    """A message. `message` is the body to send, `body` the summary of a dead letter; `since`, `due_at`: epoch
    seconds.
    """

    kind = UnicodeAttribute(default="outbox")
    tenant_id = UnicodeAttribute()
    id = UnicodeAttribute()
    what = UnicodeAttribute()
    subject = UnicodeAttribute()
    revision = NumberAttribute()
    message = UnicodeAttribute()
    created_at = UnicodeAttribute()
    state = UnicodeAttribute(default=WAITING)
    since = NumberAttribute()
    attempt = NumberAttribute(default=0)
    due_at = NumberAttribute()
    expires_at = NumberAttribute()
    day_key = UnicodeAttribute()
    day_order = UnicodeAttribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as the worker reads it. `since`: time of the first try; `superseded`: a newer revision was delivered.

    `recipients` are the employees who have received a message by e-mail.
    """

    tenant_id: str
    id: str
    kind: str
    subject: str
    revision: int
    text: str
    created_at: str
    state: str
    since: datetime
    attempt: int
    due_at: datetime
    superseded: bool
    recipients: frozenset[str]


@dataclass(frozen=True, slots=True)
class Fault:
    """Reason for a failed try. `status` is the HTTP status, None without a response."""

    status: int | None
    reason: str


def message_id(kind: str, subject: str, revision: int) -> str:
    """Return the stable id of a message: 32 hexadecimal characters, the last 8 of them the revision."""
    return f"{digest(kind, subject)[:_SUBJECT_LENGTH]}{revision:08x}"


def partition(tenant_id: str, kind: str, subject: str) -> str:
    """Return the partition of all messages about a subject, for erasure."""
    return _partition(tenant_id, message_id(kind, subject, 0))


def entries(
    tenant_id: str, kind: Kind, subject: str, revision: int, data: Mapping[str, Any], now: datetime
) -> list[OutboxItem]:
    """Build the message for a PynamoDB transaction with its change; empty for a tenant without an outside CRM.

    Raises botocore's errors.
    """
    if crm.load(tenant_id) is None:
        return []
    return [entry(tenant_id, kind, subject, revision, data, now)]


def puts(
    tenant_id: str, kind: Kind, subject: str, revision: int, data: Mapping[str, Any], now: datetime
) -> list[dict[str, Any]]:
    """Return `entries` as TransactItems of the low-level client."""
    return [as_put(item) for item in entries(tenant_id, kind, subject, revision, data, now)]


def as_put(item: OutboxItem) -> dict[str, Any]:
    """Return an entry as a TransactItem of the low-level client."""
    return {"Put": {"TableName": table(), "Item": item.serialize()}}


def entry(tenant_id: str, kind: str, subject: str, revision: int, data: Mapping[str, Any], now: datetime) -> OutboxItem:
    """Build a waiting message, regardless of the tenant's CRM."""
    outbox_id = message_id(kind, subject, revision)
    text = compose(TYPES[kind], outbox_id, revision, tenant_id, now, data)
    epoch = int(now.timestamp())
    return OutboxItem(
        _partition(tenant_id, outbox_id),
        _sk(outbox_id),
        tenant_id=tenant_id,
        id=outbox_id,
        what=kind,
        subject=subject,
        revision=revision,
        message=text,
        created_at=iso(now),
        since=epoch,
        due_at=epoch,
        expires_at=epoch + int(RETENTION.total_seconds()),
        day_key=_day_key(tenant_id, iso(now), outbox_id),
        day_order=_order(iso(now), outbox_id),
    )


def compose(kind: str, sent_id: str, revision: int, tenant_id: str, now: datetime, data: Mapping[str, Any]) -> str:
    """Return the JSON of a message to send; `kind` is its type."""
    body = {
        "type": kind,
        "id": sent_id,
        "revision": revision,
        "timestamp": representation.instant(now),
        "tenant": tenant_id,
        "data": data,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def load(tenant_id: str, outbox_id: str) -> Message | None:
    """Return a message (a consistent read); None if it was delivered or erased."""
    response = dynamodb().query(
        TableName=table(),
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": _partition(tenant_id, outbox_id)}},
        ConsistentRead=True,
    )
    items: dict[str, Any] = {item["sk"]["S"]: item for item in response["Items"]}
    item = items.get(_sk(outbox_id))
    if item is None:
        return None
    delivered = int(items[DELIVERED]["revision"]["N"]) if DELIVERED in items else 0
    return _message(item, delivered)


def _message(item: Mapping[str, Any], delivered: int) -> Message:
    revision = int(item["revision"]["N"])
    return Message(
        tenant_id=item["tenant_id"]["S"],
        id=item["id"]["S"],
        kind=item["what"]["S"],
        subject=item["subject"]["S"],
        revision=revision,
        text=item["message"]["S"],
        created_at=item["created_at"]["S"],
        state=item["state"]["S"],
        since=_moment(item["since"]),
        attempt=int(item["attempt"]["N"]),
        due_at=_moment(item["due_at"]),
        superseded=delivered >= revision,
        recipients=frozenset(item.get("told", {}).get("SS", ())),
    )


def claim(message: Message, now: datetime) -> Message | None:
    """Claim a message for one try; None if another worker has it or it is gone."""
    claimed = _update(
        message,
        "SET #state = :trying, attempt = :next, due_at = :lease",
        "#state <> :dead AND attempt = :seen",
        {
            ":trying": {"S": TRYING},
            ":dead": {"S": DEAD},
            ":next": {"N": str(message.attempt + 1)},
            ":seen": {"N": str(message.attempt)},
            ":lease": _epoch(now + LEASE),
        },
        naming_state=True,
    )
    return replace(message, state=TRYING, attempt=message.attempt + 1) if claimed else None


def schedule_retry(message: Message, due_at: datetime, fault: Fault) -> None:
    """Record a failed try of a claimed message and schedule the next one."""
    values = _fault_values(fault)
    _update(
        message,
        "SET due_at = :due, " + ", ".join(f"{name} = :{name}" for name in values),
        "attempt = :mine",
        {
            ":due": _epoch(due_at),
            ":mine": {"N": str(message.attempt)},
            **{f":{name}": value for name, value in values.items()},
        },
    )


def move_to_dead_letters(message: Message, now: datetime, fault: Fault) -> None:
    """Move a message to the dead letters. It is listed with the reason, and expires after 90 days."""
    shown = {
        "id": message.id,
        "type": TYPES[message.kind],
        "subject": message.subject,
        "revision": message.revision,
        "created_at": message.created_at,
        "died_at": iso(now),
        "attempts": message.attempt,
        "last_status": fault.status,
        "reason": fault.reason,
    }
    _update(
        message,
        "SET #state = :dead, body = :body, contact_key = :key, contact_order = :order, expires_at = :expires",
        "attribute_exists(pk) AND #state <> :dead",
        {
            ":dead": {"S": DEAD},
            ":body": {"S": json.dumps(shown, ensure_ascii=False)},
            ":key": {"S": key("T", message.tenant_id, DEAD_WORD)},
            ":order": {"S": _order(iso(now), message.id)},
            ":expires": _epoch(now + DEAD_LETTER_RETENTION),
        },
        naming_state=True,
    )


def add_recipient(message: Message, employee_id: str) -> None:
    """Record that an employee received a message by e-mail."""
    _update(message, "ADD told :who", "attribute_exists(pk)", {":who": {"SS": [employee_id]}})


def drop(message: Message) -> None:
    """Delete an obsolete message."""
    dynamodb().delete_item(TableName=table(), Key=_key(message.tenant_id, message.id))


def finish(message: Message, now: datetime) -> None:
    """Delete a delivered message and store its revision. Raises botocore's errors.

    Writes nothing if the message was erased meanwhile.
    """
    place = _key(message.tenant_id, message.id)
    items: list[Any] = [
        {"Delete": {"TableName": table(), "Key": place, "ConditionExpression": "attribute_exists(pk)"}},
        {"Put": _delivered(message, now)},
    ]
    for attempt in range(_CONTESTED_ATTEMPTS):
        try:
            dynamodb().transact_write_items(TransactItems=items)
            return
        except ClientError as error:
            codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
            if "ConditionalCheckFailed" in codes:
                # Deleted already, or a newer revision was faster.
                drop(message)
                return
            if "TransactionConflict" not in codes or attempt == _CONTESTED_ATTEMPTS - 1:
                raise


def _delivered(message: Message, now: datetime) -> dict[str, Any]:
    at = iso(now)
    return {
        "TableName": table(),
        "Item": {
            "pk": {"S": _partition(message.tenant_id, message.id)},
            "sk": {"S": DELIVERED},
            "kind": {"S": "delivered"},
            "revision": {"N": str(message.revision)},
            "expires_at": _epoch(now + DELIVERY_RETENTION),
            "day_key": {"S": _day_key(message.tenant_id, at, message.id)},
            "day_order": {"S": _order(at, message.id)},
        },
        "ConditionExpression": "attribute_not_exists(pk) OR revision < :revision",
        "ExpressionAttributeValues": {":revision": {"N": str(message.revision)}},
    }


def list_dead_letters(tenant_id: str, limit: int, before: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """Return up to `limit` dead letters, latest first, and the key to continue before. Raises botocore's errors."""
    condition, values = "contact_key = :key", {":key": {"S": key("T", tenant_id, DEAD_WORD)}}
    if before is not None:
        condition += " AND contact_order < :before"
        values[":before"] = {"S": before}
    response = dynamodb().query(
        TableName=table(),
        # The tenant's list is in the index that also holds the lists of contacts.
        IndexName="contact",
        KeyConditionExpression=condition,
        ExpressionAttributeValues=cast("Any", values),
        ScanIndexForward=False,
        Limit=limit,
    )
    items: list[Any] = response["Items"]
    following = items[-1]["contact_order"]["S"] if "LastEvaluatedKey" in response and items else None
    return [json.loads(item["body"]["S"]) for item in items], following


def redrive(tenant_id: str, outbox_id: str, now: datetime) -> bool:
    """Redrive a dead letter from now on; False if it does not exist."""
    try:
        dynamodb().update_item(
            TableName=table(),
            Key=_key(tenant_id, outbox_id),
            UpdateExpression="SET #state = :waiting, attempt = :none, since = :now, due_at = :now, "
            "expires_at = :expires REMOVE body, contact_key, contact_order",
            ConditionExpression="#state = :dead",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":waiting": {"S": WAITING},
                ":dead": {"S": DEAD},
                ":none": {"N": "0"},
                ":now": _epoch(now),
                ":expires": _epoch(now + RETENTION),
            },
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return False
    return True


def _update(
    message: Message, update: str, condition: str, values: dict[str, Any], *, naming_state: bool = False
) -> bool:
    names: dict[str, Any] = {"ExpressionAttributeNames": {"#state": "state"}} if naming_state else {}
    try:
        dynamodb().update_item(
            TableName=table(),
            Key=_key(message.tenant_id, message.id),
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
            **names,
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return False
    return True


def _fault_values(fault: Fault) -> dict[str, Any]:
    status = {"last_status": {"N": str(fault.status)}} if fault.status is not None else {}
    return {"reason": {"S": fault.reason}, **status}


def _partition(tenant_id: str, outbox_id: str) -> str:
    return key("T", tenant_id, WORD, outbox_id[:_SUBJECT_LENGTH])


def _sk(outbox_id: str) -> str:
    return key(WORD, outbox_id[_SUBJECT_LENGTH:])


def _key(tenant_id: str, outbox_id: str) -> dict[str, Any]:
    return {"pk": {"S": _partition(tenant_id, outbox_id)}, "sk": {"S": _sk(outbox_id)}}


def _day_key(tenant_id: str, at: str, outbox_id: str) -> str:
    return key("T", tenant_id, WORD, at[:10], str(shard(outbox_id, DAY_SHARDS)))


def _order(at: str, outbox_id: str) -> str:
    return f"{at}#{outbox_id}"


def _epoch(moment: datetime) -> dict[str, str]:
    return {"N": str(int(moment.timestamp()))}


def _moment(value: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(value["N"]), UTC)
