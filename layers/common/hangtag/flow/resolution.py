"""What a call's tag takes from the tenant's office, frozen when the tag is first written.

Later changes of extensions, contacts, lines or rules do not reach old calls: an amendment starts from the frozen
resolution and adds only what was not known then.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hangtag.calls.classify import is_internal
from hangtag.calls.fold import Call
from hangtag.phone import normalise
from hangtag.store import roster, tenants
from hangtag.tags import AttachRule, Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """Who is who in one call. `employees` maps every extension that was looked up, also the unmapped ones."""

    employees: Mapping[str, Person | None] = field(default_factory=dict)
    number: str | None = None
    readable: bool = False
    external_is_employee: bool = False
    contact: Person | None = None
    line_name: str | None = None
    attach: AttachRule = field(default_factory=AttachRule)
    create_unknown: str = "always"
    time_zone: str = "UTC"

    @property
    def mapped(self) -> frozenset[str]:
        """The extensions that belong to an employee."""
        return frozenset(name for name, person in self.employees.items() if person is not None)


def resolve(tenant_id: str, integration_id: str, call: Call, frozen: Resolution | None) -> Resolution:
    """The resolution of a call; of the frozen one, only what it lacks is looked up. Raises botocore's errors."""
    wanted = set(call.extensions)
    if call.external and (call.external.isdigit() and len(call.external) <= 8):
        wanted.add(call.external)
    if frozen is not None and wanted <= set(frozen.employees):
        return frozen
    tenant = tenants.get_tenant(tenant_id)
    number = normalise(call.external or "", tenant.country)
    internal = is_internal(call.external, frozenset())
    e164 = number.e164 if number and not internal else None
    found = roster.resolve(tenant_id, integration_id, frozenset(wanted), e164, call.line)
    looked_up = {
        extension: Person(ref.id, ref.name) if (ref := found.employees.get(extension)) else None
        for extension in sorted(wanted)
    }
    if frozen is not None:
        return replace(frozen, employees={**looked_up, **frozen.employees})
    return Resolution(
        employees=looked_up,
        number=e164 or call.external,
        readable=e164 is not None,
        external_is_employee=found.employee_of_number is not None,
        contact=Person(found.contact.id, found.contact.name) if found.contact else None,
        line_name=found.line_name,
        attach=AttachRule(found.settings.attach.to, found.settings.attach.hidden),
        create_unknown=found.settings.contacts.create_unknown,
        time_zone=found.time_zone,
    )


def to_json(resolution: Resolution) -> dict[str, Any]:
    """The resolution as it is kept beside the tag."""
    return {
        "employees": {
            name: {"id": person.id, "name": person.name} if person else None
            for name, person in resolution.employees.items()
        },
        "number": resolution.number,
        "readable": resolution.readable,
        "external_is_employee": resolution.external_is_employee,
        "contact": _person_json(resolution.contact),
        "line_name": resolution.line_name,
        "attach": {"to": resolution.attach.to, "hidden": resolution.attach.hidden},
        "create_unknown": resolution.create_unknown,
        "time_zone": resolution.time_zone,
    }


def from_json(said: Mapping[str, Any]) -> Resolution:
    """The inverse of `to_json`."""
    return Resolution(
        employees={name: _person(value) for name, value in said["employees"].items()},
        number=said["number"],
        readable=said["readable"],
        external_is_employee=said["external_is_employee"],
        contact=_person(said["contact"]),
        line_name=said["line_name"],
        attach=AttachRule(**said["attach"]),
        create_unknown=said["create_unknown"],
        time_zone=said["time_zone"],
    )


def _person_json(person: Person | None) -> dict[str, str] | None:
    return {"id": person.id, "name": person.name} if person else None


def _person(said: Mapping[str, str] | None) -> Person | None:
    return Person(said["id"], said["name"]) if said else None
