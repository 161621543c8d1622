"""Tasks for the API: validation of requests, and public JSON."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from hangtag import representation
from hangtag.api.tasks.models import Task
from hangtag.errors import BadInputError, FieldError, FieldErrorCode
from hangtag.representation import Names
from hangtag.settings import TaskField
from hangtag.store.office import contacts, employees, names, tasks
from hangtag.store.office.tenants import get_tenant

__all__ = ["present", "present_one", "validated"]

Body = Mapping[str, Any]

_TIME = "Not a time in ISO 8601. Use a form such as 2026-11-30T09:30:00Z."


def present(tenant_id: str, bodies: Iterable[Body]) -> list[dict[str, Any]]:
    """Return the public JSON of stored tasks; all names come from one batched read."""
    stored = list(bodies)
    related = names.load(tenant_id, names.references(stored)) if stored else None
    return [_shown(body, related) for body in stored] if related else []


def present_one(tenant_id: str, task: tasks.Task) -> Task:
    """Return a task with its names, by one batched read."""
    (shown,) = present(tenant_id, [task.to_json()])
    return Task.model_validate(shown)


def _shown(body: Body, related: Names) -> dict[str, Any]:
    return {
        **body,
        "due_at": representation.instant(body["due_at"]),
        "created_at": representation.instant(body["created_at"]),
        "contacts": representation.summaries(body["contact_ids"], related.contacts, related),
        "assignee": representation.summary(body["assignee_id"], related.employees, related),
        "members": representation.summaries(body["member_ids"], related.employees, related),
    }


def validated(tenant_id: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of a request in the types of the store. Raises BadInputError with all invalid fields."""
    values = dict(properties)
    faults: list[FieldError] = []
    for name in ("contact_ids", "member_ids"):
        if name in values:
            values[name] = tuple(dict.fromkeys(values[name]))
    if "status" in values:
        values["status"] = str(values["status"])
    if "fields" in values:
        values["fields"] = tuple(
            TaskField(name=one.name, type=one.type.value, value=one.value) for one in values["fields"]
        )
        faults += tasks.check_fields(values["fields"])
    if values.get("due_at") is not None:
        zone = ZoneInfo(get_tenant(tenant_id).time_zone)
        try:
            values["due_at"] = tasks.due_time(values["due_at"], zone)
        except (ValueError, OverflowError):
            faults.append(FieldError("due_at", FieldErrorCode.INVALID_TIME, _TIME))
    faults += _unknown_ids(tenant_id, values)
    if faults:
        raise BadInputError("The task is not valid.", tuple(faults))
    return values


def _unknown_ids(tenant_id: str, values: Mapping[str, Any]) -> Iterator[FieldError]:
    """Yield an error for each contact and employee that does not exist."""
    for place, contact_id in enumerate(values.get("contact_ids", ())):
        if not contacts.exists(tenant_id, contact_id):
            yield FieldError(f"contact_ids.{place}", FieldErrorCode.UNKNOWN_CONTACT, "Unknown contact.")
    for place, employee_id in enumerate(values.get("member_ids", ())):
        if not employees.exists(tenant_id, employee_id):
            yield FieldError(f"member_ids.{place}", FieldErrorCode.UNKNOWN_EMPLOYEE, "Unknown employee.")
    assignee = values.get("assignee_id")
    if assignee is not None and not employees.exists(tenant_id, assignee):
        yield FieldError("assignee_id", FieldErrorCode.UNKNOWN_EMPLOYEE, "Unknown employee.")
