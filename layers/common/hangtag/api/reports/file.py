"""A report as a file in the bucket, to which a short-lived link leads."""

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

__all__ = ["answer", "is_wanted", "later", "show"]

# What a request may take to write a file itself.
SECONDS = 12.0


def is_wanted(accept: str) -> bool:
    """Whether an Accept header asks for CSV rather than JSON."""
    return "text/csv" in _words(accept)


def later(prefer: str) -> bool:
    """Whether a Prefer header (RFC 7240) asks not to be kept waiting."""
    return "respond-async" in _words(prefer)


def _words(header: str) -> list[str]:
    return [part.partition(";")[0].strip().lower() for part in header.split(",")]


def answer(wanted: ReportRequest, caller: Caller, *, at_once: bool) -> Response[Report | ReportFile]:
    """303 to the file, whose address is in the JSON too; 202 if a job writes it, which takes its time."""
    ends = time.monotonic() + SECONDS
    try:
        if not at_once:
            raise TimeoutError
        name = report_file.write(wanted, lambda: time.monotonic() < ends)
    except TimeoutError:
        item = report_job.begin(wanted, caller.name)
        headers = {"location": f"/v1/reports/files/{item.id}", "preference-applied": "respond-async"}
        return Response(status_code=202, content_type="application/json", body=_said(item), headers=headers)
    first, last = wanted.period.first.isoformat(), wanted.period.last.isoformat()
    said = _shown(None, wanted.kind.value, (first, last), report_files.DONE, name)
    return Response(status_code=303, content_type="application/json", body=said, headers={"location": said.url or ""})


def show(caller: Caller, file_id: str) -> ReportFile:
    """How far a file is, for whoever asked for it. Raises NotFoundError."""
    item = report_files.load(caller.tenant_id, file_id)
    if item.who != caller.name or (item.sees_all and caller.role < Role.ADMIN):
        raise NotFoundError("there is no such file")
    return _said(item)


def _said(item: ReportFileItem) -> ReportFile:
    return _shown(item.id, item.report, (item.first, item.last), item.state, item.name)


def _shown(file_id: str | None, kind: str, days: tuple[str, str], state: str, name: str | None) -> ReportFile:
    expires = iso(now() + timedelta(seconds=report_file.LINK_SECONDS)) if name else None
    url = report_file.link(name, kind, *days) if name else None
    said = {"id": file_id, "state": state, "report": kind, "from": days[0], "to": days[1]}
    return ReportFile.model_validate({**said, "url": url, "expires_at": expires})
