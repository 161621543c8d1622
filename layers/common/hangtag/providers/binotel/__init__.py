"""Binotel."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from hangtag.domain.calls.event import CallEvent
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

__all__ = ["Binotel"]


class Binotel(Provider):
    """Binotel: unsigned requests, posted from published IP addresses."""

    key = "binotel"
    hosts = ("binotel.com", "binotel.ua")
    originate_credentials = ("key", "secret")
    # The vendor documents no limit.
    rate_limits: ClassVar[Mapping[str, tuple[int, float]]] = {"": (60, 60)}

    def verify(self, request: WebhookRequest, keys: VerificationKeys) -> None:
        """Verify the sender's IP address and the company's id."""
        from hangtag.providers.binotel import webhook

        webhook.verify(request, keys)

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """Return the events of one request, or the response to a caller lookup."""
        from hangtag.providers.binotel import webhook

        return webhook.parse(request)

    def originate(self, account: Account, click: Click, client: PbxClient) -> PlacedCall:
        """Place a call, which rings the employee's internal line first."""
        from hangtag.providers.binotel import api

        return api.originate(account, click, client)

    def recording(self, account: Account, reference: str, client: PbxClient) -> Media:
        """Return a link to a recording, valid for fifteen minutes."""
        from hangtag.providers.binotel import api

        return api.recording(account, reference, client)

    def history(self, account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
        """Yield the events of the calls in the history."""
        from hangtag.providers.binotel import history

        return history.history(account, since, until, client)

    def extensions(self, account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
        """Return the employees that have an internal number."""
        from hangtag.providers.binotel import api

        return api.extensions(account, client)

    def ping(self, account: Account, client: PbxClient) -> Check:
        """Check key and secret by listing the employees."""
        from hangtag.providers.binotel import api

        return api.ping(account, client)
