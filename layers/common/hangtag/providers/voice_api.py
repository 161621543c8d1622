"""The base class of the voice APIs: Twilio, Telnyx, Vonage and Plivo. The webhook imports it."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any, cast

from hangtag.domain.calls.event import CallEvent, PickUp
from hangtag.providers import base
from hangtag.providers.base import Account, PbxClient, Provider

__all__ = ["VoiceApiProvider"]


class VoiceApiProvider(Provider):
    """A voice API. Each method calls the function of its name in the module `webhook` or `api` of the package.

    A module is imported by the first call. A subclass adds the capabilities that some voice APIs lack.
    """

    # A recording is reported once it is ready.
    recording_delay = timedelta(0)
    pick_up = PickUp.TOLD

    @classmethod
    def module(cls, name: str) -> Provider:
        """Return a module of the package. Its functions have the signatures of the methods of the same names."""
        return cast("Provider", import_module(f"hangtag.providers.{cls.key}.{name}"))

    def verify(self, request: base.WebhookRequest, keys: base.VerificationKeys) -> None:
        """Verify the signature."""
        self.module("webhook").verify(request, keys)

    def parse(self, request: base.WebhookRequest, settings: Mapping[str, Any]) -> base.ParseResult:
        """Return the events of one webhook request, and the response that controls the call."""
        return self.module("webhook").parse(request, settings)

    def originate(self, account: Account, click: base.Click, client: PbxClient) -> base.PlacedCall:
        """Ring the employee's phone; when it is picked up, the contact is called."""
        return self.module("api").originate(account, click, client)

    def recording(self, account: Account, reference: str, client: PbxClient) -> base.Media:
        """Return the address of the recording, with the headers that the vendor requires."""
        return self.module("api").recording(account, reference, client)

    def history(self, account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
        """Yield the events of the calls that began in the period, and of their recordings if the vendor lists them."""
        return self.module("api").history(account, since, until, client)

    def ping(self, account: Account, client: PbxClient) -> base.Check:
        """Check the credentials."""
        return self.module("api").ping(account, client)
