"""Leg model shared by the voice APIs that are not PBXs: Twilio, Telnyx, Vonage and Plivo.

Such an API reports legs: caller and called address, in its own words. The role of a leg follows from the two
addresses, and is stated outright by hints that come back with every report, in the query of the callback's address or
in a client state: `direction` (in, out), `leg` (employee, contact), `extension`, `line` and `number` (digits),
`transferred_from` (id of the leg that handed the call on), `reference` (of a click). An adapter reads a `Leg`,
chooses its role, and passes the fields that it read from the addresses to the function of that role.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import VerificationKeys, WebhookRequest
from hangtag.providers.reading import UNANSWERED, moment, plausible, query, text

E = TypeVar("E", bound=StrEnum)
# Length limits of the hints in the query of a callback's address.
HINTS = dict.fromkeys(("extension", "line", "transferred_from"), 64)
# Leg id shared by both sides of an outgoing call.
OUT = "out"
# Outcomes of an employee's leg that mean a missed call.
_MISSED = UNANSWERED - {Outcome.CANCELLED}
_DIRECTIONS = {"in": Direction.IN, "out": Direction.OUT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One report about one leg, from a webhook request or from a row of the vendor's call log.

    `parent` is the id of the leg that dialled this one, where the vendor reports it. `way` is the vendor's own word for
    the direction of the leg, `forwarded_from` the number that a caller called before the call was forwarded. `outcome`
    and `talk_seconds` are set when the leg has ended. `begun` is the start of the leg.
    """

    id: str
    kind: Kind
    at: datetime
    call_id: str = ""
    parent: str = ""
    way: str = ""
    caller: str = ""
    called: str = ""
    forwarded_from: str = ""
    outcome: Outcome | None = None
    talk_seconds: int | None = None
    begun: datetime | None = None
    at_is_arrival: bool = False
    event_id: str | None = None
    hints: Mapping[str, str] = field(default_factory=dict)

    @property
    def direction_hint(self) -> Direction | None:
        """The direction of the call, if the hints state it."""
        return _DIRECTIONS.get(self.hints.get("direction", ""))

    @property
    def line_hint(self) -> str:
        """The digits of the own number, "" if the hints do not state it."""
        return digits(self.hints.get("line", ""))

    def extension(self, device_name: str, address: str = "") -> str | None:
        """Return the extension: the hint, the name of the device, or the digits of the address."""
        return self.hints.get("extension") or device_name or digits(address) or None

    def event(self, direction: Direction | None, line: str | None) -> CallEvent:
        """Return the event that the functions of the roles complete."""
        return CallEvent(
            call_id=self.call_id or self.parent or self.id,
            kind=self.kind,
            at=self.at,
            at_is_arrival=self.at_is_arrival,
            direction=direction,
            line=line,
            event_id=self.event_id,
        )


# ------------------------------------------------------------------ roles


def caller_events(event: CallEvent, **fields: Any) -> tuple[CallEvent, ...]:
    """Return the events of the caller's own leg; its end is the end of the call.

    An answer means only that a menu, a voice mail or the application answered, so it is left out. If the leg has an id,
    it ends as cancelled: the time that the caller was connected is not talk time.
    """
    if event.kind is Kind.ANSWERED:
        return ()
    event = replace(event, **fields, final=event.kind is Kind.ENDED)
    return (replace(event, outcome=Outcome.CANCELLED) if event.final and event.leg else event,)


def employee_events(event: CallEvent, leg: Leg, /, **fields: Any) -> tuple[CallEvent, ...]:
    """Return the events of a phone that an incoming call rings; an unanswered leg is missed, unless it was cancelled.

    If the hints name the leg that handed the call on, the first ring is a transfer from that leg as well.
    """
    event = replace(event, **{"leg": leg.id, **fields})
    if event.kind is Kind.ENDED:
        outcome = Outcome.MISSED if leg.outcome in _MISSED else leg.outcome
        event = replace(event, outcome=outcome, talk_seconds=leg.talk_seconds)
    source = leg.hints.get("transferred_from")
    if source and event.kind is Kind.RINGING:
        return replace(event, kind=Kind.TRANSFERRED, leg=source, extension=None), event
    return (event,)


def contact_event(event: CallEvent, leg: Leg, /, **fields: Any) -> CallEvent:
    """Return the event of the leg to the contact, which decides the outcome of an outgoing call."""
    event = replace(event, leg=OUT, **fields)
    if event.kind is not Kind.ENDED:
        return event
    return replace(event, outcome=leg.outcome, talk_seconds=leg.talk_seconds)


def own_phone_events(event: CallEvent, *, by_click: bool, unanswered: bool, **fields: Any) -> tuple[CallEvent, ...]:
    """Return the events of the employee's own leg of an outgoing call: rung by a click, or dialling itself.

    Its end is the end of the call. Its outcome is set only if the employee did not pick up: after that, the contact's
    leg decides.
    """
    event = replace(event, leg=OUT, **fields)
    if event.kind is Kind.ANSWERED:
        return (replace(event, kind=Kind.PICKED_UP),) if by_click else ()
    if event.kind is Kind.ENDED:
        event = replace(event, outcome=Outcome.NO_ANSWER if unanswered else None, final=True)
    return (event,)


def recorded_event(call_id: str, at: datetime, at_is_arrival: bool, recording: str, **fields: Any) -> CallEvent:
    """Return the event of a recording that can be fetched."""
    event = CallEvent(call_id=call_id, kind=Kind.RECORDED, at=at, at_is_arrival=at_is_arrival)
    return replace(event, recording=recording, **fields)


def talked(outcome: Outcome | None, duration: int | None) -> int | None:
    """Return the talk time in seconds of a leg that has ended: 0 if it was not answered, None if it is unknown."""
    return duration if outcome is Outcome.SUCCESS else 0


# ------------------------------------------------------------------ addresses


def digits(address: str) -> str:
    """Return the digits of a number of at most 32 digits; "" if it is not a number."""
    number = address.strip().removeprefix("+")
    return number if number.isascii() and number.isdigit() and len(number) <= 32 else ""


def nonzero_digits(address: str) -> str:
    """Return the digits of a number as `digits` does; "" as well if all of them are zeros."""
    number = digits(address)
    return number if number.strip("0") else ""


def device(address: str, pattern: re.Pattern[str]) -> str:
    """Return the user of a device's address, of at most 64 characters; "" if the pattern does not match."""
    match = pattern.fullmatch(address)
    return next((user for user in match.groups() if user), "")[:64] if match is not None else ""


def is_extension(entry: str) -> bool:
    """Return whether an extension can be the user of a SIP address."""
    return re.fullmatch(r"[\w.*-]{1,64}", entry, re.ASCII) is not None


def ring_list(entry: object) -> list[str]:
    """Return the extensions of the setting `ring`, separated by commas or spaces."""
    return [extension for extension in re.split(r"[\s,]+", str(entry or "")) if extension]


def caller_id(settings: Mapping[str, Any]) -> str:
    """Return the digits of the number that contacts see if no line is chosen; "" if it is not entered."""
    return digits(str(settings.get("caller_id") or ""))


def records_calls(settings: Mapping[str, Any]) -> bool:
    """Return whether calls that Hangtag connects are recorded."""
    return bool(settings.get("record_calls", True))


# ------------------------------------------------------------------ fields


def by_word(values: type[E], /, **words: str) -> dict[str, E]:
    """Return a table of a vendor's words: by member of the enumeration, the words that mean it, separated by spaces."""
    return {word: values(member) for member, synonyms in words.items() for word in synonyms.split()}


def read_hints(request: WebhookRequest, limits: Mapping[str, int] = HINTS) -> dict[str, str]:
    """Return the hints in the query of the callback's address. Raises PayloadError if one is longer than its limit."""
    return {name: value.strip() for name, value in query(request, limits).items()}


def reported_time(fields: Mapping[str, Any], name: str, arrived_at: datetime) -> tuple[datetime, bool]:
    """Return the time of an event, and whether it is only the arrival, because the vendor's time is not credible."""
    at = plausible(moment(text(fields, name)), arrived_at)
    return at or arrived_at, at is None


def seconds(fields: Mapping[str, Any], name: str) -> int | None:
    """Return a duration in whole seconds; None if it is anything other than up to ten digits."""
    value = text(fields, name)
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 10 else None


def signatures(keys: VerificationKeys, name: str, messages: Iterable[str], algorithm: str = "sha256") -> list[str]:
    """Return the valid signatures of any of the messages: base64 of their HMACs under each secret of that name.

    A message can contain lone surrogates, from a header or an address.
    """
    texts = [message.encode("utf-8", "surrogatepass") for message in messages]
    secrets = [secret.encode("utf-8", "surrogatepass") for secret in entered(keys, name)]
    return [b64encode(hmac.digest(secret, text, algorithm)).decode() for secret in secrets for text in texts]


def entered(keys: VerificationKeys, name: str) -> list[str]:
    """Return the valid values of a credential, without empty ones."""
    return [value for value in keys.credentials.get(name, ()) if value]
