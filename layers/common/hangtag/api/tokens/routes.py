"""API tokens."""

from datetime import timedelta
from typing import Any

from aws_lambda_powertools.event_handler import Response

from hangtag import runtime
from hangtag.api.kernel import models as api
from hangtag.api.kernel.caller import Role, require
from hangtag.api.kernel.paging import children, found_id
from hangtag.api.kernel.service import Routes
from hangtag.api.tenants.models import CreatedOwnerToken, CreatedToken, CreateTokenRequest, TokenPage
from hangtag.store.office import employees, tokens

__all__ = ["owner_routes", "routes"]

routes = Routes(Role.ADMIN)
owner_routes = Routes(Role.OWNER)


@routes.post(
    "/v1/tokens",
    operation_id="createToken",
    tags=["Tokens"],
    summary="Create an employee token",
    description="A token for an employee, shown this once; it is good for a year, or less.",
    status_code=201,
)
def create_token(wanted: CreateTokenRequest) -> CreatedToken:
    """A token for an employee, shown this once; it is good for a year, or less."""
    tenant_id, who = routes.tenant_id, routes.caller.name

    def work() -> CreatedToken:
        employee = employees.get_employee(tenant_id, wanted.employee_id)
        lives = timedelta(days=wanted.expires_in_days)
        made = tokens.create_token(tenant_id, employee.id, employee.role, runtime.settings().token_keys, who, lives)
        return CreatedToken.model_validate({"id": made.id, "token": made.token, "expires_at": made.expires_at})

    return CreatedToken.model_validate(routes.once("tokens", work, sealed=True))


@routes.get(
    "/v1/tokens",
    operation_id="listTokens",
    tags=["Tokens"],
    summary="List tokens",
    description="The tenant's tokens that have not expired, without themselves.",
)
def list_tokens(limit: api.Limit | None = None, cursor: str | None = None) -> TokenPage:
    """The tenant's tokens that have not expired, without themselves."""
    tenant_id = routes.tenant_id
    return children(
        "tokens",
        TokenPage,
        limit,
        cursor,
        lambda count, after: tokens.list_tokens(tenant_id, count, after),
    )


@routes.delete(
    "/v1/tokens/<token_id>",
    operation_id="revokeToken",
    tags=["Tokens"],
    summary="Revoke a token",
    description="Revoke a token: it ends at once. The owner's token is the owner's alone to revoke.",
    status_code=204,
)
def revoke_token(token_id: str) -> Response[Any]:
    """Revoke a token: it ends at once. The owner's token is the owner's alone to revoke."""
    token = tokens.get_token(routes.tenant_id, found_id(token_id))
    if token.employee_id is None:
        require(routes.caller, Role.OWNER)
    tokens.revoke_token(routes.tenant_id, token.id, routes.caller.name)
    return Response(status_code=204, body="")


@owner_routes.post(
    "/v1/tokens/owner",
    operation_id="rotateOwnerToken",
    tags=["Tokens"],
    summary="Rotate the owner token",
    description=(
        "A new token for the owner, shown this once. The one before, with which this may be asked, ends at once."
    ),
    status_code=201,
)
def rotate_owner_token() -> CreatedOwnerToken:
    """A new token for the owner, shown this once. The one before, with which this may be asked, ends at once."""
    tenant_id, who = owner_routes.tenant_id, owner_routes.caller.name

    def work() -> CreatedOwnerToken:
        made = tokens.replace_owner_token(tenant_id, runtime.settings().token_keys, who)
        return CreatedOwnerToken(id=made.id, owner_token=made.token)

    return CreatedOwnerToken.model_validate(owner_routes.once("owner-token", work, sealed=True))
