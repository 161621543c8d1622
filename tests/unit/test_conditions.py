"""Conditions on tasks, and the logic line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.domain.tags.conditions import Condition, LogicError, Scalar, facts_of, fits, read_logic, read_rows
from hangtag.settings import PlacementCondition, TaskField


@pytest.mark.parametrize(
    ("line", "rows", "expected"),
    [
        ("1", [True], True),
        ("1 AND 2", [True, False], False),
        ("1 OR 2", [True, False], True),
        ("1 or 2 and 3", [True, False, False], True),
        ("(1 OR 2) AND 3", [True, False, False], False),
        ("(1 AND 2) OR (1 AND 3)", [True, False, True], True),
        ("(1 AND 2) OR (1 AND 3)", [False, True, True], False),
        ("((2))", [False, True], True),
        ("  2AND(1)  ", [True, True], True),
        (None, [True, True], True),
        (None, [True, False], False),
        ("", [], True),
    ],
)
def test_a_logic_line_combines_its_numbered_rows(line: str | None, rows: list[bool], expected: bool) -> None:
    assert read_logic(line, len(rows))(rows) is expected


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        ("1 AND", 6, "The number of a condition or ( is missing."),
        ("AND 1", 1, "Enter the number of a condition or ( here."),
        ("1 2", 3, "AND or OR is missing here."),
        ("1 AND 4", 7, "Condition 4 does not exist."),
        ("0", 1, "Condition 0 does not exist."),
        ("(1 AND 2", 1, "This parenthesis is never closed."),
        ("1 AND 2)", 8, "This parenthesis was never opened."),
        ("(1 2)", 4, "Enter AND, OR or ) here."),
        ("1 XOR 2", 3, "Use numbers of conditions, AND, OR and parentheses only."),
        ("1 & 2", 3, "Use numbers of conditions, AND, OR and parentheses only."),
        ("1 AND ()", 8, "Enter the number of a condition or ( here."),
        ("9" * 500, 1, "Condition 999999 does not exist."),
        ("(" * 31 + "1" + ")" * 31, 31, "The line is nested too deeply."),
    ],
)
def test_an_invalid_logic_line_names_column_with_reason(line: str, column: int, reason: str) -> None:
    with pytest.raises(LogicError) as error:
        read_logic(line, 3)
    assert (error.value.column, error.value.reason) == (column, reason)


def column_of_fault(line: str) -> int | None:
    """Return the column of a line's fault; None for a valid line."""
    try:
        read_logic(line, 2)([True, False])
    except LogicError as error:
        return error.column
    return None


@given(st.text(alphabet="12 ()ANDOR&x\t", max_size=60))
def test_any_rejected_logic_line_has_a_column_inside_the_line(line: str) -> None:
    column = column_of_fault(line)
    assert column is None or 1 <= column <= len(line) + 1


@pytest.mark.parametrize(
    ("facts", "condition", "expected"),
    [
        ({"Object": "Deal"}, Condition("Object", "=", "deal "), True),
        ({"Object": "Deal"}, Condition("Object", "≠", "Deal"), False),
        ({"Object": "Deal"}, Condition("object", "=", "Deal"), False),
        ({}, Condition("Object", "=", ""), True),
        ({}, Condition("Object", "=", None), True),
        ({}, Condition("Object", "≠", "Deal"), True),
        ({"Sum": 5}, Condition("Sum", "=", 5.0), True),
        ({"Sum": 5.0}, Condition("Sum", "=", "5"), True),
        ({"Paid": True}, Condition("Paid", "=", "true"), True),
        ({"Paid": True}, Condition("Paid", "=", 1), False),
        ({"status": "open"}, Condition("status", "≠", "completed"), True),
    ],
)
def test_a_condition_ignores_case_or_outer_blanks(
    facts: dict[str, Scalar], condition: Condition, expected: bool
) -> None:
    assert fits(facts, [condition], None) is expected


def test_a_free_field_never_hides_title_status_or_assignee() -> None:
    fields = [
        TaskField(name="title", value="another"),
        TaskField(name="status", value="completed"),
        TaskField(name="assignee", value="nobody"),
        TaskField(name="Sum", type="number", value=5),
    ]
    facts = facts_of("Sale", "open", None, fields)
    assert facts == {"title": "Sale", "status": "open", "assignee": None, "Sum": 5}


def test_both_spellings_of_unequal_are_accepted() -> None:
    rows = [PlacementCondition(field="Sum", op=op, value=5) for op in ("=", "≠", "!=")]
    assert [row.op for row in read_rows(rows)] == ["=", "≠", "≠"]
    assert {(row.field, row.value) for row in read_rows(rows)} == {("Sum", 5)}
