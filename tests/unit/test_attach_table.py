"""Every row of the design's table of tags, times the attach rules, hidden or not, incoming and outgoing.

What is expected stands in attach_table.txt, word for word; nothing of it is computed.
"""

import re
from collections.abc import Set
from pathlib import Path

import pytest

from calls_helpers import event
from hangtag.domain.calls.classify import PickUp, TagType, classify
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import Call, fold
from hangtag.domain.tags import AttachRule, Condition, Person, Setting, TaskFacts, attach, build_tag

LINES = (Path(__file__).parent / "attach_table.txt").read_text().splitlines()
HEAD = LINES[0].split()
ROWS = [dict(zip(HEAD, re.split(r" {2,}", line.strip()), strict=True)) for line in LINES[1:]]

# The contact's tasks, the one created last first: the conditions fit only the older of them.
TASKS = (
    TaskFacts("task 3", False, {"title": "Closed", "status": "completed", "Object": "Deal"}),
    TaskFacts("task 2", True, {"title": "Support", "status": "open", "Object": "Request"}),
    TaskFacts("task 1", True, {"title": "Sale", "status": "open", "Object": "Deal"}),
)
CONDITIONS = (Condition("Object", "=", "Deal"), Condition("status", "≠", "completed"))
OUTSIDE, EXTENSION = "+79101234567", "102"


def rule_of(row: dict[str, str]) -> AttachRule:
    """The tenant's rule of a row."""
    hidden = row["hide"] == "yes"
    match row["rule"]:
        case "contact":
            return AttachRule("contact", hidden)
        case "last_active_task":
            return AttachRule("last_active_task", hidden)
        case "last_task_matching":
            return AttachRule("last_task_matching", hidden, CONDITIONS, "1 AND 2")
        case "new_task":
            return AttachRule("new_task", hidden)
    raise AssertionError(row["rule"])


def call_of(row: dict[str, str]) -> tuple[Call, Set[str], bool, bool]:
    """The call of a row; who is mapped, whether the number is an employee's, whether the call was clicked."""
    direction = Direction(row["direction"])
    rang = "" if row["case"] == "no_extension_rang" else "101"
    external = EXTENSION if row["case"] == "internal" else OUTSIDE
    talked = row["case"] in ("internal", "employee_number", "answered", "unmapped_extension")
    missed = Outcome.MISSED if direction is Direction.IN else Outcome.NO_ANSWER

    def told(kind: Kind, second: int, **more: object) -> CallEvent:
        return event(kind, second, rang, direction=direction, external=external, **more)

    outcome = Outcome.SUCCESS if talked else missed
    events = [told(Kind.RINGING, 0)]
    if talked:
        events.append(told(Kind.ANSWERED, 5))
    if row["case"] == "not_answered" and direction is Direction.OUT:
        # The employee's own phone was taken, the other party's was not.
        events.append(told(Kind.ANSWERED, 5))
    events.append(told(Kind.ENDED, 30, outcome=outcome, talk_seconds=25 if talked else 0, final=True))
    mapped = frozenset() if row["case"] == "unmapped_extension" else frozenset({"101", EXTENSION})
    return fold(events), mapped, row["case"] == "employee_number", row["case"] == "own_phone_not_answered"


def test_the_table_is_whole() -> None:
    assert len(ROWS) == len({tuple(row.items()) for row in ROWS}) == 7 * 2 * 4 * 2


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(list(row.values())[:4]))
def test_a_row_of_the_table(row: dict[str, str]) -> None:
    call, mapped, is_employee, clicked = call_of(row)
    verdict = classify(call, mapped=mapped, external_is_employee=is_employee, pick_up=PickUp.TOLD if clicked else None)
    assert (verdict.tag or "-", verdict.skip or "-") == (row["tag"], row["skip_reason"])
    if verdict.tag is None:
        return
    found = attach(verdict.tag, rule_of(row), "c1", TASKS)
    tag = build_tag(call, verdict, Setting(contact=Person("c1", "Ivan")), found)
    kind = next(field.value for field in tag.fields if field.name == "Type")
    on = "new task" if found.new_task else (tag.task_id or "contact")
    assert (kind, on, "yes" if tag.hidden else "no") == (row["type"], row["on"], row["hidden"])
    # Whatever stands on a task stands in the contact's timeline too.
    assert tag.contact_id == "c1"


MATCHING_OR_NEW = AttachRule("last_task_matching", False, CONDITIONS, None, "create_task")


@pytest.mark.parametrize(
    ("rule", "tasks", "expected"),
    [
        (AttachRule("last_active_task"), (), (None, False, "no_active_task")),
        (AttachRule("last_active_task"), TASKS[:1], (None, False, "no_active_task")),
        (AttachRule("last_task_matching", False, CONDITIONS), TASKS[:2], (None, False, "no_matching_task")),
        (MATCHING_OR_NEW, TASKS[:2], (None, True, "no_matching_task")),
        (MATCHING_OR_NEW, TASKS, ("task 1", False, "matching_task")),
    ],
)
def test_without_a_task_that_fits_the_fallback_holds(
    rule: AttachRule, tasks: tuple[TaskFacts, ...], expected: tuple[str | None, bool, str]
) -> None:
    found = attach(TagType.CALL, rule, "c1", tasks)
    assert (found.task_id, found.new_task, found.why) == expected


@pytest.mark.parametrize("rule", [AttachRule(), AttachRule("new_task", True), MATCHING_OR_NEW])
def test_a_call_made_from_a_task_goes_there_and_its_missed_call_too(rule: AttachRule) -> None:
    call = attach(TagType.CALL, rule, "c1", TASKS, from_task="task 9")
    assert (call.contact_id, call.task_id, call.new_task) == ("c1", "task 9", False)
    missed = attach(TagType.MISSED_CALL, rule, "c1", TASKS, from_task="task 9")
    assert (missed.contact_id, missed.task_id, missed.hidden) == ("c1", "task 9", False)


def test_a_call_without_a_contact_has_no_task_to_look_for_but_may_have_a_new_one() -> None:
    for target in ("last_active_task", "last_task_matching"):
        found = attach(TagType.CALL, AttachRule(target), None, TASKS)
        assert (found.contact_id, found.task_id, found.why) == (None, None, "no_contact")
    assert attach(TagType.CALL, AttachRule("new_task"), None).new_task
