"""The fold of hand-written calls, one rule per test."""

from datetime import timedelta

import pytest

from calls_helpers import NOON, event
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import Call, fold
from hangtag.services.calls.settling import settlement


def ringing(second: float, extension: str = "101", **fields: object) -> CallEvent:
    return event(Kind.RINGING, second, extension, **fields)


def answered(second: float, extension: str = "101", **fields: object) -> CallEvent:
    return event(Kind.ANSWERED, second, extension, **fields)


def ended(
    second: float, outcome: Outcome | None, talk: int | None = None, extension: str = "101", **fields: object
) -> CallEvent:
    return event(Kind.ENDED, second, extension, outcome=outcome, talk_seconds=talk, **fields)


def test_no_events_fold_to_an_empty_open_call() -> None:
    assert fold([]) == Call()


def test_an_answered_call_closes_at_its_hang_up() -> None:
    call = fold([ringing(0), answered(6), ended(66, Outcome.SUCCESS, 60)])
    assert (call.closed, call.outcome, call.answered_by) == (True, Outcome.SUCCESS, "101")
    assert (call.started_at, call.ended_at) == (NOON, NOON + timedelta(seconds=66))
    assert call.talk_seconds == 60


def test_a_group_call_belongs_to_the_extension_that_answered() -> None:
    call = fold(
        [
            ringing(0),
            ringing(0, "102"),
            answered(5, "102"),
            ended(5, Outcome.CANCELLED),
            ended(50, Outcome.SUCCESS, 45, "102"),
        ]
    )
    assert (call.closed, call.answered_by, call.extensions) == (True, "102", ("101", "102"))


def test_a_lost_cancel_of_another_leg_does_not_hold_the_call_open() -> None:
    call = fold([ringing(0), ringing(0, "102"), answered(5, "102"), ended(50, Outcome.SUCCESS, 45, "102")])
    assert call.closed


def test_a_leg_that_rings_after_the_answer_holds_the_call_open() -> None:
    call = fold([ringing(0), answered(5), ended(50, Outcome.SUCCESS, 45), ringing(55, "102")])
    assert not call.closed


def test_an_unanswered_leg_leaves_the_call_quiet_until_it_is_settled() -> None:
    events = [ringing(0), ended(20, Outcome.MISSED)]
    call = fold(events)
    assert (call.closed, call.outcome) == (False, None)
    assert call.quiet_since == NOON + timedelta(seconds=20)
    settled = fold([*events, settlement(call, NOON + timedelta(seconds=30), forced=False)])
    assert (settled.closed, settled.outcome) == (True, Outcome.MISSED)
    assert settled.ended_at == NOON + timedelta(seconds=20)


def test_later_ringing_supersedes_a_settlement() -> None:
    events = [ringing(0), ended(20, Outcome.CANCELLED)]
    events.append(settlement(fold(events), NOON + timedelta(seconds=30), forced=False))
    events.append(ringing(31, "102"))
    assert not fold(events).closed
    events.append(ended(51, Outcome.CANCELLED, extension="102"))
    call = fold(events)
    assert not call.closed
    assert call.quiet_since is not None
    events.append(settlement(call, NOON + timedelta(seconds=61), forced=False))
    assert fold(events).outcome is Outcome.MISSED


def test_later_ringing_does_not_reopen_a_final_end() -> None:
    call = fold([ringing(0), ended(20, Outcome.MISSED, final=True), ringing(40, "102")])
    assert call.closed


def test_an_outgoing_answer_without_a_leg_belongs_to_the_only_leg() -> None:
    ring, answer = ringing(0, direction=Direction.OUT), event(Kind.ANSWERED, 9, "")
    call = fold([ring, answer])
    assert [(leg.extension, leg.live, leg.answered_at) for leg in call.legs] == [("101", True, answer.at)]
    end = event(Kind.ENDED, 44, "", outcome=Outcome.SUCCESS, talk_seconds=35, final=True)
    call = fold([answer, end, ring])
    assert (call.outcome, call.answered_by, call.talk_seconds) == (Outcome.SUCCESS, "101", 35)
    assert (call.answered_at, len(call.legs)) == (answer.at, 1)
    # A menu can answer an incoming call, and an answer to one of two legs is ambiguous.
    assert fold([ringing(0, direction=Direction.IN), answer, end]).answered_by is None
    assert fold([ring, ringing(0, "102", direction=Direction.OUT), answer, end]).answered_by is None


@pytest.mark.parametrize("outcome", [Outcome.SUCCESS, None])
def test_a_final_end_without_a_leg_ends_all_legs(outcome: Outcome | None) -> None:
    end = event(Kind.ENDED, 50, "", outcome=outcome, talk_seconds=45 if outcome else None, final=True)
    call = fold([ringing(0), ringing(0, "102"), answered(5, "102"), end])
    assert (call.closed, call.outcome, call.answered_by, call.talk_seconds) == (True, Outcome.SUCCESS, "102", 45)
    assert call.ended_at == NOON + timedelta(seconds=50)
    assert {leg.key for leg in call.legs if leg.live} == set()
    # A leg's own end carries more information.
    own_end = fold([ringing(0), answered(5), ended(40, Outcome.SUCCESS, 35), end])
    assert (own_end.answered_by, own_end.talk_seconds, own_end.ended_at) == ("101", 35, NOON + timedelta(seconds=40))


def test_an_unanswered_final_end_without_a_leg_is_missed_on_every_leg() -> None:
    over = event(Kind.ENDED, 30, "", outcome=Outcome.MISSED, talk_seconds=0, final=True)
    call = fold([ringing(0), ringing(0, "102"), over])
    assert (call.outcome, call.answered_by) == (Outcome.MISSED, None)
    assert {leg.outcome for leg in call.legs} == {Outcome.MISSED}


def test_later_ringing_continues_after_a_non_final_end_without_a_leg() -> None:
    over = event(Kind.ENDED, 20, "", outcome=None)
    call = fold([ringing(0), ringing(0, "102"), over])
    assert (call.closed, call.quiet_since, {leg.live for leg in call.legs}) == (False, over.at, {False})
    assert fold([ringing(0), answered(5), over]).outcome is Outcome.SUCCESS
    again = fold([ringing(0), over, ringing(25, "102")])
    assert [leg.key for leg in again.legs if leg.live] == ["102"]
    # A part that began without a name ends on its own.
    menu = fold([event(Kind.RINGING, 0, ""), ringing(10), over])
    assert [leg.key for leg in menu.legs if leg.live] == ["101"]


def test_an_extension_that_rings_twice_has_two_rounds() -> None:
    once = [ringing(0), ended(20, Outcome.CANCELLED)]
    twice = [*once, ringing(40)]
    assert fold(once).quiet_since is not None
    assert fold(twice).quiet_since is None
    assert fold(twice).rounds == 2


def test_a_duplicate_ring_across_a_rounding_edge_is_one_round() -> None:
    call = fold([ringing(9), ringing(11), ended(30, Outcome.MISSED)])
    assert (call.rounds, call.quiet_since is not None) == (1, True)


def test_late_ringing_after_the_hang_up_does_not_reopen_a_leg() -> None:
    call = fold([ended(1, Outcome.MISSED), ringing(2)])
    assert call.quiet_since is not None
    assert fold([ended(1, Outcome.SUCCESS, 9), ringing(2), answered(30)]).closed


def test_a_call_with_only_an_end_event_is_complete() -> None:
    call = fold([ended(100, Outcome.SUCCESS, 40)])
    assert (call.closed, call.outcome, call.answered_by) == (True, Outcome.SUCCESS, "101")
    assert call.started_at == NOON + timedelta(seconds=60)


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([ringing(0), answered(5), ended(6, Outcome.SUCCESS, 0)], Outcome.SUCCESS),
        ([ringing(0), answered(5), ended(6, Outcome.MISSED, 0)], Outcome.MISSED),
        ([ringing(0), answered(5), ended(60, Outcome.MISSED, 55)], Outcome.SUCCESS),
        ([ringing(0), ended(30, Outcome.MISSED, 30)], Outcome.MISSED),
        ([ringing(0), answered(5), ended(60, None, None)], Outcome.SUCCESS),
    ],
    ids=["success at zero", "missed though answered", "missed with talk", "ring time", "no status"],
)
def test_status_decides_a_contradicting_end_without_talk_time(events: list[CallEvent], outcome: Outcome) -> None:
    call = fold(events)
    settled = fold([*events, settlement(call, NOON + timedelta(seconds=90), forced=False)])
    assert settled.outcome is outcome


def test_an_unanswered_outgoing_call_keeps_the_providers_reason() -> None:
    events = [
        ringing(0, direction=Direction.OUT),
        ended(9, Outcome.BUSY, direction=Direction.OUT),
    ]
    events.append(settlement(fold(events), NOON + timedelta(seconds=20), forced=False))
    assert fold(events).outcome is Outcome.BUSY


def test_a_transferred_call_belongs_to_the_last_leg_that_talked() -> None:
    first = [ringing(0), answered(5), event(Kind.TRANSFERRED, 30), ended(31, Outcome.SUCCESS, 25)]
    assert not fold(first).closed
    call = fold([*first, ringing(32, "102"), answered(35, "102"), ended(65, Outcome.SUCCESS, 30, "102")])
    assert (call.closed, call.answered_by, call.talk_seconds) == (True, "102", 55)


def test_a_transfer_to_a_linked_call_closes_this_one_at_once() -> None:
    transfer = event(Kind.TRANSFERRED, 30, linked_call_id="call-2")
    call = fold([ringing(0), answered(5), transfer])
    assert (call.closed, call.linked_call_id, call.talk_seconds) == (True, "call-2", 25)


def test_a_late_end_corrects_a_forced_settlement() -> None:
    events = [ringing(0), answered(5)]
    events.append(settlement(fold(events), NOON + timedelta(hours=4), forced=True))
    call = fold(events)
    assert (call.closed, call.outcome, call.end_unknown) == (True, Outcome.SUCCESS, True)
    assert (call.ended_at, call.talk_seconds) == (None, None)
    late = fold([*events, ended(90, Outcome.SUCCESS, 85)])
    assert (late.closed, late.end_unknown, late.talk_seconds) == (True, False, 85)


def test_a_summary_overrides_the_values_of_live_events() -> None:
    summary = event(Kind.SUMMARY, 99, outcome=Outcome.SUCCESS, talk_seconds=41, recording="https://pbx/1")
    call = fold([ringing(0), answered(5), ended(50, Outcome.SUCCESS, 45), summary])
    assert call.talk_seconds == 41
    assert call.recording is not None
    assert call.recording.url == "https://pbx/1"


def test_a_lasting_recording_is_preferred_to_a_temporary_one() -> None:
    lasting = event(Kind.RECORDED, 70, "", recording="https://pbx/keep")
    fleeting = event(Kind.RECORDED, 80, "", recording="https://pbx/once", recording_is_temporary=True)
    call = fold([ended(60, Outcome.SUCCESS, 5), lasting, fleeting])
    assert call.recording is not None
    assert call.recording.url == "https://pbx/keep"


def test_recordings_are_ordered_by_their_last_mention() -> None:
    events = [event(Kind.RECORDED, at, "", recording=f"https://pbx/{at}") for at in (90, 70, 80)]
    again = event(Kind.SUMMARY, 95, "", recording="https://pbx/70", outcome=Outcome.SUCCESS)
    assert [recording.url for recording in fold(events).recordings] == [
        "https://pbx/70",
        "https://pbx/80",
        "https://pbx/90",
    ]
    # A repeated mention moves a recording to the end without duplicating it.
    assert [recording.url for recording in fold([*events, again]).recordings] == [
        "https://pbx/80",
        "https://pbx/90",
        "https://pbx/70",
    ]


def test_an_address_reported_as_lasting_once_stays_lasting() -> None:
    fleeting = event(Kind.RECORDED, 80, "", recording="https://pbx/1", recording_is_temporary=True)
    lasting = event(Kind.RECORDED, 70, "", recording="https://pbx/1")
    assert [recording.temporary for recording in fold([lasting, fleeting]).recordings] == [False]


def test_a_recording_alone_does_not_close_a_call() -> None:
    call = fold([event(Kind.RECORDED, 70, "", recording="https://pbx/1")])
    assert (call.closed, call.quiet_since) == (False, None)
