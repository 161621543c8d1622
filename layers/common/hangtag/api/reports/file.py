"""Reports as CSV files: responses with short-lived URLs."""

import time
from datetime import timedelta

from aws_lambda_powertools.event_handler import Response

from hangtag.api.kernel.caller import Caller, Role
from hangtag.api.reports.models import Report, ReportFile
from hangtag.errors import NotFoundError
from hangtag.services.reports import file as report_file
from hangtag.services.reports import job as report_job
from hangtag.services.reports.rows import ReportRequest
from hangtag.store.db.clock import iso, now
from hangtag.store.reports import files as report_files
from hangtag.store.reports.files import ReportFileItem

__all__ = ["accepts_csv", "prefers_async", "respond", "show"]

# Time that a request has to write a file itself.
SECONDS = 12.0


def accepts_csv(accept: str) -> bool:
    """Return True if an Accept header names CSV."""
    return "text/csv" in _words(accept)


def prefers_async(prefer: str) -> bool:
    """Return True if a Prefer header (RFC 7240) contains `respond-async`."""
    return "respond-async" in _words(prefer)


def _words(header: str) -> list[str]:
    return [part.partition(";")[0].strip().lower() for part in header.split(",")]


def respond(request: ReportRequest, caller: Caller, *, at_once: bool) -> Response[Report | ReportFile]:
    """Return 303 to the file, with its URL in the JSON too; 202 if a job writes it in the background."""
    deadline = time.monotonic() + SECONDS
    try:
        if not at_once:
            raise TimeoutError
        name = report_file.write(request, lambda: time.monotonic() < deadline)
    except TimeoutError:
        item = report_job.begin(request, caller.name)
        headers = {"location": f"/v1/reports/files/{item.id}", "preference-applied": "respond-async"}
        return Response(status_code=202, content_type="application/json", body=_of_item(item), headers=headers)
    days = request.period.first.isoformat(), request.period.last.isoformat()
    body = _file(None, request.kind.value, days, report_files.DONE, name)
    return Response(status_code=303, content_type="application/json", body=body, headers={"location": body.url or ""})


def show(caller: Caller, file_id: str) -> ReportFile:
    """Return a file's state to the caller who requested it. Raises NotFoundError."""
    item = report_files.load(caller.tenant_id, file_id)
    if item.who != caller.name or (item.sees_all and caller.role < Role.ADMIN):
        raise NotFoundError("No such file.")
    return _of_item(item)


def _of_item(item: ReportFileItem) -> ReportFile:
    return _file(item.id, item.report, (item.first, item.last), item.state, item.name)


def _file(file_id: str | None, kind: str, days: tuple[str, str], state: str, name: str | None) -> ReportFile:
    expires = iso(now() + timedelta(seconds=report_file.LINK_SECONDS)) if name else None
    url = report_file.link(name, kind, *days) if name else None
    body = {"id": file_id, "state": state, "report": kind, "from": days[0], "to": days[1]}
    return ReportFile.model_validate({**body, "url": url, "expires_at": expires})
