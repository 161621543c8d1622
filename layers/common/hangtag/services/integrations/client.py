"""One integration's PBX: its provider, the tenant's account and the HTTP client."""

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from hangtag import runtime
from hangtag.domain.calls.event import CallEvent
from hangtag.errors import BadInputError, ConflictError, HangtagError, TooManyError, UnreachableError
from hangtag.outbound import RateLimitedClient
from hangtag.providers import load
from hangtag.providers.base import (
    Account,
    Capability,
    Check,
    Click,
    KnownExtension,
    Media,
    NextStep,
    PlacedCall,
    Provider,
)
from hangtag.store.integrations.access_tokens import TablePbxTokens
from hangtag.store.integrations.integrations import Integration, load_secret
from hangtag.store.integrations.rate_limits import TableLimiter
from hangtag.store.office.tenants import load_tenant

__all__ = ["Pbx", "causes", "hosts", "in_words", "open_pbx", "run_check", "webhook_url"]

DEFAULT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Pbx:
    """One integration's PBX: its provider, the tenant's account and a rate-limited HTTP client.

    Each method raises ConflictError if the provider does not support it, BadInputError if the PBX rejects the request
    (with a message for the admin), UnreachableError, TooManyError and botocore's errors.
    """

    account: Account = field(repr=False)
    client: RateLimitedClient = field(repr=False)

    @property
    def provider(self) -> Provider:
        """The provider of the account."""
        return load(self.account.provider)

    def can(self, capability: Capability) -> bool:
        """Return whether the provider has that capability."""
        return self.provider.supports(capability)

    def originate(self, click: Click) -> PlacedCall:
        """Ring the employee, then the contact."""
        return self._supporting("originate").originate(self.account, click, self.client)

    def connect(self, step: NextStep) -> PlacedCall:
        """Perform the second step of a click, such as the call to the contact."""
        return self._supporting("connect").connect(self.account, step, self.client)

    def recording(self, reference: str) -> Media:
        """Return the address of the recording that an event named."""
        return self._supporting("recording").recording(self.account, reference, self.client)

    def history(self, since: datetime, until: datetime) -> Iterator[CallEvent]:
        """Yield the events of calls that began in that period."""
        return self._supporting("history").history(self.account, since, until, self.client)

    def extensions(self) -> tuple[KnownExtension, ...]:
        """Return the extensions of the PBX."""
        return self._supporting("extensions").extensions(self.account, self.client)

    def ping(self) -> Check:
        """Check the connection and the credentials."""
        return self._supporting("ping").ping(self.account, self.client)

    def setup(self, url: str, secrets: Mapping[str, str]) -> Check:
        """Enter the webhook's address and the generated secrets at the PBX."""
        return self._supporting("setup").setup(replace(self.account, webhook_url=url), secrets, self.client)

    def renew_subscription(self) -> Check:
        """Keep the PBX's webhook subscription active."""
        return self._supporting("renew_subscription").renew_subscription(self.account, self.client)

    def _supporting(self, method: str) -> Provider:
        provider = self.provider
        if not provider.supports(method):
            raise ConflictError(f"This PBX does not support {method}.")
        return provider


def open_pbx(tenant_id: str, integration: Integration, *, seconds: float = DEFAULT_SECONDS) -> Pbx:
    """Return the PBX of an integration. All requests share `seconds`. Raises NotFoundError, botocore's errors."""
    tenant = load_tenant(tenant_id)
    secret = load_secret(tenant_id, integration.id)
    account = Account(
        provider=integration.provider,
        credentials={**secret.credentials, **secret.generated},
        settings=integration.settings,
        country=tenant.country,
        time_zone=tenant.time_zone,
        webhook_url=webhook_url(integration.provider, secret.hook_token) if secret.hook_token else "",
    )
    client = RateLimitedClient(
        limiter=TableLimiter(tenant_id, integration.id),
        tokens=TablePbxTokens(tenant_id, integration.id),
        limits=load(integration.provider).limits,
        hosts=hosts(integration.provider),
        seconds=seconds,
    )
    return Pbx(account, client)


def hosts(provider: str) -> tuple[str, ...]:
    """Return the domains of a provider's REST API; empty if the admin enters its address."""
    return load(provider).hosts


def webhook_url(provider: str, token: str) -> str:
    """Return the URL that a PBX posts to."""
    path = f"/tel/api/{token}" if provider == "telephony_api" else f"/hooks/{provider}/{token}"
    return runtime.settings().public_url.rstrip("/") + path


def run_check(request: Callable[[], Check], what: str) -> Check:
    """Run a check at the PBX. Return a failed check with the reason if the PBX is unreachable or rejects it."""
    try:
        return request()
    except (BadInputError, UnreachableError, TooManyError) as error:
        return Check(what, False, in_words(error))


def in_words(error: HangtagError) -> str:
    """Return the reason why a request to a PBX failed, for the admin."""
    chain = causes(error)
    if any(isinstance(cause, socket.gaierror) for cause in chain):
        return "The PBX's host name does not resolve. Check the address."
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"The PBX's TLS certificate is not valid: {cause.verify_message}."
    if any(isinstance(cause, ssl.SSLError) for cause in chain):
        return "The PBX does not accept TLS connections at this port. Check the port."
    if any(isinstance(cause, TimeoutError) for cause in chain):
        return "The PBX did not respond in time."
    if isinstance(error, UnreachableError) and error.__cause__ is not None:
        return "The PBX is not reachable. Check the port and the firewall."
    return error.message


def causes(error: BaseException) -> list[BaseException]:
    """Return an error and all of its causes."""
    return list(_causes(error, set()))


def _causes(error: BaseException, visited: set[int]) -> Iterator[BaseException]:
    """Yield an error and its causes; libraries store them as cause, context, reason or argument."""
    if id(error) in visited:
        return
    visited.add(id(error))
    yield error
    for other in (error.__cause__, error.__context__, getattr(error, "reason", None), *error.args):
        if isinstance(other, BaseException):
            yield from _causes(other, visited)
