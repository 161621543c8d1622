"""Lists, newest first: by day and by contact from the indexes, and lists within one partition."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from heapq import merge
from typing import Any

from hangtag.store.db.client import dynamodb, table
from hangtag.store.db.keys import DAY_SHARDS, key
from hangtag.store.db.paging import within

# Limits on the cost of one request; a list that ends early continues from its cursor.
MAX_DAYS = 92
MAX_SCANNED = 2000
_PAGE = 100

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Position to continue a list from: on this day, before this entry (from the day's end if None)."""

    day: date
    before: str | None


@dataclass(frozen=True, slots=True)
class Span:
    """The days of a list, both included."""

    oldest: date
    newest: date


def by_day(
    tenant_id: str,
    words: str | tuple[str, ...],
    span: Span,
    start: Place | None,
    limit: int,
    accept: Callable[[Body], bool],
) -> tuple[list[Body], Place | None]:
    """Return up to `limit` accepted bodies of one list or of several merged ones, and the place of the next page.

    `words` are names of lists in the index of days, such as CALLS. A page can be short or empty and still have a next
    one. Raises botocore's errors.
    """
    words = (words,) if isinstance(words, str) else words
    day, before = (start.day, start.before) if start else (span.newest, None)
    day = min(day, span.newest)
    bodies: list[Body] = []
    scanned = 0
    for _ in range(MAX_DAYS):
        if day < span.oldest:
            return bodies, None
        for order, _, body in _day(tenant_id, words, day, before, limit):
            scanned += 1
            if accept(body):
                bodies.append(body)
            if len(bodies) == limit or scanned == MAX_SCANNED:
                return bodies, Place(day, order)
        day, before = day - timedelta(days=1), None
    return bodies, Place(day, None) if day >= span.oldest else None


def _day(
    tenant_id: str, words: tuple[str, ...], day: date, before: str | None, limit: int
) -> Iterator[tuple[str, str, Body]]:
    shards = [
        _entries(
            "day",
            key("T", tenant_id, word, day.isoformat(), str(number)),
            before,
            min(limit, _PAGE),
        )
        for word in words
        for number in range(DAY_SHARDS)
    ]
    return merge(*shards, key=lambda entry: entry[0], reverse=True)


def by_contact(
    tenant_id: str,
    contact_id: str,
    before: str | None,
    limit: int,
    accept: Callable[[str, Body], bool],
) -> tuple[list[tuple[str, Body]], str | None]:
    """Return up to `limit` entries of a contact, and the order key to continue before.

    Each entry has its kind, `tag` or `comment`.
    """
    page: list[tuple[str, Body]] = []
    of_contact = key("T", tenant_id, "CONTACT", contact_id)
    entries = _entries("contact", of_contact, before, min(limit, _PAGE))
    for scanned, (order, kind, body) in enumerate(entries, start=1):
        if accept(kind, body):
            page.append((kind, body))
        if len(page) == limit or scanned == MAX_SCANNED:
            return page, order
    return page, None


def of_partition(pk: str, word: str, limit: int, before: str | None) -> tuple[list[Body], str | None]:
    """Return up to `limit` bodies of a kind in one partition, and the key to continue before, by a consistent read.

    `word` is the first part of their sort keys, their time follows. Raises BadInputError for a key outside this list.
    """
    start: Any = {}
    if before is not None:
        start = {"ExclusiveStartKey": {"pk": {"S": pk}, "sk": {"S": within(key(word, ""), before)}}}
    response = dynamodb().query(
        TableName=table(),
        KeyConditionExpression="pk = :pk AND begins_with(sk, :word)",
        ExpressionAttributeValues={":pk": {"S": pk}, ":word": {"S": key(word, "")}},
        ScanIndexForward=False,
        ConsistentRead=True,
        Limit=limit,
        **start,
    )
    following = response.get("LastEvaluatedKey", {}).get("sk", {}).get("S")
    return [json.loads(item["body"]["S"]) for item in response["Items"]], following


def _entries(index: str, of: str, before: str | None, page: int) -> Iterator[tuple[str, str, Body]]:
    """Yield order, kind and body of one key's entries in an index, newest first, reading pages on demand."""
    condition = f"{index}_key = :key"
    values: Any = {":key": {"S": of}}
    if before is not None:
        condition += f" AND {index}_order < :before"
        values[":before"] = {"S": before}
    arguments: dict[str, Any] = {}
    while True:
        response = dynamodb().query(
            TableName=table(),
            IndexName=index,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            Limit=page,
            **arguments,
        )
        for item in response["Items"]:
            yield item[f"{index}_order"]["S"], item["kind"]["S"], json.loads(item["body"]["S"])
        if "LastEvaluatedKey" not in response:
            return
        arguments = {"ExclusiveStartKey": response["LastEvaluatedKey"]}
