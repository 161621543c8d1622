"""A CRM outside, on loopback: it does what the docs ask of one, or fails as a test tells it."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# How long a CRM that stalls holds an answer back.
STALL_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Message:
    """One request, as it came."""

    headers: Mapping[str, str]
    text: str

    @property
    def said(self) -> Any:
        """Its body."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `taken`: the CRM takes the message in, whatever it answers; `lost`: its answer never arrives."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    taken: bool = True
    lost: bool = False
    stalls: bool = False


OK = Reply()
DOWN = Reply(500, taken=False)


class FakeCrm:
    """Keeps what it was told by the rules of the docs: a message id counts once, a lower revision never replaces."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answer: Callable[[Message], Reply] = lambda _: OK
        self.asked: list[Message] = []
        self.ended = threading.Event()
        # What it did with its tags: how often each was written, by subject and revision.
        self.writes: Counter[tuple[str, int]] = Counter()
        self.tags: dict[str, int] = {}
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self._came = threading.Condition(self._lock)

    def take(self, message: Message) -> Reply:
        """One message."""
        reply = self.answer(message)
        with self._lock:
            self.asked.append(message)
            if reply.taken and message.said["type"] == "tag.written":
                self._write(message)
            self._came.notify_all()
        if reply.stalls:
            self.ended.wait(STALL_SECONDS)
        return reply

    def _write(self, message: Message) -> None:
        said = message.said
        if message.headers["webhook-id"] in self._seen:
            return
        self._seen.add(message.headers["webhook-id"])
        tag = said["data"]["tag"]["id"]
        if said["revision"] > self.tags.get(tag, 0):
            self.tags[tag] = said["revision"]
            self.writes[tag, said["revision"]] += 1

    def await_asked(self, count: int, seconds: float = 20.0) -> list[Message]:
        """What it was asked, once that is so much."""
        with self._lock:
            assert self._came.wait_for(lambda: len(self.asked) >= count, seconds), f"{len(self.asked)} of {count}"
            return list(self.asked)


@contextmanager
def running() -> Iterator[FakeCrm]:
    """A CRM for as long as the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        """One request a connection."""

        def do_POST(self) -> None:
            """Take a message, and answer."""
            text = self.rfile.read(int(self.headers["content-length"])).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = crm.take(Message(headers, text))
            if reply.lost:
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            with suppress(OSError):
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        """Many at once."""

        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Connections that were shut are no errors here."""

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
