"""Imports of contacts from CSV files."""

from typing import Any, Literal

from hangtag import runtime
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Limit, Page, RequestModel, ResponseModel, Text
from hangtag.api.kernel.paging import children, found_id
from hangtag.api.kernel.service import Routes
from hangtag.errors import ConflictError
from hangtag.services.jobs import imports as importing
from hangtag.store.db import client
from hangtag.store.office import imports

__all__ = ["routes"]

routes = Routes(Role.ADMIN)

UPLOAD_SECONDS = 3600
STARTABLE = frozenset({imports.WAITING, imports.STOPPED, imports.FAILED, imports.DONE})


class CreateImportRequest(RequestModel):
    """An import to be."""

    name: Text | None = None


class ImportRowError(ResponseModel):
    """Why a row was refused; rows are counted from 1, behind the header."""

    row: int
    reason: str


class ImportOut(ResponseModel):
    """An import, and how far it came. `errors` are the first twenty."""

    id: str
    name: str | None
    state: Literal["waiting", "running", "stopped", "done", "failed"]
    created_at: str
    rows: int
    created: int
    existing: int
    refused: int
    errors: list[ImportRowError]
    reason: str | None


class ImportPage(Page[ImportOut]):
    """A page of the list."""


class CreatedImport(ImportOut):
    """An import just made. PUT the file to `upload_url` within the hour, then start the import."""

    upload_url: str


@routes.post(
    "/v1/imports",
    operation_id="createImport",
    tags=["Imports"],
    summary="Create a contact import",
    description="Begin an import of contacts: the answer says where to put the CSV file.",
    status_code=201,
)
def create_import(wanted: CreateImportRequest) -> CreatedImport:
    """Begin an import of contacts: the answer says where to put the CSV file."""
    tenant_id = routes.tenant_id

    def work() -> CreatedImport:
        made = imports.create_import(tenant_id, wanted.name)
        place = {"Bucket": runtime.settings().files_bucket, "Key": imports.object_key(tenant_id, made.id)}
        url = client.make("s3").generate_presigned_url("put_object", Params=place, ExpiresIn=UPLOAD_SECONDS)
        return CreatedImport.model_validate({**made.to_json(), "upload_url": url})

    return CreatedImport.model_validate(routes.once("imports", work, sealed=True))


@routes.get(
    "/v1/imports",
    operation_id="listImports",
    tags=["Imports"],
    summary="List contact imports",
    description="The tenant's imports.",
)
def list_imports(limit: Limit | None = None, cursor: str | None = None) -> ImportPage:
    """The tenant's imports."""
    tenant_id = routes.tenant_id
    return children(
        "imports", ImportPage, limit, cursor, lambda count, after: imports.list_imports(tenant_id, count, after)
    )


@routes.get(
    "/v1/imports/<import_id>",
    operation_id="getImport",
    tags=["Imports"],
    summary="Get a contact import",
    description="One import, and how far it came.",
)
def get_import(import_id: str) -> ImportOut:
    """One import, and how far it came."""
    return ImportOut.model_validate(imports.get_import(routes.tenant_id, found_id(import_id)).to_json())


@routes.post(
    "/v1/imports/<import_id>/start",
    operation_id="startImport",
    tags=["Imports"],
    summary="Start or resume a contact import",
    description=(
        "Start an import, or go on with one that was stopped. One that is done is run again from its first row."
    ),
)
def start_import(import_id: str) -> ImportOut:
    """Start an import, or go on with one that was stopped. One that is done is run again from its first row."""
    tenant_id = routes.tenant_id
    before = imports.get_import(tenant_id, found_id(import_id))
    anew: dict[str, Any] = {"rows": 0, "created": 0, "existing": 0, "refused": 0, "errors": ()}
    anew["round"] = before.round + 1
    begin = anew if before.state in (imports.DONE, imports.FAILED) else {}
    started = imports.change(
        tenant_id, before.id, STARTABLE, state=imports.RUNNING, reason=None, run=before.run + 1, **begin
    )
    if started is None:
        raise ConflictError("it runs already")
    importing.send(tenant_id, started.id, started.run)
    return ImportOut.model_validate(started.to_json())


@routes.post(
    "/v1/imports/<import_id>/stop",
    operation_id="stopImport",
    tags=["Imports"],
    summary="Stop a contact import",
    description="Stop an import after the rows that are being worked off.",
)
def stop_import(import_id: str) -> ImportOut:
    """Stop an import after the rows that are being worked off."""
    stopped = imports.change(routes.tenant_id, found_id(import_id), frozenset({imports.RUNNING}), state=imports.STOPPED)
    if stopped is None:
        raise ConflictError("it does not run")
    return ImportOut.model_validate(stopped.to_json())
