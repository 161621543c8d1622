"""Tags of calls: the design's table, one row per test."""

import pytest

from calls_helpers import event
from hangtag.domain.calls.classify import PickUp, SkipReason, TagType, classify
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import Call, fold


def call_of(*events: CallEvent) -> Call:
    """Return the closed call of these events."""
    last = events[-1]
    final = event(
        last.kind, 90, last.leg, outcome=last.outcome, direction=last.direction, external=last.external,
        talk_seconds=last.talk_seconds, final=True,
    )  # fmt: skip
    return fold([*events[:-1], final])


def story(direction: Direction, external: str, outcome: Outcome, extension: str = "101") -> Call:
    """Return a call that rang at one extension and ended with this outcome."""
    fields = {"direction": direction, "external": external}
    talk = 10 if outcome is Outcome.SUCCESS else 0
    return call_of(
        event(Kind.RINGING, 0, extension, **fields),
        event(Kind.ENDED, 30, extension, outcome=outcome, talk_seconds=talk, **fields),
    )


OUTSIDE = "79101234567"


@pytest.mark.parametrize(
    ("call", "mapped", "tag", "skip"),
    [
        (story(Direction.IN, OUTSIDE, Outcome.SUCCESS), {"101"}, TagType.CALL, None),
        (story(Direction.OUT, OUTSIDE, Outcome.SUCCESS), {"101"}, TagType.CALL, None),
        (story(Direction.IN, OUTSIDE, Outcome.MISSED), {"101"}, TagType.MISSED_CALL, None),
        (story(Direction.OUT, OUTSIDE, Outcome.BUSY), {"101"}, TagType.MISSED_CALL, None),
        (story(Direction.IN, OUTSIDE, Outcome.SUCCESS), set(), None, SkipReason.UNKNOWN_EXTENSION),
        (story(Direction.IN, OUTSIDE, Outcome.MISSED), set(), None, SkipReason.UNKNOWN_EXTENSION),
        (story(Direction.OUT, "102", Outcome.SUCCESS), {"101", "102"}, None, SkipReason.INTERNAL),
        (story(Direction.OUT, "150", Outcome.SUCCESS), {"101"}, None, SkipReason.INTERNAL),
        (story(Direction.INTERNAL, OUTSIDE, Outcome.SUCCESS), {"101"}, None, SkipReason.INTERNAL),
        (story(Direction.IN, OUTSIDE, Outcome.MISSED, ""), set(), TagType.MISSED_CALL, None),
        (story(Direction.IN, OUTSIDE, Outcome.SUCCESS, ""), set(), TagType.MISSED_CALL, None),
        (story(Direction.OUT, OUTSIDE, Outcome.BUSY, ""), set(), None, SkipReason.UNKNOWN_EXTENSION),
        (fold([]), set(), None, SkipReason.INCOMPLETE),
    ],
    ids=[
        "incoming answered", "outgoing answered", "incoming missed", "outgoing busy",
        "answered by an unmapped extension", "only unmapped extensions rang", "to a mapped extension",
        "to a short number", "called internal by the PBX", "closed hours", "only a menu answered",
        "outgoing from no extension", "nothing known",
    ],
)  # fmt: skip
def test_a_call_gets_the_tag_of_its_table_row(
    call: Call, mapped: set[str], tag: TagType | None, skip: SkipReason | None
) -> None:
    verdict = classify(call, mapped=mapped, external_is_employee=False)
    assert (verdict.tag, verdict.skip) == (tag, skip)


def test_a_forwarded_unanswered_call_leaves_its_tag_to_the_next() -> None:
    went_on = event(Kind.SUMMARY, 31, "", linked_call_id="call-2")
    for outcome, skip in ((Outcome.MISSED, SkipReason.FORWARDED), (Outcome.SUCCESS, None)):
        call = fold([event(Kind.RINGING, 0), event(Kind.ENDED, 30, outcome=outcome, final=True), went_on])
        assert classify(call, mapped={"101"}, external_is_employee=False).skip is skip


def test_a_call_answered_on_an_unmapped_extension_leaves_no_tag() -> None:
    call = fold(
        [
            event(Kind.RINGING, 0),
            event(Kind.RINGING, 0, "150"),
            event(Kind.ANSWERED, 5, "150"),
            event(Kind.ENDED, 50, "150", outcome=Outcome.SUCCESS, talk_seconds=45),
        ]
    )
    verdict = classify(call, mapped={"101"}, external_is_employee=False)
    assert verdict.skip is SkipReason.UNKNOWN_EXTENSION


def test_a_call_with_an_employees_own_number_leaves_no_tag() -> None:
    for outcome in (Outcome.SUCCESS, Outcome.MISSED):
        call = story(Direction.IN, OUTSIDE, outcome)
        verdict = classify(call, mapped={"101"}, external_is_employee=True)
        assert verdict.skip is SkipReason.EMPLOYEE_NUMBER


@pytest.mark.parametrize(
    ("pick_up", "outcome", "skipped"),
    [
        (None, Outcome.NO_ANSWER, False),
        (PickUp.TOLD, Outcome.NO_ANSWER, True),
        (PickUp.TOLD, Outcome.BUSY, True),
        (PickUp.ACCEPTED, Outcome.NO_ANSWER, True),
        (PickUp.ACCEPTED, Outcome.CANCELLED, True),
        # The other party's phone was busy: the employee's own was picked up.
        (PickUp.ACCEPTED, Outcome.BUSY, False),
        (PickUp.ACCEPTED, Outcome.UNAVAILABLE, False),
    ],
)
def test_a_click_without_a_pick_up_is_skipped(pick_up: PickUp | None, outcome: Outcome, skipped: bool) -> None:
    call = story(Direction.OUT, OUTSIDE, outcome)
    verdict = classify(call, mapped={"101"}, external_is_employee=False, pick_up=pick_up)
    assert (verdict.skip is SkipReason.EMPLOYEE_NO_ANSWER) is skipped
