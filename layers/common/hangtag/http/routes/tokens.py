"""API tokens."""

import os

from hangtag.http import shapes as api
from hangtag.http.caller import Role
from hangtag.http.service import Routes
from hangtag.store import employees, tokens

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


@routes.post("/v1/tokens", status_code=201)
def post_token(wanted: api.TokenIn) -> api.TokenOut:
    """A token for an employee, shown this once."""
    tenant_id = routes.tenant_id

    def work() -> api.TokenOut:
        employee = employees.get_employee(tenant_id, wanted.employee_id)
        made = tokens.create_token(tenant_id, employee.id, employee.role, os.environ["TOKEN_KEY"])
        return api.TokenOut.model_validate({"token": made.token, "expires_at": made.expires_at})

    return api.TokenOut.model_validate(routes.once("tokens", work, sealed=True))
