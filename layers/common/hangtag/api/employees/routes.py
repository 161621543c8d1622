"""Employees."""

from aws_lambda_powertools.event_handler import Response

from hangtag.api.contacts.cards import Cards
from hangtag.api.employees import models as api
from hangtag.api.employees import service as staff
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Limit
from hangtag.api.kernel.paging import children, found_id
from hangtag.api.kernel.service import Routes
from hangtag.store.db import audit
from hangtag.store.office import employees

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


@routes.post(
    "/v1/employees",
    operation_id="createEmployee",
    tags=["Employees"],
    summary="Create an employee",
    description="Add an employee. An extension or a number of somebody else's is a 409 that names them.",
    status_code=201,
)
def create_employee(employee: api.CreateEmployeeRequest) -> api.Employee:
    """Add an employee. An extension or a number of somebody else's is a 409 that names them."""
    tenant_id = routes.tenant_id

    def work() -> api.Employee:
        return Cards(tenant_id).employee(staff.hire(tenant_id, employee).to_json())

    return api.Employee.model_validate(routes.once("employees", work))


@routes.get(
    "/v1/employees",
    operation_id="listEmployees",
    tags=["Employees"],
    summary="List employees",
    description="The tenant's employees.",
)
def list_employees(limit: Limit | None = None, cursor: str | None = None) -> api.EmployeePage:
    """The tenant's employees."""
    tenant_id = routes.tenant_id
    return children(
        "employees",
        api.EmployeePage,
        limit,
        cursor,
        lambda count, after: employees.list_employees(tenant_id, count, after),
        Cards(tenant_id).formatted,
    )


@routes.get(
    "/v1/employees/<employee_id>",
    operation_id="getEmployee",
    tags=["Employees"],
    summary="Get an employee",
    description="One employee.",
)
def get_employee(employee_id: str) -> api.Employee:
    """One employee."""
    found = employees.get_employee(routes.tenant_id, found_id(employee_id))
    return Cards(routes.tenant_id).employee(found.to_json())


@routes.patch(
    "/v1/employees/<employee_id>",
    operation_id="updateEmployee",
    tags=["Employees"],
    summary="Update an employee",
    description="Change an employee; what is not sent stays.",
)
def update_employee(employee_id: str, changes: api.UpdateEmployeeRequest) -> api.Employee:
    """Change an employee; what is not sent stays."""
    changed = staff.change(routes.tenant_id, found_id(employee_id), changes, routes.caller.name)
    return Cards(routes.tenant_id).employee(changed.to_json())


@routes.delete(
    "/v1/employees/<employee_id>",
    operation_id="deleteEmployee",
    tags=["Employees"],
    summary="Delete an employee",
    description="Delete an employee: extensions and numbers are free again, tokens are worth nothing at once.",
    status_code=204,
)
def delete_employee(employee_id: str) -> Response[str]:
    """Delete an employee: extensions and numbers are free again, tokens are worth nothing at once."""
    found = employees.get_employee(routes.tenant_id, found_id(employee_id))
    employees.delete_employee(routes.tenant_id, found.id)
    audit.note(routes.tenant_id, routes.caller.name, "employee.deleted", found.id)
    return Response(status_code=204, body="")
