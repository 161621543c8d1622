"""HTTP server that plays Hangtag during a check. It uses the product's own parser."""

import hmac
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

from hangtag.auth import secret_hash
from hangtag.providers.base import (
    OfficeLookups,
    ParseResult,
    VerificationKeys,
    WebhookRejectedError,
    WebhookRequest,
    WebhookResponse,
)
from hangtag.providers.reading import MAX_FIELDS
from hangtag.providers.telephony_api.webhook import SECRET, parse, verify
from hangtag_client.check.received import ReceivedRequest

__all__ = ["Listener"]

MAX_BODY_BYTES = 64 * 1024
MAX_REQUESTS = 2000
CONNECTION_SECONDS = 10.0
_PROBLEM = "application/problem+json"
_LENGTH_NEEDED = WebhookResponse(411, '{"type":"about:blank","title":"Length Required","status":411}', _PROBLEM)
_TOO_LARGE = WebhookResponse(413, '{"type":"about:blank","title":"Content Too Large","status":413}', _PROBLEM)
_NOT_FOUND = WebhookResponse(404, '{"type":"about:blank","title":"Not Found","status":404}', _PROBLEM)


class Listener:
    """Receives the requests that the bridge posts to `path`, responds as Hangtag does, and stores them.

    `on_request` is called for each request, from the thread that received it. Raises OSError if the address is in use.
    """

    def __init__(
        self,
        host: str,
        port: int,
        path: str,
        planfix_token: str,
        office: OfficeLookups,
        on_request: Callable[[ReceivedRequest], None],
    ) -> None:
        self._path = path
        self._keys = VerificationKeys(hashes={SECRET: (secret_hash(planfix_token),)})
        self._office = office
        self._on_request = on_request
        self._requests: list[ReceivedRequest] = []
        self._last_at = time.monotonic()
        self._changed = threading.Condition()
        self._server = _Server((host, port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def address(self) -> str:
        """The base URL of the listener."""
        return f"http://{self._server.host}:{self._server.server_port}"

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def mark(self) -> int:
        """Return the number of requests so far."""
        with self._changed:
            return len(self._requests)

    def since(self, mark: int) -> Sequence[ReceivedRequest]:
        """Return the requests after the mark."""
        with self._changed:
            return self._requests[mark:]

    def watch(
        self, mark: int, patience: Callable[[Sequence[ReceivedRequest]], float], longest: float
    ) -> Sequence[ReceivedRequest]:
        """Wait until no request came for the time that `patience` returns, and return the requests after the mark.

        `patience` maps the requests so far to seconds of silence; it is called again after each request. Returns
        after `longest` seconds at the latest.
        """
        began = time.monotonic()
        with self._changed:
            while True:
                requests = self._requests[mark:]
                quiet_since = max(began, self._last_at)
                left = min(quiet_since + patience(requests), began + longest) - time.monotonic()
                if left <= 0:
                    return requests
                self._changed.wait(left)

    def respond(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bytes | None
    ) -> WebhookResponse:
        """Respond to one request. `body` is None without a length, and longer than 64 KB if it is too long."""
        if not hmac.compare_digest(path.encode(), self._path.encode()) or method != "POST":
            if method != "POST" and path != self._path:
                # An unrelated request to a public address.
                return _NOT_FOUND
            self._store(ReceivedRequest(status=404, rejection="it is not a POST to the address that setup sent"))
            return _NOT_FOUND
        if body is None or len(body) > MAX_BODY_BYTES:
            reply = _LENGTH_NEEDED if body is None else _TOO_LARGE
            reason = "the body has no length" if body is None else "the body is larger than 64 KB"
            self._store(ReceivedRequest(status=reply.status, rejection=reason))
            return reply
        arrived_at = datetime.now(UTC)
        request = WebhookRequest(
            method=method, path=path, query=query, headers=headers, body=body, arrived_at=arrived_at
        )
        try:
            verify(request, self._keys)
            result = parse(request)
        except WebhookRejectedError as error:
            self._store(ReceivedRequest(status=error.reply.status, fields=_fields(body), rejection=error.reason))
            return error.reply
        reply = self._respond(result)
        event = result.events[0] if result.events else None
        self._store(ReceivedRequest(status=reply.status, fields=_fields(body), event=event))
        return reply

    def _respond(self, result: ParseResult) -> WebhookResponse:
        return result.respond(self._office) if result.respond else result.reply

    def _store(self, request: ReceivedRequest) -> None:
        self._on_request(request)
        with self._changed:
            if len(self._requests) < MAX_REQUESTS:
                self._requests.append(request)
            self._last_at = time.monotonic()
            self._changed.notify_all()


def _fields(body: bytes) -> dict[str, str]:
    """Return the readable parameters without the token."""
    try:
        pairs = parse_qsl(body.decode("utf-8-sig", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
    return {name: value for name, value in pairs if name != SECRET}


class _Server(ThreadingHTTPServer):
    """Uses daemon threads, so that an unfinished request of the bridge does not block the check."""

    request_queue_size = 128

    def __init__(self, address: tuple[str, int], listener: Listener) -> None:
        self.listener = listener
        super().__init__(address, _Handler)

    @property
    def host(self) -> str:
        """The bound IP address."""
        return str(self.server_address[0])

    def server_bind(self) -> None:
        """Bind without looking up the host name, which can be slow."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore connections that the bridge aborted."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "hangtag-check"
    sys_version = ""
    timeout = CONNECTION_SECONDS
    server: _Server

    def do_POST(self) -> None:
        """Respond to a POST."""
        self._respond()

    def do_GET(self) -> None:
        """Reject a GET and report it."""
        self._respond()

    do_PUT = do_GET  # noqa: N815 - the base class names them

    def _respond(self) -> None:
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.listener.respond(self.command, path, query, headers, self._body(headers))
        body = reply.body.encode()
        self.send_response(reply.status)
        self.send_header("content-type", reply.content_type)
        self.send_header("content-length", str(len(body)))
        if reply.status in (404, 411, 413):
            # A part of the body can be unread.
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def _body(self, headers: dict[str, str]) -> bytes | None:
        length = headers.get("content-length", "" if "transfer-encoding" in headers else "0")
        if not (length.isascii() and length.isdigit() and len(length) <= 12):
            return None
        size = min(int(length), MAX_BODY_BYTES + 1)
        body = self.rfile.read(size)
        if len(body) < size:
            raise ConnectionError("the bridge closed the connection")
        return body

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Write no log: requests are printed elsewhere, without tokens."""
