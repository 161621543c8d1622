"""Twilio: calls as legs, reported by signed callbacks and by a list of calls. Clicks dial with inline TwiML."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hangtag.domain.calls.event import CallEvent, PickUp
from hangtag.limits import Limit
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

__all__ = ["Twilio"]


class Twilio(Provider):
    """Twilio's programmable voice."""

    key = "twilio"
    hosts = ("twilio.com",)
    media_hosts = hosts
    # A new account places one call a second.
    limits: ClassVar[Mapping[str, Limit]] = {"calls": Limit(1, 1)}
    # A recording is reported once it is ready.
    recording_delay = timedelta(0)
    pick_up = PickUp.TOLD

    def verify(self, request: WebhookRequest, keys: VerificationKeys) -> None:
        """Verify the signature over the address and the form, and the account."""
        from hangtag.providers.twilio import webhook

        webhook.verify(request, keys)

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """Return the events of one callback."""
        from hangtag.providers.twilio import webhook

        return webhook.parse(request)

    def originate(self, account: Account, click: Click, client: PbxClient) -> PlacedCall:
        """Ring the employee's phone; when it is picked up, TwiML dials the contact."""
        from hangtag.providers.twilio import api

        return api.originate(account, click, client)

    def recording(self, account: Account, reference: str, client: PbxClient) -> Media:
        """Return the address of the recording as MP3, with the account's credentials."""
        from hangtag.providers.twilio import api

        return api.recording(account, reference)

    def history(self, account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
        """Yield the ends of all legs of the calls that began in the period, and their recordings."""
        from hangtag.providers.twilio import history

        return history.history(account, since, until, client)

    def ping(self, account: Account, client: PbxClient) -> Check:
        """Check the Auth Token, the API key, and that the account is active."""
        from hangtag.providers.twilio import api

        return api.ping(account, client)
