"""FreePBX's webhook: JSON requests here, forms in the telephony API."""

import json
from collections.abc import Mapping
from typing import Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import (
    OfficeLookups,
    ParseResult,
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
    WebhookResponse,
)
from hangtag.providers.reading import is_json, is_one_of, json_object, need, text
from hangtag.providers.telephony_api import webhook as telephony_api
from hangtag.providers.telephony_api.webhook import SECRET

__all__ = ["parse", "verify"]

_MAX_NUMBER = 64
_MAX_EXTENSION = 32
_NOT_FOUND = WebhookResponse(200, json.dumps({"error": "no persons responsible"}))


def verify(request: WebhookRequest, keys: VerificationKeys) -> None:
    """Check planfix_token: always in a form, in a JSON request only if it contains one.

    Only the secret address protects JSON requests without a token.
    """
    if not _is_own(request):
        telephony_api.verify(request, keys)
        return
    payload, hashes = json_object(request), [value for value in keys.hashes.get(SECRET, ()) if value]
    token = payload.get(SECRET)
    if not hashes or (SECRET in payload and not (isinstance(token, str) and is_one_of(token, hashes))):
        raise SignatureError(
            "The planfix_token is wrong.", WebhookResponse(401, json.dumps({"error": "Invalid token"}))
        )


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
    """Return the events of one request in either format."""
    if not _is_own(request):
        return telephony_api.parse(request)
    payload = json_object(request)
    name = need(payload, "event")
    if name == "callInfoRespNum":
        return _responsible(payload)
    if name == "callMissedNotify":
        missed = _missed(payload, request)
        return ParseResult((missed,) if settings.get("missed_by_request") is True else ())
    return ParseResult(unknown=True)


def _is_own(request: WebhookRequest) -> bool:
    """Return whether the body is JSON, even if its content type is not: a form never begins with a brace."""
    return is_json(request) or request.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def _responsible(payload: Mapping[str, Any]) -> ParseResult:
    """Return the responsible extension, unless it rings already or the caller is withheld."""
    if "extNum" not in payload:
        raise PayloadError("Field extNum is missing.")
    caller, called = text(payload, "extNum", _MAX_NUMBER), text(payload, "intNum", _MAX_EXTENSION)

    def respond(office: OfficeLookups) -> WebhookResponse:
        card = office.contact(caller) if caller else None
        if card is None or not card.responsible or card.responsible == called:
            return _NOT_FOUND
        return WebhookResponse(200, json.dumps({"responsibleNumbers": [card.responsible]}))

    return ParseResult(reply=_NOT_FOUND, respond=respond)


def _missed(payload: Mapping[str, Any], request: WebhookRequest) -> CallEvent:
    """Return the end of the extension's leg. `uniqueId` is the `callid` of the forms."""
    extension = text(payload, "intNum", _MAX_EXTENSION)
    return CallEvent(
        call_id=need(payload, "uniqueId"),
        kind=Kind.ENDED,
        at=request.arrived_at,
        at_is_arrival=True,
        leg=extension,
        direction=Direction.IN,
        external=text(payload, "extNum", _MAX_NUMBER),
        extension=extension or None,
        outcome=Outcome.MISSED,
    )
