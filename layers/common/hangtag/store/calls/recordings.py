"""Copies of recordings in their bucket, and the index of those that are due.

Each copy has a pointer in its call's partition, under key("KEPT", generation, recording). It is in the index of live
items, in partitions of its own, by the time when the copy can expire.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hangtag import runtime
from hangtag.store.calls.items import CallKey
from hangtag.store.db import client
from hangtag.store.db.client import dynamodb, table
from hangtag.store.db.files import erase_prefix
from hangtag.store.db.keys import key, shard

__all__ = [
    "LINK_SECONDS",
    "Copy",
    "Pointer",
    "delete",
    "due",
    "erase_tenant",
    "find",
    "link",
    "place_of",
    "unwatch",
    "watch",
]

LINK_SECONDS = 300
SHARDS = 4
# S3 needs at least 5 MB in all parts but the last.
PART_BYTES = 8 * 1024 * 1024
_FOLDERS = ("recordings", "plays")


@dataclass(frozen=True, slots=True)
class Pointer:
    """A copy that can have expired."""

    call: CallKey
    recording_id: str


def place_of(tenant_id: str, call: CallKey, recording_id: str, *, temporary: bool = False) -> str:
    """Return the object's key; `temporary`: of a copy for one play, deleted within a day."""
    return f"{'plays' if temporary else 'recordings'}/{tenant_id}/{call.digest}/{recording_id}"


@dataclass(slots=True)
class Copy:
    """An object that is written in pieces, in bounded memory; it exists only once it is finished.

    Its methods raise botocore's errors.
    """

    place: str
    media_type: str
    size: int = 0
    _buffer: bytearray = field(default_factory=bytearray)
    _upload: str | None = None
    _parts: list[dict[str, Any]] = field(default_factory=list)

    def write(self, piece: bytes) -> None:
        """Add a piece; full parts are uploaded."""
        self._buffer += piece
        self.size += len(piece)
        if len(self._buffer) >= PART_BYTES:
            self._send_part()

    def finish(self) -> None:
        """Create the object."""
        if self._upload is None:
            _s3().put_object(**_at(self.place), Body=bytes(self._buffer), ContentType=self.media_type)
            return
        if self._buffer:
            self._send_part()
        parts = {"Parts": self._parts}
        _s3().complete_multipart_upload(**_at(self.place), UploadId=self._upload, MultipartUpload=parts)

    def abort(self) -> None:
        """Discard the uploaded parts."""
        if self._upload is not None:
            _s3().abort_multipart_upload(**_at(self.place), UploadId=self._upload)

    def _send_part(self) -> None:
        if self._upload is None:
            upload = _s3().create_multipart_upload(**_at(self.place), ContentType=self.media_type)
            self._upload = upload["UploadId"]
        number = len(self._parts) + 1
        part = _s3().upload_part(**_at(self.place), UploadId=self._upload, PartNumber=number, Body=bytes(self._buffer))
        self._parts.append({"PartNumber": number, "ETag": part["ETag"]})
        self._buffer.clear()


def find(place: str) -> tuple[int, str] | None:
    """Return size and media type of a copy, or None. Raises botocore's errors."""
    objects = _s3().list_objects_v2(Bucket=_bucket(), Prefix=place, MaxKeys=1).get("Contents", [])
    if not objects or objects[0]["Key"] != place:
        return None
    head = _s3().head_object(**_at(place))
    return int(head["ContentLength"]), str(head["ContentType"])


def link(place: str, media_type: str) -> str:
    """Return a URL that plays the copy, with ranges, for `LINK_SECONDS`."""
    request = {**_at(place), "ResponseContentType": media_type, "ResponseContentDisposition": "inline"}
    return str(_s3().generate_presigned_url("get_object", Params=request, ExpiresIn=LINK_SECONDS))


def delete(place: str) -> None:
    """Delete a copy if it exists. Raises botocore's errors."""
    _s3().delete_object(**_at(place))


def watch(pointer: Pointer, due_at: datetime) -> None:
    """Schedule a check of a copy. Raises botocore's errors."""
    item: Any = {
        **_key(pointer),
        "live_shard": {"S": _shard(shard(pointer.call.pk, SHARDS))},
        "live_due": {"S": _moment(due_at)},
    }
    dynamodb().put_item(TableName=table(), Item=item)


def unwatch(pointer: Pointer) -> None:
    """Remove the pointer of a deleted copy. Raises botocore's errors."""
    dynamodb().delete_item(TableName=table(), Key=_key(pointer))


def due(before: datetime) -> Iterator[Pointer]:
    """Yield the due copies of all tenants, oldest of each partition first. Raises botocore's errors."""
    for number in range(SHARDS):
        pages = (
            dynamodb()
            .get_paginator("query")
            .paginate(
                TableName=table(),
                IndexName="live",
                KeyConditionExpression="live_shard = :shard AND live_due < :now",
                ExpressionAttributeValues={":shard": {"S": _shard(number)}, ":now": {"S": _moment(before)}},
            )
        )
        for page in pages:
            for entry in page["Items"]:
                _, generation, recording_id = entry["sk"]["S"].split("#")
                yield Pointer(CallKey(entry["pk"]["S"], key("CALL", generation)), recording_id)


def erase_tenant(tenant_id: str, has_time: Callable[[], bool]) -> bool:
    """Delete all copies of a tenant, including unfinished uploads; False if time ran out first.

    Does nothing in a function without such a bucket. Raises botocore's errors.
    """
    bucket = runtime.settings().recordings_bucket
    return not bucket or all(erase_prefix(bucket, f"{folder}/{tenant_id}/", has_time) for folder in _FOLDERS)


def _key(pointer: Pointer) -> Any:
    generation = pointer.call.sk.split("#")[1]
    return {"pk": {"S": pointer.call.pk}, "sk": {"S": key("KEPT", generation, pointer.recording_id)}}


def _shard(number: int) -> str:
    return f"KEPT#{number}"


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _at(place: str) -> dict[str, str]:
    return {"Bucket": _bucket(), "Key": place}


def _bucket() -> str:
    return runtime.settings().recordings_bucket


def _s3() -> Any:
    # Uploading a part is slow.
    return client.make("s3", read=60.0)
