"""Builds reports: figures, groups with their names, and a page of the calls."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from hangtag import representation
from hangtag.api.kernel import listing
from hangtag.api.kernel.caller import Caller, Role
from hangtag.api.kernel.cursor import write_cursor
from hangtag.api.kernel.models import DEFAULT_LIMIT
from hangtag.api.reports.models import (
    Report,
    ReportComparison,
    ReportGroup,
    ReportMetrics,
)
from hangtag.domain.reports import report
from hangtag.domain.reports.facts import Group, Sums
from hangtag.domain.reports.report import Filters, Kind, Numbers, Period
from hangtag.errors import BadInputError, ErrorCode, FieldError, FieldErrorCode
from hangtag.services.reports import rows as report_rows
from hangtag.services.reports import sums
from hangtag.services.reports.rows import ReportRequest, Row
from hangtag.services.reports.visibility import viewer_of
from hangtag.store.office import names
from hangtag.store.office.names import References
from hangtag.store.office.tenants import get_tenant

__all__ = ["build", "filters_of", "period_of", "request_of"]

MAX_DAYS = 366
MAX_GROUPS = 1000
_EARLIEST, _LATEST = date(2000, 1, 1), date(8999, 12, 31)
Picked = Mapping[date, Mapping[Group, Sums]]


def filters_of(
    tenant_id: str,
    employee_id: str | None,
    contact_id: str | None,
    line: str | None,
    integration_id: str | None,
    direction: str | None,
) -> Filters:
    """Return the filters of a request; `line` is a number in any format."""
    country = get_tenant(tenant_id).country if line is not None else None
    number = representation.line_number(line, country) if line is not None and country is not None else line
    return Filters(employee_id, contact_id, number, integration_id, direction, country)


def request_of(caller: Caller, kind: Kind, first: str | None, last: str | None, filters: Filters) -> ReportRequest:
    """Return a caller's request for a report, in the tenant's time zone. Raises BadInputError for invalid days."""
    zone = sums.zone_of(caller.tenant_id)
    period = period_of(first, last, sums.today(zone))
    viewer = viewer_of(caller.tenant_id, caller.employee_id, is_admin=caller.role >= Role.ADMIN)
    return ReportRequest(caller.tenant_id, kind, period, zone, filters, viewer)


def period_of(first: str | None, last: str | None, today: date) -> Period:
    """Return the local days from `first` to `last`: without both the current week, with one of them a week.

    Raises BadInputError.
    """
    begin = _day("from", first) if first is not None else None
    end = _day("to", last) if last is not None else None
    if begin is None and end is None:
        return report.week_of(today)
    week = report.WEEK - timedelta(days=1)
    begin = begin or (end or today) - week
    end = end or begin + week
    if end < begin:
        raise _invalid("to", FieldErrorCode.OUT_OF_RANGE, "The last day is before the first day.")
    if (end - begin).days >= MAX_DAYS:
        raise _invalid("to", FieldErrorCode.OUT_OF_RANGE, f"A report covers at most {MAX_DAYS} days.")
    return Period(begin, end)


def _day(name: str, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _invalid(name, FieldErrorCode.INVALID_TIME, "Not a date. Use a form such as 2026-03-01.") from None
    if not _EARLIEST <= day <= _LATEST:
        raise _invalid(name, FieldErrorCode.OUT_OF_RANGE, "Use a date from 2000-01-01 to 8999-12-31.")
    return day


def _invalid(name: str, code: FieldErrorCode, sentence: str) -> BadInputError:
    whole = ErrorCode.VALIDATION_FAILED if code is FieldErrorCode.INVALID_TIME else ErrorCode.RANGE_INVALID
    return BadInputError(sentence, (FieldError(name, code, sentence),), code=whole)


def build(request: ReportRequest, *, compare: bool, step: str | None, limit: int | None, cursor: str | None) -> Report:
    """Build the report. `step` is day or week, or None. Raises BadInputError for another list's cursor."""
    start = listing.place_of(_list(request.kind), cursor)
    picked = _picked(request, request.period)
    earlier = _picked(request, request.period.before) if compare else None
    groups = report.in_order(request.kind, report.numbers_by_group(request.kind, picked))
    previous = report.numbers_by_group(request.kind, earlier) if earlier is not None else {}
    labels = _names(request, [key for key, _ in groups[:MAX_GROUPS]])
    rows, following = report_rows.page(request, start, limit or DEFAULT_LIMIT)
    steps = report.numbers_by_step(step, picked) if step else {}
    return Report.model_validate(
        {
            "report": request.kind.value,
            "from": request.period.first,
            "to": request.period.last,
            "time_zone": request.zone.key,
            "totals": _total(picked),
            "previous_period": _comparison(request.period.before, earlier) if earlier is not None else None,
            "groups": [
                ReportGroup(
                    key=key,
                    name=labels.get(key or ""),
                    numbers=ReportMetrics.of(numbers),
                    previous_period=_metrics(previous.get(key)),
                )
                for key, numbers in groups[:MAX_GROUPS]
            ],
            "remaining_groups": max(0, len(groups) - MAX_GROUPS),
            "steps": [
                {"from": begins, "numbers": ReportMetrics.of(numbers)} for begins, numbers in sorted(steps.items())
            ],
            "rows": [_call(row) for row in rows],
            "next_cursor": write_cursor(_list(request.kind), following.day.isoformat(), following.before)
            if following
            else None,
        }
    )


def _picked(request: ReportRequest, period: Period) -> Picked:
    stored = sums.days(request.tenant_id, request.zone, period.days)
    picked = {
        day: report.select(request.kind, aggregate, request.viewer, request.filters)
        for day, aggregate in stored.items()
    }
    if request.kind is not Kind.BY_LINE:
        return picked
    country = get_tenant(request.tenant_id).country
    return {day: _by_number(aggregate, country) for day, aggregate in picked.items()}


def _by_number(aggregate: Mapping[Group, Sums], country: str) -> dict[Group, Sums]:
    """Return the sums with lines in E.164: a line is one group, however its PBXs write it."""
    merged: dict[Group, Sums] = {}
    for group, figures in aggregate.items():
        line = representation.line_number(group.line, country) if group.line else group.line
        key = group._replace(line=line)
        merged[key] = merged[key].plus(figures) if key in merged else figures
    return merged


def _total(picked: Picked) -> ReportMetrics:
    return ReportMetrics.of(report.numbers(pair for aggregate in picked.values() for pair in aggregate.items()))


def _comparison(period: Period, picked: Picked) -> ReportComparison:
    return ReportComparison.model_validate({"from": period.first, "to": period.last, "totals": _total(picked)})


def _metrics(numbers: Numbers | None) -> ReportMetrics | None:
    return ReportMetrics.of(numbers) if numbers is not None else None


def _names(request: ReportRequest, keys: list[str | None]) -> Mapping[str, str]:
    """Return the names of groups by their keys; days and hours have none."""
    ids = {key for key in keys if key}
    if request.kind is Kind.BY_CONTACT:
        return names.load(request.tenant_id, References(contacts=ids)).contacts
    if request.kind is Kind.BY_EMPLOYEE:
        return names.load(request.tenant_id, References(employees=ids)).employees
    if request.kind is Kind.BY_LINE:
        lines = names.load(request.tenant_id, References(lines=ids)).lines
        return {number: name for number, (name, _) in lines.items()}
    return {}


def _call(row: Row) -> dict[str, Any]:
    return {
        "call_id": row.call_id,
        "date": row.date,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "direction": row.direction,
        "answered": row.answered,
        "minutes": row.minutes,
        "contact_id": row.contact_id,
        "contact": _summary(row.contact_id, row.contact),
        "employee_id": row.employee_id,
        "employee": _summary(row.employee_id, row.employee),
        "recording": row.recording,
    }


def _summary(resource_id: str | None, name: str | None) -> dict[str, str] | None:
    return {"id": resource_id, "name": name} if resource_id is not None and name is not None else None


def _list(kind: Kind) -> str:
    return f"report-{kind}"
