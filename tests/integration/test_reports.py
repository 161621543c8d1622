"""Reports: figures, visibility, files, late corrections and the cost of a refresh."""

import csv
import io
import random
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from api_client import Caller, Office, hire
from generated_calls import GeneratedCall, generate_call, generate_calls, items, people, put_all
from hangtag.domain.reports import sums
from hangtag.domain.reports.facts import CallHistory
from hangtag.domain.reports.report import Kind
from hangtag.representation import line_number
from hangtag.services.reports import sums as reporting
from hangtag.store.db import client
from hangtag.store.db.keys import key
from hangtag.store.reports import marks
from hangtag.store.reports import sums as report_sums
from hangtag.store.reports.marks import hour_of
from local.stack import Stack
from pbx_line import Line
from report_sql import SqlReports

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600), pytest.mark.usefixtures("environment")]

PORT = 4670
WITHIN_SECONDS = 90.0
ZONES = ("Asia/Kolkata", "America/St_Johns", "Europe/Berlin", "America/New_York", "Pacific/Auckland")
# Names of the judge, and those of the API.
NUMBERS = {
    "calls": "calls", "incoming": "incoming", "outgoing": "outgoing", "answered": "answered",
    "missed": "missed_incoming", "unreached": "unanswered_outgoing", "first_time_callers": "first_time_callers",
    "talk_seconds": "talk_seconds", "timed": "timed_calls", "answer_ms": "answer_ms_total", "returned": "returned",
    "return_seconds": "return_seconds_total",
}  # fmt: skip
HOUR = datetime(2026, 3, 10, 9, tzinfo=UTC)
PLACES = {"from": "2026-03-10", "to": "2026-03-10"}


def sum_up(stack: Stack) -> int:
    """Sum up all that is marked, as if its time had come."""
    return reporting.refresh(datetime.now(UTC) + timedelta(hours=2), lambda: True)


def awaited(stack: Stack, caller: Caller, kind: str, accept: Callable[[Any], bool], **asked: str) -> Any:
    """A report, once it is accepted; the stream, which marks hours, tells nobody when it has."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while True:
        sum_up(stack)
        answer = caller.get(f"/v1/reports/{kind}", **asked)
        assert answer.status == 200, answer
        if accept(answer.json):
            return answer.json
        assert time.monotonic() < deadline, answer
        time.sleep(0.2)


def calls_are(count: int) -> Callable[[Any], bool]:
    return lambda said: bool(said["totals"]["calls"] == count)


def csv_of(caller: Caller, kind: str, **asked: str) -> tuple[list[list[str]], str]:
    """The rows of a report's file, and where it was."""
    answer = caller.send(
        "GET", f"/v1/reports/{kind}", params=asked, headers={"accept": "text/csv"}, allow_redirects=False
    )
    assert answer.status == 303, answer
    assert answer.headers["location"] == answer.json["url"]
    file = requests.get(answer.json["url"], timeout=60)
    assert file.status_code == 200, file.text
    text = file.content.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text))), answer.json["url"]


def seed(stack: Stack, office: Office, calls: Sequence[GeneratedCall]) -> None:
    put_all(stack.client("dynamodb"), stack.table, list(items(office.tenant_id, calls)))


def some(office: Office, count: int, hour: datetime = HOUR, seed_: int = 1) -> list[GeneratedCall]:
    """Calls of one hour, made of the office's own people."""
    chance = random.Random(seed_)  # noqa: S311
    known = people(chance)
    known = replace(known, employees=(office.anna["id"], *known.employees))
    return [generate_call(chance, known, hour, timedelta(hours=1), number) for number in range(count)]


def counted(calls: Sequence[GeneratedCall]) -> int:
    return sum(call.body["tag_type"] is not None for call in calls)


def test_calls_appear_in_each_report_of_the_week(stack: Stack, office: Office, line: Line) -> None:
    contact = office.employee.made("/v1/contacts", {"name": "=HYPERLINK(1)", "phones": ["+79035550801"]})["id"]
    talk = line.talk("r-talk", "79035550801")
    line.missed("r-missed", "79035550802")
    said = awaited(stack, office.owner, "calls-by-contact", calls_are(2))
    numbers = said["totals"]
    assert (numbers["answered"], numbers["missed_incoming"], numbers["talk_seconds"], numbers["answer_rate"]) == (
        1,
        1,
        9,
        0.5,
    )
    assert numbers["first_time_callers"] == 2
    assert numbers["talk_minutes"] == 0.15
    assert {group["key"] for group in said["groups"]} == {contact, *(row["contact_id"] for row in said["rows"])}
    (row,) = (row for row in said["rows"] if row["call_id"] == talk["call_id"])
    zone = ZoneInfo(said["time_zone"])
    began = datetime.fromisoformat(office.owner.get(f"/v1/calls/{row['call_id']}").json["started_at"]).astimezone(zone)
    assert (row["date"], datetime.fromisoformat(row["started_at"])) == (f"{began:%Y-%m-%d}", began)
    assert (row["contact"]["name"], row["employee"]["name"]) == ("=HYPERLINK(1)", "Anna")
    assert (row["direction"], row["answered"], row["minutes"]) == ("in", True, 0.15)
    monday = date.fromisoformat(said["from"])
    assert (monday.weekday(), date.fromisoformat(said["to"]) - monday) == (0, timedelta(days=6))
    assert monday <= datetime.now(zone).date() <= monday + timedelta(days=6)
    for kind, keys in (
        ("calls-by-employee", {office.anna["id"]}),
        ("calls-by-line", {f"+{line.number}"}),
        ("calls-by-hour", {f"{began:%a-%H}".lower()}),
    ):
        found = office.owner.get(f"/v1/reports/{kind}").json
        assert {group["key"] for group in found["groups"]} >= keys, kind
        assert found["totals"] == numbers
    missed = office.owner.get("/v1/reports/missed-calls").json
    assert [(row["direction"], row["answered"], row["minutes"]) for row in missed["rows"]] == [("in", False, 0.0)]
    assert missed["groups"][0]["numbers"]["calls"] == 1
    # Somebody talks to that number: from then on it is a missed call that was returned, and how soon.
    line.talk("r-back", "79035550802")
    found = awaited(stack, office.owner, "missed-calls", lambda said: said["totals"]["returned"] == 1)
    assert found["totals"]["seconds_to_return"] >= 0


def test_report_file_contains_no_formulas(stack: Stack, office: Office, line: Line) -> None:
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\"quoted, and 'so'\"", "Ünal"]
    for number, name in enumerate(names):
        office.employee.made("/v1/contacts", {"name": name, "phones": [f"+7903555082{number}"]})
        line.talk(f"f-{number}", f"7903555082{number}")
    awaited(stack, office.owner, "calls-by-contact", calls_are(len(names)))
    rows, url = csv_of(office.owner, "calls-by-contact")
    assert rows[0] == ["Date", "From", "To", "Contact", "Employee", "Type", "Duration, min", "Recording"]
    shown = {name if name[0] not in "=+-@" else f"'{name}" for name in names}
    assert {row[3] for row in rows[1:]} == shown
    assert [row[3] for row in rows[1:]] == [f"'{name}" if name[0] in "=+-@" else name for name in sorted(names)]
    assert {(row[4], row[5], row[6]) for row in rows[1:]} == {("Anna", "incoming", "0.15")}
    assert f"exports/{office.tenant_id}/reports/" in url
    assert "X-Amz-Expires=900" in url or "Expires=" in url


def file_later(caller: Caller, kind: str, **asked: str) -> dict[str, Any]:
    """A report's file that a job writes, once it is done."""
    headers = {"accept": "text/csv", "prefer": "respond-async"}
    answer = caller.send("GET", f"/v1/reports/{kind}", params=asked, headers=headers)
    assert (answer.status, answer.json["state"]) == (202, "running"), answer
    place = answer.headers["location"]
    assert place == f"/v1/reports/files/{answer.json['id']}"
    deadline = time.monotonic() + WITHIN_SECONDS
    while (said := caller.get(place).json)["state"] == "running":
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
    return dict(said)


def test_long_report_file_is_written_by_a_job(stack: Stack, office: Office) -> None:
    calls = some(office, 60)
    seed(stack, office, calls)
    awaited(stack, office.owner, "calls-by-line", calls_are(counted(calls)), **PLACES)
    _, boris = hire(office, "Boris", "102")
    for caller in (office.owner, office.employee):
        at_once, _ = csv_of(caller, "calls-by-contact", **PLACES)
        said = file_later(caller, "calls-by-contact", **PLACES)
        assert (said["state"], said["from"], said["to"]) == ("done", PLACES["from"], PLACES["to"])
        text = requests.get(said["url"], timeout=60).content.decode("utf-8-sig")
        assert list(csv.reader(io.StringIO(text))) == at_once
        for other in (boris, *({office.owner, office.employee} - {caller})):
            assert other.get(f"/v1/reports/files/{said['id']}").status == 404
    assert len(at_once) > 1
    assert office.owner.get(f"/v1/reports/files/{'0' * 32}").status == 404


def test_reports_of_employees_contain_their_visible_calls(stack: Stack, office: Office) -> None:
    boris_id, boris = hire(office, "Boris", "102")
    task = office.owner.made("/v1/tasks", {"title": "Secret", "member_ids": [boris_id]})["id"]
    base = next(call for call in some(office, 50) if call.body["tag_type"] == "call")
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
    awaited(stack, office.owner, "calls-by-employee", calls_are(4), **PLACES)
    ids = {f"{base.body['integration_id']}.{number:032x}.0000": f"own-{number}" for number in (1, 2, 3, 4)}
    for caller, seen in (
        (office.owner, everything),
        (office.employee, {"own-1", "own-2"}),
        (boris, {"own-2", "own-3"}),
    ):
        for kind in ("calls-by-contact", "calls-by-employee", "calls-by-line", "calls-by-hour"):
            said = caller.get(f"/v1/reports/{kind}", **PLACES).json
            assert {ids[row["call_id"]] for row in said["rows"]} == seen
            assert said["totals"]["calls"] == sum(group["numbers"]["calls"] for group in said["groups"]) == len(seen)
        rows, _ = csv_of(caller, "calls-by-employee", **PLACES)
        assert len(rows) - 1 == len(seen)
        # Nor by asking for whom it was, or by comparing.
        asked = {"from": "2026-03-11", "to": "2026-03-11", "compare": "true"}
        assert caller.get("/v1/reports/calls-by-line", **asked).json["previous_period"]["totals"]["calls"] == len(seen)
        mine = caller.get("/v1/reports/calls-by-line", employee_id=boris_id, **PLACES).json
        assert mine["totals"]["calls"] == len(seen & {"own-2", "own-4"})


def test_late_corrections_equal_a_rebuild(stack: Stack, office: Office) -> None:
    calls = some(office, 30)
    seed(stack, office, calls)
    awaited(stack, office.owner, "calls-by-line", calls_are(counted(calls)), **PLACES)
    moved = next(number for number, call in enumerate(calls) if call.body["tag_type"] == "call")
    later = HOUR + timedelta(hours=3, minutes=17)
    calls[moved] = replace(calls[moved].at(later), missed=None)
    calls[moved].body["talk_seconds"] = 4000
    seed(stack, office, [calls[moved]])

    def there(said: Any) -> bool:
        return {group["key"][4:] for group in said["groups"]} == {"12", "15"}

    said = awaited(stack, office.owner, "calls-by-hour", there, **PLACES)
    by_hour = {group["key"][4:]: group["numbers"] for group in said["groups"]}
    assert (by_hour["15"]["calls"], by_hour["15"]["talk_seconds"]) == (1, 4000)
    assert by_hour["12"]["calls"] == counted(calls) - 1
    hours = [HOUR, hour_of(later)]
    running = kept(office, hours)
    erase_sums(stack, office, hours)
    for hour in hours:
        assert reporting.rebuild(office.tenant_id, hour)
    assert kept(office, hours) == running
    assert office.owner.get("/v1/reports/calls-by-hour", **PLACES).json["groups"] == said["groups"]


def kept(office: Office, hours: Sequence[datetime]) -> list[bytes]:
    """The packed sums of hours."""
    places = [report_sums.hour_place(office.tenant_id, hour) for hour in hours]
    found = report_sums.load(places)
    return [found[place].packed for place in places]


def erase_sums(stack: Stack, office: Office, hours: Sequence[datetime]) -> None:
    for hour in hours:
        pk = report_sums.partition(office.tenant_id, hour.date())
        table: dict[str, Any] = {"TableName": stack.table}
        found = client.dynamodb().query(
            **table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": pk}}
        )
        for item in found["Items"]:
            client.dynamodb().delete_item(**table, Key={"pk": item["pk"], "sk": item["sk"]})


def test_late_earlier_call_becomes_the_first_of_its_contact(stack: Stack, office: Office) -> None:
    first, second = (
        next(call for call in some(office, 60, hour, 3) if call.body["tag_type"] == "call" and call.body["contact_id"])
        for hour in (HOUR, HOUR + timedelta(hours=5))
    )
    second.body.update(direction="in", contact_id=first.body["contact_id"], call_id="second", tag_id="2" * 32)
    first.body.update(direction="in", call_id="first")
    second.body["id"] = second.body["id"].replace(second.body["id"].split(".")[1], "2" * 32)

    def firsts(said: Any) -> dict[str, int]:
        return {group["key"][4:]: group["numbers"]["first_time_callers"] for group in said["groups"]}

    seed(stack, office, [second])
    awaited(stack, office.owner, "calls-by-hour", lambda said: firsts(said) == {"17": 1}, **PLACES)
    seed(stack, office, [first])
    awaited(stack, office.owner, "calls-by-hour", lambda said: firsts(said) == {"12": 1, "17": 0}, **PLACES)


def test_large_hour_is_stored_in_parts(stack: Stack, office: Office) -> None:
    chance = random.Random(5)  # noqa: S311
    known = people(chance, contacts=15_000, employees=200)
    place = report_sums.hour_place(office.tenant_id, HOUR)
    before = report_sums.NEVER
    for size in (15_000, 40, 14_000):
        bodies = [generate_call(chance, known, HOUR, timedelta(hours=1), number).body for number in range(size)]
        packed = sums.dump(sums.sum_calls(bodies, CallHistory({}, frozenset())))
        assert report_sums.save(place, packed, before)
        # Whoever read an older one is refused.
        assert not report_sums.save(place, packed, before)
        before = report_sums.load([place])[place]
        assert before.packed == packed
        assert bool(before.token) == (len(packed) > report_sums.PART_BYTES)
    # Parts of older versions are gone.
    answer = client.dynamodb().query(
        TableName=stack.table,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :part)",
        ExpressionAttributeValues={":pk": {"S": place[0]}, ":part": {"S": "PART#"}},
        ProjectionExpression="sk",
    )
    assert {item["sk"]["S"].split("#")[3] for item in answer["Items"]} == {before.token}


def test_reports_equal_plain_sql_in_every_time_zone(stack: Stack, office: Office, tmp_path: Path) -> None:
    """Two times, which have between them the clock's changes of every zone; marked by the stream, summed up, asked."""
    chance = random.Random(11)  # noqa: S311
    known = people(chance, contacts=25)
    spans = ((date(2026, 3, 7), 3), (date(2026, 3, 28), 10), (date(2026, 9, 26), 2), (date(2026, 10, 24), 10))
    calls = [call for first, days in spans for call in generate_calls(chance, known, first, days, 25 * days)]
    seed(stack, office, calls)
    # An export goes back to the beginning of its tenant.
    client.dynamodb().update_item(
        TableName=stack.table,
        Key={"pk": {"S": key("T", office.tenant_id)}, "sk": {"S": "TENANT"}},
        UpdateExpression="SET created_at = :early",
        ExpressionAttributeValues={":early": {"S": "2026-03-07T00:00:00.000+00:00"}},
    )
    whole = {"from": "2026-03-01", "to": "2026-11-10"}
    awaited(stack, office.owner, "calls-by-line", calls_are(counted(calls)), **whole)
    file = tmp_path / "export.jsonl"
    file.write_bytes(exported(office))
    judge = SqlReports(file)
    for zone in ZONES:
        assert office.operator.patch(f"/v1/tenants/{office.tenant_id}", {"time_zone": zone}).status == 200
        for first, last in (("2026-03-01", "2026-04-10"), ("2026-09-20", "2026-11-10")):
            for kind in Kind:
                said = office.owner.get(f"/v1/reports/{kind}", **{"from": first, "to": last}).json
                assert said["time_zone"] == zone
                found = {
                    one["key"]: {name: one["numbers"][public] for name, public in NUMBERS.items()}
                    for one in said["groups"]
                }
                plain = judge.report(kind, zone, first, last)
                if kind is Kind.BY_LINE:
                    plain = {line_number(line, "RU") if line else line: numbers for line, numbers in plain.items()}
                assert found == plain != {}


def exported(office: Office) -> bytes:
    """The lines of a whole export."""
    made = office.owner.made("/v1/exports", {})["id"]
    deadline = time.monotonic() + WITHIN_SECONDS * 3
    while True:
        said = office.owner.get(f"/v1/exports/{made}").json
        if said["state"] == "done":
            return requests.get(said["url"], timeout=60).content
        assert said["state"] == "running"
        assert time.monotonic() < deadline, said
        time.sleep(0.5)


@contextmanager
def requests_of(service: Any) -> Iterator[list[str]]:
    """The names of a client's requests, as they are made."""
    seen: list[str] = []

    def note(model: Any, **_: Any) -> None:
        seen.append(model.name)

    service.meta.events.register("before-call", note)
    try:
        yield seen
    finally:
        service.meta.events.unregister("before-call", note)


def test_cost_of_a_refresh_is_that_of_its_hours(stack: Stack, office: Office) -> None:
    calls = some(office, 20)
    seed(stack, office, calls)
    awaited(stack, office.owner, "calls-by-line", calls_are(counted(calls)), **PLACES)
    costs = []
    for others in (0, 800):
        more = [
            call
            for number in range(1, 9)
            for call in some(office, others // 8, HOUR + timedelta(hours=number), seed_=100 + number)
        ]
        seed(stack, office, more)
        if more:
            awaited(stack, office.owner, "calls-by-line", lambda said: said["totals"]["calls"] > 400, **PLACES)
        calls[0].body["talk_seconds"] += 60
        calls[0].body["tag_type"] = "call"
        put_all(stack.client("dynamodb"), stack.table, list(items(office.tenant_id, calls[:1])))
        with requests_of(client.dynamodb()) as seen:
            assert reporting.rebuild(office.tenant_id, HOUR)
        costs.append(sorted(seen))
    assert costs[0] == costs[1], costs


def test_erased_number_disappears_from_reports(stack: Stack, office: Office, line: Line) -> None:
    contact = office.employee.made("/v1/contacts", {"name": "Ivan", "phones": ["+79035550861"]})["id"]
    line.talk("e-1", "79035550861")
    awaited(stack, office.owner, "calls-by-contact", calls_are(1))
    csv_of(office.owner, "calls-by-contact")
    later = file_later(office.owner, "calls-by-contact")["id"]
    assert traces(stack, office, contact), "it is in none to begin with"
    erasure = office.owner.made("/v1/erasures", {"number": "+79035550861"})["id"]
    deadline = time.monotonic() + WITHIN_SECONDS
    while office.owner.get(f"/v1/erasures/{erasure}").json["state"] != "done":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert traces(stack, office, contact) == []
    assert files_of(stack, office) == []
    assert office.owner.get(f"/v1/reports/files/{later}").status == 404
    # What somebody sums up afterwards has it no more, either.
    said = awaited(stack, office.owner, "calls-by-contact", lambda said: said["groups"][0]["key"] is None)
    assert said["totals"]["calls"] == 1
    assert traces(stack, office, contact) == []


def traces(stack: Stack, office: Office, *ids: str) -> list[str]:
    """Where ids stand in what is kept for an office's reports, packed or not."""
    pages = client.dynamodb().get_paginator("scan").paginate(TableName=stack.table)
    found = []
    for item in (item for page in pages for item in page["Items"]):
        if not item["kind"]["S"].startswith("report_") or office.tenant_id not in item["pk"]["S"]:
            continue
        packed = item.get("packed", {}).get("B", b"")
        text = str(item) + (zlib.decompress(packed).decode() if packed else "")
        found += [item["sk"]["S"] for one_ in ids if one_ in text]
    return found


def files_of(stack: Stack, office: Office) -> list[str]:
    found = stack.client("s3").list_objects_v2(Bucket=stack.files_bucket).get("Contents", [])
    return [file["Key"] for file in found if office.tenant_id in file["Key"]]


def test_erased_tenant_leaves_no_reports(stack: Stack, office: Office, line: Line) -> None:
    line.talk("t-1", "79035550862")
    awaited(stack, office.owner, "calls-by-contact", calls_are(1))
    csv_of(office.owner, "calls-by-contact")
    deadline = time.monotonic() + WITHIN_SECONDS
    while office.operator.send("DELETE", f"/v1/tenants/{office.tenant_id}").status == 202:
        assert time.monotonic() < deadline
    pages = client.dynamodb().get_paginator("scan").paginate(TableName=stack.table)
    left = [item["sk"]["S"] for page in pages for item in page["Items"] if office.tenant_id in str(item)]
    assert left == []
    assert files_of(stack, office) == []
    # A mark that comes late goes, and leaves nothing.
    marks.mark(office.tenant_id, HOUR, datetime.now(UTC))
    sum_up(stack)
    assert marked(stack, office) == []


def marked(stack: Stack, office: Office) -> list[dict[str, Any]]:
    answer = client.dynamodb().query(
        TableName=stack.table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": marks.partition(office.tenant_id)}},
    )
    return [dict(item) for item in answer["Items"]]


def test_mark_is_removed_after_a_second_refresh(stack: Stack, office: Office) -> None:
    # Far off, so that the schedule, which runs beside, leaves it alone.
    then = datetime(2099, 3, 10, 12, tzinfo=UTC)
    marks.mark(office.tenant_id, HOUR, then)

    def due(at: datetime) -> list[marks.Mark]:
        return [mark for mark in marks.due(at) if mark.tenant_id == office.tenant_id]

    assert due(then + timedelta(seconds=59)) == []
    (first,) = due(then + timedelta(seconds=60))
    assert (first.hour, first.again) == (HOUR, False)
    # Renewed while its hour was being summed up: it is due again in a minute, as a new one.
    marks.mark(office.tenant_id, HOUR, then + timedelta(seconds=61))
    marks.settle(first, then + timedelta(seconds=62))
    assert due(then + timedelta(seconds=121)) == []
    (second,) = due(then + timedelta(seconds=122))
    assert (second.again, second.version) == (False, 2)
    marks.settle(second, then + timedelta(seconds=123))
    assert due(then + timedelta(minutes=11)) == []
    (third,) = due(then + timedelta(minutes=13))
    assert third.again
    # A change in between is not left for later.
    marks.mark(office.tenant_id, HOUR, then + timedelta(minutes=4))
    (fourth,) = due(then + timedelta(minutes=5))
    assert not fourth.again
    marks.settle(third, then + timedelta(minutes=13))
    for minutes in (14, 25):
        (left,) = due(then + timedelta(minutes=minutes))
        marks.settle(left, then + timedelta(minutes=minutes))
    assert marked(stack, office) == []


@pytest.mark.parametrize(
    "asked",
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
def test_invalid_report_request_is_rejected(shared: Office, asked: dict[str, str]) -> None:
    assert shared.owner.get("/v1/reports/calls-by-contact", **asked).status == 400


def test_rows_are_listed_in_pages(stack: Stack, office: Office) -> None:
    calls = some(office, 40)
    seed(stack, office, calls)
    asked = {"from": "2026-03-09", "to": "2026-03-15", "step": "day"}
    said = awaited(stack, office.owner, "calls-by-contact", calls_are(counted(calls)), **asked)
    by_day = {one_["from"]: one_["numbers"]["calls"] for one_ in said["steps"]}
    assert list(by_day) == [f"2026-03-{day:02d}" for day in range(9, 16)]
    assert by_day["2026-03-10"] == sum(by_day.values()) == counted(calls)
    rows: list[Any] = []
    cursor = None
    while True:
        more: dict[str, str] = {"cursor": cursor} if cursor else {}
        page = office.owner.get("/v1/reports/calls-by-contact", limit="7", **asked, **more).json
        assert len(page["rows"]) <= 7
        rows += page["rows"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert {row["call_id"] for row in rows} == {call.body["id"] for call in calls if call.body["tag_type"]}
    starts = [row["started_at"] for row in rows]
    assert starts == sorted(starts, reverse=True)
    week = office.owner.get("/v1/reports/calls-by-contact", **{**asked, "step": "week"}).json
    assert [(one_["from"], one_["numbers"]) for one_ in week["steps"]] == [("2026-03-09", said["totals"])]
