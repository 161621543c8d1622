"""NCCOs, Vonage's call control objects: the response to the answer webhook, and the second half of a click."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from hangtag.providers.base import OfficeLookups, ParseResult, WebhookRequest, WebhookResponse
from hangtag.providers.call_control import caller_id, is_extension, nonzero_digits, records_calls, ring_list
from hangtag.providers.reading import need, text

RING_SECONDS = 30
_NOBODY = "Nobody can take your call now. Please call again later."
_NOT_DIALLED = "This number can't be called. Please ask your administrator."


def connect_caller(request: WebhookRequest, fields: Mapping[str, Any], settings: Mapping[str, Any]) -> ParseResult:
    """Return an NCCO that rings the contact's responsible employee, followed by the extensions of the setting `ring`.

    A user of the vendor's apps who calls is connected to the contact instead. Raises PayloadError.
    """
    need(fields, "uuid")
    need(fields, "conversation_uuid")
    url, called = request.url.partition("?")[0], nonzero_digits(text(fields, "to"))
    user = text(fields, "from_user", 64)
    if user:
        line = caller_id(settings)
        connects = [connect_contact(url, user, called, line)] if called and line else []
        return ParseResult(reply=_response(recorded(settings, url, connects) or [_talk(_NOT_DIALLED)]))
    number, extensions = nonzero_digits(text(fields, "from")), ring_list(settings.get("ring"))

    def respond(office: OfficeLookups) -> WebhookResponse:
        card = office.contact(f"+{number}") if number else None
        first = [card.responsible] if card is not None and card.responsible else []
        return _ring(settings, url, called, [*first, *(entry for entry in extensions if entry not in first)])

    return ParseResult(reply=_ring(settings, url, called, extensions), respond=respond)


def _ring(settings: Mapping[str, Any], url: str, line: str, extensions: Sequence[str]) -> WebhookResponse:
    """Return an NCCO that rings one extension after another: it continues if an extension does not answer."""
    connects = [
        {
            "action": "connect",
            **({"from": line} if line else {}),
            "timeout": RING_SECONDS,
            "eventUrl": [f"{url}?{urlencode({'direction': 'in', 'line': line, 'extension': extension})}"],
            "endpoint": [phone],
        }
        for extension in extensions
        if (phone := endpoint(settings, extension)) is not None
    ]
    return _response([*recorded(settings, url, connects), _talk(_NOBODY)])


def connect_contact(url: str, extension: str, number: str, line: str) -> dict[str, Any]:
    """Return the action that calls the contact, and has its leg reported as part of that extension's call."""
    hints = {"direction": "out", "leg": "contact", "extension": extension, "line": line}
    return {
        "action": "connect",
        "from": line,
        "timeout": RING_SECONDS * 2,
        "eventUrl": [f"{url}?{urlencode(hints)}"],
        "endpoint": [{"type": "phone", "number": number}],
    }


def recorded(settings: Mapping[str, Any], url: str, connects: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the actions, preceded by a recording if there are any and the setting is on."""
    record = {"action": "record", "format": "mp3", "split": "conversation", "channels": 2, "eventUrl": [url]}
    return [record, *connects] if connects and records_calls(settings) else [*connects]


def endpoint(settings: Mapping[str, Any], extension: str) -> dict[str, str] | None:
    """Return the employee's endpoint, at the SIP domain or in the vendor's apps; None if the extension is invalid."""
    if not is_extension(extension):
        return None
    domain = str(settings.get("sip_domain") or "")
    return {"type": "sip", "uri": f"sip:{extension}@{domain}"} if domain else {"type": "app", "user": extension}


def _talk(sentence: str) -> dict[str, Any]:
    return {"action": "talk", "text": sentence}


def _response(actions: Sequence[Mapping[str, Any]]) -> WebhookResponse:
    return WebhookResponse(200, json.dumps(actions))
