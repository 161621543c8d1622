"""Routes of exports of the tenant's data."""

import json

from hangtag import runtime
from hangtag.api.exports.models import Export, StartedExport
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.enums import JobState
from hangtag.api.kernel.paging import found_id
from hangtag.api.kernel.service import Routes
from hangtag.services.jobs.exports import link
from hangtag.store.db import client
from hangtag.store.privacy import exports

__all__ = ["routes"]

routes = Routes(Role.OWNER)


@routes.post(
    "/v1/exports",
    operation_id="startExport",
    tags=["Privacy"],
    summary="Export the tenant's data",
    description=(
        "Start an export of all the tenant's data to a JSON Lines file, in the background. The file is stored for a"
        " week. Get the export until its state is `done`."
    ),
    status_code=201,
)
def start_export() -> StartedExport:
    """Start an export."""
    tenant_id = routes.tenant_id

    def work() -> StartedExport:
        created = exports.create(tenant_id)
        job = {"job": "export", "tenant": tenant_id, "id": created.id}
        client.make("sqs").send_message(QueueUrl=runtime.settings().jobs_queue_url, MessageBody=json.dumps(job))
        return StartedExport(id=created.id, state=JobState.RUNNING)

    return StartedExport.model_validate(routes.idempotent("exports", work))


@routes.get(
    "/v1/exports/<export_id>",
    operation_id="getExport",
    tags=["Privacy"],
    summary="Get an export",
    description="Return the progress of an export and, once it is done, a URL for its file.",
)
def get_export(export_id: str) -> Export:
    """Return one export."""
    tenant_id = routes.tenant_id
    item = exports.load(tenant_id, found_id(export_id))
    url = link(tenant_id, item.id) if item.state == exports.DONE else None
    return Export.model_validate({"id": item.id, "state": item.state, "rows": int(item.rows), "url": url})
