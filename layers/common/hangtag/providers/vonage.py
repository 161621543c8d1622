"""Vonage's Voice API: a webhook for each step of each leg, signed by a JWT over the hash of its body.

Fields are those of the vendor's webhook and NCCO references; the signature is that of its library (vonage-jwt 1.1.5),
which looks at the HMAC alone: the claims are checked here. Vonage is no PBX. What a leg is to the office follows from
who was called, and is said outright by the query of the webhook's address, which is not signed: `direction` (in, out),
`leg` (employee, contact), `extension`, `line` (digits), `transferred_from` (uuid of the leg that handed the call on).
"""

import base64
import hashlib
import hmac
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import BadInputError, UnreachableError
from hangtag.limits import Limit
from hangtag.providers.asking import Api, Refusal
from hangtag.providers.base import (
    Account,
    Check,
    Click,
    Media,
    OfficeLookups,
    ParseResult,
    PayloadError,
    PbxClient,
    PlacedCall,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
    WebhookResponse,
)
from hangtag.providers.reading import believed, json_object, json_of, moment, need, query, same, text

HOSTS = ("nexmo.com", "vonage.com")
MEDIA_HOSTS = HOSTS
# It is told of once it is there.
RECORDING_AFTER = 0.0
# How it tells, in a click, that the employee picked up.
PICK_UP = "told"
ORIGINATES_WITH = ("application_id", "private_key")
# A new account places three calls a second.
LIMITS = {"calls": Limit(3, 1)}

_API = Api("Vonage", "https://api.nexmo.com", ORIGINATES_WITH)
# How old or early a webhook's token may be.
_WINDOW = 300
_MAX_TOKEN = 4096
_ISSUER = "Vonage"
_OUTCOMES = {
    "completed": Outcome.SUCCESS,
    "busy": Outcome.BUSY,
    "cancelled": Outcome.CANCELLED,
    "unanswered": Outcome.NO_ANSWER,
    "timeout": Outcome.NO_ANSWER,
    "rejected": Outcome.BUSY,
    "failed": Outcome.FAILED,
}
# Why it failed, where `detail` says it.
_DETAILS = {
    "unavailable": Outcome.UNAVAILABLE,
    "cannot_route": Outcome.UNAVAILABLE,
    "number_out_of_service": Outcome.UNAVAILABLE,
    "invalid_number": Outcome.UNAVAILABLE,
    "restricted": Outcome.NOT_ALLOWED,
}
# None: it changes nothing. `disconnected` is said of a leg whose end is told besides.
_KINDS: Mapping[str, Kind | None] = {
    # Of a phone in the vendor's apps nothing else tells that it rings.
    "started": Kind.RINGING,
    "ringing": Kind.RINGING,
    "answered": Kind.ANSWERED,
    "human": None,
    "machine": None,
    "disconnected": None,
    **dict.fromkeys(_OUTCOMES, Kind.ENDED),
}
# What says no status: what went wrong in an NCCO, and what the caller typed or said.
_SILENT = {"reason", "dtmf", "speech"}
# sip:101@sip.example.com;transport=tls; and the name of a user of the vendor's apps.
_DEVICE = re.compile(r"(?:(?:sips?|app|user):)?([^@:;?]{1,64})(?:[@;?].*)?", re.IGNORECASE | re.DOTALL)
# A caller without a number is a word for it.
_WITHHELD = ("", "anonymous", "unknown", "private", "restricted", "unavailable", "withheld", "blocked")
_RECORDING = re.compile(r"https://((?:[a-z0-9-]+\.)*(?:nexmo|vonage)\.com)(/v[1-9]/files/[\w-]{1,64})", re.ASCII)
_HINTS = ("extension", "line", "transferred_from")
# All of the call that the employee was rung for, or dialled, is one leg.
_OUT = "out"
_RING_SECONDS = 30
_PAGE = 100
_MOST_PAGES = 100
# How long a call may be: so much later than its first leg its last may begin.
_LONGEST = timedelta(hours=2)
_NOBODY = "Nobody can take your call now. Please call again later."
_NOT_DIALLED = "This number can't be called. Please ask your administrator."


# ------------------------------------------------------------------ from Vonage: is it genuine


class _UnsignedError(SignatureError):
    """No token at all. Vonage leaves it out where it fails itself, and asks for a 5xx then, to sign and send again.

    Source: Nexmo/nexmo-developer, messages/concepts/signed-webhooks, which the Voice API's guide refers to.
    """

    status = 503
    title = "Service Unavailable"


def verify(request: WebhookRequest, trust: VerificationKeys) -> None:
    """Authorization: Bearer <JWT>, by HMAC-SHA256 under the account's signature secret; its claims fit the delivery."""
    if "authorization" not in request.headers:
        raise _UnsignedError("no token in Authorization, it is to be sent again: are signed webhooks switched on?")
    head, claims, signed = _parts(request)
    secrets = [secret for secret in trust.credentials.get("signature_secret", ()) if secret]
    if not same(signed, [signature(secret, f"{head}.{claims}") for secret in secrets]):
        raise SignatureError("the token's signature is wrong: is signature_secret the account's?")
    if _object(head).get("alg") != "HS256":
        raise SignatureError("the token is not signed by HS256")
    _check(_object(claims), request, trust)


def signature(secret: str, signed: str) -> str:
    """The signature of a token's first two parts, as it is written there."""
    raw = hmac.digest(secret.encode("utf-8", "surrogatepass"), signed.encode("utf-8", "surrogatepass"), "sha256")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _parts(request: WebhookRequest) -> tuple[str, str, str]:
    """The three parts of the token, as they are written."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    parts = token.split(".") if scheme.lower() == "bearer" and len(token) <= _MAX_TOKEN else []
    if len(parts) != 3:
        raise SignatureError("what is in Authorization is no token")
    return parts[0], parts[1], parts[2]


def _object(part: str) -> Mapping[str, Any]:
    """What a part of a token says; nothing if it can't be read."""
    try:
        said = json_of(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _check(claims: Mapping[str, Any], request: WebhookRequest, trust: VerificationKeys) -> None:
    """Whether a genuine token is of this delivery, of this account, and of now."""
    issued = claims.get("iat")
    keys = [key for key in trust.credentials.get("api_key", ()) if key]
    if not same(_said_text(claims, "iss"), [_ISSUER]):
        raise SignatureError("the token is not issued by Vonage")
    if type(issued) is not int or abs(int(request.arrived_at.timestamp()) - issued) > _WINDOW:
        raise SignatureError("the token is too old, or of the future")
    if not same(_said_text(claims, "payload_hash"), _hashes(request)):
        raise SignatureError("the token is of another body")
    if not same(_said_text(claims, "api_key"), keys):
        raise SignatureError("it is of another account than api_key")
    if not _said_text(claims, "jti"):
        raise SignatureError("the token has no id")


def _hashes(request: WebhookRequest) -> list[str]:
    """What payload_hash may be; what it is where there is no body is not documented."""
    hashed = hashlib.sha256(request.body).hexdigest()
    if request.method != "GET" or request.body:
        return [hashed]
    return ["", hashed, hashlib.sha256(request.query.encode("utf-8", "surrogatepass")).hexdigest()]


def _said_text(claims: Mapping[str, Any], name: str) -> str:
    said = claims.get(name)
    return said if isinstance(said, str) else ""


def _event_id(request: WebhookRequest) -> str | None:
    """The delivery's id, by which it is known again; without the signature too, as a kept delivery is without it."""
    try:
        jti = _said_text(_object(_parts(request)[1]), "jti")
    except SignatureError:
        return None
    return jti if 0 < len(jti) <= 128 else None


# ------------------------------------------------------------------ from Vonage: what it says


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said of one leg, by a webhook or by the list of calls. `way` is Vonage's direction of the leg."""

    leg: str
    call_id: str
    status: str
    detail: str
    way: str
    caller: str
    called: str
    talked: int | None
    begun: datetime | None
    at: datetime
    at_is_arrival: bool = False
    event_id: str | None = None
    hints: Mapping[str, str] = field(default_factory=dict)


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
    """One webhook: what to do with a call that came in, a step of a leg, a recording, a move."""
    if request.method == "GET":
        fields: Mapping[str, Any] = query(request)
        if text(fields, "status"):
            # Of a GET the token covers nothing.
            raise PayloadError("events must come by POST: see the event URL's method")
        return _answer(request, fields, settings)
    fields = json_object(request)
    if text(fields, "conversation_uuid_to"):
        return ParseResult((_moved(fields, request),))
    need(fields, "conversation_uuid")
    if text(fields, "recording_url", 2048):
        return ParseResult((_recorded(fields, request),))
    status = text(fields, "status")
    if status in _KINDS:
        return ParseResult(_events(_said(fields, request)))
    if not status and text(fields, "uuid") and text(fields, "to"):
        return _answer(request, fields, settings)
    return ParseResult(unknown=bool(status) or not fields.keys() & _SILENT)


def _at(fields: Mapping[str, Any], request: WebhookRequest) -> tuple[datetime, bool]:
    """When it happened, and whether that is only when it arrived."""
    told = believed(moment(text(fields, "timestamp")), request.arrived_at)
    return told or request.arrived_at, told is None


def _said(fields: Mapping[str, Any], request: WebhookRequest) -> _Said:
    at, at_is_arrival = _at(fields, request)
    hints = query(request, dict.fromkeys(_HINTS, 64))
    way = text(fields, "direction")
    caller, called = _ends(way, text(fields, "from"), text(fields, "to"))
    return _Said(
        # Of a person or a machine it names the leg otherwise.
        leg=text(fields, "uuid") or need(fields, "call_uuid"),
        call_id=need(fields, "conversation_uuid"),
        status=need(fields, "status"),
        detail=text(fields, "detail"),
        way=way,
        caller=caller,
        called=called,
        talked=_seconds(text(fields, "duration")),
        begun=believed(moment(text(fields, "start_time")), request.arrived_at),
        at=at,
        at_is_arrival=at_is_arrival,
        event_id=_event_id(request),
        hints={name: value.strip() for name, value in hints.items()},
    )


def _ends(way: str, caller: str, called: str) -> tuple[str, str]:
    """Who calls, and who is called: where a user of the vendor's apps calls, `from` is null, and `to` is the user."""
    return (called, "") if way == "inbound" and not caller and _device(called) else (caller, called)


def _seconds(said: str) -> int | None:
    return int(said) if said.isascii() and said.isdigit() and len(said) <= 10 else None


def _recorded(fields: Mapping[str, Any], request: WebhookRequest) -> CallEvent:
    """It says neither of which leg it is, nor a status."""
    at, at_is_arrival = _at(fields, request)
    return CallEvent(
        call_id=need(fields, "conversation_uuid"),
        kind=Kind.RECORDED,
        at=at,
        at_is_arrival=at_is_arrival,
        recording=need(fields, "recording_url", 2048),
        event_id=_event_id(request),
    )


def _moved(fields: Mapping[str, Any], request: WebhookRequest) -> CallEvent:
    """A leg goes on in another conversation. It does not say whose leg that is, and so ends none."""
    at, at_is_arrival = _at(fields, request)
    return CallEvent(
        call_id=need(fields, "conversation_uuid_from"),
        kind=Kind.SUMMARY,
        at=at,
        at_is_arrival=at_is_arrival,
        linked_call_id=need(fields, "conversation_uuid_to"),
        event_id=_event_id(request),
    )


def _events(said: _Said) -> tuple[CallEvent, ...]:
    """What became of the call by what is said of a leg."""
    kind, direction = _KINDS[said.status], _direction(said)
    if kind is None:
        return ()
    event = CallEvent(
        call_id=said.call_id,
        kind=kind,
        at=said.at,
        at_is_arrival=said.at_is_arrival,
        leg=said.leg,
        direction=direction,
        line=_plus(said.hints.get("line", "")) or None,
        event_id=said.event_id,
    )
    inbound = said.way == "inbound"
    if direction is Direction.IN:
        return _of_caller(event, said) if inbound else _of_employee(event, said)
    is_employees = inbound or said.hints.get("leg") == "employee"
    return _of_own_phone(event, said) if is_employees else _of_contact(event, said)


def _direction(said: _Said) -> Direction:
    """As the address says; else by who is at either end: what an employee's phone calls goes out."""
    told = {"in": Direction.IN, "out": Direction.OUT}.get(said.hints.get("direction", ""))
    comes_in = not _device(said.caller) and (said.way == "inbound" or bool(_device(said.called)))
    return told or (Direction.IN if comes_in else Direction.OUT)


def _of_caller(event: CallEvent, said: _Said) -> tuple[CallEvent, ...]:
    """The caller's own leg. That it is answered says only that an NCCO is played; its end is the call's."""
    if event.kind is Kind.ANSWERED:
        return ()
    caller = _plus(said.caller) or _device(said.caller)
    event = replace(event, external=caller, line=_plus(said.called) or event.line)
    return (replace(event, outcome=Outcome.CANCELLED, final=True) if event.kind is Kind.ENDED else event,)


def _of_employee(event: CallEvent, said: _Said) -> tuple[CallEvent, ...]:
    """A phone that an incoming call rings. Who calls is in the caller's leg: this one shows a number of the account."""
    event = replace(event, extension=_extension(said, said.called))
    if event.kind is Kind.ENDED:
        found = _outcome(said)
        kept = found if found in (Outcome.SUCCESS, Outcome.CANCELLED) else Outcome.MISSED
        event = replace(event, outcome=kept, talk_seconds=said.talked if kept is Outcome.SUCCESS else 0)
    before = said.hints.get("transferred_from", "")
    if before and event.kind is Kind.RINGING:
        return replace(event, kind=Kind.TRANSFERRED, leg=before, extension=None), event
    return (event,)


def _of_contact(event: CallEvent, said: _Said) -> tuple[CallEvent, ...]:
    """The leg to the contact, which decides what an outgoing call came to."""
    event = replace(
        event,
        leg=_OUT,
        external=_external(said.called),
        line=event.line or _line(said.caller),
        extension=_extension(said, _device(said.caller)),
    )
    if event.kind is Kind.ENDED:
        found = _outcome(said)
        event = replace(event, outcome=found, talk_seconds=said.talked if found is Outcome.SUCCESS else 0)
    return (event,)


def _of_own_phone(event: CallEvent, said: _Said) -> tuple[CallEvent, ...]:
    """The employee's own leg of an outgoing call: rung by a click, or come in from the employee's phone."""
    clicked = said.way != "inbound"
    own, other = (said.called, "") if clicked else (said.caller, said.called)
    event = replace(
        event,
        leg=_OUT,
        external=_external(other) or None,
        line=event.line or (_line(said.caller) if clicked else None),
        extension=_extension(said, own),
    )
    if event.kind is Kind.ANSWERED:
        return (replace(event, kind=Kind.PICKED_UP),) if clicked else ()
    if event.kind is Kind.ENDED:
        # Picked up, the contact's leg says how it went; that it was is told again, for want of the webhook that did.
        answered = clicked and _outcome(said) is Outcome.SUCCESS
        ended = replace(event, outcome=Outcome.NO_ANSWER if clicked and not answered else None, final=True)
        return (replace(event, kind=Kind.PICKED_UP), ended) if answered else (ended,)
    return (event,)


def _outcome(said: _Said) -> Outcome:
    """How the leg ended. One that is completed, and was never begun or talked on, was not answered."""
    if said.status == "completed" and not said.talked and said.begun is None:
        return Outcome.NO_ANSWER
    return _DETAILS.get(said.detail, _OUTCOMES[said.status])


def _extension(said: _Said, address: str) -> str | None:
    """Whose phone it is: as the address says, else the name of the device, else the digits of its number."""
    return said.hints.get("extension") or _device(address) or _digits(address) or None


def _device(said: str) -> str:
    """The user part of a SIP address, or the name of an app's user; "" if it is a number, or nothing."""
    if _digits(said) and len(_digits(said)) > 6:
        return ""
    found = _DEVICE.fullmatch(said.strip())
    name = found[1] if found is not None else ""
    return "" if name.strip("0").lower() in _WITHHELD else name


def _digits(said: str) -> str:
    """The digits of a plain number; "" if it is none."""
    number = said.strip().removeprefix("+")
    return number if number.isascii() and number.isdigit() and len(number) <= 32 and number.strip("0") else ""


def _plus(said: str) -> str:
    """A number as the rest of the world writes it: Vonage leaves the plus out."""
    digits = _digits(said)
    return f"+{digits}" if digits else ""


def _line(said: str) -> str | None:
    """The number that is shown to who is called; None if that is a device's name."""
    return None if _device(said) else _plus(said) or None


def _external(called: str) -> str:
    """The number that was called, or the name of the device; "" if it is not told."""
    return _device(called) or _plus(called)


# ------------------------------------------------------------------ from Vonage: what to do with a call


def _answer(request: WebhookRequest, fields: Mapping[str, Any], settings: Mapping[str, Any]) -> ParseResult:
    """The answer webhook: an NCCO that rings who is responsible for the caller, then those who are entered."""
    need(fields, "uuid")
    need(fields, "conversation_uuid")
    own = text(fields, "from_user", 64)
    if own:
        return ParseResult(reply=_dial(request, settings, own, _digits(text(fields, "to"))))
    caller, line = _plus(text(fields, "from")), _digits(text(fields, "to"))
    entered = [one for one in re.split(r"[\s,]+", str(settings.get("ring") or "")) if one]

    def respond(office: OfficeLookups) -> WebhookResponse:
        card = office.contact(caller) if caller else None
        first = [card.responsible] if card is not None and card.responsible else []
        return _ncco(request, settings, line, [*first, *(one for one in entered if one not in first)])

    return ParseResult(reply=_ncco(request, settings, line, entered), respond=respond)


def _ncco(
    request: WebhookRequest, settings: Mapping[str, Any], line: str, extensions: Sequence[str]
) -> WebhookResponse:
    """One after another: an NCCO connects to one at a time, and goes on when that one does not answer."""
    hook = request.url.partition("?")[0]
    connects: list[dict[str, Any]] = []
    for extension in extensions:
        endpoint = _endpoint(settings, extension)
        if endpoint is None:
            continue
        asked = {"direction": "in", "line": line, "extension": extension}
        connects.append(
            {
                "action": "connect",
                **({"from": line} if line else {}),
                "timeout": _RING_SECONDS,
                "eventUrl": [f"{hook}?{urlencode(asked)}"],
                "endpoint": [endpoint],
            }
        )
    return WebhookResponse(
        200, json.dumps([*_recorded_by(settings, hook, connects), {"action": "talk", "text": _NOBODY}])
    )


def _dial(request: WebhookRequest, settings: Mapping[str, Any], own: str, number: str) -> WebhookResponse:
    """An NCCO for a user of the vendor's apps who calls: it connects the contact, who sees caller_id."""
    hook, line = request.url.partition("?")[0], _digits(str(settings.get("caller_id") or ""))
    connects = [_to_contact(hook, own, number, line)] if number and line else []
    return WebhookResponse(
        200, json.dumps(_recorded_by(settings, hook, connects) or [{"action": "talk", "text": _NOT_DIALLED}])
    )


def _to_contact(hook: str, extension: str, number: str, line: str) -> dict[str, Any]:
    """The action that calls the contact, and has the leg told of as the one of that extension's call."""
    asked = {"direction": "out", "leg": "contact", "extension": extension, "line": line}
    return {
        "action": "connect",
        "from": line,
        "timeout": _RING_SECONDS * 2,
        "eventUrl": [f"{hook}?{urlencode(asked)}"],
        "endpoint": [{"type": "phone", "number": number}],
    }


def _recorded_by(settings: Mapping[str, Any], hook: str, connects: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The actions, recorded if there are any and the settings say so."""
    record = {"action": "record", "format": "mp3", "split": "conversation", "channels": 2, "eventUrl": [hook]}
    return [record, *connects] if connects and settings.get("record_calls", True) else [*connects]


def _endpoint(settings: Mapping[str, Any], extension: str) -> dict[str, str] | None:
    """Where an employee is called: at the SIP domain, or as a user of the vendor's apps. None if that can't be."""
    if not re.fullmatch(r"[\w.*-]{1,64}", extension, re.ASCII):
        return None
    domain = str(settings.get("sip_domain") or "")
    return {"type": "sip", "uri": f"sip:{extension}@{domain}"} if domain else {"type": "app", "user": extension}


# ------------------------------------------------------------------ to Vonage


def originate(account: Account, click: Click, door: PbxClient) -> PlacedCall:
    """Ring the employee's phone; once it is picked up, the NCCO connects the contact. Both legs are told of."""
    number = _digits(click.number)
    line = _digits(click.line or "") or _digits(str(account.settings.get("caller_id") or ""))
    endpoint = _endpoint(account.settings, click.extension)
    if not number:
        raise BadInputError("the number to call must be a plus and digits")
    if endpoint is None:
        raise BadInputError("the extension can't be part of an address")
    if not line:
        raise BadInputError("caller_id is not entered: Vonage shows a number of the account")
    if not account.webhook_url:
        raise BadInputError("the webhook's address is not known: rotate it, so that Vonage can be told of it")
    hook = account.webhook_url
    hints = urlencode({"direction": "out", "leg": "employee", "extension": click.extension})
    asked = {
        "to": [endpoint],
        "from": {"type": "phone", "number": line},
        "ncco": _recorded_by(account.settings, hook, [_to_contact(hook, click.extension, number, line)]),
        "event_url": [f"{hook}?{hints}"],
        "event_method": "POST",
        "ringing_timer": _RING_SECONDS,
    }
    answer = _ask(account, door, "POST", "/v1/calls", asked=asked, limit="calls")
    call_id = answer.get("conversation_uuid")
    if not isinstance(call_id, str) or not call_id:
        raise UnreachableError("Vonage's answer names no call")
    return PlacedCall(call_id)


def recording(account: Account, reference: str, door: PbxClient) -> Media:  # noqa: ARG001 - it is known where it is
    """The recording as it was made, MP3 unless the NCCO asked otherwise. The token goes to Vonage only."""
    found = _RECORDING.fullmatch(reference)
    if found is None:
        raise BadInputError("the recording is not kept at Vonage")
    url = _API._replace(base=f"https://{found[1]}").url(account, found[2])
    return Media(url, {"authorization": f"Bearer {_token(account)}"})


def ping(account: Account, door: PbxClient) -> Check:
    """Whether the application's key is taken."""
    if not all(account.credentials.get(name) for name in ORIGINATES_WITH):
        return Check(
            "pbx", True, "application_id and private_key are not entered: calls are received, but can't be clicked"
        )
    _rows(_ask(account, door, "GET", "/v1/calls?page_size=1"))
    return Check("pbx", True, "it answers, and the application is known")


def history(account: Account, since: datetime, until: datetime, door: PbxClient) -> Iterator[CallEvent]:
    """The ends of all legs of the calls that began in that time; recordings are in no list."""
    calls: dict[str, list[_Said]] = defaultdict(list)
    # Of a call that began before, a leg alone would look like a call of its own.
    for row in _listed(account, door, since - _LONGEST, until + _LONGEST):
        said = _row(row)
        if said is not None:
            calls[said.call_id].append(said)
    for legs in calls.values():
        begun = min(said.begun or said.at for said in legs)
        if since <= begun < until:
            yield from _call(legs)


def _row(row: Mapping[str, Any]) -> _Said | None:
    """A row of the list; None if it can't be read, or the leg has not ended."""
    try:
        end, status = moment(text(row, "end_time")), text(row, "status")
        if end is None or status not in _OUTCOMES:
            return None
        way = text(row, "direction")
        caller, called = _ends(way, _address(row.get("from")), _address(row.get("to")))
        return _Said(
            leg=need(row, "uuid"),
            call_id=need(row, "conversation_uuid"),
            status=status,
            detail=text(row, "detail"),
            way=way,
            caller=caller,
            called=called,
            talked=_seconds(text(row, "duration")),
            begun=moment(text(row, "start_time")),
            at=end,
        )
    except PayloadError:
        return None


def _address(said: object) -> str:
    """The address of an endpoint, of whatever type."""
    if not isinstance(said, dict):
        return ""
    return next((found for name in ("number", "uri", "user", "extension") if (found := text(said, name))), "")


def _call(legs: Sequence[_Said]) -> Iterator[CallEvent]:
    """One call. Without the addresses of its webhooks: a leg that came in says which way it went."""
    came = next((said for said in legs if said.way == "inbound"), None)
    direction = _direction(came) if came is not None else Direction.OUT
    to_devices = [said for said in legs if said.way != "inbound" and _device(said.called)]
    alone = came is None and len(to_devices) == len(legs)
    line = came.called if came is not None and direction is Direction.IN else ""
    for said in legs:
        if alone and _outcome(said) is Outcome.SUCCESS:
            # Who else was in it, and which way it went, is told nowhere: the other leg went on in another call.
            continue
        hints = {"direction": str(direction), "line": line}
        if came is None and said in to_devices:
            hints["leg"] = "employee"
        for event in _events(replace(said, hints=hints)):
            yield replace(event, started_at=said.begun) if said is came else event


def _listed(account: Account, door: PbxClient, since: datetime, until: datetime) -> Iterator[Mapping[str, Any]]:
    """All rows of the list of calls, page by page."""
    form = "%Y-%m-%dT%H:%M:%SZ"
    asked = {
        "date_start": since.astimezone(UTC).strftime(form),
        "date_end": until.astimezone(UTC).strftime(form),
        "order": "asc",
        "page_size": _PAGE,
    }
    index = 0
    for _ in range(_MOST_PAGES):
        page = _ask(account, door, "GET", f"/v1/calls?{urlencode({**asked, 'record_index': index})}")
        rows = _rows(page)
        yield from rows
        index += len(rows)
        count = page.get("count")
        if not rows or (type(count) is int and index >= count):
            return
    raise _API.too_long(_MOST_PAGES)


def _rows(page: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    embedded = page.get("_embedded")
    return _API.rows(embedded.get("calls") if isinstance(embedded, dict) else None)


def _token(account: Account) -> str:
    """A token of the application, good for five minutes: a JWT by RS256 under its private key."""
    application, key = _API.login(account)
    # The webhook needs neither, and would pay for both at the start.
    from time import time
    from uuid import uuid4

    import jwt

    now = int(time())
    claims = {"application_id": application, "iat": now, "exp": now + _WINDOW, "jti": str(uuid4())}
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError):
        raise BadInputError("private_key is no RSA key in PEM") from None


def _ask(
    account: Account,
    door: PbxClient,
    method: str,
    path: str,
    *,
    asked: Mapping[str, Any] | None = None,
    limit: str = "",
) -> Mapping[str, Any]:
    """One request; its JSON. Raises as `Api.said` does, in words of our own: Vonage's repeat numbers."""
    headers = {"authorization": f"Bearer {_token(account)}"}
    return _API.said(_API.send(account, door, method, path, headers=headers, asked=asked, limit=limit), _why)


_REFUSALS = {
    400: "the number, the line or the employee's phone can't be called: see caller_id and sip_domain",
    402: "the account has no credit",
    403: "the application may not do that",
    404: "there is no such thing at that address",
}


def _why(said: Mapping[str, Any], status: int) -> Refusal:
    """In words of our own; of its own only the name of the parameter that it does not take."""
    parameters = said.get("invalid_parameters")
    first = parameters[0] if isinstance(parameters, list) and parameters else None
    name = first.get("name") if isinstance(first, dict) else None
    if isinstance(name, str) and re.fullmatch(r"[a-z_.\[\]0-9]{1,40}", name):
        return Refusal(f"it does not take {name}")
    return Refusal(_REFUSALS.get(status, "see its list of errors"))
