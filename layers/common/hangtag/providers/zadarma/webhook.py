"""Zadarma's webhook: the signature, and notifications as events."""

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import (
    ParseResult,
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
    WebhookResponse,
)
from hangtag.providers.reading import flag, form, moment, need, outcome_of, plausible, query, same, text, whole, zone

__all__ = ["handshake", "outcome", "parse", "signature", "verify"]

_LIMITS = {"pbx_call_id": 256, "call_id_with_rec": 256, "caller_id": 64, "called_did": 64, "destination": 64}
_LIMITS |= {"internal": 32, "call_start": 40, "zd_echo": 256}
# The fields whose concatenated values are signed.
_INCOMING = ("caller_id", "called_did", "call_start")
_OUTGOING = ("internal", "destination", "call_start")
_SIGNED = {
    "NOTIFY_START": _INCOMING,
    "NOTIFY_INTERNAL": _INCOMING,
    "NOTIFY_END": _INCOMING,
    "NOTIFY_ANSWER": ("caller_id", "destination", "call_start"),
    "NOTIFY_OUT_START": _OUTGOING,
    "NOTIFY_OUT_END": _OUTGOING,
    "NOTIFY_RECORD": ("pbx_call_id", "call_id_with_rec"),
}


def handshake(request: WebhookRequest) -> WebhookResponse | None:
    """Return `zd_echo` of a GET request as text; None for any other request."""
    if request.method != "GET":
        return None
    try:
        echo = query(request, _LIMITS).get("zd_echo")
    except PayloadError:
        return None
    return WebhookResponse(200, echo, "text/plain; charset=utf-8") if echo is not None else None


def verify(request: WebhookRequest, keys: VerificationKeys) -> None:
    """Check the header Signature, the `signature` of the signed fields."""
    fields = form(request, _LIMITS)
    names = _SIGNED.get(fields.get("event", ""))
    if names is None:
        raise SignatureError("The signed fields of this event are unknown, so it cannot be verified.")
    content = "".join(fields.get(name, "") for name in names)
    valid = [signature(secret, content) for secret in keys.credentials.get("api_secret", ()) if secret]
    if not same(request.headers.get("signature", ""), valid):
        raise SignatureError("The header Signature is missing or wrong. Check that api_secret belongs to this account.")


def signature(secret: str, content: str) -> str:
    """Return base64 of the hexadecimal HMAC-SHA1, as the vendor's clients do."""
    hexadecimal = hmac.digest(_bytes(secret), _bytes(content), "sha1").hex()
    return base64.b64encode(hexadecimal.encode()).decode()


def _bytes(content: str) -> bytes:
    return content.encode("utf-8", "surrogatepass")


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
    """Return the event of one notification."""
    fields = form(request, _LIMITS)
    name = need(fields, "event")
    if name not in _SIGNED:
        return ParseResult(unknown=True)
    if name == "NOTIFY_RECORD":
        return ParseResult((_recorded(fields, request.arrived_at),))
    return ParseResult((_event(name, fields, request.arrived_at, str(settings.get("time_zone", ""))),))


def _event(name: str, fields: Mapping[str, str], arrived_at: datetime, time_zone: str) -> CallEvent:
    is_outgoing = name.startswith("NOTIFY_OUT")
    is_end = name.endswith("_END")
    direction = Direction.OUT if is_outgoing else Direction.IN
    extension = text(fields, "internal") or None
    result = outcome(text(fields, "disposition"), direction) if is_end else None
    # NOTIFY_START, and the end of an unanswered incoming call, have no extension: their leg "" is the whole call.
    return CallEvent(
        call_id=need(fields, "pbx_call_id"),
        kind=Kind.ENDED if is_end else Kind.ANSWERED if name == "NOTIFY_ANSWER" else Kind.RINGING,
        at=arrived_at,
        at_is_arrival=True,
        leg=extension or "",
        direction=direction,
        external=_number(fields, "destination" if is_outgoing else "caller_id"),
        line=(text(fields, "caller_id" if is_outgoing else "called_did") or None),
        extension=extension,
        outcome=result,
        talk_seconds=whole(fields, "duration") if result is Outcome.SUCCESS else 0 if is_end else None,
        recording=(text(fields, "call_id_with_rec") or None) if is_end and flag(fields, "is_recorded") else None,
        final=is_end,
        started_at=plausible(moment(text(fields, "call_start"), zone(time_zone)), arrived_at) if time_zone else None,
    )


def _recorded(fields: Mapping[str, str], arrived_at: datetime) -> CallEvent:
    return CallEvent(
        call_id=need(fields, "pbx_call_id"),
        kind=Kind.RECORDED,
        at=arrived_at,
        at_is_arrival=True,
        recording=need(fields, "call_id_with_rec"),
    )


def _number(fields: Mapping[str, str], name: str) -> str:
    """Return a number; a withheld one, sent as a word such as "anonymous" or as "0", becomes ""."""
    number = text(fields, name)
    return number if any(character in "123456789" for character in number) else ""


# In lower case; "failed" in the webhook is "call failed" in the statistics.
_DISPOSITIONS = {
    "answered": Outcome.SUCCESS,
    "busy": Outcome.BUSY,
    "cancel": Outcome.CANCELLED,
    "no answer": Outcome.NO_ANSWER,
    "failed": Outcome.FAILED,
    "call failed": Outcome.FAILED,
    "unallocated number": Outcome.UNAVAILABLE,
}


def outcome(disposition: str, direction: Direction) -> Outcome | None:
    """Return the outcome of a disposition. Unknown ones concern money or limits, so the call was not allowed."""
    return outcome_of(_DISPOSITIONS, disposition.lower(), direction, unknown=Outcome.NOT_ALLOWED)
