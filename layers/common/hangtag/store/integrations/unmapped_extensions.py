"""Unmapped extensions: those that rang without an employee, counted for the admin who maps extensions.

key("T", tenant, "SEEN", integration) / key("EXTENSION", extension); expires 90 days after the last call.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from botocore.exceptions import ClientError

from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import key

WORD = "SEEN"
SK = "EXTENSION"
RETENTION = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class UnmappedExtension:
    """An extension without an employee: number of calls and time of the last one (ISO 8601 in UTC)."""

    extension: str
    calls: int
    last_seen_at: str


def count_call(tenant_id: str, integration_id: str, extensions: frozenset[str], call_digest: str) -> None:
    """Count a call for each extension; repeating the last call counts once. Raises botocore's errors."""
    moment = now()
    for extension in sorted(extensions):
        try:
            dynamodb().update_item(
                TableName=table(),
                Key={"pk": {"S": key("T", tenant_id, WORD, integration_id)}, "sk": {"S": key(SK, extension)}},
                UpdateExpression="SET kind = :kind, extension = :extension, last_call = :call, last_seen_at = :at,"
                " expires_at = :until ADD calls :one",
                ConditionExpression="attribute_not_exists(last_call) OR last_call <> :call",
                ExpressionAttributeValues={
                    ":kind": {"S": "seen"},
                    ":extension": {"S": extension},
                    ":call": {"S": call_digest},
                    ":at": {"S": iso(moment)},
                    ":until": {"N": str(int((moment + RETENTION).timestamp()))},
                    ":one": {"N": "1"},
                },
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise


def list_unmapped(tenant_id: str, integration_id: str) -> Iterator[UnmappedExtension]:
    """Yield the unmapped extensions of an integration, in order. Raises botocore's errors."""
    pages = (
        dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=table(),
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": key("T", tenant_id, WORD, integration_id)}},
        )
    )
    for page in pages:
        for item in page["Items"]:
            yield UnmappedExtension(item["extension"]["S"], int(item["calls"]["N"]), item["last_seen_at"]["S"])
