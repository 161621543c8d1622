"""Ringostat."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from hangtag.domain.calls.event import CallEvent
from hangtag.providers.base import (
    Account,
    Check,
    Click,
    Media,
    ParseResult,
    PbxClient,
    PlacedCall,
    Provider,
    VerificationKeys,
    WebhookRequest,
)

__all__ = ["Ringostat"]


class Ringostat(Provider):
    """Ringostat: webhooks whose parameters the admin chooses, from the list in the set-up steps.

    Webhooks are not signed, and a failed one is not sent again: the webhook's address is the only secret, and the call
    log fills the gaps.
    """

    key = "ringostat"
    hosts = ("ringostat.net", "ringostat.com")
    # Webhook requests are unauthenticated, so recordings are only downloaded from Ringostat's own hosts.
    media_hosts = hosts
    originate_credentials = ("auth_key",)
    # The vendor documents no limit.
    rate_limits: ClassVar[Mapping[str, tuple[int, float]]] = {"": (60, 60)}

    def verify(self, request: WebhookRequest, keys: VerificationKeys) -> None:
        """Accept every request: Ringostat signs none of them."""

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """Return the event of one webhook request."""
        from hangtag.providers.ringostat import webhook

        return webhook.parse(request, settings)

    def originate(self, account: Account, click: Click, client: PbxClient) -> PlacedCall:
        """Request a simple callback, which rings the employee first."""
        from hangtag.providers.ringostat import api

        return api.originate(account, click, client)

    def recording(self, account: Account, reference: str, client: PbxClient) -> Media:
        """Return the address that the webhook or the call log contained; it needs no key."""
        return Media(reference)

    def history(self, account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
        """Yield the events of the calls in the call log."""
        from hangtag.providers.ringostat import history

        return history.history(account, since, until, client)

    def ping(self, account: Account, client: PbxClient) -> Check:
        """Check the key by listing the SIP accounts that are online."""
        from hangtag.providers.ringostat import api

        return api.ping(account, client)
