"""Low-level clients, created with botocore alone: boto3 would double the webhook's start."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from hangtag import runtime

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient


@lru_cache(maxsize=1)
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


@lru_cache(maxsize=8)
def make(
    service: str, *, connect: float = 1.0, read: float = 3.0, attempts: int = 3, endpoint: str | None = None
) -> Any:
    """Return a service's client, cached for the life of the process. `endpoint` is for services with one URL per API.

    The time limits (seconds) are short, because all callers are retried by the platform or fail open.
    """
    config = Config(
        connect_timeout=connect,
        read_timeout=read,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
        # By default botocore signs S3 links with the old version, which newer regions reject.
        signature_version="s3v4" if service == "s3" else None,
    )
    return _session().create_client(service, config=config, endpoint_url=endpoint)


def dynamodb() -> "DynamoDBClient":
    """Return the table's client."""
    return cast("DynamoDBClient", make("dynamodb"))


def is_condition_failure(error: ClientError) -> bool:
    """Return True if a write's condition failed, or if a transaction conflicted with another one."""
    code = error.response["Error"]["Code"]
    if code == "TransactionCanceledException":
        reasons: Any = error.response.get("CancellationReasons", [])
        return any(reason.get("Code") in ("ConditionalCheckFailed", "TransactionConflict") for reason in reasons)
    return bool(code == "ConditionalCheckFailedException")


def table() -> str:
    """Return the table's name."""
    return runtime.settings().table
