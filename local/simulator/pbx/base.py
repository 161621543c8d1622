"""What a simulated PBX is: how it writes, signs and sends a message, and what of that nobody may change.

The tests of the contract know providers only through this; a module of this folder has what `Pbx` lists.
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
    """One request as it goes over the wire. `url` is whole, with the webhook's token and the query.

    `source_ip` is where the real PBX would send it from; it is not what a server on this machine sees.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str]
    body: bytes = b""
    source_ip: str = "192.0.2.1"


class Pbx(Protocol):
    """A module of this folder.

    It may have `UNSIGNED_STATUS: int` too: what a delivery without its SIGNATURE_HEADER is told, where the PBX's
    documentation asks for another status than 401.
    """

    # What the simulated account's admin types, and the settings: as POST /v1/integrations takes them.
    CREDENTIALS: Mapping[str, str]
    SETTINGS: Mapping[str, Any]
    # The same of an account of another tenant: another secret in each place, nothing else different.
    OTHER_CREDENTIALS: Mapping[str, str]
    # Where the signature, or the secret, is: a header, or a field of the body; the other one is "". Both are "" where
    # a delivery proves nothing, and the webhook's address is all that is secret: its form then says so.
    SIGNATURE_HEADER: str
    SECRET_FIELD: str
    # How old or early a delivery may be, in seconds; None: this PBX signs no time, so that old ones can't be told.
    TOLERANCE_SECONDS: int | None
    # An event of a name that nobody knows yet, and what the PBX is told then: 200, or what its documentation says.
    UNKNOWN: Message
    UNKNOWN_STATUS: int
    # What is asked of an address before it is used, with the reply's body.
    HANDSHAKES: tuple[tuple[Message, str], ...]
    # Names of the fields of a message that its signature does not cover, and that may so be changed by anybody.
    NOT_SIGNED: tuple[str, ...]

    def request(self, url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:
        """The message as this PBX sends and signs it at that time; `secrets` are credentials and made secrets."""
        ...

    def tampered(self, request: Request) -> Iterator[Request]:
        """The request again and again, each time with one byte of what is signed, or of the secret, another."""
        ...

    def forged(
        self, url: str, message: Message, secrets: Mapping[str, str], at: datetime
    ) -> Iterator[tuple[str, Request]]:
        """Requests that a careless verifier takes for genuine, each with its name: wrong scheme, encoding, hash."""
        ...


def load(provider: str) -> Pbx:
    """The simulated PBX of a provider's key; presets share one. Raises KeyError, ModuleNotFoundError."""
    return cast("Pbx", importlib.import_module(f"local.simulator.pbx.{providers.load(provider).key}"))


# ------------------------------------------------------------------ what the modules share


def address(url: str, message: Message) -> str:
    """The webhook's URL with the message's path and query."""
    path = f"{url}/{message.rest}" if message.rest else url
    return f"{path}?{urlencode(message.query)}" if message.query else path


def form_body(message: Message, more: Mapping[str, str] | None = None) -> bytes:
    """The message's fields, and more before them, as a form; a field of the message outweighs one of `more`."""
    return urlencode({**(more or {}), **message.post}).encode()


def json_body(message: Message) -> bytes:
    """The message's JSON."""
    return json.dumps(message.body, ensure_ascii=False, separators=(",", ":")).encode()


def flipped(text: str) -> Iterator[str]:
    """A text, each time with one character another: another letter, digit or sign, still one that can be sent."""
    for place, character in enumerate(text):
        other = chr(ord(character) ^ 1)
        yield text[:place] + (other if other.isprintable() else "x") + text[place + 1 :]


def flipped_body(request: Request) -> Iterator[Request]:
    """Each byte of the body flipped, in its lowest bit."""
    for place in range(len(request.body)):
        raw = bytearray(request.body)
        raw[place] ^= 1
        yield replace(request, body=bytes(raw))


def flipped_fields(request: Request, names: Iterable[str]) -> Iterator[Request]:
    """Each character of these fields of a form flipped."""
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    for name in names:
        for value in flipped(fields.get(name, "")):
            yield replace(request, body=urlencode({**fields, name: value}).encode())


def with_header(request: Request, name: str, value: str | None) -> Request:
    """The request with another value of a header; None takes it away."""
    kept = {known: said for known, said in request.headers.items() if known.lower() != name.lower()}
    return replace(request, headers=kept if value is None else {**kept, name: value})


def with_fields(request: Request, change: Callable[[dict[str, str]], Mapping[str, str]]) -> Request:
    """The request with another form."""
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    return replace(request, body=urlencode(change(fields)).encode())
