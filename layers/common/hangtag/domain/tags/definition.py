"""How a tenant calls the fields of its tags. Pure.

Names may be changed and string fields added behind the fixed ones; order and types may not, because whoever reads
tags finds the fields by them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from hangtag.domain.calls.classify import TagType

MAX_EXTRA_FIELDS = 30

# The design's order. Planfix's data tags "Call" and "Missed call" have the same.
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
# Where the other party's number stands, counted from 0.
NUMBER_PLACE: Mapping[TagType, int] = MappingProxyType({TagType.CALL: 7, TagType.MISSED_CALL: 4})


@dataclass(frozen=True, slots=True)
class DefinedField:
    """One field of a tag as a tenant has it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Definition:
    """The fields of one tag: the fixed ones under the tenant's names, then the extra ones.

    `takes_all`: as long as a tenant has not said which extra fields it wants, it gets all that a PBX sends.
    """

    names: tuple[str, ...]
    extra: tuple[str, ...] = ()
    takes_all: bool = False


class DefinitionError(ValueError):
    """A definition that does not fit. `position` counts fields from 1."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"position {position}: {reason}")
        self.position = position
        self.reason = reason


def standard(tag_type: TagType) -> Definition:
    """What holds before a tenant says otherwise. Only a Call takes what a PBX sends besides."""
    names = tuple(name for name, _ in FIXED[tag_type])
    return Definition(names, takes_all=tag_type is TagType.CALL)


def define(tag_type: TagType, fields: Sequence[DefinedField]) -> Definition:
    """A tenant's own definition. Raises DefinitionError."""
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
    seen: set[str] = set()
    for position, field in enumerate(fields, start=1):
        if not field.name.strip():
            raise DefinitionError(position, "The name is empty.")
        if field.name in seen:
            raise DefinitionError(position, "The name is used twice in this definition.")
        seen.add(field.name)


def fields_of(tag_type: TagType, definition: Definition) -> tuple[DefinedField, ...]:
    """A definition as it is shown."""
    fixed = zip(definition.names, FIXED[tag_type], strict=True)
    named = tuple(DefinedField(name, kind) for name, (_, kind) in fixed)
    return named + tuple(DefinedField(name, "string") for name in definition.extra)
