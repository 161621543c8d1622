"""Setup of the tenants that stories play in, through the public API only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from local.simulator.api import Api
from local.simulator.lines import Line
from local.simulator.pbx import load
from local.simulator.story import PROVIDER, OfficePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """One tenant. `employees`, `contacts` and `tasks` map names to ids, `lines` maps providers to integrations."""

    name: str
    tenant_id: str
    owner_token: str = field(repr=False)
    lines: Mapping[str, Line]
    employees: Mapping[str, str]
    contacts: Mapping[str, str]
    tasks: Mapping[str, str]

    @property
    def integration_id(self) -> str:
        """Return the id of the telephony API's integration."""
        return self.lines[PROVIDER].integration_id

    @property
    def webhook_url(self) -> str:
        """Return the webhook URL of the telephony API's integration."""
        return self.lines[PROVIDER].webhook_url

    @property
    def planfix_token(self) -> str:
        """Return the secret of the telephony API's integration."""
        return self.lines[PROVIDER].secrets["planfix_token"]


def build_office(api: Api, plan: OfficePlan, name: str = "main", providers: Sequence[str] = (PROVIDER,)) -> Office:
    """Create a tenant with the planned office; `api` has the operator's token. Raises ApiError.

    `name` selects the tenant's settings and becomes part of its name, which need not be unique. Every employee has
    the same extension on the PBX of each of `providers`.
    """
    tenant = api.post(
        "/v1/tenants",
        {"name": f"Office {name}", "country": plan.country, "time_zone": plan.time_zone},
    )
    owner = api.as_token(tenant["owner_token"])
    lines = {provider: add_line(owner, provider) for provider in providers}
    owner.put("/v1/settings/telephony", plan.settings_of(name))
    employees = _add_employees(owner, plan, [line.integration_id for line in lines.values()])
    groups = _add_groups(owner, plan, employees, name)
    contacts = _add_contacts(owner, plan, {**employees, **groups})
    tasks = _add_tasks(owner, plan, contacts)
    for line in plan.lines:
        owner.put(f"/v1/lines/{quote(line.number, safe='')}", {"name": line.name})
    return Office(
        name=name,
        tenant_id=tenant["id"],
        owner_token=tenant["owner_token"],
        lines=lines,
        employees=employees,
        contacts=contacts,
        tasks=tasks,
    )


def add_line(
    owner: Api,
    provider: str,
    credentials: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Line:
    """Connect a simulated PBX; the defaults are those of the simulated account. Raises ApiError."""
    pbx = load(provider)
    entered = dict(pbx.CREDENTIALS if credentials is None else credentials)
    integration = owner.post(
        "/v1/integrations",
        {
            "provider": provider,
            "name": f"Simulated {provider}",
            "credentials": entered,
            "settings": dict(pbx.SETTINGS if settings is None else settings),
        },
    )
    return Line(
        provider=provider,
        integration_id=integration["id"],
        webhook_url=integration["webhook_url"],
        secrets={**entered, **integration["secrets"]},
    )


def _add_employees(owner: Api, plan: OfficePlan, integration_ids: Sequence[str]) -> dict[str, str]:
    ids = {}
    for employee in plan.employees:
        card = {
            "name": employee.name,
            "phones": list(employee.phones),
            "extensions": [{"integration_id": one, "extension": employee.extension} for one in integration_ids],
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
