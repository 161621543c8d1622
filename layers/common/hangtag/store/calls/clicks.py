"""Clicks: calls that employees requested, and the PBX's call that each of them became.

Each extension of an employee has one pending click at a time. Its slot blocks others until the PBX reports the call, or
time is up, so a reported call can't be matched to another click.

key("T", tenant, "CLICK", id) / "CLICK" is the click; key("T", tenant, "CLICKING") holds the slots, and the ids that
PBXs gave to click-to-call calls: `key("SLOT", integration, extension)`, `key("SAID", integration, digest of the id)`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

from hangtag.errors import ConflictError, ErrorCode, NotFoundError
from hangtag.store.calls.items import CallKey, click_of, clicked_id, from_public_id
from hangtag.store.db.batch import read_all
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.clock import iso
from hangtag.store.db.keys import DAY_SHARDS, digest, key, shard

__all__ = ["LIST", "WINDOW", "Click", "State"]

SK = "CLICK"
LIST = "CLICKS"
# The PBX can report a click's call for the first time within this time.
WINDOW = timedelta(seconds=90)
# Clicks without a call expire after this time; the others stay as long as their calls.
_RETENTION = timedelta(days=30)
_ID_RETENTION = timedelta(days=1)


class State(StrEnum):
    """State of a click. `UNKNOWN`: the PBX did not answer and can still place the call."""

    WAITING = "waiting"
    PLACING = "placing"
    PLACED = "placed"
    UNKNOWN = "unknown"
    FAILED = "failed"
    MATCHED = "matched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A call that an employee requested. `number` is E.164, `dial` the number as the PBX expects it.

    `line` is the own number to show, if one was chosen. `reason` describes a failure. `call` is the call that the click
    became. `request` is a digest of the request. `at` is ISO 8601 in UTC.
    """

    id: str
    tenant_id: str
    integration_id: str
    provider: str
    employee_id: str
    employee_name: str
    extension: str
    number: str
    dial: str
    line: str | None
    contact_id: str | None
    contact_name: str | None
    task_id: str | None
    at: str
    request: str
    state: State = State.WAITING
    reason: str | None = None
    call: CallKey | None = None

    @property
    def public_id(self) -> str:
        """The call's id in the API."""
        return clicked_id(self.integration_id, self.id)

    @property
    def until(self) -> datetime:
        """End of the time for the PBX's first report of the call, UTC."""
        return datetime.fromisoformat(self.at) + WINDOW


def begin(click: Click) -> Click:
    """Store a click with its slot, once: an existing click with this id is returned instead.

    Raises ConflictError while another click of that extension is pending, and botocore's errors.
    """
    at = datetime.fromisoformat(click.at)
    slot = {
        **_slot_key(click.tenant_id, click.integration_id, click.extension),
        "click_id": {"S": click.id},
        "until": _epoch(click.until),
        "expires_at": _epoch(at + _ID_RETENTION),
    }
    free = "attribute_not_exists(pk) OR #until < :now"
    put_slot: Any = {
        "TableName": table(),
        "Item": slot,
        "ConditionExpression": free,
        "ExpressionAttributeNames": {"#until": "until"},
        "ExpressionAttributeValues": {":now": _epoch(at)},
    }
    put: Any = {"TableName": table(), "Item": _item(click), "ConditionExpression": "attribute_not_exists(pk)"}
    try:
        dynamodb().transact_write_items(TransactItems=[{"Put": put}, {"Put": put_slot}])
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        existing = find(click.tenant_id, click.id)
        if existing is not None:
            return existing
        raise ConflictError(
            "Another call is being placed from your phone. Wait until it rings.", code=ErrorCode.PHONE_BUSY
        ) from error
    return click


def load(tenant_id: str, click_id: str) -> Click:
    """Return a click. Raises NotFoundError and botocore's errors."""
    click = find(tenant_id, click_id)
    if click is None:
        raise NotFoundError("The call does not exist.")
    return click


def find(tenant_id: str, click_id: str) -> Click | None:
    """Return the current click, or None. Raises botocore's errors."""
    response = dynamodb().get_item(TableName=table(), Key=_key(tenant_id, click_id), ConsistentRead=True)
    return parse(response["Item"]) if "Item" in response else None


def find_call_key(tenant_id: str, public: str) -> CallKey | None:
    """Return the key of a call from its id in the API; None for an invalid id, or a click without a call yet.

    Raises botocore's errors.
    """
    click_id = click_of(public)
    if click_id is None:
        return from_public_id(tenant_id, public)
    click = find(tenant_id, click_id)
    return click.call if click is not None else None


def parse(item: Mapping[str, Any]) -> Click:
    """Parse a click from DynamoDB's form."""
    body = json.loads(item["body"]["S"])
    call = CallKey(item["call_pk"]["S"], item["call_sk"]["S"]) if "call_pk" in item else None
    return Click(**body, state=State(item["state"]["S"]), reason=item.get("reason", {}).get("S"), call=call)


def advance(click: Click, after: State, *before: State, reason: str | None = None) -> bool:
    """Move a click from one of some states to another; False if it is in none of them. Raises botocore's errors."""
    values: dict[str, Any] = {":after": {"S": after}}
    update = "SET #state = :after"
    if reason is not None:
        update += ", reason = :reason"
        values[":reason"] = {"S": reason}
    names = [f":before{number}" for number in range(len(before))]
    values |= {name: {"S": state} for name, state in zip(names, before, strict=True)}
    condition = f"#state IN ({', '.join(names)})"
    return _update(_key(click.tenant_id, click.id), update, condition, values, {"#state": "state"})


def set_call_id(click: Click, pbx_call_id: str) -> None:
    """Store the PBX's id of the click's call. Raises botocore's errors."""
    until = datetime.fromisoformat(click.at) + _ID_RETENTION
    item: Any = {
        **_call_id_key(click.tenant_id, click.integration_id, pbx_call_id),
        "click_id": {"S": click.id},
        "expires_at": _epoch(until),
    }
    dynamodb().put_item(TableName=table(), Item=item)
    slot = _slot_key(click.tenant_id, click.integration_id, click.extension)
    # The slot is reserved for the call with this id from now on.
    values = {":said": {"S": digest(pbx_call_id)}, ":click": {"S": click.id}}
    _update(slot, "SET said = :said", "click_id = :click", values)


def candidates(tenant_id: str, integration_id: str, call_id: str, extensions: Iterable[str]) -> tuple[str | None, ...]:
    """Return the clicks that a call can belong to: by the PBX's id, then by each extension with a pending click.

    A slot that waits for a call with another id is excluded. Raises botocore's errors.
    """
    id_key = _call_id_key(tenant_id, integration_id, call_id)
    slots = [_slot_key(tenant_id, integration_id, name) for name in dict.fromkeys(extensions)]
    stored = read_all((place["pk"]["S"], place["sk"]["S"]) for place in (id_key, *slots))
    items = [stored.get((place["pk"]["S"], place["sk"]["S"])) for place in (id_key, *slots)]
    exact, own = items[0], digest(call_id)
    by_slot = [item["click_id"]["S"] for item in items[1:] if item and item.get("said", {}).get("S", own) == own]
    return (exact["click_id"]["S"] if exact else None, *by_slot)


def claim(click: Click, call: CallKey) -> bool:
    """Set the call that a click became, permanently; False if it became another. Raises botocore's errors."""
    return _update(
        _key(click.tenant_id, click.id),
        "SET #state = :matched, call_pk = :pk, call_sk = :sk REMOVE expires_at, reason",
        "attribute_exists(pk) AND (attribute_not_exists(call_pk) OR (call_pk = :pk AND call_sk = :sk))",
        {":matched": {"S": State.MATCHED}, ":pk": {"S": call.pk}, ":sk": {"S": call.sk}},
        {"#state": "state"},
    )


def erase(tenant_id: str, click_id: str) -> None:
    """Erase the called person from a click. One that became a call keeps its id, others are deleted. Raises botocore's
    errors.
    """
    click = find(tenant_id, click_id)
    if click is None:
        return
    if click.call is None:
        dynamodb().delete_item(TableName=table(), Key=_key(tenant_id, click_id))
        return
    anonymous = replace(click, number="", dial="", contact_id=None, contact_name=None, request="")
    values = {":body": {"S": _body(anonymous)}}
    _update(_key(tenant_id, click_id), "SET body = :body", "attribute_exists(pk)", values)


def free_slot(click: Click) -> None:
    """Free the extension for another click. Raises botocore's errors."""
    try:
        dynamodb().delete_item(
            TableName=table(),
            Key=_slot_key(click.tenant_id, click.integration_id, click.extension),
            ConditionExpression="click_id = :click",
            ExpressionAttributeValues={":click": {"S": click.id}},
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise


def _body(click: Click) -> str:
    body = {name: value for name, value in asdict(click).items() if name not in ("state", "reason", "call")}
    return json.dumps(body, ensure_ascii=False)


def _item(click: Click) -> dict[str, Any]:
    at = datetime.fromisoformat(click.at)
    day = key("T", click.tenant_id, LIST, click.at[:10], str(shard(click.id, DAY_SHARDS)))
    return {
        **_key(click.tenant_id, click.id),
        "kind": {"S": "click"},
        "body": {"S": _body(click)},
        "state": {"S": click.state},
        "day_key": {"S": day},
        "day_order": {"S": f"{click.at}#{click.id}"},
        "expires_at": _epoch(at + _RETENTION),
    }


def moment(at: datetime) -> str:
    """Format a time as a click stores it."""
    return iso(at)


def _key(tenant_id: str, click_id: str) -> Any:
    return {"pk": {"S": key("T", tenant_id, "CLICK", click_id)}, "sk": {"S": SK}}


def _slot_key(tenant_id: str, integration_id: str, extension: str) -> Any:
    return {"pk": {"S": key("T", tenant_id, "CLICKING")}, "sk": {"S": key("SLOT", integration_id, extension)}}


def _call_id_key(tenant_id: str, integration_id: str, call_id: str) -> Any:
    return {"pk": {"S": key("T", tenant_id, "CLICKING")}, "sk": {"S": key("SAID", integration_id, digest(call_id))}}


def _epoch(at: datetime) -> Any:
    return {"N": str(int(at.astimezone(UTC).timestamp()))}


def _update(
    place: Any, update: str, condition: str, values: dict[str, Any], names: dict[str, str] | None = None
) -> bool:
    more: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
    try:
        dynamodb().update_item(
            TableName=table(),
            Key=place,
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
            **more,
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return False
    return True
