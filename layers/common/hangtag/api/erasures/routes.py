"""Routes of erasures of a person's data by phone number."""

import json
from collections.abc import Mapping

from hangtag import runtime
from hangtag.api.erasures.models import Erasure, StartedErasure, StartErasureRequest
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.enums import JobState
from hangtag.api.kernel.paging import found_id
from hangtag.api.kernel.service import Routes
from hangtag.errors import BadInputError, ConflictError, ErrorCode, FieldError, FieldErrorCode
from hangtag.phone import normalise
from hangtag.store.db import client
from hangtag.store.db.keys import key
from hangtag.store.office import tenants
from hangtag.store.privacy import erasures

__all__ = ["routes"]

routes = Routes(Role.ADMIN)

# Kinds in a stored receipt that have another name in the API.
_KINDS: Mapping[str, str] = {"delivery": "webhook_request"}


@routes.post(
    "/v1/erasures",
    operation_id="startErasure",
    tags=["Privacy"],
    summary="Erase a person's data by number",
    description=(
        "Start the erasure of a person's data, in the background: contacts with the number, their tags, comments,"
        " missed calls, recordings without a retention hold, logged webhook requests and export files. Calls stay for"
        " reports, without the number. It cannot be undone. The number of an employee is a 409."
    ),
    errors=[ErrorCode.RESOURCE_IN_USE],
    example={"number": "+442079460010"},
    status_code=201,
)
def start_erasure(request: StartErasureRequest) -> StartedErasure:
    """Start an erasure. Raises BadInputError for an invalid number, ConflictError for an employee's number."""
    tenant_id, who = routes.tenant_id, routes.caller.name
    number = normalise(request.number, tenants.load_tenant(tenant_id).country)
    if number is None:
        reason = "Enter a phone number, for example +442079460010."
        field = FieldError("number", FieldErrorCode.INVALID_PHONE, reason)
        raise BadInputError("The phone number is not valid.", (field,))
    if _is_employees(tenant_id, number.e164):
        message = "The number belongs to an employee. Remove it from the employee first."
        raise ConflictError(message, code=ErrorCode.RESOURCE_IN_USE)

    def work() -> StartedErasure:
        created = erasures.create(tenant_id, number.e164, who)
        # Only the job's message contains the number, and it is deleted with the job.
        job = {"job": "erase", "tenant": tenant_id, "id": created.id, "number": number.e164}
        client.make("sqs").send_message(QueueUrl=runtime.settings().jobs_queue_url, MessageBody=json.dumps(job))
        return StartedErasure(id=created.id, state=JobState.RUNNING)

    return StartedErasure.model_validate(routes.idempotent("erasures", work))


@routes.get(
    "/v1/erasures/<erasure_id>",
    operation_id="getErasure",
    tags=["Privacy"],
    summary="Get an erasure's receipt",
    description="Return the receipt of an erasure: its state and the number of erased items by kind.",
)
def get_erasure(erasure_id: str) -> Erasure:
    """Return the receipt of an erasure."""
    receipt = erasures.receipt(erasures.load(routes.tenant_id, found_id(erasure_id))).to_json()
    counts = {_KINDS.get(kind, kind): count for kind, count in receipt["counts"].items()}
    return Erasure.model_validate({**receipt, "counts": counts})


def _is_employees(tenant_id: str, e164: str) -> bool:
    """Return True if the number is on an employee's card."""
    stored = client.dynamodb().get_item(
        TableName=client.table(),
        Key={"pk": {"S": key("T", tenant_id, "PHONE", e164)}, "sk": {"S": "EMPLOYEE"}},
        ConsistentRead=True,
    )
    return "Item" in stored
