"""Live channel in the table: tickets, connections, and the last published state of each call.

A connection is registered before it receives the open calls, and a state is stored before it is sent to the registered
connections. Both use consistent reads, so in either order every employee receives every call.

key("TICKET", hash) / "TICKET" is a ticket, key("CONN", id) / "CONN" holds the owner of a connection, key("T", tenant) /
key("LIVE", employee) the employee's connections. key("T", tenant, "LIVE") holds the states: key("OPEN", call) while a
call window is open, key("DONE", call) for a day after.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from hangtag.auth import make_token, token_hash
from hangtag.runtime import TtlCache
from hangtag.store.db.batch import read_all
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.clock import now
from hangtag.store.db.keys import key

__all__ = ["TICKET_LIVES", "Connection", "Ticket", "WindowState"]

TICKET_LIVES = timedelta(seconds=30)
# API Gateway ends a connection after two hours.
_CONNECTION_RETENTION = timedelta(hours=2, minutes=15)
_STATE_RETENTION = timedelta(days=1)
# Time between the use of a ticket and the first message that can be sent.
_NEW_SECONDS = 15
# Calls of a tenant whose employees did not connect for this long are not followed.
_IN_USE = timedelta(days=7)

_in_use: TtlCache[str, bool] = TtlCache(1000, 60.0)


@dataclass(frozen=True, slots=True)
class Ticket:
    """Single-use ticket for one connection. `expires_at` is UTC."""

    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Connection:
    """One browser of an employee's."""

    id: str
    tenant_id: str
    employee_id: str


@dataclass(frozen=True, slots=True)
class WindowState:
    """Last published state of a call: a part for all employees, and a part for each employee alone.

    `seq` grows with every state of the call. `open`: a call window is open.
    """

    call_id: str
    seq: int
    open: bool
    shared: Mapping[str, Any]
    people: Mapping[str, Mapping[str, Any]]

    def message(self, employee_id: str) -> dict[str, Any]:
        """Return the message for an employee. The stored `state` is sent as `window_state`."""
        own = dict(self.people[employee_id])
        state = own.pop("state")
        call = {"id": self.call_id, "seq": self.seq, "window_state": state, **self.shared, **own}
        return {"type": "call", "call": call}


# ------------------------------------------------------------------ tickets


def create_ticket(tenant_id: str, employee_id: str, token_keys: str) -> Ticket:
    """Create a ticket for an employee; the tenant's calls are followed from now on. Raises botocore's errors."""
    at = now()
    ticket = Ticket(make_token("live", token_keys), at + TICKET_LIVES)
    _put(
        (key("TICKET", token_hash(ticket.token)), "TICKET"),
        ticket.expires_at,
        {"tenant_id": {"S": tenant_id}, "employee_id": {"S": employee_id}},
    )
    if not in_use(tenant_id):
        _put((key("T", tenant_id), "LIVE"), at + _IN_USE, {"kind": {"S": "live"}})
        _in_use.discard(tenant_id)
    return ticket


def redeem_ticket(token: str) -> tuple[str, str] | None:
    """Use up a ticket and return its tenant and employee; None if it is unknown or used. Raises botocore's errors."""
    try:
        response = dynamodb().delete_item(
            TableName=table(),
            Key=_place((key("TICKET", token_hash(token)), "TICKET")),
            ConditionExpression="expires_at >= :now",
            ExpressionAttributeValues={":now": {"N": str(int(now().timestamp()))}},
            ReturnValues="ALL_OLD",
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return None
    item = response["Attributes"]
    return item["tenant_id"]["S"], item["employee_id"]["S"]


def in_use(tenant_id: str) -> bool:
    """Return True if an employee of the tenant connected in the last days. True is cached for a minute.

    Raises botocore's errors.
    """

    def load() -> bool:
        response = dynamodb().get_item(
            TableName=table(), Key=_place((key("T", tenant_id), "LIVE")), ConsistentRead=True
        )
        # A connection on the last day renews it.
        ahead = (now() + timedelta(days=1)).timestamp()
        return float(response.get("Item", {}).get("expires_at", {}).get("N", 0)) > ahead

    used = _in_use.get_or(tenant_id, load)
    if not used:
        # Not cached, because an employee who connects now should not wait for a minute.
        _in_use.discard(tenant_id)
    return used


# ------------------------------------------------------------------ connections


def connect(connection: Connection, at: datetime) -> None:
    """Register a connection made at that time, UTC. Raises botocore's errors."""
    until = at + _CONNECTION_RETENTION
    dynamodb().update_item(
        TableName=table(),
        Key=_of_employee(connection.tenant_id, connection.employee_id),
        UpdateExpression="SET kind = :kind, expires_at = :until ADD connections :id",
        ExpressionAttributeValues={
            ":kind": {"S": "connections"},
            ":until": _epoch(until),
            ":id": {"SS": [connection.id]},
        },
    )
    _put(
        (key("CONN", connection.id), "CONN"),
        until,
        {
            "id": {"S": connection.id},
            "at": _epoch(at),
            "tenant_id": {"S": connection.tenant_id},
            "employee_id": {"S": connection.employee_id},
        },
    )


def find_connection(connection_id: str) -> Connection | None:
    """Return a connection with its owner, or None. Raises botocore's errors."""
    response = dynamodb().get_item(
        TableName=table(), Key=_place((key("CONN", connection_id), "CONN")), ConsistentRead=True
    )
    return parse_connection(response["Item"]) if "Item" in response else None


def is_new(connection_id: str, at: datetime) -> bool:
    """Return True if a connection is so new that it possibly does not accept messages yet. Raises botocore's errors."""
    place = _place((key("CONN", connection_id), "CONN"))
    item = dynamodb().get_item(TableName=table(), Key=place, ConsistentRead=True).get("Item", {})
    return at.timestamp() - float(item.get("at", {}).get("N", 0)) < _NEW_SECONDS


def parse_connection(item: Mapping[str, Any]) -> Connection:
    """Parse a connection from DynamoDB's form."""
    return Connection(item["id"]["S"], item["tenant_id"]["S"], item["employee_id"]["S"])


def disconnect(connection: Connection) -> None:
    """Remove a connection; repeating it is harmless. Raises botocore's errors."""
    dynamodb().update_item(
        TableName=table(),
        Key=_of_employee(connection.tenant_id, connection.employee_id),
        UpdateExpression="DELETE connections :id",
        ExpressionAttributeValues={":id": {"SS": [connection.id]}},
    )
    dynamodb().delete_item(TableName=table(), Key=_place((key("CONN", connection.id), "CONN")))


def connections(tenant_id: str, employee_ids: Iterable[str]) -> tuple[Connection, ...]:
    """Return all connections of some employees, by one read for each hundred of them. Raises botocore's errors."""
    places = {(key("T", tenant_id), key("LIVE", employee_id)): employee_id for employee_id in employee_ids}
    if not places:
        return ()
    items = read_all(places)
    return tuple(
        Connection(connection_id, tenant_id, employee_id)
        for place, employee_id in places.items()
        for connection_id in sorted(items.get(place, {}).get("connections", {}).get("SS", ()))
    )


# ------------------------------------------------------------------ states


def load_states(tenant_id: str, call_ids: Sequence[str]) -> dict[str, WindowState]:
    """Return the last published states of some calls, by their ids. Raises botocore's errors."""
    # Open states override: if a function died between the two writes, the call is not over.
    places = [(_states_pk(tenant_id), key(word, call_id)) for word in ("DONE", "OPEN") for call_id in call_ids]
    stored = read_all(places)
    items = [stored[place] for place in places if place in stored]
    return {item["call_id"]["S"]: _parse(item) for item in items}


def open_calls(tenant_id: str) -> Iterator[WindowState]:
    """Yield the last published state of each call with an open call window. Raises botocore's errors."""
    pages = (
        dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=table(),
            KeyConditionExpression="pk = :pk AND begins_with(sk, :open)",
            ExpressionAttributeValues={":pk": {"S": _states_pk(tenant_id)}, ":open": {"S": key("OPEN", "")}},
            ConsistentRead=True,
        )
    )
    for page in pages:
        yield from map(_parse, page["Items"])


def publish(tenant_id: str, state: WindowState, before: WindowState | None) -> bool:
    """Store a call's state in place of the previous one; False if another state was stored meanwhile.

    Raises botocore's errors.
    """
    word, other = ("OPEN", "DONE") if state.open else ("DONE", "OPEN")
    body = {"shared": state.shared, "people": state.people}
    try:
        _put(
            (_states_pk(tenant_id), key(word, state.call_id)),
            now() + _STATE_RETENTION,
            {
                "call_id": {"S": state.call_id},
                "seq": {"N": str(state.seq)},
                "body": {"S": json.dumps(body, ensure_ascii=False)},
            },
            ConditionExpression="attribute_not_exists(pk) OR seq < :seq",
            ExpressionAttributeValues={":seq": {"N": str(state.seq)}},
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return False
    if before is not None and before.open != state.open:
        dynamodb().delete_item(TableName=table(), Key=_place((_states_pk(tenant_id), key(other, state.call_id))))
    return True


def delete_states(tenant_id: str, call_id: str) -> None:
    """Delete the states of a call under this id. Raises botocore's errors."""
    for word in ("OPEN", "DONE"):
        dynamodb().delete_item(TableName=table(), Key=_place((_states_pk(tenant_id), key(word, call_id))))


def _parse(item: Mapping[str, Any]) -> WindowState:
    body = json.loads(item["body"]["S"])
    is_open = item["sk"]["S"].startswith(key("OPEN", ""))
    return WindowState(item["call_id"]["S"], int(item["seq"]["N"]), is_open, body["shared"], body["people"])


def _states_pk(tenant_id: str) -> str:
    return key("T", tenant_id, "LIVE")


def _of_employee(tenant_id: str, employee_id: str) -> Any:
    return _place((key("T", tenant_id), key("LIVE", employee_id)))


def _put(place: tuple[str, str], until: datetime, item: Mapping[str, Any], **more: Any) -> None:
    dynamodb().put_item(TableName=table(), Item={**_place(place), **item, "expires_at": _epoch(until)}, **more)


def _place(place: tuple[str, str]) -> Any:
    return {"pk": {"S": place[0]}, "sk": {"S": place[1]}}


def _epoch(at: datetime) -> Any:
    return {"N": str(int(at.timestamp()))}
