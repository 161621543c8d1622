"""The family of ITooLabs' REST API for CRMs: MegaFon, KCell, Moldcell and many more VATS, each a preset.

A VATS posts `cmd=event|history|contact|rating`, as a form or as JSON, with the CRM's key in each. Fields as in the
clients that its operators' customers published (MikoPBX, megafon-ats); `type` means different things in event and
history. Two APIs lead back: the one under /crmapi/v1, and the older one at /sys/crm_api.wcgp.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import BadInputError, UnreachableError
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
    Response,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
    WebhookResponse,
)
from hangtag.providers.reading import (
    believed,
    form,
    is_json,
    is_one_of,
    json_object,
    json_of,
    moment,
    need,
    outcome,
    query,
    text,
    whole,
    words,
)

# The admin types the VATS's address.
HOSTS: tuple[str, ...] = ()
# How it tells, in a click, that the employee picked up.
PICK_UP = "accepted"
# Without these it can't be asked to call.
ORIGINATES_WITH = ("pbx_url", "api_key")
# The vendor names no limit.
LIMITS = {"": Limit(60, 60)}

# Its address is entered with the key.
_API = Api("the VATS", "", ("api_key",), (401, 403))
SECRET = "crm_token"  # noqa: S105 - the name of the field
_LIMITS = {"phone": 64, "ext": 32, "telnum": 64, "diversion": 64, "user": 128, "callid": 512, "second_callid": 512}
_LIMITS |= {"link": 2048, "start": 40, "duration": 10}
_OK = WebhookResponse(200, '{"status":"ok"}')
_KINDS = {
    "INCOMING": Kind.RINGING,
    "OUTGOING": Kind.RINGING,
    "ACCEPTED": Kind.ANSWERED,
    "COMPLETED": Kind.ENDED,
    "CANCELLED": Kind.ENDED,
    "TRANSFERRED": Kind.TRANSFERRED,
}
_DIRECTIONS = {"in": Direction.IN, "out": Direction.OUT, "internal": Direction.INTERNAL}
# A department's login, as g_<uuid>@tenant: nobody's phone.
_GROUP = "g_"
_STAMP = "%Y%m%dT%H%M%SZ"
_MAX_ROWS = 100_000


# ------------------------------------------------------------------ from the PBX


def verify(request: WebhookRequest, trust: VerificationKeys) -> None:
    """The key in the body, or in the query of a GET."""
    given = _fields(request).get(SECRET)
    if not isinstance(given, str) or not is_one_of(given, trust.hashes.get(SECRET, ())):
        raise SignatureError("wrong or missing crm_token", _error(401, "Invalid token"))


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:  # noqa: ARG001 - all is in the request
    """One command of the VATS."""
    fields = _fields(request)
    command = text(fields, "cmd").lower()
    if command == "event":
        event = _event(fields, request.arrived_at)
        return ParseResult((event,), _OK) if event is not None else ParseResult(reply=_OK, unknown=True)
    if command == "history":
        return ParseResult((_told(_history_fields(fields), request.arrived_at),), _OK)
    if command == "contact":
        return _contact(fields)
    if command == "rating":
        return ParseResult(reply=_OK)
    raise PayloadError("cmd is none of event, history, contact, rating", _error(400, "Invalid parameters"))


def _fields(request: WebhookRequest) -> Mapping[str, Any]:
    if request.method == "GET":
        return query(request, _LIMITS)
    return json_object(request) if is_json(request) else form(request, _LIMITS)


def _event(fields: Mapping[str, Any], arrived_at: datetime) -> CallEvent | None:
    name = need(fields, "type").upper()
    kind = _KINDS.get(name)
    if kind is None:
        return None
    direction = _DIRECTIONS.get(text(fields, "direction").lower()) or _direction_of(name)
    return CallEvent(
        call_id=need(fields, "callid", _LIMITS["callid"]),
        kind=kind,
        at=arrived_at,
        at_is_arrival=True,
        leg=_leg(fields),
        direction=direction,
        external=text(fields, "phone", _LIMITS["phone"]),
        line=text(fields, "diversion", _LIMITS["diversion"]) or None,
        extension=_extension(fields),
        outcome=_end(name, direction),
        linked_call_id=(text(fields, "second_callid") or None) if kind is Kind.TRANSFERRED else None,
    )


def _direction_of(name: str) -> Direction | None:
    """The oldest version of the API names none."""
    return {"INCOMING": Direction.IN, "OUTGOING": Direction.OUT}.get(name)


def _end(name: str, direction: Direction | None) -> Outcome | None:
    """CANCELLED: the caller gave up, or somebody else answered; of an outgoing call, the history says what it was."""
    if name == "COMPLETED":
        return Outcome.SUCCESS
    return Outcome.CANCELLED if name == "CANCELLED" and direction is not Direction.OUT else None


def _leg(fields: Mapping[str, Any]) -> str:
    return text(fields, "ext", _LIMITS["ext"]) or text(fields, "user", _LIMITS["user"])


def _extension(fields: Mapping[str, Any]) -> str | None:
    """The short number; a user without one is mapped by the login."""
    found = _leg(fields)
    return None if not found or (found.startswith(_GROUP) and "@" in found) else found


def _history_fields(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """A `cmd=history` in the words of a row of the history."""
    return {
        "uid": need(fields, "callid", _LIMITS["callid"]),
        "type": text(fields, "type"),
        "status": text(fields, "status"),
        "client": text(fields, "phone", _LIMITS["phone"]),
        "ext": text(fields, "ext", _LIMITS["ext"]),
        "user": text(fields, "user", _LIMITS["user"]),
        "diversion": text(fields, "diversion", _LIMITS["diversion"]),
        "start": text(fields, "start"),
        "duration": fields.get("duration"),
        "record": text(fields, "link", _LIMITS["link"]),
    }


def _told(row: Mapping[str, Any], arrived_at: datetime | None) -> CallEvent:
    """The last word on a call. That somebody is named does not mean that they answered: the status alone says so.

    Its time is start, wait and talk together; older PBXs tell no wait, then it is earlier than the hang-up itself.
    Raises UnreadableError.
    """
    said = text(row, "type").lower()
    direction = _DIRECTIONS.get("in" if said == "missed" else said)
    found = outcome(text(row, "status"), direction)
    if found not in (Outcome.SUCCESS, None) and direction is Direction.IN:
        found = Outcome.MISSED
    elif found in (Outcome.CANCELLED, Outcome.MISSED):
        # Of an outgoing call it has no other word for who did not answer.
        found = Outcome.NO_ANSWER
    talked, waited = whole(row, "duration") or 0, whole(row, "wait") or 0
    started_at = moment(text(row, "start"))
    if arrived_at is not None:
        started_at = believed(started_at, arrived_at)
    at = started_at + timedelta(seconds=waited + talked) if started_at is not None else arrived_at
    if at is None:
        raise PayloadError("start is missing, or no time")
    return CallEvent(
        call_id=need(row, "uid"),
        kind=Kind.ENDED,
        at=at,
        at_is_arrival=started_at is None,
        leg=_leg(row),
        direction=direction,
        external=text(row, "client"),
        line=text(row, "diversion") or None,
        extension=_extension(row),
        outcome=found,
        talk_seconds=talked if found is Outcome.SUCCESS else 0,
        recording=text(row, "record", _LIMITS["link"]) or None,
        final=True,
        started_at=started_at,
    )


def _contact(fields: Mapping[str, Any]) -> ParseResult:
    phone = text(fields, "phone", _LIMITS["phone"])

    def respond(office: OfficeLookups) -> WebhookResponse:
        card = office.contact(phone) if phone else None
        if card is None:
            return WebhookResponse(200, "{}")
        found = {"contact_name": card.name} | ({"responsible": card.responsible} if card.responsible else {})
        return WebhookResponse(200, json.dumps(found, ensure_ascii=False))

    return ParseResult(reply=WebhookResponse(200, "{}"), respond=respond)


def _error(status: int, message: str) -> WebhookResponse:
    return WebhookResponse(status, json.dumps({"error": message}))


# ------------------------------------------------------------------ to the PBX


def originate(account: Account, click: Click, door: PbxClient) -> PlacedCall:
    """makecall: the VATS calls on behalf of the user, whose phone rings first. Digits only: some refuse a plus."""
    number = click.number.removeprefix("+")
    if _is_legacy(account):
        answer = _legacy(account, door, {"cmd": "makeCall", "user": click.extension, "phone": number}, safe=False)
        return PlacedCall(_call_id(answer.body))
    answer = _ask(account, door, "POST", "/makecall", asked={"user": click.extension, "phone": number})
    return PlacedCall(_call_id(answer.body))


def _call_id(body: bytes) -> str | None:
    """The older API answers with the bare id, the other with an object; one with neither is no answer."""
    said = body[:1024].decode("utf-8", "replace").strip()
    found = json_of(said)
    if isinstance(found, dict):
        found = found.get("callid")
    elif found is None and said != "null":
        found = said
    if found is None or found == "":
        return None
    if isinstance(found, int) or (isinstance(found, str) and _is_id(found)):
        return str(found)
    raise UnreachableError("the VATS answered, and nothing that can be read")


def _is_id(said: str) -> bool:
    return said.isascii() and said.isprintable() and " " not in said and "<" not in said and len(said) <= 512


def recording(account: Account, reference: str, door: PbxClient) -> Media:  # noqa: ARG001 - the address is known
    """The link of the history. The key goes with it to the VATS's own host only."""
    key = account.credentials.get("api_key", "")
    own = urlsplit(account.credentials.get("pbx_url", "")).hostname
    if key and own and urlsplit(reference).hostname == own:
        return Media(reference, {"x-api-key": key})
    return Media(reference)


def history(account: Account, since: datetime, until: datetime, door: PbxClient) -> Iterator[CallEvent]:
    """The calls of that time; rows that can't be read are left out."""
    span = {"start": since.astimezone(UTC).strftime(_STAMP), "end": until.astimezone(UTC).strftime(_STAMP)}
    rows = _legacy_rows(account, door, span) if _is_legacy(account) else _rows(account, door, span)
    for row in rows:
        try:
            yield _told(row, None)
        except PayloadError:
            continue


def _rows(account: Account, door: PbxClient, span: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    asked = urlencode({**span, "type": "all", "limit": str(_MAX_ROWS)})
    for row in _list(_ask(account, door, "GET", f"/history/json?{asked}")):
        kind = str(row.get("type", "")).lower()
        status = row.get("status") or ("missed" if kind == "missed" else "")
        yield {**row, "user": row.get("user") or row.get("account"), "status": status}


def _legacy_rows(account: Account, door: PbxClient, span: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """CSV: UID, type, client, account, via, start, wait, duration, record. Whoever talked was talked to."""
    answer = _legacy(account, door, {"cmd": "history", **span, "type": "all", "limit": str(_MAX_ROWS)}, safe=True)
    names = ("uid", "type", "client", "user", "diversion", "start", "wait", "duration", "record")
    for cells in csv.reader(io.StringIO(answer.body.decode("utf-8", "replace"))):
        if len(cells) < 8 or cells[0].lower() == "uid":
            continue
        row: dict[str, Any] = dict(zip(names, cells, strict=False))
        yield {**row, "status": "success" if row["duration"].strip("0") else "missed"}


def extensions(account: Account, door: PbxClient) -> tuple[KnownExtension, ...]:
    """The users with their short numbers; one without is known by the login."""
    if _is_legacy(account):
        rows = _list(_legacy(account, door, {"cmd": "accounts"}, safe=True))
    else:
        rows = _list(_ask(account, door, "GET", "/users"))
    found = []
    for row in rows:
        login = str(row.get("login") or row.get("name") or "")[:128]
        extension = str(row.get("ext") or login)[:32]
        name = str(row.get("realName") or (row.get("name") if row.get("login") else "") or "")[:200]
        if extension:
            found.append(KnownExtension(extension, name))
    return tuple(found)


def ping(account: Account, door: PbxClient) -> Check:
    """Whether the VATS takes the key: its users are asked for, which changes nothing."""
    if not account.credentials.get("pbx_url"):
        return Check("pbx", True, "pbx_url is not entered: calls are received, but can't be clicked")
    return Check("pbx", True, f"the VATS answers, and has {len(extensions(account, door))} users")


def _is_legacy(account: Account) -> bool:
    return urlsplit(account.credentials.get("pbx_url", "")).path.rstrip("/").endswith("crm_api.wcgp")


def _credentials(account: Account) -> tuple[str, str]:
    url, key = account.credentials.get("pbx_url", ""), account.credentials.get("api_key", "")
    if not url or not key:
        raise BadInputError("pbx_url and api_key are needed to ask this VATS")
    return url.rstrip("/"), key


def _ask(
    account: Account, door: PbxClient, method: str, path: str, *, asked: Mapping[str, Any] | None = None
) -> Response:
    url, key = _credentials(account)
    api = _API._replace(base=url if url.endswith("/crmapi/v1") else f"{url}/crmapi/v1")
    return _checked(api.send(account, door, method, path, headers={"x-api-key": key}, asked=asked), key)


def _legacy(account: Account, door: PbxClient, fields: Mapping[str, str], *, safe: bool) -> Response:
    url, key = _credentials(account)
    api = _API._replace(base=url)
    return _checked(api.send(account, door, "POST", "", headers={}, form={**fields, "token": key}, safe=safe), key)


def _checked(answer: Response, key: str) -> Response:
    """The answer, if it is a success. Raises as `Api.success` does."""
    if 300 <= answer.status < 400:
        raise BadInputError(f"pbx_url redirects ({answer.status}): is the name of the company in it right?")
    if answer.status == 404:
        raise BadInputError("there is nothing at pbx_url (404)")
    return _API.success(answer, lambda said, _: Refusal(words(said.get("error"), key)))


def _list(answer: Response) -> list[Mapping[str, Any]]:
    said = json_of(answer.body)
    return _API.rows(said.get("items", said.get("data")) if isinstance(said, dict) else said)
