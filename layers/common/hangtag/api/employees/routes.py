"""Routes of employees."""

from aws_lambda_powertools.event_handler import Response

from hangtag.api.contacts.cards import Cards
from hangtag.api.employees import service
from hangtag.api.employees.models import CreateEmployeeRequest, Employee, EmployeePage, UpdateEmployeeRequest
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Cursor, Limit
from hangtag.api.kernel.paging import children, found_id
from hangtag.api.kernel.service import Routes
from hangtag.errors import ErrorCode
from hangtag.store.db import audit
from hangtag.store.office import employees

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


@routes.post(
    "/v1/employees",
    operation_id="createEmployee",
    tags=["Employees"],
    summary="Create an employee",
    description=(
        "Create an employee. If an extension or a number belongs to another employee, the response is a 409 that names"
        " the employee."
    ),
    errors=[ErrorCode.EXTENSION_TAKEN, ErrorCode.PHONE_TAKEN, ErrorCode.OPERATION_RUNNING],
    example={
        "name": "Anna Becker",
        "email": "anna@example.com",
        "phones": ["+4915112345678"],
        "extensions": [{"integration_id": "5f4dcc3b5aa765d6", "extension": "101"}],
    },
    status_code=201,
)
def create_employee(employee: CreateEmployeeRequest) -> Employee:
    """Create an employee."""
    tenant_id = routes.tenant_id

    def work() -> Employee:
        return Cards(tenant_id).employee(service.create(tenant_id, employee).to_json())

    return Employee.model_validate(routes.idempotent("employees", work))


@routes.get(
    "/v1/employees",
    operation_id="listEmployees",
    tags=["Employees"],
    summary="List employees",
    description="List the tenant's employees in the order of their ids.",
)
def list_employees(limit: Limit | None = None, cursor: Cursor | None = None) -> EmployeePage:
    """List the tenant's employees."""
    tenant_id = routes.tenant_id
    return children(
        "employees",
        EmployeePage,
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
    description="Return one employee.",
)
def get_employee(employee_id: str) -> Employee:
    """Return one employee."""
    employee = employees.get_employee(routes.tenant_id, found_id(employee_id))
    return Cards(routes.tenant_id).employee(employee.to_json())


@routes.patch(
    "/v1/employees/<employee_id>",
    operation_id="updateEmployee",
    tags=["Employees"],
    summary="Update an employee",
    description=(
        "Change an employee. Omitted properties keep their values; lists are replaced. A new role takes effect with the"
        " employee's next request."
    ),
    errors=[ErrorCode.EXTENSION_TAKEN, ErrorCode.PHONE_TAKEN, ErrorCode.OPERATION_RUNNING],
    example={"role": "admin"},
)
def update_employee(employee_id: str, changes: UpdateEmployeeRequest) -> Employee:
    """Change an employee."""
    changed = service.change(routes.tenant_id, found_id(employee_id), changes, routes.caller.name)
    return Cards(routes.tenant_id).employee(changed.to_json())


@routes.delete(
    "/v1/employees/<employee_id>",
    operation_id="deleteEmployee",
    tags=["Employees"],
    summary="Delete an employee",
    description="Delete an employee. Extensions and numbers become available, and the employee's tokens end at once.",
    errors=[ErrorCode.OPERATION_RUNNING],
    status_code=204,
)
def delete_employee(employee_id: str) -> Response[str]:
    """Delete an employee."""
    employee = employees.get_employee(routes.tenant_id, found_id(employee_id))
    employees.delete_employee(routes.tenant_id, employee.id)
    audit.record(routes.tenant_id, routes.caller.name, "employee.deleted", employee.id)
    return Response(status_code=204, body="")
