"""Clicks: calls that employees asked for, and which call of a PBX each of them became.

Of one employee's extension one click at a time is under way: its slot keeps others out until the PBX tells of the call,
or the time is up, so that what the PBX reports can't be taken for another click's call.

key("T", tenant, "CLICK", id) / "CLICK" is the click; key("T", tenant, "CLICKING") holds the slots, and the ids that
PBXs gave to clicked calls: key("SLOT", integration, extension), key("SAID", integration, digest of the id).
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
from hangtag.store.db.client import dynamodb, is_refused, table
from hangtag.store.db.clock import iso
from hangtag.store.db.keys import DAY_SHARDS, digest, key, shard

__all__ = ["LIST", "WINDOW", "Click", "State"]

SK = "CLICK"
LIST = "CLICKS"
# So long after a click the PBX may tell of its call for the first time.
WINDOW = timedelta(seconds=90)
# Clicks that came to nothing can be looked at for so long; the others stay as long as their calls.
_KEPT = timedelta(days=30)
_SAID_KEPT = timedelta(days=1)


class State(StrEnum):
    """How far a click is. In `unknown` the PBX gave no answer, and may ring the phone all the same."""

    WAITING = "waiting"
    PLACING = "placing"
    PLACED = "placed"
    UNKNOWN = "unknown"
    FAILED = "failed"
    MATCHED = "matched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A call that an employee asked for. `number` is E.164, `dial` the number as the PBX wants it.

    `line` is the own number to show, where one was chosen. `reason` says in words why it failed. `call` is the call
    that it became. `request` is a digest of what was asked for. `at` is ISO 8601 in UTC.
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
        """When the PBX should have told of the call, UTC."""
        return datetime.fromisoformat(self.at) + WINDOW


def begin(click: Click) -> Click:
    """Write a click down with its slot, once: what stands there of the same id is returned instead.

    Raises ConflictError while another click of that extension is under way, and botocore's errors.
    """
    at = datetime.fromisoformat(click.at)
    slot = {
        **_slot_key(click.tenant_id, click.integration_id, click.extension),
        "click_id": {"S": click.id},
        "until": _epoch(click.until),
        "expires_at": _epoch(at + _SAID_KEPT),
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
        if not is_refused(error):
            raise
        kept = find(click.tenant_id, click.id)
        if kept is not None:
            return kept
        raise ConflictError(
            "Another call is being placed from your phone. Wait until it rings.", code=ErrorCode.PHONE_BUSY
        ) from error
    return click


def load(tenant_id: str, click_id: str) -> Click:
    """Raises NotFoundError and botocore's errors."""
    found = find(tenant_id, click_id)
    if found is None:
        raise NotFoundError("there is no such call")
    return found


def find(tenant_id: str, click_id: str) -> Click | None:
    """The click as it is now, if it is there. Raises botocore's errors."""
    found = dynamodb().get_item(TableName=table(), Key=_key(tenant_id, click_id), ConsistentRead=True)
    return parse(found["Item"]) if "Item" in found else None


def place_of(tenant_id: str, public: str) -> CallKey | None:
    """The key of a call from its id in the API; None if there can be none, or the click has no call yet.

    Raises botocore's errors.
    """
    click_id = click_of(public)
    if click_id is None:
        return from_public_id(tenant_id, public)
    click = find(tenant_id, click_id)
    return click.call if click is not None else None


def parse(item: Mapping[str, Any]) -> Click:
    """The click from DynamoDB's form."""
    body = json.loads(item["body"]["S"])
    call = CallKey(item["call_pk"]["S"], item["call_sk"]["S"]) if "call_pk" in item else None
    return Click(**body, state=State(item["state"]["S"]), reason=item.get("reason", {}).get("S"), call=call)


def advance(click: Click, after: State, *before: State, reason: str | None = None) -> bool:
    """Take a click from one of some states to another; false if it is in none of them. Raises botocore's errors."""
    values: dict[str, Any] = {":after": {"S": after}}
    update = "SET #state = :after"
    if reason is not None:
        update += ", reason = :reason"
        values[":reason"] = {"S": reason}
    wanted = [f":before{number}" for number in range(len(before))]
    values |= {name: {"S": state} for name, state in zip(wanted, before, strict=True)}
    condition = f"#state IN ({', '.join(wanted)})"
    return _update(_key(click.tenant_id, click.id), update, condition, values, {"#state": "state"})


def note_call_id(click: Click, pbx_call_id: str) -> None:
    """Remember by what id the PBX will tell of the click's call. Raises botocore's errors."""
    until = datetime.fromisoformat(click.at) + _SAID_KEPT
    item: Any = {
        **_said_key(click.tenant_id, click.integration_id, pbx_call_id),
        "click_id": {"S": click.id},
        "expires_at": _epoch(until),
    }
    dynamodb().put_item(TableName=table(), Item=item)
    slot = _slot_key(click.tenant_id, click.integration_id, click.extension)
    # From now on that slot is for the call of this id only.
    values = {":said": {"S": digest(pbx_call_id)}, ":click": {"S": click.id}}
    _update(slot, "SET said = :said", "click_id = :click", values)


def candidates(tenant_id: str, integration_id: str, call_id: str, extensions: Iterable[str]) -> tuple[str | None, ...]:
    """The clicks that a call may be of: by the PBX's id of it; then by each extension whose click waits for its call.

    A slot that waits for a call of another id is not among them. Raises botocore's errors.
    """
    said = _said_key(tenant_id, integration_id, call_id)
    slots = [_slot_key(tenant_id, integration_id, name) for name in dict.fromkeys(extensions)]
    found = read_all((place["pk"]["S"], place["sk"]["S"]) for place in (said, *slots))
    items = [found.get((place["pk"]["S"], place["sk"]["S"])) for place in (said, *slots)]
    exact, own = items[0], digest(call_id)
    by_slot = [item["click_id"]["S"] for item in items[1:] if item and item.get("said", {}).get("S", own) == own]
    return (exact["click_id"]["S"] if exact else None, *by_slot)


def claim(click: Click, call: CallKey) -> bool:
    """Say which call a click became, once and for all; false if it became another. Raises botocore's errors."""
    return _update(
        _key(click.tenant_id, click.id),
        "SET #state = :matched, call_pk = :pk, call_sk = :sk REMOVE expires_at, reason",
        "attribute_exists(pk) AND (attribute_not_exists(call_pk) OR (call_pk = :pk AND call_sk = :sk))",
        {":matched": {"S": State.MATCHED}, ":pk": {"S": call.pk}, ":sk": {"S": call.sk}},
        {"#state": "state"},
    )


def erase(tenant_id: str, click_id: str) -> None:
    """Take out of a click whom it was for: of one that became a call its id stays, any other goes. Raises botocore's
    errors.
    """
    click = find(tenant_id, click_id)
    if click is None:
        return
    if click.call is None:
        dynamodb().delete_item(TableName=table(), Key=_key(tenant_id, click_id))
        return
    nobody = replace(click, number="", dial="", contact_id=None, contact_name=None, request="")
    values = {":body": {"S": _body(nobody)}}
    _update(_key(tenant_id, click_id), "SET body = :body", "attribute_exists(pk)", values)


def free_slot(click: Click) -> None:
    """Let the extension be used for another click. Raises botocore's errors."""
    try:
        dynamodb().delete_item(
            TableName=table(),
            Key=_slot_key(click.tenant_id, click.integration_id, click.extension),
            ConditionExpression="click_id = :click",
            ExpressionAttributeValues={":click": {"S": click.id}},
        )
    except ClientError as error:
        if not is_refused(error):
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
        "expires_at": _epoch(at + _KEPT),
    }


def moment(at: datetime) -> str:
    """A time as a click keeps it."""
    return iso(at)


def _key(tenant_id: str, click_id: str) -> Any:
    return {"pk": {"S": key("T", tenant_id, "CLICK", click_id)}, "sk": {"S": SK}}


def _slot_key(tenant_id: str, integration_id: str, extension: str) -> Any:
    return {"pk": {"S": key("T", tenant_id, "CLICKING")}, "sk": {"S": key("SLOT", integration_id, extension)}}


def _said_key(tenant_id: str, integration_id: str, call_id: str) -> Any:
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
        if not is_refused(error):
            raise
        return False
    return True
