"""What a call's tag takes from the tenant's office, frozen when the tag is first written.

Later changes of extensions, contacts, lines or rules do not reach old calls: an amendment starts from the frozen
resolution and adds only what was not known then.
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
    """What becomes of a number that nobody has. `create` is always, answered_only or never."""

    create: str = "always"
    name: str = "{number}"
    supervisor_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartySnapshot(Parties):
    """Parties of a call with the tenant's rules, as they were at the first revision of its tag.

    `told`: the employees were notified of the missed call.
    """

    attach: TagPlacementSettings = field(default_factory=TagPlacementSettings)
    unknown: Unknown = field(default_factory=Unknown)
    notices: MissedCallNotificationSettings = field(default_factory=MissedCallNotificationSettings)
    definitions: Mapping[TagType, Definition] = field(default_factory=dict)
    time_zone: str = "UTC"
    placed: TagPlace | None = None
    told: bool = False


def attach_rule(settings: TagPlacementSettings) -> AttachRule:
    """The rule in the words of the domain."""
    rows = read_rows(settings.conditions)
    return AttachRule(settings.to, settings.hidden, rows, settings.logic, settings.if_none)


def resolve(
    tenant_id: str, integration_id: str, call: Call, frozen: PartySnapshot | None, *, fill: bool = False
) -> PartySnapshot:
    """The resolution of a call; of the frozen one, only what it lacks is looked up. Raises botocore's errors.

    `fill`: a contact that was not known is looked up again.
    """
    wanted = set(call.extensions)
    if call.external and (call.external.isdigit() and len(call.external) <= 8):
        wanted.add(call.external)
    if frozen is not None and not _lacks(frozen, call, fill=fill) and wanted <= set(frozen.employees):
        return frozen
    tenant = tenants.get_tenant(tenant_id)
    number = normalise(call.external or "", tenant.country)
    internal = is_internal(call.external, frozenset())
    e164 = number.e164 if number and not internal else None
    found = participants.find_participants(tenant_id, integration_id, frozenset(wanted), e164, call.line)
    looked_up = {
        extension: Person(ref.id, ref.name) if (ref := found.employees.get(extension)) else None
        for extension in sorted(wanted)
    }
    contact = Person(found.contact.id, found.contact.name) if found.contact else None
    supervisor_id = found.contact.supervisor_id if found.contact else None
    if frozen is not None:
        more = replace(frozen, employees={**looked_up, **frozen.employees})
        if _has_new_line(frozen, call):
            more = replace(more, line=call.line, line_name=found.line_name)
        if _has_new_number(frozen, call):
            more = replace(
                more,
                number=e164 or call.external,
                readable=e164 is not None,
                own_line=found.own_line,
                external_is_employee=found.employee_of_number is not None,
            )
        elif not (fill and frozen.fillable):
            return more
        return replace(more, contact=contact, supervisor_id=supervisor_id)
    settings = found.settings
    template = settings.contacts.template
    return PartySnapshot(
        employees=looked_up,
        number=e164 or call.external,
        readable=e164 is not None,
        own_line=found.own_line,
        external_is_employee=found.employee_of_number is not None,
        contact=contact,
        supervisor_id=supervisor_id,
        line=call.line,
        line_name=found.line_name,
        attach=settings.attach,
        unknown=Unknown(
            create=settings.contacts.create_unknown, name=template.name, supervisor_id=template.supervisor_id
        ),
        notices=settings.notifications.missed_calls,
        definitions=found.definitions,
        time_zone=found.time_zone,
    )


def _lacks(frozen: PartySnapshot, call: Call, *, fill: bool) -> bool:
    """Whether something of the call was not known when its tag was written, or a contact may be there now."""
    return _has_new_number(frozen, call) or _has_new_line(frozen, call) or (fill and frozen.fillable)


def _has_new_number(frozen: PartySnapshot, call: Call) -> bool:
    """Whether a number is told now, where none was, or a word for one that is withheld."""
    return bool(call.external) and not frozen.readable and call.external != frozen.number


def _has_new_line(frozen: PartySnapshot, call: Call) -> bool:
    return call.line is not None and frozen.line is None


def to_json(resolution: PartySnapshot) -> dict[str, Any]:
    """The resolution as it is kept beside the tag."""
    return {
        "employees": {name: _person_json(person) for name, person in resolution.employees.items()},
        "number": resolution.number,
        "readable": resolution.readable,
        "own_line": resolution.own_line,
        "external_is_employee": resolution.external_is_employee,
        "contact": _person_json(resolution.contact),
        "supervisor_id": resolution.supervisor_id,
        "line": resolution.line,
        "line_name": resolution.line_name,
        # What is as by default need not be kept with every tag.
        "attach": resolution.attach.model_dump(exclude_defaults=True),
        "unknown": asdict(resolution.unknown),
        "notices": resolution.notices.model_dump(exclude_defaults=True),
        "definitions": {
            kind: asdict(definition)
            for kind, definition in resolution.definitions.items()
            if definition != standard(kind)
        },
        "time_zone": resolution.time_zone,
        "placed": asdict(resolution.placed) if resolution.placed else None,
        "told": resolution.told,
    }


def from_json(said: Mapping[str, Any]) -> PartySnapshot:
    """The inverse of `to_json`; also of what earlier versions kept."""
    unknown = said.get("unknown") or {"create": said.get("create_unknown", "always")}
    placed = said.get("placed")
    return PartySnapshot(
        employees={name: _person(value) for name, value in said["employees"].items()},
        number=said["number"],
        readable=said["readable"],
        own_line=said.get("own_line", False),
        external_is_employee=said["external_is_employee"],
        contact=_person(said["contact"]),
        supervisor_id=said.get("supervisor_id"),
        # Of a tag of an earlier version it is not known whether it was.
        line=said.get("line", ""),
        line_name=said["line_name"],
        attach=TagPlacementSettings.model_validate(said["attach"]),
        unknown=Unknown(**unknown),
        notices=MissedCallNotificationSettings.model_validate(said.get("notices", {})),
        definitions={
            TagType(kind): Definition(tuple(own["names"]), tuple(own["extra"]), own["takes_all"])
            for kind, own in said.get("definitions", {}).items()
        },
        time_zone=said["time_zone"],
        placed=TagPlace(**placed) if placed else None,
        told=said.get("told", False),
    )


def _person_json(person: Person | None) -> dict[str, str] | None:
    return {"id": person.id, "name": person.name} if person else None


def _person(said: Mapping[str, str] | None) -> Person | None:
    return Person(said["id"], said["name"]) if said else None
