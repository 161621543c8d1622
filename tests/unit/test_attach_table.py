"""Every row of the design's table of tags, with each attach rule, hidden or not, incoming and outgoing.

The expected values are in attach_table.txt, word for word; none of them is computed.
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

# The contact's tasks, newest first: only the older ones match the conditions.
TASKS = (
    TaskFacts("task 3", False, {"title": "Closed", "status": "completed", "Object": "Deal"}),
    TaskFacts("task 2", True, {"title": "Support", "status": "open", "Object": "Request"}),
    TaskFacts("task 1", True, {"title": "Sale", "status": "open", "Object": "Deal"}),
)
CONDITIONS = (Condition("Object", "=", "Deal"), Condition("status", "≠", "completed"))
OUTSIDE, EXTENSION = "+79101234567", "102"


def rule_of(row: dict[str, str]) -> AttachRule:
    """Return the tenant's rule of a row."""
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
    """Return the call of a row, the mapped extensions, `external_is_employee`, and True for a click."""
    direction = Direction(row["direction"])
    rang = "" if row["case"] == "no_extension_rang" else "101"
    external = EXTENSION if row["case"] == "internal" else OUTSIDE
    talked = row["case"] in ("internal", "employee_number", "answered", "unmapped_extension")
    missed = Outcome.MISSED if direction is Direction.IN else Outcome.NO_ANSWER

    def make_event(kind: Kind, second: int, **more: object) -> CallEvent:
        return event(kind, second, rang, direction=direction, external=external, **more)

    outcome = Outcome.SUCCESS if talked else missed
    events = [make_event(Kind.RINGING, 0)]
    if talked:
        events.append(make_event(Kind.ANSWERED, 5))
    if row["case"] == "not_answered" and direction is Direction.OUT:
        # The employee's own phone was picked up, the other party's was not.
        events.append(make_event(Kind.ANSWERED, 5))
    events.append(make_event(Kind.ENDED, 30, outcome=outcome, talk_seconds=25 if talked else 0, final=True))
    mapped = frozenset() if row["case"] == "unmapped_extension" else frozenset({"101", EXTENSION})
    return fold(events), mapped, row["case"] == "employee_number", row["case"] == "own_phone_not_answered"


def test_the_table_has_every_combination_once() -> None:
    assert len(ROWS) == len({tuple(row.items()) for row in ROWS}) == 7 * 2 * 4 * 2


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(list(row.values())[:4]))
def test_a_tag_is_attached_as_in_its_table_row(row: dict[str, str]) -> None:
    call, mapped, is_employee, clicked = call_of(row)
    verdict = classify(call, mapped=mapped, external_is_employee=is_employee, pick_up=PickUp.TOLD if clicked else None)
    assert (verdict.tag or "-", verdict.skip or "-") == (row["tag"], row["skip_reason"])
    if verdict.tag is None:
        return
    attachment = attach(verdict.tag, rule_of(row), "c1", TASKS)
    tag = build_tag(call, verdict, Setting(contact=Person("c1", "Ivan")), attachment)
    kind = next(field.value for field in tag.fields if field.name == "Type")
    on = "new task" if attachment.new_task else (tag.task_id or "contact")
    assert (kind, on, "yes" if tag.hidden else "no") == (row["type"], row["on"], row["hidden"])
    # Everything on a task is in the contact's timeline, too.
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
def test_without_a_matching_task_the_fallback_applies(
    rule: AttachRule, tasks: tuple[TaskFacts, ...], expected: tuple[str | None, bool, str]
) -> None:
    attachment = attach(TagType.CALL, rule, "c1", tasks)
    assert (attachment.task_id, attachment.new_task, attachment.why) == expected


@pytest.mark.parametrize("rule", [AttachRule(), AttachRule("new_task", True), MATCHING_OR_NEW])
def test_a_call_started_from_a_task_is_attached_to_that_task(rule: AttachRule) -> None:
    call = attach(TagType.CALL, rule, "c1", TASKS, from_task="task 9")
    assert (call.contact_id, call.task_id, call.new_task) == ("c1", "task 9", False)
    missed = attach(TagType.MISSED_CALL, rule, "c1", TASKS, from_task="task 9")
    assert (missed.contact_id, missed.task_id, missed.hidden) == ("c1", "task 9", False)


def test_a_call_without_a_contact_can_only_get_a_new_task() -> None:
    for target in ("last_active_task", "last_task_matching"):
        attachment = attach(TagType.CALL, AttachRule(target), None, TASKS)
        assert (attachment.contact_id, attachment.task_id, attachment.why) == (None, None, "no_contact")
    assert attach(TagType.CALL, AttachRule("new_task"), None).new_task
