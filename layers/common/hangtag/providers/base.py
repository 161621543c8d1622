"""The interface of a provider: the values it receives and returns, its errors, and the class `Provider`.

Standard library only, because the webhook imports this module. Values whose repr hides nothing are named tuples: a
named tuple is created at import in an eighth of the time of a dataclass.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol, get_args

if TYPE_CHECKING:
    from hangtag.domain.calls.event import CallEvent, PickUp
    from hangtag.limits import Limit, Token

__all__ = [
    "CAPABILITIES",
    "Account",
    "Capability",
    "Check",
    "Click",
    "ContactCard",
    "KnownExtension",
    "Media",
    "NextStep",
    "NotSupportedError",
    "OfficeLookups",
    "ParseResult",
    "PayloadError",
    "PbxClient",
    "PlacedCall",
    "Provider",
    "Response",
    "SignatureError",
    "VerificationKeys",
    "WebhookRejectedError",
    "WebhookRequest",
    "WebhookResponse",
]


# ------------------------------------------------------------------ webhook requests


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """A webhook request as received. Header names are in lower case; values of a repeated header are joined by commas.

    `arrived_at` is UTC. `path` does not contain the token, `rest` is the part of the path after it ("events/call").
    `url` is the address configured at the PBX, query and token included; it is built from the stack's configuration,
    never from a header. `source_ip` is the peer address that API Gateway reports, never a header; "" if unknown.
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
    """Verification keys by name: every value that is currently valid, newest first (two during a rotation).

    `hashes` holds SHA-256 digests, in hexadecimal, of the secrets that Hangtag generated; `credentials` holds the
    values that the admin entered.
    """

    hashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    credentials: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)


class WebhookResponse(NamedTuple):
    """The HTTP response to a webhook request."""

    status: int
    body: str = ""
    content_type: str = "application/json"
    headers: Mapping[str, str] = MappingProxyType({})


class ContactCard(NamedTuple):
    """The part of a contact that a PBX can receive: the name, and the extension of the supervisor."""

    name: str
    responsible: str | None


class OfficeLookups(NamedTuple):
    """Lookups in the tenant's office. Each call is one read and can raise; the webhook then responds without it."""

    contact: Callable[[str], ContactCard | None]
    credentials: Callable[[], Mapping[str, str]]


_OK = WebhookResponse(200)


@dataclass(frozen=True, slots=True)
class ParseResult:
    """A parsed webhook request: the events to append, and the response to send once they are stored.

    `respond`, if set, builds the response from the tenant's office instead. `unknown` marks an event type that this
    version does not support; the request is logged for the admin.
    """

    events: "tuple[CallEvent, ...]" = ()
    reply: WebhookResponse = _OK
    respond: Callable[[OfficeLookups], WebhookResponse] | None = None
    unknown: bool = False


class WebhookRejectedError(Exception):
    """A rejected webhook request. `reason` is shown to the tenant's admin; it contains no value of the request."""

    status = 400
    title = "Bad Request"

    def __init__(self, reason: str, reply: WebhookResponse | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        problem = f'{{"type":"about:blank","title":"{self.title}","status":{self.status}}}'
        self.reply = reply or WebhookResponse(self.status, problem, "application/problem+json")


class SignatureError(WebhookRejectedError):
    """A missing, wrong or expired signature."""

    status = 401
    title = "Unauthorized"


class PayloadError(WebhookRejectedError):
    """An unreadable body: not a form, not JSON, a field missing or out of bounds."""


# ------------------------------------------------------------------ requests to the PBX


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The tenant's account at a PBX. `provider` is the integration's key, which distinguishes presets of one class.

    `country` (ISO 3166, two letters) and `time_zone` (IANA) are the tenant's. `webhook_url` is "" if unknown: it is
    stored only for providers that send it with every call they place.
    """

    provider: str
    credentials: Mapping[str, str] = field(repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict)
    country: str = ""
    time_zone: str = "UTC"
    webhook_url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A call to place: ring `extension`, then `number`, written in the format of this PBX.

    `line` is the tenant's own number to show, if one was chosen. `reference` is Hangtag's id of the click: at most 64
    letters, digits and dashes, and equal for every attempt of one click.
    """

    extension: str
    number: str
    reference: str
    line: str | None = None


class PlacedCall(NamedTuple):
    """A call that a PBX accepted. `call_id` is the id in its events; None if the response does not contain one."""

    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """The URL of a recording and the headers to send. The headers go to the first hop only."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class KnownExtension(NamedTuple):
    """An extension that a PBX lists, and the name of its user there."""

    extension: str
    name: str = ""


class Check(NamedTuple):
    """The result of one check: its name, whether it passed, and a sentence for the tenant's admin."""

    what: str
    ok: bool
    detail: str


class NotSupportedError(Exception):
    """The PBX lacks this capability. Check `Provider.capabilities` before the call."""


class Response(Protocol):
    """A response of a PBX. Header names are in lower case."""

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
        """The body, decompressed."""
        ...


class PbxClient(Protocol):
    """HTTP client for one integration's PBX. It respects the PBX's rate limits and retries safe requests."""

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
        """Send one request and return its response, with any status except 429.

        `limit` names one of the provider's `limits`. `safe` allows a retry after a timeout or a 5xx (None: GET only).
        Raises BadInputError (forbidden address), UnreachableError (no response), TooManyError (rate limit, the PBX's
        own included).
        """
        ...

    def token(self, name: str, ask: "Callable[[], Token]") -> str:
        """Return the stored access token of that name, or request a new one with `ask` shortly before it expires."""
        ...

    def forget(self, name: str) -> None:
        """Delete a token that the PBX rejected."""
        ...

    def hold(self, limit: str, seconds: float) -> None:
        """Block requests of one of `limits`, or all requests (""), for `seconds`. A 429 response does so itself."""
        ...


# ------------------------------------------------------------------ the provider

# The data for `connect`, written to a queue as JSON.
NextStep = Mapping[str, str]
Capability = Literal["originate", "recording", "history", "extensions", "ping", "setup", "renew_subscription"]
CAPABILITIES: tuple[Capability, ...] = get_args(Capability)


class Provider:
    """One PBX. Each package in `hangtag.providers` defines one subclass; a capability is an overridden method.

    Methods that send requests raise what `PbxClient` raises, and BadInputError with a message for the admin if the PBX
    rejects the request.
    """

    # The name of the package; `aliases` are the keys of presets of the same class.
    key: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    # Domains of the REST API; empty if the admin enters its address, or if the PBX has none.
    hosts: ClassVar[tuple[str, ...]] = ()
    # Domains of the recordings; empty if recordings can be anywhere.
    media_hosts: ClassVar[tuple[str, ...]] = ()
    # The PBX's own rate limits as (requests, seconds), by the name passed to `PbxClient.send`; "" limits all requests
    # together.
    rate_limits: ClassVar[Mapping[str, tuple[int, float]]] = MappingProxyType({})
    # The time between the event that names a recording and the moment it can be downloaded.
    recording_delay: ClassVar[timedelta] = timedelta(seconds=5)
    # Optional credentials that `originate` needs.
    originate_credentials: ClassVar[tuple[str, ...]] = ()
    # The way events of a click-to-call show that the employee picked up; None if they do not.
    pick_up: "ClassVar[PickUp | None]" = None

    @property
    def limits(self) -> "Mapping[str, Limit]":
        """The PBX's own rate limits by name."""
        # Only outgoing requests need them: the webhook does not load the module.
        from hangtag.limits import Limit

        return {name: Limit(*rate) for name, rate in self.rate_limits.items()}

    def handshake(self, request: WebhookRequest) -> WebhookResponse | None:
        """Return the response to a request that checks a new webhook address, before verification, or None."""
        return None

    def verify(self, request: WebhookRequest, keys: VerificationKeys) -> None:
        """Raise SignatureError unless the request is genuine, PayloadError if its signature cannot be located."""
        raise NotImplementedError

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """Return the events of a request, without verification. `settings` are the integration's.

        Secrets must not matter: a logged request, whose secrets are masked, is parsed again. Raises PayloadError.
        """
        raise NotImplementedError

    def next_step(self, request: WebhookRequest) -> NextStep | None:
        """Return the step of a click that a verified request triggers, such as the call to the contact, or None."""
        return None

    def connect(self, account: Account, step: NextStep, client: PbxClient) -> PlacedCall:
        """Perform a step that `next_step` returned. A repetition must be harmless."""
        raise NotSupportedError

    def originate(self, account: Account, click: Click, client: PbxClient) -> PlacedCall:
        """Ring the employee, then the contact."""
        raise NotSupportedError

    def recording(self, account: Account, reference: str, client: PbxClient) -> Media:
        """Return the address of the recording that an event named."""
        raise NotSupportedError

    def history(self, account: Account, since: datetime, until: datetime, client: PbxClient) -> "Iterator[CallEvent]":
        """Yield the events of calls that began in that period (UTC), with the call ids and legs of the webhook."""
        raise NotSupportedError

    def extensions(self, account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
        """Return the extensions of the PBX."""
        raise NotSupportedError

    def ping(self, account: Account, client: PbxClient) -> Check:
        """Check the connection and the credentials without changing anything."""
        raise NotSupportedError

    def setup(self, account: Account, secrets: Mapping[str, str], client: PbxClient) -> Check:
        """Enter the webhook's address (`account.webhook_url`) and the generated `secrets` at the PBX."""
        raise NotSupportedError

    def renew_subscription(self, account: Account, client: PbxClient) -> Check:
        """Keep a webhook subscription that would expire pointing at `account.webhook_url`, creating it if needed.

        Called every 15 minutes; changes nothing if the subscription is active.
        """
        raise NotSupportedError

    @classmethod
    def capabilities(cls) -> tuple[Capability, ...]:
        """Return the names of the overridden methods, in the order of `CAPABILITIES`."""
        return tuple(name for name in CAPABILITIES if cls.supports(name))

    @classmethod
    def supports(cls, method: str) -> bool:
        """Return whether the class overrides a method of `Provider`."""
        return getattr(cls, method) is not getattr(Provider, method)
