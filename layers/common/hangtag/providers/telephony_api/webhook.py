"""The telephony API's webhook: the token, and commands as events."""

import json
from collections.abc import Mapping
from datetime import datetime

from hangtag.domain.calls.event import CallEvent, Direction, Kind
from hangtag.providers.base import (
    OfficeLookups,
    ParseResult,
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
    WebhookResponse,
)
from hangtag.providers.reading import flag, form, is_one_of, moment, need, outcome, plausible, text, whole

__all__ = ["SECRET", "parse", "verify"]

SECRET = "planfix_token"  # noqa: S105 - the name of the parameter
# Longer than any value that a PBX sends.
_LIMITS = {"phone": 64, "ext": 32, "diversion": 64, "callid": 512, "second_callid": 512}
_LIMITS |= {"event_id": 128, "start": 40, "duration": 10, "record_link": 2048}
_KINDS = {
    "INCOMING": Kind.RINGING,
    "OUTGOING": Kind.RINGING,
    "ACCEPTED": Kind.ANSWERED,
    "TRANSFERRED": Kind.TRANSFERRED,
    "COMPLETED": Kind.ENDED,
}


def verify(request: WebhookRequest, keys: VerificationKeys) -> None:
    """Check the documented token in the body."""
    if not is_one_of(_fields(request).get(SECRET, ""), keys.hashes.get(SECRET, ())):
        raise SignatureError("The planfix_token is missing or wrong.", _error(401, "Invalid token"))


def parse(request: WebhookRequest) -> ParseResult:
    """Return the events and the response of one command."""
    try:
        return _command(_fields(request), request.arrived_at)
    except PayloadError as error:
        raise _invalid(error) from None


def _fields(request: WebhookRequest) -> dict[str, str]:
    try:
        return form(request, _LIMITS)
    except PayloadError as error:
        raise _invalid(error) from None


def _invalid(error: PayloadError) -> PayloadError:
    """Return the error with the documented response body."""
    return PayloadError(error.reason, _error(400, "Invalid parameters"))


def _command(fields: Mapping[str, str], arrived_at: datetime) -> ParseResult:
    command = need(fields, "cmd")
    if command == "event":
        return ParseResult((_event(fields, arrived_at),))
    if command == "record":
        return ParseResult((_record(fields, arrived_at),))
    if command == "contact":
        return _contact(fields)
    if command == "ping":
        return ParseResult(respond=_ping)
    raise PayloadError("Field cmd is not one of event, record, contact, ping.")


def _event(fields: Mapping[str, str], arrived_at: datetime) -> CallEvent:
    name = need(fields, "event").upper()
    kind = _KINDS.get(name)
    if kind is None:
        raise PayloadError(f"Field event is not one of {', '.join(_KINDS)}.")
    extension = fields.get("ext", "").strip()
    is_end = kind is Kind.ENDED
    return CallEvent(
        call_id=need(fields, "callid"),
        kind=kind,
        at=arrived_at,
        at_is_arrival=True,
        leg=extension,
        direction=_direction(need(fields, "type")),
        external=_present(fields, "phone").strip(),
        line=fields.get("diversion", "").strip() or None,
        extension=extension or None,
        outcome=outcome(text(fields, "status")) if is_end else None,
        talk_seconds=whole(fields, "duration") if is_end else None,
        recording=(fields.get("record_link") or None) if is_end else None,
        final=flag(fields, "final"),
        linked_call_id=fields.get("second_callid") or None,
        started_at=plausible(moment(text(fields, "start")), arrived_at),
        event_id=fields.get("event_id") or None,
        data=_data(fields) if is_end else {},
    )


def _record(fields: Mapping[str, str], arrived_at: datetime) -> CallEvent:
    return CallEvent(
        call_id=need(fields, "callid"),
        kind=Kind.RECORDED,
        at=arrived_at,
        at_is_arrival=True,
        recording=need(fields, "record_link", _LIMITS["record_link"]),
        recording_is_temporary=flag(fields, "is_temp"),
        event_id=fields.get("event_id") or None,
    )


def _contact(fields: Mapping[str, str]) -> ParseResult:
    phone = _present(fields, "phone").strip()

    def respond(office: OfficeLookups) -> WebhookResponse:
        card = office.contact(phone)
        if card is None:
            return WebhookResponse(200, "{}")
        content: dict[str, str | int] = {"contact_name": card.name}
        if card.responsible:
            # The documented response contains a number; an extension with a leading zero stays text.
            short = card.responsible
            plain = short.isascii() and short.isdigit() and str(int(short)) == short
            content["responsible"] = int(short) if plain else short
        return WebhookResponse(200, json.dumps(content, ensure_ascii=False))

    return ParseResult(reply=WebhookResponse(200, "{}"), respond=respond)


def _ping(office: OfficeLookups) -> WebhookResponse:
    """Return the entered credentials. They include the PBX's own key, so the request must be verified."""
    credentials = office.credentials()
    content = {"pbxToken": credentials.get("pbx_token", ""), "pbxUrl": credentials.get("pbx_url", "")}
    return WebhookResponse(200, json.dumps(content))


def _present(fields: Mapping[str, str], name: str) -> str:
    """Return a required parameter that can be empty, such as the number of a withheld caller."""
    if name not in fields:
        raise PayloadError(f"Field {name} is missing.")
    return fields[name]


def _direction(word: str) -> Direction:
    try:
        return {"in": Direction.IN, "out": Direction.OUT}[word.lower()]
    except KeyError:
        raise PayloadError("Field type is neither in nor out.") from None


def _data(fields: Mapping[str, str]) -> dict[str, str]:
    prefix = "data_"
    return {
        name.removeprefix(prefix): value
        for name, value in sorted(fields.items())
        if name.startswith(prefix) and len(name) > len(prefix)
    }


def _error(status: int, message: str) -> WebhookResponse:
    return WebhookResponse(status, json.dumps({"error": message}))
