"""RingCentral."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hangtag.domain.calls.event import CallEvent, PickUp
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

__all__ = ["RingCentral"]


class RingCentral(Provider):
    """RingCentral: notifications of a subscription that Hangtag creates and renews."""

    key = "ringcentral"
    hosts = ("ringcentral.com",)
    media_hosts = hosts
    # Requests per minute and user, by the vendor's usage groups.
    rate_limits: ClassVar[Mapping[str, tuple[int, float]]] = {
        "heavy": (10, 60),
        "medium": (40, 60),
        "light": (50, 60),
        "auth": (5, 60),
    }
    # The call log contains a recording at most half a minute after the call.
    recording_delay = timedelta(seconds=60)
    pick_up = PickUp.TOLD

    def handshake(self, request: WebhookRequest) -> WebhookResponse | None:
        """Return the response to the request that validates a new subscription's address."""
        from hangtag.providers.ringcentral import webhook

        return webhook.handshake(request)

    def verify(self, request: WebhookRequest, keys: VerificationKeys) -> None:
        """Verify the token that the subscription was created with."""
        from hangtag.providers.ringcentral import webhook

        webhook.verify(request, keys)

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """Return the events of one notification."""
        from hangtag.providers.ringcentral import webhook

        return webhook.parse(request, settings)

    def originate(self, account: Account, click: Click, client: PbxClient) -> PlacedCall:
        """Place a call with RingOut, which rings the employee first."""
        from hangtag.providers.ringcentral import api

        return api.originate(account, click, client)

    def recording(self, account: Account, reference: str, client: PbxClient) -> Media:
        """Return the address of a session's recording, from the call log."""
        from hangtag.providers.ringcentral import history

        return history.recording(account, reference, client)

    def history(self, account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
        """Yield the events of the calls in the call log."""
        from hangtag.providers.ringcentral import history

        return history.history(account, since, until, client)

    def extensions(self, account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
        """Return the users."""
        from hangtag.providers.ringcentral import api

        return api.extensions(account, client)

    def ping(self, account: Account, client: PbxClient) -> Check:
        """Check the credentials, and list the ids missing from the setting `extensions`."""
        from hangtag.providers.ringcentral import api

        return api.ping(account, client)

    def setup(self, account: Account, secrets: Mapping[str, str], client: PbxClient) -> Check:
        """Subscribe to the account's calls."""
        from hangtag.providers.ringcentral import subscription

        return subscription.setup(account, secrets, client)

    def renew_subscription(self, account: Account, client: PbxClient) -> Check:
        """Renew the subscription, or create a new one if it ended."""
        from hangtag.providers.ringcentral import subscription

        return subscription.renew_subscription(account, client)
