"""The circuit breaker before a tenant's outside CRM: an item key("T", tenant) / "CRM_BREAKER".

A CRM that fails several times in a row is left alone for a while (the breaker is open); then one request, a probe, is
let through. Also, a tenant has a bounded number of requests under way at once: slots of this item, each taken for as
long as a worker may need. So a slow or failing CRM delays its own tenant only.
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
# Failures in a row that open it.
THRESHOLD = 5
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=15)
# Requests of a tenant that are under way at once.
SLOTS = 10
# Longer than a worker lives.
LEASE = timedelta(seconds=60)
# Forgotten when nothing happens, also if the tenant was erased.
KEPT = timedelta(days=30)
# What a message waits for a slot, scattered.
BUSY_SECONDS = (2.0, 10.0)

_TROUBLE = ("failures", "open_until", "last_status", "last_reason", "last_failed_at")

Draw = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Pass:
    """The right to send one request; it has to be given back with `succeeded`, `failed` or `unused`.

    `clean`: there was no failure that a success would have to make up for.
    """

    tenant_id: str
    slot: str | None
    probe: bool = False
    clean: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """No request now. `paused`: because the CRM is left alone, not because many requests are under way."""

    seconds: float
    paused: bool


@dataclass(frozen=True, slots=True)
class Health:
    """How the CRM does. `failures` in a row; `fault` and `failed_at` (ISO 8601) are those of the last."""

    failures: int
    paused_until: datetime | None
    fault: Fault | None
    failed_at: str | None


def enter(tenant_id: str, now: datetime, draw: Draw = random.random) -> Pass | Wait:
    """Ask for the right to send one request. Raises botocore's errors."""
    wanted = _slot(int(draw() * SLOTS))
    item = _take(tenant_id, wanted, now)
    if item is None:
        return Pass(tenant_id, wanted)
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
    """The right to ask one question that somebody waits for: without a slot, None while the CRM is left alone."""
    item = _read(tenant_id)
    paused = _paused_until(item)
    if paused is None:
        return Pass(tenant_id, None, clean="failures" not in item)
    entered = _probe(tenant_id, paused, now, random.random)
    return entered if isinstance(entered, Pass) else None


def succeeded(passed: Pass) -> None:
    """The CRM answered: all is well again."""
    _remove(passed, () if passed.clean else _TROUBLE)


def unused(passed: Pass) -> None:
    """No request was sent."""
    _remove(passed, ())


def failed(passed: Pass, now: datetime, fault: Fault, not_before: datetime | None = None) -> None:
    """The CRM failed. `not_before`: it asked to be left alone until then."""
    values: dict[str, Any] = {
        ":one": {"N": "1"},
        ":kind": {"S": "breaker"},
        ":reason": {"S": fault.reason},
        ":at": {"S": iso(now)},
        ":expires": _epoch(now + KEPT),
        ":status": {"N": str(fault.status)} if fault.status is not None else {"NULL": True},
    }
    leaving = f" REMOVE {passed.slot}" if passed.slot is not None else ""
    answer = dynamodb().update_item(
        TableName=table(),
        Key=_key(passed.tenant_id),
        UpdateExpression="SET kind = :kind, last_status = :status, last_reason = :reason, last_failed_at = :at, "
        f"expires_at = :expires{leaving} ADD failures :one",
        ExpressionAttributeValues=values,
        ReturnValues="ALL_NEW",
    )
    failures = int(answer["Attributes"]["failures"]["N"])
    moments = [] if not_before is None else [not_before]
    if failures >= THRESHOLD or passed.probe:
        moments.append(now + pause(failures))
    if moments:
        _open(passed.tenant_id, max(moments))


def pause(failures: int) -> timedelta:
    """How long a CRM is left alone after so many failures in a row."""
    doublings = min(max(failures - THRESHOLD, 0), 10)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def reset(tenant_id: str) -> None:
    """Forget everything: the CRM is another, or an admin wants it tried now."""
    dynamodb().delete_item(TableName=table(), Key=_key(tenant_id))


def health(tenant_id: str) -> Health:
    """How the CRM does. Raises botocore's errors."""
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
    """Take a slot while the breaker is closed. None if it was taken, else the item that stood in the way."""
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
                ":expires": _epoch(now + KEPT),
            },
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        return _refused(error)
    return None


def _probe(tenant_id: str, paused: datetime, now: datetime, draw: Draw) -> Pass | Wait:
    """Be the one that is let through when the pause is over."""
    if now < paused:
        # Scattered, so that those who wait do not come all at once.
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


def _remove(passed: Pass, names: tuple[str, ...]) -> None:
    """Take attributes off the item, and the slot with them."""
    gone = [*names, *([passed.slot] if passed.slot is not None else [])]
    if not gone:
        return
    try:
        dynamodb().update_item(
            TableName=table(),
            Key=_key(passed.tenant_id),
            UpdateExpression="REMOVE " + ", ".join(gone),
            # An item that was erased meanwhile stays so.
            ConditionExpression="attribute_exists(pk)",
        )
    except ClientError as error:
        _refused(error)


def _open(tenant_id: str, until: datetime) -> None:
    """Leave the CRM alone until then, or for longer if that was said already."""
    try:
        dynamodb().update_item(
            TableName=table(),
            Key=_key(tenant_id),
            UpdateExpression="SET open_until = :until",
            # Not if a request that was under way has just succeeded.
            ConditionExpression="attribute_exists(failures)",
            ExpressionAttributeValues={":until": _epoch(until)},
        )
    except ClientError as error:
        _refused(error)


def _read(tenant_id: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (
        dynamodb().get_item(TableName=table(), Key=_key(tenant_id), ConsistentRead=True).get("Item", {})
    )
    return found


def _refused(error: ClientError) -> Mapping[str, Any]:
    """The item in the way of a condition; any other error is raised."""
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
