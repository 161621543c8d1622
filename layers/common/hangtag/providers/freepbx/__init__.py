"""FreePBX: the telephony API's forms, and two JSON requests of its own.

`callInfoRespNum` requests the employee responsible for a caller, `callMissedNotify` reports a missed call. Both follow
Planfix's help page on FreePBX; call events are forms of the telephony API.
"""

from collections.abc import Mapping
from typing import Any

from hangtag.providers.base import ParseResult, VerificationKeys, WebhookRequest
from hangtag.providers.telephony_api import TelephonyApi

__all__ = ["FreePbx"]


class FreePbx(TelephonyApi):
    """FreePBX."""

    key = "freepbx"

    def verify(self, request: WebhookRequest, keys: VerificationKeys) -> None:
        """Check the token; JSON requests do not need one."""
        from hangtag.providers.freepbx import webhook

        webhook.verify(request, keys)

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """Parse one request in either format."""
        from hangtag.providers.freepbx import webhook

        return webhook.parse(request, settings)
