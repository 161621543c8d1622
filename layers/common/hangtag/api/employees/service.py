"""Employees as the admin API takes them: what was typed becomes numbers and extensions that exist."""

from collections.abc import Iterable
from typing import Any
from zoneinfo import available_timezones

from hangtag.api.employees import models as api
from hangtag.api.kernel.models import typed
from hangtag.errors import BadInputError, FieldError, FieldErrorCode, NotFoundError
from hangtag.hours import Hours, HoursError, Span, check
from hangtag.store.db import audit
from hangtag.store.integrations import integrations
from hangtag.store.office import employees
from hangtag.store.office.employees import Employee, Extension
from hangtag.store.office.phones import read_phones
from hangtag.store.office.tenants import get_tenant

__all__ = ["change", "hire"]


def hire(tenant_id: str, wanted: api.CreateEmployeeRequest) -> Employee:
    """A new employee. Raises BadInputError, and ConflictError naming who has an extension or number."""
    return employees.create_employee(
        tenant_id,
        name=wanted.name,
        email=wanted.email,
        role=wanted.role,
        phones=read_phones(typed(wanted.phones), get_tenant(tenant_id).country),
        extensions=_extensions(tenant_id, wanted.extensions),
        working_hours=_hours(wanted.working_hours),
        deputy_id=_deputy(tenant_id, None, wanted.deputy_id),
    )


def change(tenant_id: str, employee_id: str, wanted: api.UpdateEmployeeRequest, who: str) -> Employee:
    """Change an employee; `who` changes it, for the audit list. Raises as `hire` does, and NotFoundError."""
    before = employees.get_employee(tenant_id, employee_id)
    changes: dict[str, Any] = wanted.changes()
    if "phones" in changes:
        changes["phones"] = read_phones(typed(wanted.phones), get_tenant(tenant_id).country)
    if "extensions" in changes:
        changes["extensions"] = _extensions(tenant_id, wanted.extensions)
    if "working_hours" in changes:
        changes["working_hours"] = _hours(wanted.working_hours)
    if "deputy_id" in changes:
        changes["deputy_id"] = _deputy(tenant_id, employee_id, wanted.deputy_id)
    after = employees.update_employee(tenant_id, employee_id, changes)
    if after.role != before.role:
        audit.note(tenant_id, who, "employee.role_changed", employee_id, ["role"])
    return after


def _hours(wanted: api.WorkingHours | None) -> Hours | None:
    """Raises BadInputError for hours that can't be."""
    if wanted is None:
        return None
    if wanted.time_zone is not None and wanted.time_zone not in available_timezones():
        field = FieldError("working_hours.time_zone", FieldErrorCode.INVALID_TIME_ZONE, "it is no time zone's name")
        raise BadInputError("there is no such time zone", (field,))
    spans = tuple(Span(day.day, day.start, day.end) for day in wanted.days)
    try:
        check(spans)
    except HoursError as error:
        field = FieldError(f"working_hours.days.{error.place}", FieldErrorCode.HOURS_ORDER, str(error))
        raise BadInputError("the working hours can't be", (field,)) from None
    return Hours(wanted.time_zone, spans)


def _deputy(tenant_id: str, employee_id: str | None, wanted: str | None) -> str | None:
    """Raises BadInputError for nobody, and for oneself."""
    if wanted is None:
        return None
    if not employees.exists(tenant_id, wanted):
        field = FieldError("deputy_id", FieldErrorCode.UNKNOWN_EMPLOYEE, "there is no such employee")
        raise BadInputError("the deputy is not an employee of yours", (field,))
    if wanted == employee_id:
        raise BadInputError(
            "nobody is their own deputy",
            (FieldError("deputy_id", FieldErrorCode.SELF_REFERENCE, "it is the employee's own"),),
        )
    return wanted


def _extensions(tenant_id: str, wanted: Iterable[api.Extension]) -> tuple[Extension, ...]:
    """Each once. Raises BadInputError if an integration is not there."""
    held = dict.fromkeys(Extension(one.integration_id, one.extension) for one in wanted)
    for integration_id in {one.integration_id for one in held}:
        try:
            integrations.get_integration(tenant_id, integration_id)
        except NotFoundError:
            field = FieldError("extensions", FieldErrorCode.UNKNOWN_INTEGRATION, "there is no such integration")
            raise BadInputError("an extension's integration is not there", (field,)) from None
    return tuple(held)
