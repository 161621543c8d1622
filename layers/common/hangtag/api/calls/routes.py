"""Routes of calls."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from hangtag.api.calls import service
from hangtag.api.calls.models import Call, CallPage, CallTaskAssignment
from hangtag.api.kernel import listing
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.enums import CallState
from hangtag.api.kernel.models import ContactId, Cursor, EmployeeId, From, IntegrationId, Limit, To
from hangtag.api.kernel.service import Routes
from hangtag.errors import BadInputError, ConflictError, ErrorCode, FieldError, FieldErrorCode
from hangtag.store.calls import items as calls
from hangtag.store.office import tasks

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)


@routes.get(
    "/v1/calls",
    operation_id="listCalls",
    tags=["Calls"],
    summary="List calls",
    description=(
        "Returns the closed calls of a period (default: the last seven days), newest first. With `state=open`:"
        " the calls in progress, newest first, on one page. With `integration_id` and `pbx_call_id`: that call, open or"
        " closed, on one page. Employees see the calls that the tenant's visibility setting permits. A page can be"
        " short or empty and still have a `next_cursor`."
    ),
)
def list_calls(
    integration_id: Annotated[
        IntegrationId | None,
        Query(description="Only calls of this integration.", examples=["9a41c03d5b7e8f26"]),
    ] = None,
    pbx_call_id: Annotated[
        str | None,
        Query(
            max_length=512,
            description="The PBX's id of a call; requires `integration_id`.",
            examples=["428c3144-1a2b-11ef-b3e1-02420a0e0a10"],
        ),
    ] = None,
    call_id: Annotated[
        str | None,
        Query(
            max_length=512,
            description="Earlier name of `pbx_call_id`; accepted until the next release.",
            examples=["428c3144-1a2b-11ef-b3e1-02420a0e0a10"],
            deprecated=True,
        ),
    ] = None,
    since: From = None,
    until: To = None,
    state: Annotated[
        CallState | None, Query(description="Open or closed calls; closed by default.", examples=["closed"])
    ] = None,
    employee_id: Annotated[
        EmployeeId | None,
        Query(
            description="Only calls that this employee answered; with `state=open` also those that ring.",
            examples=["9d3b1e60a7c24f85"],
        ),
    ] = None,
    contact_id: Annotated[
        ContactId | None, Query(description="Only calls of this contact.", examples=["5f0c2a7be1d94c36"])
    ] = None,
    limit: Limit | None = None,
    cursor: Cursor | None = None,
) -> CallPage:
    """Return a page of calls."""
    at_pbx = pbx_call_id if pbx_call_id is not None else call_id
    if at_pbx is not None:
        if integration_id is None:
            sentence = "A PBX's call id requires integration_id. Add the integration that reported the call."
            raise BadInputError(sentence, (FieldError("integration_id", FieldErrorCode.REQUIRED, sentence),))
        return service.find_by_pbx_id(routes.caller, integration_id, at_pbx)
    filters = {
        "integration_id": integration_id,
        "state": state,
        "employee_id": employee_id,
        "contact_id": contact_id,
    }
    return service.list_calls(routes.caller, listing.between(routes.tenant_id, since, until), filters, limit, cursor)


@routes.get(
    "/v1/calls/<call_id>",
    operation_id="getCall",
    tags=["Calls"],
    summary="Get a call",
    description=(
        "Returns one call, open or closed. A click-to-call has its id at once, before its PBX reports it. 404 also for"
        " a call that the caller cannot see."
    ),
)
def get_call(call_id: str) -> Call:
    """Return one call."""
    return service.get_call(routes.caller, call_id)


@routes.put(
    "/v1/calls/<call_id>/task",
    operation_id="assignCallToTask",
    tags=["Calls"],
    summary="Assign a call to a task",
    description=(
        "Assigns an open or closed call to a task. Its tag moves to that task within seconds, regardless of the"
        " tenant's placement rule. 409 `call_still_open` while the PBX has not reported the call yet."
    ),
    errors=(ErrorCode.CALL_STILL_OPEN,),
    example={"task_id": "c4a6f20d9b8e4731"},
)
def assign_call_to_task(call_id: str, assignment: CallTaskAssignment) -> Call:
    """Assign a call to a task and return the call."""
    body, tenant_id = service.load_body(routes.caller, call_id), routes.tenant_id
    place = service.call_key(tenant_id, body["id"])
    if not tasks.exists(tenant_id, assignment.task_id):
        raise BadInputError("Unknown task.", (FieldError("task_id", FieldErrorCode.UNKNOWN_TASK, "Unknown task."),))
    if place is None or not calls.assign_task(place, assignment.task_id):
        raise ConflictError(
            "The PBX has not reported the call yet. Try again when it rings.", code=ErrorCode.CALL_STILL_OPEN
        )
    (shown,) = service.present(tenant_id, [{**body, "task_id": assignment.task_id}])
    return Call.model_validate(shown)
