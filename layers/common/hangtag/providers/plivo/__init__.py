"""Plivo: calls as legs, reported by signed callbacks and by a list of calls. Hangtag's XML answers and dials."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hangtag.domain.calls.event import CallEvent, PickUp
from hangtag.limits import Limit
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

__all__ = ["Plivo"]


class Plivo(Provider):
    """Plivo's Voice API."""

    key = "plivo"
    hosts = ("plivo.com",)
    media_hosts = hosts
    # Limits of a new account (plivo.com/docs/voice/concepts/account-limits).
    limits: ClassVar[Mapping[str, Limit]] = {"": Limit(300, 5), "calls": Limit(2, 1)}
    # A recording is reported once it is ready.
    recording_delay = timedelta(0)
    pick_up = PickUp.TOLD

    def verify(self, request: WebhookRequest, keys: VerificationKeys) -> None:
        """Verify the signature over the address, the form and the nonce."""
        from hangtag.providers.plivo import webhook

        webhook.verify(request, keys)

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """Return the events of one callback, and the XML that answers a call."""
        from hangtag.providers.plivo import webhook

        return webhook.parse(request, settings)

    def originate(self, account: Account, click: Click, client: PbxClient) -> PlacedCall:
        """Ring the employee's phone; when it is picked up, the XML dials the contact."""
        from hangtag.providers.plivo import api

        return api.originate(account, click, client)

    def recording(self, account: Account, reference: str, client: PbxClient) -> Media:
        """Return the address of the recording, with the account's credentials."""
        from hangtag.providers.plivo import api

        return api.recording(account, reference)

    def history(self, account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
        """Yield the ends of all legs of the calls that began in the period, and their recordings."""
        from hangtag.providers.plivo import history

        return history.history(account, since, until, client)

    def extensions(self, account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
        """Return the endpoints, by the user names of their SIP addresses."""
        from hangtag.providers.plivo import api

        return api.extensions(account, client)

    def ping(self, account: Account, client: PbxClient) -> Check:
        """Check the Auth ID and the Auth Token."""
        from hangtag.providers.plivo import api

        return api.ping(account, client)
