"""Reports: the sums that a viewer can see and filters select, grouped by the kind of report."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache

from hangtag.domain.reports.facts import (
    NOTHING,
    Body,
    Group,
    Reach,
    Sums,
    employee_of,
    group_of,
    hidden_on,
    people_of,
    reach_of,
)
from hangtag.domain.reports.sums import Aggregate
from hangtag.representation import line_number

DAYS_OF_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEK = timedelta(days=7)


class Kind(StrEnum):
    """The kinds of report."""

    BY_CONTACT = "calls-by-contact"
    BY_EMPLOYEE = "calls-by-employee"
    MISSED = "missed-calls"
    BY_LINE = "calls-by-line"
    BY_HOUR = "calls-by-hour"


@dataclass(frozen=True, slots=True)
class Period:
    """Local days, both included."""

    first: date
    last: date

    @property
    def days(self) -> tuple[date, ...]:
        """All days, in order."""
        return tuple(self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1))

    @property
    def before(self) -> "Period":
        """The period of equal length that ends the day before."""
        length = self.last - self.first + timedelta(days=1)
        return Period(self.first - length, self.last - length)


def week_of(day: date) -> Period:
    """Return the week of a day, which begins on Monday."""
    monday = day - timedelta(days=day.weekday())
    return Period(monday, monday + WEEK - timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters of a report; None is any. `employee` is one of those who took part.

    With a `country` (ISO 3166), `line` is compared in E.164, independent of the PBX's spelling.
    """

    employee: str | None = None
    contact: str | None = None
    line: str | None = None
    integration: str | None = None
    direction: str | None = None
    country: str | None = None

    def fit(self, group: Group) -> bool:
        """Return True if the calls of this group match."""
        if self.employee is not None and self.employee not in group.people:
            return False
        pairs = (
            (self.contact, group.contact),
            (self.line, _number(group.line, self.country if self.line is not None else None)),
            (self.integration, group.integration),
            (self.direction, group.direction),
        )
        return all(filter_value is None or filter_value == value for filter_value, value in pairs)


@lru_cache(maxsize=1000)
def _number(line: str | None, country: str | None) -> str | None:
    return line_number(line, country) if line and country else line


@dataclass(frozen=True, slots=True)
class Viewer:
    """Reader of a report. Admins see all calls; employees those they took part in, and hidden calls of their tasks."""

    is_admin: bool
    employee: str | None
    is_on_task: Callable[[str], bool]

    def may_see(self, group: Group) -> bool:
        """Return True if the viewer can see calls of this group."""
        if self.is_admin:
            return True
        if self.employee is None:
            return False
        if group.hidden_on is not None:
            return group.hidden_on != "" and self.is_on_task(group.hidden_on)
        return self.employee in group.people


@dataclass(frozen=True, slots=True)
class Numbers:
    """Figures of a report for a set of calls. The averages are computed from `timed` and the sums."""

    calls: int
    incoming: int
    outgoing: int
    answered: int
    missed: int
    unreached: int
    first_time_callers: int
    talk_seconds: int
    timed: int
    answer_ms: int
    returned: int
    return_seconds: int

    @property
    def talk_minutes(self) -> float:
        """Minutes of conversation, with two decimals."""
        return minutes(self.talk_seconds)

    @property
    def answer_rate(self) -> float | None:
        """Share of incoming calls that were answered, 0 to 1; None without incoming calls."""
        return round((self.incoming - self.missed) / self.incoming, 4) if self.incoming else None

    @property
    def seconds_to_answer(self) -> float | None:
        """Average over the incoming calls with a known time to answer; None without such calls."""
        return round(self.answer_ms / self.timed / 1000, 1) if self.timed else None

    @property
    def seconds_to_return(self) -> float | None:
        """Average from a missed call to the next conversation with that number; None if none was returned."""
        return round(self.return_seconds / self.returned, 1) if self.returned else None


def minutes(seconds: int) -> float:
    """Return decimal minutes with two places."""
    return round(seconds / 60, 2)


def numbers(aggregate: Iterable[tuple[Group, Sums]]) -> Numbers:
    """Add up the figures of several sums."""
    total = NOTHING
    by_direction = {"in": 0, "out": 0}
    by_reach = dict.fromkeys(Reach, 0)
    for group, sums in aggregate:
        total = total.plus(sums)
        by_direction[group.direction] += sums.calls
        by_reach[Reach(group.reach)] += sums.calls
    return Numbers(
        calls=total.calls,
        incoming=by_direction["in"],
        outgoing=by_direction["out"],
        answered=by_reach[Reach.ANSWERED],
        missed=by_reach[Reach.MISSED],
        unreached=by_reach[Reach.UNREACHED],
        first_time_callers=total.first,
        talk_seconds=total.talk_seconds,
        timed=total.timed,
        answer_ms=total.answer_ms,
        returned=total.returned,
        return_seconds=total.return_seconds,
    )


def covers(kind: Kind, group: Group) -> bool:
    """Return True if a kind of report includes calls of this group."""
    return kind is not Kind.MISSED or group.reach != Reach.ANSWERED


def key_of(kind: Kind, day: date, group: Group) -> str | None:
    """Return the grouping key: an id, a line, a day, or weekday and hour such as `mon-09`; None is unknown."""
    if kind is Kind.BY_CONTACT:
        return group.contact
    if kind is Kind.BY_EMPLOYEE:
        return group.employee
    if kind is Kind.BY_LINE:
        return group.line
    if kind is Kind.MISSED:
        return day.isoformat()
    return f"{DAYS_OF_WEEK[day.weekday()]}-{group.slot:02d}"


def select(kind: Kind, aggregate: Aggregate, viewer: Viewer, filters: Filters) -> dict[Group, Sums]:
    """Select the part of a day's sums that a report covers."""
    return {
        group: sums
        for group, sums in aggregate.items()
        if covers(kind, group) and filters.fit(group) and viewer.may_see(group)
    }


def numbers_by_group(kind: Kind, days: Mapping[date, Aggregate]) -> dict[str | None, Numbers]:
    """Return the figures of each group of a report, from the selected sums of its days."""
    groups: dict[str | None, list[tuple[Group, Sums]]] = {}
    for day, aggregate in days.items():
        for group, sums in aggregate.items():
            groups.setdefault(key_of(kind, day, group), []).append((group, sums))
    return {name: numbers(pairs) for name, pairs in groups.items()}


def in_order(kind: Kind, groups: Mapping[str | None, Numbers]) -> list[tuple[str | None, Numbers]]:
    """Sort days with the newest first, hours by their place in the week, other groups by number of calls, most
    first.
    """
    if kind is Kind.MISSED:
        return sorted(groups.items(), key=lambda pair: pair[0] or "", reverse=True)
    if kind is Kind.BY_HOUR:
        return sorted(groups.items(), key=lambda pair: _hour_of_week(pair[0] or ""))
    return sorted(groups.items(), key=lambda pair: (-pair[1].calls, pair[0] is None, pair[0] or ""))


def _hour_of_week(name: str) -> tuple[int, str]:
    return DAYS_OF_WEEK.index(name[:3]), name


def numbers_by_step(step: str, days: Mapping[date, Aggregate]) -> dict[date, Numbers]:
    """Return the figures of each day, or of each week under its Monday, from the selected sums of days."""
    steps: dict[date, list[tuple[Group, Sums]]] = {}
    for day, aggregate in days.items():
        start = day if step == "day" else week_of(day).first
        steps.setdefault(start, []).extend(aggregate.items())
    return {start: numbers(pairs) for start, pairs in steps.items()}


def accepts(kind: Kind, body: Body, viewer: Viewer, filters: Filters) -> bool:
    """Return True if a call that counts is a row of a report, that is, part of its sums."""
    group = group_of(body)
    return covers(kind, group) and filters.fit(group) and viewer.may_see(group)


__all__ = [
    "Filters",
    "Kind",
    "Numbers",
    "Period",
    "Viewer",
    "accepts",
    "employee_of",
    "hidden_on",
    "in_order",
    "key_of",
    "minutes",
    "numbers",
    "numbers_by_group",
    "numbers_by_step",
    "people_of",
    "reach_of",
    "select",
    "week_of",
]
