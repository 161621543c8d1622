"""The interface of a provider: what the webhook hands it, what it gives back, and what it may be able to do besides.

Standard library only: it lies on the webhook's path.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hangtag.calls.event import CallEvent

# The names of secrets, each with the SHA-256 of every value that is good now: two while one is rotated.
Secrets = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """A delivery as it came. Header names are in lower case, `arrived_at` is UTC."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class Reply:
    """What the PBX is told."""

    status: int
    body: str = ""
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class ContactCard:
    """What a PBX may learn of a caller: the name, and the short number of who is responsible."""

    name: str
    responsible: str | None


@dataclass(frozen=True, slots=True)
class Office:
    """What a provider may ask of the tenant's office. Each is one look-up, and may raise: answers fail open."""

    contact: Callable[[str], ContactCard | None]
    credentials: Callable[[], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A delivery understood: the events to keep, and the reply once they are kept.

    `respond`, if set, makes the reply from the tenant's office instead.
    """

    events: tuple[CallEvent, ...] = ()
    reply: Reply = Reply(200)
    respond: Callable[[Office], Reply] | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A delivery refused. `reason` is for the tenant's admin, and holds nothing of the delivery's values."""

    reply: Reply
    reason: str


class Provider(Protocol):
    """A provider's module."""

    def receive(self, request: WebhookRequest, secrets: Secrets) -> Accepted | Refused:
        """Verify and parse one delivery. Never raises on what a PBX sent."""
        ...

    def parse(self, request: WebhookRequest) -> Accepted | Refused:
        """What `receive` does, without verifying: for a delivery that was kept, whose secrets are masked.

        Never raises on what a PBX sent.
        """
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it is as it should be, and how it is, in words for the tenant's admin."""

    what: str
    ok: bool
    detail: str


class Response(Protocol):
    """What a PBX answered."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def body(self) -> bytes:
        """The body as it came."""
        ...


class Send(Protocol):
    """The way out to a PBX. Raises BadInputError or UnreachableError, as `hangtag.outbound.send` does."""

    def __call__(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None) -> Response:
        """One request."""
        ...


class Pings(Protocol):
    """A provider's module that can ask its PBX whether it is there, and whether it knows us."""

    def ping(self, credentials: Mapping[str, str], send: Send) -> Finding:
        """Ask the PBX with the integration's credentials, changing nothing there. What `send` raises passes."""
        ...
