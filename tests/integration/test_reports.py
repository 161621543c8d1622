"""Reports: figures, visibility, pages and rejected requests."""

import random
import time
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from api_client import Office, hire
from generated_calls import GeneratedCall, generate_calls, people
from hangtag.domain.reports.report import Kind
from hangtag.representation import line_number
from hangtag.store.db import client
from hangtag.store.db.keys import key
from local.stack import Stack
from pbx_line import Line
from report_sql import SqlReports
from requested_reports import DAY, WITHIN_SECONDS, calls_are, calls_of_hour, csv_of, report_until, seed, tag_count

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600), pytest.mark.usefixtures("environment")]

PORT = 4670
ZONES = ("Asia/Kolkata", "America/St_Johns", "Europe/Berlin", "America/New_York", "Pacific/Auckland")
# Names of the plain SQL reports, and those of the API.
NUMBERS = {
    "calls": "calls", "incoming": "incoming", "outgoing": "outgoing", "answered": "answered",
    "missed": "missed_incoming", "unreached": "unanswered_outgoing", "first_time_callers": "first_time_callers",
    "talk_seconds": "talk_seconds", "timed": "timed_calls", "answer_ms": "answer_ms_total", "returned": "returned",
    "return_seconds": "return_seconds_total",
}  # fmt: skip


def test_calls_appear_in_each_report_of_the_week(stack: Stack, office: Office, line: Line) -> None:
    contact = office.employee.create("/v1/contacts", {"name": "=HYPERLINK(1)", "phones": ["+79035550801"]})["id"]
    talk = line.talk("r-talk", "79035550801")
    line.missed("r-missed", "79035550802")
    report = report_until(stack, office.owner, "calls-by-contact", calls_are(2))
    numbers = report["totals"]
    assert (numbers["answered"], numbers["missed_incoming"], numbers["talk_seconds"], numbers["answer_rate"]) == (
        1,
        1,
        9,
        0.5,
    )
    assert numbers["first_time_callers"] == 2
    assert numbers["talk_minutes"] == 0.15
    assert {group["key"] for group in report["groups"]} == {contact, *(row["contact_id"] for row in report["rows"])}
    (row,) = (row for row in report["rows"] if row["call_id"] == talk["call_id"])
    zone = ZoneInfo(report["time_zone"])
    began = datetime.fromisoformat(office.owner.get(f"/v1/calls/{row['call_id']}").json["started_at"]).astimezone(zone)
    assert (row["date"], datetime.fromisoformat(row["started_at"])) == (f"{began:%Y-%m-%d}", began)
    assert (row["contact"]["name"], row["employee"]["name"]) == ("=HYPERLINK(1)", "Anna")
    assert (row["direction"], row["answered"], row["minutes"]) == ("in", True, 0.15)
    monday = date.fromisoformat(report["from"])
    assert (monday.weekday(), date.fromisoformat(report["to"]) - monday) == (0, timedelta(days=6))
    assert monday <= datetime.now(zone).date() <= monday + timedelta(days=6)
    for kind, keys in (
        ("calls-by-employee", {office.anna["id"]}),
        ("calls-by-line", {f"+{line.number}"}),
        ("calls-by-hour", {f"{began:%a-%H}".lower()}),
    ):
        other = office.owner.get(f"/v1/reports/{kind}").json
        assert {group["key"] for group in other["groups"]} >= keys, kind
        assert other["totals"] == numbers
    missed = office.owner.get("/v1/reports/missed-calls").json
    assert [(row["direction"], row["answered"], row["minutes"]) for row in missed["rows"]] == [("in", False, 0.0)]
    assert missed["groups"][0]["numbers"]["calls"] == 1
    # A later call with the number returns the missed call.
    line.talk("r-back", "79035550802")
    returned = report_until(stack, office.owner, "missed-calls", lambda report: report["totals"]["returned"] == 1)
    assert returned["totals"]["seconds_to_return"] >= 0


def test_reports_of_employees_contain_their_visible_calls(stack: Stack, office: Office) -> None:
    boris_id, boris = hire(office, "Boris", "102")
    task = office.owner.create("/v1/tasks", {"title": "Secret", "member_ids": [boris_id]})["id"]
    base = next(call for call in calls_of_hour(office, 50) if call.body["tag_type"] == "call")
    anna = office.anna["id"]

    def call(number: int, **fields: Any) -> GeneratedCall:
        digest = f"{number:032x}"
        ids = {"id": f"{base.body['integration_id']}.{digest}.0000", "call_id": f"own-{number}", "tag_id": digest}
        return replace(base, body={**base.body, **ids, "hidden": False, "task_id": None, **fields}, missed=None)

    seed(
        stack,
        office,
        [
            call(1, employee_id=anna, employee_ids=[anna]),
            call(2, employee_id=boris_id, employee_ids=[boris_id, anna]),
            call(3, employee_id=anna, employee_ids=[anna], hidden=True, task_id=task),
            call(4, employee_id=boris_id, employee_ids=[boris_id], hidden=True),
        ],
    )
    everything = {f"own-{number}" for number in (1, 2, 3, 4)}
    report_until(stack, office.owner, "calls-by-employee", calls_are(4), **DAY)
    ids = {f"{base.body['integration_id']}.{number:032x}.0000": f"own-{number}" for number in (1, 2, 3, 4)}
    for caller, visible in (
        (office.owner, everything),
        (office.employee, {"own-1", "own-2"}),
        (boris, {"own-2", "own-3"}),
    ):
        for kind in ("calls-by-contact", "calls-by-employee", "calls-by-line", "calls-by-hour"):
            report = caller.get(f"/v1/reports/{kind}", **DAY).json
            assert {ids[row["call_id"]] for row in report["rows"]} == visible
            assert (
                report["totals"]["calls"]
                == sum(group["numbers"]["calls"] for group in report["groups"])
                == len(visible)
            )
        rows, _ = csv_of(caller, "calls-by-employee", **DAY)
        assert len(rows) - 1 == len(visible)
        # Filters and comparisons contain only visible calls as well.
        query = {"from": "2026-03-11", "to": "2026-03-11", "compare": "true"}
        assert caller.get("/v1/reports/calls-by-line", **query).json["previous_period"]["totals"]["calls"] == len(
            visible
        )
        mine = caller.get("/v1/reports/calls-by-line", employee_id=boris_id, **DAY).json
        assert mine["totals"]["calls"] == len(visible & {"own-2", "own-4"})


def test_reports_equal_plain_sql_in_every_time_zone(stack: Stack, office: Office, tmp_path: Path) -> None:
    """Both periods together contain the clock changes of every zone."""
    chance = random.Random(11)  # noqa: S311
    directory = people(chance, contacts=25)
    spans = ((date(2026, 3, 7), 3), (date(2026, 3, 28), 10), (date(2026, 9, 26), 2), (date(2026, 10, 24), 10))
    calls = [call for first, days in spans for call in generate_calls(chance, directory, first, days, 25 * days)]
    seed(stack, office, calls)
    # An export starts at the creation of its tenant.
    client.dynamodb().update_item(
        TableName=stack.table,
        Key={"pk": {"S": key("T", office.tenant_id)}, "sk": {"S": "TENANT"}},
        UpdateExpression="SET created_at = :early",
        ExpressionAttributeValues={":early": {"S": "2026-03-07T00:00:00.000+00:00"}},
    )
    whole = {"from": "2026-03-01", "to": "2026-11-10"}
    report_until(stack, office.owner, "calls-by-line", calls_are(tag_count(calls)), **whole)
    file = tmp_path / "export.jsonl"
    file.write_bytes(export_lines(office))
    plain_sql = SqlReports(file)
    for zone in ZONES:
        assert office.operator.patch(f"/v1/tenants/{office.tenant_id}", {"time_zone": zone}).status == 200
        for first, last in (("2026-03-01", "2026-04-10"), ("2026-09-20", "2026-11-10")):
            for kind in Kind:
                report = office.owner.get(f"/v1/reports/{kind}", **{"from": first, "to": last}).json
                assert report["time_zone"] == zone
                figures = {
                    one["key"]: {name: one["numbers"][public] for name, public in NUMBERS.items()}
                    for one in report["groups"]
                }
                plain = plain_sql.report(kind, zone, first, last)
                if kind is Kind.BY_LINE:
                    plain = {line_number(line, "RU") if line else line: numbers for line, numbers in plain.items()}
                assert figures == plain != {}


def export_lines(office: Office) -> bytes:
    """Return the content of a finished export."""
    export_id = office.owner.create("/v1/exports", {})["id"]
    deadline = time.monotonic() + WITHIN_SECONDS * 3
    while True:
        job = office.owner.get(f"/v1/exports/{export_id}").json
        if job["state"] == "done":
            return requests.get(job["url"], timeout=60).content
        assert job["state"] == "running"
        assert time.monotonic() < deadline, job
        time.sleep(0.5)


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-13-01"},
        {"from": "today"},
        {"from": "2026-03-02", "to": "2026-03-01"},
        {"from": "2024-01-01", "to": "2026-01-01"},
        {"to": "0001-01-01"},
        {"direction": "sideways"},
        {"step": "year"},
        {"cursor": "nonsense"},
        {"limit": "0"},
    ],
)
def test_report_request_with_an_invalid_query_is_rejected(shared: Office, query: dict[str, str]) -> None:
    assert shared.owner.get("/v1/reports/calls-by-contact", **query).status == 400


def test_report_rows_are_listed_in_pages_newest_first(stack: Stack, office: Office) -> None:
    calls = calls_of_hour(office, 40)
    seed(stack, office, calls)
    query = {"from": "2026-03-09", "to": "2026-03-15", "step": "day"}
    report = report_until(stack, office.owner, "calls-by-contact", calls_are(tag_count(calls)), **query)
    by_day = {one_["from"]: one_["numbers"]["calls"] for one_ in report["steps"]}
    assert list(by_day) == [f"2026-03-{day:02d}" for day in range(9, 16)]
    assert by_day["2026-03-10"] == sum(by_day.values()) == tag_count(calls)
    rows: list[Any] = []
    cursor = None
    while True:
        more: dict[str, str] = {"cursor": cursor} if cursor else {}
        page = office.owner.get("/v1/reports/calls-by-contact", limit="7", **query, **more).json
        assert len(page["rows"]) <= 7
        rows += page["rows"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert {row["call_id"] for row in rows} == {call.body["id"] for call in calls if call.body["tag_type"]}
    starts = [row["started_at"] for row in rows]
    assert starts == sorted(starts, reverse=True)
    week = office.owner.get("/v1/reports/calls-by-contact", **{**query, "step": "week"}).json
    assert [(one_["from"], one_["numbers"]) for one_ in week["steps"]] == [("2026-03-09", report["totals"])]
