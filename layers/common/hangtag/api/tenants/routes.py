"""Routes of tenants, which belong to the operator, and of the current user."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from hangtag import runtime
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Cursor, DeletionProgress, Limit
from hangtag.api.kernel.paging import children, found_id
from hangtag.api.kernel.service import Routes
from hangtag.api.tenants import service as tenancy
from hangtag.api.tenants.models import (
    CreatedOwnerToken,
    CreatedTenant,
    CreateTenantRequest,
    CurrentUser,
    Tenant,
    TenantPage,
    UpdateTenantRequest,
)
from hangtag.errors import ErrorCode
from hangtag.store.office import tenants, tokens

__all__ = ["me_routes", "routes"]

# Time left of the invocation when a deletion stops to send its response.
ERASE_MARGIN_MS = 4000

_DELETED: dict[int, Any] = {
    204: {"description": "Everything is deleted"},
    202: {
        "description": "Part of the data remains; send the request again",
        "content": {"application/json": {"model": DeletionProgress}},
    },
}

routes = Routes(Role.OPERATOR)
me_routes = Routes(Role.ANYONE)


@me_routes.get(
    "/v1/me",
    operation_id="getCurrentUser",
    tags=["Identity"],
    summary="Get the current user",
    description="Return the role, tenant and employee behind the request's token, as they are at this moment.",
    errors=[ErrorCode.NOT_FOUND],
)
def get_current_user() -> CurrentUser:
    """Return the identity behind the token."""
    return tenancy.describe(me_routes.caller)


@routes.post(
    "/v1/tenants",
    operation_id="createTenant",
    tags=["Tenants"],
    summary="Create a tenant",
    description="Create a tenant with an owner. The response contains the owner token, which is shown only once.",
    example={"name": "Acme GmbH", "country": "DE", "time_zone": "Europe/Berlin"},
    status_code=201,
)
def create_tenant(tenant: CreateTenantRequest) -> CreatedTenant:
    """Create a tenant."""
    created = routes.idempotent("tenants", lambda: tenancy.create(tenant), sealed=True)
    return CreatedTenant.model_validate(created)


@routes.get(
    "/v1/tenants",
    operation_id="listTenants",
    tags=["Tenants"],
    summary="List tenants",
    description="List all tenants, newest first.",
)
def list_tenants(limit: Limit | None = None, cursor: Cursor | None = None) -> TenantPage:
    """List all tenants."""
    return children("tenants", TenantPage, limit, cursor, tenants.list_tenants)


@routes.get(
    "/v1/tenants/<tenant_id>",
    operation_id="getTenant",
    tags=["Tenants"],
    summary="Get a tenant",
    description="Return one tenant.",
)
def get_tenant(tenant_id: str) -> Tenant:
    """Return one tenant."""
    return Tenant.model_validate(tenants.load_tenant(found_id(tenant_id)).to_json())


@routes.patch(
    "/v1/tenants/<tenant_id>",
    operation_id="updateTenant",
    tags=["Tenants"],
    summary="Update a tenant",
    description=(
        "Change name, country or time zone; omitted properties keep their values. A change takes effect in all parts of"
        " Hangtag within two minutes. Stored numbers are not read again."
    ),
    errors=[ErrorCode.OPERATION_RUNNING],
    example={"time_zone": "Europe/Vienna"},
)
def update_tenant(tenant_id: str, changes: UpdateTenantRequest) -> Tenant:
    """Change a tenant."""
    return tenancy.change(found_id(tenant_id), changes)


@routes.post(
    "/v1/tenants/<tenant_id>/owner-token",
    operation_id="replaceOwnerToken",
    tags=["Tenants"],
    summary="Replace a tenant's owner token",
    description=(
        "Create a new owner token for an owner who lost it. The previous one ends at once. The new one is shown only"
        " once."
    ),
    errors=[ErrorCode.OPERATION_RUNNING],
    status_code=201,
)
def replace_owner_token(tenant_id: str) -> CreatedOwnerToken:
    """Replace the owner token of a tenant."""
    tenant = found_id(tenant_id)

    def work() -> CreatedOwnerToken:
        tenants.load_tenant(tenant)
        created = tokens.replace_owner_token(tenant, runtime.settings().token_keys, routes.caller.name)
        return CreatedOwnerToken(id=created.id, owner_token=created.token)

    return CreatedOwnerToken.model_validate(routes.idempotent(f"tenants/{tenant}/owner-token", work, sealed=True))


@routes.delete(
    "/v1/tenants/<tenant_id>",
    operation_id="deleteTenant",
    tags=["Tenants"],
    summary="Erase a tenant",
    description=(
        "Delete a tenant with all its data and files. The tenant's tokens end with the first request. A 202 means that"
        " part of the data remains: repeat the request until the response is a 204."
    ),
    status_code=204,
    responses=_DELETED,
)
def delete_tenant(tenant_id: str) -> Response[Any]:
    """Delete a tenant as far as the invocation's time allows."""
    done = tenants.erase_tenant(
        found_id(tenant_id),
        lambda: bool(routes.lambda_context.get_remaining_time_in_millis() > ERASE_MARGIN_MS),
    )
    if done:
        return Response(status_code=204, body="")
    return Response(status_code=202, content_type="application/json", body={"done": False})
