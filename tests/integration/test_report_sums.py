"""Sums of reports: late corrections, storage and the cost of a refresh."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api_client import Office
from generated_calls import generate_call, items, people, put_all
from hangtag.domain.reports import sums
from hangtag.domain.reports.facts import CallHistory
from hangtag.services.reports import sums as reporting
from hangtag.store.db import client
from hangtag.store.reports import marks
from hangtag.store.reports import sums as report_sums
from hangtag.store.reports.marks import hour_of
from local.stack import Stack
from requested_reports import DAY, HOUR, calls_are, calls_of_hour, marked, report_until, seed, tag_count

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600), pytest.mark.usefixtures("environment")]

PORT = 4673


def test_sums_after_late_corrections_equal_a_rebuild(stack: Stack, office: Office) -> None:
    calls = calls_of_hour(office, 30)
    seed(stack, office, calls)
    report_until(stack, office.owner, "calls-by-line", calls_are(tag_count(calls)), **DAY)
    moved = next(number for number, call in enumerate(calls) if call.body["tag_type"] == "call")
    later = HOUR + timedelta(hours=3, minutes=17)
    calls[moved] = replace(calls[moved].at(later), missed=None)
    calls[moved].body["talk_seconds"] = 4000
    seed(stack, office, [calls[moved]])

    def there(report: Any) -> bool:
        return {group["key"][4:] for group in report["groups"]} == {"12", "15"}

    report = report_until(stack, office.owner, "calls-by-hour", there, **DAY)
    by_hour = {group["key"][4:]: group["numbers"] for group in report["groups"]}
    assert (by_hour["15"]["calls"], by_hour["15"]["talk_seconds"]) == (1, 4000)
    assert by_hour["12"]["calls"] == tag_count(calls) - 1
    hours = [HOUR, hour_of(later)]
    running = packed_sums(office, hours)
    erase_sums(stack, office, hours)
    for hour in hours:
        assert reporting.rebuild(office.tenant_id, hour)
    assert packed_sums(office, hours) == running
    assert office.owner.get("/v1/reports/calls-by-hour", **DAY).json["groups"] == report["groups"]


def packed_sums(office: Office, hours: Sequence[datetime]) -> list[bytes]:
    """Return the packed sums of hours."""
    places = [report_sums.hour_place(office.tenant_id, hour) for hour in hours]
    stored = report_sums.load(places)
    return [stored[place].packed for place in places]


def erase_sums(stack: Stack, office: Office, hours: Sequence[datetime]) -> None:
    for hour in hours:
        pk = report_sums.partition(office.tenant_id, hour.date())
        table: dict[str, Any] = {"TableName": stack.table}
        page = client.dynamodb().query(
            **table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": pk}}
        )
        for item in page["Items"]:
            client.dynamodb().delete_item(**table, Key={"pk": item["pk"], "sk": item["sk"]})


def test_late_earlier_call_becomes_the_first_of_its_contact(stack: Stack, office: Office) -> None:
    first, second = (
        next(
            call
            for call in calls_of_hour(office, 60, hour, 3)
            if call.body["tag_type"] == "call" and call.body["contact_id"]
        )
        for hour in (HOUR, HOUR + timedelta(hours=5))
    )
    second.body.update(direction="in", contact_id=first.body["contact_id"], call_id="second", tag_id="2" * 32)
    first.body.update(direction="in", call_id="first")
    second.body["id"] = second.body["id"].replace(second.body["id"].split(".")[1], "2" * 32)

    def firsts(report: Any) -> dict[str, int]:
        return {group["key"][4:]: group["numbers"]["first_time_callers"] for group in report["groups"]}

    seed(stack, office, [second])
    report_until(stack, office.owner, "calls-by-hour", lambda report: firsts(report) == {"17": 1}, **DAY)
    seed(stack, office, [first])
    report_until(stack, office.owner, "calls-by-hour", lambda report: firsts(report) == {"12": 1, "17": 0}, **DAY)


def test_sums_of_a_large_hour_are_stored_in_parts(stack: Stack, office: Office) -> None:
    chance = random.Random(5)  # noqa: S311
    directory = people(chance, contacts=15_000, employees=200)
    place = report_sums.hour_place(office.tenant_id, HOUR)
    before = report_sums.NEVER
    for size in (15_000, 40, 14_000):
        bodies = [generate_call(chance, directory, HOUR, timedelta(hours=1), number).body for number in range(size)]
        packed = sums.dump(sums.sum_calls(bodies, CallHistory({}, frozenset())))
        assert report_sums.save(place, packed, before)
        # A writer that read an older version is rejected.
        assert not report_sums.save(place, packed, before)
        before = report_sums.load([place])[place]
        assert before.packed == packed
        assert bool(before.token) == (len(packed) > report_sums.PART_BYTES)
    # Parts of older versions are gone.
    response = client.dynamodb().query(
        TableName=stack.table,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :part)",
        ExpressionAttributeValues={":pk": {"S": place[0]}, ":part": {"S": "PART#"}},
        ProjectionExpression="sk",
    )
    assert {item["sk"]["S"].split("#")[3] for item in response["Items"]} == {before.token}


@contextmanager
def requests_of(service: Any) -> Iterator[list[str]]:
    """Yield a list to which the names of a client's requests are appended."""
    names: list[str] = []

    def note(model: Any, **_: Any) -> None:
        names.append(model.name)

    service.meta.events.register("before-call", note)
    try:
        yield names
    finally:
        service.meta.events.unregister("before-call", note)


def test_cost_of_a_refresh_depends_only_on_its_hours(stack: Stack, office: Office) -> None:
    calls = calls_of_hour(office, 20)
    seed(stack, office, calls)
    report_until(stack, office.owner, "calls-by-line", calls_are(tag_count(calls)), **DAY)
    costs = []
    for others in (0, 800):
        more = [
            call
            for number in range(1, 9)
            for call in calls_of_hour(office, others // 8, HOUR + timedelta(hours=number), seed_=100 + number)
        ]
        seed(stack, office, more)
        if more:
            report_until(stack, office.owner, "calls-by-line", lambda report: report["totals"]["calls"] > 400, **DAY)
        calls[0].body["talk_seconds"] += 60
        calls[0].body["tag_type"] = "call"
        put_all(stack.client("dynamodb"), stack.table, list(items(office.tenant_id, calls[:1])))
        with requests_of(client.dynamodb()) as operations:
            assert reporting.rebuild(office.tenant_id, HOUR)
        costs.append(sorted(operations))
    assert costs[0] == costs[1], costs


def test_mark_is_removed_after_a_second_refresh(stack: Stack, office: Office) -> None:
    # The schedule runs at the same time and ignores marks of the far future.
    then = datetime(2099, 3, 10, 12, tzinfo=UTC)
    marks.mark(office.tenant_id, HOUR, then)

    def due(at: datetime) -> list[marks.Mark]:
        return [mark for mark in marks.due(at) if mark.tenant_id == office.tenant_id]

    assert due(then + timedelta(seconds=59)) == []
    (first,) = due(then + timedelta(seconds=60))
    assert (first.hour, first.again) == (HOUR, False)
    # A mark renewed during its refresh is due again in a minute.
    marks.mark(office.tenant_id, HOUR, then + timedelta(seconds=61))
    marks.settle(first, then + timedelta(seconds=62))
    assert due(then + timedelta(seconds=121)) == []
    (second,) = due(then + timedelta(seconds=122))
    assert (second.again, second.version) == (False, 2)
    marks.settle(second, then + timedelta(seconds=123))
    assert due(then + timedelta(minutes=11)) == []
    (third,) = due(then + timedelta(minutes=13))
    assert third.again
    # A change in between makes the mark due at once.
    marks.mark(office.tenant_id, HOUR, then + timedelta(minutes=4))
    (fourth,) = due(then + timedelta(minutes=5))
    assert not fourth.again
    marks.settle(third, then + timedelta(minutes=13))
    for minutes in (14, 25):
        (left,) = due(then + timedelta(minutes=minutes))
        marks.settle(left, then + timedelta(minutes=minutes))
    assert marked(stack, office) == []
