"""Report files: sorted in bounded memory, and abandoned when time is up."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import pytest

from hangtag.domain.reports.report import Kind
from hangtag.services.reports import file as report_file
from hangtag.services.reports.file import in_order
from hangtag.services.reports.rows import Row
from hangtag.store.db import client


def row(number: int, **fields: Any) -> Row:
    defaults: dict[str, Any] = {
        "call_id": f"c-{number:06d}", "date": f"2026-03-{1 + number % 28:02d}", "time_from": "12:00:00",
        "time_to": "12:01:00", "started_at": "2026-03-01T12:00:00+00:00", "ended_at": None,
        "direction": "in", "answered": True, "contact_id": f"id-{number % 7}", "contact": f"Contact {number % 7}",
        "employee_id": None, "employee": None, "type": "incoming", "minutes": 1.5, "recording": None,
    }  # fmt: skip
    return Row(**{**defaults, **fields})


def shuffled(count: int) -> list[Row]:
    chance = random.Random(5)  # noqa: S311 - no secret
    rows = [row(number) for number in range(count)]
    rows += [row(count, contact=None, contact_id=None), row(count + 1, contact="Ünal\n\u2028 & Co")]
    chance.shuffle(rows)
    return rows


def sorted_by_hand(kind: Kind, rows: list[Row]) -> list[str]:
    if kind is Kind.BY_CONTACT:
        rows = sorted(rows, key=lambda one: (one.contact or "", one.contact_id or "", one.date, one.call_id))
    else:
        rows = sorted(rows, key=lambda one: (one.date, one.time_from, one.call_id))
    return [one.call_id for one in rows]


@pytest.mark.parametrize("kind", [Kind.BY_CONTACT, Kind.MISSED])
@pytest.mark.parametrize("run_rows", [1, 7, 100, 1000])
def test_rows_are_sorted_for_any_number_in_memory(kind: Kind, run_rows: int) -> None:
    rows = shuffled(300)
    with ExitStack() as runs:
        ordered = list(in_order(kind, rows, runs, run_rows))
    assert sorted(ordered, key=lambda one: one.call_id) == sorted(rows, key=lambda one: one.call_id)
    assert [one.call_id for one in ordered] == sorted_by_hand(kind, rows)


def test_the_number_of_rows_in_memory_is_bounded() -> None:
    alive = 0
    most = 0

    class Counted(Row):
        """Row that is counted while it is in memory."""

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def counted() -> Iterator[Row]:
        nonlocal alive, most
        for one in shuffled(2000):
            alive += 1
            most = max(most, alive)
            yield Counted(**asdict(one))

    with ExitStack() as runs:
        assert sum(1 for _ in in_order(Kind.BY_CONTACT, counted(), runs, 50)) == 2002
    assert most <= 52


class Bucket:
    """A fake S3 client that records its calls; the part `fails_at` fails."""

    def __init__(self, fails_at: int = 0) -> None:
        self.calls: list[str] = []
        self._fails_at = fails_at

    def __getattr__(self, name: str) -> Any:
        def record(**arguments: Any) -> dict[str, str]:
            self.calls.append(name)
            if arguments.get("PartNumber") == self._fails_at:
                raise OSError("the network is down")
            return {"UploadId": "u-1", "ETag": "e"}

        return record


@pytest.mark.parametrize(
    ("times", "fails_at", "error", "calls"),
    [
        (3, 0, None, ["create_multipart_upload", *["upload_part"] * 3, "complete_multipart_upload"]),
        (1, 0, TimeoutError, ["create_multipart_upload", "upload_part", "abort_multipart_upload"]),
        (3, 2, OSError, ["create_multipart_upload", *["upload_part"] * 2, "abort_multipart_upload"]),
    ],
)
def test_an_unfinished_file_leaves_nothing_in_the_bucket(
    monkeypatch: pytest.MonkeyPatch, times: int, fails_at: int, error: type[Exception] | None, calls: list[str]
) -> None:
    bucket = Bucket(fails_at)
    monkeypatch.setenv("FILES_BUCKET", "files")
    monkeypatch.setattr(report_file, "PART_BYTES", 10)
    monkeypatch.setattr(client, "make", lambda *_, **__: bucket)
    left = iter([True] * times + [False] * 5)
    lines = [b"123456789\n"] * 3
    if error is None:
        report_file._upload("name", lines, lambda: next(left))
    else:
        with pytest.raises(error):
            report_file._upload("name", lines, lambda: next(left))
    assert bucket.calls == calls
