"""Tickets for the live channel."""

from datetime import datetime

from hangtag import runtime
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import ResponseModel
from hangtag.api.kernel.service import Routes
from hangtag.errors import ConflictError
from hangtag.store.calls import live

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)


class LiveTicket(ResponseModel):
    """What lets one WebSocket in, once, until it expires. The URL holds the ticket, and nothing else that is secret."""

    url: str
    expires_at: datetime


@routes.post(
    "/v1/live-tickets",
    operation_id="createLiveTicket",
    tags=["Live"],
    summary="Create a live-channel ticket",
    description=(
        "A ticket for the live channel: connect to its URL. It tells what happens in the calls of the token's employee."
    ),
    status_code=201,
)
def create_live_ticket() -> LiveTicket:
    """A ticket for the live channel: connect to its URL. It tells what happens in the calls of the token's employee."""
    caller = routes.caller
    if caller.employee_id is None:
        raise ConflictError("your token is no employee's, so that no calls are yours")
    ticket = live.make_ticket(caller.tenant_id, caller.employee_id, runtime.settings().token_keys)
    return LiveTicket(url=f"{runtime.settings().live_url}?ticket={ticket.token}", expires_at=ticket.expires_at)
