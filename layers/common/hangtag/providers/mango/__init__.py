"""Mango Office virtual PBX."""

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
)

__all__ = ["Mango"]


class Mango(Provider):
    """Mango Office: signed forms that contain JSON, in both directions."""

    key = "mango"
    hosts = ("mango-office.ru",)
    media_hosts = hosts
    # The vendor's table, except for `result`: the interval at which statistics are polled.
    rate_limits: ClassVar[Mapping[str, tuple[int, float]]] = {
        "": (10, 1),
        "callback": (4, 1),
        "recording": (10, 1),
        "stats": (1, 2),
        "users": (1, 2),
        "result": (1, 2),
    }
    # A recording is not available at once, and a request that comes too early counts as a wrong one.
    recording_delay = timedelta(seconds=60)
    originate_credentials = ("vpbx_api_key", "vpbx_api_salt")
    pick_up = PickUp.TOLD

    def verify(self, request: WebhookRequest, keys: VerificationKeys) -> None:
        """Verify the account's key and the signature of the JSON."""
        from hangtag.providers.mango import webhook

        webhook.verify(request, keys)

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """Return the events of one notification."""
        from hangtag.providers.mango import webhook

        return webhook.parse(request)

    def originate(self, account: Account, click: Click, client: PbxClient) -> PlacedCall:
        """Request a callback, which rings the employee first."""
        from hangtag.providers.mango import api

        return api.originate(account, click, client)

    def recording(self, account: Account, reference: str, client: PbxClient) -> Media:
        """Return the one-time download address of a recording."""
        from hangtag.providers.mango import api

        return api.recording(account, reference, client)

    def history(self, account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
        """Yield the events of the calls in the extended statistics."""
        from hangtag.providers.mango import history

        return history.history(account, since, until, client)

    def extensions(self, account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
        """Return the employees that have a short number."""
        from hangtag.providers.mango import api

        return api.extensions(account, client)

    def ping(self, account: Account, client: PbxClient) -> Check:
        """Check the API key and salt by listing the employees."""
        from hangtag.providers.mango import api

        return api.ping(account, client)
