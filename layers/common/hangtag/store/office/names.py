"""Names behind the ids on a page of the API, by one batched read."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hangtag import masks
from hangtag.representation import Names, line_number
from hangtag.store.db.batch import read_all
from hangtag.store.db.keys import key
from hangtag.store.office import settings
from hangtag.store.office.tenants import get_tenant

__all__ = ["References", "load", "references"]

_Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class References:
    """The ids on a page. `lines` are numbers as the PBX sent them; `numbers`: a phone number has to be formatted."""

    contacts: set[str] = field(default_factory=set)
    employees: set[str] = field(default_factory=set)
    tasks: set[str] = field(default_factory=set)
    lines: set[str] = field(default_factory=set)
    supervisors: set[str] = field(default_factory=set)
    numbers: bool = False


def references(bodies: Iterable[Mapping[str, Any]]) -> References:
    """Collect the ids in stored calls, tags, missed calls, comments and tasks."""
    contacts: set[str | None] = set()
    employees: set[str | None] = set()
    tasks: set[str | None] = set()
    lines: set[str | None] = set()
    supervisors: set[str | None] = set()
    numbers = False
    for body in bodies:
        contacts |= {body.get("contact_id"), *body.get("contact_ids", ())}
        employees |= {body.get("employee_id"), body.get("assignee_id"), *body.get("employee_ids", ())}
        employees |= {*body.get("member_ids", ()), *body.get("rung", ()), *body.get("recipients", ())}
        employees |= {_employee_of(body.get("author")), _employee_of(body.get("resolved_by"))}
        tasks.add(body.get("task_id"))
        lines.add(body.get("line"))
        supervisors.add(body.get("supervisor_id"))
        numbers = numbers or any(name in body for name in ("external", "number", "call"))
    return References(
        _texts(contacts), _texts(employees), _texts(tasks), _texts(lines), _texts(supervisors), numbers=numbers
    )


def _texts(ids: Iterable[str | None]) -> set[str]:
    return {one for one in ids if one}


def _employee_of(actor: object) -> str | None:
    return actor.removeprefix("employee:") if isinstance(actor, str) and actor.startswith("employee:") else None


def load(tenant_id: str, ids: References) -> Names:
    """Read the names of all ids at once. Raises NotFoundError for an erased tenant, and botocore's errors."""
    country = get_tenant(tenant_id).country
    own = key("T", tenant_id)
    contacts = {one: (key("T", tenant_id, "CONTACT", one), "CONTACT") for one in sorted(ids.contacts)}
    tasks = {one: (key("T", tenant_id, "TASK", one), "TASK") for one in sorted(ids.tasks)}
    people = {one: (own, key("EMPLOYEE", one)) for one in sorted(ids.employees | ids.supervisors)}
    groups = {one: (own, key("GROUP", one)) for one in sorted(ids.supervisors)}
    spellings = {number for raw in ids.lines for number in (line_number(raw, country), raw)}
    lines = {number: (own, key("LINE", number)) for number in sorted(spellings)}
    rules = [(own, "SETTINGS")] if ids.numbers else []
    parts = (contacts, tasks, people, groups, lines)
    items = read_all([*rules, *(place for part in parts for place in part.values())])
    employees = _named(people, items)
    return Names(
        country=country,
        contacts=_named(contacts, items),
        employees=employees,
        tasks={one: _title(items[place]) for one, place in tasks.items() if place in items},
        lines={number: _line(items[place]) for number, place in lines.items() if place in items},
        supervisors={
            **{one: ("group", name) for one, name in _named(groups, items).items()},
            **{one: ("employee", name) for one, name in employees.items() if one in ids.supervisors},
        },
        show=partial(masks.show_any, settings.parse(items.get((own, "SETTINGS"), {})).masks) if rules else str,
    )


def _named(places: Mapping[str, _Place], items: Mapping[_Place, Any]) -> dict[str, str]:
    return {one: items[place]["name"]["S"] for one, place in places.items() if place in items}


def _title(item: Mapping[str, Any]) -> str:
    return str(json.loads(item["body"]["S"])["title"])


def _line(item: Mapping[str, Any]) -> tuple[str, str | None]:
    return item["name"]["S"], item.get("color", {}).get("S")
