"""Report files: a request starts them, a job writes them, because they can take longer than a request."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from hangtag import runtime
from hangtag.domain.reports.report import Filters, Kind, Period
from hangtag.errors import NotFoundError
from hangtag.runtime import logger
from hangtag.services.reports import file as report_file
from hangtag.services.reports.rows import ReportRequest
from hangtag.services.reports.visibility import viewer_of
from hangtag.store.db import client
from hangtag.store.reports import files as report_files
from hangtag.store.reports.files import ReportFileItem

__all__ = ["begin", "work"]


def begin(request: ReportRequest, who: str) -> ReportFileItem:
    """Queue the job that writes a file. Raises botocore's and pynamodb's errors."""
    item = report_files.create(
        request.tenant_id,
        who,
        request.kind.value,
        (request.period.first.isoformat(), request.period.last.isoformat()),
        request.zone.key,
        asdict(request.filters),
        sees_all=request.viewer.is_admin,
        employee_id=request.viewer.employee,
    )
    message = {"job": "report", "tenant": request.tenant_id, "id": item.id}
    client.make("sqs").send_message(QueueUrl=runtime.settings().jobs_queue_url, MessageBody=json.dumps(message))
    return item


def work(message: Mapping[str, Any], has_time: Callable[[], bool]) -> None:
    """Write a file (`tenant`, `id`). A file that exceeds the job's time fails. Raises botocore's errors."""
    tenant_id = message["tenant"]
    try:
        item = report_files.load(tenant_id, message["id"])
    except NotFoundError:
        # Erased in the meantime.
        return
    if item.state != report_files.RUNNING:
        return
    try:
        name = report_file.write(_request(tenant_id, item), has_time)
    except TimeoutError:
        report_files.finish(item, report_files.FAILED, None)
        logger.warning("report.file_timed_out", extra={"tenant": tenant_id, "file": item.id})
        return
    if not report_files.finish(item, report_files.DONE, name):
        # An erasure can concern its content, or another attempt was faster.
        report_file.delete(name)
    logger.info("report.file_written", extra={"tenant": tenant_id, "file": item.id})


def _request(tenant_id: str, item: ReportFileItem) -> ReportRequest:
    period = Period(date.fromisoformat(item.first), date.fromisoformat(item.last))
    viewer = viewer_of(tenant_id, item.employee_id, is_admin=item.sees_all)
    return ReportRequest(
        tenant_id, Kind(item.report), period, ZoneInfo(item.time_zone), Filters(**item.filters), viewer
    )
