"""Plivo: a callback for each step of a call, signed over the configured address, the whole form and a nonce.

The signature is that of the vendor's own library (plivo 4.63.0, utils/signature_v3.py); parameters and XML are those of
plivo.com/docs/voice. Plivo is no PBX: what rings is said by the XML that answers a call. Hangtag's own answers it here,
for clicks always; the query of the address, which is signed too, says what a call is to the office: `direction` (in,
out), `ring` (the extensions that an incoming call rings), `extension`, `line` and `number` (digits), and `reference`,
ours of a click.
"""

import base64
import hmac
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import BadInputError, UnreachableError
from hangtag.limits import Limit
from hangtag.providers.asking import Api, Refusal, basic
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
    WebhookResponse,
)
from hangtag.providers.reading import MAX_FIELDS, form, moment, need, query, same, text, whole, words

HOSTS = ("plivo.com",)
MEDIA_HOSTS = HOSTS
# It is told of once it is there.
RECORDING_AFTER = 0.0
# How it tells, in a click, that the employee picked up.
PICK_UP = "told"
# Those of a new account (plivo.com/docs/voice/concepts/account-limits).
LIMITS = {"": Limit(300, 5), "calls": Limit(2, 1)}

_API = Api("Plivo", "https://api.plivo.com", ("auth_id", "auth_token"), (401, 403))
# Where the phones of the account are registered, unless they are elsewhere.
_PHONES = "phone.plivo.com"
_SIGNATURES = ("x-plivo-signature-v3", "x-plivo-signature-ma-v3")
_NONCE = "x-plivo-signature-v3-nonce"
_MAX_NONCE = 128
_LIMITS = {"CallUUID": 128, "From": 256, "To": 256, "DialBLegUUID": 128, "DialBLegTo": 256, "RecordUrl": 2048}
_HINTS = {"direction": 8, "extension": 64, "line": 32, "number": 32, "ring": 512, "reference": 64}
_ACTIONS = ("answer", "connected", "hangup")
# A leg that ended with one of these was never talked on.
_STATUSES = {
    "busy": Outcome.BUSY,
    "no-answer": Outcome.NO_ANSWER,
    "timeout": Outcome.NO_ANSWER,
    "cancel": Outcome.CANCELLED,
    "failed": Outcome.FAILED,
}
# Hang-up causes by their code (plivo.com/docs/voice/troubleshooting/hangup-causes), or, of an older callback, by name.
# 9000: another phone that was rung along with it was quicker.
_CAUSES = {
    **dict.fromkeys(("3000", "6010", "NO_ANSWER"), Outcome.NO_ANSWER),
    **dict.fromkeys(("3010", "3020", "3100", "3110", "USER_BUSY", "CALL_REJECTED"), Outcome.BUSY),
    **dict.fromkeys(("1000", "9000", "ORIGINATOR_CANCEL"), Outcome.CANCELLED),
    **dict.fromkeys(("2030", "2040", "2050", "3030", "3040", "3130", "3140"), Outcome.NOT_ALLOWED),
    **dict.fromkeys(("3050", "3120", "UNALLOCATED_NUMBER"), Outcome.UNAVAILABLE),
}
# By the first digit, if the code itself is none of these: no such destination, hung up before an answer.
_CAUSES_OF = {"2": Outcome.UNAVAILABLE, "4": Outcome.NO_ANSWER}
_DEVICE = re.compile(r"(?:sips?:)?([^@;?\s]{1,64})@[^@\s]+", re.IGNORECASE)
_EXTENSION = re.compile(r"[\w.*-]{1,64}", re.ASCII)
# All of the call that the employee rang for, or was rung for, is one leg.
_OUT = "out"
_XML = "application/xml"
_NOTHING = WebhookResponse(200, "<Response/>", _XML)
_RING_SECONDS = 60
# A page of any list.
_PAGE = 20
_MOST_PAGES = 500
# How much later than it began a call may end, or its recording be there.
_LATER = timedelta(hours=4)


# ------------------------------------------------------------------ from the PBX: is it genuine


def verify(request: WebhookRequest, trust: VerificationKeys) -> None:
    """X-Plivo-Signature-V3, or -Ma-V3: any of a list of base64 HMAC-SHA256s under the Auth Token."""
    nonce = request.headers.get(_NONCE, "")
    if not 0 < len(nonce) <= _MAX_NONCE:
        raise SignatureError("no nonce, or one that is too long")
    message = f"{_signed(request)}.{nonce}"
    good = [signature(token, message) for token in trust.credentials.get("auth_token", ()) if token]
    if not any(_holds(request.headers.get(name, ""), good) for name in _SIGNATURES):
        raise SignatureError("wrong or missing X-Plivo-Signature-V3: is auth_token the account's?")


def _holds(header: str, good: Sequence[str]) -> bool:
    """Whether a header's list holds a good signature. A doubled header would be a list too; a list has each once."""
    given = [one.strip() for one in header.split(",")]
    return len(set(given)) == len(given) and any(same(one, good) for one in given)


def signature(token: str, message: str) -> str:
    """The signature of a text under an Auth Token."""
    digest = hmac.digest(token.encode("utf-8", "surrogatepass"), message.encode("utf-8", "surrogatepass"), "sha256")
    return base64.b64encode(digest).decode()


def _signed(request: WebhookRequest) -> str:
    """The address, its query sorted and decoded, and the sorted form; a dot parts the two where there are both."""
    address = request.url.partition("?")[0]
    body = b"" if request.method == "GET" else request.body
    try:
        asked = _sorted(_values(request.query), "=", "&")
        posted = _sorted(_values(body.decode()), "", "")
    except ValueError:
        raise PayloadError("the address or the body is no form in UTF-8") from None
    if not posted:
        return f"{address}?{asked}" if asked else address
    return f"{address}?{asked}.{posted}" if asked else f"{address}?{posted}"


def _values(encoded: str) -> Mapping[str, list[str]]:
    return parse_qs(encoded, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)


def _sorted(pairs: Mapping[str, list[str]], between: str, among: str) -> str:
    return among.join(f"{name}{between}{value}" for name in sorted(pairs) for value in sorted(pairs[name]))


# ------------------------------------------------------------------ from the PBX: what it says


@dataclass(frozen=True, slots=True)
class _Leg:
    """What is said of one leg, by a callback or by the list of calls. `parent` is the leg that it was dialled from.

    `way` is Plivo's direction; `what` is ring, start, answer or end.
    """

    uuid: str
    parent: str
    what: str
    way: str
    caller: str
    called: str
    at: datetime
    status: str = ""
    cause: str = ""
    talked: int | None = None
    hints: Mapping[str, str] = field(default_factory=dict)

    @property
    def direction(self) -> Direction:
        """As the address says; else an own phone that calls, or that the API calls, makes an outgoing call."""
        told = {"in": Direction.IN, "out": Direction.OUT}.get(self.hints.get("direction", ""))
        own = _device(self.caller) if self.way == "inbound" else self.way == "outbound"
        return told or (Direction.OUT if own else Direction.IN)


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
    """One callback: of a call, of a leg that it dialled, or of a recording."""
    fields = query(request, _LIMITS) if request.method == "GET" else form(request, _LIMITS)
    hints = {name: value.strip() for name, value in query(request, _HINTS).items() if name in _HINTS}
    uuid = need(fields, "CallUUID")
    nonce = request.headers.get(_NONCE, "")[:_MAX_NONCE] or None
    if text(fields, "RecordUrl"):
        event = CallEvent(
            call_id=uuid,
            kind=Kind.RECORDED,
            at=request.arrived_at,
            at_is_arrival=True,
            recording=text(fields, "RecordUrl", _LIMITS["RecordUrl"]),
            event_id=nonce,
        )
        return ParseResult((event,), _NOTHING)
    leg = _dialled(fields, request.arrived_at) if text(fields, "DialAction") else _own(fields, request.arrived_at)
    if leg is None:
        return ParseResult(reply=_NOTHING, unknown=True)
    leg = replace(leg, hints=hints)
    events = _events(leg, settings)
    reply = _answer(leg, request.url.partition("?")[0], settings) if leg.what == "start" else _NOTHING
    return ParseResult(tuple(replace(event, at_is_arrival=True, event_id=nonce) for event in events), reply)


def _own(fields: Mapping[str, str], at: datetime) -> _Leg | None:
    """A callback of the call itself; None if it is of a kind that is not known."""
    name, status = text(fields, "Event"), text(fields, "CallStatus")
    named = {"StartApp": "start", "Ring": "ring", "Hangup": "end"}
    # Older accounts send no Event: then the status says it.
    by_status = {"ringing": "ring", "in-progress": "start", "completed": "end", **dict.fromkeys(_STATUSES, "end")}
    what = named.get(name) if name else by_status.get(status)
    if what is None:
        return None
    return _Leg(
        uuid=text(fields, "CallUUID"),
        parent="",
        what=what,
        way=text(fields, "Direction"),
        caller=text(fields, "From"),
        called=text(fields, "To"),
        at=at,
        status=status,
        talked=whole(fields, "Duration"),
    )


def _dialled(fields: Mapping[str, str], at: datetime) -> _Leg | None:
    """A callback of a leg that was dialled; None if it is of a kind that is not known."""
    action = text(fields, "DialAction").lower()
    if action not in _ACTIONS:
        return None
    return _Leg(
        uuid=text(fields, "DialBLegUUID"),
        parent=text(fields, "DialALegUUID") or text(fields, "CallUUID"),
        what="end" if action == "hangup" else "answer",
        way=text(fields, "Direction"),
        caller=text(fields, "From"),
        called=text(fields, "DialBLegTo"),
        at=at,
        cause=text(fields, "DialBLegHangupCauseCode") or text(fields, "DialBLegHangupCause"),
        talked=whole(fields, "DialBLegDuration"),
    )


def _events(leg: _Leg, settings: Mapping[str, Any]) -> tuple[CallEvent, ...]:
    """What became of the call by what is said of a leg."""
    kind = {"ring": Kind.RINGING, "start": Kind.RINGING, "answer": Kind.ANSWERED, "end": Kind.ENDED}[leg.what]
    event = CallEvent(
        call_id=leg.parent or leg.uuid,
        kind=kind,
        at=leg.at,
        direction=leg.direction,
        line=_line(leg),
        reference=leg.hints.get("reference") or None,
    )
    if leg.direction is Direction.IN:
        return (_of_phone(event, leg),) if leg.parent else _of_caller(event, leg, settings)
    return (_of_contact(event, leg),) if leg.parent else (_of_own_phone(event, leg),)


def _of_caller(event: CallEvent, leg: _Leg, settings: Mapping[str, Any]) -> tuple[CallEvent, ...]:
    """The caller's own leg. Its start rings the phones that our answer dials; its end is the call's."""
    event = replace(event, external=_external(leg.caller), final=leg.what == "end")
    if leg.what != "start":
        return (event,)
    return event, *(replace(event, leg=phone, extension=phone) for phone in _rung(leg, settings))


def _of_phone(event: CallEvent, leg: _Leg) -> CallEvent:
    """A phone that an incoming call rings."""
    extension = _extension(leg, leg.called)
    event = replace(event, leg=extension or leg.uuid, extension=extension, external=_external(leg.caller))
    if event.kind is not Kind.ENDED:
        return event
    found = _outcome(leg)
    kept = found if found in (Outcome.SUCCESS, Outcome.CANCELLED) else Outcome.MISSED
    return replace(event, outcome=kept, talk_seconds=leg.talked if kept is Outcome.SUCCESS else 0)


def _of_contact(event: CallEvent, leg: _Leg) -> CallEvent:
    """The leg to the contact, which decides what an outgoing call came to."""
    extension = _extension(leg, leg.caller if _device(leg.caller) else "")
    event = replace(event, leg=_OUT, extension=extension, external=_contact(leg, leg.called))
    if event.kind is not Kind.ENDED:
        return event
    found = _outcome(leg)
    return replace(event, outcome=found, talk_seconds=leg.talked if found is Outcome.SUCCESS else 0)


def _of_own_phone(event: CallEvent, leg: _Leg) -> CallEvent:
    """The employee's own leg of an outgoing call: rung by a click, or calling itself."""
    clicked = leg.way == "outbound"
    extension = _extension(leg, leg.called if clicked else leg.caller)
    event = replace(event, leg=_OUT, extension=extension, external=_contact(leg, "" if clicked else leg.called) or None)
    if leg.what == "start" and clicked:
        return replace(event, kind=Kind.PICKED_UP)
    if leg.what == "end":
        # Picked up, the contact's leg says how it went.
        unanswered = clicked and leg.status in _STATUSES
        return replace(event, outcome=Outcome.NO_ANSWER if unanswered else None, final=True)
    return event


def _outcome(leg: _Leg) -> Outcome:
    if leg.talked:
        return Outcome.SUCCESS
    said = _STATUSES.get(leg.status) or _CAUSES.get(leg.cause) or _CAUSES_OF.get(leg.cause[:1])
    return said or Outcome.FAILED


def _line(leg: _Leg) -> str | None:
    """The own number, as the address says it; else what a caller called, or what a contact is shown."""
    told = _digits(leg.hints.get("line", ""))
    own = leg.called if leg.direction is Direction.IN else "" if leg.way == "inbound" else leg.caller
    return told or (_digits(own) if not leg.parent else "") or None


def _contact(leg: _Leg, address: str) -> str:
    return _digits(leg.hints.get("number", "")) or _external(address)


def _extension(leg: _Leg, address: str) -> str | None:
    """Whose phone it is: as the address says, else the user of a SIP address, else the digits of its number."""
    return leg.hints.get("extension") or _device(address) or _digits(address) or None


def _device(said: str) -> str:
    """The user part of a SIP address; "" if it is none."""
    found = _DEVICE.fullmatch(said)
    return found[1] if found is not None else ""


def _digits(said: str) -> str:
    """The digits of a plain number; "" if it is none."""
    number = said.strip().removeprefix("+")
    return number if number.isascii() and number.isdigit() and len(number) <= 32 else ""


def _external(said: str) -> str:
    """The other party's number, or the user of its SIP address; "" if it is withheld."""
    number = _digits(said)
    return (number if number.strip("0") else "") or _device(said)


# ------------------------------------------------------------------ what a call is answered with


def _rung(leg: _Leg, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The extensions that are rung for an incoming call, all at once: of its number, else those of all."""
    entered = re.split(r"[\s,]+", leg.hints.get("ring") or str(settings.get("ring") or ""))
    return tuple(dict.fromkeys(one for one in entered if _EXTENSION.fullmatch(one)))


def _answer(leg: _Leg, webhook_url: str, settings: Mapping[str, Any]) -> WebhookResponse:
    """XML that dials: of an incoming call the phones that are entered, of another the contact."""
    from html import escape

    if leg.direction is Direction.IN:
        domain = str(settings.get("sip_domain") or _PHONES)
        shown = _digits(leg.caller)
        nouns = "".join(f"<User>sip:{phone}@{domain}</User>" for phone in _rung(leg, settings))
        hints = {"direction": "in", "line": _digits(leg.called)}
    else:
        shown = _digits(leg.hints.get("line", "")) or _digits(str(settings.get("caller_id") or ""))
        number = _contact(leg, "" if leg.way == "outbound" else leg.called)
        nouns = f"<Number>{number}</Number>" if _digits(number) else ""
        extension = _extension(leg, leg.called if leg.way == "outbound" else leg.caller) or ""
        hints = {"direction": "out", "extension": extension, "line": shown, "number": number}
        hints |= {"reference": leg.hints.get("reference", "")}
    if not nouns:
        return _NOTHING
    callback = escape(f"{webhook_url}?{urlencode({name: value for name, value in hints.items() if value})}")
    caller = f' callerId="{shown}"' if shown else ""
    recorded = ""
    if settings.get("record_calls", True):
        recorded = (
            f'<Record recordSession="true" redirect="false" maxLength="14400" callbackUrl="{callback}" '
            'callbackMethod="POST"/>'
        )
    return WebhookResponse(
        200,
        f'<Response>{recorded}<Dial{caller} timeout="{_RING_SECONDS}" callbackUrl="{callback}" callbackMethod="POST">'
        f"{nouns}</Dial></Response>",
        _XML,
    )


# ------------------------------------------------------------------ to the PBX


def originate(account: Account, click: Click, door: PbxClient) -> PlacedCall:
    """Ring the employee's phone; once it is picked up, the answer to its start dials the contact.

    The answer names a request, and no call: our reference comes back with each callback.
    """
    number = _digits(click.number)
    line = _digits(click.line or "") or _digits(str(account.settings.get("caller_id") or ""))
    if not number:
        raise BadInputError("the number to call must be a plus and digits")
    if not line:
        raise BadInputError("caller_id is not entered: Plivo shows a number of the account")
    if not account.webhook_url:
        raise BadInputError("the webhook's address is not known: rotate it, so that Plivo can be told of it")
    if not _EXTENSION.fullmatch(click.extension):
        raise BadInputError("the extension can't be part of an address")
    hints = {"direction": "out", "extension": click.extension, "line": line, "number": number}
    callback = f"{account.webhook_url}?{urlencode({**hints, 'reference': click.reference})}"
    asked = {
        "from": line,
        "to": f"sip:{click.extension}@{account.settings.get('sip_domain') or _PHONES}",
        **{f"{name}_url": callback for name in ("answer", "ring", "hangup")},
        **{f"{name}_method": "POST" for name in ("answer", "ring", "hangup")},
        "ring_timeout": _RING_SECONDS,
    }
    if not _ask(account, door, "POST", "Call/", asked, limit="calls").get("request_uuid"):
        raise UnreachableError("Plivo's answer names no request")
    return PlacedCall()


def recording(account: Account, reference: str, door: PbxClient) -> Media:  # noqa: ARG001 - the address is known
    """The recording as it was named; the account may demand its credentials for it, and they go to Plivo only."""
    return Media(reference, {"authorization": _authorization(account)})


def ping(account: Account, door: PbxClient) -> Check:
    """Whether Auth ID and Auth Token are taken: the account is asked for, which changes nothing."""
    if not _ask(account, door, "GET", "").get("auth_id"):
        raise UnreachableError("Plivo's answer is of no account")
    return Check("pbx", True, "it answers, and takes the account's Auth ID and Auth Token")


def extensions(account: Account, door: PbxClient) -> tuple[KnownExtension, ...]:
    """The endpoints, by the user names of their SIP addresses."""
    found = []
    for row in _listed(account, door, "Endpoint/", {}):
        user = row.get("username")
        if isinstance(user, str) and user:
            found.append(KnownExtension(user[:64], str(row.get("alias") or "")[:200]))
    return tuple(found)


def history(account: Account, since: datetime, until: datetime, door: PbxClient) -> Iterator[CallEvent]:
    """The ends of all legs of the calls that began in that time, and their recordings."""
    calls: dict[str, _Row] = {}
    dialled: dict[str, list[_Row]] = defaultdict(list)
    span = {"gte": _stamp(since), "lt": _stamp(until + _LATER)}
    for listed in _listed(account, door, "Call/", {f"end_time__{name}": at for name, at in span.items()}):
        row = _row(listed)
        if row is not None and row.leg.parent:
            dialled[row.leg.parent].append(row)
        elif row is not None and since <= row.begun < until:
            calls[row.leg.uuid] = row
    for uuid, row in calls.items():
        yield from _call(row, dialled[uuid])
    if not calls:
        return
    for listed in _listed(account, door, "Recording/", {f"add_time__{name}": at for name, at in span.items()}):
        event = _kept(listed)
        if event is not None and event.call_id in calls:
            yield event


@dataclass(frozen=True, slots=True)
class _Row:
    """A leg that has ended, and when it began."""

    leg: _Leg
    begun: datetime


def _row(listed: Mapping[str, Any]) -> _Row | None:
    """A row of the list; None if it can't be read."""
    try:
        end, answered = moment(text(listed, "end_time")), text(listed, "answer_time")
        begun = moment(text(listed, "initiation_time")) or end
        if end is None or begun is None:
            return None
        talked = whole(listed, "call_duration")
        leg = _Leg(
            uuid=need(listed, "call_uuid"),
            parent=text(listed, "parent_call_uuid"),
            what="end",
            way=text(listed, "call_direction"),
            caller=text(listed, "from_number"),
            called=text(listed, "to_number"),
            at=end,
            cause=text(listed, "hangup_cause_code"),
            talked=talked if answered else 0,
        )
        return _Row(leg, begun)
    except PayloadError:
        return None


def _call(row: _Row, dialled: list[_Row]) -> Iterator[CallEvent]:
    """One call: its own leg says which way it went, and through which number."""
    direction, own = row.leg.direction, row.leg
    incoming = direction is Direction.IN
    clicked = own.way == "outbound"
    hints = {"direction": str(direction), "line": _line(own) or ""}
    if clicked:
        hints["extension"] = _extension(own, own.called) or ""
    elif not incoming and dialled:
        hints["line"] = _digits(dialled[0].leg.caller)
    for other in dialled:
        caller = own.caller if incoming or not clicked else other.leg.caller
        for event in _events(replace(other.leg, caller=caller, hints=hints), {}):
            yield replace(event, started_at=row.begun)
    unanswered = clicked and not own.talked
    for event in _events(replace(own, hints=hints, status="no-answer" if unanswered else ""), {}):
        yield replace(event, started_at=row.begun)


def _kept(listed: Mapping[str, Any]) -> CallEvent | None:
    """A row of the list of recordings; None if it can't be read."""
    try:
        made = moment(text(listed, "add_time"))
        address = need(listed, "recording_url", _LIMITS["RecordUrl"])
        if made is None:
            return None
        return CallEvent(call_id=need(listed, "call_uuid"), kind=Kind.RECORDED, at=made, recording=address)
    except PayloadError:
        return None


def _listed(account: Account, door: PbxClient, path: str, asked: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """All rows of a list, page by page."""
    for page in range(_MOST_PAGES):
        query_of_page = urlencode({**asked, "limit": _PAGE, "offset": page * _PAGE})
        rows = _API.rows(_ask(account, door, "GET", f"{path}?{query_of_page}").get("objects"))
        yield from rows
        if len(rows) < _PAGE:
            return
    raise _API.too_long(_MOST_PAGES)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _authorization(account: Account) -> str:
    return basic(account.credentials.get("auth_id", ""), account.credentials.get("auth_token", ""))


def _ask(
    account: Account,
    door: PbxClient,
    method: str,
    path: str,
    asked: Mapping[str, Any] | None = None,
    *,
    limit: str = "",
) -> Mapping[str, Any]:
    """One request of the account; its JSON. Raises as `Api.said` does, with Plivo's own words."""
    auth_id, _ = _API.login(account)
    if not re.fullmatch(r"\w{1,64}", auth_id, re.ASCII):
        raise BadInputError("auth_id can't be part of an address")
    headers = {"authorization": _authorization(account)}
    path = f"/v1/Account/{auth_id}/{path}"
    answer = _API.send(account, door, method, path, headers=headers, asked=asked, limit=limit)
    return _API.said(answer, lambda said, _: Refusal(words(said.get("error"), auth_id)))
