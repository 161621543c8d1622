"""Hangtag's end of the wire during a check: a small HTTP server whose judge is the product's own parser."""

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
from hangtag_client.check.heard import Heard

__all__ = ["Listener"]

MAX_BODY_BYTES = 64 * 1024
MAX_HEARD = 2000
CONNECTION_SECONDS = 10.0
_PROBLEM = "application/problem+json"
_LENGTH_NEEDED = WebhookResponse(411, '{"type":"about:blank","title":"Length Required","status":411}', _PROBLEM)
_TOO_LARGE = WebhookResponse(413, '{"type":"about:blank","title":"Content Too Large","status":413}', _PROBLEM)
_NOT_FOUND = WebhookResponse(404, '{"type":"about:blank","title":"Not Found","status":404}', _PROBLEM)


class Listener:
    """Takes in what the bridge posts to `path`, answers as Hangtag does, and keeps it for the judge.

    `told` is called for each delivery, from the thread that took it in. Raises OSError if the address is taken.
    """

    def __init__(
        self, host: str, port: int, path: str, planfix_token: str, office: OfficeLookups, told: Callable[[Heard], None]
    ) -> None:
        self._path = path
        self._trust = VerificationKeys(hashes={SECRET: (secret_hash(planfix_token),)})
        self._office = office
        self._told = told
        self._heard: list[Heard] = []
        self._last_at = time.monotonic()
        self._changed = threading.Condition()
        self._server = _Server((host, port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def address(self) -> str:
        """Where it listens."""
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
        """How many deliveries came so far."""
        with self._changed:
            return len(self._heard)

    def since(self, mark: int) -> Sequence[Heard]:
        """What came after the mark."""
        with self._changed:
            return self._heard[mark:]

    def watch(self, mark: int, patience: Callable[[Sequence[Heard]], float], longest: float) -> Sequence[Heard]:
        """Wait until all has been quiet for as long as `patience` allows, and return what came after the mark.

        `patience` looks at what was heard and says how many seconds of silence to bear; it is asked again after
        each delivery. Returns after `longest` seconds in any case.
        """
        began = time.monotonic()
        with self._changed:
            while True:
                heard = self._heard[mark:]
                quiet_since = max(began, self._last_at)
                left = min(quiet_since + patience(heard), began + longest) - time.monotonic()
                if left <= 0:
                    return heard
                self._changed.wait(left)

    def take(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes | None) -> WebhookResponse:
        """Answer one request; `body` is None if its length was not told, and longer than 64 KB if it was too long."""
        if not hmac.compare_digest(path.encode(), self._path.encode()) or method != "POST":
            if method != "POST" and path != self._path:
                # Somebody else's curiosity, where the address is public.
                return _NOT_FOUND
            self._keep(Heard(status=404, refusal="it was not a POST to the address that setup gave"))
            return _NOT_FOUND
        if body is None or len(body) > MAX_BODY_BYTES:
            reply = _LENGTH_NEEDED if body is None else _TOO_LARGE
            reason = "the body's length was not told" if body is None else "the body is over 64 KB"
            self._keep(Heard(status=reply.status, refusal=reason))
            return reply
        arrived_at = datetime.now(UTC)
        request = WebhookRequest(
            method=method, path=path, query=query, headers=headers, body=body, arrived_at=arrived_at
        )
        try:
            verify(request, self._trust)
            result = parse(request)
        except WebhookRejectedError as refused:
            self._keep(Heard(status=refused.reply.status, fields=_fields(body), refusal=refused.reason))
            return refused.reply
        reply = self._respond(result)
        event = result.events[0] if result.events else None
        self._keep(Heard(status=reply.status, fields=_fields(body), event=event))
        return reply

    def _respond(self, result: ParseResult) -> WebhookResponse:
        return result.respond(self._office) if result.respond else result.reply

    def _keep(self, heard: Heard) -> None:
        self._told(heard)
        with self._changed:
            if len(self._heard) < MAX_HEARD:
                self._heard.append(heard)
            self._last_at = time.monotonic()
            self._changed.notify_all()


def _fields(body: bytes) -> dict[str, str]:
    """The parameters without the token, as far as they can be read."""
    try:
        pairs = parse_qsl(body.decode("utf-8-sig", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
    return {name: value for name, value in pairs if name != SECRET}


class _Server(ThreadingHTTPServer):
    """Threads are daemons, so that a bridge that never ends its request does not keep the check."""

    request_queue_size = 128

    def __init__(self, address: tuple[str, int], listener: Listener) -> None:
        self.listener = listener
        super().__init__(address, _Handler)

    @property
    def host(self) -> str:
        """The bound address, not the name that it resolves to."""
        return str(self.server_address[0])

    def server_bind(self) -> None:
        """Bind without the look-up of the host's name, which may take long."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A bridge that hangs up in the middle is no error of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "hangtag-check"
    sys_version = ""
    timeout = CONNECTION_SECONDS
    server: _Server

    def do_POST(self) -> None:
        """Every POST is judged."""
        self._answer()

    def do_GET(self) -> None:
        """A GET is refused, and reported."""
        self._answer()

    do_PUT = do_GET  # noqa: N815 - the base class names them

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.listener.take(self.command, path, query, headers, self._body(headers))
        body = reply.body.encode()
        self.send_response(reply.status)
        self.send_header("content-type", reply.content_type)
        self.send_header("content-length", str(len(body)))
        if reply.status in (404, 411, 413):
            # What is left of the body may not have been read.
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def _body(self, headers: dict[str, str]) -> bytes | None:
        told = headers.get("content-length", "" if "transfer-encoding" in headers else "0")
        if not (told.isascii() and told.isdigit() and len(told) <= 12):
            return None
        wanted = min(int(told), MAX_BODY_BYTES + 1)
        body = self.rfile.read(wanted)
        if len(body) < wanted:
            raise ConnectionError("the bridge hung up")
        return body

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Silence: what was heard is told elsewhere, and without tokens."""
