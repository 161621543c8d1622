"""The VATS's webhook: the key, and commands as events."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
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
from hangtag.providers.reading import (
    form,
    is_json,
    is_one_of,
    json_object,
    moment,
    need,
    outcome,
    plausible,
    query,
    text,
    whole,
)

__all__ = ["ended_event", "parse", "verify"]

SECRET = "crm_token"  # noqa: S105 - the name of the field
_LIMITS = {"phone": 64, "ext": 32, "telnum": 64, "diversion": 64, "user": 128, "callid": 512, "second_callid": 512}
_LIMITS |= {"link": 2048, "start": 40, "duration": 10}
_OK = WebhookResponse(200, '{"status":"ok"}')


def verify(request: WebhookRequest, keys: VerificationKeys) -> None:
    """Check the key in the body, or in the query of a GET."""
    token = _fields(request).get(SECRET)
    if not isinstance(token, str) or not is_one_of(token, keys.hashes.get(SECRET, ())):
        raise SignatureError("The crm_token is missing or wrong.", _error(401, "Invalid token"))


def parse(request: WebhookRequest) -> ParseResult:
    """Return the events and the response of one command."""
    fields = _fields(request)
    command = text(fields, "cmd").lower()
    if command == "event":
        event = _event(fields, request.arrived_at)
        return ParseResult((event,), _OK) if event is not None else ParseResult(reply=_OK, unknown=True)
    if command == "history":
        return ParseResult((ended_event(_history_fields(fields), request.arrived_at),), _OK)
    if command == "contact":
        return _contact(fields)
    if command == "rating":
        return ParseResult(reply=_OK)
    raise PayloadError("Field cmd is not one of event, history, contact, rating.", _error(400, "Invalid parameters"))


def _fields(request: WebhookRequest) -> Mapping[str, Any]:
    if request.method == "GET":
        return query(request, _LIMITS)
    return json_object(request) if is_json(request) else form(request, _LIMITS)


_KINDS = {
    "INCOMING": Kind.RINGING,
    "OUTGOING": Kind.RINGING,
    "ACCEPTED": Kind.ANSWERED,
    "COMPLETED": Kind.ENDED,
    "CANCELLED": Kind.ENDED,
    "TRANSFERRED": Kind.TRANSFERRED,
}
_DIRECTIONS = {"in": Direction.IN, "out": Direction.OUT, "internal": Direction.INTERNAL}


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
    """Return the direction for the oldest version of the API, which does not send one."""
    return {"INCOMING": Direction.IN, "OUTGOING": Direction.OUT}.get(name)


def _end(name: str, direction: Direction | None) -> Outcome | None:
    """Return the outcome of a leg. CANCELLED: the caller hung up or another phone answered.

    For an outgoing call, CANCELLED is ambiguous; the history contains the outcome.
    """
    if name == "COMPLETED":
        return Outcome.SUCCESS
    return Outcome.CANCELLED if name == "CANCELLED" and direction is not Direction.OUT else None


def _leg(fields: Mapping[str, Any]) -> str:
    return text(fields, "ext", _LIMITS["ext"]) or text(fields, "user", _LIMITS["user"])


# The login of a department is g_<uuid>@tenant; it is not a phone.
_GROUP = "g_"


def _extension(fields: Mapping[str, Any]) -> str | None:
    """Return the extension, or the login of a user without one; None for a department."""
    login = _leg(fields)
    return None if not login or (login.startswith(_GROUP) and "@" in login) else login


def _history_fields(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a `cmd=history` as a row of the history."""
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


def ended_event(row: Mapping[str, Any], arrived_at: datetime | None) -> CallEvent:
    """Return the final event of a history row. Only the status shows whether the named user answered.

    The end is start + wait + talk; older PBXs omit the wait, so that the end is too early. Raises PayloadError.
    """
    word = text(row, "type").lower()
    direction = _DIRECTIONS.get("in" if word == "missed" else word)
    result = outcome(text(row, "status"), direction)
    if result not in (Outcome.SUCCESS, None) and direction is Direction.IN:
        result = Outcome.MISSED
    elif result in (Outcome.CANCELLED, Outcome.MISSED):
        # The VATS has no other word for an outgoing call without an answer.
        result = Outcome.NO_ANSWER
    talked, waited = whole(row, "duration") or 0, whole(row, "wait") or 0
    started_at = moment(text(row, "start"))
    if arrived_at is not None:
        started_at = plausible(started_at, arrived_at)
    at = started_at + timedelta(seconds=waited + talked) if started_at is not None else arrived_at
    if at is None:
        raise PayloadError("Field start is missing or not a time.")
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
        outcome=result,
        talk_seconds=talked if result is Outcome.SUCCESS else 0,
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
        content = {"contact_name": card.name} | ({"responsible": card.responsible} if card.responsible else {})
        return WebhookResponse(200, json.dumps(content, ensure_ascii=False))

    return ParseResult(reply=WebhookResponse(200, "{}"), respond=respond)


def _error(status: int, message: str) -> WebhookResponse:
    return WebhookResponse(status, json.dumps({"error": message}))
