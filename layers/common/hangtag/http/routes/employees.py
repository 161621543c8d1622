"""Employees."""

from hangtag.http import shapes as api
from hangtag.http import staff
from hangtag.http.caller import Role
from hangtag.http.paged import children, found_id
from hangtag.http.service import Routes
from hangtag.store import employees

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


@routes.post("/v1/employees", status_code=201)
def post_employee(employee: api.EmployeeIn) -> api.EmployeeOut:
    """Add an employee. An extension or a number of somebody else's is a 409 that names them."""
    tenant_id = routes.tenant_id

    def work() -> api.EmployeeOut:
        return api.EmployeeOut.model_validate(staff.hire(tenant_id, employee).to_json())

    return api.EmployeeOut.model_validate(routes.once("employees", work))


@routes.get("/v1/employees")
def get_employees(limit: api.Limit | None = None, cursor: str | None = None) -> api.Listed[api.EmployeeOut]:
    """The tenant's employees."""
    tenant_id = routes.tenant_id
    return children(
        "employees",
        api.EmployeeOut,
        limit,
        cursor,
        lambda count, after: employees.list_employees(tenant_id, count, after),
    )


@routes.get("/v1/employees/<employee_id>")
def get_employee(employee_id: str) -> api.EmployeeOut:
    """One employee."""
    found = employees.get_employee(routes.tenant_id, found_id(employee_id))
    return api.EmployeeOut.model_validate(found.to_json())


@routes.patch("/v1/employees/<employee_id>")
def patch_employee(employee_id: str, changes: api.EmployeeChange) -> api.EmployeeOut:
    """Change an employee; what is not sent stays."""
    changed = staff.change(routes.tenant_id, found_id(employee_id), changes)
    return api.EmployeeOut.model_validate(changed.to_json())
