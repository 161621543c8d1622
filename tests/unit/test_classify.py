"""Which tag a call gets: the design's table, a row a test."""

import pytest

from calls_helpers import event
from hangtag.domain.calls.classify import PickUp, SkipReason, TagType, classify
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import Call, fold


def call_of(*events: CallEvent) -> Call:
    """The closed call that these events make."""
    last = events[-1]
    final = event(
        last.kind, 90, last.leg, outcome=last.outcome, direction=last.direction, external=last.external,
        talk_seconds=last.talk_seconds, final=True,
    )  # fmt: skip
    return fold([*events[:-1], final])


def story(direction: Direction, external: str, outcome: Outcome, extension: str = "101") -> Call:
    """A call that rang at one extension and ended so."""
    told = {"direction": direction, "external": external}
    talk = 10 if outcome is Outcome.SUCCESS else 0
    return call_of(
        event(Kind.RINGING, 0, extension, **told),
        event(Kind.ENDED, 30, extension, outcome=outcome, talk_seconds=talk, **told),
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
def test_a_row_of_the_table(call: Call, mapped: set[str], tag: TagType | None, skip: SkipReason | None) -> None:
    verdict = classify(call, mapped=mapped, external_is_employee=False)
    assert (verdict.tag, verdict.skip) == (tag, skip)


def test_what_nobody_took_and_went_on_as_another_call_leaves_its_tag_to_that_one() -> None:
    went_on = event(Kind.SUMMARY, 31, "", linked_call_id="call-2")
    for outcome, skip in ((Outcome.MISSED, SkipReason.FORWARDED), (Outcome.SUCCESS, None)):
        call = fold([event(Kind.RINGING, 0), event(Kind.ENDED, 30, outcome=outcome, final=True), went_on])
        assert classify(call, mapped={"101"}, external_is_employee=False).skip is skip


def test_a_group_that_an_unmapped_extension_answered_leaves_no_tag_though_a_mapped_one_rang() -> None:
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


def test_an_employees_own_number_leaves_no_tag_whatever_became_of_the_call() -> None:
    for outcome in (Outcome.SUCCESS, Outcome.MISSED):
        call = story(Direction.IN, OUTSIDE, outcome)
        verdict = classify(call, mapped={"101"}, external_is_employee=True)
        assert verdict.skip is SkipReason.EMPLOYEE_NUMBER


@pytest.mark.parametrize(
    ("clicked", "outcome", "skipped"),
    [
        (None, Outcome.NO_ANSWER, False),
        (PickUp.TOLD, Outcome.NO_ANSWER, True),
        (PickUp.TOLD, Outcome.BUSY, True),
        (PickUp.ACCEPTED, Outcome.NO_ANSWER, True),
        (PickUp.ACCEPTED, Outcome.CANCELLED, True),
        # It was the other party's phone that was busy: the employee's was taken.
        (PickUp.ACCEPTED, Outcome.BUSY, False),
        (PickUp.ACCEPTED, Outcome.UNAVAILABLE, False),
    ],
)
def test_a_click_that_the_employee_did_not_pick_up_is_skipped_as_far_as_the_pbx_tells(
    clicked: PickUp | None, outcome: Outcome, skipped: bool
) -> None:
    call = story(Direction.OUT, OUTSIDE, outcome)
    verdict = classify(call, mapped={"101"}, external_is_employee=False, pick_up=clicked)
    assert (verdict.skip is SkipReason.EMPLOYEE_NO_ANSWER) is skipped
