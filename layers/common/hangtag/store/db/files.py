"""The files of a tenant in the bucket: what was imported and exported."""

from collections.abc import Callable, Iterator
from typing import Any

from hangtag import runtime
from hangtag.store.db import client

FOLDERS = ("imports", "exports")


def erase_files(tenant_id: str, has_time: Callable[[], bool]) -> bool:
    """Delete all files of a tenant, also those that are being written; false when time ran out.

    Does nothing in a function that has no bucket. Raises botocore's errors.
    """
    bucket = runtime.settings().files_bucket
    if not bucket:
        return True
    return all(erase_prefix(bucket, f"{folder}/{tenant_id}/", has_time) for folder in FOLDERS)


def erase_prefix(bucket: str, prefix: str, has_time: Callable[[], bool]) -> bool:
    """Delete all whose key begins so, also what is being written; false when time ran out. Raises botocore's errors."""
    s3 = client.make("s3")
    for upload in _listed(s3.list_multipart_uploads, bucket, prefix, "Uploads"):
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for found in _listed(s3.list_objects_v2, bucket, prefix, "Contents"):
        if not has_time():
            return False
        s3.delete_object(Bucket=bucket, Key=found["Key"])
    return True


def _listed(ask: Callable[..., Any], bucket: str, prefix: str, what: str) -> Iterator[Any]:
    """What a list holds; asked anew while there is anything, since all that is listed gets deleted."""
    while found := ask(Bucket=bucket, Prefix=prefix).get(what, []):
        yield from found
