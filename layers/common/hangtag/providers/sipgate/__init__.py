"""sipgate.io push: forms signed with sipgate's own RSA key, which it publishes; and its REST API, v2.

Fields, the key and the REST calls follow the vendor's library (sipgateio 2.15.1) and the description of its push API.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
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
)

if TYPE_CHECKING:
    from hangtag.domain.calls.event import CallEvent

__all__ = ["Sipgate"]


class Sipgate(Provider):
    """sipgate."""

    key = "sipgate"
    hosts = ("sipgate.com", "sipgate.de")
    originate_credentials = ("token_id", "token")
    # The vendor documents no limit.
    rate_limits = {"": (60, 60)}

    def verify(self, request: WebhookRequest, keys: VerificationKeys) -> None:
        """Check X-Sipgate-Signature."""
        from hangtag.providers.sipgate import webhook

        webhook.verify(request, keys)

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """Parse one request."""
        from hangtag.providers.sipgate import webhook

        return webhook.parse(request, settings)

    def originate(self, account: Account, click: Click, client: PbxClient) -> PlacedCall:
        """Start a session, which rings the employee's device first."""
        from hangtag.providers.sipgate import api

        return api.originate(account, click, client)

    def recording(self, account: Account, reference: str, client: PbxClient) -> Media:
        """Return the address of the history, with the token if sipgate hosts it."""
        from hangtag.providers.sipgate import api

        return api.recording(account, reference)

    def history(self, account: Account, since: datetime, until: datetime, client: PbxClient) -> "Iterator[CallEvent]":
        """Read the history."""
        from hangtag.providers.sipgate import history

        return history.history(account, since, until, client)

    def extensions(self, account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
        """List the users."""
        from hangtag.providers.sipgate import api

        return api.extensions(account, client)

    def ping(self, account: Account, client: PbxClient) -> Check:
        """Read the account, which checks the token."""
        from hangtag.providers.sipgate import api

        return api.ping(account, client)

    def setup(self, account: Account, secrets: Mapping[str, str], client: PbxClient) -> Check:
        """Enter the webhook's address for both directions."""
        from hangtag.providers.sipgate import api

        return api.setup(account, client)
