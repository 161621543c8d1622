"""Cost of a report refresh as the work grows: requests and capacity, for hours with growing numbers of calls.

Calls are written directly to the table, and only this process's requests are counted.
"""

import os
import random
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from generated_calls import People, call_item, generate_call, people, put_all
from hangtag import runtime
from hangtag.services.reports import sums
from hangtag.store.db import client
from local.stack import Stack

DAY = datetime(2026, 3, 10, tzinfo=UTC)
# Share of a day's calls in its busiest hour.
BUSIEST = 0.12
CALLS_A_DAY = (1_000, 10_000, 100_000)
WRITERS = 8
_WRITES = ("PutItem", "UpdateItem", "DeleteItem")


@dataclass(slots=True)
class Cost:
    """Requests to the table and their bytes, counted like DynamoDB: names and values."""

    reads: int = 0
    writes: int = 0
    bytes_read: int = 0
    bytes_written: int = 0


@contextmanager
def count_requests() -> Iterator[Cost]:
    """Count this process's requests to the table during the block."""
    cost, events = Cost(), client.dynamodb().meta.events

    def count_write(params: Mapping[str, Any], model: Any, **_: Any) -> None:
        if model.name in _WRITES:
            cost.writes += 1
            cost.bytes_written += _size(params.get("Item", {}))

    def note(model: Any, parsed: Mapping[str, Any], **_: Any) -> None:
        if model.name not in _WRITES:
            cost.reads += 1
            several = parsed.get("Responses", {"": parsed.get("Items", [parsed.get("Item", {})])})
            cost.bytes_read += sum(_size(item) for items in several.values() for item in items)

    events.register("provide-client-params.dynamodb", count_write)
    events.register("after-call.dynamodb", note)
    try:
        yield cost
    finally:
        events.unregister("provide-client-params.dynamodb", count_write)
        events.unregister("after-call.dynamodb", note)


def _size(item: Mapping[str, Any]) -> int:
    """Return the bytes of an item in DynamoDB's form."""
    return sum(len(name) + len(next(iter(value.values()))) for name, value in item.items() if "BOOL" not in value)


@contextmanager
def lone_table(stack: Stack) -> Iterator[str]:
    """Bind this process to the stack's table, and disable the readers of its stream."""
    lambdas = stack.client("lambda")
    for function in ("TrackerFunction", "LiveFunction"):
        mappings = lambdas.list_event_source_mappings(FunctionName=stack.functions[function])["EventSourceMappings"]
        for mapping in (source["UUID"] for source in mappings if ":dynamodb:" in source["EventSourceArn"]):
            lambdas.update_event_source_mapping(UUID=mapping, Enabled=False)
    place = {
        "TABLE_NAME": stack.table,
        "AWS_ENDPOINT_URL": stack.endpoint,
        "AWS_DEFAULT_REGION": stack.region,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    before = runtime.settings()
    with patch.dict(os.environ, place):
        client.make.cache_clear()
        runtime.bind(runtime.Settings(table=stack.table))
        yield stack.table
    runtime.bind(before)
    client.make.cache_clear()


def refreshes(table: str, tenant_id: str) -> Iterator[tuple[int, int, str, Cost]]:
    """Yield for each size of a day: calls a day, calls of its busiest hour, the operation, and its cost.

    Each size has its own day with only the busiest hour, because no other hour takes part in the refresh.
    """
    chance = random.Random(20260310)  # noqa: S311
    office = people(chance, contacts=5_000, employees=50)
    for number, size in enumerate(CALLS_A_DAY):
        hour = DAY + timedelta(days=number, hours=10)
        busiest = round(size * BUSIEST)
        calls = list(_calls(chance, office, hour, busiest))
        _put(table, tenant_id, calls)
        with count_requests() as cost:
            assert sums.rebuild(tenant_id, hour)
        yield size, busiest, "first", cost
        changed = next(call for call in calls if call["tag_type"] == "call")
        changed["talk_seconds"] += 60
        _put(table, tenant_id, [changed])
        with count_requests() as cost:
            assert sums.rebuild(tenant_id, hour)
        yield size, busiest, "one changed", cost
        with count_requests() as cost:
            assert sums.rebuild(tenant_id, hour)
        yield size, busiest, "none changed", cost


def _calls(chance: random.Random, office: People, hour: datetime, count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield generate_call(chance, office, hour, timedelta(hours=1), number).body


def _put(table: str, tenant_id: str, calls: list[dict[str, Any]]) -> None:
    items = [call_item(tenant_id, body) for body in calls]
    parts = [items[start::WRITERS] for start in range(min(WRITERS, len(items)))]
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda part: put_all(client.dynamodb(), table, part), parts))
