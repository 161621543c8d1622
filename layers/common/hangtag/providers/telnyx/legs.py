"""Roles of Telnyx's legs: by the client state, by the two addresses, and by the account's own numbers."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import unquote

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers import call_control
from hangtag.providers.call_control import Leg, by_word, nonzero_digits
from hangtag.providers.reading import need

# Causes of legs that were not answered. A call that is declined (603) is busy, as on phones.
_UNANSWERED = by_word(
    Outcome,
    busy="user_busy call_rejected",
    no_answer="timeout no_answer",
    cancelled="originator_cancel",
    unavailable="not_found",
)


def outcome_of(cause: str, sip: str) -> Outcome | None:
    """Return the outcome of a leg; None if it depends on an answer, as after normal_clearing.

    With a cause that is unspecified or unknown, a SIP error means that the leg failed.
    """
    if cause == "time_limit":
        return Outcome.SUCCESS
    if cause in _UNANSWERED or cause == "normal_clearing":
        return _UNANSWERED.get(cause)
    return Outcome.FAILED if re.fullmatch(r"[456]\d\d", sip, re.ASCII) else None


class OwnNumbers(NamedTuple):
    """The account's own numbers, in digits. If `complete`, no other number is its own."""

    numbers: frozenset[str]
    complete: bool


def own_numbers(settings: Mapping[str, Any]) -> OwnNumbers:
    """Return the numbers of the settings `lines` and `caller_id`."""
    lines = {read_digits(line) for line in str(settings.get("lines") or "").split(",")} - {""}
    return OwnNumbers(frozenset(lines | {call_control.caller_id(settings)} - {""}), bool(lines))


def leg_events(name: str, leg: Leg, own: OwnNumbers) -> tuple[CallEvent, ...]:
    """Return the events of a leg from one webhook, `name` being its type. Raises PayloadError if `to` is missing."""
    event = leg.event(leg.direction_hint, leg.hints.get("line"))
    if leg.direction_hint is Direction.OUT:
        return _contact_events(event, leg) if leg.hints.get("leg") == "contact" else _clicked_events(name, event, leg)
    need({"to": leg.called}, "to")
    if leg.direction_hint is Direction.IN or _device(leg.called):
        return _employee_events(event, leg)
    if _device(leg.caller):
        return _calling_phone_events(name, event, leg)
    if read_digits(_number(leg.called)) in own.numbers:
        return _caller_events(event, leg)
    if read_digits(_number(leg.caller)) in own.numbers:
        return _contact_events(event, leg)
    # Between two numbers that are not known as own, only a leg that Telnyx did not place can be a caller's.
    return () if own.complete or leg.way == "outgoing" else _caller_events(event, leg)


def _caller_events(event: CallEvent, leg: Leg) -> tuple[CallEvent, ...]:
    event = replace(event, leg=leg.id, direction=Direction.IN, line=_number(leg.called) or None)
    return call_control.caller_events(event, external=_number(leg.caller), started_at=leg.begun)


def _employee_events(event: CallEvent, leg: Leg) -> tuple[CallEvent, ...]:
    """Return the events of a phone that rings; a device that calls without a client state is a colleague."""
    colleague = "" if leg.hints else _device(leg.caller)
    return call_control.employee_events(
        event,
        leg,
        direction=Direction.INTERNAL if colleague else Direction.IN,
        external=leg.hints.get("number") or colleague or _number(leg.caller),
        extension=leg.extension(_device(leg.called), read_digits(leg.called)),
    )


def _contact_events(event: CallEvent, leg: Leg) -> tuple[CallEvent, ...]:
    """Return the events of the leg to the contact. Its dialling changes nothing."""
    if leg.kind is Kind.RINGING:
        return ()
    event = replace(event, direction=Direction.OUT, line=event.line or _number(leg.caller) or None)
    external = leg.hints.get("number") or _number(leg.called)
    return (call_control.contact_event(event, leg, external=external, extension=leg.extension("")),)


def _clicked_events(name: str, event: CallEvent, leg: Leg) -> tuple[CallEvent, ...]:
    """Return the events of the employee's phone, rung by a click."""
    if name == "call.bridged":
        return ()
    event = replace(event, line=event.line or _number(leg.caller) or None, started_at=leg.begun)
    fields = {"external": leg.hints.get("number"), "extension": leg.extension(_device(leg.called))}
    unanswered = leg.outcome in _UNANSWERED.values()
    return call_control.own_phone_events(event, by_click=True, unanswered=unanswered, **fields)


def _calling_phone_events(name: str, event: CallEvent, leg: Leg) -> tuple[CallEvent, ...]:
    """Return the events of an employee who dialled. Answered means connected to the application only, not bridged."""
    event = replace(event, direction=Direction.OUT, external=_number(leg.called), extension=_device(leg.caller))
    event = replace(event, leg=call_control.OUT, started_at=leg.begun)
    if name == "call.bridged":
        return (event,)
    return call_control.own_phone_events(event, by_click=False, unanswered=leg.outcome in _UNANSWERED.values())


# ------------------------------------------------------------------ addresses

# A withheld number is a word.
_WITHHELD = ("anonymous", "restricted", "private", "unavailable", "unknown", "blocked")


def _user(address: str) -> str | None:
    """Return the user of a SIP address, or a short number without one; None for other addresses."""
    match = re.fullmatch(r"(?:sips?:)?([^@:;?]*)[^@]*@.*", address.strip(), re.IGNORECASE | re.DOTALL)
    if match is not None:
        return unquote(match[1])
    return address if re.fullmatch(r"\d{2,4}", address, re.ASCII) else None


def _device(address: str) -> str:
    """Return the extension of a device's address; "" for external numbers and withheld callers."""
    user = _user(address) or ""
    return "" if re.fullmatch(r"\+?\d{7,}", user, re.ASCII) or user.lower() in _WITHHELD else user[:64]


def _number(address: str) -> str:
    """Return a number as written, also within a SIP address; "" if it is not a number."""
    number = (_user(address) or address).strip()
    return number if read_digits(number) else ""


def read_digits(number: str) -> str:
    """Return the digits of a number that can contain separators; "" if it is not a number."""
    return nonzero_digits(re.sub(r"[\s().-]", "", number))
