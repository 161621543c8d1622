"""One integration's PBX, to be asked: its adapter, the tenant's account there, and the door that leads to it."""

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from hangtag import runtime
from hangtag.domain.calls.event import CallEvent
from hangtag.errors import BadInputError, ConflictError, HangtagError, TooManyError, UnreachableError
from hangtag.outbound import RateLimitedClient
from hangtag.providers import optional
from hangtag.providers.base import Account, Check, Click, KnownExtension, Media, PlacedCall
from hangtag.store.integrations.access_tokens import TablePbxTokens
from hangtag.store.integrations.integrations import Integration, load_secret
from hangtag.store.integrations.rate_limits import TableLimiter
from hangtag.store.office.tenants import load_tenant

__all__ = ["Pbx", "causes", "hosts", "in_words", "open_pbx", "said", "webhook_url"]

DEFAULT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Pbx:
    """A PBX that can be asked. Each method raises ConflictError if this PBX can't, and what the door raises:

    BadInputError (refused, in words for the admin), UnreachableError, TooManyError, and botocore's errors.
    """

    account: Account = field(repr=False)
    door: RateLimitedClient = field(repr=False)

    def can(self, ability: str) -> bool:
        """Whether this PBX has that of `hangtag.providers.ABILITIES`."""
        return optional(self.account.provider, ability) is not None

    def originate(self, click: Click) -> PlacedCall:
        """Ring the employee, then the contact."""
        placed: PlacedCall = self._function("originate")(self.account, click, self.door)
        return placed

    def recording(self, reference: str) -> Media:
        """Where to fetch what an event named."""
        media: Media = self._function("recording")(self.account, reference, self.door)
        return media

    def history(self, since: datetime, until: datetime) -> Iterator[CallEvent]:
        """The calls that began in that time, as events."""
        told: Iterator[CallEvent] = self._function("history")(self.account, since, until, self.door)
        return told

    def extensions(self) -> tuple[KnownExtension, ...]:
        """Those that the PBX knows."""
        known: tuple[KnownExtension, ...] = self._function("extensions")(self.account, self.door)
        return known

    def ping(self) -> Check:
        """Whether it is there, and knows us."""
        found: Check = self._function("ping")(self.account, self.door)
        return found

    def set_up(self, url: str, secrets: Mapping[str, str]) -> Check:
        """Tell the PBX the webhook's address and the secrets that were made for it."""
        told: Check = self._function("set_up")(replace(self.account, webhook_url=url), secrets, self.door)
        return told

    def look_after(self) -> Check:
        """See to it that the PBX still posts to the webhook."""
        found: Check = self._function("look_after")(self.account, self.door)
        return found

    def _function(self, ability: str) -> Any:
        function = optional(self.account.provider, ability)
        if function is None:
            raise ConflictError(f"this PBX can't do that: {ability}")
        return function


def open_pbx(tenant_id: str, integration: Integration, *, seconds: float = DEFAULT_SECONDS) -> Pbx:
    """The PBX of an integration; all that it is asked has `seconds` together.

    Raises NotFoundError and botocore's errors.
    """
    tenant = load_tenant(tenant_id)
    kept = load_secret(tenant_id, integration.id)
    account = Account(
        provider=integration.provider,
        credentials={**kept.credentials, **kept.generated},
        settings=integration.settings,
        country=tenant.country,
        time_zone=tenant.time_zone,
        webhook_url=webhook_url(integration.provider, kept.hook_token) if kept.hook_token else "",
    )
    door = RateLimitedClient(
        limiter=TableLimiter(tenant_id, integration.id),
        tokens=TablePbxTokens(tenant_id, integration.id),
        limits=optional(integration.provider, "LIMITS") or {},
        hosts=hosts(integration.provider),
        seconds=seconds,
    )
    return Pbx(account, door)


def hosts(provider: str) -> tuple[str, ...]:
    """The domains that a provider's REST API lives on; empty where the admin types an address."""
    found: tuple[str, ...] = optional(provider, "HOSTS") or ()
    return found


def webhook_url(provider: str, token: str) -> str:
    """The address that a PBX posts to."""
    path = f"/tel/api/{token}" if provider == "telephony_api" else f"/hooks/{provider}/{token}"
    return runtime.settings().public_url.rstrip("/") + path


def said(ask: Callable[[], Check], what: str) -> Check:
    """What a PBX said; if it was not reached, or refused, why in words for the admin."""
    try:
        return ask()
    except (BadInputError, UnreachableError, TooManyError) as error:
        return Check(what, False, in_words(error))


def in_words(error: HangtagError) -> str:
    """Why a PBX was not reached."""
    found = causes(error)
    if any(isinstance(cause, socket.gaierror) for cause in found):
        return "its name does not resolve: is it typed rightly?"
    for cause in found:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid (TLS): {cause.verify_message}"
    if any(isinstance(cause, ssl.SSLError) for cause in found):
        return "it makes no secure connection (TLS) at this port"
    if any(isinstance(cause, TimeoutError) for cause in found):
        return "it did not answer in time"
    if isinstance(error, UnreachableError) and error.__cause__ is not None:
        return "nothing answers there: is the port right, and does a firewall let us through?"
    return error.message


def causes(error: BaseException) -> list[BaseException]:
    """An error and all that led to it."""
    return list(_causes(error, set()))


def _causes(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    """An error and all that led to it; libraries hide it as a cause, as a context or as an argument."""
    if id(error) in seen:
        return
    seen.add(id(error))
    yield error
    for other in (error.__cause__, error.__context__, getattr(error, "reason", None), *error.args):
        if isinstance(other, BaseException):
            yield from _causes(other, seen)
