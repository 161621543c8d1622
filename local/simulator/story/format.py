"""The short forms of a story file, `common` and `table`, and their expansion to a plain list of events.

Both end in the same place: each table row, like each entry of `events`, becomes a mapping that is merged over `common`.
docs/stories.md describes the format.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

__all__ = ["EVENT_COLUMNS", "PLACES", "FormatError", "expand"]

# Columns of a table that describe the event; all others are payload fields.
EVENT_COLUMNS = ("after", "hangup", "tenant", "reply", "method", "rest")
# Parts of a request that hold fields. Dots nest in `body` only: form and header names can contain them.
PLACES = ("post", "body", "query", "headers")
_PAYLOADS = ("post", "body", "query")
_EVENT_KEYS = frozenset(EVENT_COLUMNS) | frozenset(PLACES)
_YES_NO = {"yes": True, "true": True, "no": False, "false": False}


class FormatError(ValueError):
    """A `common` block, an event or a table breaks a rule of the format; the message names the place and the rule."""


class _Absent:
    """Marker for a field that an event does not have, even if `common` has it."""


_ABSENT = _Absent()


class _Column(NamedTuple):
    name: str
    path: tuple[str | int, ...]


def expand(contents: Mapping[str, Any]) -> dict[str, Any]:
    """Return a story file's contents with `common`, `table` and `payload` replaced by the events they stand for.

    Values are not validated here, only the short forms. Raises FormatError.
    """
    story = dict(contents)
    common = _checked_common(story.pop("common", {}))
    table, payload = story.pop("table", None), story.pop("payload", None)
    if table is not None:
        if "events" in story:
            raise FormatError("A story has either `events` or `table`. Remove one of them.")
        story["events"] = [_merge(common, row) for row in _rows(table, _payload(payload, common))]
        return story
    if payload is not None:
        raise FormatError("`payload` describes the columns of a table, and the story has no `table`. Remove it.")
    if "events" not in story:
        raise FormatError("The story has no events. Add `events` or `table`.")
    if isinstance(story["events"], list):
        story["events"] = [_expanded(common, event, f"events.{index}") for index, event in enumerate(story["events"])]
    return story


def _checked_common(common: Any) -> Mapping[str, Any]:
    if not isinstance(common, Mapping):
        raise FormatError("`common` must be a mapping of event keys, such as `common: {post: {type: in}}`.")
    unknown = [name for name in common if name not in _EVENT_KEYS]
    if unknown:
        raise FormatError(
            f"common.{unknown[0]}: unknown event key. Use one of {', '.join(sorted(_EVENT_KEYS))}; "
            "payload fields belong in `post`, `body` or `query`."
        )
    for place in PLACES:
        if place in common and not isinstance(common[place], Mapping):
            raise FormatError(f"common.{place}: must be a mapping of fields.")
    return common


def _payload(payload: Any, common: Mapping[str, Any]) -> str:
    """Return the place of the columns that name none: `payload`, or where the common fields are."""
    if payload is None:
        return "body" if "body" in common else "post"
    if payload not in _PAYLOADS:
        raise FormatError(f"payload: {payload!r} is unknown. Use one of {', '.join(_PAYLOADS)}.")
    return str(payload)


# ------------------------------------------------------------------ events


def _expanded(common: Mapping[str, Any], event: Any, where: str) -> Any:
    """Return an entry of `events` merged over `common`; an entry that is not a mapping is returned unchanged."""
    if not isinstance(event, Mapping):
        return event
    changes = {
        name: _with_removals(common.get(name), value, f"{where}.{name}")
        for name, value in deepcopy(dict(event)).items()
        if name != "without"
    }
    for name in _names(event.get("without", []), where):
        _remove(common, changes, name, where)
    return _merge(common, changes)


def _with_removals(common: Any, value: Any, where: str) -> Any:
    """Return the value with each null that removes a common field replaced by the marker.

    In `body` a null below the top is JSON's null. Raises FormatError for a null that has nothing to remove.
    """
    if value is None:
        if common is None:
            raise FormatError(f"{where}: null removes a common field, and `common` has no such field.")
        return _ABSENT
    if not isinstance(value, Mapping) or where.endswith(".body"):
        return value
    fields = common if isinstance(common, Mapping) else {}
    return {name: _with_removals(fields.get(name), inner, f"{where}.{name}") for name, inner in value.items()}


def _names(without: Any, where: str) -> Sequence[str]:
    if not isinstance(without, list) or not all(isinstance(name, str) for name in without):
        raise FormatError(f"{where}.without: must be a list of names, such as [body.data.state].")
    return without


def _remove(common: Mapping[str, Any], changes: dict[str, Any], name: str, where: str) -> None:
    """Mark the common field of this dotted name as absent in `changes`. Raises FormatError if it does not exist."""
    path = _path(name)
    there: Any = common
    for step in path:
        try:
            there = there[step]
        except (KeyError, IndexError, TypeError):
            raise FormatError(f"{where}.without: `common` has no field {name}.") from None
    _put(changes, path, _ABSENT, f"{where}.without")


def _merge(base: Any, own: Any) -> Any:
    """Return `own` merged over `base`: mappings field by field; any other value of `own` replaces that of `base`.

    A mapping whose keys are integers addresses the elements of a list.
    """
    if _is_indexed(own):
        return _merged_list(base if isinstance(base, list) else [], own)
    if not isinstance(own, Mapping):
        return own
    merged = dict(base) if isinstance(base, Mapping) else {}
    for name, value in own.items():
        if isinstance(value, _Absent):
            merged.pop(name, None)
        elif name in merged or not _is_empty(value):
            merged[name] = _merge(merged.get(name), value)
    return merged


def _is_indexed(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(type(name) is int for name in value)


def _is_empty(value: Any) -> bool:
    """Return True for an absent field, and for a mapping whose fields are all absent."""
    if isinstance(value, Mapping):
        return bool(value) and all(_is_empty(inner) for inner in value.values())
    return isinstance(value, _Absent)


def _merged_list(base: Sequence[Any], own: Mapping[int, Any]) -> list[Any]:
    merged = list(base)
    for index, value in sorted(own.items()):
        if _is_empty(value) and index >= len(merged):
            continue
        if not 0 <= index <= len(merged):
            raise FormatError(f"The list has {len(merged)} elements, so element {index} cannot be set.")
        old = merged[index] if index < len(merged) else None
        merged[index : index + 1] = [] if isinstance(value, _Absent) else [_merge(old, value)]
    return merged


# ------------------------------------------------------------------ tables


def _rows(table: Any, payload: str) -> Iterator[dict[str, Any]]:
    """Yield the event of each row, to be merged over `common`. Raises FormatError."""
    if not isinstance(table, str):
        raise FormatError("`table` must be a text block: write `table: |` and the rows below it.")
    lines = [(number, line) for number, line in enumerate(table.splitlines(), start=1) if _is_row(line)]
    if len(lines) < 2:
        raise FormatError("`table` needs a header row and at least one row below it.")
    number, header = lines[0]
    columns = _columns(_cells(header, number), payload)
    for number, line in lines[1:]:
        cells = _cells(line, number)
        if len(cells) != len(columns):
            raise FormatError(
                f"table line {number}: the row has {len(cells)} cells, and the header has {len(columns)} columns."
            )
        event: dict[str, Any] = {}
        for column, cell in zip(columns, cells, strict=True):
            _put(event, column.path, _value(column, cell, f"table line {number}, column {column.name}"), "table")
        yield event


def _is_row(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _cells(line: str, number: int) -> list[str]:
    """Split a row at each `|` that is neither in a quoted cell nor between braces or brackets."""
    cells, start, depth, quoted = [], 0, 0, False
    for index, character in enumerate(line):
        if quoted:
            quoted = not (character == '"' and not _is_escaped(line, index))
        elif character == '"' and (depth or not line[start:index].strip()):
            quoted = True
        elif character in "{[":
            depth += 1
        elif character in "}]":
            depth = max(0, depth - 1)
        elif character == "|" and depth == 0:
            cells.append(line[start:index].strip())
            start = index + 1
    if quoted:
        raise FormatError(f'table line {number}: a quoted cell has no closing ".')
    return [*cells, line[start:].strip()]


def _is_escaped(line: str, index: int) -> bool:
    before = line[:index]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _columns(names: Sequence[str], payload: str) -> list[_Column]:
    if "" in names:
        raise FormatError("The table's header has a column without a name. Do not put | at the ends of a row.")
    columns: list[_Column] = []
    for name in names:
        path = _column_path(name, payload)
        for other in columns:
            shorter = min(len(path), len(other.path))
            if path[:shorter] == other.path[:shorter]:
                raise FormatError(f"The table's columns {other.name} and {name} name the same field.")
        columns.append(_Column(name, path))
    return columns


def _column_path(name: str, payload: str) -> tuple[str | int, ...]:
    if name in EVENT_COLUMNS:
        return (name,)
    place, dot, field = name.partition(".")
    if not dot or place not in PLACES:
        place, field = payload, name
    return ("body", *_path(field)) if place == "body" else (place, field)


def _path(name: str) -> tuple[str | int, ...]:
    return tuple(int(step) if step.isdigit() else step for step in name.split("."))


def _put(fields: dict[str, Any], path: tuple[str | int, ...], value: Any, where: str) -> None:
    """Set the value at a path, creating mappings as needed. Raises FormatError if a step of the path has a value."""
    there: Any = fields
    for step in path[:-1]:
        there = there.setdefault(step, {})
        if not isinstance(there, dict):
            raise FormatError(f"{where}: {'.'.join(map(str, path))} is inside a field that has a value of its own.")
    there[path[-1]] = value


def _value(column: _Column, cell: str, where: str) -> Any:
    if not cell:
        return _ABSENT
    place = column.path[0]
    if place in ("after", "reply"):
        return _number(cell, where)
    if place == "hangup":
        if cell not in _YES_NO:
            raise FormatError(f"{where}: {cell!r} is neither yes nor no.")
        return _YES_NO[cell]
    if place == "body":
        return _json_value(cell, where)
    return _unquoted(cell, where) if cell.startswith('"') else cell


def _number(cell: str, where: str) -> int | float:
    try:
        number = json.loads(cell)
    except ValueError:
        number = None
    if type(number) not in (int, float):
        raise FormatError(f"{where}: {cell!r} is not a number.")
    return number  # type: ignore[no-any-return]


def _json_value(cell: str, where: str) -> Any:
    """Return the cell as JSON if it is JSON, and as text if it is not: 62 is a number, "62" and {call} are text."""
    if cell.startswith('"'):
        return _unquoted(cell, where)
    try:
        return json.loads(cell, parse_constant=_not_json)
    except ValueError:
        return cell


def _not_json(name: str) -> None:
    """Reject NaN and Infinity, which Python's reader accepts."""
    raise ValueError(name)


def _unquoted(cell: str, where: str) -> str:
    try:
        text = json.loads(cell)
    except ValueError:
        raise FormatError(f"{where}: {cell} is not a quoted text. Close the quotes, or escape those inside.") from None
    return str(text)
