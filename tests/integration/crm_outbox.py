"""Outbox of CRM messages for tests: tenants with an external CRM, and a queue with a simulated clock."""

import heapq
import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from fake_crm import FakeCrm
from hangtag.crm import config
from hangtag.services.crm.outbox_worker import deliver
from hangtag.store.crm import outbox
from hangtag.store.db import client
from hangtag.store.office import tenants
from local.stack import Stack

KEYS = "k" * 64
START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def tenant_with(external_crm: FakeCrm) -> str:
    """Create a tenant with this external CRM."""
    tenant, _ = tenants.create_tenant("Office", "RU", "Europe/Moscow", KEYS)
    config.connect(tenant.id, external_crm.url, "owner")
    return tenant.id


def write(writes: Any) -> None:
    client.dynamodb().transact_write_items(TransactItems=writes)


def put_tag(tenant: str, tag: str, at: datetime, revision: int = 1) -> str:
    """Write the message of a tag as emission does, and return its id."""
    writes = outbox.puts(tenant, "tag", tag, revision, {"tag": {"id": tag, "name": "Иван"}}, at)
    write(writes)
    return outbox.message_id("tag", tag, revision)


class Clock:
    """Current time of the simulated queue."""

    now = START


def run_queue(
    tenant: str, messages: list[tuple[datetime, str]], until: datetime, clock: "Clock | None" = None
) -> datetime:
    """Deliver the messages as the queue does, with the delays that the worker returns. Return the end time."""
    draw = random.Random(7).random  # noqa: S311
    order = itertools.count()
    queue = [(at, next(order), message) for at, message in messages]
    heapq.heapify(queue)
    now = START
    while queue:
        now, _, message = heapq.heappop(queue)
        assert now < until, "the queue is not empty in time"
        if clock is not None:
            clock.now = now
        wait = deliver(tenant, message, now, draw)
        if wait is not None:
            assert 1 <= wait <= 900
            heapq.heappush(queue, (now + timedelta(seconds=wait), next(order), message))
    return now


def items(stack: Stack, table: str, tenant: str) -> list[dict[str, Any]]:
    """Return the items of a tenant's outbox."""
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=table)
    rows = [item for page in pages for item in page["Items"]]
    return [item for item in rows if item["pk"]["S"].startswith(f"T#{tenant}#OUTBOX")]
