"""Binotel: forms named by requestType, posted from published addresses; nothing is signed.

Requests and fields as in clients that Binotel's customers published (sashalenz/binotel-api, denostr/binotel-api), the
addresses from developers.binotel.ua. REST API 4.0: JSON both ways, key and secret in each body, errors with status 200.
"""

import ipaddress
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import UnreachableError
from hangtag.limits import Limit
from hangtag.providers.asking import Api, Refusal
from hangtag.providers.base import (
    Account,
    Check,
    Click,
    KnownExtension,
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
from hangtag.providers.reading import (
    believed,
    form,
    is_json,
    json_object,
    moment,
    need,
    same,
    text,
    whole,
    words,
)

HOSTS = ("binotel.com", "binotel.ua")
# Without these it can't be asked to call.
ORIGINATES_WITH = ("key", "secret")
# The vendor names no limit.
LIMITS = {"": Limit(60, 60)}

# The servers that the vendor names: requests are served if they are from these only.
ADDRESSES = (
    *(f"194.88.218.{number}" for number in (114, 116, 117, 118, 119, 120)),
    *(f"194.88.219.{number}" for number in (67, 70, 71, 72, *range(78, 90), 92)),
    *(f"185.100.66.{number}" for number in (145, 146, 147)),
)
# It tells refusals of a login, as all others, by a code and with status 200.
_API = Api("Binotel", "https://api.binotel.com", ORIGINATES_WITH, ())
# "Requests are too frequent".
_TOO_FREQUENT = "106"
_LIMITS = {"generalCallID": 64, "externalNumber": 64, "internalNumber": 32, "pbxNumber": 64}
# A final record has twenty, or forty of a tracked call, and seven for each time that a phone rang in a queue.
_MOST_FIELDS = 1000
# The same in API 2, whose names are still sent beside or instead of these.
_OLD_NAMES = {
    "externalNumber": ("dstNumber", "srcNumber"),
    "internalNumber": ("extNumber",),
    "pbxNumber": ("didNumber",),
}
_KINDS = {
    "receivedTheCall": Kind.RINGING,
    "answeredTheCall": Kind.ANSWERED,
    # It names whom the call goes to.
    "transferredTheCall": Kind.RINGING,
    "hangupTheCall": Kind.ENDED,
}
# They are sent without the company's id, or with it in callDetails.
_NAMELESS = ("hangupTheCall", "apiCallCompleted")
_LOOK_UPS = ("apiCallSettings", "gettingCallSettings")
_DIRECTIONS = {"0": Direction.IN, "1": Direction.OUT}
# What is still going on is no end, and a message is no call: the history lists both.
_NO_END = ("ONLINE", "CALLING", "SMS-SENDING", "SMS-SUCCESS", "SMS-FAILED")
_DISPOSITIONS = {
    "ANSWER": Outcome.SUCCESS,
    "TRANSFER": Outcome.SUCCESS,
    "BUSY": Outcome.BUSY,
    "NOANSWER": Outcome.NO_ANSWER,
    "CANCEL": Outcome.CANCELLED,
    "CHANUNAVAIL": Outcome.UNAVAILABLE,
    "VM": Outcome.NO_ANSWER,
    "VM-SUCCESS": Outcome.NO_ANSWER,
}
# recordingStatus of a call that has no recording.
_NOT_RECORDED = ("", "0", "none", "no", "false", "disabled")
_DONE = WebhookResponse(200, '{"status":"success"}')
_UKRAINE = "+380"
# One request tells of a day at most.
_HISTORY_SPAN = timedelta(hours=24)


# ------------------------------------------------------------------ from the PBX


def verify(request: WebhookRequest, trust: VerificationKeys) -> None:
    """From one of Binotel's addresses, and of the tenant's company where the request names one."""
    companies = [company for company in trust.credentials.get("company_id", ()) if company]
    if not companies:
        raise SignatureError("company_id is not entered")
    if not _is_from(request.source_ip, trust.credentials.get("source_addresses", ())):
        raise SignatureError("not from an address of Binotel: if it has new ones, enter them as source_addresses")
    fields = _fields(request)
    named = [text(fields, "companyID"), text(_details(fields), "companyID")]
    lacks = not named[0] and text(fields, "requestType") not in _NAMELESS
    if lacks or not all(same(company, companies) for company in named if company):
        raise SignatureError("wrong or missing companyID: is company_id the one of this account?")


def _is_from(address: str, lists: tuple[str, ...]) -> bool:
    """Whether an address is in one of these lists, networks among them; without any, in the vendor's."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    entered = [one for listed in lists for one in listed.replace(",", " ").split()]
    return any(known in ipaddress.ip_network(one, strict=False) for one in entered or ADDRESSES)


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:  # noqa: ARG001 - all is in the request
    """One request."""
    fields = _fields(request)
    name = need(fields, "requestType")
    if name in _LOOK_UPS:
        return _contact(fields)
    if name == "apiCallCompleted":
        return ParseResult(_completed(_details(fields), request.arrived_at), _DONE)
    kind = _KINDS.get(name)
    if kind is None:
        return ParseResult(reply=_DONE, unknown=True)
    event = _event(fields, kind, request.arrived_at)
    return ParseResult((event,) if event is not None else (), _DONE)


def _fields(request: WebhookRequest) -> Mapping[str, Any]:
    return json_object(request) if is_json(request) else form(request, _LIMITS, _MOST_FIELDS)


def _event(fields: Mapping[str, Any], kind: Kind, arrived_at: datetime) -> CallEvent | None:
    """What a request on the way says; a hang-up names nobody, and speaks of the whole call."""
    ended = kind is Kind.ENDED
    disposition = text(fields, "disposition")
    if ended and disposition.upper() in _NO_END:
        return None
    direction = _DIRECTIONS.get(text(fields, "callType"))
    found = _outcome(disposition, direction) if ended else None
    extension = _named(fields, "internalNumber") or None
    return CallEvent(
        call_id=need(fields, "generalCallID", _LIMITS["generalCallID"]),
        kind=kind,
        at=arrived_at,
        at_is_arrival=True,
        leg=extension or "",
        direction=direction,
        external=_named(fields, "externalNumber"),
        line=_named(fields, "pbxNumber") or None,
        extension=extension,
        outcome=found,
        talk_seconds=((whole(fields, "billsec") or 0) if found is Outcome.SUCCESS else 0) if ended else None,
        final=ended,
    )


def _named(fields: Mapping[str, Any], name: str) -> str | None:
    """A field by its name or an old one; None if there is none, "" if it is empty."""
    found = [text(fields, one, _LIMITS[name]) for one in (name, *_OLD_NAMES[name]) if one in fields]
    return next((said for said in found if said), "" if found else None)


def _details(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """callDetails, as JSON or as a form of PHP: callDetails[startTime], callDetails[pbxNumberData][number]."""
    said = fields.get("callDetails")
    if isinstance(said, dict):
        return said
    begins = "callDetails["
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if name.startswith(begins) and name.endswith("]"):
            _put(found, name[len(begins) : -1].split("]["), value)
    return found


def _put(into: dict[str, Any], names: list[str], value: str) -> None:
    """A value where PHP would have it; where it contradicts another, the first stays."""
    for name in names[:-1]:
        inner = into.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        into = inner
    into.setdefault(names[-1], value)


def _completed(details: Mapping[str, Any], arrived_at: datetime | None) -> tuple[CallEvent, ...]:
    """The last word on a call, from a webhook or from the history: the events of it. Raises UnreadableError."""
    call_id = need(details, "generalCallID", _LIMITS["generalCallID"])
    disposition = text(details, "disposition")
    if disposition.upper() in _NO_END:
        return ()
    direction = _DIRECTIONS.get(text(details, "callType"))
    found = _outcome(disposition, direction)
    talked = (whole(details, "billsec") or 0) if found is Outcome.SUCCESS else 0
    began = moment(text(details, "startTime"))
    if arrived_at is not None:
        began = believed(began, arrived_at)
    at = began + timedelta(seconds=(whole(details, "waitsec") or 0) + talked) if began is not None else arrived_at
    if at is None:
        raise PayloadError("startTime is missing, or no time")
    extension = text(details, "internalNumber", _LIMITS["internalNumber"]) or None
    line = details.get("pbxNumberData")
    end = CallEvent(
        call_id=call_id,
        kind=Kind.ENDED,
        at=at,
        at_is_arrival=began is None,
        leg=extension or "",
        direction=direction,
        external=text(details, "externalNumber", _LIMITS["externalNumber"]),
        line=(text(line, "number", _LIMITS["pbxNumber"]) or None) if isinstance(line, dict) else None,
        extension=extension,
        outcome=found,
        talk_seconds=talked,
        # It is asked for by the call's own id.
        recording=None if text(details, "recordingStatus").lower() in _NOT_RECORDED else call_id,
        final=True,
        started_at=began,
    )
    return (*_tried(details.get("historyData"), end), end)


def _tried(history_data: Any, end: CallEvent) -> Iterator[CallEvent]:
    """The phones that an incoming call rang in vain: who is named nowhere else if nobody answered."""
    rows = history_data.values() if isinstance(history_data, dict) else history_data
    if end.direction is not Direction.IN or not isinstance(rows, Iterable) or isinstance(rows, str):
        return
    kept = Outcome.CANCELLED if end.outcome is Outcome.SUCCESS else Outcome.MISSED
    named = [text(row, "internalNumber", _LIMITS["internalNumber"]) for row in rows if isinstance(row, dict)]
    for extension in dict.fromkeys(named):
        if extension and extension != end.extension:
            yield replace(
                end, leg=extension, extension=extension, outcome=kept, talk_seconds=0, recording=None, final=False
            )


def _outcome(disposition: str, direction: Direction | None) -> Outcome | None:
    if not disposition:
        return None
    found = _DISPOSITIONS.get(disposition.upper(), Outcome.FAILED)
    return Outcome.MISSED if direction is Direction.IN and found is not Outcome.SUCCESS else found


def _contact(fields: Mapping[str, Any]) -> ParseResult:
    """Before a phone rings Binotel asks who is calling, and rings who is responsible if it is told."""
    number = _named(fields, "externalNumber")

    def respond(office: OfficeLookups) -> WebhookResponse:
        card = office.contact(number) if number else None
        if card is None:
            return WebhookResponse(200, "{}")
        found = {"name": card.name} | ({"assignedToEmployeeNumber": card.responsible} if card.responsible else {})
        return WebhookResponse(200, json.dumps({"customerData": found}, ensure_ascii=False))

    return ParseResult(reply=WebhookResponse(200, "{}"), respond=respond)


# ------------------------------------------------------------------ to the PBX


def originate(account: Account, click: Click, door: PbxClient) -> PlacedCall:
    """The internal line is rung first; what comes of that, half a minute perhaps, is not waited for (async)."""
    asked: dict[str, Any] = {"internalNumber": click.extension, "externalNumber": _dialled(click.number), "async": True}
    if click.line:
        asked["pbxNumber"] = _dialled(click.line)
    said = _ask(account, door, "calls/internal-number-to-external-number", asked, safe=False)
    call_id = said.get("generalCallID")
    return PlacedCall(str(call_id) if isinstance(call_id, str | int) and call_id else None)


def _dialled(number: str) -> str:
    """A number as Binotel dials it: Ukraine's own in ten digits from 0."""
    return f"0{number.removeprefix(_UKRAINE)}" if number.startswith(_UKRAINE) else number.removeprefix("+")


def recording(account: Account, reference: str, door: PbxClient) -> Media:
    """A link that lives for fifteen minutes."""
    link = _ask(account, door, "stats/call-record", {"generalCallID": reference}).get("url")
    if not isinstance(link, str) or not link:
        raise UnreachableError("Binotel named no link to the recording")
    return Media(link)


def history(account: Account, since: datetime, until: datetime, door: PbxClient) -> Iterator[CallEvent]:
    """The calls of that time, a day a request; rows that can't be read are left out."""
    begin = since
    while begin < until:
        end = min(until, begin + _HISTORY_SPAN)
        asked = {"startTime": int(begin.timestamp()), "stopTime": int(end.timestamp())}
        for row in _rows(_ask(account, door, "stats/list-of-calls-for-period", asked).get("callDetails")):
            try:
                yield from _completed(row, None)
            except PayloadError:
                continue
        begin = end


def extensions(account: Account, door: PbxClient) -> tuple[KnownExtension, ...]:
    """The employees with their internal numbers."""
    found = []
    for row in _rows(_ask(account, door, "settings/list-of-employees", {}).get("listOfEmployees")):
        endpoint = row.get("endpointData")
        said = endpoint.get("internalNumber") if isinstance(endpoint, dict) else row.get("internalNumber")
        if isinstance(said, str | int) and said:
            found.append(KnownExtension(str(said)[:32], str(row.get("name") or "")[:200]))
    return tuple(found)


def ping(account: Account, door: PbxClient) -> Check:
    """Whether the API takes key and secret: the employees are asked for, which changes nothing."""
    return Check("pbx", True, f"it answers, and has {len(extensions(account, door))} employees with a number")


def _rows(said: Any) -> list[Mapping[str, Any]]:
    """The rows of a list, which PHP writes as an object by id, and as an empty list if there are none."""
    return _API.rows(list(said.values()) if isinstance(said, dict) else said)


def _ask(
    account: Account, door: PbxClient, method: str, asked: Mapping[str, Any], *, safe: bool = True
) -> Mapping[str, Any]:
    """What a method answers. Raises as `Api.said` does, with Binotel's own words, and TooManyError."""
    key, secret = _API.login(account)
    sent = {**asked, "key": key, "secret": secret}
    answer = _API.send(account, door, "POST", f"/api/4.0/{method}.json", headers={}, asked=sent, safe=safe)

    def refused(said: Mapping[str, Any], status: int) -> Refusal:
        code = str(said.get("code", status))
        if code == _TOO_FREQUENT:
            raise _API.too_many(door)
        is_code = len(code) <= 4 and code.isascii() and code.isalnum()
        return Refusal(words(said.get("message"), secret), code if is_code else "")

    said = _API.said(answer, refused)
    if "status" not in said:
        raise _API.unreadable(answer.status)
    if said["status"] != "success":
        raise _API.refused(refused(said, answer.status), answer.status)
    return said
