"""Answering a report: its sums, its groups with their names, and a page of its calls."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date, timedelta

from hangtag.api.kernel.caller import Caller, Role
from hangtag.api.kernel.cursor import read_cursor, write_cursor
from hangtag.api.kernel.models import DEFAULT_LIMIT
from hangtag.api.reports.models import (
    Report,
    ReportCall,
    ReportComparison,
    ReportGroup,
    ReportInterval,
    ReportMetrics,
)
from hangtag.domain.reports import report
from hangtag.domain.reports.facts import Group, Sums
from hangtag.domain.reports.report import Filters, Kind, Numbers, Period
from hangtag.errors import BadInputError, FieldError, FieldErrorCode
from hangtag.services.reports import rows as report_rows
from hangtag.services.reports import sums
from hangtag.services.reports.rows import Asked
from hangtag.services.reports.visibility import viewer_of
from hangtag.store.db.listing import Place
from hangtag.store.reports import names as report_names

__all__ = ["answer", "asked", "period_of"]

MAX_DAYS = 366
MAX_GROUPS = 1000
_EARLIEST, _LATEST = date(2000, 1, 1), date(8999, 12, 31)
Picked = Mapping[date, Mapping[Group, Sums]]


def asked(caller: Caller, kind: Kind, first: str | None, last: str | None, filters: Filters) -> Asked:
    """What a caller asks for, in the tenant's time zone. Raises BadInputError for days that can't be."""
    zone = sums.zone_of(caller.tenant_id)
    period = period_of(first, last, sums.today(zone))
    viewer = viewer_of(caller.tenant_id, caller.employee_id, is_admin=caller.role >= Role.ADMIN)
    return Asked(caller.tenant_id, kind, period, zone, filters, viewer)


def period_of(first: str | None, last: str | None, today: date) -> Period:
    """The local days from `first` to `last`; the current week if neither is said, up to a week if one is.

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
        raise _wrong("to", "it is before the first day")
    if (end - begin).days >= MAX_DAYS:
        raise _wrong("to", f"a report is of at most {MAX_DAYS} days")
    return Period(begin, end)


def _day(name: str, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _wrong(name, "it is no day such as 2026-03-01") from None
    if not _EARLIEST <= day <= _LATEST:
        raise _wrong(name, "it is beyond the calendar of reports")
    return day


def _wrong(name: str, why: str) -> BadInputError:
    return BadInputError("the days of a report can't be read", (FieldError(name, FieldErrorCode.INVALID_TIME, why),))


def answer(wanted: Asked, *, compare: bool, step: str | None, limit: int | None, cursor: str | None) -> Report:
    """The report. `step`: day or week, to have each one's numbers as well. Raises BadInputError for a wrong cursor."""
    start = _place(wanted.kind, cursor)
    picked = _picked(wanted, wanted.period)
    earlier = _picked(wanted, wanted.period.before) if compare else None
    groups = report.in_order(wanted.kind, report.grouped(wanted.kind, picked))
    was = report.grouped(wanted.kind, earlier) if earlier is not None else {}
    names = _names(wanted, [name for name, _ in groups[:MAX_GROUPS]])
    rows, following = report_rows.page(wanted, start, limit or DEFAULT_LIMIT)
    steps = report.stepped(step, picked) if step else {}
    return Report.model_validate(
        {
            "report": wanted.kind.value,
            "from": wanted.period.first.isoformat(),
            "to": wanted.period.last.isoformat(),
            "time_zone": wanted.zone.key,
            "totals": _total(picked),
            "before": _before(wanted.period.before, earlier) if earlier is not None else None,
            "groups": [
                ReportGroup(key=name, name=names(name), numbers=_said(said), before=_said_before(was.get(name)))
                for name, said in groups[:MAX_GROUPS]
            ],
            "groups_left": max(0, len(groups) - MAX_GROUPS),
            "steps": [
                ReportInterval.model_validate({"from": begins.isoformat(), "numbers": _said(said)})
                for begins, said in sorted(steps.items())
            ],
            "rows": [ReportCall.model_validate(asdict(row)) for row in rows],
            "next_cursor": write_cursor(_list(wanted.kind), following.day.isoformat(), following.before)
            if following
            else None,
        }
    )


def _picked(wanted: Asked, period: Period) -> Picked:
    found = sums.days(wanted.tenant_id, wanted.zone, period.days)
    return {
        day: report.picked(wanted.kind, aggregate, wanted.viewer, wanted.filters) for day, aggregate in found.items()
    }


def _total(picked: Picked) -> ReportMetrics:
    return ReportMetrics.of(report.numbers(pair for aggregate in picked.values() for pair in aggregate.items()))


def _before(period: Period, picked: Picked) -> ReportComparison:
    days = {"from": period.first.isoformat(), "to": period.last.isoformat()}
    return ReportComparison.model_validate({**days, "totals": _total(picked)})


def _said(numbers: Numbers) -> ReportMetrics:
    return ReportMetrics.of(numbers)


def _said_before(numbers: Numbers | None) -> ReportMetrics | None:
    return _said(numbers) if numbers is not None else None


def _names(wanted: Asked, keys: list[str | None]) -> Callable[[str | None], str | None]:
    known: Mapping[str, str] = {}
    if wanted.kind is Kind.BY_CONTACT:
        known = report_names.contacts(wanted.tenant_id, keys)
    elif wanted.kind is Kind.BY_EMPLOYEE:
        known = report_names.employees(wanted.tenant_id, keys)
    return lambda name: known.get(name) if name is not None else None


def _list(kind: Kind) -> str:
    return f"report-{kind}"


def _place(kind: Kind, cursor: str | None) -> Place | None:
    parts = read_cursor(_list(kind), 2, cursor)
    if parts is None:
        return None
    try:
        return Place(date.fromisoformat(parts[0] or ""), parts[1])
    except ValueError:
        field = FieldError("cursor", FieldErrorCode.INVALID_FORMAT, "it is not a cursor of this list")
        raise BadInputError("the cursor is not one of this list", (field,)) from None
