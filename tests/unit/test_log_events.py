"""Log events: stable keys with documented fields, in the layer and in every function."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

from process import ROOT

KEY = re.compile(r"^[a-z_]+\.[a-z_]+$")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
# A row of the table in docs/operator.md: the key, its fields, the meaning.
ROW = re.compile(r"^\| `([a-z_]+\.[a-z_]+)` \| ([^|]*) \|")


@dataclass(frozen=True, slots=True)
class LogCall:
    """A call of a logger's method: where it stands, its message, and the names of its fields."""

    place: str
    message: object
    fields: tuple[object, ...] | None


def log_calls() -> Iterator[LogCall]:
    """Yield every logger call of the layer and the functions."""
    for folder in ("layers", "functions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if is_log_call(node):
                    yield LogCall(f"{path.relative_to(ROOT)}:{node.lineno}", message(node), fields(node))


def is_log_call(node: ast.AST) -> TypeGuard[ast.Call]:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LEVELS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "logger"
    )


def message(call: ast.Call) -> object:
    """Return the message; None unless it is the only positional argument and a constant."""
    return call.args[0].value if len(call.args) == 1 and isinstance(call.args[0], ast.Constant) else None


def fields(call: ast.Call) -> tuple[object, ...] | None:
    """Return the keys of `extra`; None unless it is the only keyword argument and a literal dict."""
    if not call.keywords:
        return ()
    (*_, last) = call.keywords
    if len(call.keywords) != 1 or last.arg != "extra" or not isinstance(last.value, ast.Dict):
        return None
    return tuple(key.value if isinstance(key, ast.Constant) else None for key in last.value.keys)


def documented() -> dict[str, set[str]]:
    """Return the fields of each key in the table of docs/operator.md."""
    text = (ROOT / "docs" / "operator.md").read_text()
    rows = (match for line in text.splitlines() if (match := ROW.match(line)))
    return {row[1]: set(re.findall(r"`(\w+)`", row[2])) for row in rows}


def test_log_message_is_a_stable_key() -> None:
    calls = list(log_calls())
    assert len(calls) > 60
    assert [call for call in calls if not (isinstance(call.message, str) and KEY.match(call.message))] == []


def test_log_event_is_documented_with_exactly_its_fields() -> None:
    table = documented()
    wrong = [call for call in log_calls() if call.fields is None or table.get(str(call.message)) != set(call.fields)]
    assert wrong == []


def test_documented_log_events_are_all_in_the_code() -> None:
    assert documented().keys() == {call.message for call in log_calls()}


def test_functions_log_with_the_shared_logger_only() -> None:
    """Python's own logging would write lines without a key. The clients for a terminal print theirs."""
    own = [
        str(path.relative_to(ROOT))
        for folder in ("layers", "functions")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if re.search(r"^import logging|^from logging", path.read_text(), re.MULTILINE)
    ]
    assert [path for path in own if "live_client" not in path] == []
