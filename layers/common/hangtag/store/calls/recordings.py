"""Copies of recordings in their bucket, and the list of which is to be looked at when.

Of each copy there is a pointer in its call's partition, under key("KEPT", generation, recording). It stands in the
index of live things, in partitions of its own, by when the copy's time may be up.
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
# All but the last part of an upload have at least 5 MB.
PART_BYTES = 8 * 1024 * 1024
_FOLDERS = ("recordings", "plays")


@dataclass(frozen=True, slots=True)
class Pointer:
    """A copy whose time may be up."""

    call: CallKey
    recording_id: str


def place_of(tenant_id: str, call: CallKey, recording_id: str, *, once: bool = False) -> str:
    """The object's key; `once`: of a copy that is made for one play, and gone within a day."""
    return f"{'plays' if once else 'recordings'}/{tenant_id}/{call.digest}/{recording_id}"


@dataclass(slots=True)
class Copy:
    """An object that is written piece by piece, in bounded memory; it is there only once it is finished.

    Its methods raise botocore's errors.
    """

    place: str
    media_type: str
    size: int = 0
    _buffer: bytearray = field(default_factory=bytearray)
    _upload: str | None = None
    _parts: list[dict[str, Any]] = field(default_factory=list)

    def write(self, piece: bytes) -> None:
        """Take in a piece; full parts are sent."""
        self._buffer += piece
        self.size += len(piece)
        if len(self._buffer) >= PART_BYTES:
            self._send_part()

    def finish(self) -> None:
        """Make the object."""
        if self._upload is None:
            _s3().put_object(**_at(self.place), Body=bytes(self._buffer), ContentType=self.media_type)
            return
        if self._buffer:
            self._send_part()
        parts = {"Parts": self._parts}
        _s3().complete_multipart_upload(**_at(self.place), UploadId=self._upload, MultipartUpload=parts)

    def abort(self) -> None:
        """Leave nothing behind."""
        if self._upload is not None:
            _s3().abort_multipart_upload(**_at(self.place), UploadId=self._upload)

    def _send_part(self) -> None:
        if self._upload is None:
            made = _s3().create_multipart_upload(**_at(self.place), ContentType=self.media_type)
            self._upload = made["UploadId"]
        number = len(self._parts) + 1
        said = _s3().upload_part(**_at(self.place), UploadId=self._upload, PartNumber=number, Body=bytes(self._buffer))
        self._parts.append({"PartNumber": number, "ETag": said["ETag"]})
        self._buffer.clear()


def find(place: str) -> tuple[int, str] | None:
    """Size and media type of a copy that is there. Raises botocore's errors."""
    found = _s3().list_objects_v2(Bucket=_bucket(), Prefix=place, MaxKeys=1).get("Contents", [])
    if not found or found[0]["Key"] != place:
        return None
    head = _s3().head_object(**_at(place))
    return int(head["ContentLength"]), str(head["ContentType"])


def link(place: str, media_type: str) -> str:
    """An address that plays the copy, in ranges too, for `LINK_SECONDS`."""
    wanted = {**_at(place), "ResponseContentType": media_type, "ResponseContentDisposition": "inline"}
    return str(_s3().generate_presigned_url("get_object", Params=wanted, ExpiresIn=LINK_SECONDS))


def delete(place: str) -> None:
    """Delete a copy; nothing if there is none. Raises botocore's errors."""
    _s3().delete_object(**_at(place))


def watch(pointer: Pointer, due_at: datetime) -> None:
    """Have a copy looked at by then. Raises botocore's errors."""
    item: Any = {
        **_key(pointer),
        "live_shard": {"S": _shard(shard(pointer.call.pk, SHARDS))},
        "live_due": {"S": _moment(due_at)},
    }
    dynamodb().put_item(TableName=table(), Item=item)


def unwatch(pointer: Pointer) -> None:
    """Nothing is there any more. Raises botocore's errors."""
    dynamodb().delete_item(TableName=table(), Key=_key(pointer))


def due(before: datetime) -> Iterator[Pointer]:
    """The copies of all tenants whose time may be up, the oldest of each partition first. Raises botocore's errors."""
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
            for found in page["Items"]:
                _, generation, recording_id = found["sk"]["S"].split("#")
                yield Pointer(CallKey(found["pk"]["S"], key("CALL", generation)), recording_id)


def erase_tenant(tenant_id: str, has_time: Callable[[], bool]) -> bool:
    """Delete all copies of a tenant, also those that are being written; false when time ran out.

    Does nothing in a function that has no such bucket. Raises botocore's errors.
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
    # A part takes its time.
    return client.make("s3", read=60.0)
