"""The telephony API as the webhook asks it: verified, then parsed; a refusal is given back."""

from collections.abc import Mapping

from hangtag.providers.base import ParseResult, VerificationKeys, WebhookRejectedError, WebhookRequest
from hangtag.providers.telephony_api.webhook import parse, verify

__all__ = ["WebhookRejectedError", "receive"]


def receive(request: WebhookRequest, hashes: Mapping[str, tuple[str, ...]]) -> ParseResult | WebhookRejectedError:
    try:
        verify(request, VerificationKeys(hashes=hashes))
        return parse(request)
    except WebhookRejectedError as refused:
        return refused
