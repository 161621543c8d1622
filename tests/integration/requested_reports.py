"""Requests of reports, and calls to report, for tests."""

import csv
import io
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from api_client import Caller, Office
from generated_calls import GeneratedCall, generate_call, items, people, put_all
from hangtag.services.reports import sums as reporting
from hangtag.store.db import client
from hangtag.store.reports import marks
from local.stack import Stack

WITHIN_SECONDS = 90.0
HOUR = datetime(2026, 3, 10, 9, tzinfo=UTC)
DAY = {"from": "2026-03-10", "to": "2026-03-10"}


def sum_up(stack: Stack) -> int:
    """Sum up all marked hours ahead of their time."""
    return reporting.refresh(datetime.now(UTC) + timedelta(hours=2), lambda: True)


def report_until(stack: Stack, caller: Caller, kind: str, accept: Callable[[Any], bool], **query: str) -> Any:
    """Return a report once it is accepted. The stream has no notification for marked hours."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while True:
        sum_up(stack)
        response = caller.get(f"/v1/reports/{kind}", **query)
        assert response.status == 200, response
        if accept(response.json):
            return response.json
        assert time.monotonic() < deadline, response
        time.sleep(0.2)


def calls_are(count: int) -> Callable[[Any], bool]:
    return lambda report: bool(report["totals"]["calls"] == count)


def csv_of(caller: Caller, kind: str, **query: str) -> tuple[list[list[str]], str]:
    """Return the rows and the URL of a report's file."""
    response = caller.send(
        "GET", f"/v1/reports/{kind}", params=query, headers={"accept": "text/csv"}, allow_redirects=False
    )
    assert response.status == 303, response
    assert response.headers["location"] == response.json["url"]
    file = requests.get(response.json["url"], timeout=60)
    assert file.status_code == 200, file.text
    text = file.content.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text))), response.json["url"]


def seed(stack: Stack, office: Office, calls: Sequence[GeneratedCall]) -> None:
    put_all(stack.client("dynamodb"), stack.table, list(items(office.tenant_id, calls)))


def calls_of_hour(office: Office, count: int, hour: datetime = HOUR, seed_: int = 1) -> list[GeneratedCall]:
    """Generate calls of one hour with the office's employee."""
    chance = random.Random(seed_)  # noqa: S311
    directory = people(chance)
    directory = replace(directory, employees=(office.anna["id"], *directory.employees))
    return [generate_call(chance, directory, hour, timedelta(hours=1), number) for number in range(count)]


def tag_count(calls: Sequence[GeneratedCall]) -> int:
    return sum(call.body["tag_type"] is not None for call in calls)


def marked(stack: Stack, office: Office) -> list[dict[str, Any]]:
    response = client.dynamodb().query(
        TableName=stack.table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": marks.partition(office.tenant_id)}},
    )
    return [dict(item) for item in response["Items"]]
