"""Events of one party of a RingCentral session, by the part it plays in the call."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.ringcentral.wire import CALLER_LEG, FEATURE_CODE, OUT_LEG, caller_number, line_number

__all__ = ["VOICE_MAIL", "Party", "Session", "party_event"]

# Status codes of a caller who reached voice mail.
VOICE_MAIL = ("VoiceMail", "VoiceMailScreening", "Voicemail", "VMScreening")


@dataclass(frozen=True, slots=True)
class Session:
    """Fields that all parties of a notification share. `numbers` are the extensions' numbers by internal id."""

    call_id: str
    at: datetime
    at_is_arrival: bool
    origin: str
    numbers: Mapping[str, str]

    def event(self, kind: Kind, direction: Direction) -> CallEvent:
        """Return an event of this call."""
        return CallEvent(
            call_id=self.call_id, kind=kind, at=self.at, at_is_arrival=self.at_is_arrival, direction=direction
        )

    def extension(self, extension_id: str) -> str:
        """Return the number of an internal id: the id if it is unmapped, "" for a queue or a menu."""
        return self.numbers.get(extension_id, extension_id)


@dataclass(frozen=True, slots=True)
class Party:
    """One party. `own` is the internal id of its extension, `linked` the session that the call continues in."""

    code: str
    reason: str
    own: str
    direction: str
    role: str
    from_id: str
    from_number: str
    to_id: str
    to_number: str
    linked: str
    missed: bool
    recorded: bool


def party_event(session: Session, party: Party, kind: Kind) -> CallEvent | None:
    """Return the event of a party's step; None if the step changes nothing."""
    if session.origin in ("RingOut", "RingMe"):
        return _ring_out_event(session, party, kind)
    if party.direction == "Outbound":
        return _dialling_event(session, party, kind) if party.own else _caller_event(session, party, kind)
    if party.own:
        return _extension_event(session, party, kind)
    # An outside phone: called by an employee, or the target of a forwarded call.
    return _dialling_event(session, party, kind) if party.from_id else None


# Reasons for a party's end. Missing are those that can follow an answer: CallFinished, CallDropped, Pickup.
_REASONS = {
    "TargetBusy": Outcome.BUSY,
    "Rejected": Outcome.BUSY,
    "NoAnswer": Outcome.NO_ANSWER,
    "Timeout": Outcome.NO_ANSWER,
    "Voicemail": Outcome.NO_ANSWER,
    "Cancelled": Outcome.CANCELLED,
    "InvalidNumber": Outcome.UNAVAILABLE,
    "NoSuchUser": Outcome.UNAVAILABLE,
    "InternationalDisabled": Outcome.NOT_ALLOWED,
    "DestinationBlocked": Outcome.NOT_ALLOWED,
    "NotEnoughFunds": Outcome.NOT_ALLOWED,
    "InternalError": Outcome.FAILED,
    # The call continues with another party.
    "AgentAnswered": Outcome.CANCELLED,
    "CallRedirected": Outcome.CANCELLED,
    "CallReplied": Outcome.CANCELLED,
    "CallerInputRedirect": Outcome.CANCELLED,
}


def _caller_event(session: Session, party: Party, kind: Kind) -> CallEvent | None:
    """Return the event of an outside caller. Its answer only means that a menu, queue or employee was reached."""
    if kind is Kind.ANSWERED or party.code in VOICE_MAIL:
        return None
    event = replace(_from_outside(session, party, kind), leg=CALLER_LEG)
    return event if kind is Kind.RINGING else replace(event, kind=Kind.ENDED, outcome=Outcome.CANCELLED, final=True)


def _extension_event(session: Session, party: Party, kind: Kind) -> CallEvent | None:
    """Return the event of an employee whose phone an incoming call rings; None for a queue or a menu."""
    extension = session.extension(party.own)
    if not extension or party.code == "Setup":
        # In Setup the PBX evaluates its rules and rings no phone yet.
        return None
    if party.from_id and party.from_id != party.own:
        event = session.event(kind, Direction.INTERNAL)
        event = replace(event, external=party.from_number or session.extension(party.from_id))
    else:
        event = _from_outside(session, party, kind)
    event = replace(event, leg=party.own)
    if kind is not Kind.ENDED:
        return replace(event, extension=extension)
    # The end leaves out the extension: a menu that was never rung has an end too and must not count as rung.
    outcome = Outcome.MISSED if party.missed or party.code in VOICE_MAIL else _REASONS.get(party.reason)
    return replace(event, outcome=outcome if outcome in (None, Outcome.CANCELLED) else Outcome.MISSED)


def _from_outside(session: Session, party: Party, kind: Kind) -> CallEvent:
    event = session.event(kind, Direction.IN)
    return replace(event, external=caller_number(party.from_number), line=line_number(party.to_number))


def _dialling_event(session: Session, party: Party, kind: Kind) -> CallEvent:
    """Return the event of an employee who calls, or of the called party: both report the same leg.

    The employee's end is the end of the call.
    """
    # A feature code calls nobody outside.
    is_internal = party.to_id or FEATURE_CODE.fullmatch(party.to_number)
    event = replace(
        session.event(kind, Direction.INTERNAL if is_internal else Direction.OUT),
        leg=OUT_LEG,
        external=party.to_number or session.extension(party.to_id),
        line=line_number(party.from_number),
        extension=session.extension(party.own or party.from_id) or None,
    )
    if kind is not Kind.ENDED:
        return event
    return replace(event, outcome=_REASONS.get(party.reason), final=bool(party.own))


def _ring_out_event(session: Session, party: Party, kind: Kind) -> CallEvent | None:
    """Return the event of a RingOut call, such as a click: it rings the employee as if the contact called."""
    event = replace(session.event(kind, Direction.OUT), leg=OUT_LEG)
    if party.role == "Target" or (not party.role and not party.own):
        event = replace(event, external=party.to_number, line=line_number(party.from_number))
        return replace(event, outcome=_REASONS.get(party.reason)) if kind is Kind.ENDED else event
    is_reversed = party.direction == "Inbound"
    event = replace(
        event,
        external=party.from_number if is_reversed else party.to_number,
        extension=session.extension(party.own) or None,
    )
    if kind is Kind.ANSWERED:
        return replace(event, kind=Kind.PICKED_UP)
    # The contact's party reports the outcome; without one the employee did not pick up.
    return replace(event, final=True) if kind is Kind.ENDED else event
