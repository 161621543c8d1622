"""Calls for reports: those of one UTC hour, from the index of days."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from hangtag.store.calls import missed_calls
from hangtag.store.db.client import dynamodb, table
from hangtag.store.db.keys import DAY_SHARDS, key
from hangtag.store.db.listing import Body


def of_hour(tenant_id: str, hour: datetime) -> list[Body]:
    """Return the closed calls that began in an hour, in order. Raises botocore's errors."""
    entries = list(_entries(tenant_id, "CALLS", hour))
    return [body for _, body in sorted(entries, key=lambda pair: pair[0])]


def returns_of_hour(tenant_id: str, hour: datetime) -> dict[str, int]:
    """Return the returned missed calls of an hour: call ids, and the whole seconds until the return."""
    returns: dict[str, int] = {}
    for state in missed_calls.STATES:
        if state == missed_calls.OPEN:
            continue
        for _, body in _entries(tenant_id, missed_calls.word(state), hour):
            seconds = return_seconds(body)
            if seconds is not None:
                returns[str(body["call_id"])] = seconds
    return returns


def return_seconds(missed: Body) -> int | None:
    """Return the whole seconds from a stored missed call to the conversation that returned it, or None."""
    if missed.get("returned_at") is None:
        return None
    wait = datetime.fromisoformat(missed["returned_at"]) - datetime.fromisoformat(missed["at"])
    return max(0, int(wait.total_seconds()))


def _entries(tenant_id: str, word: str, hour: datetime) -> Iterator[tuple[str, Body]]:
    # Times start with their hour followed by ":"; ";" is the next character.
    begin = hour.strftime("%Y-%m-%dT%H")
    query = dynamodb().get_paginator("query")
    for number in range(DAY_SHARDS):
        values: Any = {
            ":day": {"S": key("T", tenant_id, word, hour.strftime("%Y-%m-%d"), str(number))},
            ":begin": {"S": f"{begin}:"},
            ":end": {"S": f"{begin};"},
        }
        pages = query.paginate(
            TableName=table(),
            IndexName="day",
            KeyConditionExpression="day_key = :day AND day_order BETWEEN :begin AND :end",
            ExpressionAttributeValues=values,
        )
        for page in pages:
            for item in page["Items"]:
                yield item["day_order"]["S"], json.loads(item["body"]["S"])
