"""Telnyx, Call Control v2: a webhook for each step of each leg, signed with Ed25519; both legs of a click are ours.

Signature, payloads and REST calls are those of the vendor's own library (telnyx 4.189.0: lib/webhook_verification,
types/call_*, resources/*) and of developers.telnyx.com. Telnyx is no PBX, and only the first webhook of a leg says
which way the leg goes. So what a leg is to the office follows from its two addresses, from the account's own numbers
(settings `caller_id` and `lines`), and above all from `client_state`, which Telnyx sends back with all that it says of
a leg: base64 of a JSON object of text, with `d` (in, out), `leg` (employee, contact), `ext` (extension), `n` (the other
party's number), `l` (own number), `t` (call_leg_id of the leg that handed the call on) and `c` (call_control_id of the
employee's leg).

A click takes two steps. `originate` rings the employee; `pending` sees in a delivery that the phone was picked up (or
that the contact could not be had), and `connect` calls the contact (or hangs the employee up).
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote, unquote, urlencode

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import BadInputError, HangtagError, UnreachableError
from hangtag.providers.asking import Api, Refusal
from hangtag.providers.base import (
    Account,
    Check,
    Click,
    KnownExtension,
    Media,
    ParseResult,
    PayloadError,
    PbxClient,
    PlacedCall,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
)
from hangtag.providers.reading import believed, json_object, moment, need, text

HOSTS = ("telnyx.com",)
# Its addresses are signed ones of S3, which are good for ten minutes.
MEDIA_HOSTS = ("telnyx.com", "amazonaws.com")
RECORDING_AFTER = 0.0
# How it tells, in a click, that the employee picked up.
PICK_UP = "told"
# Without these it can't be asked to call.
ORIGINATES_WITH = ("api_key", "connection_id")
# The library's own, both ways.
TOLERANCE_SECONDS = 300

_API = Api("Telnyx", "https://api.telnyx.com", ("api_key",))
_NAMES = ("d", "leg", "ext", "n", "l", "t", "c")
_KINDS = {
    "call.initiated": Kind.RINGING,
    "call.answered": Kind.ANSWERED,
    # Who is bridged was answered: it makes up for a call.answered that was lost.
    "call.bridged": Kind.ANSWERED,
    "call.hangup": Kind.ENDED,
}
_RECORDED = "call.recording.saved"
# What else is sent of calls, as the library lists it; it changes nothing here.
_SILENT = re.compile(
    r"call\.(ai_gather\.\w+|analyzed|conversation\.\w+|conversation_insights\.\w+|cost|deepfake_detection\.\w+|"
    r"dequeued|dtmf\.\w+|enqueued|fork\.\w+|gather\.\w+|hold|unhold|machine\.[\w.]+|payment\.\w+|playback\.\w+|"
    r"recording\.(error|transcription\.saved)|refer\.\w+|siprec\.\w+|speak\.\w+|streaming\.\w+|transcription)|"
    r"(conference|siprec|streaming|transcript)\.[\w.]+",
    re.ASCII,
)
# Causes that only a leg has that nobody answered. A call that is declined (603) is busy, as phones have it.
_UNANSWERED = {
    "user_busy": Outcome.BUSY,
    "call_rejected": Outcome.BUSY,
    "timeout": Outcome.NO_ANSWER,
    "no_answer": Outcome.NO_ANSWER,
    "originator_cancel": Outcome.CANCELLED,
    "not_found": Outcome.UNAVAILABLE,
}
_MAX_STATE = 4096
_WITHHELD = ("anonymous", "restricted", "private", "unavailable", "unknown", "blocked")
# All of the call that the employee rang for, or was rung for, is one leg.
_OUT = "out"
_RING_SECONDS = 45
# Telnyx knows a command_id again for a minute.
_REMEMBERED = timedelta(seconds=50)
_PAGE = 250
_MOST_PAGES = 50
# No call lasts longer at Telnyx; what is said of its end comes a little later.
_LONGEST = timedelta(hours=4, minutes=30)
_REFUSALS = {
    "10001": "a number is not active there",
    "10002": "a number is not valid: see the contact's number, and caller_id",
    "10005": "there is nothing of that id",
    "10010": "the API key may not do that",
    "10016": "a number is not written with a plus and the country's code",
    "10017": "connection_id is no application of the account",
    "90018": "the call has already ended",
}


# ------------------------------------------------------------------ from the PBX: is it genuine


def verify(request: WebhookRequest, trust: VerificationKeys) -> None:
    """Telnyx-Signature-Ed25519: base64 of a signature of Telnyx-Timestamp, a bar, and the body as it came."""
    stamp = request.headers.get("telnyx-timestamp", "")
    signature = decoded(request.headers.get("telnyx-signature-ed25519", ""), 64)
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12) or signature is None:
        raise SignatureError("telnyx-timestamp or telnyx-signature-ed25519 is missing, or can't be read")
    if abs(request.arrived_at.timestamp() - int(stamp)) > TOLERANCE_SECONDS:
        raise SignatureError(f"it was signed more than {TOLERANCE_SECONDS} seconds away from its arrival")
    keys = [key for typed in trust.credentials.get("public_key", ()) if (key := decoded(typed, 32)) is not None]
    if not _is_signed(stamp.encode() + b"|" + request.body, signature, keys):
        raise SignatureError("wrong telnyx-signature-ed25519: is public_key the account's?")


def _is_signed(signed: bytes, signature: bytes, keys: list[bytes]) -> bool:
    """Whether one of the keys signed it. Nothing of it is secret, so that the time may tell."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
        except (InvalidSignature, ValueError):
            continue
        return True
    return False


def decoded(said: str, length: int) -> bytes | None:
    """So many bytes from base64; None if it is anything else, or not spelt in the one right way."""
    try:
        raw = base64.b64decode(said, validate=True)
    except ValueError:
        return None
    return raw if len(raw) == length and base64.b64encode(raw).decode() == said else None


# ------------------------------------------------------------------ from the PBX: what it says


@dataclass(frozen=True, slots=True)
class _Said:
    """What one webhook says of one leg. `way` is Telnyx's direction (incoming, outgoing), `begun` the leg's start."""

    name: str
    call_id: str
    leg: str
    control_id: str
    event_id: str
    at: datetime
    at_is_arrival: bool
    begun: datetime | None
    caller: str
    called: str
    way: str
    cause: str
    sip: str
    state: Mapping[str, str] = field(default_factory=dict)


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
    """One webhook. `settings` tell the account's own numbers."""
    events = _told(json_object(request).get("data"), request.arrived_at, settings)
    return ParseResult(unknown=True) if events is None else ParseResult(events)


def _told(data: object, arrived_at: datetime, settings: Mapping[str, Any]) -> tuple[CallEvent, ...] | None:
    """The events of what a webhook holds as `data`; None if it is of a kind that is not known."""
    if not isinstance(data, dict):
        raise PayloadError("data is missing")
    name = need(data, "event_type")
    if name == _RECORDED:
        return _recorded(data, arrived_at)
    if name in _KINDS:
        return _events(_said(data, arrived_at), _own(settings))
    return () if _SILENT.fullmatch(name) else None


def _payload(data: Mapping[str, Any]) -> Mapping[str, Any]:
    payload = data.get("payload")
    if not isinstance(payload, dict):
        raise PayloadError("payload is missing")
    return payload


def _said(data: Mapping[str, Any], arrived_at: datetime) -> _Said:
    payload = _payload(data)
    at = believed(moment(text(data, "occurred_at")), arrived_at)
    return _Said(
        name=need(data, "event_type"),
        call_id=need(payload, "call_session_id"),
        leg=need(payload, "call_leg_id"),
        control_id=text(payload, "call_control_id"),
        event_id=text(data, "id"),
        at=at or arrived_at,
        at_is_arrival=at is None,
        begun=believed(moment(text(payload, "start_time")), arrived_at),
        caller=text(payload, "from"),
        called=text(payload, "to"),
        way=text(payload, "direction"),
        cause=text(payload, "hangup_cause").lower(),
        sip=text(payload, "sip_hangup_cause"),
        state=_state(payload.get("client_state")),
    )


def _state(said: object) -> Mapping[str, str]:
    """What was sent along with the leg; nothing if it is none of ours: any application may send its own."""
    if not isinstance(said, str) or len(said) > _MAX_STATE:
        return {}
    try:
        read = json.loads(base64.b64decode(said, validate=True))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(read, dict) or read.get("d") not in ("in", "out"):
        return {}
    known = ((name, read.get(name)) for name in _NAMES)
    return {name: told for name, told in known if isinstance(told, str) and 0 < len(told) <= 256 and told.isprintable()}


def _recorded(data: Mapping[str, Any], arrived_at: datetime) -> tuple[CallEvent, ...]:
    """By its id or a public address it can be had for as long as it is kept; other addresses die in ten minutes."""
    payload = _payload(data)
    lasting = text(payload, "recording_id") or _address(payload, "public_recording_urls")
    recording = lasting or _address(payload, "recording_urls")
    if not recording:
        return ()
    at = believed(moment(text(data, "occurred_at")), arrived_at)
    event = CallEvent(
        call_id=need(payload, "call_session_id"),
        kind=Kind.RECORDED,
        at=at or arrived_at,
        at_is_arrival=at is None,
        recording=recording,
        recording_is_temporary=not lasting,
        event_id=text(data, "id") or None,
    )
    return (event,)


def _address(fields: Mapping[str, Any], name: str) -> str:
    """The first address of those by format; "" if there is none of the web: an account may have storage of its own."""
    addresses = fields.get(name)
    found = [text(addresses, form, 4096) for form in ("mp3", "wav")] if isinstance(addresses, dict) else []
    return next((address for address in found if address.startswith("http")), "")


# ------------------------------------------------------------------ whose leg it is


@dataclass(frozen=True, slots=True)
class _Own:
    """The account's own numbers, in digits. `all_known`: no other is one."""

    numbers: frozenset[str]
    all_known: bool


def _own(settings: Mapping[str, Any]) -> _Own:
    lines = {_digits(line) for line in str(settings.get("lines") or "").split(",")} - {""}
    return _Own(frozenset(lines | {_digits(str(settings.get("caller_id") or ""))} - {""}), bool(lines))


def _events(said: _Said, own: _Own) -> tuple[CallEvent, ...]:
    """What became of the call by what is said of a leg."""
    event = CallEvent(
        call_id=said.call_id,
        kind=_KINDS[said.name],
        at=said.at,
        at_is_arrival=said.at_is_arrival,
        line=said.state.get("l"),
        event_id=said.event_id or None,
    )
    if said.state.get("d") == "out":
        return _of_contact(event, said) if said.state.get("leg") == "contact" else _of_own_phone(event, said)
    called = need({"to": said.called}, "to")
    if said.state.get("d") == "in" or _device(called):
        return _of_employee(event, said)
    if _device(said.caller):
        return _of_calling_phone(event, said)
    if _digits(_number(called)) in own.numbers:
        return _of_caller(event, said)
    if _digits(_number(said.caller)) in own.numbers:
        return _of_contact(event, said)
    # Between two numbers that are not known to be ours, only a caller's leg that Telnyx did not begin is looked for.
    return () if own.all_known or said.way == "outgoing" else _of_caller(event, said)


def _of_caller(event: CallEvent, said: _Said) -> tuple[CallEvent, ...]:
    """The caller's own leg. That it is answered says only that a menu or the application did; its end is the call's."""
    if event.kind is Kind.ANSWERED:
        return ()
    event = replace(
        event,
        leg=said.leg,
        direction=Direction.IN,
        external=_number(said.caller),
        line=_number(said.called) or None,
        started_at=said.begun,
    )
    # That its end is no end of talking: whoever of the office talked has a leg that says so.
    return (replace(event, outcome=Outcome.CANCELLED, final=True) if event.kind is Kind.ENDED else event,)


def _of_employee(event: CallEvent, said: _Said) -> tuple[CallEvent, ...]:
    """A phone that an incoming call rings."""
    inside = "" if said.state else _device(said.caller)
    event = replace(
        event,
        leg=said.leg,
        direction=Direction.INTERNAL if inside else Direction.IN,
        external=said.state.get("n") or inside or _number(said.caller),
        extension=said.state.get("ext") or _device(said.called) or _digits(said.called) or None,
    )
    if event.kind is Kind.ENDED:
        found = _outcome(said)
        kept = (None, Outcome.SUCCESS, Outcome.CANCELLED)
        event = replace(event, outcome=found if found in kept else Outcome.MISSED)
    before = said.state.get("t")
    if before and event.kind is Kind.RINGING:
        return replace(event, kind=Kind.TRANSFERRED, leg=before, extension=None), event
    return (event,)


def _of_contact(event: CallEvent, said: _Said) -> tuple[CallEvent, ...]:
    """The leg to the contact, which decides what an outgoing call came to. That it is dialled changes nothing."""
    if event.kind is Kind.RINGING:
        return ()
    event = replace(
        event,
        leg=_OUT,
        direction=Direction.OUT,
        external=said.state.get("n") or _number(said.called),
        line=event.line or _number(said.caller) or None,
        extension=said.state.get("ext"),
    )
    return (replace(event, outcome=_outcome(said)) if event.kind is Kind.ENDED else event,)


def _of_own_phone(event: CallEvent, said: _Said) -> tuple[CallEvent, ...]:
    """The employee's phone, rung by a click. Picked up, the contact's leg says how it went."""
    if said.name == "call.bridged":
        return ()
    event = replace(
        event,
        leg=_OUT,
        direction=Direction.OUT,
        external=said.state.get("n"),
        line=event.line or _number(said.caller) or None,
        extension=said.state.get("ext") or _device(said.called) or None,
        started_at=said.begun,
    )
    if event.kind is Kind.ANSWERED:
        return (replace(event, kind=Kind.PICKED_UP),)
    return (_ended_by_phone(event, said),)


def _of_calling_phone(event: CallEvent, said: _Said) -> tuple[CallEvent, ...]:
    """The leg of an employee who dialled. Answered, it may only hear the application; bridged, it hears the contact."""
    if said.name == "call.answered":
        return ()
    event = replace(
        event,
        leg=_OUT,
        direction=Direction.OUT,
        external=_number(said.called),
        extension=_device(said.caller),
        started_at=said.begun,
    )
    return (_ended_by_phone(event, said),)


def _ended_by_phone(event: CallEvent, said: _Said) -> CallEvent:
    """The end of the employee's own leg is the call's, and says nothing of the contact."""
    if event.kind is not Kind.ENDED:
        return event
    return replace(event, outcome=Outcome.NO_ANSWER if said.cause in _UNANSWERED else None, final=True)


def _outcome(said: _Said) -> Outcome | None:
    """How a leg ended; None where that depends on whether it was answered, as after normal_clearing.

    Of a cause that is unspecified or not known, an answer of SIP that is a refusal says that the leg failed.
    """
    if said.cause == "time_limit":
        return Outcome.SUCCESS
    if said.cause in _UNANSWERED or said.cause == "normal_clearing":
        return _UNANSWERED.get(said.cause)
    return Outcome.FAILED if re.fullmatch(r"[456]\d\d", said.sip, re.ASCII) else None


def _user(said: str) -> str | None:
    """The user of a SIP address, or a short number without one; None if it is neither."""
    found = re.fullmatch(r"(?:sips?:)?([^@:;?]*)[^@]*@.*", said.strip(), re.IGNORECASE | re.DOTALL)
    if found is not None:
        return unquote(found[1])
    return said if re.fullmatch(r"\d{2,4}", said, re.ASCII) else None


def _device(said: str) -> str:
    """Whose device an address is: the extension; "" if it is a number of the world outside, or nobody's."""
    user = _user(said) or ""
    return "" if re.fullmatch(r"\+?\d{7,}", user, re.ASCII) or user.lower() in _WITHHELD else user[:64]


def _number(said: str) -> str:
    """A number as it is written, also within a SIP address; "" if it is none, as that of a withheld caller."""
    number = (_user(said) or said).strip()
    return number if _digits(number) else ""


def _digits(said: str) -> str:
    """The digits of a number, however it is written; "" if it is none."""
    bare = re.sub(r"[\s().-]", "", said).removeprefix("+")
    return bare if bare.isascii() and bare.isdigit() and len(bare) <= 32 and bare.strip("0") else ""


# ------------------------------------------------------------------ to the PBX: a click


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What is to be done now about a click, by what a delivery says.

    `dial`: the employee picked up, and the contact is to be called. `hang_up`: the contact's leg is over, and the
    employee must not be left with a silent phone. `control_id` is the employee's leg.
    """

    do: Literal["dial", "hang_up"]
    call_id: str
    control_id: str = field(repr=False)
    extension: str = ""
    number: str = field(default="", repr=False)
    line: str = field(default="", repr=False)


def pending(request: WebhookRequest) -> Pending | None:
    """What a verified delivery asks us to do at Telnyx; None: nothing. Pure.

    Of a fresh delivery only, never of one that is replayed. Doubles do no harm: `connect` says the same command_id of
    the same leg, and once Telnyx may have forgotten that, the contact is not called any more. Raises UnreadableError.
    """
    data = json_object(request).get("data")
    if not isinstance(data, dict) or data.get("event_type") not in ("call.answered", "call.hangup"):
        return None
    said = _said(data, request.arrived_at)
    state = said.state
    if state.get("d") != "out":
        return None
    number, line = _digits(state.get("n", "")), _digits(state.get("l", ""))
    fresh = request.arrived_at - said.at < _REMEMBERED and said.control_id and number and line
    if (said.name, state.get("leg")) == ("call.answered", "employee") and fresh:
        return Pending(
            do="dial",
            call_id=said.call_id,
            control_id=said.control_id,
            extension=state.get("ext", ""),
            number=f"+{number}",
            line=f"+{line}",
        )
    if (said.name, state.get("leg")) == ("call.hangup", "contact") and state.get("c"):
        return Pending(do="hang_up", call_id=said.call_id, control_id=state["c"])
    return None


def originate(account: Account, click: Click, door: PbxClient) -> PlacedCall:
    """Ring the employee; that the phone is picked up comes as a webhook, and then `connect` calls the contact."""
    number = _digits(click.number)
    line = _digits(click.line or "") or _digits(str(account.settings.get("caller_id") or ""))
    if not number:
        raise BadInputError("the number to call must be a plus and digits")
    if not line:
        raise BadInputError("caller_id is not entered: Telnyx shows a number of the account, or a verified one")
    state = {"d": "out", "leg": "employee", "ext": click.extension, "n": f"+{number}", "l": f"+{line}"}
    dial = {"to": _phone(account, click.extension), "from": f"+{line}"}
    return _dial(account, door, dial, state, f"click:{click.reference}")


def connect(account: Account, step: Pending, door: PbxClient) -> PlacedCall:
    """Do what is pending of a click. Raises as `originate` does.

    The contact is called on behalf of the employee's leg, and joined to it when it answers. If Telnyx refuses that, the
    employee's leg is hung up first.
    """
    if step.do == "hang_up":
        _hang_up(account, door, step.control_id)
        return PlacedCall(step.call_id)
    state = {"d": "out", "leg": "contact", "ext": step.extension, "n": step.number, "l": step.line}
    dial: dict[str, Any] = {
        "to": step.number,
        "from": step.line,
        "link_to": step.control_id,
        "bridge_on_answer": True,
        "bridge_intent": True,
    }
    if account.settings.get("record_calls", True):
        dial |= {"record": "record-from-answer", "record_channels": "dual", "record_format": "mp3"}
    try:
        return _dial(account, door, dial, {**state, "c": step.control_id}, f"contact:{step.control_id}")
    except BadInputError:
        _hang_up(account, door, step.control_id)
        raise


def _dial(
    account: Account, door: PbxClient, dial: Mapping[str, Any], state: Mapping[str, str], command: str
) -> PlacedCall:
    """Call a leg. Telnyx ignores a second command of the same id for a minute, so that it may be sent again."""
    connection = account.credentials.get("connection_id")
    if not connection:
        raise BadInputError("connection_id is not entered: Telnyx calls through an application")
    asked = {
        "connection_id": connection,
        **dial,
        "timeout_secs": _RING_SECONDS,
        "client_state": _packed(state),
        "command_id": _command_id(command),
    }
    call_id = _ask(account, door, "POST", "/v2/calls", asked=asked, safe=True).get("call_session_id")
    if not isinstance(call_id, str) or not call_id:
        raise UnreachableError("Telnyx's answer names no call")
    return PlacedCall(call_id)


def _hang_up(account: Account, door: PbxClient, control_id: str) -> None:
    """Hang a leg up, if it is not over; that it can't be is no news for anybody."""
    path = f"/v2/calls/{quote(control_id, safe='')}/actions/hangup"
    try:
        _ask(account, door, "POST", path, asked={"command_id": _command_id(f"end:{control_id}")}, safe=True)
    except HangtagError:
        return


def _phone(account: Account, extension: str) -> str:
    """The SIP address of an employee's phone."""
    if not re.fullmatch(r"[\w.*-]{1,64}", extension, re.ASCII):
        raise BadInputError("the extension can't be part of an address")
    return f"sip:{extension}@{account.settings.get('sip_domain') or 'sip.telnyx.com'}"


def _packed(state: Mapping[str, str]) -> str:
    return base64.b64encode(json.dumps(state, separators=(",", ":")).encode()).decode()


def _command_id(command: str) -> str:
    """The same UUID for the same command."""
    from uuid import NAMESPACE_URL, uuid5

    return str(uuid5(NAMESPACE_URL, f"hangtag:telnyx:{command}"))


# ------------------------------------------------------------------ to the PBX: the rest


def recording(account: Account, reference: str, door: PbxClient) -> Media:
    """A fresh address of a recording, good for some minutes; one that an event named itself is taken as it is."""
    if reference.startswith("https://"):
        return Media(reference)
    if not re.fullmatch(r"[\w-]{1,64}", reference, re.ASCII):
        raise BadInputError("the recording is not kept at Telnyx")
    kept = _ask(account, door, "GET", f"/v2/recordings/{reference}")
    try:
        address = _address(kept, "download_urls")
    except PayloadError:
        address = ""
    if not address:
        raise UnreachableError("Telnyx's answer names no address of the recording")
    return Media(address)


def history(account: Account, since: datetime, until: datetime, door: PbxClient) -> Iterator[CallEvent]:
    """The webhooks of the calls that began in that time, whether they were delivered or not, and the recordings.

    A delivery keeps the webhook as it was sent, so that what it says is the same twice. If `connection_id` is entered,
    it is of that application.
    """
    late = until + _LONGEST
    told: dict[str, list[CallEvent]] = {}
    begun: dict[str, datetime] = {}
    asked = {"filter[event_type]": ",".join(_KINDS), **_between("started_at", since, late)}
    for row in _listed(account, door, "webhook_deliveries", asked):
        for said, events in _delivered(row, account):
            told.setdefault(said.call_id, []).extend(events)
            begun[said.call_id] = min(begun.get(said.call_id, said.at), said.at, said.begun or said.at)
    ours = {call_id for call_id, at in begun.items() if since <= at < until and told[call_id]}
    for call_id in ours:
        yield from told[call_id]
    if ours:
        asked = _between("created_at", since, late)
        kept = (_kept(row) for row in _listed(account, door, "recordings", asked))
        yield from (event for event in kept if event is not None and event.call_id in ours)


def _delivered(row: Mapping[str, Any], account: Account) -> Iterator[tuple[_Said, tuple[CallEvent, ...]]]:
    """A webhook of the list, if it can be read and is of our application."""
    webhook = row.get("webhook")
    try:
        if not isinstance(webhook, dict) or text(webhook, "event_type") not in _KINDS:
            return
        at = moment(text(webhook, "occurred_at"))
        connection = account.credentials.get("connection_id")
        if at is None or (connection and text(_payload(webhook), "connection_id") not in ("", connection)):
            return
        said = _said(webhook, at)
        yield said, _events(said, _own(account.settings))
    except PayloadError:
        return


def _kept(row: Mapping[str, Any]) -> CallEvent | None:
    """A row of the list of recordings; None if it can't be read."""
    try:
        at = moment(text(row, "created_at"))
        if at is None or text(row, "status") not in ("", "completed"):
            return None
        return CallEvent(call_id=need(row, "call_session_id"), kind=Kind.RECORDED, at=at, recording=need(row, "id", 64))
    except PayloadError:
        return None


def extensions(account: Account, door: PbxClient) -> tuple[KnownExtension, ...]:
    """Who can log in at Telnyx with a phone: the user names of SIP connections, and of their further credentials."""
    found: dict[str, KnownExtension] = {}
    for path, name, called in (
        ("credential_connections", "user_name", "connection_name"),
        ("telephony_credentials", "sip_username", "name"),
    ):
        for row in _listed(account, door, path, {}):
            try:
                user = text(row, name, 64)
                if user and row.get("expired") is not True:
                    found.setdefault(user, KnownExtension(user, text(row, called)))
            except PayloadError:
                continue
    return tuple(found.values())


def ping(account: Account, door: PbxClient) -> Check:
    """Whether the API key is taken, and the application can be called through and speaks as it should."""
    if not account.credentials.get("api_key"):
        return Check("pbx", True, "api_key is not entered: calls are received, but can't be clicked")
    connection = account.credentials.get("connection_id")
    if not connection:
        if not isinstance(_ask(account, door, "GET", "/v2/balance").get("balance"), str):
            raise UnreachableError("Telnyx's answer is of no account")
        return Check("pbx", True, "it answers; calls can't be clicked until connection_id is entered")
    application = _ask(account, door, "GET", f"/v2/call_control_applications/{quote(connection, safe='')}")
    if not isinstance(application.get("active"), bool):
        raise UnreachableError("Telnyx's answer is of no application")
    if not application["active"]:
        return Check("pbx", False, "it answers, but the application of connection_id is switched off")
    if application.get("webhook_api_version") == "1":
        return Check("pbx", False, "the application sends webhooks of API v1: set them to API v2 there")
    return Check("pbx", True, "it answers, and the application is active")


def _between(name: str, since: datetime, until: datetime) -> dict[str, str]:
    form = "%Y-%m-%dT%H:%M:%SZ"
    return {
        f"filter[{name}][gte]": since.astimezone(UTC).strftime(form),
        f"filter[{name}][lte]": until.astimezone(UTC).strftime(form),
    }


def _listed(account: Account, door: PbxClient, name: str, asked: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """All rows of a list, page by page, until `meta` says that it was the last, or a page is empty."""
    for page in range(1, _MOST_PAGES + 1):
        query = urlencode({**asked, "page[number]": page, "page[size]": _PAGE})
        answer = _answer(account, door, "GET", f"/v2/{name}?{query}")
        rows, meta = answer.get("data"), answer.get("meta")
        yield from _API.rows(rows)
        pages = meta.get("total_pages") if isinstance(meta, dict) else None
        if not rows or (type(pages) is int and page >= pages):
            return
    raise _API.too_long(_MOST_PAGES)


def _ask(
    account: Account,
    door: PbxClient,
    method: str,
    path: str,
    *,
    asked: Mapping[str, Any] | None = None,
    safe: bool | None = None,
) -> Mapping[str, Any]:
    """One request; the object that it is about. Raises as `_answer` does."""
    data = _answer(account, door, method, path, asked=asked, safe=safe).get("data")
    if not isinstance(data, dict):
        raise UnreachableError("Telnyx's answer holds nothing that can be read")
    return data


def _answer(
    account: Account,
    door: PbxClient,
    method: str,
    path: str,
    *,
    asked: Mapping[str, Any] | None = None,
    safe: bool | None = None,
) -> Mapping[str, Any]:
    """One request; its JSON. Raises as `Api.said` does, in words of our own: Telnyx's repeat numbers."""
    (key,) = _API.login(account)
    headers = {"authorization": f"Bearer {key}"}
    return _API.said(_API.send(account, door, method, path, headers=headers, asked=asked, safe=safe), _why)


def _code(said: Mapping[str, Any]) -> str:
    """The code of the first error; "" if there is none that looks like one."""
    errors = said.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    code = str(first.get("code", "")) if isinstance(first, dict) else ""
    return code if re.fullmatch(r"[A-Z]?\d{1,6}", code, re.ASCII) else ""


def _why(said: Mapping[str, Any], status: int) -> Refusal:
    code = _code(said)
    by_status = {403: "the API key may not do that, or the account may not call there", 404: _REFUSALS["10005"]}
    return Refusal(_REFUSALS.get(code) or by_status.get(status, "see its list of errors"), code)
