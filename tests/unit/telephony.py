"""The telephony API as the webhook asks it: verified, then parsed; a refusal is given back."""

from collections.abc import Mapping

from hangtag.providers.base import Accepted, RefusedError, Trust, WebhookRequest
from hangtag.providers.telephony_api import parse, verify

__all__ = ["RefusedError", "receive"]


def receive(request: WebhookRequest, hashes: Mapping[str, tuple[str, ...]]) -> Accepted | RefusedError:
    try:
        verify(request, Trust(hashes=hashes))
        return parse(request, {})
    except RefusedError as refused:
        return refused
