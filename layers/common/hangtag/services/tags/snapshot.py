"""Snapshot of the tenant's office for a call's tag, frozen when the tag is first written.

Later changes of extensions, contacts, lines or rules do not reach old calls: an amendment starts from the frozen
snapshot and adds only the values that were missing.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hangtag.domain.calls.classify import TagType, is_internal
from hangtag.domain.calls.fold import Call
from hangtag.domain.tags import AttachRule, Definition, Person
from hangtag.domain.tags.conditions import read_rows
from hangtag.domain.tags.definition import standard
from hangtag.domain.tags.plan import Parties, TagPlace
from hangtag.phone import normalise
from hangtag.settings import MissedCallNotificationSettings, TagPlacementSettings
from hangtag.store.office import participants, tenants


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Rules for a number without a contact. `create` is always, answered_only or never."""

    create: str = "always"
    name: str = "{number}"
    supervisor_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartySnapshot(Parties):
    """Parties of a call with the tenant's rules, as they were at the first revision of its tag.

    `notified`: the employees were notified of the missed call.
    """

    attach: TagPlacementSettings = field(default_factory=TagPlacementSettings)
    unknown: Unknown = field(default_factory=Unknown)
    notices: MissedCallNotificationSettings = field(default_factory=MissedCallNotificationSettings)
    definitions: Mapping[TagType, Definition] = field(default_factory=dict)
    time_zone: str = "UTC"
    placed: TagPlace | None = None
    notified: bool = False


def attach_rule(settings: TagPlacementSettings) -> AttachRule:
    """Convert the settings to the rule of the domain."""
    rows = read_rows(settings.conditions)
    return AttachRule(settings.to, settings.hidden, rows, settings.logic, settings.if_none)


def resolve(
    tenant_id: str, integration_id: str, call: Call, frozen: PartySnapshot | None, *, fill: bool = False
) -> PartySnapshot:
    """Return the snapshot of a call, or the frozen one with its missing values looked up. Raises botocore's errors.

    `fill`: look up again a contact that was not known.
    """
    extensions = set(call.extensions)
    if call.external and (call.external.isdigit() and len(call.external) <= 8):
        extensions.add(call.external)
    if frozen is not None and not _is_incomplete(frozen, call, fill=fill) and extensions <= set(frozen.employees):
        return frozen
    tenant = tenants.get_tenant(tenant_id)
    number = normalise(call.external or "", tenant.country)
    internal = is_internal(call.external, frozenset())
    e164 = number.e164 if number and not internal else None
    office = participants.find_participants(tenant_id, integration_id, frozenset(extensions), e164, call.line)
    looked_up = {
        extension: Person(ref.id, ref.name) if (ref := office.employees.get(extension)) else None
        for extension in sorted(extensions)
    }
    contact = Person(office.contact.id, office.contact.name) if office.contact else None
    supervisor_id = office.contact.supervisor_id if office.contact else None
    if frozen is not None:
        more = replace(frozen, employees={**looked_up, **frozen.employees})
        if _has_new_line(frozen, call):
            more = replace(more, line=call.line, line_name=office.line_name)
        if _has_new_number(frozen, call):
            more = replace(
                more,
                number=e164 or call.external,
                readable=e164 is not None,
                own_line=office.own_line,
                external_is_employee=office.employee_of_number is not None,
            )
        elif not (fill and frozen.fillable):
            return more
        return replace(more, contact=contact, supervisor_id=supervisor_id)
    settings = office.settings
    template = settings.contacts.template
    return PartySnapshot(
        employees=looked_up,
        number=e164 or call.external,
        readable=e164 is not None,
        own_line=office.own_line,
        external_is_employee=office.employee_of_number is not None,
        contact=contact,
        supervisor_id=supervisor_id,
        line=call.line,
        line_name=office.line_name,
        attach=settings.attach,
        unknown=Unknown(
            create=settings.contacts.create_unknown, name=template.name, supervisor_id=template.supervisor_id
        ),
        notices=settings.notifications.missed_calls,
        definitions=office.definitions,
        time_zone=office.time_zone,
    )


def _is_incomplete(frozen: PartySnapshot, call: Call, *, fill: bool) -> bool:
    """Return True if a value of the call was missing when its tag was written, or a contact can exist now."""
    return _has_new_number(frozen, call) or _has_new_line(frozen, call) or (fill and frozen.fillable)


def _has_new_number(frozen: PartySnapshot, call: Call) -> bool:
    """Return True if the call has a number now, and the frozen snapshot has none or only a word for a withheld one."""
    return bool(call.external) and not frozen.readable and call.external != frozen.number


def _has_new_line(frozen: PartySnapshot, call: Call) -> bool:
    return call.line is not None and frozen.line is None


def to_json(snapshot: PartySnapshot) -> dict[str, Any]:
    """Encode the snapshot that is stored with the tag."""
    return {
        "employees": {name: _person_json(person) for name, person in snapshot.employees.items()},
        "number": snapshot.number,
        "readable": snapshot.readable,
        "own_line": snapshot.own_line,
        "external_is_employee": snapshot.external_is_employee,
        "contact": _person_json(snapshot.contact),
        "supervisor_id": snapshot.supervisor_id,
        "line": snapshot.line,
        "line_name": snapshot.line_name,
        # Defaults are omitted to keep every tag small.
        "attach": snapshot.attach.model_dump(exclude_defaults=True),
        "unknown": asdict(snapshot.unknown),
        "notices": snapshot.notices.model_dump(exclude_defaults=True),
        "definitions": {
            kind: asdict(definition)
            for kind, definition in snapshot.definitions.items()
            if definition != standard(kind)
        },
        "time_zone": snapshot.time_zone,
        "placed": asdict(snapshot.placed) if snapshot.placed else None,
        "told": snapshot.notified,
    }


def from_json(values: Mapping[str, Any]) -> PartySnapshot:
    """Decode a stored snapshot, also one that an earlier version stored."""
    unknown = values.get("unknown") or {"create": values.get("create_unknown", "always")}
    placed = values.get("placed")
    return PartySnapshot(
        employees={name: _person(value) for name, value in values["employees"].items()},
        number=values["number"],
        readable=values["readable"],
        own_line=values.get("own_line", False),
        external_is_employee=values["external_is_employee"],
        contact=_person(values["contact"]),
        supervisor_id=values.get("supervisor_id"),
        # Tags of earlier versions did not store the line.
        line=values.get("line", ""),
        line_name=values["line_name"],
        attach=TagPlacementSettings.model_validate(values["attach"]),
        unknown=Unknown(**unknown),
        notices=MissedCallNotificationSettings.model_validate(values.get("notices", {})),
        definitions={
            TagType(kind): Definition(tuple(stored["names"]), tuple(stored["extra"]), stored["takes_all"])
            for kind, stored in values.get("definitions", {}).items()
        },
        time_zone=values["time_zone"],
        placed=TagPlace(**placed) if placed else None,
        notified=values.get("told", False),
    )


def _person_json(person: Person | None) -> dict[str, str] | None:
    return {"id": person.id, "name": person.name} if person else None


def _person(values: Mapping[str, str] | None) -> Person | None:
    return Person(values["id"], values["name"]) if values else None
