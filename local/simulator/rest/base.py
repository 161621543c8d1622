"""What a fake of a PBX's REST API is: it checks path, signature and parameters as the facts give them.

A module of this folder has a class `Api` with what `Rest` lists; `serving` puts it on a port of this machine. A test
may lay a fault over it: a status of its own, junk, no answer in time.
"""

import importlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, cast
from urllib.parse import parse_qsl, urlsplit

from hangtag import providers

__all__ = ["Asked", "Fault", "Reply", "Rest", "Server", "TakesClicks", "load", "serving"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that the API got. `query` is the text of the address, as it came; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def parameters(self) -> dict[str, str]:
        """The query's fields."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; a `body` that is no text and no bytes goes out as JSON."""

    status: int = 200
    body: Any = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The body as bytes."""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong instead of an answer: a reply of its own, or none until the client gives up."""

    reply: Reply | None = None


class Answers(Protocol):
    """Whatever can be served."""

    @property
    def answer(self) -> Callable[[Asked], Reply]:
        """What a request is answered."""
        ...


class Rest(Protocol):
    """The API of one account, as a module's class `Api(credentials)`."""

    # How an integration is pointed at the fake that serves at `url`.
    def credentials(self, url: str) -> Mapping[str, str]:
        """The account's credentials."""
        ...

    def settings(self, url: str) -> Mapping[str, Any]:
        """The integration's settings, `api_url` among them where the provider takes it."""
        ...

    def answer(self, asked: Asked) -> Reply:
        """What the API says: 401 to a wrong signature, 404 to a wrong path, 400 to wrong parameters."""
        ...


class TakesClicks(Protocol):
    """What the fake of a PBX that can be asked to call says besides."""

    def clicked(self, asked: Asked, reply: Reply) -> str | None:
        """The id of the call that a request, answered with success, had it place: "" where it names none.

        None: the request asked for something else, or for a further leg.
        """
        ...


@dataclass(slots=True)
class Server:
    """A fake that is running. `asked` grows with each request; `faults` are laid over the next answers, in order."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def load(provider: str) -> Callable[[Mapping[str, str]], Rest]:
    """The fake's class for a provider's key, to be made with credentials. Raises KeyError, ModuleNotFoundError."""
    module = importlib.import_module(f"local.simulator.rest.{providers.load(provider).key}")
    return cast("Callable[[Mapping[str, str]], Rest]", module.Api)


@contextmanager
def serving(api: Answers) -> Iterator[Server]:
    """The fake on a port of loopback, for as long as the context lasts."""
    running = Server("")
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        """One connection, one request."""

        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("content-length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, parts.query, headers, self.rfile.read(length))
            running.asked.append(asked)
            fault = running.faults.pop(0) if running.faults else None
            if fault is not None and fault.reply is None:
                over.wait(30)
                return
            reply = fault.reply if fault is not None and fault.reply is not None else api.answer(asked)
            self._send(reply)

        def _send(self, reply: Reply) -> None:
            body = reply.encoded()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield running
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
