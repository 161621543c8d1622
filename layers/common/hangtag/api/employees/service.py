"""Creates and changes employees: reads phone numbers, and checks extensions, working hours and deputies."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import available_timezones

from hangtag.api.employees.models import (
    CreateEmployeeRequest,
    ExtensionInput,
    UpdateEmployeeRequest,
    WorkingHoursInput,
)
from hangtag.api.kernel.models import typed
from hangtag.errors import BadInputError, FieldError, FieldErrorCode, NotFoundError
from hangtag.hours import Hours, HoursError, Span, check
from hangtag.store.db import audit
from hangtag.store.integrations import integrations
from hangtag.store.office import employees
from hangtag.store.office.employees import Employee, Extension
from hangtag.store.office.phones import read_phones
from hangtag.store.office.tenants import get_tenant

__all__ = ["change", "create"]


def create(tenant_id: str, request: CreateEmployeeRequest) -> Employee:
    """Create an employee. Raises BadInputError, and ConflictError naming the holder of an extension or number."""
    return employees.create_employee(
        tenant_id,
        name=request.name,
        email=request.email,
        role=request.role.value,
        phones=read_phones(typed(request.phones), get_tenant(tenant_id).country),
        extensions=_extensions(tenant_id, request.extensions),
        working_hours=_hours(request.working_hours),
        deputy_id=_deputy(tenant_id, None, request.deputy_id),
    )


def change(tenant_id: str, employee_id: str, request: UpdateEmployeeRequest, who: str) -> Employee:
    """Change an employee. `who` is the caller's name for the audit log.

    Raises the errors of `create`, and NotFoundError.
    """
    before = employees.get_employee(tenant_id, employee_id)
    changes: dict[str, Any] = request.changes()
    if "role" in changes:
        changes["role"] = request.role.value
    if "phones" in changes:
        changes["phones"] = read_phones(typed(request.phones), get_tenant(tenant_id).country)
    if "extensions" in changes:
        changes["extensions"] = _extensions(tenant_id, request.extensions)
    if "working_hours" in changes:
        changes["working_hours"] = _hours(request.working_hours)
    if "deputy_id" in changes:
        changes["deputy_id"] = _deputy(tenant_id, employee_id, request.deputy_id)
    after = employees.update_employee(tenant_id, employee_id, changes)
    if after.role != before.role:
        audit.record(tenant_id, who, "employee.role_changed", employee_id, ["role"])
    return after


def _hours(request: WorkingHoursInput | None) -> Hours | None:
    """Return the working hours. Raises BadInputError for an unknown time zone and for invalid spans."""
    if request is None:
        return None
    if request.time_zone is not None and request.time_zone not in available_timezones():
        reason = "Unknown time zone. Use an IANA name such as Europe/Kyiv."
        field = FieldError("working_hours.time_zone", FieldErrorCode.INVALID_TIME_ZONE, reason)
        raise BadInputError("The time zone is unknown.", (field,))
    spans = tuple(Span(day.day.value, day.start, day.end) for day in request.days)
    try:
        check(spans)
    except HoursError as error:
        field = FieldError(f"working_hours.days.{error.place}", FieldErrorCode.HOURS_ORDER, str(error))
        raise BadInputError("The working hours are not valid.", (field,)) from None
    return Hours(request.time_zone, spans)


def _deputy(tenant_id: str, employee_id: str | None, deputy_id: str | None) -> str | None:
    """Return the deputy's id. Raises BadInputError for an unknown employee and for the employee's own id."""
    if deputy_id is None:
        return None
    if not employees.exists(tenant_id, deputy_id):
        field = FieldError("deputy_id", FieldErrorCode.UNKNOWN_EMPLOYEE, "Unknown employee.")
        raise BadInputError("The deputy is unknown.", (field,))
    if deputy_id == employee_id:
        message = "An employee cannot be their own deputy."
        raise BadInputError(message, (FieldError("deputy_id", FieldErrorCode.SELF_REFERENCE, message),))
    return deputy_id


def _extensions(tenant_id: str, request: Sequence[ExtensionInput]) -> tuple[Extension, ...]:
    """Return each extension once. Raises BadInputError for unknown integrations."""
    unknown = {one for one in {entry.integration_id for entry in request} if not _is_integration(tenant_id, one)}
    if unknown:
        invalid = tuple(
            FieldError(
                f"extensions.{position}.integration_id", FieldErrorCode.UNKNOWN_INTEGRATION, "Unknown integration."
            )
            for position, entry in enumerate(request)
            if entry.integration_id in unknown
        )
        raise BadInputError("The integration of an extension is unknown.", invalid)
    return tuple(dict.fromkeys(Extension(entry.integration_id, entry.extension) for entry in request))


def _is_integration(tenant_id: str, integration_id: str) -> bool:
    try:
        integrations.get_integration(tenant_id, integration_id)
    except NotFoundError:
        return False
    return True
