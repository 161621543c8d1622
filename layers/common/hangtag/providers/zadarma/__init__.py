"""Zadarma, and Novofon as its preset: webhook forms named NOTIFY_…, signed over two or three of their fields.

Fields, signatures and REST calls follow Zadarma's own PHP and Python clients (zadarma/user-api-v1, user-api-py-v1) and
its OpenAPI file (zadarma/openapi). Where its prose differs from the clients, the clients are right.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hangtag.providers.base import (
    Account,
    Check,
    Click,
    KnownExtension,
    Media,
    ParseResult,
    PbxClient,
    PlacedCall,
    Provider,
    VerificationKeys,
    WebhookRequest,
    WebhookResponse,
)

if TYPE_CHECKING:
    from hangtag.domain.calls.event import CallEvent

__all__ = ["Zadarma"]


class Zadarma(Provider):
    """Zadarma and Novofon."""

    key = "zadarma"
    aliases = ("novofon",)
    hosts = ("zadarma.com", "novofon.com")
    media_hosts = hosts
    # 40 seconds after the end of the call, as in the vendor's PHP client.
    recording_delay = timedelta(seconds=40)
    originate_credentials = ("api_key",)
    rate_limits = {"": (100, 60), "statistics": (3, 60)}

    def handshake(self, request: WebhookRequest) -> WebhookResponse | None:
        """Return the value of `zd_echo`, which the PBX requests before it uses an address."""
        from hangtag.providers.zadarma import webhook

        return webhook.handshake(request)

    def verify(self, request: WebhookRequest, keys: VerificationKeys) -> None:
        """Check the header Signature."""
        from hangtag.providers.zadarma import webhook

        webhook.verify(request, keys)

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """Parse one notification."""
        from hangtag.providers.zadarma import webhook

        return webhook.parse(request, settings)

    def originate(self, account: Account, click: Click, client: PbxClient) -> PlacedCall:
        """Request a callback, which rings the extension first."""
        from hangtag.providers.zadarma import api

        return api.originate(account, click, client)

    def recording(self, account: Account, reference: str, client: PbxClient) -> Media:
        """Request a link to the recording, valid for an hour."""
        from hangtag.providers.zadarma import api

        return api.recording(account, reference, client)

    def history(self, account: Account, since: datetime, until: datetime, client: PbxClient) -> "Iterator[CallEvent]":
        """Read the PBX's statistics."""
        from hangtag.providers.zadarma import history

        return history.history(account, since, until, client)

    def extensions(self, account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
        """List the internal numbers."""
        from hangtag.providers.zadarma import api

        return api.extensions(account, client)

    def ping(self, account: Account, client: PbxClient) -> Check:
        """List the internal numbers, which checks key and secret."""
        from hangtag.providers.zadarma import api

        return api.ping(account, client)

    def setup(self, account: Account, secrets: Mapping[str, str], client: PbxClient) -> Check:
        """Enter the webhook's address and enable the notifications."""
        from hangtag.providers.zadarma import api

        return api.setup(account, client)
