"""Reading, and deleting, many items at once."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from hangtag import runtime
from hangtag.errors import UnavailableError
from hangtag.store.db.client import dynamodb

__all__ = ["delete_partition", "read_all"]

BATCH = 100
# What BatchWriteItem takes.
WRITE_BATCH = 25
ATTEMPTS = 5
_FIRST_PAUSE_SECONDS = 0.05


def read_all(wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    """The items that exist, by their keys, consistently. Raises UnavailableError and botocore's errors."""
    table = runtime.settings().table
    pending: list[Any] = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in dict.fromkeys(wanted)]
    found: dict[tuple[str, str], Any] = {}
    if not pending:
        return found
    for attempt in range(ATTEMPTS + len(pending) // BATCH):
        batch, rest = pending[:BATCH], pending[BATCH:]
        # Consistent: a contact made a moment ago must be found, else another would be made.
        request: Any = {table: {"Keys": batch, "ConsistentRead": True}}
        answer = dynamodb().batch_get_item(RequestItems=request)
        for item in answer["Responses"].get(table, []):
            found[item["pk"]["S"], item["sk"]["S"]] = item
        unread: Any = answer.get("UnprocessedKeys", {})
        left = unread.get(table, {}).get("Keys", [])
        pending = left + rest
        if not pending:
            return found
        if left:
            time.sleep(_FIRST_PAUSE_SECONDS * 2**attempt)
    raise UnavailableError("the table leaves reads unanswered")


def delete_partition(pk: str, has_time: Callable[[], bool]) -> bool:
    """Delete all items of a partition; false when time ran out before. Raises botocore's errors."""
    table = runtime.settings().table
    while has_time():
        answer = dynamodb().query(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ProjectionExpression="pk, sk",
            ConsistentRead=True,
            Limit=WRITE_BATCH,
        )
        if not answer["Items"]:
            return True
        # What is left undone is found again by the next query.
        dynamodb().batch_write_item(
            RequestItems={table: [{"DeleteRequest": {"Key": item}} for item in answer["Items"]]}
        )
    return False
