"""Vonage's Voice API: calls as legs, reported by signed webhooks and by a list of calls. Clicks dial with an NCCO."""

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

__all__ = ["Vonage"]


class Vonage(Provider):
    """Vonage's Voice API."""

    key = "vonage"
    hosts = ("nexmo.com", "vonage.com")
    media_hosts = hosts
    # A new account places three calls a second.
    limits: ClassVar[Mapping[str, Limit]] = {"calls": Limit(3, 1)}
    # A recording is reported once it is ready.
    recording_delay = timedelta(0)
    originate_credentials = ("application_id", "private_key")
    pick_up = PickUp.TOLD

    def verify(self, request: WebhookRequest, keys: VerificationKeys) -> None:
        """Verify the token over the hash of the body, and its claims."""
        from hangtag.providers.vonage import webhook_token

        webhook_token.verify(request, keys)

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """Return the events of one webhook, or the NCCO for an incoming call."""
        from hangtag.providers.vonage import webhook

        return webhook.parse(request, settings)

    def originate(self, account: Account, click: Click, client: PbxClient) -> PlacedCall:
        """Ring the employee's phone; when it is picked up, the NCCO connects the contact."""
        from hangtag.providers.vonage import api

        return api.originate(account, click, client)

    def recording(self, account: Account, reference: str, client: PbxClient) -> Media:
        """Return the address of the recording, with a token of the application."""
        from hangtag.providers.vonage import api

        return api.recording(account, reference)

    def history(self, account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
        """Yield the ends of all legs of the calls that began in the period. Recordings are in no list."""
        from hangtag.providers.vonage import history

        return history.history(account, since, until, client)

    def ping(self, account: Account, client: PbxClient) -> Check:
        """Check the application's key."""
        from hangtag.providers.vonage import api

        return api.ping(account, client)
