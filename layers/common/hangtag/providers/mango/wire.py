"""Mango's wire format, shared by webhook, API and history: signature, field reading, outcome codes.

Types vary (`"29"`, 29), and the vendor spells some words with Cyrillic letters.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import PayloadError
from hangtag.providers.reading import moment, plausible, text, whole

__all__ = [
    "CALLBACK_LEG",
    "MENU_LEG",
    "RECORDING_ID",
    "call_outcome",
    "closing_events",
    "employee",
    "event_time",
    "leg_outcome",
    "number",
    "party",
    "signature",
    "word",
]

# Leg id of a callback, per employee: both ends of a call that Mango starts are one leg. A group has several.
CALLBACK_LEG = "callback:{}"
# Leg id of menus and queues: the call before it rings an employee.
MENU_LEG = ""
# The vendor's samples are base64, digits and values such as r100:777:500:256; an address does not match.
RECORDING_ID = re.compile(r"(?!https?:)[\w+/=.:-]{1,128}", re.ASCII)


def signature(key: str, payload: str, salt: str) -> str:
    """Return the hexadecimal SHA-256 of key, JSON and salt. Both sides sign with it."""
    return hashlib.sha256(f"{key}{payload}{salt}".encode("utf-8", "surrogatepass")).hexdigest()


_LOOKALIKES = str.maketrans("АВЕКМНОРСТХаеорсух", "ABEKMHOPCTXaeopcyx")


def word(fields: Mapping[str, Any], name: str) -> str:
    """Return one of the vendor's words in lower case, with Cyrillic letters replaced by their Latin lookalikes."""
    return text(fields, name).translate(_LOOKALIKES).lower()


def party(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return one side of a leg. Mango can write an empty one as a list. Raises PayloadError for other types."""
    value = fields.get(name)
    if isinstance(value, dict):
        return value
    if value is None or value == []:
        return {}
    raise PayloadError(f"Field {name} is not an object.")


# An employee's device, such as sip:anna@acme.mangosip.ru.
_ACCOUNT = re.compile(r"sips?:([\w.*-]{1,64})@[\w.-]*mangosip\.ru(?:[:;].*)?", re.ASCII | re.DOTALL | re.IGNORECASE)


def employee(short_number: str, fields: Mapping[str, Any], name: str = "number") -> str:
    """Return the employee's short number, or the name of the SIP account; "" for any other party."""
    account = None if short_number else _ACCOUNT.fullmatch(text(fields, name))
    return account[1] if account is not None else short_number


# sip:74951234567@acme.mangosip.ru, or a plain number.
_ADDRESS = re.compile(r"(?:(?:sips?|tel):)?(\+?[0-9]{2,20})(?:[@;].*)?", re.ASCII | re.DOTALL | re.IGNORECASE)


def number(fields: Mapping[str, Any], name: str = "number") -> str:
    """Return a number, also from a SIP address; "" for a name or a withheld number."""
    address = _ADDRESS.fullmatch(text(fields, name))
    return address[1] if address is not None else ""


def event_time(payload: Mapping[str, Any], arrived_at: datetime) -> tuple[datetime, bool]:
    """Return the event's time with `seq` added as milliseconds, and True if it is only the arrival time."""
    at = plausible(moment(text(payload, "timestamp")), arrived_at)
    if at is None:
        return arrived_at, True
    return at + timedelta(milliseconds=min(whole(payload, "seq") or 0, 499)), False


# Codes that end a leg only if it was not answered; after any other code the leg can have talk time.
_UNANSWERED = ("1111", "1121", "1122", "1123", "1124", "113", "114", "115", "1182", "1183", "119", "32", "42")


def leg_outcome(reason: str, direction: Direction | None) -> Outcome | None:
    """Map a leg's disconnect reason to an Outcome; None if the reason does not exclude an answer."""
    return _unanswered_outcome(reason, direction) if reason.startswith(_UNANSWERED) else None


def call_outcome(answered: bool, reason: str, direction: Direction | None) -> Outcome:
    """Return the outcome of a whole call."""
    if answered:
        return Outcome.SUCCESS
    return _unanswered_outcome(reason, direction) if direction is Direction.OUT else Outcome.MISSED


# By code or by class of codes: the vendor adds codes to classes.
_REASONS = {
    "1110": Outcome.CANCELLED,
    "1111": Outcome.NO_ANSWER,
    "112": Outcome.BUSY,
    "113": Outcome.UNAVAILABLE,
    "114": Outcome.NOT_ALLOWED,
    "115": Outcome.NOT_ALLOWED,
    "118": Outcome.CANCELLED,
    "119": Outcome.UNAVAILABLE,
    "1193": Outcome.BUSY,
    "2": Outcome.NOT_ALLOWED,
    "32": Outcome.UNAVAILABLE,
    "42": Outcome.UNAVAILABLE,
    "45": Outcome.NOT_ALLOWED,
    "5": Outcome.FAILED,
}


def _unanswered_outcome(reason: str, direction: Direction | None) -> Outcome:
    prefixes = (reason[:size] for size in (4, 3, 2, 1))
    outcome = next((_REASONS[prefix] for prefix in prefixes if prefix in _REASONS), Outcome.NO_ANSWER)
    return Outcome.MISSED if outcome is Outcome.NO_ANSWER and direction is Direction.IN else outcome


def closing_events(summary: CallEvent, answered: bool, ended_at: datetime) -> Iterator[CallEvent]:
    """Yield the summary and, for an unanswered incoming call, the end of its menus and queues."""
    yield summary
    if summary.direction is Direction.IN and not answered:
        yield CallEvent(
            call_id=summary.call_id,
            kind=Kind.ENDED,
            at=ended_at,
            at_is_arrival=summary.at_is_arrival,
            leg=MENU_LEG,
            direction=summary.direction,
            outcome=Outcome.MISSED,
        )
