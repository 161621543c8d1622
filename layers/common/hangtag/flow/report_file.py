"""A report as a CSV file in the bucket: the columns of its calls, ordered by group, then date, then type."""

import os
import secrets
from collections.abc import Iterable, Iterator

from hangtag.flow import report_rows
from hangtag.flow.report_rows import Asked, Row
from hangtag.reports import sheet
from hangtag.reports.report import Kind
from hangtag.store import client

HEAD = ("Date", "From", "To", "Contact", "Employee", "Type", "Duration, min", "Recording")
# S3 takes at least 5 MB in each part but the last.
PART_BYTES = 8 * 1024 * 1024
LINK_SECONDS = 900


def folder(tenant_id: str) -> str:
    """What the keys of a tenant's files begin with: they lie among its exports, and go with these."""
    return f"exports/{tenant_id}/reports/"


def object_key(tenant_id: str) -> str:
    """A new file's place in the bucket."""
    return f"{folder(tenant_id)}{secrets.token_hex(16)}.csv"


def write(table: str, asked: Asked) -> str:
    """Write the file; an address from which it may be fetched for 15 minutes. Raises botocore's errors."""
    rows = sorted(report_rows.every(table, asked, lambda: True), key=lambda row: _order(asked.kind, row))
    name = object_key(asked.tenant_id)
    _upload(name, sheet.lines(HEAD, (_cells(row) for row in rows)))
    return link(asked, name)


def _order(kind: Kind, row: Row) -> tuple[str, ...]:
    """What files are sorted by: contact or employee, date, type, time; just by time where days are the groups."""
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


def _upload(name: str, lines: Iterable[bytes]) -> None:
    place = {"Bucket": os.environ["FILES_BUCKET"], "Key": name}
    s3 = client.make("s3", read=30.0)
    parts = _parts(lines)
    first = next(parts, b"")
    second = next(parts, None)
    if second is None:
        s3.put_object(**place, Body=first, ContentType="text/csv; charset=utf-8")
        return
    upload = s3.create_multipart_upload(**place, ContentType="text/csv; charset=utf-8")["UploadId"]
    done = []
    for number, part in enumerate(_chained(first, second, parts), start=1):
        said = s3.upload_part(**place, UploadId=upload, PartNumber=number, Body=part)
        done.append({"PartNumber": number, "ETag": said["ETag"]})
    s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": done})


def _chained(first: bytes, second: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield second
    yield from rest


def _parts(lines: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for line in lines:
        held += line
        if len(held) >= PART_BYTES:
            yield bytes(held)
            held = bytearray()
    if held:
        yield bytes(held)


def link(asked: Asked, name: str) -> str:
    """An address from which a file may be fetched for 15 minutes, under a name that says what it is."""
    shown = f"{asked.kind}-{asked.period.first}-{asked.period.last}.csv"
    place = {
        "Bucket": os.environ["FILES_BUCKET"],
        "Key": name,
        "ResponseContentDisposition": f'attachment; filename="{shown}"',
    }
    return str(client.make("s3").generate_presigned_url("get_object", Params=place, ExpiresIn=LINK_SECONDS))
