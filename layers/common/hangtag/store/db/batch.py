"""Reads and deletions of many items at once."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from hangtag import runtime
from hangtag.errors import UnavailableError
from hangtag.store.db.client import dynamodb

__all__ = ["delete_partition", "read_all"]

BATCH = 100
# Limit of BatchWriteItem.
WRITE_BATCH = 25
ATTEMPTS = 5
_FIRST_PAUSE_SECONDS = 0.05


def read_all(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    """Return the items that exist, by their keys, with consistent reads. Raises UnavailableError and botocore's
    errors.
    """
    table = runtime.settings().table
    pending: list[Any] = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in dict.fromkeys(keys)]
    items: dict[tuple[str, str], Any] = {}
    if not pending:
        return items
    for attempt in range(ATTEMPTS + len(pending) // BATCH):
        batch, rest = pending[:BATCH], pending[BATCH:]
        # Consistent, because a second contact would be created for a number whose first one is a moment old.
        request: Any = {table: {"Keys": batch, "ConsistentRead": True}}
        response = dynamodb().batch_get_item(RequestItems=request)
        for item in response["Responses"].get(table, []):
            items[item["pk"]["S"], item["sk"]["S"]] = item
        unread: Any = response.get("UnprocessedKeys", {})
        unprocessed = unread.get(table, {}).get("Keys", [])
        pending = unprocessed + rest
        if not pending:
            return items
        if unprocessed:
            time.sleep(_FIRST_PAUSE_SECONDS * 2**attempt)
    raise UnavailableError("The table did not return all items. Try again later.")


def delete_partition(pk: str, has_time: Callable[[], bool]) -> bool:
    """Delete all items of a partition; False if time ran out first. Raises botocore's errors."""
    table = runtime.settings().table
    while has_time():
        response = dynamodb().query(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ProjectionExpression="pk, sk",
            ConsistentRead=True,
            Limit=WRITE_BATCH,
        )
        if not response["Items"]:
            return True
        # The next query returns the items that were not processed.
        dynamodb().batch_write_item(
            RequestItems={table: [{"DeleteRequest": {"Key": item}} for item in response["Items"]]}
        )
    return False
