"""Routes of reports."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.enums import Direction, ReportStep
from hangtag.api.kernel.models import ContactId, Cursor, EmployeeId, IntegrationId, Limit
from hangtag.api.kernel.paging import found_id
from hangtag.api.kernel.service import Routes
from hangtag.api.reports import file as report_file
from hangtag.api.reports import service as reporting
from hangtag.api.reports.models import FirstDay, LastDay, Report, ReportFile
from hangtag.domain.reports.report import Kind
from hangtag.errors import ErrorCode

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)

_OPERATIONS = {
    Kind.BY_CONTACT: ("getCallsByContactReport", "Report calls by contact", "Groups the calls by contact."),
    Kind.BY_EMPLOYEE: ("getCallsByEmployeeReport", "Report calls by employee", "Groups the calls by employee."),
    Kind.MISSED: (
        "getMissedCallsReport",
        "Report missed calls by day",
        "Groups the calls without an answer, incoming and outgoing, by day.",
    ),
    Kind.BY_LINE: ("getCallsByLineReport", "Report calls by line", "Groups the calls by the tenant's own number."),
    Kind.BY_HOUR: (
        "getCallsByHourReport",
        "Report calls by hour of the week",
        "Groups the calls by weekday and hour of their start.",
    ),
}
_DESCRIPTION = (
    "The report covers the tenant's days from `from` to `to`, both inclusive, by default the current week. Figures"
    " include calls up to a minute ago. Employees see their own calls. `rows` is a page of the calls;"
    " follow `next_cursor` for more. With the header `Accept: text/csv` the response is 303 to a CSV file of all calls"
    " of the report; if the file takes longer, or with the header `Prefer: respond-async`, it is 202 with the"
    " location of the file's state."
)
_RESPONSES: dict[int, Any] = {
    200: {"description": "The report.", "content": {"application/json": {"model": Report}}},
    202: {"description": "The file is being written.", "content": {"application/json": {"model": ReportFile}}},
    303: {"description": "The file is ready.", "content": {"application/json": {"model": ReportFile}}},
}


def _add(kind: Kind) -> None:
    operation_id, summary, grouping = _OPERATIONS[kind]

    @routes.get(
        f"/v1/reports/{kind}",
        operation_id=operation_id,
        tags=["Reports"],
        summary=summary,
        description=f"{grouping} {_DESCRIPTION}",
        errors=(ErrorCode.RANGE_INVALID,),
        responses=_RESPONSES,
    )
    def get_report(
        first: FirstDay = None,
        last: LastDay = None,
        employee_id: Annotated[
            EmployeeId | None,
            Query(description="Only calls that involved this employee.", examples=["9d3b1e60a7c24f85"]),
        ] = None,
        contact_id: Annotated[
            ContactId | None, Query(description="Only calls of this contact.", examples=["5f0c2a7be1d94c36"])
        ] = None,
        line: Annotated[
            str | None,
            Query(
                max_length=64,
                description="Only calls of this own number, in any format.",
                examples=["+442079460010"],
            ),
        ] = None,
        integration_id: Annotated[
            IntegrationId | None,
            Query(description="Only calls of this integration.", examples=["9a41c03d5b7e8f26"]),
        ] = None,
        direction: Annotated[
            Direction | None, Query(description="Only calls in this direction: `in` or `out`.", examples=["in"])
        ] = None,
        compare: Annotated[
            bool, Query(description="Add the figures of the period of the same length just before.", examples=[True])
        ] = False,
        step: Annotated[
            ReportStep | None, Query(description="Add the figures of each day or week.", examples=["day"])
        ] = None,
        limit: Limit | None = None,
        cursor: Cursor | None = None,
    ) -> Response[Report | ReportFile]:
        filters = reporting.filters_of(
            routes.tenant_id, employee_id, contact_id, line, integration_id, direction.value if direction else None
        )
        request = reporting.request_of(routes.caller, kind, first, last, filters)
        headers = routes.current_event.headers
        if report_file.accepts_csv(headers.get("accept", "")):
            at_once = not report_file.prefers_async(headers.get("prefer", ""))
            return report_file.respond(request, routes.caller, at_once=at_once)
        report = reporting.build(
            request, compare=compare, step=step.value if step else None, limit=limit, cursor=cursor
        )
        return Response(status_code=200, content_type="application/json", body=report)


for _kind in Kind:
    _add(_kind)


@routes.get(
    "/v1/reports/files/<file_id>",
    operation_id="getReportFile",
    tags=["Reports"],
    summary="Get a report file",
    description=(
        "Returns the state of a report file that is written in the background, and its URL once it is done. Only the"
        " caller who requested the file can see it."
    ),
)
def get_report_file(file_id: str) -> ReportFile:
    """Return a report file."""
    return report_file.show(routes.caller, found_id(file_id))
