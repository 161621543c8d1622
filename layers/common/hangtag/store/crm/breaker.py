"""Circuit breaker for a tenant's outside CRM: an item key("T", tenant) / "CRM_BREAKER".

A CRM that fails several times in a row gets no requests for a while (the breaker is open); then one request, a probe,
is sent. A tenant also has a bounded number of concurrent requests: slots of this item, each leased for as long as a
worker can need. A slow or failing CRM therefore delays its own tenant only.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from hangtag.store.crm.outbox import Fault
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.clock import iso
from hangtag.store.db.keys import key

SK = "CRM_BREAKER"
# Consecutive failures that open the breaker.
THRESHOLD = 5
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=15)
# Concurrent requests per tenant.
SLOTS = 10
# Longer than a worker lives.
LEASE = timedelta(seconds=60)
# The item expires without activity, also for an erased tenant.
RETENTION = timedelta(days=30)
# Random delay of a message without a slot.
BUSY_SECONDS = (2.0, 10.0)

_TROUBLE = ("failures", "open_until", "last_status", "last_reason", "last_failed_at")

Draw = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Pass:
    """Permission to send one request; must be returned with `record_success`, `record_failure` or `release`.

    `clean`: a success has no failure to clear.
    """

    tenant_id: str
    slot: str | None
    probe: bool = False
    clean: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Rejection with the time to wait. `paused`: the breaker is open; otherwise all slots are in use."""

    seconds: float
    paused: bool


@dataclass(frozen=True, slots=True)
class Health:
    """Health of the CRM. `failures` in a row; `fault` and `failed_at` (ISO 8601) belong to the last one."""

    failures: int
    paused_until: datetime | None
    fault: Fault | None
    failed_at: str | None


def acquire(tenant_id: str, now: datetime, draw: Draw = random.random) -> Pass | Wait:
    """Request permission to send one request. Raises botocore's errors."""
    slot = _slot(int(draw() * SLOTS))
    item = _take(tenant_id, slot, now)
    if item is None:
        return Pass(tenant_id, slot)
    paused = _paused_until(item)
    if paused is not None:
        return _probe(tenant_id, paused, now, draw)
    free = [_slot(number) for number in range(SLOTS) if _is_free(item, _slot(number), now)]
    if free:
        other = free[int(draw() * len(free))]
        if _take(tenant_id, other, now) is None:
            return Pass(tenant_id, other)
    shortest, longest = BUSY_SECONDS
    return Wait(shortest + draw() * (longest - shortest), paused=False)


def admit(tenant_id: str, now: datetime) -> Pass | None:
    """Return permission for one request that a user waits for, without a slot; None while the breaker is open."""
    item = _read(tenant_id)
    paused = _paused_until(item)
    if paused is None:
        return Pass(tenant_id, None, clean="failures" not in item)
    probe = _probe(tenant_id, paused, now, random.random)
    return probe if isinstance(probe, Pass) else None


def record_success(permit: Pass) -> None:
    """Record a success: the failures are cleared."""
    _remove(permit, () if permit.clean else _TROUBLE)


def release(permit: Pass) -> None:
    """Return a permission that was not used."""
    _remove(permit, ())


def record_failure(permit: Pass, now: datetime, fault: Fault, not_before: datetime | None = None) -> None:
    """Record a failure. `not_before`: time until when the CRM requested a pause."""
    values: dict[str, Any] = {
        ":one": {"N": "1"},
        ":kind": {"S": "breaker"},
        ":reason": {"S": fault.reason},
        ":at": {"S": iso(now)},
        ":expires": _epoch(now + RETENTION),
        ":status": {"N": str(fault.status)} if fault.status is not None else {"NULL": True},
    }
    leaving = f" REMOVE {permit.slot}" if permit.slot is not None else ""
    answer = dynamodb().update_item(
        TableName=table(),
        Key=_key(permit.tenant_id),
        UpdateExpression="SET kind = :kind, last_status = :status, last_reason = :reason, last_failed_at = :at, "
        f"expires_at = :expires{leaving} ADD failures :one",
        ExpressionAttributeValues=values,
        ReturnValues="ALL_NEW",
    )
    failures = int(answer["Attributes"]["failures"]["N"])
    moments = [] if not_before is None else [not_before]
    if failures >= THRESHOLD or permit.probe:
        moments.append(now + pause(failures))
    if moments:
        _open(permit.tenant_id, max(moments))


def pause(failures: int) -> timedelta:
    """Return the time for which the breaker stays open after this many consecutive failures."""
    doublings = min(max(failures - THRESHOLD, 0), 10)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def reset(tenant_id: str) -> None:
    """Reset the breaker: the CRM was replaced, or an admin requested a retry."""
    dynamodb().delete_item(TableName=table(), Key=_key(tenant_id))


def health(tenant_id: str) -> Health:
    """Return the health of the CRM. Raises botocore's errors."""
    item = _read(tenant_id)
    fault = None
    if "last_reason" in item:
        status = item["last_status"].get("N")
        fault = Fault(int(status) if status else None, item["last_reason"]["S"])
    return Health(
        int(item.get("failures", {}).get("N", "0")),
        _paused_until(item),
        fault,
        item.get("last_failed_at", {}).get("S"),
    )


def _take(tenant_id: str, slot: str, now: datetime) -> Mapping[str, Any] | None:
    """Take a slot while the breaker is closed. Return None if taken, otherwise the item that prevented it."""
    try:
        dynamodb().update_item(
            TableName=table(),
            Key=_key(tenant_id),
            UpdateExpression=f"SET {slot} = :lease, kind = :kind, expires_at = :expires",
            ConditionExpression="attribute_not_exists(open_until) AND "
            f"(attribute_not_exists({slot}) OR {slot} <= :now)",
            ExpressionAttributeValues={
                ":lease": _epoch(now + LEASE),
                ":now": _epoch(now),
                ":kind": {"S": "breaker"},
                ":expires": _epoch(now + RETENTION),
            },
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        return _refused(error)
    return None


def _probe(tenant_id: str, paused: datetime, now: datetime, draw: Draw) -> Pass | Wait:
    """Take the probe when the pause is over."""
    if now < paused:
        # Random, which spreads the waiting messages.
        return Wait((paused - now).total_seconds() * (1 + draw()), paused=True)
    try:
        dynamodb().update_item(
            TableName=table(),
            Key=_key(tenant_id),
            UpdateExpression="SET open_until = :lease",
            ConditionExpression="open_until = :seen",
            ExpressionAttributeValues={":lease": _epoch(now + LEASE), ":seen": _epoch(paused)},
        )
    except ClientError as error:
        _refused(error)
        return Wait(FIRST_PAUSE.total_seconds() * (1 + draw()), paused=True)
    return Pass(tenant_id, None, probe=True)


def _remove(permit: Pass, names: tuple[str, ...]) -> None:
    """Remove attributes and the slot from the item."""
    gone = [*names, *([permit.slot] if permit.slot is not None else [])]
    if not gone:
        return
    try:
        dynamodb().update_item(
            TableName=table(),
            Key=_key(permit.tenant_id),
            UpdateExpression="REMOVE " + ", ".join(gone),
            # An item that was erased meanwhile must not return.
            ConditionExpression="attribute_exists(pk)",
        )
    except ClientError as error:
        _refused(error)


def _open(tenant_id: str, until: datetime) -> None:
    """Open the breaker until `until`; a later end stays."""
    try:
        dynamodb().update_item(
            TableName=table(),
            Key=_key(tenant_id),
            UpdateExpression="SET open_until = :until",
            # Not if a concurrent request has just succeeded.
            ConditionExpression="attribute_exists(failures)",
            ExpressionAttributeValues={":until": _epoch(until)},
        )
    except ClientError as error:
        _refused(error)


def _read(tenant_id: str) -> Mapping[str, Any]:
    item: Mapping[str, Any] = (
        dynamodb().get_item(TableName=table(), Key=_key(tenant_id), ConsistentRead=True).get("Item", {})
    )
    return item


def _refused(error: ClientError) -> Mapping[str, Any]:
    """Return the item that failed a condition; raise any other error."""
    if not is_condition_failure(error):
        raise error
    item: Mapping[str, Any] = error.response.get("Item", {})
    return item


def _paused_until(item: Mapping[str, Any]) -> datetime | None:
    until = item.get("open_until", {}).get("N")
    return datetime.fromtimestamp(int(until), UTC) if until else None


def _is_free(item: Mapping[str, Any], slot: str, now: datetime) -> bool:
    lease = item.get(slot, {}).get("N")
    return lease is None or int(lease) <= now.timestamp()


def _slot(number: int) -> str:
    return f"slot_{number}"


def _epoch(moment: datetime) -> dict[str, str]:
    return {"N": str(int(moment.timestamp()))}


def _key(tenant_id: str) -> dict[str, Any]:
    return {"pk": {"S": key("T", tenant_id)}, "sk": {"S": SK}}
