"""Live channel function: connections of browsers, and changes of calls that update their call windows."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from hangtag import runtime
from hangtag.auth import is_ours
from hangtag.runtime import Settings, logger
from hangtag.services.live import windows
from hangtag.services.live.push import ApiGateway
from hangtag.store.calls import clicks, live
from hangtag.store.calls import items as calls
from hangtag.store.db.clock import now
from hangtag.store.office import employees

SETTINGS = runtime.bind(
    Settings.read(
        os.environ,
        "TABLE_NAME",
        "TOKEN_KEY",
        "CONNECTIONS_URL",
    )
)

PUSH = ApiGateway()
MAX_FRAME = 4096

Record = Mapping[str, Any]


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Handle an event of the WebSocket API, or a batch of the table's stream."""
    if "Records" in event:
        follow(event["Records"])
        return {}
    request = event["requestContext"]
    if request["routeKey"] == "$connect":
        return connect(request["connectionId"], event)
    connection = live.find_connection(request["connectionId"])
    if connection is None:
        return {"statusCode": 410}
    if request["routeKey"] == "$disconnect":
        live.disconnect(connection)
    else:
        respond(connection, event.get("body") or "")
    return {"statusCode": 200}


# ------------------------------------------------------------------ browsers


def connect(connection_id: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Accept a connection with a valid ticket. The stream record of its item then sends the open calls."""
    token = (event.get("queryStringParameters") or {}).get("ticket", "")
    ticket = live.redeem_ticket(token) if is_ours(token, "live", SETTINGS.token_keys) else None
    if ticket is None:
        return {"statusCode": 401}
    live.connect(live.Connection(connection_id, *ticket), now())
    logger.info("live.connected", extra={"tenant": ticket[0]})
    return {"statusCode": 200}


def respond(connection: live.Connection, frame: str) -> None:
    """Respond to a browser's frame: ping or sync."""
    frame_type = _read(frame)
    if frame_type == "ping" and employees.exists(connection.tenant_id, connection.employee_id):
        PUSH.send([(connection, {"type": "pong"})])
    elif frame_type == "ping":
        # The employee was deleted in the meantime.
        PUSH.close(connection)
    elif frame_type == "sync":
        windows.replay(connection, PUSH)
    else:
        PUSH.send([(connection, {"type": "error", "message": 'Send ping or sync, as {"type": "ping"}.'})])


def _read(frame: str) -> str | None:
    try:
        message = json.loads(frame) if len(frame) <= MAX_FRAME else None
    except (ValueError, RecursionError):
        return None
    return message.get("type") if isinstance(message, dict) else None


# ------------------------------------------------------------------ the stream


def follow(records: Sequence[Record]) -> None:
    """Push the changes of a batch. The last of several changes of one item contains all of them."""
    newest = {(image["pk"]["S"], image["sk"]["S"]): image for record in records if (image := _image(record))}
    failed: Exception | None = None
    for image in newest.values():
        try:
            push(image)
        except Exception as error:
            # The other items are pushed first.
            logger.exception("live.push_failed", extra={"error": type(error).__name__})
            failed = error
    if failed is not None:
        raise failed


def _image(record: Record) -> Mapping[str, Any] | None:
    image: Mapping[str, Any] | None = record["dynamodb"].get("NewImage")
    return image


def push(image: Mapping[str, Any]) -> None:
    """Push the current state of an item: a call, a click, a missed call or a connection."""
    sk = image["sk"]["S"]
    sent = 0
    if sk.startswith("CALL#"):
        item = calls.parse(image)
        sent = windows.follow_call(item, PUSH) if item is not None else 0
    elif sk == clicks.SK:
        sent = windows.follow_click(clicks.parse(image), PUSH)
    elif sk.startswith("MISSED#"):
        # The key contains the tenant: T, tenant, MISSED, number.
        sent = windows.push_missed_call(image["pk"]["S"].split("#")[1], json.loads(image["body"]["S"]), PUSH)
    elif sk == "CONN":
        sent = windows.welcome(live.parse_connection(image), PUSH)
    logger.info("live.pushed", extra={"item": sk.partition("#")[0], "messages": sent})
