"""The two tags and the strict order of their fields. Pure.

Order and types follow Planfix's data tags "Call" and "Missed call": a tenant may rename fields, so that they are
found by order and type alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hangtag.calls.classify import TagType, Verdict
from hangtag.calls.event import Direction
from hangtag.calls.fold import Call
from hangtag.tags.attach import Attachment

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
    """What a tag takes from the tenant's office, as it stood when the tag was first written.

    `number` is the other party's number as tags show it (E.164 where it can be read). `time_zone` is the
    tenant's: a tag's date is the tenant's day.
    """

    employee: Person | None = None
    contact: Person | None = None
    number: str | None = None
    line_name: str | None = None
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag as it is kept and shown, without the ids that storage adds."""

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
    """The tag of a closed call. Raises ValueError if the verdict is to skip it."""
    if verdict.tag is None or verdict.direction is None:
        raise ValueError("a skipped call has no tag")
    at = call.started_at or datetime.fromtimestamp(0, UTC)
    make = _call_fields if verdict.tag is TagType.CALL else _missed_call_fields
    return Tag(
        type=verdict.tag,
        direction=verdict.direction,
        contact_id=attachment.contact_id,
        task_id=attachment.task_id,
        hidden=attachment.hidden,
        end_unknown=call.end_unknown,
        at=at,
        fields=make(call, verdict.direction, setting, at),
    )


def _call_fields(call: Call, direction: Direction, setting: Setting, at: datetime) -> tuple[Field, ...]:
    day = at.astimezone(ZoneInfo(setting.time_zone)).date().isoformat()
    period: Value = {"start": _iso(at), "end": _iso(call.ended_at)}
    return (
        Field("Date", "date", day),
        Field("Time", "time_period", period),
        Field("Type", "list", _TYPE[direction]),
        Field("Duration", "number", call.talk_seconds),
        Field("Employee", "employee", _person(setting.employee)),
        Field("Contact", "contact", _person(setting.contact)),
        *_line_fields(call, setting),
        *_extra_fields(call.data),
    )


def _missed_call_fields(call: Call, direction: Direction, setting: Setting, at: datetime) -> tuple[Field, ...]:
    return (
        Field("Date and time", "date_time", _iso(at)),
        Field("Type", "list", _TYPE[direction]),
        Field("Contact", "contact", _person(setting.contact)),
        *_line_fields(call, setting),
    )


def _line_fields(call: Call, setting: Setting) -> tuple[Field, ...]:
    return (
        Field("External line", "string", call.line or ""),
        Field("Contact's number", "string", setting.number or ""),
        Field("External line name", "string", setting.line_name or ""),
    )


def _extra_fields(data: Mapping[str, str]) -> tuple[Field, ...]:
    return tuple(Field(name, "string", value) for name, value in sorted(data.items()))


def _person(person: Person | None) -> Value:
    return {"id": person.id, "name": person.name} if person else None


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None
