"""Rows of a report, one for each call: in pages, the newest first, or all of them for a file."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hangtag.domain.reports import facts
from hangtag.domain.reports.facts import Body, Reach
from hangtag.domain.reports.report import Filters, Kind, Period, Viewer, accepts, minutes
from hangtag.store.db.listing import Place, Span, by_day
from hangtag.store.reports import names as report_names

# Upper bound for the offset of a local day from the UTC day.
_WIDEST = timedelta(days=1)
_PAGE = 200
_WORDS = {Reach.MISSED: "missed", Reach.UNREACHED: "unreached"}


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """Request for a report: the viewer, the local days and the filters."""

    tenant_id: str
    kind: Kind
    period: Period
    zone: ZoneInfo
    filters: Filters
    viewer: Viewer

    def accepts(self, body: Body) -> bool:
        """Return True if a call is a row of this report."""
        if not facts.counts(body):
            return False
        day = facts.start_of(body).astimezone(self.zone).date()
        return self.period.first <= day <= self.period.last and accepts(self.kind, body, self.viewer, self.filters)

    @property
    def span(self) -> Span:
        """UTC days that overlap the report's local days."""
        first = datetime.combine(self.period.first, time(), UTC) - _WIDEST
        last = datetime.combine(self.period.last, time(), UTC) + _WIDEST
        return Span(first.date(), last.date())


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One call of a report: `date` and clock times in the tenant's time zone, `started_at` and `ended_at` in UTC.

    `type` is incoming, outgoing, missed or unreached.
    """

    call_id: str
    date: str
    time_from: str
    time_to: str | None
    started_at: str
    ended_at: str | None
    direction: str
    answered: bool
    contact_id: str | None
    contact: str | None
    employee_id: str | None
    employee: str | None
    type: str
    minutes: float
    recording: str | None


def page(request: ReportRequest, start: Place | None, limit: int) -> tuple[list[Row], Place | None]:
    """Return up to `limit` rows, and the start of the next page. Raises botocore's errors."""
    bodies, following = by_day(request.tenant_id, "CALLS", request.span, start, limit, request.accepts)
    return list(_rows(request, bodies)), following


def every(request: ReportRequest, has_time: Callable[[], bool]) -> Iterator[Row]:
    """Yield all rows, the newest first. Raises TimeoutError when the time is up, and botocore's errors."""
    start: Place | None = None
    while True:
        rows, start = page(request, start, _PAGE)
        yield from rows
        if start is None:
            return
        if not has_time():
            raise TimeoutError


def _rows(request: ReportRequest, bodies: Iterable[Body]) -> Iterator[Row]:
    shown = list(bodies)
    contacts = report_names.contacts(request.tenant_id, {body.get("contact_id") for body in shown})
    employees = report_names.employees(request.tenant_id, {facts.employee_of(body) for body in shown})
    for body in shown:
        contact, employee = body.get("contact_id"), facts.employee_of(body)
        began = facts.start_of(body).astimezone(request.zone)
        reach = facts.reach_of(body)
        yield Row(
            call_id=str(body["id"]),
            date=began.date().isoformat(),
            time_from=f"{began:%H:%M:%S}",
            time_to=_clock(body.get("ended_at"), request.zone),
            started_at=facts.start_of(body).isoformat(),
            ended_at=body.get("ended_at"),
            direction="out" if body.get("direction") == "out" else "in",
            answered=reach is Reach.ANSWERED,
            contact_id=contact,
            contact=contacts.get(contact) if contact else None,
            employee_id=employee,
            employee=employees.get(employee) if employee else None,
            type=_WORDS.get(reach) or ("outgoing" if body.get("direction") == "out" else "incoming"),
            minutes=minutes(int(body.get("talk_seconds") or 0)) if reach is Reach.ANSWERED else 0.0,
            recording=f"/v1/calls/{body['id']}/recording" if body.get("recording") else None,
        )


def _clock(text: str | None, zone: ZoneInfo) -> str | None:
    return f"{datetime.fromisoformat(text).astimezone(zone):%H:%M:%S}" if text else None
