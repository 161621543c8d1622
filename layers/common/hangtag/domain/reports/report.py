"""A report: sums that somebody may see and asked for, by what the report groups them by."""

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
    """The reports."""

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
        """All of them, in order."""
        return tuple(self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1))

    @property
    def before(self) -> "Period":
        """The period of the same length just before."""
        length = self.last - self.first + timedelta(days=1)
        return Period(self.first - length, self.last - length)


def week_of(day: date) -> Period:
    """The week of a day, from Monday on."""
    monday = day - timedelta(days=day.weekday())
    return Period(monday, monday + WEEK - timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters of a report; None is any. `employee` is one of those who took part.

    With a `country` (ISO 3166), `line` is compared in E.164, whatever way the PBX wrote the call's line.
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
        return all(wanted is None or wanted == found for wanted, found in pairs)


@lru_cache(maxsize=1000)
def _number(line: str | None, country: str | None) -> str | None:
    return line_number(line, country) if line and country else line


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks. Admins see everything; employees the calls that they took part in; hidden calls, those on the task."""

    is_admin: bool
    employee: str | None
    is_on_task: Callable[[str], bool]

    def may_see(self, group: Group) -> bool:
        """Whether calls of this group are for them."""
        if self.is_admin:
            return True
        if self.employee is None:
            return False
        if group.hidden_on is not None:
            return group.hidden_on != "" and self.is_on_task(group.hidden_on)
        return self.employee in group.people


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a report says of some calls. `timed` and the sums are what its averages are made of."""

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
        """Minutes, with two decimals."""
        return minutes(self.talk_seconds)

    @property
    def answer_rate(self) -> float | None:
        """Which part of the incoming calls was answered; None if there were none."""
        return round((self.incoming - self.missed) / self.incoming, 4) if self.incoming else None

    @property
    def seconds_to_answer(self) -> float | None:
        """The average, over the incoming calls of which it is known; None if there are none."""
        return round(self.answer_ms / self.timed / 1000, 1) if self.timed else None

    @property
    def seconds_to_return(self) -> float | None:
        """The average, from a missed call until somebody talked to that number; None if none was returned."""
        return round(self.return_seconds / self.returned, 1) if self.returned else None


def minutes(seconds: int) -> float:
    """Minutes, decimal, with two places."""
    return round(seconds / 60, 2)


def numbers(aggregate: Iterable[tuple[Group, Sums]]) -> Numbers:
    """What there is to say of sums."""
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


def tells(kind: Kind, group: Group) -> bool:
    """Whether a report is about calls of this group at all."""
    return kind is not Kind.MISSED or group.reach != Reach.ANSWERED


def key_of(kind: Kind, day: date, group: Group) -> str | None:
    """What a report groups by: an id, a line, a day, or day of the week and hour such as `mon-09`; None is unknown."""
    if kind is Kind.BY_CONTACT:
        return group.contact
    if kind is Kind.BY_EMPLOYEE:
        return group.employee
    if kind is Kind.BY_LINE:
        return group.line
    if kind is Kind.MISSED:
        return day.isoformat()
    return f"{DAYS_OF_WEEK[day.weekday()]}-{group.slot:02d}"


def picked(kind: Kind, aggregate: Aggregate, viewer: Viewer, filters: Filters) -> dict[Group, Sums]:
    """What of a day's sums a report is about."""
    return {
        group: sums
        for group, sums in aggregate.items()
        if tells(kind, group) and filters.fit(group) and viewer.may_see(group)
    }


def grouped(kind: Kind, days: Mapping[date, Aggregate]) -> dict[str | None, Numbers]:
    """The numbers of each group of a report, out of what was picked of its days."""
    found: dict[str | None, list[tuple[Group, Sums]]] = {}
    for day, aggregate in days.items():
        for group, sums in aggregate.items():
            found.setdefault(key_of(kind, day, group), []).append((group, sums))
    return {name: numbers(pairs) for name, pairs in found.items()}


def in_order(kind: Kind, groups: Mapping[str | None, Numbers]) -> list[tuple[str | None, Numbers]]:
    """Days the newest first, hours as they come in a week, all else with the most calls first."""
    if kind is Kind.MISSED:
        return sorted(groups.items(), key=lambda pair: pair[0] or "", reverse=True)
    if kind is Kind.BY_HOUR:
        return sorted(groups.items(), key=lambda pair: _hour_of_week(pair[0] or ""))
    return sorted(groups.items(), key=lambda pair: (-pair[1].calls, pair[0] is None, pair[0] or ""))


def _hour_of_week(name: str) -> tuple[int, str]:
    return DAYS_OF_WEEK.index(name[:3]), name


def stepped(step: str, days: Mapping[date, Aggregate]) -> dict[date, Numbers]:
    """The numbers of each day, or of each week by its Monday, out of what was picked of days."""
    found: dict[date, list[tuple[Group, Sums]]] = {}
    for day, aggregate in days.items():
        begins = day if step == "day" else week_of(day).first
        found.setdefault(begins, []).extend(aggregate.items())
    return {begins: numbers(pairs) for begins, pairs in found.items()}


def accepts(kind: Kind, body: Body, viewer: Viewer, filters: Filters) -> bool:
    """Whether a call that counts is a row of a report: just if it is in its sums."""
    group = group_of(body)
    return tells(kind, group) and filters.fit(group) and viewer.may_see(group)


__all__ = [
    "Filters",
    "Kind",
    "Numbers",
    "Period",
    "Viewer",
    "accepts",
    "employee_of",
    "grouped",
    "hidden_on",
    "in_order",
    "key_of",
    "minutes",
    "numbers",
    "people_of",
    "picked",
    "reach_of",
    "stepped",
    "week_of",
]
