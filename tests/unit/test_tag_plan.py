"""The whole decision about a call's tag, as a table: tag_plan_table.txt."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hangtag.domain.calls.classify import SkipReason, TagType, Verdict
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import Call, fold
from hangtag.domain.tags import AttachRule, Person, TaskFacts
from hangtag.domain.tags.plan import Parties, PlacementFacts, TagFacts, TagPlace, TagPlan, plan_tag

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NUMBER = "+12015550123"
HEADER, *ROWS = [
    line.replace("|", " ").split()
    for line in (Path(__file__).parent / "tag_plan_table.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
CASES = [dict(zip(HEADER, row, strict=True)) for row in ROWS]
RULES = {
    "contact": AttachRule(),
    "last_active_task": AttachRule("last_active_task"),
    "last_task_matching": AttachRule("last_task_matching"),
    "matching_or_new": AttachRule("last_task_matching", if_none="create_task"),
    "new_task": AttachRule("new_task"),
}


def closed_call(direction: Direction) -> Call:
    def event(kind: Kind, seconds: int, outcome: Outcome | None = None) -> CallEvent:
        return CallEvent(
            call_id="c1",
            kind=kind,
            leg="101",
            direction=direction,
            external=NUMBER,
            line="+442079460010",
            extension="101",
            at=NOON + timedelta(seconds=seconds),
            outcome=outcome,
        )

    return fold([event(Kind.RINGING, 0), event(Kind.ANSWERED, 5), event(Kind.ENDED, 65, Outcome.SUCCESS)])


def facts(case: dict[str, str]) -> TagFacts:
    def value(column: str) -> str | None:
        return None if case[column] == "-" else case[column]

    direction = Direction.OUT if case["direction"] == "out" else Direction.IN
    verdict = Verdict(None, None, SkipReason.INTERNAL)
    if case["verdict"] != "skipped":
        verdict = Verdict(TagType(case["verdict"]), direction, None)
    task, placed, from_task = value("task"), value("placed"), value("from_task")
    return TagFacts(
        verdict=verdict,
        parties=Parties(
            employees={"101": Person("e1", "Anna")},
            number=NUMBER,
            readable=True,
            contact=Person("c1", "Acme GmbH") if case["contact"] == "yes" else None,
        ),
        rule=RULES[case["rule"]],
        placed=TagPlace(placed, hidden=False) if placed else None,
        placement=PlacementFacts(
            from_task=from_task,
            from_task_exists=from_task is not None and case["deleted"] == "no",
            task=TaskFacts(task, is_open=True, facts={}) if task else None,
            outside_task_id=value("outside"),
            new_task_id="new",
        ),
    )


def place(plan: TagPlan) -> str:
    if plan.tag is None:
        return "no_tag"
    return plan.tag.task_id or ("contact" if plan.tag.contact_id else "nowhere")


def yes(flag: bool) -> str:
    return "yes" if flag else "no"


@pytest.mark.parametrize("case", CASES, ids=[" ".join(row[:8]) for row in ROWS])
def test_a_tag_plan_follows_its_row_of_the_table(case: dict[str, str]) -> None:
    direction = Direction.OUT if case["direction"] == "out" else Direction.IN
    plan = plan_tag(closed_call(direction), facts(case))
    assert {
        "on": place(plan),
        "write": str(plan.task),
        "awaits": yes(plan.awaits == NUMBER),
        "returns": yes(plan.returns_missed_calls),
        "queued": yes(plan.is_queued),
        "notify": yes(plan.notify),
    } == {column: case[column] for column in HEADER[9:]}


def test_a_call_keeps_its_place_in_later_revisions() -> None:
    case = next(case for case in CASES if case["rule"] == "new_task" and case["verdict"] == "call")
    first = plan_tag(closed_call(Direction.IN), facts(case))
    assert first.placed == TagPlace("new", hidden=False)
    again = plan_tag(closed_call(Direction.IN), replace(facts(case), placed=first.placed, rule=RULES["contact"]))
    assert (place(again), again.placed) == ("new", first.placed)


def test_employees_are_notified_of_a_missed_call_once() -> None:
    case = next(case for case in CASES if case["notify"] == "yes")
    assert not plan_tag(closed_call(Direction.IN), replace(facts(case), notified=True)).notify


def test_an_unreadable_number_returns_no_missed_calls() -> None:
    case = next(case for case in CASES if case["returns"] == "yes")
    unreadable = replace(facts(case).parties, readable=False)
    plan = plan_tag(closed_call(Direction.IN), replace(facts(case), parties=unreadable))
    assert (plan.returns_missed_calls, plan.awaits) == (False, None)
