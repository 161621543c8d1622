"""External CRM on loopback that follows docs/crm.md, or fails as a test configures it."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Delay of a response that stalls.
STALL_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Message:
    """One received request."""

    headers: Mapping[str, str]
    text: str

    @property
    def payload(self) -> Any:
        """Return the parsed body."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class CrmResponse:
    """One response. `accepted`: the CRM stores the message, independent of the status; `lost`: it sends no response."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    accepted: bool = True
    lost: bool = False
    stalls: bool = False


OK = CrmResponse()
DOWN = CrmResponse(500, accepted=False)


class FakeCrm:
    """A CRM that stores tags as documented: each message id once, and no revision older than the stored one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.respond: Callable[[Message], CrmResponse] = lambda _: OK
        self.messages: list[Message] = []
        self.ended = threading.Event()
        # Number of writes of each tag, by id and revision.
        self.writes: Counter[tuple[str, int]] = Counter()
        self.tags: dict[str, int] = {}
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)

    def receive(self, message: Message) -> CrmResponse:
        """Record one message and return the response."""
        response = self.respond(message)
        with self._lock:
            self.messages.append(message)
            if response.accepted and message.payload["type"] == "tag.written":
                self._write(message)
            self._arrived.notify_all()
        if response.stalls:
            self.ended.wait(STALL_SECONDS)
        return response

    def _write(self, message: Message) -> None:
        payload = message.payload
        if message.headers["webhook-id"] in self._seen:
            return
        self._seen.add(message.headers["webhook-id"])
        tag = payload["data"]["tag"]["id"]
        if payload["revision"] > self.tags.get(tag, 0):
            self.tags[tag] = payload["revision"]
            self.writes[tag, payload["revision"]] += 1

    def await_messages(self, count: int, seconds: float = 20.0) -> list[Message]:
        """Return all messages, once there are `count`. Fails after `seconds`."""
        with self._lock:
            assert self._arrived.wait_for(lambda: len(self.messages) >= count, seconds), (
                f"{len(self.messages)} of {count}"
            )
            return list(self.messages)


@contextmanager
def running() -> Iterator[FakeCrm]:
    """Run a CRM during the block."""

    class Handler(BaseHTTPRequestHandler):
        """Handler of one request per connection."""

        def do_POST(self) -> None:
            """Receive a message and send the response."""
            text = self.rfile.read(int(self.headers["content-length"])).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            response = crm.receive(Message(headers, text))
            if response.lost:
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            with suppress(OSError):
                self.send_response(response.status)
                for name, value in response.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(response.body)))
                self.end_headers()
                self.wfile.write(response.body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    class Server(ThreadingHTTPServer):
        """Server of concurrent requests."""

        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Ignore closed connections."""

    server = Server(("127.0.0.1", 0), Handler)
    crm = FakeCrm(f"http://127.0.0.1:{server.server_port}/hooks?key=in-the-query")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield crm
    finally:
        crm.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
