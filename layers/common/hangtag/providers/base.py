"""The interface of a provider: what the webhook hands it, and what it gives back.

Standard library only: it lies on the webhook's path.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hangtag.calls.event import CallEvent


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

    def receive(self, request: WebhookRequest, secrets: Mapping[str, str]) -> Accepted | Refused:
        """Verify and parse one delivery.

        `secrets` maps the names of the integration's secrets to their SHA-256. Never raises on what a PBX sent.
        """
        ...
