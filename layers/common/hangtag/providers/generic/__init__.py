"""Hangtag's signed JSON API for a bridge from any PBX: docs/generic.md.

Fields have the names of `CallEvent`. Both directions are signed as in Standard Webhooks
(https://www.standardwebhooks.com): HMAC-SHA256 over "id.timestamp.body". docs/generic-event.schema.json describes
exactly the events that are accepted.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hangtag.domain.calls.event import PickUp
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
)

if TYPE_CHECKING:
    from hangtag.domain.calls.event import CallEvent

__all__ = ["Generic"]


class Generic(Provider):
    """A bridge."""

    key = "generic"
    pick_up = PickUp.TOLD
    originate_credentials = ("bridge_url", "bridge_key")

    def verify(self, request: WebhookRequest, keys: VerificationKeys) -> None:
        """Check the headers of Standard Webhooks."""
        from hangtag.providers.generic import webhook

        webhook.verify(request, keys)

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """Parse one event, or a list of up to fifty."""
        from hangtag.providers.generic import webhook

        return webhook.parse(request)

    def originate(self, account: Account, click: Click, client: PbxClient) -> PlacedCall:
        """Send the command `call`."""
        from hangtag.providers.generic import api

        return api.originate(account, click, client)

    def recording(self, account: Account, reference: str, client: PbxClient) -> Media:
        """Return an event's address, or request one for its reference."""
        from hangtag.providers.generic import api

        return api.recording(account, reference, client)

    def history(self, account: Account, since: datetime, until: datetime, client: PbxClient) -> "Iterator[CallEvent]":
        """Send the command `history`."""
        from hangtag.providers.generic import api

        return api.history(account, since, until, client)

    def extensions(self, account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
        """Send the command `extensions`."""
        from hangtag.providers.generic import api

        return api.extensions(account, client)

    def ping(self, account: Account, client: PbxClient) -> Check:
        """Send the command `ping`."""
        from hangtag.providers.generic import api

        return api.ping(account, client)
