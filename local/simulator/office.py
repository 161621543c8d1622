"""Sets up the tenants that stories play in, through the public API alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from local.simulator.api import Api
from local.simulator.story import PROVIDER, OfficePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """One tenant with its office. `employees`, `contacts` and `tasks` map names to ids."""

    name: str
    tenant_id: str
    owner_token: str = field(repr=False)
    integration_id: str
    webhook_url: str = field(repr=False)
    planfix_token: str = field(repr=False)
    employees: Mapping[str, str]
    contacts: Mapping[str, str]
    tasks: Mapping[str, str]


def build_office(api: Api, plan: OfficePlan, name: str = "main") -> Office:
    """Make a tenant with the planned office; `api` has the operator's token. Raises ApiError.

    `name` becomes part of the tenant's name, and says which rules it has; any number of tenants may share it.
    """
    tenant = api.post(
        "/v1/tenants",
        {"name": f"Office {name}", "country": plan.country, "time_zone": plan.time_zone},
    )
    owner = api.as_token(tenant["owner_token"])
    integration = owner.post(
        "/v1/integrations",
        {"provider": PROVIDER, "name": "Simulated PBX", "credentials": {}, "settings": {}},
    )
    owner.put("/v1/settings/telephony", plan.settings_of(name))
    employees = _add_employees(owner, plan, integration["id"])
    groups = _add_groups(owner, plan, employees, name)
    contacts = _add_contacts(owner, plan, {**employees, **groups})
    tasks = _add_tasks(owner, plan, contacts)
    for line in plan.lines:
        owner.put(f"/v1/lines/{quote(line.number, safe='')}", {"name": line.name})
    return Office(
        name=name,
        tenant_id=tenant["id"],
        owner_token=tenant["owner_token"],
        integration_id=integration["id"],
        webhook_url=integration["webhook_url"],
        planfix_token=integration["secrets"]["planfix_token"],
        employees=employees,
        contacts=contacts,
        tasks=tasks,
    )


def _add_employees(owner: Api, plan: OfficePlan, integration_id: str) -> dict[str, str]:
    ids = {}
    for employee in plan.employees:
        extension = {"integration_id": integration_id, "extension": employee.extension}
        card = {
            "name": employee.name,
            "phones": list(employee.phones),
            "extensions": [extension],
        }
        ids[employee.name] = owner.post("/v1/employees", card)["id"]
    return ids


def _add_groups(owner: Api, plan: OfficePlan, employees: Mapping[str, str], tenant: str) -> dict[str, str]:
    ids = {}
    for group in (group for group in plan.groups if tenant in group.tenants):
        members = [employees[name] for name in group.members]
        ids[group.name] = owner.post("/v1/groups", {"name": group.name, "employee_ids": members})["id"]
    return ids


def _add_tasks(owner: Api, plan: OfficePlan, contacts: Mapping[str, str]) -> dict[str, str]:
    ids = {}
    for task in plan.tasks:
        fields = [{"name": name, "type": "string", "value": value} for name, value in task.fields.items()]
        card = {"title": task.title, "contact_ids": [contacts[task.contact]], "fields": fields}
        ids[task.title] = owner.post("/v1/tasks", card)["id"]
    return ids


def _add_contacts(owner: Api, plan: OfficePlan, supervisors: Mapping[str, str]) -> dict[str, str]:
    ids = {}
    for contact in plan.contacts:
        card: dict[str, object] = {"name": contact.name, "phones": list(contact.phones)}
        if contact.supervisor is not None and contact.supervisor in supervisors:
            card["supervisor_id"] = supervisors[contact.supervisor]
        ids[contact.name] = owner.post("/v1/contacts", card)["id"]
    return ids
