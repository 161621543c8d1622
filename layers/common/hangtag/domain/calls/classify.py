"""`classify`: which tag a closed call deserves, or why none. Pure."""

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum

from hangtag.domain.calls.event import Direction, Outcome, PickUp
from hangtag.domain.calls.fold import Call

__all__ = ["SHORT_NUMBER_DIGITS", "PickUp", "SkipReason", "TagType", "Verdict", "classify", "is_internal", "is_private"]

SHORT_NUMBER_DIGITS = 4


class TagType(StrEnum):
    """The two tags."""

    CALL = "call"
    MISSED_CALL = "missed_call"


class SkipReason(StrEnum):
    """Why a call leaves no tag; kept on the call and shown to admins."""

    INTERNAL = "internal"
    UNKNOWN_EXTENSION = "unknown_extension"
    EMPLOYEE_NO_ANSWER = "employee_no_answer"
    EMPLOYEE_NUMBER = "employee_number"
    FORWARDED = "forwarded"
    INCOMPLETE = "incomplete"


# An outgoing call that ended so may never have got beyond the employee's own phone.
_NOT_TAKEN = (Outcome.NO_ANSWER, Outcome.MISSED, Outcome.CANCELLED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Either a tag with its direction, or a reason to skip. Exactly one of `tag` and `skip` is set."""

    tag: TagType | None
    direction: Direction | None
    skip: SkipReason | None


def classify(
    call: Call,
    *,
    mapped: Set[str],
    external_is_employee: bool,
    clicked: PickUp | None = None,
) -> Verdict:
    """Judge a closed call.

    `mapped` are the extensions of this integration that belong to an employee, as far as the call concerns them
    (those that rang, and the other party's number). `external_is_employee`: the other party's number is on an
    employee's card. `clicked`: started by click to call, so that the employee's own phone rang first, and how this PBX
    tells that it was picked up; None also for a PBX that does not tell.
    """
    reason = _reason_to_skip(call, mapped, external_is_employee, clicked)
    if reason is not None:
        return Verdict(None, None, reason)
    direction = Direction.OUT if call.direction is Direction.OUT else Direction.IN
    talked = call.outcome is Outcome.SUCCESS
    # An incoming call that only a menu or voice mail answered reached nobody.
    if talked and (direction is Direction.OUT or call.extensions):
        return Verdict(TagType.CALL, direction, None)
    return Verdict(TagType.MISSED_CALL, direction, None)


def is_private(call: Call, *, mapped: Set[str], external_is_employee: bool) -> bool:
    """Whether a call is among employees, so that no window opens for anybody."""
    return external_is_employee or call.direction is Direction.INTERNAL or is_internal(call.external, mapped)


def _reason_to_skip(  # noqa: PLR0911 - a row of the design's table each
    call: Call, mapped: Set[str], external_is_employee: bool, clicked: PickUp | None
) -> SkipReason | None:
    if not call.legs:
        return SkipReason.INCOMPLETE
    if call.direction is Direction.INTERNAL or is_internal(call.external, mapped):
        return SkipReason.INTERNAL
    if external_is_employee:
        return SkipReason.EMPLOYEE_NUMBER
    if call.linked_call_id is not None and call.outcome is not Outcome.SUCCESS:
        # Nobody took it here; the call as which it went on says whether anybody did.
        return SkipReason.FORWARDED
    if clicked is not None and not _picked_up(call, clicked):
        return SkipReason.EMPLOYEE_NO_ANSWER
    if call.answered_by is not None:
        return None if call.answered_by in mapped else SkipReason.UNKNOWN_EXTENSION
    rung = call.extensions
    if (rung or call.direction is Direction.OUT) and not mapped & set(rung):
        return SkipReason.UNKNOWN_EXTENSION
    return None


def _picked_up(call: Call, how: PickUp) -> bool:
    """Whether the employee's own phone was; a PBX without an event for it says so also by why nobody was reached."""
    if call.picked_up or any(leg.answered for leg in call.legs):
        return True
    return how is PickUp.ACCEPTED and call.outcome not in _NOT_TAKEN


def is_internal(external: str | None, mapped: Set[str]) -> bool:
    """The other party is an extension: a mapped one, or a number too short to be dialled from outside.

    Two to four digits without a plus: public service numbers of that length are lost with them, which is why
    the reason is shown.
    """
    if not external:
        return False
    if external in mapped:
        return True
    return external.isdigit() and 2 <= len(external) <= SHORT_NUMBER_DIGITS
