"""Telnyx, Call Control v2: calls as legs, reported by signed webhooks. Hangtag places both legs of a click.

A click takes two steps. `originate` rings the employee; `next_step` recognises the webhook that reports the pick-up, or
the end of the contact's leg, and `connect` calls the contact, or hangs up the employee's leg.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from hangtag.domain.calls.event import CallEvent, PickUp
from hangtag.providers.base import (
    Account,
    Check,
    Click,
    KnownExtension,
    Media,
    NextStep,
    ParseResult,
    PbxClient,
    PlacedCall,
    Provider,
    VerificationKeys,
    WebhookRequest,
)

__all__ = ["Telnyx"]


class Telnyx(Provider):
    """Telnyx's Call Control API."""

    key = "telnyx"
    hosts = ("telnyx.com",)
    # Recordings have signed addresses of S3, valid for ten minutes.
    media_hosts = ("telnyx.com", "amazonaws.com")
    recording_delay = timedelta(0)
    originate_credentials = ("api_key", "connection_id")
    pick_up = PickUp.TOLD

    def verify(self, request: WebhookRequest, keys: VerificationKeys) -> None:
        """Verify the Ed25519 signature over the time and the body."""
        from hangtag.providers.telnyx import webhook

        webhook.verify(request, keys)

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """Return the events of one webhook; `settings` contain the account's own numbers."""
        from hangtag.providers.telnyx import webhook

        return webhook.parse(request, settings)

    def next_step(self, request: WebhookRequest) -> NextStep | None:
        """Return the call to the contact, or the hang-up of the employee, that a webhook triggers."""
        from hangtag.providers.telnyx import webhook

        return webhook.next_step(request)

    def connect(self, account: Account, step: NextStep, client: PbxClient) -> PlacedCall:
        """Call the contact, or hang up the employee's leg."""
        from hangtag.providers.telnyx import api

        return api.connect(account, step, client)

    def originate(self, account: Account, click: Click, client: PbxClient) -> PlacedCall:
        """Ring the employee's phone."""
        from hangtag.providers.telnyx import api

        return api.originate(account, click, client)

    def recording(self, account: Account, reference: str, client: PbxClient) -> Media:
        """Return a new address of the recording, valid for some minutes."""
        from hangtag.providers.telnyx import api

        return api.recording(account, reference, client)

    def history(self, account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
        """Yield the events of the webhooks of the calls that began in the period, and of their recordings."""
        from hangtag.providers.telnyx import history

        return history.history(account, since, until, client)

    def extensions(self, account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
        """Return the user names of SIP connections and of their credentials."""
        from hangtag.providers.telnyx import api

        return api.extensions(account, client)

    def ping(self, account: Account, client: PbxClient) -> Check:
        """Check the API key and the application."""
        from hangtag.providers.telnyx import api

        return api.ping(account, client)
