"""Plivo's callbacks: one for each step of a call, signed over the configured address, the whole form and a nonce.

The signature is that of the vendor's own library (plivo 4.63.0, utils/signature_v3.py); parameters are those of
plivo.com/docs/voice. The query of the callback's address is signed too; it holds the hints of
`hangtag.providers.call_control`, and `ring`, the extensions that an incoming call rings.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers import call_control
from hangtag.providers.base import (
    ParseResult,
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
    WebhookResponse,
)
from hangtag.providers.call_control import Leg, by_word, digits, nonzero_digits
from hangtag.providers.reading import MAX_FIELDS, form, need, query, same, text, whole

_SIGNATURES = ("x-plivo-signature-v3", "x-plivo-signature-ma-v3")
_NONCE = "x-plivo-signature-v3-nonce"
_MAX_NONCE = 128
RING_SECONDS = 60


def verify(request: WebhookRequest, keys: VerificationKeys) -> None:
    """Verify X-Plivo-Signature-V3, or -Ma-V3: a list of base64 HMAC-SHA256s under the Auth Token, one of them valid."""
    nonce = request.headers.get(_NONCE, "")
    if not 0 < len(nonce) <= _MAX_NONCE:
        raise SignatureError("The nonce is missing or too long.")
    message = f"{_signed_text(request)}.{nonce}"
    expected = call_control.signatures(keys, "auth_token", [message])
    if not any(_is_valid(request.headers.get(name, ""), expected) for name in _SIGNATURES):
        raise SignatureError("X-Plivo-Signature-V3 is wrong or missing. Check that auth_token is the account's.")


def _is_valid(header: str, expected: Sequence[str]) -> bool:
    """Return whether a header's list contains a valid signature, and none twice, as a repeated header would."""
    signatures = [signature.strip() for signature in header.split(",")]
    return len(set(signatures)) == len(signatures) and any(same(signature, expected) for signature in signatures)


def _signed_text(request: WebhookRequest) -> str:
    """Return the address with its query sorted and decoded, and the sorted form, with a dot between the two."""
    address = request.url.partition("?")[0]
    body = b"" if request.method == "GET" else request.body
    try:
        parameters = _sorted(request.query, "=", "&")
        fields = _sorted(body.decode(), "", "")
    except ValueError:
        raise PayloadError("The address or the body is not a form in UTF-8.") from None
    signed = ".".join(part for part in (parameters, fields) if part)
    return f"{address}?{signed}" if signed else address


def _sorted(encoded: str, between: str, among: str) -> str:
    pairs = parse_qs(encoded, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    return among.join(f"{name}{between}{value}" for name in sorted(pairs) for value in sorted(pairs[name]))


# ------------------------------------------------------------------ events

_EMPTY = WebhookResponse(200, "<Response/>", "application/xml")
_LIMITS = {"CallUUID": 128, "From": 256, "To": 256, "DialBLegUUID": 128, "DialBLegTo": 256, "RecordUrl": 2048}
_HINTS = {"direction": 8, "extension": 64, "line": 32, "number": 32, "ring": 512, "reference": 64}
# A leg that ended with one of these statuses was not answered.
_STATUSES = by_word(Outcome, busy="busy", no_answer="no-answer timeout", cancelled="cancel", failed="failed")
_KINDS = by_word(Kind, answered="StartApp", ringing="Ring", ended="Hangup")
# Older accounts send no Event.
_KINDS_BY_STATUS = by_word(Kind, ringing="ringing", answered="in-progress", ended=" ".join(("completed", *_STATUSES)))
_DIAL_KINDS = by_word(Kind, answered="answer connected", ended="hangup")
# Hang-up causes by code (plivo.com/docs/voice/troubleshooting/hangup-causes); older callbacks have a name.
# 9000: another phone that rang in parallel answered first.
_CAUSES = by_word(
    Outcome,
    no_answer="3000 6010 NO_ANSWER",
    busy="3010 3020 3100 3110 USER_BUSY CALL_REJECTED",
    cancelled="1000 9000 ORIGINATOR_CANCEL",
    not_allowed="2030 2040 2050 3030 3040 3130 3140",
    unavailable="3050 3120 UNALLOCATED_NUMBER",
)
# Other codes by their first digit: no such destination, hung up before an answer.
_CAUSE_GROUPS = by_word(Outcome, unavailable="2", no_answer="4")
_DEVICE = re.compile(r"(?:sips?:)?([^@;?\s]{1,64})@[^@\s]+", re.IGNORECASE)


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
    """Return the events of a call, of a leg that it dialled, or of a recording. Raises PayloadError."""
    fields = query(request, _LIMITS) if request.method == "GET" else form(request, _LIMITS)
    hints = call_control.read_hints(request, _HINTS)
    call_id, at = need(fields, "CallUUID"), request.arrived_at
    nonce = request.headers.get(_NONCE, "")[:_MAX_NONCE] or None
    recording = text(fields, "RecordUrl", _LIMITS["RecordUrl"])
    if recording:
        return ParseResult((call_control.recorded_event(call_id, at, True, recording, event_id=nonce),), _EMPTY)
    kind = _kind(fields)
    if kind is None:
        return ParseResult(reply=_EMPTY, unknown=True)
    leg = _leg(fields, Leg(id="", kind=kind, at=at, at_is_arrival=True, event_id=nonce, hints=hints))
    starts = not leg.parent and kind is Kind.ANSWERED
    reply = _answer(leg, request.url.partition("?")[0], settings) if starts else _EMPTY
    return ParseResult(leg_events(leg, settings), reply)


def _kind(fields: Mapping[str, str]) -> Kind | None:
    """Return the kind of event of a callback; None if it is unknown."""
    action, name = text(fields, "DialAction").lower(), text(fields, "Event")
    if action:
        return _DIAL_KINDS.get(action)
    return _KINDS.get(name) if name else _KINDS_BY_STATUS.get(text(fields, "CallStatus"))


def _leg(fields: Mapping[str, str], leg: Leg) -> Leg:
    """Return the leg of a callback of the call itself, or of a leg that it dialled."""
    call_id = text(fields, "CallUUID")
    leg = replace(leg, way=text(fields, "Direction"), caller=text(fields, "From"))
    if not text(fields, "DialAction"):
        outcome, duration = _STATUSES.get(text(fields, "CallStatus")), whole(fields, "Duration")
        return replace(leg, id=call_id, called=text(fields, "To"), outcome=outcome, talk_seconds=duration)
    duration = whole(fields, "DialBLegDuration")
    outcome = outcome_of(text(fields, "DialBLegHangupCauseCode") or text(fields, "DialBLegHangupCause"), duration)
    return replace(
        leg,
        id=text(fields, "DialBLegUUID"),
        parent=text(fields, "DialALegUUID") or call_id,
        called=text(fields, "DialBLegTo"),
        outcome=outcome,
        talk_seconds=call_control.talked(outcome, duration),
    )


def outcome_of(cause: str, duration: int | None) -> Outcome:
    """Return the outcome of a leg that was dialled."""
    if duration:
        return Outcome.SUCCESS
    return _CAUSES.get(cause) or _CAUSE_GROUPS.get(cause[:1]) or Outcome.FAILED


def leg_events(leg: Leg, settings: Mapping[str, Any]) -> tuple[CallEvent, ...]:
    """Return the events of a leg."""
    direction, clicked = direction_of(leg), leg.way == "outbound"
    event = replace(leg.event(direction, line_of(leg)), reference=leg.hints.get("reference") or None)
    if leg.parent and direction is Direction.OUT:
        extension = extension_of(leg, leg.caller if _device(leg.caller) else "")
        return (call_control.contact_event(event, leg, extension=extension, external=_contact(leg, leg.called)),)
    if leg.parent:
        extension = extension_of(leg, leg.called)
        phone = {"leg": extension or leg.id, "extension": extension, "external": _external(leg.caller)}
        return call_control.employee_events(event, leg, **phone)[:1]
    starts = leg.kind is Kind.ANSWERED
    if starts and (direction is Direction.IN or not clicked):
        # The answer starts the call: its XML rings the phones, or the contact.
        event = replace(event, kind=Kind.RINGING)
    if direction is Direction.IN:
        events = call_control.caller_events(event, external=_external(leg.caller))
        phones = _phones(leg, settings) if starts else ()
        return *events, *(replace(events[0], leg=phone, extension=phone) for phone in phones)
    own, other = (leg.called, "") if clicked else (leg.caller, leg.called)
    fields = {"external": _contact(leg, other) or None, "extension": extension_of(leg, own)}
    unanswered = clicked and leg.outcome is not None
    return call_control.own_phone_events(event, by_click=clicked, unanswered=unanswered, **fields)


def direction_of(leg: Leg) -> Direction:
    """Return the direction of the call: the hint, or outgoing if an own phone or the API calls."""
    own = _device(leg.caller) if leg.way == "inbound" else leg.way == "outbound"
    return leg.direction_hint or (Direction.OUT if own else Direction.IN)


def line_of(leg: Leg) -> str | None:
    """Return the own number: the hint, or the number that a caller called, or that a contact sees."""
    if leg.line_hint or leg.parent:
        return leg.line_hint or None
    if direction_of(leg) is Direction.IN:
        return digits(leg.called) or None
    return (digits(leg.caller) if leg.way != "inbound" else "") or None


def extension_of(leg: Leg, address: str) -> str | None:
    """Return the extension: the hint, the user of the SIP address, or the digits of the number."""
    return leg.extension(_device(address), address)


def _contact(leg: Leg, address: str) -> str:
    return digits(leg.hints.get("number", "")) or _external(address)


def _device(address: str) -> str:
    return call_control.device(address, _DEVICE)


def _external(address: str) -> str:
    """Return the other party's number, or the user of its SIP address; "" if it is withheld."""
    return nonzero_digits(address) or _device(address)


# ------------------------------------------------------------------ the answer to a call


def _phones(leg: Leg, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the extensions that ring in parallel for an incoming call: the hint `ring`, or the setting."""
    entries = call_control.ring_list(leg.hints.get("ring") or settings.get("ring"))
    return tuple(dict.fromkeys(entry for entry in entries if call_control.is_extension(entry)))


def _answer(leg: Leg, url: str, settings: Mapping[str, Any]) -> WebhookResponse:
    """Return the XML that dials the phones of an incoming call, or the contact of an outgoing one."""
    if direction_of(leg) is Direction.IN:
        phones = (f"<User>{sip_address(extension, settings)}</User>" for extension in _phones(leg, settings))
        hints = {"direction": "in", "line": digits(leg.called)}
        return _dial("".join(phones), digits(leg.caller), url, hints, settings)
    own, other = (leg.called, "") if leg.way == "outbound" else (leg.caller, leg.called)
    shown, number = leg.line_hint or call_control.caller_id(settings), _contact(leg, other)
    extension = extension_of(leg, own) or ""
    hints = {"direction": "out", "extension": extension, "line": shown, "number": number}
    hints["reference"] = leg.hints.get("reference", "")
    return _dial(f"<Number>{number}</Number>" if digits(number) else "", shown, url, hints, settings)


def sip_address(extension: str, settings: Mapping[str, Any]) -> str:
    """Return the SIP address of a phone; the account's own phones are registered at phone.plivo.com."""
    return f"sip:{extension}@{settings.get('sip_domain') or 'phone.plivo.com'}"


def _dial(
    targets: str, caller_id: str, url: str, hints: Mapping[str, str], settings: Mapping[str, Any]
) -> WebhookResponse:
    """Return XML that dials the targets, with the hints in the callback's address; `_EMPTY` without targets."""
    from html import escape

    if not targets:
        return _EMPTY
    callback = escape(f"{url}?{urlencode({name: value for name, value in hints.items() if value})}")
    caller = f' callerId="{caller_id}"' if caller_id else ""
    called_back = f'callbackUrl="{callback}" callbackMethod="POST"'
    record = f'<Record recordSession="true" redirect="false" maxLength="14400" {called_back}/>'
    return _EMPTY._replace(
        body=f"<Response>{record if call_control.records_calls(settings) else ''}"
        f'<Dial{caller} timeout="{RING_SECONDS}" {called_back}>{targets}</Dial></Response>'
    )
