"""Participants of a call, found by one batched read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hangtag.phone import normalise
from hangtag.store.db.batch import read_all
from hangtag.store.db.keys import key
from hangtag.store.office.contacts import ContactRef
from hangtag.store.office.settings import Definitions, parse, parse_definitions
from hangtag.store.office.tenants import get_tenant

if TYPE_CHECKING:
    from hangtag.settings import TelephonySettings


@dataclass(frozen=True, slots=True)
class EmployeeRef:
    """Reference to an employee, as calls need it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Roster:
    """Office data about one call.

    `employees` maps the extensions that belong to an employee. `employee_of_number` is the employee with the other
    party's number on their card. `own_line`: that number is one of the tenant's lines, which never belong to a contact.
    `time_zone` and `country` are the tenant's.
    """

    employees: Mapping[str, EmployeeRef]
    employee_of_number: str | None
    contact: ContactRef | None
    own_line: bool
    line_name: str | None
    line_color: str | None
    settings: "TelephonySettings"
    definitions: Definitions
    country: str
    time_zone: str


def find_participants(
    tenant_id: str,
    integration_id: str,
    extensions: frozenset[str],
    number: str | None,
    line: str | None,
) -> Roster:
    """Look up extensions, the other party's number (E.164) and the line, as the PBX sends it.

    Raises NotFoundError for an erased tenant, UnavailableError, and botocore's errors.
    """
    tenant = get_tenant(tenant_id)
    own = key("T", tenant_id)
    of_extension = {name: (key("T", tenant_id, "EXT", integration_id, name), "EXT") for name in sorted(extensions)}
    phone = key("T", tenant_id, "PHONE", number) if number else None
    lines = [(own, key("LINE", spelling)) for spelling in _spellings(line, tenant.country)]
    keys = [(own, "SETTINGS"), *of_extension.values(), *lines]
    as_line = (own, key("LINE", number)) if number else None
    if phone and as_line:
        keys += [(phone, "EMPLOYEE"), (phone, "CONTACT"), as_line]
    items = read_all(keys)
    own_line = as_line in items
    contact = items.get((phone, "CONTACT")) if phone and not own_line else None
    rules = items.get((own, "SETTINGS"), {})
    line_item = next((items[place] for place in lines if place in items), None)
    return Roster(
        employees={
            name: EmployeeRef(item["employee_id"]["S"], item["name"]["S"])
            for name, place in of_extension.items()
            if (item := items.get(place)) is not None
        },
        employee_of_number=_text(items.get((phone, "EMPLOYEE")), "employee_id") if phone else None,
        contact=_contact(contact) if contact else None,
        own_line=own_line,
        line_name=_text(line_item, "name"),
        line_color=line_item.get("color", {}).get("S") if line_item is not None else None,
        settings=parse(rules),
        definitions=parse_definitions(rules),
        country=tenant.country,
        time_zone=tenant.time_zone,
    )


def employees_of(tenant_id: str, extensions: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], EmployeeRef]:
    """Return the employees of extensions, each given as integration id and extension, by one batched read.

    Raises UnavailableError and botocore's errors.
    """
    places = {(key("T", tenant_id, "EXT", *extension), "EXT"): extension for extension in extensions}
    return {
        places[place]: EmployeeRef(item["employee_id"]["S"], item["name"]["S"])
        for place, item in read_all(places).items()
    }


def _contact(claim: Mapping[str, Any]) -> ContactRef:
    supervisor = claim.get("supervisor_id", {}).get("S")
    return ContactRef(claim["contact_id"]["S"], claim["name"]["S"], supervisor)


def _spellings(line: str | None, country: str) -> list[str]:
    """Return the numbers that a line can be stored under: in E.164, and as received."""
    if not line:
        return []
    number = normalise(line, country)
    return list(dict.fromkeys(([number.e164] if number else []) + [line]))


def _text(item: Mapping[str, Any] | None, name: str) -> str | None:
    return item[name]["S"] if item is not None else None
