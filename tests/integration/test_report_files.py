"""Report files and the erasure of reports."""

import csv
import io
import time
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from api_client import Caller, Office, hire
from hangtag.store.db import client
from hangtag.store.reports import marks
from local.stack import Stack
from pbx_line import Line
from requested_reports import (
    DAY,
    HOUR,
    WITHIN_SECONDS,
    calls_are,
    calls_of_hour,
    csv_of,
    marked,
    report_until,
    seed,
    sum_up,
    tag_count,
)

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600), pytest.mark.usefixtures("environment")]

PORT = 4671


def test_report_file_escapes_names_that_are_formulas(stack: Stack, office: Office, line: Line) -> None:
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\"quoted, and 'so'\"", "Ünal"]
    for number, name in enumerate(names):
        office.employee.create("/v1/contacts", {"name": name, "phones": [f"+7903555082{number}"]})
        line.talk(f"f-{number}", f"7903555082{number}")
    report_until(stack, office.owner, "calls-by-contact", calls_are(len(names)))
    rows, url = csv_of(office.owner, "calls-by-contact")
    assert rows[0] == ["Date", "From", "To", "Contact", "Employee", "Type", "Duration, min", "Recording"]
    shown = {name if name[0] not in "=+-@" else f"'{name}" for name in names}
    assert {row[3] for row in rows[1:]} == shown
    assert [row[3] for row in rows[1:]] == [f"'{name}" if name[0] in "=+-@" else name for name in sorted(names)]
    assert {(row[4], row[5], row[6]) for row in rows[1:]} == {("Anna", "incoming", "0.15")}
    assert f"exports/{office.tenant_id}/reports/" in url
    assert "X-Amz-Expires=900" in url or "Expires=" in url


def background_file(caller: Caller, kind: str, **query: str) -> dict[str, Any]:
    """Have a job write a report's file and return the finished job."""
    headers = {"accept": "text/csv", "prefer": "respond-async"}
    response = caller.send("GET", f"/v1/reports/{kind}", params=query, headers=headers)
    assert (response.status, response.json["state"]) == (202, "running"), response
    place = response.headers["location"]
    assert place == f"/v1/reports/files/{response.json['id']}"
    deadline = time.monotonic() + WITHIN_SECONDS
    while (job := caller.get(place).json)["state"] == "running":
        assert time.monotonic() < deadline, job
        time.sleep(0.1)
    return dict(job)


def test_long_report_file_is_written_by_a_job(stack: Stack, office: Office) -> None:
    calls = calls_of_hour(office, 60)
    seed(stack, office, calls)
    report_until(stack, office.owner, "calls-by-line", calls_are(tag_count(calls)), **DAY)
    _, boris = hire(office, "Boris", "102")
    for caller in (office.owner, office.employee):
        at_once, _ = csv_of(caller, "calls-by-contact", **DAY)
        job = background_file(caller, "calls-by-contact", **DAY)
        assert (job["state"], job["from"], job["to"]) == ("done", DAY["from"], DAY["to"])
        text = requests.get(job["url"], timeout=60).content.decode("utf-8-sig")
        assert list(csv.reader(io.StringIO(text))) == at_once
        for other in (boris, *({office.owner, office.employee} - {caller})):
            assert other.get(f"/v1/reports/files/{job['id']}").status == 404
    assert len(at_once) > 1
    assert office.owner.get(f"/v1/reports/files/{'0' * 32}").status == 404


def test_erased_number_disappears_from_reports(stack: Stack, office: Office, line: Line) -> None:
    contact = office.employee.create("/v1/contacts", {"name": "Ivan", "phones": ["+79035550861"]})["id"]
    line.talk("e-1", "79035550861")
    report_until(stack, office.owner, "calls-by-contact", calls_are(1))
    csv_of(office.owner, "calls-by-contact")
    later = background_file(office.owner, "calls-by-contact")["id"]
    assert traces(stack, office, contact), "no report contains the contact before the erasure"
    erasure = office.owner.create("/v1/erasures", {"number": "+79035550861"})["id"]
    deadline = time.monotonic() + WITHIN_SECONDS
    while office.owner.get(f"/v1/erasures/{erasure}").json["state"] != "done":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert traces(stack, office, contact) == []
    assert files_of(stack, office) == []
    assert office.owner.get(f"/v1/reports/files/{later}").status == 404
    # Later sums do not contain the contact either.
    report = report_until(stack, office.owner, "calls-by-contact", lambda report: report["groups"][0]["key"] is None)
    assert report["totals"]["calls"] == 1
    assert traces(stack, office, contact) == []


def traces(stack: Stack, office: Office, *ids: str) -> list[str]:
    """Return the sort keys of an office's report items that contain the ids, packed or not."""
    pages = client.dynamodb().get_paginator("scan").paginate(TableName=stack.table)
    keys = []
    for item in (item for page in pages for item in page["Items"]):
        if not item["kind"]["S"].startswith("report_") or office.tenant_id not in item["pk"]["S"]:
            continue
        packed = item.get("packed", {}).get("B", b"")
        text = str(item) + (zlib.decompress(packed).decode() if packed else "")
        keys += [item["sk"]["S"] for one_ in ids if one_ in text]
    return keys


def files_of(stack: Stack, office: Office) -> list[str]:
    contents = stack.client("s3").list_objects_v2(Bucket=stack.files_bucket).get("Contents", [])
    return [file["Key"] for file in contents if office.tenant_id in file["Key"]]


def test_erased_tenant_leaves_no_report_items_or_files(stack: Stack, office: Office, line: Line) -> None:
    line.talk("t-1", "79035550862")
    report_until(stack, office.owner, "calls-by-contact", calls_are(1))
    csv_of(office.owner, "calls-by-contact")
    deadline = time.monotonic() + WITHIN_SECONDS
    while office.operator.send("DELETE", f"/v1/tenants/{office.tenant_id}").status == 202:
        assert time.monotonic() < deadline
    pages = client.dynamodb().get_paginator("scan").paginate(TableName=stack.table)
    left = [item["sk"]["S"] for page in pages for item in page["Items"] if office.tenant_id in str(item)]
    assert left == []
    assert files_of(stack, office) == []
    # A late mark is removed without a trace.
    marks.mark(office.tenant_id, HOUR, datetime.now(UTC))
    sum_up(stack)
    assert marked(stack, office) == []
