"""The live channel in the table: tickets, connections, and what was last said of each call.

Who connects is registered first and told the open calls then; what happens in a call is written down first and sent to
who is registered then. Both by consistent reads: so whichever comes first, nobody misses a call.

key("TICKET", hash) / "TICKET" is a ticket, key("CONN", id) / "CONN" says whose a connection is, key("T", tenant) /
key("LIVE", employee) holds the employee's connections. key("T", tenant, "LIVE") holds what was said: key("OPEN", call)
while somebody's window is up, key("DONE", call) for a day after.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from hangtag.auth import make_token, token_hash
from hangtag.store.db.batch import read_all
from hangtag.store.db.cache import TtlCache
from hangtag.store.db.client import dynamodb, is_refused, table
from hangtag.store.db.clock import now
from hangtag.store.db.keys import key

__all__ = ["TICKET_LIVES", "Connection", "Said", "Ticket"]

TICKET_LIVES = timedelta(seconds=30)
# API Gateway ends a connection after two hours.
_CONNECTION_KEPT = timedelta(hours=2, minutes=15)
_SAID_KEPT = timedelta(days=1)
# Between the ticket's being taken and the first message that can be sent.
_NEW_SECONDS = 15
# A tenant whose employees did not connect for so long is not looked after any more.
_IN_USE = timedelta(days=7)

_in_use: TtlCache[str, bool] = TtlCache(1000, 60.0)


@dataclass(frozen=True, slots=True)
class Ticket:
    """What lets one connection in, once. `expires_at` is UTC."""

    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Connection:
    """One browser of an employee's."""

    id: str
    tenant_id: str
    employee_id: str


@dataclass(frozen=True, slots=True)
class Said:
    """What was last said of a call: to each employee what concerns them alone, to all of them the rest.

    `seq` grows with everything that is said of the call. `open`: somebody's window is up.
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


def make_ticket(tenant_id: str, employee_id: str, token_keys: str) -> Ticket:
    """A ticket for an employee; from now on the tenant's calls are followed. Raises botocore's errors."""
    at = now()
    made = Ticket(make_token("live", token_keys), at + TICKET_LIVES)
    _put(
        (key("TICKET", token_hash(made.token)), "TICKET"),
        made.expires_at,
        {"tenant_id": {"S": tenant_id}, "employee_id": {"S": employee_id}},
    )
    if not in_use(tenant_id):
        _put((key("T", tenant_id), "LIVE"), at + _IN_USE, {"kind": {"S": "live"}})
        _in_use.forget(tenant_id)
    return made


def take_ticket(token: str) -> tuple[str, str] | None:
    """The tenant and the employee of a ticket, which is good no more; None if it never was, or is used up."""
    try:
        answer = dynamodb().delete_item(
            TableName=table(),
            Key=_place((key("TICKET", token_hash(token)), "TICKET")),
            ConditionExpression="expires_at >= :now",
            ExpressionAttributeValues={":now": {"N": str(int(now().timestamp()))}},
            ReturnValues="ALL_OLD",
        )
    except ClientError as error:
        if not is_refused(error):
            raise
        return None
    item = answer["Attributes"]
    return item["tenant_id"]["S"], item["employee_id"]["S"]


def in_use(tenant_id: str) -> bool:
    """Whether any employee of the tenant connected lately. That it is so is remembered for a minute.

    Raises botocore's errors.
    """

    def load() -> bool:
        found = dynamodb().get_item(TableName=table(), Key=_place((key("T", tenant_id), "LIVE")), ConsistentRead=True)
        # Renewed by who connects on the last day.
        ahead = (now() + timedelta(days=1)).timestamp()
        return float(found.get("Item", {}).get("expires_at", {}).get("N", 0)) > ahead

    used = _in_use.get_or(tenant_id, load)
    if not used:
        # Whoever connects now must not wait for a minute.
        _in_use.forget(tenant_id)
    return used


# ------------------------------------------------------------------ connections


def connect(connection: Connection, at: datetime) -> None:
    """Register a connection that is made at that time, UTC. Raises botocore's errors."""
    until = at + _CONNECTION_KEPT
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
    """Whose a connection is. Raises botocore's errors."""
    found = dynamodb().get_item(
        TableName=table(), Key=_place((key("CONN", connection_id), "CONN")), ConsistentRead=True
    )
    return parse_connection(found["Item"]) if "Item" in found else None


def is_new(connection_id: str, at: datetime) -> bool:
    """Whether a connection was made so lately that it may not stand yet. Raises botocore's errors."""
    place = _place((key("CONN", connection_id), "CONN"))
    item = dynamodb().get_item(TableName=table(), Key=place, ConsistentRead=True).get("Item", {})
    return at.timestamp() - float(item.get("at", {}).get("N", 0)) < _NEW_SECONDS


def parse_connection(item: Mapping[str, Any]) -> Connection:
    """The connection from DynamoDB's form."""
    return Connection(item["id"]["S"], item["tenant_id"]["S"], item["employee_id"]["S"])


def disconnect(connection: Connection) -> None:
    """Forget a connection; twice is no harm. Raises botocore's errors."""
    dynamodb().update_item(
        TableName=table(),
        Key=_of_employee(connection.tenant_id, connection.employee_id),
        UpdateExpression="DELETE connections :id",
        ExpressionAttributeValues={":id": {"SS": [connection.id]}},
    )
    dynamodb().delete_item(TableName=table(), Key=_place((key("CONN", connection.id), "CONN")))


def connections(tenant_id: str, employee_ids: Iterable[str]) -> tuple[Connection, ...]:
    """All connections of some employees, by one read for each hundred of them. Raises botocore's errors."""
    wanted = {(key("T", tenant_id), key("LIVE", one)): one for one in employee_ids}
    if not wanted:
        return ()
    found = read_all(wanted)
    return tuple(
        Connection(connection_id, tenant_id, employee_id)
        for place, employee_id in wanted.items()
        for connection_id in sorted(found.get(place, {}).get("connections", {}).get("SS", ()))
    )


# ------------------------------------------------------------------ what was said


def said(tenant_id: str, call_ids: Sequence[str]) -> dict[str, Said]:
    """What was last said of some calls, by their ids. Raises botocore's errors."""
    # An open one comes last: if a function died between the two, it is not over.
    places = [(_said_pk(tenant_id), key(word, one)) for word in ("DONE", "OPEN") for one in call_ids]
    found = read_all(places)
    items = [found[place] for place in places if place in found]
    return {item["call_id"]["S"]: _parse(item) for item in items}


def open_calls(tenant_id: str) -> Iterator[Said]:
    """What was last said of each call for which a window is up. Raises botocore's errors."""
    pages = (
        dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=table(),
            KeyConditionExpression="pk = :pk AND begins_with(sk, :open)",
            ExpressionAttributeValues={":pk": {"S": _said_pk(tenant_id)}, ":open": {"S": key("OPEN", "")}},
            ConsistentRead=True,
        )
    )
    for page in pages:
        yield from map(_parse, page["Items"])


def publish(tenant_id: str, saying: Said, before: Said | None) -> bool:
    """Write down what is said of a call, in place of what was before; false if somebody else said something meanwhile.

    Raises botocore's errors.
    """
    word, other = ("OPEN", "DONE") if saying.open else ("DONE", "OPEN")
    body = {"shared": saying.shared, "people": saying.people}
    try:
        _put(
            (_said_pk(tenant_id), key(word, saying.call_id)),
            now() + _SAID_KEPT,
            {
                "call_id": {"S": saying.call_id},
                "seq": {"N": str(saying.seq)},
                "body": {"S": json.dumps(body, ensure_ascii=False)},
            },
            ConditionExpression="attribute_not_exists(pk) OR seq < :seq",
            ExpressionAttributeValues={":seq": {"N": str(saying.seq)}},
        )
    except ClientError as error:
        if not is_refused(error):
            raise
        return False
    if before is not None and before.open != saying.open:
        dynamodb().delete_item(TableName=table(), Key=_place((_said_pk(tenant_id), key(other, saying.call_id))))
    return True


def forget(tenant_id: str, call_id: str) -> None:
    """Let nothing be said of a call any more under this id. Raises botocore's errors."""
    for word in ("OPEN", "DONE"):
        dynamodb().delete_item(TableName=table(), Key=_place((_said_pk(tenant_id), key(word, call_id))))


def _parse(item: Mapping[str, Any]) -> Said:
    body = json.loads(item["body"]["S"])
    is_open = item["sk"]["S"].startswith(key("OPEN", ""))
    return Said(item["call_id"]["S"], int(item["seq"]["N"]), is_open, body["shared"], body["people"])


def _said_pk(tenant_id: str) -> str:
    return key("T", tenant_id, "LIVE")


def _of_employee(tenant_id: str, employee_id: str) -> Any:
    return _place((key("T", tenant_id), key("LIVE", employee_id)))


def _put(place: tuple[str, str], until: datetime, item: Mapping[str, Any], **more: Any) -> None:
    dynamodb().put_item(TableName=table(), Item={**_place(place), **item, "expires_at": _epoch(until)}, **more)


def _place(place: tuple[str, str]) -> Any:
    return {"pk": {"S": place[0]}, "sk": {"S": place[1]}}


def _epoch(at: datetime) -> Any:
    return {"N": str(int(at.timestamp()))}
