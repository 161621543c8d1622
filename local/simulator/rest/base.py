"""Fakes of the PBXs' REST APIs. Each checks path, signature and parameters as the vendor documents them.

`local.simulator.providers.<key>.api` has a class `Api` that implements `Rest`; `serving` starts it on a port of this
machine. A test can add faults: another status, junk, no response.
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

__all__ = [
    "ClickToCallRest",
    "Fault",
    "NoApi",
    "Request",
    "Response",
    "Rest",
    "Server",
    "load",
    "serving",
]


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the API. `query` is the raw query string; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def parameters(self) -> dict[str, str]:
        """The fields of the query string."""
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
class Response:
    """One response. A `body` that is neither text nor bytes is sent as JSON."""

    status: int = 200
    body: Any = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """Return the body as bytes."""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault instead of the API's response: another response, or None for no response at all."""

    response: Response | None = None


class Responds(Protocol):
    """Anything that `serving` can serve."""

    @property
    def respond(self) -> Callable[[Request], Response]:
        """The function from a request to its response."""
        ...


class Rest(Protocol):
    """The API of one account: the class `Api(credentials)` of a provider's `api` module."""

    def credentials(self, url: str) -> Mapping[str, str]:
        """Return the credentials of an integration that uses the fake at `url`."""
        ...

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the settings of that integration, including `api_url` if the provider has it."""
        ...

    def respond(self, request: Request, /) -> Response:
        """Return the response: 401 to a wrong signature, 404 to a wrong path, 400 to wrong parameters."""
        ...


class ClickToCallRest(Protocol):
    """The additional method of a fake that supports click-to-call."""

    def placed_call_id(self, request: Request, response: Response, /) -> str | None:
        """Return the id of the call that a successful request placed; "" if the response does not contain one.

        None if the request is not a click-to-call, or placed a further leg.
        """
        ...


class NoApi:
    """The fake of a PBX without an API. Every request is a 404."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._credentials = credentials

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - nothing depends on the address
        """Return the account's credentials."""
        return self._credentials

    def settings(self, url: str) -> Mapping[str, Any]:  # noqa: ARG002 - nothing depends on the address
        """Return no settings."""
        return {}

    def respond(self, request: Request) -> Response:  # noqa: ARG002 - every request is rejected
        """Return 404."""
        return Response(404)


@dataclass(slots=True)
class Server:
    """A running fake. `requests` holds every request so far; `faults` replace the next responses, in order."""

    url: str
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def load(provider: str) -> Callable[[Mapping[str, str]], Rest]:
    """Return the class of a provider's fake; it is created with credentials. Raises KeyError for an unknown key.

    Raises ModuleNotFoundError if the fake of a provider with capabilities is missing.
    """
    own = providers.load(provider)
    name = f"local.simulator.providers.{own.key}.api"
    try:
        return cast("Callable[[Mapping[str, str]], Rest]", importlib.import_module(name).Api)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
    if own.capabilities():
        raise ModuleNotFoundError(
            f"{own.key} overrides {', '.join(own.capabilities())}, so it needs a fake API: write the class Api in "
            f"local/simulator/providers/{own.key}/api.py"
        )
    return NoApi


@contextmanager
def serving(api: Responds) -> Iterator[Server]:
    """Serve the fake on a loopback port while the context is open."""
    running = Server("")
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        """Handles one request per connection."""

        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("content-length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, parts.path, parts.query, headers, self.rfile.read(length))
            running.requests.append(request)
            fault = running.faults.pop(0) if running.faults else None
            if fault is not None and fault.response is None:
                over.wait(30)
                return
            response = fault.response if fault is not None and fault.response is not None else api.respond(request)
            self._send(response)

        def _send(self, response: Response) -> None:
            body = response.encoded()
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

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
