"""Names of tag fields, as defined by a tenant. Pure.

A tenant can rename fields and add string fields after the fixed ones. Order and types are fixed, because readers of
tags find the fields by them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from hangtag.domain.calls.classify import TagType

MAX_EXTRA_FIELDS = 30

# Same order as the design and Planfix's data tags "Call" and "Missed call".
FIXED: Mapping[TagType, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        TagType.CALL: (
            ("Date", "date"),
            ("Time", "time_period"),
            ("Type", "list"),
            ("Duration", "number"),
            ("Employee", "employee"),
            ("Contact", "contact"),
            ("External line", "string"),
            ("Contact's number", "string"),
            ("External line name", "string"),
        ),
        TagType.MISSED_CALL: (
            ("Date and time", "date_time"),
            ("Type", "list"),
            ("Contact", "contact"),
            ("External line", "string"),
            ("Contact's number", "string"),
            ("External line name", "string"),
        ),
    }
)
# Position of the other party's number, counted from 0.
NUMBER_PLACE: Mapping[TagType, int] = MappingProxyType({TagType.CALL: 7, TagType.MISSED_CALL: 4})


@dataclass(frozen=True, slots=True)
class DefinedField:
    """One field of a tag under the tenant's name."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Definition:
    """The fields of one tag: the fixed ones under the tenant's names, then the extra ones.

    `takes_all`: until a tenant chooses its extra fields, a tag contains all fields that a PBX sends.
    """

    names: tuple[str, ...]
    extra: tuple[str, ...] = ()
    takes_all: bool = False


class DefinitionError(ValueError):
    """An invalid definition. `position` counts fields from 1."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"position {position}: {reason}")
        self.position = position
        self.reason = reason


def standard(tag_type: TagType) -> Definition:
    """Return the definition that applies until a tenant sets one. Only a Call takes extra fields of a PBX."""
    names = tuple(name for name, _ in FIXED[tag_type])
    return Definition(names, takes_all=tag_type is TagType.CALL)


def define(tag_type: TagType, fields: Sequence[DefinedField]) -> Definition:
    """Build a tenant's own definition. Raises DefinitionError."""
    fixed = FIXED[tag_type]
    for position, ((_, kind), field) in enumerate(zip(fixed, fields, strict=False), start=1):
        if field.type != kind:
            raise DefinitionError(position, f"The type must be {kind}, not {field.type}.")
    if len(fields) < len(fixed):
        name, kind = fixed[len(fields)]
        raise DefinitionError(len(fields) + 1, f"The field for {name} ({kind}) is missing.")
    for position, field in enumerate(fields[len(fixed) :], start=len(fixed) + 1):
        if field.type != "string":
            raise DefinitionError(position, f"An additional field must be of type string, not {field.type}.")
        if position > len(fixed) + MAX_EXTRA_FIELDS:
            raise DefinitionError(position, f"A definition can have at most {MAX_EXTRA_FIELDS} additional fields.")
    _check_names(fields)
    names = tuple(field.name for field in fields)
    return Definition(names[: len(fixed)], names[len(fixed) :])


def _check_names(fields: Sequence[DefinedField]) -> None:
    used_names: set[str] = set()
    for position, field in enumerate(fields, start=1):
        if not field.name.strip():
            raise DefinitionError(position, "The name is empty.")
        if field.name in used_names:
            raise DefinitionError(position, "The name is used twice in this definition.")
        used_names.add(field.name)


def fields_of(tag_type: TagType, definition: Definition) -> tuple[DefinedField, ...]:
    """Return a definition as the API shows it."""
    fixed = zip(definition.names, FIXED[tag_type], strict=True)
    fields = tuple(DefinedField(name, kind) for name, (_, kind) in fixed)
    return fields + tuple(DefinedField(name, "string") for name in definition.extra)
