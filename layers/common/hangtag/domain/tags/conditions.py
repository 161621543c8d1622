"""Conditions on tasks: rows `field = value`, and a logic line such as `(1 AND 2) OR (1 AND 3)`. Pure.

AND binds more tightly than OR; rows are numbered from 1. Without a logic line all rows must hold, and without rows
every task fits.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Scalar = str | int | float | bool | None
Holds = Callable[[Sequence[bool]], bool]

MAX_DEPTH = 30
_TOKEN = re.compile(r"\s*(?:(?P<number>\d+)|(?P<word>[^\W\d_]+)|(?P<sign>[()])|(?P<other>\S))")


@dataclass(frozen=True, slots=True)
class Condition:
    """One row. `op` is `=` or `≠`."""

    field: str
    op: Literal["=", "≠"]
    value: Scalar

    def holds(self, facts: Mapping[str, Scalar]) -> bool:
        """Return True if the condition holds; a missing field equals the empty value."""
        same = _same(facts.get(self.field), self.value)
        return same if self.op == "=" else not same


class Row(Protocol):
    """A row as an admin entered it: `!=` is a synonym of `≠`."""

    field: str
    op: Literal["=", "≠", "!="]
    value: Scalar


class FreeField(Protocol):
    """A free field of a task, as conditions see it."""

    name: str
    value: Scalar


class LogicError(ValueError):
    """A logic line that does not parse. `column` counts characters from 1."""

    def __init__(self, column: int, reason: str) -> None:
        super().__init__(f"column {column}: {reason}")
        self.column = column
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def read_rows(rows: Iterable[Row]) -> tuple[Condition, ...]:
    """Return entered rows as conditions, in their order."""
    return tuple(Condition(row.field, "=" if row.op == "=" else "≠", row.value) for row in rows)


def facts_of(title: str, status: str, assignee: str | None, fields: Iterable[FreeField]) -> dict[str, Scalar]:
    """Return the fields of a task that conditions refer to. A free field never hides title, status or assignee."""
    free = {field.name: field.value for field in fields}
    return {**free, "title": title, "status": status, "assignee": assignee}


def fits(facts: Mapping[str, Scalar], conditions: Sequence[Condition], logic: str | None) -> bool:
    """Return True if a task's facts meet the conditions. Raises LogicError."""
    return read_logic(logic, len(conditions))([condition.holds(facts) for condition in conditions])


def read_logic(line: str | None, rows: int) -> Holds:
    """Compile a logic line over a number of rows into a predicate. Raises LogicError."""
    if line is None or not line.strip():
        return all
    return _Parser(line, rows).parse()


def _same(value: Scalar, expected: Scalar) -> bool:
    """Compare texts without case and outer blanks, numbers by value; a missing value equals the empty text."""
    if isinstance(value, bool) or isinstance(expected, bool):
        return _text(value) == _text(expected)
    if isinstance(value, int | float) and isinstance(expected, int | float):
        return value == expected
    return _text(value) == _text(expected)


def _text(value: Scalar) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip().casefold()


class _Parser:
    """Recursive descent: line = term {OR term}, term = factor {AND factor}, factor = number | ( line )."""

    def __init__(self, line: str, rows: int) -> None:
        self._tokens = _tokens(line)
        self._end = len(line.rstrip()) + 1
        self._rows = rows
        self._at = 0
        self._depth = 0

    def parse(self) -> Holds:
        predicate = self._either()
        token = self._peek()
        if token is not None:
            expected = "AND or OR is missing here." if token.text != ")" else "This parenthesis was never opened."
            raise LogicError(token.column, expected)
        return predicate

    def _either(self) -> Holds:
        parts = [self._all()]
        while self._accept("OR"):
            parts.append(self._all())
        return lambda rows: any(part(rows) for part in parts)

    def _all(self) -> Holds:
        parts = [self._operand()]
        while self._accept("AND"):
            parts.append(self._operand())
        return lambda rows: all(part(rows) for part in parts)

    def _operand(self) -> Holds:
        token = self._peek()
        if token is None:
            raise LogicError(self._end, "The number of a condition or ( is missing.")
        if token.text == "(":
            return self._inside(token)
        if token.kind != "number":
            raise LogicError(token.column, "Enter the number of a condition or ( here.")
        self._at += 1
        number = int(token.text[:6])
        if not 1 <= number <= self._rows:
            raise LogicError(token.column, f"Condition {token.text[:6]} does not exist.")
        return lambda rows: rows[number - 1]

    def _inside(self, opening: _Token) -> Holds:
        self._at += 1
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise LogicError(opening.column, "The line is nested too deeply.")
        predicate = self._either()
        self._depth -= 1
        if not self._accept(")"):
            token = self._peek()
            if token is None:
                raise LogicError(opening.column, "This parenthesis is never closed.")
            raise LogicError(token.column, "Enter AND, OR or ) here.")
        return predicate

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _accept(self, text: str) -> bool:
        token = self._peek()
        accepted = token is not None and token.text.upper() == text
        self._at += accepted
        return accepted


def _tokens(line: str) -> list[_Token]:
    tokens = []
    for match in _TOKEN.finditer(line):
        kind = match.lastgroup or "other"
        text, column = match[kind], match.start(kind) + 1
        if kind == "other" or (kind == "word" and text.upper() not in ("AND", "OR")):
            raise LogicError(column, "Use numbers of conditions, AND, OR and parentheses only.")
        tokens.append(_Token(kind, text, column))
    return tokens
