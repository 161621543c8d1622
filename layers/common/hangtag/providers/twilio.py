"""Twilio: a callback for each step of each leg, signed over the configured address and the whole form.

The signature is that of the vendor's own library (twilio 9.13.0, request_validator); parameters and REST calls are
those of twilio.com/docs/voice. Twilio is no PBX. What a leg is to the office follows from who was called, and is said
outright by the query of the callback's address, which is signed too: `direction` (in, out), `leg` (employee, contact),
`extension`, `line` (digits), `transferred_from` (CallSid of the leg that handed the call on).
"""

import base64
import hashlib
import hmac
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import BadInputError, UnreachableError
from hangtag.limits import Limit
from hangtag.providers.asking import Api, Refusal, basic
from hangtag.providers.base import (
    Account,
    Check,
    Click,
    Media,
    ParseResult,
    PayloadError,
    PbxClient,
    PlacedCall,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
)
from hangtag.providers.reading import (
    MAX_FIELDS,
    believed,
    is_json,
    json_object,
    moment,
    need,
    query,
    same,
    text,
)

HOSTS = ("twilio.com",)
MEDIA_HOSTS = HOSTS
# It is told of once it is there.
RECORDING_AFTER = 0.0
# How it tells, in a click, that the employee picked up.
PICK_UP = "told"
# A new account places one call a second.
LIMITS = {"calls": Limit(1, 1)}

_API = Api("Twilio", "https://api.twilio.com", ("account_sid", "auth_token"))
_ACCOUNTS = "/2010-04-01/Accounts/"
_SETTINGS_HEADER = "x-twilio-webhooks-signature-settings"
# What is signed with: the Auth Token, or the secret of a shared key.
_ALGORITHMS = {"HMAC_SHA1": ("sha1", "auth_token"), "HMAC_SHA256": ("sha256", "shared_key_secret")}
_PARTS_OF_URL = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#]*?)(?P<port>:\d+)?(?P<rest>[/?#].*)?", re.DOTALL)
# The fields of a callback that tell a leg, and what the list of calls names them.
_LEG = {
    "CallSid": "sid",
    "ParentCallSid": "parent_call_sid",
    "CallStatus": "status",
    "Direction": "direction",
    "From": "from",
    "To": "to",
    "ForwardedFrom": "forwarded_from",
    "CallDuration": "duration",
}
# The fields that are read; each may be there once.
_READ = {*_LEG, "AccountSid", "Called", "Caller", "RecordingStatus", "RecordingUrl", "Timestamp"}
_OUTCOMES = {
    "completed": Outcome.SUCCESS,
    "busy": Outcome.BUSY,
    "no-answer": Outcome.NO_ANSWER,
    "canceled": Outcome.CANCELLED,
    "failed": Outcome.FAILED,
}
# None: it is waited for, and nothing rings yet.
_KINDS: Mapping[str, Kind | None] = {
    "queued": None,
    "initiated": None,
    "ringing": Kind.RINGING,
    "in-progress": Kind.ANSWERED,
    "answered": Kind.ANSWERED,
    **dict.fromkeys(_OUTCOMES, Kind.ENDED),
}
_RECORDING_STATUSES = ("in-progress", "paused", "stopped", "processing", "completed", "absent", "failed", "deleted")
# sip:101@acme.sip.twilio.com;transport=tls, client:101, and 101@acme.sip.twilio.com as the REST API writes it.
_DEVICE = re.compile(r"(?:(?:sips?|client):([^@;?]*)|([^@:;?]+)@).*", re.IGNORECASE | re.DOTALL)
# A caller without a number is the word for it, typed on the keys of a phone: anonymous, restricted, blocked, …
_WITHHELD = ("266696687", "7378742833", "2562533", "8656696", "86282452253")
_RECORDING = re.compile(
    r"https://((?:[a-z0-9-]+\.)*twilio\.com)(/2010-04-01/Accounts/\w{1,64}/Recordings/\w{1,64})(?:\.\w{3,4})?", re.ASCII
)
# All of the call that the employee rang for, or was rung for, is one leg.
_OUT = "out"
_PAGE = 1000
_MOST_PAGES = 50
# How much later than a call its last leg may begin.
_LATER = timedelta(hours=1)
# "Too many requests", should it not come with the status 429.
_TOO_MANY = 20429
_REFUSALS = {
    10001: "the account is not active",
    10004: "the account has too many calls at once",
    20003: "the account, or its key, may not do that",
    20005: "the account is not active",
    20404: "there is no such account, or nothing at that address",
    21205: "it can't reach the webhook's address",
    21210: "the number to show is neither the account's nor verified there: see caller_id and the lines",
    21211: "the employee's phone can't be called: see the extension and sip_domain",
    21212: "the number to show is none: see caller_id and the lines",
    21214: "the employee's phone can't be reached",
    21215: "the account may not call that country: see its geographic permissions",
    21216: "the account may not call that number",
    21219: "a trial account calls verified numbers only",
}


# ------------------------------------------------------------------ from the PBX: is it genuine


def verify(request: WebhookRequest, trust: VerificationKeys) -> None:
    """X-Twilio-Signature: base64 of an HMAC of the address, followed by each parameter's name and value, sorted.

    HMAC-SHA1 under the Auth Token, or HMAC-SHA256 under a shared key where X-Twilio-Webhooks-Signature-Settings says
    so. JSON is signed by its SHA-256 in the address.
    """
    algorithm, keys = _keys(request.headers.get(_SETTINGS_HEADER, ""), trust)
    signed = _signed(request)
    good = [signature(key, url + signed, algorithm) for key in keys if key for url in _addresses(request.url)]
    if not same(request.headers.get("x-twilio-signature", ""), good):
        raise SignatureError("wrong or missing X-Twilio-Signature: is auth_token the account's primary one?")
    account = text(_fields(request), "AccountSid")
    if account and not same(account, trust.credentials.get("account_sid", ())):
        raise SignatureError("it is of another account than account_sid")


def signature(key: str, signed: str, algorithm: str) -> str:
    """The signature of a text under a key."""
    digest = hmac.digest(key.encode("utf-8", "surrogatepass"), signed.encode("utf-8", "surrogatepass"), algorithm)
    return base64.b64encode(digest).decode()


def _keys(settings: str, trust: VerificationKeys) -> tuple[str, tuple[str, ...]]:
    """The algorithm that the header "key=<id>,algorithm=<name>" asks for, and the secrets that may have signed."""
    parts = [(name.strip(), value.strip()) for name, _, value in (part.partition("=") for part in settings.split(","))]
    named = dict(parts)
    if len(named) != len(parts):
        raise SignatureError("X-Twilio-Webhooks-Signature-Settings says something twice")
    known = _ALGORITHMS.get((named.get("algorithm") or "HMAC_SHA1").upper())
    if known is None:
        raise SignatureError("it is signed in a way that is not known here")
    algorithm, credential = known
    wanted = [one for one in trust.credentials.get("shared_key_id", ()) if one]
    if credential == "shared_key_secret" and wanted and not same(named.get("key", ""), wanted):
        raise SignatureError("it is signed with another shared key than shared_key_id")
    return algorithm, trust.credentials.get(credential, ())


def _signed(request: WebhookRequest) -> str:
    """What follows the address in the signed text: nothing where the address covers it all."""
    if request.method == "GET":
        return ""
    if is_json(request):
        if not same(query(request).get("bodySHA256", ""), [hashlib.sha256(request.body).hexdigest()]):
            raise SignatureError("no bodySHA256 in the address covers the JSON")
        return ""
    return "".join(name + value for name, value in _pairs(request))


def _addresses(url: str) -> tuple[str, ...]:
    """The address with and without its port: Twilio signs now the one, now the other."""
    parts = _PARTS_OF_URL.fullmatch(url)
    if parts is None:
        return (url,)
    scheme, host, rest = parts["scheme"], parts["host"], parts["rest"] or ""
    port = parts["port"] or (":443" if scheme == "https" else ":80")
    return f"{scheme}://{host}{rest}", f"{scheme}://{host}{port}{rest}"


def _pairs(request: WebhookRequest) -> list[tuple[str, str]]:
    """The form's names and values, sorted, each pair once: so they are signed."""
    try:
        pairs = parse_qsl(request.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise PayloadError("the body is no form in UTF-8") from None
    return sorted(set(pairs))


def _fields(request: WebhookRequest) -> Mapping[str, Any]:
    if request.method == "GET":
        return query(request)
    if is_json(request):
        return json_object(request)
    fields: dict[str, str] = {}
    for name, value in _pairs(request):
        # Which of two values came first is not signed.
        if name in fields and name in _READ:
            raise PayloadError(f"{name} is given twice")
        fields[name] = value
    return fields


# ------------------------------------------------------------------ from the PBX: what it says


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said of one leg, by a callback or by the list of calls. `way` is Twilio's direction of the leg."""

    sid: str
    parent: str
    status: str
    way: str
    caller: str
    called: str
    forwarded_from: str
    talked: int | None
    at: datetime
    at_is_arrival: bool = False
    recording: str = ""
    hints: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_contacts(self) -> bool:
        """Of an outgoing call: whether it is the contact's leg; else it is the employee's own."""
        return {"contact": True, "employee": False}.get(self.hints.get("leg", ""), bool(self.parent))


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:  # noqa: ARG001 - all is in the request
    """One callback: of a leg, or of a recording."""
    fields = _fields(request)
    need(fields, "CallSid")
    if text(fields, "RecordingStatus"):
        return _recorded(fields, request.arrived_at)
    need(fields, "CallStatus")
    told = believed(moment(text(fields, "Timestamp")), request.arrived_at)
    hints = query(request, dict.fromkeys(("extension", "line", "transferred_from"), 64))
    said = replace(
        _said(fields, told or request.arrived_at),
        at_is_arrival=told is None,
        recording=text(fields, "RecordingUrl", 2048),
        hints={name: value.strip() for name, value in hints.items()},
    )
    events = _events(said)
    return ParseResult(unknown=True) if events is None else ParseResult(events)


def _said(fields: Mapping[str, Any], at: datetime) -> _Said:
    sid, parent, status, way, caller, called, forwarded_from, talked = (text(fields, name) for name in _LEG)
    return _Said(
        sid=sid,
        parent=parent,
        status=status,
        way=way,
        caller=caller or text(fields, "Caller"),
        called=called or text(fields, "Called"),
        forwarded_from=forwarded_from,
        talked=int(talked) if talked.isascii() and talked.isdigit() and len(talked) <= 10 else None,
        at=at,
    )


def _recorded(fields: Mapping[str, Any], arrived_at: datetime) -> ParseResult:
    """CallSid is the parent's, whichever leg was recorded."""
    status = text(fields, "RecordingStatus")
    if status != "completed":
        return ParseResult(unknown=status not in _RECORDING_STATUSES)
    event = CallEvent(
        call_id=need(fields, "CallSid"),
        kind=Kind.RECORDED,
        at=arrived_at,
        at_is_arrival=True,
        recording=need(fields, "RecordingUrl", 2048),
    )
    return ParseResult((event,))


def _events(said: _Said) -> tuple[CallEvent, ...] | None:
    """What became of the call by what is said of a leg; None if it is of a kind that is not known."""
    direction = _direction(said)
    if direction is None or said.status not in _KINDS:
        return None
    kind = _KINDS[said.status]
    if kind is None:
        return ()
    event = CallEvent(
        call_id=said.parent or said.sid,
        kind=kind,
        at=said.at,
        at_is_arrival=said.at_is_arrival,
        direction=direction,
        line=_line(said, direction),
        recording=(said.recording or None) if kind is Kind.ENDED else None,
    )
    if direction is Direction.IN:
        return _of_employee(event, said) if said.parent else _of_caller(event, said)
    return _of_contact(event, said) if said.is_contacts else _of_own_phone(event, said)


def _direction(said: _Said) -> Direction | None:
    """As the address says; else by who is at the other end. None if Twilio's word is not known."""
    told = {"in": Direction.IN, "out": Direction.OUT}.get(said.hints.get("direction", ""))
    # A call that comes in from an employee's phone goes out, one that is dialled to such a phone came in.
    by_way = {
        "inbound": Direction.OUT if _device(said.caller) else Direction.IN,
        "outbound-api": Direction.OUT,
        "outbound-dial": Direction.IN if _device(said.called) else Direction.OUT,
    }
    return told or by_way.get(said.way)


def _of_caller(event: CallEvent, said: _Said) -> tuple[CallEvent, ...]:
    """The caller's own leg. That it is answered says only that Twilio plays or dials; its end is the call's."""
    if event.kind is Kind.ANSWERED:
        return ()
    return (replace(event, external=_external(said.caller), final=event.kind is Kind.ENDED),)


def _of_employee(event: CallEvent, said: _Said) -> tuple[CallEvent, ...]:
    """A phone that an incoming call rings. One that is no device and has no `extension` goes by its number."""
    event = replace(
        event,
        leg=said.sid,
        external=_external(said.caller),
        extension=_extension(said, said.called),
    )
    if event.kind is Kind.ENDED:
        found = _OUTCOMES[said.status]
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
        extension=_extension(said, said.caller if _device(said.caller) else ""),
    )
    if event.kind is Kind.ENDED:
        found = _OUTCOMES[said.status]
        event = replace(event, outcome=found, talk_seconds=said.talked if found is Outcome.SUCCESS else 0)
    return (event,)


def _of_own_phone(event: CallEvent, said: _Said) -> tuple[CallEvent, ...]:
    """The employee's own leg of an outgoing call: rung by a click, or come in from the employee's phone."""
    clicked = said.way == "outbound-api"
    own, other = (said.called, "") if clicked else (said.caller, said.called)
    event = replace(
        event,
        leg=_OUT,
        external=_external(other) or None,
        extension=_extension(said, own),
    )
    if event.kind is Kind.ANSWERED:
        return (replace(event, kind=Kind.PICKED_UP),) if clicked else ()
    if event.kind is Kind.ENDED:
        # Picked up, the contact's leg says how it went.
        unanswered = clicked and said.status != "completed"
        event = replace(event, outcome=Outcome.NO_ANSWER if unanswered else None, final=True)
    return (event,)


def _line(said: _Said, direction: Direction) -> str | None:
    """The own number, as the address says it, else the called one of an incoming call, the shown one of another."""
    told = _digits(said.hints.get("line", ""))
    if told:
        return f"+{told}"
    if direction is Direction.OUT:
        return said.caller if said.way != "inbound" and _digits(said.caller) else None
    own = said.forwarded_from if said.parent else said.called
    return own if _digits(own) else None


def _extension(said: _Said, address: str) -> str | None:
    """Whose phone it is: as the callback's address says, else the name of the device, else the digits of its number."""
    device = _device(address)
    return said.hints.get("extension") or _digits(device or address) or device or None


def _device(said: str) -> str:
    """The user part of a SIP or Client address; "" if it is none."""
    found = _DEVICE.fullmatch(said)
    return (found[1] or found[2] or "")[:64] if found is not None else ""


def _digits(said: str) -> str:
    """The digits of a plain number; "" if it is none."""
    number = said.strip().removeprefix("+")
    return number if number.isascii() and number.isdigit() and len(number) <= 32 else ""


def _external(said: str) -> str:
    """The other party's number, or the name of its device; "" if it is withheld."""
    number = _digits(said)
    if number:
        return "" if number in _WITHHELD or not number.strip("0") else said.strip()
    return _device(said)


# ------------------------------------------------------------------ to the PBX


def originate(account: Account, click: Click, door: PbxClient) -> PlacedCall:
    """Ring the employee's phone; once it is picked up, the inline TwiML dials the contact. Both legs are told of."""
    number = _digits(click.number)
    line = _digits(click.line or "") or _digits(str(account.settings.get("caller_id", "")))
    if not number:
        raise BadInputError("the number to call must be a plus and digits")
    if not line:
        raise BadInputError("caller_id is not entered: Twilio shows a number of the account, or a verified one")
    if not account.webhook_url:
        raise BadInputError("the webhook's address is not known: rotate it, so that Twilio can be told of it")
    form = [
        ("To", _phone(account, click.extension)),
        ("From", f"+{line}"),
        ("Twiml", _twiml(account, click.extension, number, line)),
        ("StatusCallback", _callback(account, "employee", click.extension)),
        *(("StatusCallbackEvent", name) for name in ("ringing", "answered", "completed")),
    ]
    answer = _ask(account, door, "POST", f"{_account(account)}/Calls.json", form=form, limit="calls")
    sid = answer.get("sid")
    if not isinstance(sid, str) or not sid:
        raise UnreachableError("Twilio's answer names no call")
    return PlacedCall(sid)


def _phone(account: Account, extension: str) -> str:
    """Where the employee is called: at the SIP domain, or at Twilio Client if there is none."""
    if not re.fullmatch(r"[\w.*-]{1,64}", extension, re.ASCII):
        raise BadInputError("the extension can't be part of an address")
    domain = str(account.settings.get("sip_domain", ""))
    return f"sip:{extension}@{domain}" if domain else f"client:{extension}"


def _callback(account: Account, leg: str, extension: str) -> str:
    return f"{account.webhook_url}?{urlencode({'direction': 'out', 'leg': leg, 'extension': extension})}"


def _twiml(account: Account, extension: str, number: str, line: str) -> str:
    from html import escape

    recorded = ""
    if account.settings.get("record_calls", True):
        recorded = f' record="record-from-answer-dual" recordingStatusCallback="{escape(account.webhook_url)}"'
    callback = escape(_callback(account, "contact", extension))
    return (
        f'<Response><Dial callerId="+{line}"{recorded}>'
        f'<Number statusCallback="{callback}" statusCallbackEvent="ringing answered completed">+{number}</Number>'
        "</Dial></Response>"
    )


def recording(account: Account, reference: str, door: PbxClient) -> Media:  # noqa: ARG001 - it is known where it is
    """The recording as MP3. The account may demand its credentials for it; they go to Twilio only."""
    found = _RECORDING.fullmatch(reference)
    if found is None:
        raise BadInputError("the recording is not kept at Twilio")
    url = _API._replace(base=f"https://{found[1]}").url(account, f"{found[2]}.mp3")
    return Media(url, {"authorization": _authorization(account)})


def ping(account: Account, door: PbxClient) -> Check:
    """Whether Auth Token and API key are taken, and the account is active."""
    status = _ask(account, door, "GET", f"{_account(account)}.json", as_owner=True).get("status")
    if not isinstance(status, str):
        raise UnreachableError("Twilio's answer is of no account")
    if status != "active":
        return Check("pbx", False, "it answers, but the account is suspended or closed")
    if _has_api_key(account):
        _ask(account, door, "GET", f"{_account(account)}/Calls.json?PageSize=1")
    return Check("pbx", True, "it answers, and the account is active")


def history(account: Account, since: datetime, until: datetime, door: PbxClient) -> Iterator[CallEvent]:
    """The ends of all legs of the calls that began in that time, and their recordings."""
    parents: dict[str, _Row] = {}
    children: dict[str, list[_Row]] = defaultdict(list)
    # An answered leg's StartTime is when it was answered.
    for listed in _listed(account, door, "Calls", "calls", "StartTime", since, until):
        row = _row(listed)
        if row is not None and row.said.parent:
            children[row.said.parent].append(row)
        elif row is not None and since <= row.begun < until:
            parents[row.said.sid] = row
    for sid, parent in parents.items():
        yield from _call(parent, children[sid])
    if not parents:
        return
    for listed in _listed(account, door, "Recordings", "recordings", "DateCreated", since, until):
        event = _kept(listed)
        if event is not None and event.call_id in parents:
            yield event


@dataclass(frozen=True, slots=True)
class _Row:
    """A leg that has ended, and when Twilio began to call or was called."""

    said: _Said
    begun: datetime


def _row(listed: Mapping[str, Any]) -> _Row | None:
    """A row of the list; None if it can't be read, or the leg has not ended."""
    try:
        end = moment(text(listed, "end_time")) or moment(text(listed, "date_updated"))
        begun = moment(text(listed, "date_created")) or moment(text(listed, "start_time"))
        if end is None or begun is None or need(listed, "status") not in _OUTCOMES or not need(listed, "sid"):
            return None
        return _Row(_said({name: listed.get(listed_as) for name, listed_as in _LEG.items()}, end), begun)
    except PayloadError:
        return None


def _call(parent: _Row, children: list[_Row]) -> Iterator[CallEvent]:
    """One call. The parent says which way it went; an incoming one begins for the office with the first ring."""
    direction = _direction(parent.said)
    if direction is None:
        return
    incoming = direction is Direction.IN
    begun = min(row.begun for row in children) if incoming and children else parent.begun
    hints = {"direction": str(direction), "line": parent.said.called if incoming else ""}
    for row in (*children, parent):
        for event in _events(replace(row.said, hints=hints)) or ():
            yield replace(event, started_at=begun)


def _kept(listed: Mapping[str, Any]) -> CallEvent | None:
    """A row of the list of recordings; None if it can't be read, or there is nothing to fetch."""
    try:
        made = moment(text(listed, "date_created"))
        address = text(listed, "media_url", 2048) or _API.base + need(listed, "uri", 2048).removesuffix(".json")
        if made is None or text(listed, "status") not in ("completed", ""):
            return None
        return CallEvent(call_id=need(listed, "call_sid"), kind=Kind.RECORDED, at=made, recording=address)
    except PayloadError:
        return None


def _listed(
    account: Account, door: PbxClient, name: str, key: str, by: str, since: datetime, until: datetime
) -> Iterator[Mapping[str, Any]]:
    """All rows of a list, page by page. Legs and recordings of a call come after it."""
    form = "%Y-%m-%dT%H:%M:%SZ"
    asked = {
        f"{by}>": since.astimezone(UTC).strftime(form),
        f"{by}<": (until + _LATER).astimezone(UTC).strftime(form),
        "PageSize": _PAGE,
    }
    path: Any = f"{_account(account)}/{name}.json?{urlencode(asked)}"
    for _ in range(_MOST_PAGES):
        page = _ask(account, door, "GET", path)
        yield from _API.rows(page.get(key))
        path = page.get("next_page_uri")
        if not path:
            return
        if not isinstance(path, str) or not path.startswith(_ACCOUNTS):
            raise UnreachableError("Twilio's list goes on at an address that is none of its own")
    raise _API.too_long(_MOST_PAGES)


def _account(account: Account) -> str:
    sid = account.credentials.get("account_sid", "")
    if not re.fullmatch(r"\w{1,64}", sid, re.ASCII) or not account.credentials.get("auth_token"):
        raise BadInputError("account_sid and auth_token are needed to ask Twilio")
    return _ACCOUNTS + sid


def _has_api_key(account: Account) -> bool:
    return bool(account.credentials.get("api_key_sid") and account.credentials.get("api_key_secret"))


def _authorization(account: Account, *, as_owner: bool = False) -> str:
    """HTTP Basic with the API key if there is one, else with the account's Auth Token."""
    names = ("account_sid", "auth_token")
    if _has_api_key(account) and not as_owner:
        names = ("api_key_sid", "api_key_secret")
    return basic(*(account.credentials.get(name, "") for name in names))


def _ask(
    account: Account,
    door: PbxClient,
    method: str,
    path: str,
    *,
    form: list[tuple[str, str]] | None = None,
    limit: str = "",
    as_owner: bool = False,
) -> Mapping[str, Any]:
    """One request; its JSON. Raises as `Api.said` does, in words of our own: Twilio's repeat numbers."""
    headers = {"authorization": _authorization(account, as_owner=as_owner)}
    api = _API
    if _has_api_key(account) and not as_owner:
        api = _API._replace(logins=("api_key_sid", "api_key_secret"))
    answer = api.send(account, door, method, path, headers=headers, form=form, limit=limit)

    def why(said: Mapping[str, Any], status: int) -> Refusal:
        code = said.get("code")
        if code == _TOO_MANY:
            raise api.too_many(door)
        number = code if type(code) is int and 0 < code < 1_000_000 else status
        return Refusal(_REFUSALS.get(number, "see its list of errors"), str(number))

    return api.said(answer, why)
