"""Vonage's webhooks: one for each step of each leg. Fields are those of the vendor's webhook reference.

The query of the webhook's address is not signed; it holds the hints of `hangtag.providers.call_control`.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers import call_control
from hangtag.providers.base import ParseResult, PayloadError, WebhookRequest
from hangtag.providers.call_control import Leg, by_word, nonzero_digits
from hangtag.providers.reading import json_object, moment, need, plausible, query, text
from hangtag.providers.vonage import ncco
from hangtag.providers.vonage.webhook_token import event_id, verify

__all__ = ["OUTCOMES", "direction_of", "leg_events", "parse", "read_leg", "rings_device", "verify"]

OUTCOMES = by_word(
    Outcome,
    success="completed",
    busy="busy rejected",
    cancelled="cancelled",
    no_answer="unanswered timeout",
    failed="failed",
)
# Reasons of a failure in `detail`.
_DETAILS = by_word(
    Outcome, unavailable="unavailable cannot_route number_out_of_service invalid_number", not_allowed="restricted"
)
# `started` is the only report that a phone in the vendor's apps rings.
_KINDS = by_word(Kind, ringing="started ringing", answered="answered", ended=" ".join(OUTCOMES))
# The end of a leg that is `disconnected` is reported separately.
_UNCHANGED = ("human", "machine", "disconnected")
# Webhooks without a status: an error in an NCCO, and input of the caller.
_WITHOUT_STATUS = {"reason", "dtmf", "speech"}
# sip:101@sip.example.com;transport=tls; and the name of a user of the vendor's apps.
_DEVICE = re.compile(r"(?:(?:sips?|app|user):)?([^@:;?]{1,64})(?:[@;?].*)?", re.IGNORECASE | re.DOTALL)
# A withheld number is a word.
_WITHHELD = ("", "anonymous", "unknown", "private", "restricted", "unavailable", "withheld", "blocked")


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
    """Return the events of a leg, a recording or a move, or the NCCO for an incoming call. Raises PayloadError."""
    if request.method == "GET":
        fields: Mapping[str, Any] = query(request)
        if text(fields, "status"):
            # The token of a GET covers nothing.
            raise PayloadError("Events must be sent by POST. Check the method of the event URL.")
        return ncco.connect_caller(request, fields, settings)
    fields = json_object(request)
    if text(fields, "conversation_uuid_to"):
        return ParseResult((_moved_event(fields, request),))
    call_id, status = need(fields, "conversation_uuid"), text(fields, "status")
    recording = text(fields, "recording_url", 2048)
    if recording:
        at, at_is_arrival = call_control.reported_time(fields, "timestamp", request.arrived_at)
        event = call_control.recorded_event(call_id, at, at_is_arrival, recording, event_id=event_id(request))
        return ParseResult((event,))
    if status in (*_KINDS, *_UNCHANGED):
        leg = _leg(fields, request, _KINDS.get(status, Kind.RINGING))
        return ParseResult(leg_events(leg) if status in _KINDS else ())
    if not status and text(fields, "uuid") and text(fields, "to"):
        return ncco.connect_caller(request, fields, settings)
    return ParseResult(unknown=bool(status) or not fields.keys() & _WITHOUT_STATUS)


def _moved_event(fields: Mapping[str, Any], request: WebhookRequest) -> CallEvent:
    """Return the event of a leg that continues in another conversation. The leg is not named, so none is ended."""
    at, at_is_arrival = call_control.reported_time(fields, "timestamp", request.arrived_at)
    call_id, linked = need(fields, "conversation_uuid_from"), need(fields, "conversation_uuid_to")
    event = CallEvent(call_id=call_id, kind=Kind.SUMMARY, at=at, at_is_arrival=at_is_arrival, linked_call_id=linked)
    return replace(event, event_id=event_id(request))


def _leg(fields: Mapping[str, Any], request: WebhookRequest, kind: Kind) -> Leg:
    at, at_is_arrival = call_control.reported_time(fields, "timestamp", request.arrived_at)
    begun = plausible(moment(text(fields, "start_time")), request.arrived_at)
    hints = call_control.read_hints(request)
    ends = (text(fields, "from"), text(fields, "to"))
    # The reports "human" and "machine" use another name for the id of the leg.
    leg_id = text(fields, "uuid") or need(fields, "call_uuid")
    leg = read_leg(fields, leg_id, ends, kind=kind, at=at, begun=begun)
    return replace(leg, at_is_arrival=at_is_arrival, event_id=event_id(request), hints=hints)


def read_leg(
    fields: Mapping[str, Any], leg_id: str, ends: tuple[str, str], *, kind: Kind, at: datetime, begun: datetime | None
) -> Leg:
    """Return the leg of a webhook, or of a row of the list of calls. `ends` are the caller and the called address."""
    way, (caller, called) = text(fields, "direction"), ends
    if way == "inbound" and not caller and _device(called):
        # If a user of the vendor's apps calls, `from` is null, and `to` is the user.
        caller, called = called, ""
    duration = call_control.seconds(fields, "duration")
    status, detail = text(fields, "status"), text(fields, "detail")
    outcome = _DETAILS.get(detail, OUTCOMES[status]) if status in OUTCOMES else None
    if status == "completed" and not duration and begun is None:
        # A completed leg that never began, and has no duration, was not answered.
        outcome = Outcome.NO_ANSWER
    return Leg(
        id=leg_id,
        call_id=need(fields, "conversation_uuid"),
        kind=kind,
        at=at,
        way=way,
        caller=caller,
        called=called,
        outcome=outcome,
        talk_seconds=call_control.talked(outcome, duration),
        begun=begun,
    )


def leg_events(leg: Leg) -> tuple[CallEvent, ...]:
    """Return the events of a leg."""
    direction, inbound = direction_of(leg), leg.way == "inbound"
    event = replace(leg.event(direction, _plus(leg.line_hint) or None), leg=leg.id)
    if direction is Direction.IN and inbound:
        external = _plus(leg.caller) or _device(leg.caller)
        return call_control.caller_events(event, external=external, line=_plus(leg.called) or event.line)
    if direction is Direction.IN:
        # The caller's number is in the caller's leg: this one shows a number of the account.
        return call_control.employee_events(event, leg, extension=_extension(leg, leg.called))
    if not inbound:
        event = replace(event, line=event.line or (None if _device(leg.caller) else _plus(leg.caller) or None))
    if not inbound and leg.hints.get("leg") != "employee":
        external, extension = _external(leg.called), _extension(leg, _device(leg.caller))
        return (call_control.contact_event(event, leg, external=external, extension=extension),)
    own, other = (leg.caller, leg.called) if inbound else (leg.called, "")
    fields = {"external": _external(other) or None, "extension": _extension(leg, own)}
    unanswered = not inbound and leg.outcome is not Outcome.SUCCESS
    events = call_control.own_phone_events(event, by_click=not inbound, unanswered=unanswered, **fields)
    if inbound or unanswered or leg.kind is not Kind.ENDED:
        return events
    # The pick-up is repeated, in case its webhook was lost.
    (ended,) = events
    return replace(ended, kind=Kind.PICKED_UP, outcome=None, final=False), ended


def direction_of(leg: Leg) -> Direction:
    """Return the direction of the call: the hint, or by the addresses; an employee's phone makes outgoing calls."""
    incoming = not _device(leg.caller) and (leg.way == "inbound" or bool(_device(leg.called)))
    return leg.direction_hint or (Direction.IN if incoming else Direction.OUT)


def rings_device(leg: Leg) -> bool:
    """Return whether the leg was dialled to a device."""
    return leg.way != "inbound" and bool(_device(leg.called))


def _extension(leg: Leg, address: str) -> str | None:
    return leg.extension(_device(address), nonzero_digits(address))


def _device(address: str) -> str:
    """Return the user of a SIP address, or the name of an app's user; "" if it is a number, or withheld."""
    if len(nonzero_digits(address)) > 6:
        return ""
    name = call_control.device(address.strip(), _DEVICE)
    return "" if name.strip("0").lower() in _WITHHELD else name


def _plus(address: str) -> str:
    """Return a number in E.164: Vonage omits the plus."""
    number = nonzero_digits(address)
    return f"+{number}" if number else ""


def _external(address: str) -> str:
    """Return the number that was called, or the name of the device; "" if it is not reported."""
    return _device(address) or _plus(address)
