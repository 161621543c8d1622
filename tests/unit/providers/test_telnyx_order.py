"""Webhooks of Telnyx that are late, lost, duplicated or out of order."""

import itertools
import random
from dataclasses import replace
from datetime import timedelta

from hangtag.domain.calls.classify import classify
from hangtag.domain.calls.event import Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from local.simulator.story import Story, load_story
from provider_stories import NOON, closed
from telnyx_helpers import ANNA, BORIS, CONTACT, all_of, body_of, deliveries, each_story, flat


@each_story
def test_duplicates_in_any_order_make_the_same_call(story: Story) -> None:
    groups = [events for _, events in deliveries(story)]
    right = fold(flat(groups))
    shuffler = random.Random(7)  # noqa: S311 - the same orders in each run
    orders = itertools.permutations(groups) if len(groups) <= 5 else None
    for order in orders or (shuffler.sample([*groups, *groups], 2 * len(groups)) for _ in range(200)):
        assert fold(flat(order)) == right


@each_story
def test_late_webhook_does_not_change_a_closed_call(story: Story) -> None:
    """Each webhook in turn arrives last; the resulting call is the same."""
    groups = [events for _, events in deliveries(story)]
    right = fold(flat(groups))
    for late in range(len(groups)):
        others = groups[:late] + groups[late + 1 :]
        assert fold([*flat(others), *groups[late]]) == right


@each_story
def test_late_webhook_without_a_plausible_time_changes_nothing(story: Story) -> None:
    """Its time is the arrival, ten minutes after the end of the call."""
    groups = [events for _, events in deliveries(story)]
    right = closed(flat(groups), NOON)
    late = NOON + timedelta(minutes=10)
    for number, events in enumerate(groups):
        slow = [replace(event, at=late, at_is_arrival=True) for event in events]
        call = closed([*flat(groups[:number]), *flat(groups[number + 1 :]), *slow], late)
        assert (call.closed, call.outcome, call.answered_by) == (True, right.outcome, right.answered_by)
        assert set(call.extensions) == set(right.extensions)
        assert (call.direction, call.external, call.end_unknown) == (right.direction, right.external, False)


@each_story
def test_one_lost_webhook_does_not_change_the_outcome(story: Story) -> None:
    payload = deliveries(story)
    right = closed(flat([events for _, events in payload]), NOON)
    for lost, (hangup, events) in enumerate(payload):
        rest = flat([events for number, (_, events) in enumerate(payload) if number != lost])
        if not rest:
            continue
        call = closed(rest, NOON + timedelta(hours=1))
        assert call.closed
        assert (call.direction, call.external, call.answered_by) == (right.direction, right.external, right.answered_by)
        is_contacts = any(event.leg == "out" and not event.final for event in events)
        if not (hangup and is_contacts):
            assert call.outcome is right.outcome, (lost, events)


def test_employees_end_replaces_a_lost_end_of_the_contacts_leg() -> None:
    """The end of the conversation is known; the reason of an unanswered call is not."""
    for name, outcome, talk in (
        ("outgoing_answered", Outcome.SUCCESS, 124),
        ("outgoing_busy", Outcome.NO_ANSWER, None),
    ):
        groups = [
            tuple(event for event in events if not (event.kind is Kind.ENDED and not event.final))
            for _, events in deliveries(load_story(name, "telnyx"))
        ]
        call = fold(flat(groups))
        assert (call.closed, call.outcome, call.talk_seconds) == (True, outcome, talk)


def test_callers_end_replaces_lost_ends_of_the_offices_legs() -> None:
    for name, outcome in (("missed_incoming", Outcome.MISSED), ("answered_incoming", Outcome.SUCCESS)):
        events = flat([events for _, events in deliveries(load_story(name, "telnyx"))])
        call = fold([event for event in events if event.kind is not Kind.ENDED or event.final])
        assert (call.closed, call.outcome) == (True, outcome)


def test_call_answered_by_a_menu_only_is_missed() -> None:
    call = fold(
        all_of(
            body_of("initiated", leg="K", direction="incoming"),
            body_of("answered", leg="K", after=1),
            body_of("hangup", leg="K", after=40, hangup_cause="normal_clearing", sip_hangup_cause="200"),
        )
    )
    assert (call.closed, call.outcome, call.answered_by, call.extensions) == (True, Outcome.MISSED, None, ())
    verdict = classify(call, mapped=frozenset({"101"}), external_is_employee=False)
    assert (verdict.tag, verdict.direction) == ("missed_call", Direction.IN)


def test_caller_in_a_menu_is_an_open_unanswered_call() -> None:
    call = fold(all_of(body_of("initiated", leg="K", direction="incoming"), body_of("answered", leg="K", after=1)))
    assert (call.closed, call.answered_by, call.quiet_since) == (False, None, None)


def test_early_end_of_the_caller_closes_the_call() -> None:
    ring, answer = (body_of(name, CONTACT, ANNA, leg="A") for name in ("initiated", "answered"))
    over = body_of("hangup", leg="K", after=60, hangup_cause="normal_clearing")
    early = fold(all_of(ring, answer, over))
    assert (early.closed, early.outcome, early.answered_by) == (True, Outcome.SUCCESS, "101")
    end = body_of("hangup", CONTACT, ANNA, leg="A", after=60, hangup_cause="normal_clearing")
    whole = fold(all_of(ring, answer, over, end))
    assert (whole.closed, whole.outcome, whole.talk_seconds) == (True, Outcome.SUCCESS, 60)


def test_call_belongs_to_the_last_employee_without_a_transfer_event() -> None:
    """Without a state that names the transfer, the last talk counts."""
    bodies = [
        body_of("initiated", leg="K", direction="incoming"),
        body_of("answered", CONTACT, ANNA, leg="A", after=5),
        body_of("hangup", CONTACT, ANNA, leg="A", after=30, hangup_cause="normal_clearing"),
        body_of("initiated", CONTACT, BORIS, leg="B", after=31),
        body_of("answered", CONTACT, BORIS, leg="B", after=35),
        body_of("hangup", CONTACT, BORIS, leg="B", after=65, hangup_cause="normal_clearing"),
        body_of("hangup", leg="K", after=65, hangup_cause="normal_clearing"),
    ]
    call = fold(all_of(*bodies))
    assert (call.outcome, call.answered_by, call.talk_seconds) == (Outcome.SUCCESS, "102", 30)
