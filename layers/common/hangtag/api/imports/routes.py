"""Routes of contact imports from CSV files."""

from typing import Any

from hangtag import runtime
from hangtag.api.imports.models import CreatedImport, CreateImportRequest, Import, ImportPage
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Cursor, Limit
from hangtag.api.kernel.paging import children, found_id
from hangtag.api.kernel.service import Routes
from hangtag.errors import ConflictError, ErrorCode
from hangtag.services.jobs import imports as importing
from hangtag.store.db import client
from hangtag.store.office import imports

__all__ = ["routes"]

routes = Routes(Role.ADMIN)

UPLOAD_SECONDS = 3600
STARTABLE = frozenset({imports.WAITING, imports.STOPPED, imports.FAILED, imports.DONE})
FROM_START: dict[str, Any] = {"rows": 0, "created": 0, "existing": 0, "refused": 0, "errors": ()}


@routes.post(
    "/v1/imports",
    operation_id="createImport",
    tags=["Imports"],
    summary="Create a contact import",
    description=(
        "Create an import. Send the CSV file (UTF-8, at most 100 MB and 200 000 rows) to `upload_url` with PUT within"
        " an hour, then start the import."
    ),
    example={"name": "Customers, December"},
    status_code=201,
)
def create_import(request: CreateImportRequest) -> CreatedImport:
    """Create an import with its upload URL."""
    tenant_id = routes.tenant_id

    def work() -> CreatedImport:
        created = imports.create_import(tenant_id, request.name)
        place = {"Bucket": runtime.settings().files_bucket, "Key": imports.object_key(tenant_id, created.id)}
        url = client.make("s3").generate_presigned_url("put_object", Params=place, ExpiresIn=UPLOAD_SECONDS)
        return CreatedImport.model_validate({**_json(created), "upload_url": url})

    return CreatedImport.model_validate(routes.idempotent("imports", work, sealed=True))


@routes.get(
    "/v1/imports",
    operation_id="listImports",
    tags=["Imports"],
    summary="List contact imports",
    description="List the tenant's imports of the last 90 days in the order of their ids.",
)
def list_imports(limit: Limit | None = None, cursor: Cursor | None = None) -> ImportPage:
    """List the tenant's imports."""
    tenant_id = routes.tenant_id
    return children(
        "imports",
        ImportPage,
        limit,
        cursor,
        lambda count, after: imports.list_imports(tenant_id, count, after),
        _public,
    )


@routes.get(
    "/v1/imports/<import_id>",
    operation_id="getImport",
    tags=["Imports"],
    summary="Get a contact import",
    description="Return one import and its progress.",
)
def get_import(import_id: str) -> Import:
    """Return one import."""
    return _response(imports.get_import(routes.tenant_id, found_id(import_id)))


@routes.post(
    "/v1/imports/<import_id>/start",
    operation_id="startImport",
    tags=["Imports"],
    summary="Start or resume a contact import",
    description=(
        "Start an import in the background, or resume a stopped one. An import that is done or failed starts again from"
        " its first row; rows whose contacts exist change nothing. An import in progress is a 409."
    ),
    errors=[ErrorCode.OPERATION_RUNNING],
)
def start_import(import_id: str) -> Import:
    """Start or resume an import."""
    tenant_id = routes.tenant_id
    before = imports.get_import(tenant_id, found_id(import_id))
    ended = before.state in (imports.DONE, imports.FAILED)
    reset = {**FROM_START, "round": before.round + 1} if ended else {}
    started = imports.change(
        tenant_id, before.id, STARTABLE, state=imports.RUNNING, reason=None, run=before.run + 1, **reset
    )
    if started is None:
        raise ConflictError("The import is already running.", code=ErrorCode.OPERATION_RUNNING)
    importing.send(tenant_id, started.id, started.run)
    return _response(started)


@routes.post(
    "/v1/imports/<import_id>/stop",
    operation_id="stopImport",
    tags=["Imports"],
    summary="Stop a contact import",
    description=(
        "Stop a running import after its current batch of up to 500 rows. It can be resumed. An import that is not"
        " running is a 409."
    ),
    errors=[ErrorCode.RESOURCE_IN_USE],
)
def stop_import(import_id: str) -> Import:
    """Stop a running import."""
    stopped = imports.change(routes.tenant_id, found_id(import_id), frozenset({imports.RUNNING}), state=imports.STOPPED)
    if stopped is None:
        raise ConflictError("The import is not running.", code=ErrorCode.RESOURCE_IN_USE)
    return _response(stopped)


def _response(stored: imports.Import) -> Import:
    return Import.model_validate(_json(stored))


def _json(stored: imports.Import) -> dict[str, Any]:
    return _public(stored.to_json())


def _public(stored: dict[str, Any]) -> dict[str, Any]:
    """Map the stored names to those of the API."""
    return {**stored, "matched": stored["existing"], "rejected": stored["refused"]}
