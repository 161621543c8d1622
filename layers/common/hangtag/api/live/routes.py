"""Route of the live channel's tickets."""

from hangtag import runtime
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.service import Routes
from hangtag.api.live.models import LiveTicket
from hangtag.errors import ErrorCode, ForbiddenError
from hangtag.store.calls import live

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)


@routes.post(
    "/v1/live-tickets",
    operation_id="createLiveTicket",
    tags=["Live"],
    summary="Create a live-channel ticket",
    description=(
        "Creates a ticket for one WebSocket connection. Its URL is valid for 30 seconds. The connection receives the"
        " calls of the token's employee as messages; see docs/live.md. 403 `employee_token_required` for a token"
        " without an employee."
    ),
    errors=(ErrorCode.EMPLOYEE_TOKEN_REQUIRED,),
    status_code=201,
)
def create_live_ticket() -> LiveTicket:
    """Create a ticket for the live channel."""
    caller = routes.caller
    if caller.employee_id is None:
        raise ForbiddenError(
            "The token has no employee. Use an employee's token.", code=ErrorCode.EMPLOYEE_TOKEN_REQUIRED
        )
    ticket = live.create_ticket(caller.tenant_id, caller.employee_id, runtime.settings().token_keys)
    return LiveTicket(url=f"{runtime.settings().live_url}?ticket={ticket.token}", expires_at=ticket.expires_at)
