"""Writer of the events of a story file: picks the shortest of plain events, `common` with events, and a table."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from local.simulator.story.format import EVENT_COLUMNS, PLACES, FormatError, expand

__all__ = ["flow", "write_events"]

WIDTH = 120
_TABLE_WIDTH = 150
_LONGEST = 158
# A short form has to save a tenth: plain events are easier to read.
_WORTHWHILE = 0.9
# A value becomes common if most events have it; these differ by nature.
_NEVER_COMMON = ("after", "hangup")
_KEY_ORDER = ("after", "hangup", "tenant", "reply", "method", "rest", "headers", "query", "post", "body", "without")

_Event = Mapping[str, Any]
_Path = tuple[str | int, ...]
_Leaves = dict[_Path, dict[int, Any]]


def write_events(events: Sequence[_Event], comments: Mapping[int, Sequence[str]] | None = None) -> str:
    """Return the YAML of `common` with `events` or `table`, or of plain events if neither is clearly shorter.

    The text expands to exactly `events`, which are mappings of event keys. `comments` maps an event's number to the
    comment lines above it.
    """
    notes = comments or {}
    plain = _with_events(events, {}, notes)
    candidates = [_with_events(events, _common(events), notes), *_with_table(events, notes)]
    short = [text for text in candidates if _length(text) < _length(plain) * _WORTHWHILE and _is_same(text, events)]
    return min(short, key=_length, default=plain)


def _is_same(text: str, events: Sequence[_Event]) -> bool:
    try:
        return bool(_plain(expand(yaml.safe_load(text))["events"]) == _plain(events))
    except FormatError:
        return False


def _plain(events: Sequence[_Event]) -> list[_Event]:
    return [{name: value for name, value in event.items() if (name, value) != ("after", 0)} for event in events]


def _length(text: str) -> int:
    """Return the length without indentation and the padding of tables."""
    return sum(len(re.sub(" +", " ", line.strip())) + 1 for line in text.splitlines())


# ------------------------------------------------------------------ fields by path


def _leaves(events: Sequence[_Event]) -> _Leaves:
    """Return the values of each field by its path, then by the event's number.

    A path goes on below a mapping, or a list of mappings, if all events that have it agree on that shape.
    """
    leaves: _Leaves = {}

    def add(path: _Path, values: Mapping[int, Any]) -> None:
        names = _inner_names(path, list(values.values()))
        if names is None:
            leaves[path] = dict(values)
            return
        for name in names:
            add((*path, name), {number: value[name] for number, value in values.items() if _has(value, name)})

    for name in dict.fromkeys(name for event in events for name in event):
        add((name,), {number: event[name] for number, event in enumerate(events) if name in event})
    return leaves


def _inner_names(path: _Path, values: Sequence[Any]) -> list[str | int] | None:
    if path[0] in EVENT_COLUMNS or (len(path) == 2 and path[0] != "body"):
        return None
    if all(isinstance(value, Mapping) and value for value in values):
        return list(dict.fromkeys(name for value in values for name in value))
    if all(isinstance(value, list) and value for value in values):
        inner = [element for value in values for element in value]
        if len({len(value) for value in values}) == 1 and all(isinstance(one, Mapping) and one for one in inner):
            return list(range(len(values[0])))
    return None


def _has(value: Any, name: str | int) -> bool:
    return isinstance(value, list) or name in value


def _common(events: Sequence[_Event]) -> dict[_Path, Any]:
    """Return the fields that shorten the events when they are common: those that most events have, with one value."""
    leaves = _leaves(events)
    common = {}
    for path, values in leaves.items():
        text, count = Counter(map(_one_line, values.values())).most_common(1)[0]
        if path[0] in _NEVER_COMMON or count * 2 <= len(events):
            continue
        if any(isinstance(value, Mapping) for value in values.values()) and count < len(values):
            # Mappings are merged, so an event's own could not replace a common one.
            continue
        # Events without the parent as well share one removal for all of its fields.
        lacking = [
            number for number in range(len(events)) if number not in values and _is_there(leaves, number, path[:-1])
        ]
        name = len(str(path[-1])) + 4
        if (count - 1) * (name + len(text)) > len(lacking) * (name + (12 if path[0] == "body" else 2)):
            common[path] = next(value for value in values.values() if _one_line(value) == text)
    return common


def _nested(fields: Mapping[_Path, Any]) -> dict[str, Any]:
    """Return the fields as nested mappings; positions in lists stay integer keys."""
    nested: dict[Any, Any] = {}
    for path, value in fields.items():
        there = nested
        for step in path[:-1]:
            there = there.setdefault(step, {})
        there[path[-1]] = value
    return nested


def _with_lists(value: Any) -> Any:
    """Return the value with each mapping of positions 0, 1, … as a list."""
    if not isinstance(value, Mapping):
        return value
    if value and set(value) == set(range(len(value))):
        return [_with_lists(value[index]) for index in range(len(value))]
    return {name: _with_lists(inner) for name, inner in value.items()}


# ------------------------------------------------------------------ events


def _with_events(events: Sequence[_Event], common: Mapping[_Path, Any], comments: Mapping[int, Sequence[str]]) -> str:
    leaves = _leaves(events)
    lines = _block("common", _with_lists(_nested(common))) if common else []
    lines.append("events:")
    for number in range(len(events)):
        lines += [*comments.get(number, []), *_event_lines(leaves, common, number)]
    return "\n".join(lines) + "\n"


def _is_there(leaves: _Leaves, number: int, path: _Path) -> bool:
    return any(number in values for other, values in leaves.items() if other[: len(path)] == path)


def _event_lines(leaves: _Leaves, common: Mapping[_Path, Any], number: int) -> list[str]:
    """Return one entry of `events`: the fields that differ from `common`, and the removal of those that it lacks."""
    own: dict[_Path, Any] = {("after",): 0}
    for path, values in leaves.items():
        if number in values and not (path in common and _one_line(common[path]) == _one_line(values[number])):
            own[path] = values[number]
    without = []
    for path in (path for path in common if number not in leaves[path]):
        highest = path
        while len(highest) > 1 and not _is_there(leaves, number, highest[:-1]):
            highest = highest[:-1]
        if highest[0] == "body" and len(highest) > 1:
            without.append(".".join(map(str, highest)))
        else:
            own[highest] = None
    shared = {path[: index + 1] for path in common for index in range(len(path))}
    event = {name: _unless_merged(value, (name,), shared) for name, value in _nested(own).items()}
    if without:
        event["without"] = list(dict.fromkeys(without))
    lines: list[str] = []
    for name in sorted(event, key=_KEY_ORDER.index):
        start = "    " if lines else "  - "
        lines += f"{start}{name}: {flow(event[name], len(start) + len(name) + 2)}".split("\n")
    return lines


def _unless_merged(value: Any, path: _Path, in_common: set[_Path]) -> Any:
    """Return the value with positions as lists, except where they address a list of `common`."""
    if not isinstance(value, Mapping):
        return value
    inner = {name: _unless_merged(one, (*path, name), in_common) for name, one in value.items()}
    if inner and all(type(name) is int for name in inner) and path not in in_common:
        return [inner[index] for index in sorted(inner)]
    return inner


# ------------------------------------------------------------------ tables


def _with_table(events: Sequence[_Event], comments: Mapping[int, Sequence[str]]) -> Iterator[str]:
    """Yield the table, if the fields fit into rows."""
    leaves = _leaves(events)
    common = {
        path: next(iter(values.values()))
        for path, values in leaves.items()
        if path[0] not in _NEVER_COMMON
        and len(values) == len(events)
        and len({_one_line(value) for value in values.values()}) == 1
    }
    if len(events) < 2 or not _fits(leaves):
        return
    columns = [path for path in leaves if path not in common]
    columns.sort(key=lambda path: _KEY_ORDER.index(str(path[0])) if path[0] in EVENT_COLUMNS else len(_KEY_ORDER))
    used = {path[0] for path in columns}
    payload = "body" if "body" in used else "post" if "post" in used else "query"
    default = "body" if any(path[0] == "body" for path in common) else "post"
    rows = [[_column_name(path, payload) for path in columns]]
    rows += [[_cell(path, leaves[path].get(number, _ABSENT)) for path in columns] for number in range(len(events))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(columns))]
    table = [
        "  " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    if not columns or max(map(len, table)) > _TABLE_WIDTH:
        return
    lines = _block("common", _with_lists(_nested(common))) if common else []
    if payload != default and payload in used:
        lines.append(f"payload: {payload}")
    lines += ["table: |", table[0]]
    for number, row in enumerate(table[1:]):
        lines += [*(f"  {comment.strip()}" for comment in comments.get(number, [])), row]
    yield "\n".join(lines) + "\n"


_ABSENT = object()


def _fits(leaves: _Leaves) -> bool:
    for path in leaves:
        if any(isinstance(step, str) and (not re.fullmatch(r"[^|\s]+", step)) for step in path):
            return False
        if path[0] == "body" and any(isinstance(step, str) and ("." in step or step.isdigit()) for step in path):
            return False
    return True


def _column_name(path: _Path, payload: str) -> str:
    place, *steps = map(str, path)
    if not steps:
        return place
    name = ".".join(steps)
    is_clear = place == payload and name not in EVENT_COLUMNS and name.partition(".")[0] not in PLACES
    return name if is_clear else f"{place}.{name}"


def _cell(path: _Path, value: Any) -> str:
    if value is _ABSENT:
        return ""
    if path[0] == "after" and not value:
        return "0"
    if isinstance(value, bool) and path[0] == "hangup":
        return "yes" if value else "no"
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    is_plain = bool(value) and value == value.strip() and value[0] != '"' and value.isprintable() and _is_whole(value)
    if path[0] == "body" and is_plain:
        try:
            json.loads(value)
        except ValueError:
            return value
        is_plain = False
    return value if is_plain else json.dumps(value, ensure_ascii=False)


def _is_whole(value: str) -> bool:
    """Return True if no | of the text is outside braces."""
    return "|" not in re.sub(r"\{[^{}]*\}", "", value) and "{" not in re.sub(r"\{[^{}]*\}", "", value)


# ------------------------------------------------------------------ YAML


def _block(name: str, value: Mapping[str, Any]) -> list[str]:
    """Return a mapping on one line if it fits, or with a line for each of its keys."""
    one = f"{name}: {_one_line(value)}"
    if len(one) <= WIDTH:
        return [one]
    lines = [f"{name}:"]
    for key, inner in value.items():
        lines += f"  {key}: {flow(inner, len(key) + 4)}".split("\n")
    return lines


def flow(value: Any, column: int = 0) -> str:
    """Return a value in YAML's flow style that starts in this column, wrapped to 120 characters where it can be."""
    one = _one_line(value)
    if isinstance(value, str) and column + len(one) > _LONGEST:
        return _folded(value, column)
    if column + len(one) <= WIDTH or not isinstance(value, Mapping | list) or not value:
        return one
    is_mapping = isinstance(value, Mapping)
    items = [
        (f"{_scalar(key)}: ", inner) if is_mapping else ("", inner)
        for key, inner in (value.items() if isinstance(value, Mapping) else enumerate(value))
    ]
    text, at = "{" if is_mapping else "[", column + 1
    for position, (name, inner) in enumerate(items):
        end = 1 if position == len(items) - 1 else 2
        short = name + _one_line(inner)
        if position and at + len(short) + end > WIDTH:
            text, at = text.rstrip() + "\n" + " " * (column + 1), column + 1
        written = name + flow(inner, at + len(name))
        text += written
        last = written.rsplit("\n", 1)[-1]
        # After a value of several lines, the next one starts a line of its own.
        at = WIDTH if "\n" in written else at + len(last)
        if position < len(items) - 1:
            text, at = text + ", ", at + 2
    return text + ("}" if is_mapping else "]")


def _folded(text: str, column: int) -> str:
    """Return a long text in quotes over several lines; a backslash at the end of a line continues it."""
    size = max(40, WIDTH - column - 3)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    written = [json.dumps(piece, ensure_ascii=False)[1:-1] for piece in pieces]
    return '"' + ("\\\n" + " " * (column + 1)).join(written) + '"'


def _one_line(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(name)}: {_one_line(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_one_line, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if not isinstance(value, str):
        return json.dumps(value)
    if re.fullmatch(r"[A-Za-z_][\w./+-]*( [\w./+-]+)*", value, re.ASCII):
        read = yaml.safe_load(f"[{value}]")
        if read == [value]:
            return value
    return json.dumps(value, ensure_ascii=False)
