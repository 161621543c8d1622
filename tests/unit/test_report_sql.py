"""Reports equal plain SQL over the calls: for months across both changes of the clock, on both sides of UTC."""

import json
import random
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from generated_calls import People, Seeded, month, people
from hangtag.domain.reports import facts, report, sums
from hangtag.domain.reports.facts import CallHistory
from hangtag.domain.reports.report import Filters, Kind, Period, Viewer
from hangtag.domain.reports.sums import Aggregate
from hangtag.store.reports.calls import return_seconds
from report_sql import Judge

ZONES = (
    "Asia/Kolkata", "America/St_Johns", "Europe/Berlin", "America/New_York", "Pacific/Auckland", "Australia/Lord_Howe",
    "Asia/Kathmandu", "Pacific/Chatham", "Pacific/Kiritimati", "UTC",
)  # fmt: skip
# Each holds a change of the clock of every zone that has any: in the north in March and autumn, in the south between.
SPRING, AUTUMN = (date(2026, 3, 1), 40), (date(2026, 9, 20), 50)
CALLS = 12_000
Numbers = dict[str | None, dict[str, int]]


@pytest.fixture(scope="module")
def known() -> People:
    return people(random.Random(7))  # noqa: S311


@pytest.fixture(scope="module")
def calls(known: People) -> list[Seeded]:
    chance = random.Random(8)  # noqa: S311
    return [one for first, days in (SPRING, AUTUMN) for one in month(chance, known, first, days, CALLS // 2)]


@pytest.fixture(scope="module")
def judge(calls: list[Seeded], tmp_path_factory: pytest.TempPathFactory) -> Judge:
    file = tmp_path_factory.mktemp("export") / "export.jsonl"
    lines = [{**one.body, "kind": "call"} for one in calls]
    lines += [{**one.missed.to_json(), "kind": "missed_call"} for one in calls if one.missed]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Judge(file)


@pytest.fixture(scope="module")
def hours(calls: list[Seeded]) -> Mapping[datetime, Aggregate]:
    """The sums of every hour, as they would be kept: packed, and unpacked again."""
    counted = [one for one in calls if facts.counts(one.body)]
    firsts: dict[str, tuple[str, str, str]] = {}
    for one in counted:
        contact = one.body["contact_id"]
        if contact and one.body["direction"] == "in":
            candidate = one.body["started_at"], one.body["tag_id"], one.body["id"]
            firsts[contact] = min(candidate, firsts.get(contact, candidate))
    returns = {one.body["id"]: return_seconds(one.missed.to_json()) for one in calls if one.missed}
    beside = CallHistory(
        {name: seconds for name, seconds in returns.items() if seconds is not None},
        frozenset(one[2] for one in firsts.values()),
    )
    by_hour: dict[datetime, list[dict[str, Any]]] = {}
    for one in counted:
        hour = facts.start_of(one.body).replace(minute=0, second=0, microsecond=0)
        by_hour.setdefault(hour, []).append(one.body)
    return {hour: sums.load(sums.dump(sums.sum_calls(bodies, beside))) for hour, bodies in by_hour.items()}


def days_of(hours: Mapping[datetime, Aggregate], zone: ZoneInfo, period: Period) -> dict[date, Aggregate]:
    return {
        day: sums.sum_day(day, zone, {hour: hours[hour] for hour in sums.hours_of(day, zone) if hour in hours})
        for day in period.days
    }


def ours(kind: Kind, days: Mapping[date, Aggregate], viewer: Viewer, filters: Filters = Filters()) -> Numbers:  # noqa: B008
    picked = {day: report.select(kind, aggregate, viewer, filters) for day, aggregate in days.items()}
    return {name: asdict(said) for name, said in report.numbers_by_group(kind, picked).items()}


ADMIN = Viewer(True, None, lambda _: False)


@pytest.mark.parametrize("zone", ZONES)
def test_reports_of_months_across_both_changes_of_the_clock_equal_plain_sql(
    zone: str, hours: Mapping[datetime, Aggregate], judge: Judge
) -> None:
    for first, length in (SPRING, AUTUMN):
        period = Period(first, date.fromordinal(first.toordinal() + length - 1))
        days = days_of(hours, ZoneInfo(zone), period)
        for kind in Kind:
            expected = judge.report(kind, zone, period.first.isoformat(), period.last.isoformat())
            assert ours(kind, days, ADMIN) == expected
            assert sum(group["calls"] for group in expected.values()) > 500


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns", "Pacific/Auckland"])
def test_what_an_employee_sees_equals_plain_sql_of_own_calls_and_hidden_ones_of_own_tasks(
    zone: str, hours: Mapping[datetime, Aggregate], judge: Judge, known: People
) -> None:
    me, task = known.employees[0], known.tasks[0]
    period = Period(date(2026, 10, 20), date(2026, 11, 3))
    days = days_of(hours, ZoneInfo(zone), period)
    viewer = Viewer(False, me, lambda task_id: task_id == task)
    mine = f"CASE WHEN hidden THEN task_id = '{task}' ELSE list_contains(employee_ids, '{me}') END"
    for kind in Kind:
        expected = judge.report(kind, zone, "2026-10-20", "2026-11-03", mine)
        assert ours(kind, days, viewer) == expected != {}


def test_filters_equal_plain_sql(hours: Mapping[datetime, Aggregate], judge: Judge, known: People) -> None:
    period = Period(date(2026, 10, 20), date(2026, 11, 3))
    days = days_of(hours, ZoneInfo("Europe/Berlin"), period)
    filters = {
        "list_contains(employee_ids, $$$)": Filters(employee=known.employees[1]),
        "contact_id = $$$": Filters(contact=known.contacts[2]),
        "line = $$$": Filters(line="74951230001"),
        "integration_id = $$$": Filters(integration=known.integrations[1]),
        "direction = $$$": Filters(direction="out"),
    }
    for condition, wanted in filters.items():
        (value,) = (value for value in asdict(wanted).values() if value is not None)
        expected = judge.report(
            Kind.BY_EMPLOYEE, "Europe/Berlin", "2026-10-20", "2026-11-03", condition.replace("$$$", f"'{value}'")
        )
        assert ours(Kind.BY_EMPLOYEE, days, ADMIN, wanted) == expected != {}


def test_weeks_and_days_sum_up_to_the_whole(hours: Mapping[datetime, Aggregate]) -> None:
    period = Period(date(2026, 9, 21), date(2026, 11, 1))
    days = days_of(hours, ZoneInfo("America/St_Johns"), period)
    whole = asdict(report.numbers(pair for aggregate in days.values() for pair in aggregate.items()))
    for step, count in (("day", 42), ("week", 6)):
        found = report.numbers_by_step(step, days)
        assert len(found) == count
        assert {name: sum(asdict(one)[name] for one in found.values()) for name in whole} == whole


def test_hours_are_the_same_bytes_in_whatever_order_the_calls_come(calls: list[Seeded]) -> None:
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
def test_a_local_day_is_made_of_the_quarters_that_it_has(zone: str, day: str, hours_of_day: int, quarters: int) -> None:
    there, wanted = ZoneInfo(zone), date.fromisoformat(day)
    found = sums.hours_of(wanted, there)
    assert len(found) == hours_of_day
    assert sum(sums.local(hour, quarter, there)[0] == wanted for hour in found for quarter in range(4)) == quarters
    assert all(hour.tzinfo is UTC for hour in found)
