"""Hangtag's own telephony API, wire-compatible with Planfix's: docs/telephony-api.md.

Commands, parameters, responses and error bodies follow Planfix's help page on its telephony API. `start`, `event_id`,
`final`, and TRANSFERRED with `second_callid` are compatible extensions.
"""

from collections.abc import Mapping
from typing import Any

from hangtag.domain.calls.event import PickUp
from hangtag.providers.base import (
    Account,
    Check,
    Click,
    ParseResult,
    PbxClient,
    PlacedCall,
    Provider,
    VerificationKeys,
    WebhookRequest,
)

__all__ = ["TelephonyApi"]


class TelephonyApi(Provider):
    """The telephony API."""

    key = "telephony_api"
    pick_up = PickUp.ACCEPTED
    originate_credentials = ("pbx_url",)

    def verify(self, request: WebhookRequest, keys: VerificationKeys) -> None:
        """Check the token in the body."""
        from hangtag.providers.telephony_api import webhook

        webhook.verify(request, keys)

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """Parse one command."""
        from hangtag.providers.telephony_api import webhook

        return webhook.parse(request)

    def originate(self, account: Account, click: Click, client: PbxClient) -> PlacedCall:
        """Send makeCall."""
        from hangtag.providers.telephony_api import api

        return api.originate(account, click, client)

    def ping(self, account: Account, client: PbxClient) -> Check:
        """Check that the PBX accepts its key."""
        from hangtag.providers.telephony_api import api

        return api.ping(account, client)

    def setup(self, account: Account, secrets: Mapping[str, str], client: PbxClient) -> Check:
        """Send the command `setup`."""
        from hangtag.providers.telephony_api import api

        return api.setup(account, secrets, client)
