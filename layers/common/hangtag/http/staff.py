"""Employees as the admin API takes them: what was typed becomes numbers and extensions that exist."""

from collections.abc import Iterable
from typing import Any

from hangtag.errors import BadInputError, FieldError, NotFoundError
from hangtag.http.shapes import EmployeeChange, EmployeeIn, ExtensionShape
from hangtag.store import employees, integrations
from hangtag.store.employees import Employee, Extension
from hangtag.store.people import read_phones
from hangtag.store.tenants import get_tenant

__all__ = ["change", "hire"]


def hire(tenant_id: str, wanted: EmployeeIn) -> Employee:
    """A new employee. Raises BadInputError, and ConflictError naming who has an extension or number."""
    return employees.create_employee(
        tenant_id,
        name=wanted.name,
        email=wanted.email,
        role=wanted.role,
        phones=read_phones(wanted.phones, get_tenant(tenant_id).country),
        extensions=_extensions(tenant_id, wanted.extensions),
    )


def change(tenant_id: str, employee_id: str, wanted: EmployeeChange) -> Employee:
    """Change an employee. Raises as `hire` does, and NotFoundError."""
    changes: dict[str, Any] = wanted.changes()
    if "phones" in changes:
        changes["phones"] = read_phones(wanted.phones, get_tenant(tenant_id).country)
    if "extensions" in changes:
        changes["extensions"] = _extensions(tenant_id, wanted.extensions)
    return employees.update_employee(tenant_id, employee_id, changes)


def _extensions(tenant_id: str, wanted: Iterable[ExtensionShape]) -> tuple[Extension, ...]:
    """Each once. Raises BadInputError if an integration is not there."""
    held = dict.fromkeys(Extension(one.integration_id, one.extension) for one in wanted)
    for integration_id in {one.integration_id for one in held}:
        try:
            integrations.get_integration(tenant_id, integration_id)
        except NotFoundError:
            field = FieldError("extensions", "there is no such integration")
            raise BadInputError("an extension's integration is not there", (field,)) from None
    return tuple(held)
