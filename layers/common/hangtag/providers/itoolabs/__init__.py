"""The family of ITooLabs' REST API for CRMs: MegaFon, KCell, Moldcell and other VATS, each a preset.

A VATS posts `cmd=event|history|contact|rating`, as a form or as JSON, always with the CRM's key. Fields follow clients
that customers of its operators published (MikoPBX, megafon-ats); `type` has different meanings in event and history.
There are two REST APIs: the one under /crmapi/v1, and the older one at /sys/crm_api.wcgp.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hangtag.domain.calls.event import PickUp
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

if TYPE_CHECKING:
    from hangtag.domain.calls.event import CallEvent

__all__ = ["ITooLabs"]


class ITooLabs(Provider):
    """A VATS of ITooLabs."""

    key = "itoolabs"
    aliases = (
        "megafon",
        "kcell",
        "moldcell",
        "beeline",
        "gravitel",
        "birlink",
        "vectortel",
        "transtelecom",
        "freedom",
        "sarkor",
        "viva",
        "domru",
    )
    pick_up = PickUp.ACCEPTED
    originate_credentials = ("pbx_url", "api_key")
    # The vendor documents no limit.
    rate_limits = {"": (60, 60)}

    def verify(self, request: WebhookRequest, keys: VerificationKeys) -> None:
        """Check the CRM's key."""
        from hangtag.providers.itoolabs import webhook

        webhook.verify(request, keys)

    def parse(self, request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
        """Parse one command."""
        from hangtag.providers.itoolabs import webhook

        return webhook.parse(request)

    def originate(self, account: Account, click: Click, client: PbxClient) -> PlacedCall:
        """Send makecall, which rings the user first."""
        from hangtag.providers.itoolabs import api

        return api.originate(account, click, client)

    def recording(self, account: Account, reference: str, client: PbxClient) -> Media:
        """Return the link of the history, with the key if the VATS hosts it."""
        from hangtag.providers.itoolabs import api

        return api.recording(account, reference)

    def history(self, account: Account, since: datetime, until: datetime, client: PbxClient) -> "Iterator[CallEvent]":
        """Read the history, as JSON or, from the older API, as CSV."""
        from hangtag.providers.itoolabs import history

        return history.history(account, since, until, client)

    def extensions(self, account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
        """List the users."""
        from hangtag.providers.itoolabs import api

        return api.extensions(account, client)

    def ping(self, account: Account, client: PbxClient) -> Check:
        """List the users, which checks the key."""
        from hangtag.providers.itoolabs import api

        return api.ping(account, client)
