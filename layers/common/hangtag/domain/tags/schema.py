"""The two tags and the strict order of their fields. Pure.

Order and types follow Planfix's data tags "Call" and "Missed call". A tenant can rename fields, so readers find them by
order and type alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hangtag.domain.calls.classify import TagType, Verdict
from hangtag.domain.calls.event import Direction
from hangtag.domain.calls.fold import Call
from hangtag.domain.tags.attach import Attachment
from hangtag.domain.tags.definition import FIXED, Definition, standard

Value = str | int | None | dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Person:
    """An employee or a contact, as a tag shows them."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a tag. `type` is date, time_period, date_time, list, number, employee, contact or string."""

    name: str
    type: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The tenant's data in a tag, as of the tag's first revision.

    `number` is the other party's number as tags show it (E.164 if it is readable). `time_zone` is the tenant's: a tag's
    date is the tenant's day. `definition` holds the tenant's names of the fields.
    """

    employee: Person | None = None
    contact: Person | None = None
    number: str | None = None
    line_name: str | None = None
    time_zone: str = "UTC"
    definition: Definition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag as stored and shown, without the ids that storage adds."""

    type: TagType
    direction: Direction
    contact_id: str | None
    task_id: str | None
    hidden: bool
    end_unknown: bool
    at: datetime
    fields: tuple[Field, ...] = field(default_factory=tuple)


_TYPE = {Direction.IN: "incoming", Direction.OUT: "outgoing"}


def build_tag(call: Call, verdict: Verdict, setting: Setting, attachment: Attachment) -> Tag:
    """Build the tag of a closed call. Raises ValueError if the verdict is to skip it."""
    if verdict.tag is None or verdict.direction is None:
        raise ValueError("a skipped call has no tag")
    at = call.started_at or datetime.fromtimestamp(0, UTC)
    make = _call_values if verdict.tag is TagType.CALL else _missed_call_values
    values = make(call, verdict.direction, setting, at)
    definition = setting.definition or standard(verdict.tag)
    return Tag(
        type=verdict.tag,
        direction=verdict.direction,
        contact_id=attachment.contact_id,
        task_id=attachment.task_id,
        hidden=attachment.hidden,
        end_unknown=call.end_unknown,
        at=at,
        fields=_fields(verdict.tag, definition, values) + _extra_fields(definition, call.data),
    )


def _fields(tag_type: TagType, definition: Definition, values: tuple[Value, ...]) -> tuple[Field, ...]:
    """Return the fixed fields: the tenant's names, the strict order and types."""
    kinds = (kind for _, kind in FIXED[tag_type])
    return tuple(Field(name, kind, value) for name, kind, value in zip(definition.names, kinds, values, strict=True))


def _call_values(call: Call, direction: Direction, setting: Setting, at: datetime) -> tuple[Value, ...]:
    return (
        at.astimezone(ZoneInfo(setting.time_zone)).date().isoformat(),
        {"start": _iso(at), "end": _iso(call.ended_at)},
        _TYPE[direction],
        call.talk_seconds,
        _person(setting.employee),
        _person(setting.contact),
        *_line_values(call, setting),
    )


def _missed_call_values(call: Call, direction: Direction, setting: Setting, at: datetime) -> tuple[Value, ...]:
    return (_iso(at), _TYPE[direction], _person(setting.contact), *_line_values(call, setting))


def _line_values(call: Call, setting: Setting) -> tuple[Value, ...]:
    return (call.line or "", setting.number or "", setting.line_name or "")


def _extra_fields(definition: Definition, data: Mapping[str, str]) -> tuple[Field, ...]:
    """Return the extra fields that the PBX sent, by exact name."""
    if definition.takes_all:
        return tuple(Field(name, "string", value) for name, value in sorted(data.items()))
    return tuple(Field(name, "string", data.get(name, "")) for name in definition.extra)


def _person(person: Person | None) -> Value:
    return {"id": person.id, "name": person.name} if person else None


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None
