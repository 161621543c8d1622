"""Routes of tokens."""

from datetime import timedelta
from typing import Any

from aws_lambda_powertools.event_handler import Response

from hangtag import runtime
from hangtag.api.kernel.caller import Role, require
from hangtag.api.kernel.models import Cursor, Limit
from hangtag.api.kernel.paging import children, found_id
from hangtag.api.kernel.service import Routes
from hangtag.api.tenants.models import CreatedOwnerToken
from hangtag.api.tokens.models import CreatedToken, CreateTokenRequest, TokenPage
from hangtag.errors import BadInputError, ErrorCode, FieldError, FieldErrorCode, NotFoundError
from hangtag.store.office import employees, tokens

__all__ = ["owner_routes", "routes"]

routes = Routes(Role.ADMIN)
owner_routes = Routes(Role.OWNER)


@routes.post(
    "/v1/tokens",
    operation_id="createToken",
    tags=["Tokens"],
    summary="Create an employee token",
    description=(
        "Create a token for an employee, valid for a year or less. It is shown only once and always has the employee's"
        " current role."
    ),
    example={"employee_id": "7d65a08f5a2e0b7a", "expires_in_days": 90},
    status_code=201,
)
def create_token(request: CreateTokenRequest) -> CreatedToken:
    """Create a token for an employee."""
    tenant_id, who = routes.tenant_id, routes.caller.name

    def work() -> CreatedToken:
        try:
            employee = employees.get_employee(tenant_id, request.employee_id)
        except NotFoundError:
            field = FieldError("employee_id", FieldErrorCode.UNKNOWN_EMPLOYEE, "Unknown employee.")
            raise BadInputError("The employee is unknown.", (field,)) from None
        lives = timedelta(days=request.expires_in_days)
        created = tokens.create_token(tenant_id, employee.id, employee.role, runtime.settings().token_keys, who, lives)
        return CreatedToken.model_validate({"id": created.id, "token": created.token, "expires_at": created.expires_at})

    return CreatedToken.model_validate(routes.idempotent("tokens", work, sealed=True))


@routes.get(
    "/v1/tokens",
    operation_id="listTokens",
    tags=["Tokens"],
    summary="List tokens",
    description="List the tenant's tokens that have not expired, in the order of their ids. None is shown again.",
)
def list_tokens(limit: Limit | None = None, cursor: Cursor | None = None) -> TokenPage:
    """List the tenant's tokens."""
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
    description="Revoke a token, which ends at once. Only the owner can revoke the owner token.",
    errors=[ErrorCode.OPERATION_RUNNING],
    status_code=204,
)
def revoke_token(token_id: str) -> Response[Any]:
    """Revoke a token."""
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
        "Create a new owner token, which is shown only once. The previous one, which authenticates this request, ends"
        " at once. If the response is lost, the operator can replace the token."
    ),
    errors=[ErrorCode.OPERATION_RUNNING],
    status_code=201,
)
def rotate_owner_token() -> CreatedOwnerToken:
    """Replace the owner token."""
    tenant_id, who = owner_routes.tenant_id, owner_routes.caller.name

    def work() -> CreatedOwnerToken:
        created = tokens.replace_owner_token(tenant_id, runtime.settings().token_keys, who)
        return CreatedOwnerToken(id=created.id, owner_token=created.token)

    return CreatedOwnerToken.model_validate(owner_routes.idempotent("owner-token", work, sealed=True))
