"""Tenants: the operator's."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from hangtag.http import shapes as api
from hangtag.http import tenancy
from hangtag.http.caller import Role
from hangtag.http.paged import found_id
from hangtag.http.service import Routes
from hangtag.store import tenants
from hangtag.store.client import table

__all__ = ["routes"]

# What is left of an invocation when an erasure stops to answer.
ERASE_MARGIN_MS = 4000

routes = Routes(Role.OPERATOR)


@routes.post("/v1/tenants", status_code=201)
def post_tenant(tenant: api.TenantIn) -> api.NewTenantOut:
    """Make a tenant; its owner's token is shown this once."""
    made = routes.once("tenants", lambda: tenancy.found(tenant), sealed=True)
    return api.NewTenantOut.model_validate(made)


@routes.get("/v1/tenants/<tenant_id>")
def get_tenant(tenant_id: str) -> api.TenantOut:
    """One tenant."""
    return api.TenantOut.model_validate(tenants.load_tenant(found_id(tenant_id)).to_json())


@routes.delete("/v1/tenants/<tenant_id>")
def delete_tenant(tenant_id: str) -> Response[Any]:
    """Erase a tenant. 204: nothing is left. 202: time was up, send it again until it answers 204."""
    done = tenants.erase_tenant(
        table(),
        found_id(tenant_id),
        lambda: bool(routes.lambda_context.get_remaining_time_in_millis() > ERASE_MARGIN_MS),
    )
    if done:
        return Response(status_code=204, body="")
    return Response(status_code=202, content_type="application/json", body={"erased": False})
