"""Job that writes a tenant's export: one object of JSON Lines, part by part, in bounded memory.

The export's item has the uploaded parts and the position after them. If a job stops early, the next one continues
there.
"""

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from hangtag import runtime
from hangtag.errors import NotFoundError
from hangtag.runtime import logger
from hangtag.store.db import client
from hangtag.store.office import tenants
from hangtag.store.privacy import exports
from hangtag.store.privacy.exports import BEGINNING, DONE, FAILED, RUNNING, ExportItem, Place

# S3 requires at least 5 MB for each part but the last, and at most 10 000 parts.
PART_BYTES = 8 * 1024 * 1024
LINK_SECONDS = 900
_CLOCK = timedelta(days=3)


def work(message: Mapping[str, Any], has_time: Callable[[], bool]) -> None:
    """Continue an export (`tenant`, `id`) while there is time. Raises botocore's errors."""
    tenant_id, export_id = message["tenant"], message["id"]
    try:
        tenant = tenants.load_tenant(tenant_id)
        item = exports.load(tenant_id, export_id)
    except NotFoundError:
        # The tenant was erased in the meantime.
        return
    if item.state != RUNNING:
        return
    try:
        done = _Writer(tenant_id, item).run(datetime.fromisoformat(tenant.created_at).date() - _CLOCK, has_time)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchUpload":
            raise
        # The bucket aborted the upload after a long pause.
        item.state = FAILED
        item.save()
        return
    if not done:
        client.make("sqs").send_message(
            QueueUrl=runtime.settings().jobs_queue_url, MessageBody=json.dumps(dict(message))
        )
    logger.info(
        "export.advanced",
        extra={"tenant": tenant_id, "export": export_id, "rows": int(item.rows), "done": done},
    )


class _Writer:
    """Writer of one object."""

    def __init__(self, tenant_id: str, item: ExportItem) -> None:
        self._tenant_id = tenant_id
        self._item = item
        self._place = {"Bucket": runtime.settings().files_bucket, "Key": exports.object_key(tenant_id, item.id)}
        self._s3 = client.make("s3", read=30.0)

    def run(self, oldest: date, has_time: Callable[[], bool]) -> bool:
        """Write until the end or until time is up. Return True at the end."""
        if self._item.upload is None:
            created = self._s3.create_multipart_upload(**self._place, ContentType="application/x-ndjson")
            self._item.upload = created["UploadId"]
            self._item.save()
        start = Place(**self._item.place) if self._item.place else BEGINNING
        newest = date.fromisoformat(self._item.newest)
        buffer = bytearray()
        count = 0
        for row in exports.rows(self._tenant_id, oldest, newest, start):
            buffer += row.line
            count += 1
            if len(buffer) >= PART_BYTES:
                self._upload(bytes(buffer), count, row.place)
                buffer, count = bytearray(), 0
                if not has_time():
                    return False
        self._upload(bytes(buffer), count, None)
        self._finish()
        return True

    def _upload(self, part: bytes, count: int, place: Place | None) -> None:
        """Upload a part and store it with the position after it; the last part has none."""
        item = self._item
        number = len(item.parts) + 1
        response = self._s3.upload_part(**self._place, UploadId=item.upload, PartNumber=number, Body=part)
        item.parts = [*item.parts, response["ETag"]]
        item.rows += count
        if place is not None:
            item.place = place.to_json()
            item.save()

    def _finish(self) -> None:
        item = self._item
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(item.parts, start=1)]
        self._s3.complete_multipart_upload(**self._place, UploadId=item.upload, MultipartUpload={"Parts": parts})
        item.state, item.upload, item.place = DONE, None, None
        item.save()


def link(tenant_id: str, export_id: str) -> str:
    """Return a download URL that is valid for 15 minutes."""
    place = {"Bucket": runtime.settings().files_bucket, "Key": exports.object_key(tenant_id, export_id)}
    return str(client.make("s3").generate_presigned_url("get_object", Params=place, ExpiresIn=LINK_SECONDS))
