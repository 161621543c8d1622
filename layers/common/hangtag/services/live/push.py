"""Delivery of messages to connections of the live channel. A lost or slow browser does not delay the others."""

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from hangtag import runtime
from hangtag.runtime import logger
from hangtag.store.calls import live
from hangtag.store.calls.live import Connection
from hangtag.store.db import client
from hangtag.store.db.clock import now

__all__ = ["ApiGateway", "Push"]

Message = dict[str, Any]
_AT_ONCE = 8
_GONE = "GoneException"


class Push(Protocol):
    """Channel to browsers."""

    def send(self, messages: Sequence[tuple[Connection, Message]]) -> int:
        """Send the messages, those of one connection in order. Return how many arrived. Never raises."""
        ...

    def reaches(self, connection: Connection) -> bool:
        """Wait until a new connection accepts messages. Return False if it closed before. Never raises."""
        ...


# A new connection accepts messages once its $connect request has a response: attempts, and seconds between them.
_TRIES = 40
_BETWEEN = 0.05


class ApiGateway:
    """Connections of the stack's WebSocket API."""

    def send(self, messages: Sequence[tuple[Connection, Message]]) -> int:
        """See `Push`. Deletes connections that have closed."""
        by_connection: dict[Connection, list[Message]] = defaultdict(list)
        for connection, message in messages:
            by_connection[connection].append(message)
        if len(by_connection) < 2:
            return sum(self._send_all(connection, texts) for connection, texts in by_connection.items())
        with ThreadPoolExecutor(min(_AT_ONCE, len(by_connection))) as pool:
            return sum(pool.map(lambda one: self._send_all(*one), by_connection.items()))

    def _send_all(self, connection: Connection, messages: Sequence[Message]) -> int:
        sent = 0
        for message in messages:
            try:
                _api().post_to_connection(
                    ConnectionId=connection.id, Data=json.dumps(message, ensure_ascii=False).encode()
                )
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code in (_GONE, "410"):
                    _forget_unless_new(connection)
                else:
                    logger.warning("live.send_failed", extra={"tenant": connection.tenant_id, "error": code})
                return sent
            except BotoCoreError as error:
                logger.warning(
                    "live.send_failed", extra={"tenant": connection.tenant_id, "error": type(error).__name__}
                )
                return sent
            sent += 1
        return sent

    def reaches(self, connection: Connection) -> bool:
        """See `Push`."""
        for _ in range(_TRIES):
            try:
                _api().post_to_connection(ConnectionId=connection.id, Data=b'{"type":"hello"}')
            except ClientError as error:
                if error.response["Error"]["Code"] not in (_GONE, "410"):
                    break
                # API Gateway sends no event for an established connection.
                time.sleep(_BETWEEN)
            except BotoCoreError:
                break
            else:
                return True
        logger.info("live.connection_gone", extra={"tenant": connection.tenant_id})
        return False

    def close(self, connection: Connection) -> None:
        """End a connection, and delete its item. Never raises."""
        try:
            _api().delete_connection(ConnectionId=connection.id)
        except (ClientError, BotoCoreError) as error:
            logger.info("live.close_failed", extra={"tenant": connection.tenant_id, "error": type(error).__name__})
        _forget(connection)


def _forget_unless_new(connection: Connection) -> None:
    """Delete a closed connection. A new one stays: it receives all open calls once it is established."""
    try:
        if live.is_new(connection.id, now()):
            return
    except (ClientError, BotoCoreError) as error:
        logger.warning("live.lookup_failed", extra={"error": type(error).__name__})
        return
    _forget(connection)


def _forget(connection: Connection) -> None:
    try:
        live.disconnect(connection)
    except (ClientError, BotoCoreError) as error:
        logger.warning("live.disconnect_failed", extra={"error": type(error).__name__})


def _api() -> Any:
    # One attempt: the next message contains the full state again.
    endpoint = runtime.settings().connections_url
    return client.make("apigatewaymanagementapi", connect=1.0, read=2.0, attempts=1, endpoint=endpoint)
