"""Tenants, which are the operator's, and who one is."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from hangtag import runtime
from hangtag.api.kernel import models as api
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.paging import children, found_id
from hangtag.api.kernel.service import Routes
from hangtag.api.tenants import service as tenancy
from hangtag.api.tenants.models import (
    CreatedOwnerToken,
    CreatedTenant,
    CreateTenantRequest,
    CurrentUser,
    TenantOut,
    TenantPage,
    UpdateTenantRequest,
)
from hangtag.store.office import tenants, tokens

__all__ = ["me_routes", "routes"]

# What is left of an invocation when an erasure stops to answer.
ERASE_MARGIN_MS = 4000

_ERASED: dict[int, Any] = {
    204: {"description": "Nothing is left"},
    202: {
        "description": "Time was up, and a part of it is left",
        "content": {"application/json": {"schema": {"type": "object", "properties": {"erased": {"type": "boolean"}}}}},
    },
}

routes = Routes(Role.OPERATOR)
me_routes = Routes(Role.ANYONE)


@me_routes.get(
    "/v1/me",
    operation_id="getCurrentUser",
    tags=["Identity"],
    summary="Get the current user",
    description="Who the token speaks for, and where.",
)
def get_current_user() -> CurrentUser:
    """Who the token speaks for, and where."""
    return tenancy.describe(me_routes.caller)


@routes.post(
    "/v1/tenants",
    operation_id="createTenant",
    tags=["Tenants"],
    summary="Create a tenant",
    description="Make a tenant; its owner's token is shown this once.",
    status_code=201,
)
def create_tenant(tenant: CreateTenantRequest) -> CreatedTenant:
    """Make a tenant; its owner's token is shown this once."""
    made = routes.once("tenants", lambda: tenancy.found(tenant), sealed=True)
    return CreatedTenant.model_validate(made)


@routes.get(
    "/v1/tenants",
    operation_id="listTenants",
    tags=["Tenants"],
    summary="List tenants",
    description="All tenants, the newest first.",
)
def list_tenants(limit: api.Limit | None = None, cursor: str | None = None) -> TenantPage:
    """All tenants, the newest first."""
    return children("tenants", TenantPage, limit, cursor, tenants.list_tenants)


@routes.get(
    "/v1/tenants/<tenant_id>",
    operation_id="getTenant",
    tags=["Tenants"],
    summary="Get a tenant",
    description="One tenant.",
)
def get_tenant(tenant_id: str) -> TenantOut:
    """One tenant."""
    return TenantOut.model_validate(tenants.load_tenant(found_id(tenant_id)).to_json())


@routes.patch(
    "/v1/tenants/<tenant_id>",
    operation_id="updateTenant",
    tags=["Tenants"],
    summary="Update a tenant",
    description="Change a tenant; what is not sent stays. All of the stack goes by it within two minutes.",
)
def update_tenant(tenant_id: str, changes: UpdateTenantRequest) -> TenantOut:
    """Change a tenant; what is not sent stays. All of the stack goes by it within two minutes."""
    return tenancy.change(found_id(tenant_id), changes)


@routes.post(
    "/v1/tenants/<tenant_id>/owner-token",
    operation_id="replaceOwnerToken",
    tags=["Tenants"],
    summary="Replace a tenant's owner token",
    description="A new token for an owner who lost theirs, shown this once. The one before ends at once.",
    status_code=201,
)
def replace_owner_token(tenant_id: str) -> CreatedOwnerToken:
    """A new token for an owner who lost theirs, shown this once. The one before ends at once."""
    found = found_id(tenant_id)

    def work() -> CreatedOwnerToken:
        tenants.load_tenant(found)
        made = tokens.replace_owner_token(found, runtime.settings().token_keys, routes.caller.name)
        return CreatedOwnerToken(id=made.id, owner_token=made.token)

    return CreatedOwnerToken.model_validate(routes.once(f"tenants/{found}/owner-token", work, sealed=True))


@routes.delete(
    "/v1/tenants/<tenant_id>",
    operation_id="deleteTenant",
    tags=["Tenants"],
    summary="Erase a tenant",
    description="Erase a tenant. 204: nothing is left. 202: time was up, send it again until it answers 204.",
    status_code=204,
    responses=_ERASED,
)
def delete_tenant(tenant_id: str) -> Response[Any]:
    """Erase a tenant. 204: nothing is left. 202: time was up, send it again until it answers 204."""
    done = tenants.erase_tenant(
        found_id(tenant_id),
        lambda: bool(routes.lambda_context.get_remaining_time_in_millis() > ERASE_MARGIN_MS),
    )
    if done:
        return Response(status_code=204, body="")
    return Response(status_code=202, content_type="application/json", body={"erased": False})
