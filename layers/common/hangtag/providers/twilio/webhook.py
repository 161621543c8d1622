"""Twilio's callbacks: one for each step of each leg, signed over the configured address and the whole form.

The signature is that of the vendor's own library (twilio 9.13.0, request_validator); parameters are those of
twilio.com/docs/voice. The query of the callback's address is signed too and holds the hints of
`hangtag.providers.call_control`.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers import call_control
from hangtag.providers.base import ParseResult, PayloadError, SignatureError, VerificationKeys, WebhookRequest
from hangtag.providers.call_control import Leg, by_word, digits, nonzero_digits
from hangtag.providers.reading import MAX_FIELDS, is_json, json_object, need, query, same, text

_SETTINGS_HEADER = "x-twilio-webhooks-signature-settings"
# The signing secret: the Auth Token, or the secret of a shared key.
_ALGORITHMS = {"HMAC_SHA1": ("sha1", "auth_token"), "HMAC_SHA256": ("sha256", "shared_key_secret")}
_PARTS_OF_URL = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#]*?)(?P<port>:\d+)?(?P<rest>[/?#].*)?", re.DOTALL)
# Fields that are read. Each is allowed once.
_READ = re.compile(
    r"(Account|Call|ParentCall)Sid|Call(Status|Duration|ed|er)|Direction|(Forwarded)?From|To|Recording(Status|Url)|Timestamp"
)


def verify(request: WebhookRequest, keys: VerificationKeys) -> None:
    """Verify X-Twilio-Signature: base64 of an HMAC of the address, followed by the sorted parameters.

    HMAC-SHA1 under the Auth Token, or HMAC-SHA256 under a shared key if X-Twilio-Webhooks-Signature-Settings names it.
    JSON is signed by its SHA-256 in the address. Raises SignatureError or PayloadError.
    """
    algorithm, secret = _algorithm(request.headers.get(_SETTINGS_HEADER, ""), keys)
    signed = _signed_text(request)
    texts = [url + signed for url in _addresses(request.url)]
    expected = call_control.signatures(keys, secret, texts, algorithm)
    if not same(request.headers.get("x-twilio-signature", ""), expected):
        raise SignatureError(
            "X-Twilio-Signature is wrong or missing. Check that auth_token is the account's primary Auth Token."
        )
    account = text(_fields(request), "AccountSid")
    if account and not same(account, keys.credentials.get("account_sid", ())):
        raise SignatureError("The callback is of another account. Check account_sid.")


def _algorithm(settings: str, keys: VerificationKeys) -> tuple[str, str]:
    """Return the algorithm of the header "key=<id>,algorithm=<name>", and the name of the credential that signs."""
    parts = [(name.strip(), value.strip()) for name, _, value in (part.partition("=") for part in settings.split(","))]
    values = dict(parts)
    if len(values) != len(parts):
        raise SignatureError("X-Twilio-Webhooks-Signature-Settings contains a setting twice.")
    entry = _ALGORITHMS.get((values.get("algorithm") or "HMAC_SHA1").upper())
    if entry is None:
        raise SignatureError("The algorithm of the signature is unknown. Use HMAC_SHA1 or HMAC_SHA256.")
    ids = call_control.entered(keys, "shared_key_id")
    if entry[1] == "shared_key_secret" and ids and not same(values.get("key", ""), ids):
        raise SignatureError("The callback is signed with another shared key. Check shared_key_id.")
    return entry


def _signed_text(request: WebhookRequest) -> str:
    """Return the text that follows the address in the signed text; "" if the address covers everything."""
    if request.method != "GET" and not is_json(request):
        return "".join(name + value for name, value in _pairs(request))
    covered = request.method == "GET" or same(
        query(request).get("bodySHA256", ""), [hashlib.sha256(request.body).hexdigest()]
    )
    if not covered:
        raise SignatureError("The address has no bodySHA256 that covers the JSON body.")
    return ""


def _addresses(url: str) -> tuple[str, ...]:
    """Return the address with and without its port: Twilio signs either of them."""
    parts = _PARTS_OF_URL.fullmatch(url)
    if parts is None:
        return (url,)
    scheme, host, rest = parts["scheme"], parts["host"], parts["rest"] or ""
    port = parts["port"] or (":443" if scheme == "https" else ":80")
    return f"{scheme}://{host}{rest}", f"{scheme}://{host}{port}{rest}"


def _pairs(request: WebhookRequest) -> list[tuple[str, str]]:
    """Return the form's names and values as they are signed: sorted, each pair once."""
    try:
        pairs = parse_qsl(request.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise PayloadError("The body is not a form in UTF-8.") from None
    return sorted(set(pairs))


def _fields(request: WebhookRequest) -> Mapping[str, Any]:
    if request.method == "GET":
        return query(request)
    if is_json(request):
        return json_object(request)
    fields: dict[str, str] = {}
    for name, value in _pairs(request):
        # The signature does not cover the order of two values.
        if name in fields and _READ.fullmatch(name):
            raise PayloadError(f"{name} is given twice.")
        fields[name] = value
    return fields


# ------------------------------------------------------------------ events

OUTCOMES = by_word(
    Outcome, success="completed", busy="busy", no_answer="no-answer", cancelled="canceled", failed="failed"
)
_KINDS = by_word(Kind, ringing="ringing", answered="in-progress answered", ended=" ".join(OUTCOMES))
# The leg does not ring yet.
_NOT_RINGING = ("queued", "initiated")
_RECORDING_STATUSES = ("in-progress", "paused", "stopped", "processing", "completed", "absent", "failed", "deleted")
# sip:101@acme.sip.twilio.com;transport=tls, client:101, or 101@acme.sip.twilio.com as the REST API writes it.
_DEVICE = re.compile(r"(?:(?:sips?|client):([^@:;?]*)|([^@:;?]+)@).*", re.IGNORECASE | re.DOTALL)
# A withheld number is a word typed on the keys of a phone: anonymous, restricted, blocked, ...
_WITHHELD = ("266696687", "7378742833", "2562533", "8656696", "86282452253")


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:  # noqa: ARG001 - the interface
    """Return the events of one callback, of a leg or of a recording. Raises PayloadError."""
    fields = _fields(request)
    call_id, recording_status = need(fields, "CallSid"), text(fields, "RecordingStatus")
    recording = text(fields, "RecordingUrl", 2048)
    if recording_status == "completed":
        # CallSid is always the parent's.
        recording = need(fields, "RecordingUrl", 2048)
        return ParseResult((call_control.recorded_event(call_id, request.arrived_at, True, recording),))
    if recording_status:
        return ParseResult(unknown=recording_status not in _RECORDING_STATUSES)
    status = need(fields, "CallStatus")
    at, at_is_arrival = call_control.reported_time(fields, "Timestamp", request.arrived_at)
    leg = replace(read_leg(fields, at), at_is_arrival=at_is_arrival, hints=call_control.read_hints(request))
    direction = direction_of(leg)
    if direction is None or status not in (*_KINDS, *_NOT_RINGING):
        return ParseResult(unknown=True)
    return ParseResult(leg_events(leg, direction, recording) if status in _KINDS else ())


def read_leg(fields: Mapping[str, Any], at: datetime) -> Leg:
    """Return the leg of a callback, or of a row of the list of calls under the callback's names."""
    status = text(fields, "CallStatus")
    outcome = OUTCOMES.get(status)
    return Leg(
        id=text(fields, "CallSid"),
        kind=_KINDS.get(status, Kind.RINGING),
        at=at,
        parent=text(fields, "ParentCallSid"),
        way=text(fields, "Direction"),
        caller=text(fields, "From") or text(fields, "Caller"),
        called=text(fields, "To") or text(fields, "Called"),
        forwarded_from=text(fields, "ForwardedFrom"),
        outcome=outcome,
        talk_seconds=call_control.talked(outcome, call_control.seconds(fields, "CallDuration")),
    )


def direction_of(leg: Leg) -> Direction | None:
    """Return the direction of the call: the hint, or by the addresses; None if Twilio's word is unknown."""
    # A call from an employee's phone is outgoing, one that is dialled to such a phone is incoming.
    by_way = {
        "inbound": Direction.OUT if _device(leg.caller) else Direction.IN,
        "outbound-api": Direction.OUT,
        "outbound-dial": Direction.IN if _device(leg.called) else Direction.OUT,
    }
    return leg.direction_hint or by_way.get(leg.way)


def leg_events(leg: Leg, direction: Direction, recording: str = "") -> tuple[CallEvent, ...]:
    """Return the events of a leg. `recording` is the address of a recording of the whole call."""
    event = leg.event(direction, _line(leg, direction))
    if recording and leg.kind is Kind.ENDED:
        event = replace(event, recording=recording)
    if direction is Direction.IN:
        external = _external(leg.caller)
        if not leg.parent:
            return call_control.caller_events(event, external=external)
        extension = _extension(leg, leg.called)
        return call_control.employee_events(event, leg, external=external, extension=extension)
    if {"contact": True, "employee": False}.get(leg.hints.get("leg", ""), bool(leg.parent)):
        extension = _extension(leg, leg.caller if _device(leg.caller) else "")
        return (call_control.contact_event(event, leg, external=_external(leg.called), extension=extension),)
    clicked = leg.way == "outbound-api"
    own, other = (leg.called, "") if clicked else (leg.caller, leg.called)
    fields = {"external": _external(other) or None, "extension": _extension(leg, own)}
    unanswered = clicked and leg.outcome is not Outcome.SUCCESS
    return call_control.own_phone_events(event, by_click=clicked, unanswered=unanswered, **fields)


def _line(leg: Leg, direction: Direction) -> str | None:
    """Return the own number: the hint, the called number of an incoming call, or the number that was shown."""
    if leg.line_hint:
        return f"+{leg.line_hint}"
    if direction is Direction.OUT:
        own = "" if leg.way == "inbound" else leg.caller
    else:
        own = leg.forwarded_from if leg.parent else leg.called
    return own if digits(own) else None


def _extension(leg: Leg, address: str) -> str | None:
    name = _device(address)
    return leg.extension(digits(name) or name, address)


def _device(address: str) -> str:
    return call_control.device(address, _DEVICE)


def _external(address: str) -> str:
    """Return the other party's number, or the name of its device; "" if it is withheld."""
    number = nonzero_digits(address)
    return ("" if number in _WITHHELD else address.strip()) if number else _device(address)
