"""Calls that employees start."""

from typing import Literal

from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Id, PhoneText, RequestModel, ResponseModel
from hangtag.api.kernel.service import Routes
from hangtag.services.clicks import request as clicking

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)


class StartCallRequest(RequestModel):
    """Whom to call: a number in any format, a contact (its first number), or a task (its first contact).

    With `to` the other two say whose number it is, and where the call's tag goes. `integration_id` chooses the PBX;
    else it is that of the last call with the contact, or that of the first extension on the employee's card.
    """

    to: PhoneText | None = None
    contact_id: Id | None = None
    task_id: Id | None = None
    integration_id: Id | None = None


class StartedCall(ResponseModel):
    """A call that is on its way. `number` is E.164; `line` is the own number that the other party sees, if chosen."""

    call_id: str
    state: Literal["waiting", "placing", "placed", "unknown", "failed", "matched"]
    reason: str | None
    integration_id: str
    extension: str
    number: str
    line: str | None
    contact_id: str | None
    task_id: str | None


@routes.post(
    "/v1/calls",
    operation_id="startCall",
    tags=["Calls"],
    summary="Start a call",
    description=(
        "Call somebody: the employee's own phone rings first. What comes of it is told by the call, and live. The"
        " same Idempotency-Key makes one call, whatever became of the answer. If there is no phone to ring, or "
        "its PBX can't be asked to call, the answer is 409 with `tel`, a link that dials the number from another."
    ),
    status_code=202,
)
def start_call(click: StartCallRequest) -> StartedCall:
    """Call somebody: the employee's own phone rings first. What comes of it is told by the call, and live.

    The same Idempotency-Key makes one call, whatever became of the answer. If there is no phone to ring, or its PBX
    can't be asked to call, the answer is 409 with `tel`, a link that dials the number from another.
    """
    caller = routes.caller
    wanted = clicking.Wanted(**click.model_dump())
    made = clicking.begin(caller.tenant_id, caller.employee_id, wanted, routes.idempotency_key)
    return StartedCall(
        call_id=made.public_id,
        state=made.state.value,
        reason=made.reason,
        integration_id=made.integration_id,
        extension=made.extension,
        number=made.number,
        line=made.line,
        contact_id=made.contact_id,
        task_id=made.task_id,
    )
