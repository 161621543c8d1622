"""Webhook requests of the telephony API: verified, then parsed. A rejection is returned."""

from collections.abc import Mapping

from hangtag.providers.base import ParseResult, VerificationKeys, WebhookRejectedError, WebhookRequest
from hangtag.providers.telephony_api.webhook import parse, verify

__all__ = ["WebhookRejectedError", "receive"]


def receive(request: WebhookRequest, hashes: Mapping[str, tuple[str, ...]]) -> ParseResult | WebhookRejectedError:
    """Return the parse result, or the rejection."""
    try:
        verify(request, VerificationKeys(hashes=hashes))
        return parse(request)
    except WebhookRejectedError as rejection:
        return rejection
