"""Reports on calls."""

from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Limit
from hangtag.api.kernel.paging import found_id
from hangtag.api.kernel.service import Routes
from hangtag.api.reports import file as report_file
from hangtag.api.reports import service as reporting
from hangtag.api.reports.models import Direction, FirstDay, LastDay, Report, ReportFile
from hangtag.domain.reports.report import Filters, Kind

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)

_OPERATIONS = {
    Kind.BY_CONTACT: ("getCallsByContactReport", "Report calls by contact"),
    Kind.BY_EMPLOYEE: ("getCallsByEmployeeReport", "Report calls by employee"),
    Kind.MISSED: ("getMissedCallsReport", "Report missed calls by day"),
    Kind.BY_LINE: ("getCallsByLineReport", "Report calls by line"),
    Kind.BY_HOUR: ("getCallsByHourReport", "Report calls by hour of the week"),
}
_DESCRIPTION = (
    "Of the tenant's days from `from` to `to`, the current week if they are not said. Employees see the calls that they"
    " took part in. `compare` adds the period before, `step` each day or week. With `Accept: text/csv` the answer leads"
    " to a file of all calls of the report: 303 to the file, or 202 to where it will be, if there are many."
)
_ANSWERS: dict[int, Any] = {
    200: {"description": "The report", "content": {"application/json": {"model": Report}}},
    202: {"description": "Its file is being written", "content": {"application/json": {"model": ReportFile}}},
    303: {"description": "Its file", "content": {"application/json": {"model": ReportFile}}},
}


def _add(kind: Kind) -> None:
    operation_id, summary = _OPERATIONS[kind]

    @routes.get(
        f"/v1/reports/{kind}",
        operation_id=operation_id,
        tags=["Reports"],
        summary=summary,
        description=_DESCRIPTION,
        responses=_ANSWERS,
    )
    def get_report(
        first: FirstDay = None,
        last: LastDay = None,
        employee_id: str | None = None,
        contact_id: str | None = None,
        line: Annotated[str | None, Query(max_length=64)] = None,
        integration_id: str | None = None,
        direction: Direction | None = None,
        compare: bool = False,
        step: Literal["day", "week"] | None = None,
        limit: Limit | None = None,
        cursor: str | None = None,
    ) -> Response[Report | ReportFile]:
        filters = Filters(employee_id, contact_id, line, integration_id, direction)
        wanted = reporting.asked(routes.caller, kind, first, last, filters)
        headers = routes.current_event.headers
        if report_file.is_wanted(headers.get("accept", "")):
            at_once = not report_file.later(headers.get("prefer", ""))
            return report_file.answer(wanted, routes.caller, at_once=at_once)
        said = reporting.answer(wanted, compare=compare, step=step, limit=limit, cursor=cursor)
        return Response(status_code=200, content_type="application/json", body=said)


for _kind in Kind:
    _add(_kind)


@routes.get(
    "/v1/reports/files/<file_id>",
    operation_id="getReportFile",
    tags=["Reports"],
    summary="Get a report file",
    description="A report's file that took longer than its request: how far it is, and once it is done, where it lies.",
)
def get_report_file(file_id: str) -> ReportFile:
    """A report's file that took longer than its request: how far it is, and once it is done, where it lies."""
    return report_file.show(routes.caller, found_id(file_id))
