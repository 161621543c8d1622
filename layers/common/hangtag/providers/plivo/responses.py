"""Plivo XML: the response to a callback."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from hangtag.providers.base import WebhookResponse
from hangtag.providers.call_control import records_calls

RING_SECONDS = 60
_TYPE = "application/xml"
EMPTY = WebhookResponse(200, "<Response/>", _TYPE)


def sip_address(extension: str, settings: Mapping[str, Any]) -> str:
    """Return the SIP address of a phone; the account's own phones are registered at phone.plivo.com."""
    return f"sip:{extension}@{settings.get('sip_domain') or 'phone.plivo.com'}"


def users(extensions: Iterable[str], settings: Mapping[str, Any]) -> str:
    """Return the elements that dial these extensions in parallel."""
    return "".join(f"<User>{sip_address(extension, settings)}</User>" for extension in extensions)


def dial(
    targets: str, caller_id: str, url: str, hints: Mapping[str, str], settings: Mapping[str, Any]
) -> WebhookResponse:
    """Return XML that dials the targets, with the hints in the callback's address; `EMPTY` without targets."""
    from html import escape

    if not targets:
        return EMPTY
    callback = escape(f"{url}?{urlencode({name: value for name, value in hints.items() if value})}")
    caller = f' callerId="{caller_id}"' if caller_id else ""
    record = ""
    if records_calls(settings):
        record = (
            f'<Record recordSession="true" redirect="false" maxLength="14400" callbackUrl="{callback}" '
            'callbackMethod="POST"/>'
        )
    return WebhookResponse(
        200,
        f'<Response>{record}<Dial{caller} timeout="{RING_SECONDS}" callbackUrl="{callback}" callbackMethod="POST">'
        f"{targets}</Dial></Response>",
        _TYPE,
    )
