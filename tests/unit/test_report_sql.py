"""Reports compared with plain SQL over the calls, for months across both clock changes and zones on both sides of
UTC.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from generated_calls import GeneratedCall, People, generate_calls, people
from hangtag.domain.reports import facts, report, sums
from hangtag.domain.reports.facts import CallHistory
from hangtag.domain.reports.report import Filters, Kind, Period, Viewer
from hangtag.domain.reports.sums import Aggregate
from hangtag.store.reports.calls import return_seconds
from report_sql import SqlReports

ZONES = (
    "Asia/Kolkata", "America/St_Johns", "Europe/Berlin", "America/New_York", "Pacific/Auckland", "Australia/Lord_Howe",
    "Asia/Kathmandu", "Pacific/Chatham", "Pacific/Kiritimati", "UTC",
)  # fmt: skip
# Each contains a clock change of every zone that has any: in the north in March and autumn, in the south between.
SPRING, AUTUMN = (date(2026, 3, 1), 40), (date(2026, 9, 20), 50)
CALLS = 12_000
Numbers = dict[str | None, dict[str, int]]


@pytest.fixture(scope="module")
def office() -> People:
    return people(random.Random(7))  # noqa: S311


@pytest.fixture(scope="module")
def calls(office: People) -> list[GeneratedCall]:
    chance = random.Random(8)  # noqa: S311
    return [one for first, days in (SPRING, AUTUMN) for one in generate_calls(chance, office, first, days, CALLS // 2)]


@pytest.fixture(scope="module")
def sql(calls: list[GeneratedCall], tmp_path_factory: pytest.TempPathFactory) -> SqlReports:
    file = tmp_path_factory.mktemp("export") / "export.jsonl"
    lines = [{**one.body, "kind": "call"} for one in calls]
    lines += [{**one.missed.to_json(), "kind": "missed_call"} for one in calls if one.missed]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return SqlReports(file)


@pytest.fixture(scope="module")
def hours(calls: list[GeneratedCall]) -> Mapping[datetime, Aggregate]:
    """Return the sums of every hour after a round trip through their stored form."""
    counted = [one for one in calls if facts.counts(one.body)]
    firsts: dict[str, tuple[str, str, str]] = {}
    for one in counted:
        contact = one.body["contact_id"]
        if contact and one.body["direction"] == "in":
            candidate = one.body["started_at"], one.body["tag_id"], one.body["id"]
            firsts[contact] = min(candidate, firsts.get(contact, candidate))
    returns = {one.body["id"]: return_seconds(one.missed.to_json()) for one in calls if one.missed}
    history = CallHistory(
        {name: seconds for name, seconds in returns.items() if seconds is not None},
        frozenset(one[2] for one in firsts.values()),
    )
    by_hour: dict[datetime, list[dict[str, Any]]] = {}
    for one in counted:
        hour = facts.start_of(one.body).replace(minute=0, second=0, microsecond=0)
        by_hour.setdefault(hour, []).append(one.body)
    return {hour: sums.load(sums.dump(sums.sum_calls(bodies, history))) for hour, bodies in by_hour.items()}


def days_of(hours: Mapping[datetime, Aggregate], zone: ZoneInfo, period: Period) -> dict[date, Aggregate]:
    return {
        day: sums.sum_day(day, zone, {hour: hours[hour] for hour in sums.hours_of(day, zone) if hour in hours})
        for day in period.days
    }


def ours(kind: Kind, days: Mapping[date, Aggregate], viewer: Viewer, filters: Filters = Filters()) -> Numbers:  # noqa: B008
    selected = {day: report.select(kind, aggregate, viewer, filters) for day, aggregate in days.items()}
    return {name: asdict(figures) for name, figures in report.numbers_by_group(kind, selected).items()}


ADMIN = Viewer(True, None, lambda _: False)


@pytest.mark.parametrize("zone", ZONES)
def test_reports_across_both_clock_changes_equal_plain_sql(
    zone: str, hours: Mapping[datetime, Aggregate], sql: SqlReports
) -> None:
    for first, length in (SPRING, AUTUMN):
        period = Period(first, date.fromordinal(first.toordinal() + length - 1))
        days = days_of(hours, ZoneInfo(zone), period)
        for kind in Kind:
            expected = sql.report(kind, zone, period.first.isoformat(), period.last.isoformat())
            assert ours(kind, days, ADMIN) == expected
            assert sum(group["calls"] for group in expected.values()) > 500


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns", "Pacific/Auckland"])
def test_an_employees_report_equals_plain_sql_over_visible_calls(
    zone: str, hours: Mapping[datetime, Aggregate], sql: SqlReports, office: People
) -> None:
    me, task = office.employees[0], office.tasks[0]
    period = Period(date(2026, 10, 20), date(2026, 11, 3))
    days = days_of(hours, ZoneInfo(zone), period)
    viewer = Viewer(False, me, lambda task_id: task_id == task)
    mine = f"CASE WHEN hidden THEN task_id = '{task}' ELSE list_contains(employee_ids, '{me}') END"
    for kind in Kind:
        expected = sql.report(kind, zone, "2026-10-20", "2026-11-03", mine)
        assert ours(kind, days, viewer) == expected != {}


def test_filtered_reports_equal_plain_sql_with_conditions(
    hours: Mapping[datetime, Aggregate], sql: SqlReports, office: People
) -> None:
    period = Period(date(2026, 10, 20), date(2026, 11, 3))
    days = days_of(hours, ZoneInfo("Europe/Berlin"), period)
    filters = {
        "list_contains(employee_ids, $$$)": Filters(employee=office.employees[1]),
        "contact_id = $$$": Filters(contact=office.contacts[2]),
        "line = $$$": Filters(line="74951230001"),
        "integration_id = $$$": Filters(integration=office.integrations[1]),
        "direction = $$$": Filters(direction="out"),
    }
    for condition, report_filter in filters.items():
        (value,) = (value for value in asdict(report_filter).values() if value is not None)
        expected = sql.report(
            Kind.BY_EMPLOYEE, "Europe/Berlin", "2026-10-20", "2026-11-03", condition.replace("$$$", f"'{value}'")
        )
        assert ours(Kind.BY_EMPLOYEE, days, ADMIN, report_filter) == expected != {}


def test_steps_of_a_report_add_up_to_the_whole_period(hours: Mapping[datetime, Aggregate]) -> None:
    period = Period(date(2026, 9, 21), date(2026, 11, 1))
    days = days_of(hours, ZoneInfo("America/St_Johns"), period)
    whole = asdict(report.numbers(pair for aggregate in days.values() for pair in aggregate.items()))
    for step, count in (("day", 42), ("week", 6)):
        steps = report.numbers_by_step(step, days)
        assert len(steps) == count
        assert {name: sum(asdict(figures)[name] for figures in steps.values()) for name in whole} == whole


def test_sums_of_an_hour_do_not_depend_on_the_order_of_calls(calls: list[GeneratedCall]) -> None:
    hour = [one.body for one in calls[:300]]
    nothing = CallHistory({}, frozenset())
    packed = sums.dump(sums.sum_calls(hour, nothing))
    assert sums.dump(sums.sum_calls(hour[::-1], nothing)) == packed
    assert sums.dump(sums.load(packed)) == packed


@pytest.mark.parametrize(
    ("zone", "day", "hours_of_day", "quarters"),
    [
        ("Europe/Berlin", "2026-03-29", 23, 92),
        ("Europe/Berlin", "2026-10-25", 25, 100),
        ("America/St_Johns", "2026-03-08", 24, 92),
        ("Asia/Kolkata", "2026-06-01", 25, 96),
        ("Australia/Lord_Howe", "2026-04-05", 25, 98),
    ],
)
def test_a_local_day_consists_of_its_own_quarter_hours(zone: str, day: str, hours_of_day: int, quarters: int) -> None:
    there, local_day = ZoneInfo(zone), date.fromisoformat(day)
    hours = sums.hours_of(local_day, there)
    assert len(hours) == hours_of_day
    assert sum(sums.local(hour, quarter, there)[0] == local_day for hour in hours for quarter in range(4)) == quarters
    assert all(hour.tzinfo is UTC for hour in hours)
