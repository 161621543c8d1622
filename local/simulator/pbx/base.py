"""The interface of a simulated PBX: it writes, signs and sends messages, and forges them for tests.

The contract tests use providers through this interface only.
"""

import importlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, cast
from urllib.parse import parse_qsl, urlencode

from hangtag import providers
from local.simulator.story import Message

__all__ = [
    "FORM",
    "JSON",
    "Pbx",
    "Request",
    "address",
    "flipped",
    "flipped_body",
    "flipped_fields",
    "form_body",
    "json_body",
    "load",
    "with_fields",
    "with_header",
]

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request. `url` is complete, with the webhook's token and the query.

    `source_ip` is an address of the real PBX, not the one that a server on this machine sees.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str]
    body: bytes = b""
    source_ip: str = "192.0.2.1"


class Pbx(Protocol):
    """The webhook sender of a provider: the module `local.simulator.providers.<key>.pbx`, or an object in its `PBX`.

    It can also have `UNSIGNED_STATUS: int`: the response status to a request without its SIGNATURE_HEADER, if the
    PBX's documentation requires another status than 401.
    """

    # Values that the admin of the simulated account enters, as POST /v1/integrations accepts it.
    CREDENTIALS: Mapping[str, str]
    SETTINGS: Mapping[str, Any]
    # The credentials of another tenant's account: equal except for every secret.
    OTHER_CREDENTIALS: Mapping[str, str]
    # The place of the signature or secret: a header or a field of the body; the other one is "". Both are "" if the
    # webhook's address is the only secret; the provider's form then lists everything as unverified.
    SIGNATURE_HEADER: str
    SECRET_FIELD: str
    # The maximum age of a request, and its maximum advance, in seconds; None if the PBX does not sign a time.
    TOLERANCE_SECONDS: int | None
    # An event with an unknown name, and the response status: 200, or what the PBX's documentation requires.
    UNKNOWN: Message
    UNKNOWN_STATUS: int
    # Requests that check an address before its use, each with the body of the response.
    HANDSHAKES: tuple[tuple[Message, str], ...]
    # Fields of a message that its signature does not cover.
    NOT_SIGNED: tuple[str, ...]

    def request(self, url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:
        """Return the message, signed at that time. `secrets` are credentials and generated secrets."""
        ...

    def tampered(self, request: Request) -> Iterator[Request]:
        """Yield copies of the request, each with one byte of the secret or of the signed content changed."""
        ...

    def forged(
        self, url: str, message: Message, secrets: Mapping[str, str], at: datetime
    ) -> Iterator[tuple[str, Request]]:
        """Yield named requests that a careless verifier accepts: wrong scheme, encoding or hash."""
        ...


def load(provider: str) -> Pbx:
    """Return the simulated PBX of a key; presets share one. Raises KeyError, ModuleNotFoundError."""
    key = providers.load(provider).key
    module = importlib.import_module(f"local.simulator.providers.{key}.pbx")
    return cast("Pbx", getattr(module, "PBX", module))


# ------------------------------------------------------------------ shared by the senders


def address(url: str, message: Message) -> str:
    """Return the webhook's URL with the message's path and query."""
    path = f"{url}/{message.rest}" if message.rest else url
    return f"{path}?{urlencode(message.query)}" if message.query else path


def form_body(message: Message, more: Mapping[str, str] | None = None) -> bytes:
    """Return a form with the fields in `more` and the message's fields, which override them."""
    return urlencode({**(more or {}), **message.post}).encode()


def json_body(message: Message) -> bytes:
    """Return the message's JSON."""
    return json.dumps(message.body, ensure_ascii=False, separators=(",", ":")).encode()


def flipped(text: str) -> Iterator[str]:
    """Yield copies of a text, each with one character replaced by another printable one."""
    for place, character in enumerate(text):
        other = chr(ord(character) ^ 1)
        yield text[:place] + (other if other.isprintable() else "x") + text[place + 1 :]


def flipped_body(request: Request) -> Iterator[Request]:
    """Yield copies of the request, each with the lowest bit of one byte of the body flipped."""
    for place in range(len(request.body)):
        raw = bytearray(request.body)
        raw[place] ^= 1
        yield replace(request, body=bytes(raw))


def flipped_fields(request: Request, names: Iterable[str]) -> Iterator[Request]:
    """Yield copies of the request, each with one character of one of these form fields replaced."""
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    for name in names:
        for value in flipped(fields.get(name, "")):
            yield replace(request, body=urlencode({**fields, name: value}).encode())


def with_header(request: Request, name: str, value: str | None) -> Request:
    """Return the request with another value of a header; None removes it."""
    others = {header: content for header, content in request.headers.items() if header.lower() != name.lower()}
    return replace(request, headers=others if value is None else {**others, name: value})


def with_fields(request: Request, change: Callable[[dict[str, str]], Mapping[str, str]]) -> Request:
    """Return the request with a changed form."""
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    return replace(request, body=urlencode(change(fields)).encode())
