"""A tenant's imported and exported files in the bucket."""

from collections.abc import Callable, Iterator
from typing import Any

from hangtag import runtime
from hangtag.store.db import client

FOLDERS = ("imports", "exports")


def erase_files(tenant_id: str, has_time: Callable[[], bool]) -> bool:
    """Delete all files of a tenant, including unfinished uploads; False if time ran out first.

    Does nothing in a function without a bucket. Raises botocore's errors.
    """
    bucket = runtime.settings().files_bucket
    if not bucket:
        return True
    return all(erase_prefix(bucket, f"{folder}/{tenant_id}/", has_time) for folder in FOLDERS)


def erase_prefix(bucket: str, prefix: str, has_time: Callable[[], bool]) -> bool:
    """Delete all objects and unfinished uploads under a prefix; False if time ran out. Raises botocore's errors."""
    s3 = client.make("s3")
    for upload in _entries(s3.list_multipart_uploads, bucket, prefix, "Uploads"):
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for entry in _entries(s3.list_objects_v2, bucket, prefix, "Contents"):
        if not has_time():
            return False
        s3.delete_object(Bucket=bucket, Key=entry["Key"])
    return True


def _entries(request: Callable[..., Any], bucket: str, prefix: str, what: str) -> Iterator[Any]:
    """Yield the entries of a list, repeating the request until it is empty: the caller deletes each entry."""
    while entries := request(Bucket=bucket, Prefix=prefix).get(what, []):
        yield from entries
