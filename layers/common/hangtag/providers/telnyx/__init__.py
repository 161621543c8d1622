"""Telnyx, Call Control v2: calls as legs, reported by signed webhooks. Hangtag places both legs of a click.

A click takes two steps. `originate` rings the employee; `next_step` recognises the webhook that reports the pick-up, or
the end of the contact's leg, and `connect` calls the contact, or hangs up the employee's leg.
"""

from hangtag.providers.base import Account, KnownExtension, NextStep, PbxClient, PlacedCall, WebhookRequest
from hangtag.providers.voice_api import VoiceApiProvider

__all__ = ["Telnyx"]


class Telnyx(VoiceApiProvider):
    """Telnyx's Call Control API."""

    key = "telnyx"
    hosts = ("telnyx.com",)
    # Recordings have signed addresses of S3, valid for ten minutes.
    media_hosts = ("telnyx.com", "amazonaws.com")
    originate_credentials = ("api_key", "connection_id")

    def next_step(self, request: WebhookRequest) -> NextStep | None:
        """Return the call to the contact, or the hang-up of the employee, that a webhook triggers."""
        return self.module("webhook").next_step(request)

    def connect(self, account: Account, step: NextStep, client: PbxClient) -> PlacedCall:
        """Call the contact, or hang up the employee's leg."""
        return self.module("api").connect(account, step, client)

    def extensions(self, account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
        """Return the user names of SIP connections and of their credentials."""
        return self.module("api").extensions(account, client)
