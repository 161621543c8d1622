"""Taking a tenant's data along, and erasing a contact by its number."""

import json
from collections.abc import Mapping
from typing import Literal

from hangtag import runtime
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import PhoneText, RequestModel, ResponseModel
from hangtag.api.kernel.paging import found_id
from hangtag.api.kernel.service import Routes
from hangtag.errors import BadInputError, ConflictError, FieldError, FieldErrorCode
from hangtag.phone import normalise
from hangtag.services.jobs.exports import link
from hangtag.store.db import client
from hangtag.store.db.keys import key
from hangtag.store.office import tenants
from hangtag.store.privacy import erasures, exports

__all__ = ["owner_routes", "routes"]

routes = Routes(Role.ADMIN)
owner_routes = Routes(Role.OWNER)


class StartedExport(ResponseModel):
    """An export that was asked for."""

    id: str
    state: Literal["running", "done", "failed"]


class Export(StartedExport):
    """How far an export is. `url` is where its file may be fetched for 15 minutes, null until it is done."""

    rows: int
    url: str | None


class StartErasureRequest(RequestModel):
    """Whose traces are to go."""

    number: PhoneText


class StartedErasure(ResponseModel):
    """An erasure that was asked for."""

    id: str
    state: Literal["running", "done"]


class Erasure(StartedErasure):
    """The receipt: how much of each kind went. `number_digest` stands for the number, which is nowhere any more."""

    number_digest: str
    counts: dict[str, int]
    created_at: str
    finished_at: str | None


@owner_routes.post(
    "/v1/exports",
    operation_id="startExport",
    tags=["Privacy"],
    summary="Export the tenant's data",
    description="Begin an export of everything as JSON Lines; the file is kept for a week.",
    status_code=201,
)
def start_export() -> StartedExport:
    """Begin an export of everything as JSON Lines; the file is kept for a week."""
    tenant_id = owner_routes.tenant_id

    def work() -> StartedExport:
        made = exports.create(tenant_id)
        _start({"job": "export", "tenant": tenant_id, "id": made.id})
        return StartedExport(id=made.id, state="running")

    return StartedExport.model_validate(owner_routes.once("exports", work))


@owner_routes.get(
    "/v1/exports/<export_id>",
    operation_id="getExport",
    tags=["Privacy"],
    summary="Get an export",
    description="How far an export is, and once it is done, where its file lies.",
)
def get_export(export_id: str) -> Export:
    """How far an export is, and once it is done, where its file lies."""
    tenant_id = owner_routes.tenant_id
    item = exports.load(tenant_id, found_id(export_id))
    url = link(tenant_id, item.id) if item.state == exports.DONE else None
    return Export.model_validate({"id": item.id, "state": item.state, "rows": int(item.rows), "url": url})


@routes.post(
    "/v1/erasures",
    operation_id="startErasure",
    tags=["Privacy"],
    summary="Erase a person's data by number",
    description=(
        "Begin to erase whoever has this number: contact, tags, comments, recordings, deliveries. Calls stay, nameless."
    ),
    status_code=201,
)
def start_erasure(wanted: StartErasureRequest) -> StartedErasure:
    """Begin to erase whoever has this number: contact, tags, comments, recordings, deliveries. Calls stay, nameless."""
    tenant_id, who = routes.tenant_id, routes.caller.name
    number = normalise(wanted.number, tenants.load_tenant(tenant_id).country)
    if number is None:
        raise BadInputError(
            "the number can't be read",
            (FieldError("number", FieldErrorCode.INVALID_PHONE, "it can't be read as a phone number"),),
        )
    if _is_employees(tenant_id, number.e164):
        raise ConflictError("the number is an employee's: take it off the employee's card first")

    def work() -> StartedErasure:
        made = erasures.create(tenant_id, number.e164, who)
        # The number travels with the job alone, and is gone with it.
        _start({"job": "erase", "tenant": tenant_id, "id": made.id, "number": number.e164})
        return StartedErasure(id=made.id, state="running")

    return StartedErasure.model_validate(routes.once("erasures", work))


@routes.get(
    "/v1/erasures/<erasure_id>",
    operation_id="getErasure",
    tags=["Privacy"],
    summary="Get an erasure's receipt",
    description="The receipt of an erasure.",
)
def get_erasure(erasure_id: str) -> Erasure:
    """The receipt of an erasure."""
    item = erasures.load(routes.tenant_id, found_id(erasure_id))
    return Erasure.model_validate(erasures.receipt(item).to_json())


def _is_employees(tenant_id: str, e164: str) -> bool:
    found = client.dynamodb().get_item(
        TableName=client.table(),
        Key={"pk": {"S": key("T", tenant_id, "PHONE", e164)}, "sk": {"S": "EMPLOYEE"}},
        ConsistentRead=True,
    )
    return "Item" in found


def _start(job: Mapping[str, str]) -> None:
    client.make("sqs").send_message(QueueUrl=runtime.settings().jobs_queue_url, MessageBody=json.dumps(job))
