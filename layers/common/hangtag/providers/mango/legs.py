"""Events of one leg of a Mango call, by the role that the leg plays in the call."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, NamedTuple

from hangtag.domain.calls.event import CallEvent, Direction, Kind
from hangtag.providers.mango.wire import CALLBACK_LEG, MENU_LEG, employee, event_time, leg_outcome, number, party, word
from hangtag.providers.reading import flag, need, text

__all__ = ["REFERENCE", "Role", "leg_events", "leg_role"]

# Reference of a click, which Mango returns as command_id.
REFERENCE = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_KINDS = {"appeared": Kind.RINGING, "connected": Kind.ANSWERED, "disconnected": Kind.ENDED}


class Role(Enum):
    """Part that a leg plays in its call."""

    MENU = auto()
    """A voice menu or a queue."""
    CALLBACK_CONTACT = auto()
    """The contact's side of a callback that names no employee."""
    CALLBACK_EMPLOYEE = auto()
    """The phone of the employee who requested a callback. It rings first; `from` is the party called later."""
    CONSULTATION = auto()
    """A talk between employees before one of them transfers the call."""
    DIALLING = auto()
    """A call that an employee dialled, or that Mango dials on the employee's behalf."""
    INCOMING = auto()
    """A call to an employee."""


class _Sides(NamedTuple):
    """Both parties of a leg. `own` and `other` are the employees that call and are called, "" for outside parties."""

    caller: Mapping[str, Any]
    called: Mapping[str, Any]
    own: str
    other: str
    predecessor: str
    """Leg that this one took the call from."""
    is_callback: bool


def leg_events(payload: Mapping[str, Any], arrived_at: datetime) -> Iterator[CallEvent]:
    """Yield the events of one state change of a leg. Holds and unknown states yield nothing. Raises PayloadError."""
    kind = _KINDS.get(word(payload, "call_state"))
    sides = _sides(payload)
    at, at_is_arrival = event_time(payload, arrived_at)
    call_id, leg = need(payload, "entry_id"), need(payload, "call_id")
    command = text(payload, "command_id")
    line = number(sides.called, "line_number") or None
    if kind is None:
        return
    event = CallEvent(
        call_id=call_id,
        kind=kind,
        at=at,
        at_is_arrival=at_is_arrival,
        leg=leg,
        line=line,
        reference=command if REFERENCE.fullmatch(command) else None,
    )
    match leg_role(payload):
        case Role.MENU:
            yield from _menu_events(event, sides)
        case Role.CALLBACK_CONTACT:
            contact = replace(event, direction=Direction.OUT, external=number(sides.called) or None)
            yield from _with_end(contact, payload)
        case Role.CALLBACK_EMPLOYEE:
            yield from _callback_employee_events(event, payload, sides)
        case Role.CONSULTATION:
            # If the call is transferred, the leg continues with the caller.
            return
        case Role.DIALLING:
            yield from _dialling_events(event, payload, sides)
        case Role.INCOMING:
            yield from _incoming_events(event, payload, sides)


def leg_role(payload: Mapping[str, Any]) -> Role:
    """Return the role of a leg, from its location, parties and transfer fields."""
    _, _, own, other, predecessor, is_callback = _sides(payload)
    if word(payload, "location") in ("ivr", "queue"):
        return Role.MENU
    if is_callback and not predecessor and other:
        return Role.CALLBACK_EMPLOYEE
    if is_callback and not predecessor and not own:
        return Role.CALLBACK_CONTACT
    if own and other and (text(payload, "transfer") or (predecessor and not is_callback)):
        return Role.CONSULTATION
    return Role.DIALLING if own else Role.INCOMING


def _sides(payload: Mapping[str, Any]) -> _Sides:
    caller, called = party(payload, "from"), party(payload, "to")
    own, other = text(caller, "extension"), employee(text(called, "extension"), called)
    if not text(called, "line_number"):
        # Employees do not call through an external line.
        own = employee(own, caller)
    is_callback = bool(text(payload, "command_id") or text(payload, "callback_initiator"))
    return _Sides(caller, called, own, other, text(caller, "taken_from_call_id"), is_callback)


def _menu_events(event: CallEvent, sides: _Sides) -> Iterator[CallEvent]:
    """Yield the ring only: after its end the call rings a phone, or the summary reports that it did not."""
    if event.kind is Kind.RINGING and not sides.is_callback:
        line = event.line or number(sides.called) or None
        yield replace(event, leg=MENU_LEG, direction=Direction.IN, external=number(sides.caller), line=line)


# Prefix of the reasons that end the employee's leg of a callback when the contact's leg begins.
_CONTINUED = "10"


def _callback_employee_events(event: CallEvent, payload: Mapping[str, Any], sides: _Sides) -> Iterator[CallEvent]:
    if event.kind is Kind.ENDED and text(payload, "disconnect_reason").startswith(_CONTINUED):
        return
    event = replace(
        event,
        kind=Kind.PICKED_UP if event.kind is Kind.ANSWERED else event.kind,
        leg=CALLBACK_LEG.format(sides.other),
        direction=Direction.INTERNAL if sides.own else Direction.OUT,
        external=sides.own or number(sides.caller) or None,
        line=None,
        extension=sides.other,
    )
    yield from _with_end(event, payload)


def _dialling_events(event: CallEvent, payload: Mapping[str, Any], sides: _Sides) -> Iterator[CallEvent]:
    own, other = sides.own, sides.other
    if other and not sides.is_callback:
        # Between employees the call is shown to the one whose phone rings.
        event = replace(event, direction=Direction.INTERNAL, external=own, extension=other)
    else:
        direction = Direction.INTERNAL if other else Direction.OUT
        event = replace(event, direction=direction, external=other or number(sides.called) or None, extension=own)
    if sides.is_callback:
        # The employee's first leg can have ended in the same second, with a higher `seq`.
        event = replace(event, leg=CALLBACK_LEG.format(own), at=event.at + timedelta(milliseconds=500))
    yield from _with_end(replace(event, line=None), payload)


def _incoming_events(event: CallEvent, payload: Mapping[str, Any], sides: _Sides) -> Iterator[CallEvent]:
    is_blind_transfer = word(payload, "transfer") == "blind" and event.kind is not Kind.ENDED
    # In a callback the predecessor has another leg id here; its own end reports the transfer.
    if sides.predecessor and is_blind_transfer and not text(payload, "callback_initiator"):
        yield replace(event, kind=Kind.TRANSFERRED, leg=sides.predecessor)
    event = replace(event, direction=Direction.IN, external=number(sides.caller), extension=sides.other or None)
    yield from _with_end(event, payload)


def _with_end(event: CallEvent, payload: Mapping[str, Any]) -> Iterator[CallEvent]:
    """Yield the event. Add the outcome to an end, and a transfer before it if one side was transferred."""
    if event.kind is not Kind.ENDED:
        yield event
        return
    if any(flag(party(payload, side), "was_transferred") for side in ("from", "to")):
        yield replace(event, kind=Kind.TRANSFERRED)
    yield replace(event, outcome=leg_outcome(text(payload, "disconnect_reason"), event.direction))
