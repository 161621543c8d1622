"""The live channel: browsers connect and disconnect; changes of calls → windows."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from hangtag import runtime
from hangtag.auth import is_ours
from hangtag.observability import logger
from hangtag.runtime import Settings
from hangtag.services.live import windows as flow
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
    """An event of the WebSocket API, or a batch of the table's stream."""
    if "Records" in event:
        follow(event["Records"])
        return {}
    asked = event["requestContext"]
    if asked["routeKey"] == "$connect":
        return connect(asked["connectionId"], event)
    connection = live.find_connection(asked["connectionId"])
    if connection is None:
        return {"statusCode": 410}
    if asked["routeKey"] == "$disconnect":
        live.disconnect(connection)
    else:
        answer(connection, event.get("body") or "")
    return {"statusCode": 200}


# ------------------------------------------------------------------ browsers


def connect(connection_id: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Let in who has a ticket. Open calls are told once the connection stands: its item comes by the stream."""
    token = (event.get("queryStringParameters") or {}).get("ticket", "")
    found = live.redeem_ticket(token) if is_ours(token, "live", SETTINGS.token_keys) else None
    if found is None:
        return {"statusCode": 401}
    live.connect(live.Connection(connection_id, *found), now())
    logger.info("live.connected", extra={"tenant": found[0]})
    return {"statusCode": 200}


def answer(connection: live.Connection, frame: str) -> None:
    """What a browser says: ping, or sync."""
    said = _read(frame)
    if said == "ping" and employees.exists(connection.tenant_id, connection.employee_id):
        PUSH.send([(connection, {"type": "pong"})])
    elif said == "ping":
        # The employee was deleted meanwhile.
        PUSH.close(connection)
    elif said == "sync":
        flow.replay(connection, PUSH)
    else:
        PUSH.send([(connection, {"type": "error", "message": 'send ping or sync, as {"type": "ping"}'})])


def _read(frame: str) -> str | None:
    try:
        said = json.loads(frame) if len(frame) <= MAX_FRAME else None
    except (ValueError, RecursionError):
        return None
    return said.get("type") if isinstance(said, dict) else None


# ------------------------------------------------------------------ the stream


def follow(records: Sequence[Record]) -> None:
    """Tell of changes. Of several changes of one thing in a batch the last says it all."""
    newest = {(image["pk"]["S"], image["sk"]["S"]): image for record in records if (image := _image(record))}
    failed: Exception | None = None
    for image in newest.values():
        try:
            tell(image)
        except Exception as error:
            # The others are not held up for it.
            logger.exception("live.push_failed", extra={"error": type(error).__name__})
            failed = error
    if failed is not None:
        raise failed


def _image(record: Record) -> Mapping[str, Any] | None:
    image: Mapping[str, Any] | None = record["dynamodb"].get("NewImage")
    return image


def tell(image: Mapping[str, Any]) -> None:
    """One thing as it is now: a call, a click, a missed call, a connection."""
    sk = image["sk"]["S"]
    sent = 0
    if sk.startswith("CALL#"):
        item = calls.parse(image)
        sent = flow.follow_call(item, PUSH) if item is not None else 0
    elif sk == clicks.SK:
        sent = flow.follow_click(clicks.parse(image), PUSH)
    elif sk.startswith("MISSED#"):
        # The key says whose it is: T, tenant, MISSED, number.
        sent = flow.tell_missed(image["pk"]["S"].split("#")[1], json.loads(image["body"]["S"]), PUSH)
    elif sk == "CONN":
        sent = flow.welcome(live.parse_connection(image), PUSH)
    logger.info("live.pushed", extra={"item": sk.partition("#")[0], "messages": sent})
