"""The interface of a provider: how its deliveries are verified and read, and what its PBX can be asked to do.

A provider is a module with `verify` and `parse`, and with those of the other functions of `Provider`'s docstring that
its PBX has; what it can do is read off from which of them are there (`hangtag.providers.registry.abilities`).

Standard library only: it lies on the webhook's path. Values that hide nothing from their repr are named tuples, which a
process makes ready in an eighth of the time of a dataclass.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from hangtag.domain.calls.event import CallEvent

__all__ = [
    "PAUSE_SECONDS",
    "Account",
    "Check",
    "Click",
    "ContactCard",
    "KnownExtension",
    "Limit",
    "Media",
    "OfficeLookups",
    "ParseResult",
    "PayloadError",
    "PbxClient",
    "PlacedCall",
    "Provider",
    "Response",
    "SignatureError",
    "Token",
    "VerificationKeys",
    "WebhookRejectedError",
    "WebhookRequest",
    "WebhookResponse",
]


# ------------------------------------------------------------------ what comes in


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """A delivery as it came. Header names are in lower case; a header sent twice is joined by a comma.

    `arrived_at` is UTC. `path` has no token in it, `rest` is what follows the token ("events/call"). `url` is the
    address that the PBX was given, query and token included: from the stack's configuration, never from a header.
    `source_ip` is who opened the connection, as API Gateway saw it, never from a header; "" where it is not known.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    arrived_at: datetime
    rest: str = ""
    url: str = field(default="", repr=False)
    source_ip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationKeys:
    """What a delivery is verified with: by name, every value that is good now, the newest first (two in a rotation).

    `hashes` holds SHA-256 in hexadecimal of the secrets that Hangtag made, `credentials` what the admin typed.
    """

    hashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    credentials: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)


class WebhookResponse(NamedTuple):
    """What the PBX is told."""

    status: int
    body: str = ""
    content_type: str = "application/json"
    headers: Mapping[str, str] = MappingProxyType({})


class ContactCard(NamedTuple):
    """What a PBX may learn of a caller: the name, and the short number of who is responsible."""

    name: str
    responsible: str | None


class OfficeLookups(NamedTuple):
    """What a provider may ask of the tenant's office. Each is one look-up, and may raise: answers fail open."""

    contact: Callable[[str], ContactCard | None]
    credentials: Callable[[], Mapping[str, str]]


_OK = WebhookResponse(200)


@dataclass(frozen=True, slots=True)
class ParseResult:
    """A delivery understood: the events to keep, and the reply once they are kept.

    `respond`, if set, makes the reply from the tenant's office instead. `unknown`: it is of a kind that this version
    does not know; it is kept for the admin to see.
    """

    events: tuple[CallEvent, ...] = ()
    reply: WebhookResponse = _OK
    respond: Callable[[OfficeLookups], WebhookResponse] | None = None
    unknown: bool = False


class WebhookRejectedError(Exception):
    """A delivery refused. `reason` is for the tenant's admin, and holds nothing of the delivery's values."""

    status = 400
    title = "Bad Request"

    def __init__(self, reason: str, reply: WebhookResponse | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        problem = f'{{"type":"about:blank","title":"{self.title}","status":{self.status}}}'
        self.reply = reply or WebhookResponse(self.status, problem, "application/problem+json")


class SignatureError(WebhookRejectedError):
    """It is not from who it says: no signature, a wrong one, an old one."""

    status = 401
    title = "Unauthorized"


class PayloadError(WebhookRejectedError):
    """It can't be read: no form, no JSON, a field missing or out of bounds."""


class Provider(Protocol):
    """A provider's module.

    Besides `verify` and `parse` it may have any of these; what its PBX lacks, it leaves out:

    * `handshake(request: WebhookRequest) -> Reply | None` answers what a PBX asks of an address before it uses it;
      nothing is verified before. None: it is no handshake.
    * `originate(account: Account, click: Click, door: Door) -> Placed` rings the employee, then the contact.
    * `PICK_UP: str` with it: how events tell that the employee picked up, `told` or `accepted`, as
      `hangtag.domain.calls.classify.PickUp` says; left out where they don't.
    * `ORIGINATES_WITH: tuple[str, ...]`, the credentials without which it can't originate.
    * `pending(request: WebhookRequest) -> Pending | None` and `connect(account: Account, step: Pending, door: Door) ->
      Placed`, of a PBX that calls the contact only when it is told that the employee picked up: what a verified
      delivery asks to be done next (`Pending` is the module's own dataclass, of texts), and the doing of it. Doubles
      must do no harm.
    * `recording(account: Account, reference: str, door: Door) -> Media` says where to fetch what an event named.
    * `RECORDING_AFTER: float` with it or without: so many seconds after it was named a recording can be fetched.
    * `MEDIA_HOSTS: tuple[str, ...]`, the domains that recordings are fetched from; left out where they may be anywhere.
    * `history(account: Account, since: datetime, until: datetime, door: Door) -> Iterator[CallEvent]` tells the calls
      that began in that time (UTC), as events that the fold joins with those of the webhook: the same call ids and
      legs.
    * `extensions(account: Account, door: Door) -> tuple[KnownExtension, ...]` lists those that the PBX knows.
    * `ping(account: Account, door: Door) -> Finding` asks the PBX whether it is there and knows us, changing nothing.
    * `set_up(account: Account, secrets: Mapping[str, str], door: Door) -> Finding` tells the PBX the webhook's
      address (`account.webhook_url`) and the secrets that were made for it.
    * `look_after(account: Account, door: Door) -> Finding`, of a PBX that stops posting of its own accord unless it is
      told to go on: sees to it that it still posts to `account.webhook_url`, renewing or making anew what `set_up`
      made. Asked each quarter of an hour; where all is well it changes nothing.
    * `LIMITS: Mapping[str, Limit]`, the PBX's own limits by the name that is given to `door.send`.
    * `HOSTS: tuple[str, ...]`, the domains that its REST API lives on; empty where the admin types an address.

    All but the first raise what `PbxClient` raises, and BadInputError if the PBX refuses, in words for the admin.
    """

    def verify(self, request: WebhookRequest, trust: VerificationKeys) -> None:
        """Raises UnverifiedError, or UnreadableError if it can't even be seen whether it is genuine; nothing else."""
        ...

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """What a delivery says, without verifying; `settings` are the integration's. Raises only UnreadableError.

        It must not depend on secrets: a kept delivery, whose secrets are masked, is parsed again.
        """
        ...


# ------------------------------------------------------------------ what goes out


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The tenant's account at a PBX. `provider` is the key, which tells presets of one module apart.

    `country` (ISO 3166, two letters) and `time_zone` (IANA) are the tenant's. `webhook_url` is "" where it is not
    known: it is kept only for providers that must name it with every call that they place.
    """

    provider: str
    credentials: Mapping[str, str] = field(repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict)
    country: str = ""
    time_zone: str = "UTC"
    webhook_url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A call to place: ring `extension`, then `number`, written as this PBX wants it.

    `line` is the own external number to show, if one was chosen. `reference` is ours, of at most 64 letters, digits
    and dashes, the same if the same click is tried again.
    """

    extension: str
    number: str
    reference: str
    line: str | None = None


class PlacedCall(NamedTuple):
    """A call that a PBX took on. `call_id` is the one that its events will have; None where it does not say."""

    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """Where a recording is to be fetched, with what headers; they go to the first hop only."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class KnownExtension(NamedTuple):
    """An extension that a PBX knows, and whose it is there."""

    extension: str
    name: str = ""


class Check(NamedTuple):
    """What was looked at, whether it is as it should be, and how it is, in words for the tenant's admin."""

    what: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests in any so many seconds."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Token:
    """An access token that a PBX gave, and for how many seconds it is good."""

    value: str = field(repr=False)
    seconds: float


class Response(Protocol):
    """What a PBX answered. Header names are in lower case."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers."""
        ...

    @property
    def body(self) -> bytes:
        """The body, unpacked."""
        ...


# How long a PBX is left alone that asks to slow down and does not say for how long.
PAUSE_SECONDS = 10


class PbxClient(Protocol):
    """The way out to one integration's PBX. It keeps the PBX's limits, and tries again what is safe."""

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: str = "",
        safe: bool | None = None,
    ) -> Response:
        """One request, answered with any status but 429.

        `limit` names one of the module's LIMITS. `safe`: it may be sent again after no answer or a 5xx (None: if it
        is a GET). Raises BadInputError (the address is not allowed), UnreachableError (no answer), TooManyError (a
        limit, the PBX's own included, leaves no time).
        """
        ...

    def token(self, name: str, ask: Callable[[], Token]) -> str:
        """The PBX's access token of that name, kept for all functions until shortly before it ends; else `ask`."""
        ...

    def forget(self, name: str) -> None:
        """A token that the PBX refuses is not used again."""
        ...

    def hold(self, limit: str, seconds: float) -> None:
        """Let nobody ask under that one of LIMITS, or at all ("") for so long. After a 429 the door does it itself."""
        ...
