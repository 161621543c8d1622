"""Route of click-to-call."""

from typing import Any

from hangtag import representation
from hangtag.api.clicks.models import StartCallRequest, StartedCall
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.service import Routes
from hangtag.errors import ErrorCode
from hangtag.services.clicks import request as clicking
from hangtag.store.calls.clicks import Click
from hangtag.store.office import names

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)


@routes.post(
    "/v1/calls",
    operation_id="startCall",
    tags=["Calls"],
    summary="Start a call",
    description=(
        "Starts a call: the employee's own phone rings first, then the other party's. Returns at once; the PBX places"
        " the call in the background. The result arrives on the live channel and at `GET /v1/calls/{call_id}`. Requests"
        " with the same `Idempotency-Key` start one call. Hangtag never retries a request that timed out at the PBX."
        " One click-to-call at a time can wait at an extension (409 `phone_busy`); `rate_limited` by the tenant's"
        " click-to-call settings. If Hangtag cannot ring the employee's phone, the error has `tel`, a link that dials"
        " the number from another phone."
    ),
    errors=(
        ErrorCode.NO_EXTENSION,
        ErrorCode.PHONE_BUSY,
        ErrorCode.ORIGINATE_UNSUPPORTED,
        ErrorCode.EMERGENCY_NUMBER,
        ErrorCode.PREMIUM_NUMBER,
        ErrorCode.COUNTRY_NOT_ALLOWED,
        ErrorCode.IDEMPOTENCY_KEY_REUSED,
    ),
    example={"contact_id": "5f0c2a7be1d94c36"},
    status_code=202,
)
def start_call(request: StartCallRequest) -> StartedCall:
    """Start a call."""
    caller = routes.caller
    target = clicking.Target(**request.model_dump())
    click = clicking.begin(caller.tenant_id, caller.employee_id, target, routes.idempotency_key)
    return StartedCall.model_validate(_shown(caller.tenant_id, click))


def _shown(tenant_id: str, click: Click) -> dict[str, Any]:
    """Return the public JSON of a click-to-call; names and display format come from one batched read."""
    body = {
        "contact_id": click.contact_id,
        "employee_id": click.employee_id,
        "task_id": click.task_id,
        "line": click.line,
        "number": click.number,
    }
    related = names.load(tenant_id, names.references([body]))
    return {
        "call_id": click.public_id,
        "click_state": click.state.value,
        "failure_reason": click.reason,
        "integration_id": click.integration_id,
        "extension": click.extension,
        **representation.external_number(click.number, related),
        "line": representation.line_summary(click.line, related),
        "employee_id": click.employee_id,
        "employee": representation.summary(click.employee_id, related.employees, related),
        "contact_id": click.contact_id,
        "contact": representation.summary(click.contact_id, related.contacts, related),
        "task_id": click.task_id,
        "task": representation.summary(click.task_id, related.tasks, related, "title"),
    }
