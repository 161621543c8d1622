"""A report as a CSV file in the bucket: the columns of its calls, ordered by group, then date, then type."""

import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import astuple
from heapq import merge
from itertools import chain
from tempfile import TemporaryFile
from typing import IO

from hangtag import runtime
from hangtag.domain.reports import sheet
from hangtag.domain.reports.report import Kind
from hangtag.services.reports import rows as report_rows
from hangtag.services.reports.rows import ReportRequest, Row
from hangtag.store.db import client

__all__ = ["HEAD", "LINK_SECONDS", "delete", "in_order", "link", "write"]

HEAD = ("Date", "From", "To", "Contact", "Employee", "Type", "Duration, min", "Recording")
# S3 requires at least 5 MB in each part but the last.
PART_BYTES = 8 * 1024 * 1024
LINK_SECONDS = 900
# Rows sorted in memory at once; further rows go to sorted temporary files, which are merged at the end.
RUN_ROWS = 20_000


def folder(tenant_id: str) -> str:
    """Return the key prefix of a tenant's report files, inside the prefix of its exports, which an erasure deletes."""
    return f"exports/{tenant_id}/reports/"


def object_key(tenant_id: str) -> str:
    """Return the key of a new file in the bucket."""
    return f"{folder(tenant_id)}{secrets.token_hex(16)}.csv"


def write(request: ReportRequest, has_time: Callable[[], bool]) -> str:
    """Write the file in bounded memory, and return its key in the bucket. An unfinished file leaves no object.

    Raises TimeoutError without time left, and botocore's errors.
    """
    name = object_key(request.tenant_id)
    with ExitStack() as stack:
        rows = in_order(request.kind, report_rows.every(request, has_time), stack, RUN_ROWS)
        _upload(name, sheet.lines(HEAD, (_cells(row) for row in rows)), has_time)
    return name


def in_order(kind: Kind, rows: Iterable[Row], stack: ExitStack, run_rows: int) -> Iterator[Row]:
    """Sort the rows for a file. At most `run_rows` are in memory; `stack` closes the temporary files of the others."""
    runs: list[IO[str]] = []
    run: list[Row] = []
    for row in rows:
        run.append(row)
        if len(run) == run_rows:
            runs.append(_spill(kind, run, stack))
            run = []
    run.sort(key=lambda row: _order(kind, row))
    return merge(*map(_read, runs), run, key=lambda row: _order(kind, row))


def _spill(kind: Kind, run: list[Row], stack: ExitStack) -> IO[str]:
    file = stack.enter_context(TemporaryFile("w+", encoding="utf-8"))  # noqa: SIM115 - `stack` closes it
    for row in sorted(run, key=lambda row: _order(kind, row)):
        file.write(json.dumps(astuple(row)) + "\n")
    file.seek(0)
    return file


def _read(file: IO[str]) -> Iterator[Row]:
    names = Row.__slots__
    for line in file:
        yield Row(**dict(zip(names, json.loads(line), strict=True)))


def _order(kind: Kind, row: Row) -> tuple[str, ...]:
    """Return the sort key of a file: contact or employee, date, type, time; only date and time for reports by day."""
    by_name = {
        Kind.BY_CONTACT: (row.contact or "", row.contact_id or ""),
        Kind.BY_EMPLOYEE: (row.employee or "", row.employee_id or ""),
    }
    if kind in by_name:
        return (*by_name[kind], row.date, row.type, row.time_from, row.call_id)
    return row.date, row.time_from, row.call_id


def _cells(row: Row) -> tuple[sheet.Cell, ...]:
    return (
        row.date,
        row.time_from,
        row.time_to,
        row.contact,
        row.employee,
        row.type,
        row.minutes,
        row.recording,
    )


def _upload(name: str, lines: Iterable[bytes], has_time: Callable[[], bool]) -> None:
    place = {"Bucket": runtime.settings().files_bucket, "Key": name}
    s3 = client.make("s3", read=30.0)
    parts = _parts(lines)
    first = next(parts, b"")
    second = next(parts, None)
    if second is None:
        s3.put_object(**place, Body=first, ContentType="text/csv; charset=utf-8")
        return
    upload = s3.create_multipart_upload(**place, ContentType="text/csv; charset=utf-8")["UploadId"]
    done = []
    try:
        for number, part in enumerate(chain((first, second), parts), start=1):
            if not has_time():
                raise TimeoutError
            response = s3.upload_part(**place, UploadId=upload, PartNumber=number, Body=part)
            done.append({"PartNumber": number, "ETag": response["ETag"]})
        s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": done})
    except BaseException:
        s3.abort_multipart_upload(**place, UploadId=upload)
        raise


def _parts(lines: Iterable[bytes]) -> Iterator[bytes]:
    buffer = bytearray()
    for line in lines:
        buffer += line
        if len(buffer) >= PART_BYTES:
            yield bytes(buffer)
            buffer = bytearray()
    if buffer:
        yield bytes(buffer)


def delete(name: str) -> None:
    """Delete a file. Raises botocore's errors."""
    client.make("s3").delete_object(Bucket=runtime.settings().files_bucket, Key=name)


def link(name: str, kind: str, first: str, last: str) -> str:
    """Return a download URL for a file, valid for 15 minutes, with a descriptive file name."""
    place = {
        "Bucket": runtime.settings().files_bucket,
        "Key": name,
        "ResponseContentDisposition": f'attachment; filename="{kind}-{first}-{last}.csv"',
    }
    return str(client.make("s3").generate_presigned_url("get_object", Params=place, ExpiresIn=LINK_SECONDS))
