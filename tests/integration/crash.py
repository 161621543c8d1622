"""Player of one story at a new tenant with one failing AWS call. Reads the result directly from the table."""

import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fault_proxy import FaultPlan, Run, Side, Signature
from hangtag.store.calls import missed_calls
from hangtag.store.calls.items import CallItem, CallKey, call_key, parse
from hangtag.store.db.keys import DAY_SHARDS, key
from local.simulator.http import Backoff, Sender
from local.simulator.story import Story, fill
from office_clone import Mould, Tenant, cast

DEADLINE_SECONDS = 90.0
POLL_SECONDS = 0.5
# Fields that depend on the time of arrival, or on the ids of the tenant and the run.
ARRIVAL = {"started_at", "answered_at", "ended_at", "first_at", "rang_at", "quiet_since", "call_id", "linked_call_id"}
OF_THE_RUN = {"id", "call_id", "contact_id", "at", "revision"}


@dataclass(frozen=True, slots=True)
class Result:
    """Calls of a run, in the story's order, and all tags of its tenants.

    `things` counts the contacts, tasks and open missed calls of all its tenants.
    """

    records: tuple[str, ...]
    tags: tuple[str, ...]
    things: tuple[tuple[str, int], ...]


def dead_letters(sqs: Any) -> dict[str, int]:
    """Return the number of messages of each dead-letter queue that is not empty."""
    counts = {}
    for url in sqs.list_queues()["QueueUrls"]:
        if "DeadLetters" in url:
            response = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            counts[url.rsplit("/", 1)[1]] = int(response["Attributes"]["ApproximateNumberOfMessages"])
    return {name: count for name, count in counts.items() if count}


class NotDoneError(AssertionError):
    """A call without a current tag at the deadline."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stack behind a fault proxy, and the tenants by name that are copied for each run."""

    dynamodb: Any
    sqs: Any
    table: str
    moulds: Mapping[str, Mould]
    token_key: str
    plan: FaultPlan

    def play(
        self, story: Story, target: Signature | None, side: Side, expected: Result | None = None
    ) -> tuple[Run, Result]:
        """Play a story with its target failing on that side. Return the calls of the run and the result.

        A queued request is ingested later than the rest: waits for the expected result, until the deadline.
        """
        tenants: dict[str, Tenant] = {
            name: cast(self.dynamodb, self.table, self.moulds[name], self.token_key) for name in sorted(story.tenants)
        }
        run = Run(tuple(mark for tenant in tenants.values() for mark in tenant.marks), target, side)
        ids = {name: uuid.uuid4().hex for name in story.placeholders}
        clock = threading.Event()
        deadline = time.monotonic() + DEADLINE_SECONDS
        with self.plan.watch(run):
            self._post(story, tenants, ids)
            while True:
                result = self._result(story, tenants, ids)
                if result == (expected or result) or time.monotonic() > deadline:
                    return run, result
                clock.wait(POLL_SECONDS)

    def _result(self, story: Story, tenants: Mapping[str, Tenant], ids: Mapping[str, str]) -> Result:
        """Return the result of a run once all of its calls are done."""
        keys = [self._key(tenants[expected.tenant], fill(expected.call, ids)) for expected in story.expect]
        items = [self._await(key, _is_done) for key in keys]
        tags = tuple(
            _tag(tag, self.moulds[name]) for name, tenant in tenants.items() for tag in self._of_days(tenant, "TAGS")
        )
        records = tuple(_record(item) for item in items)
        things = tuple(
            (word, sum(1 for tenant in tenants.values() for _ in self._of_days(tenant, word)))
            for word in ("CONTACTS", "TASKS", missed_calls.word(missed_calls.OPEN))
        )
        return Result(_of_any_run(records, ids), tuple(sorted(_of_any_run(tags, ids))), things)

    def _post(self, story: Story, tenants: Mapping[str, Tenant], ids: Mapping[str, str]) -> None:
        """Post the events in order; only a request with a 5xx response is sent again."""
        sender = Sender(Backoff(attempts=20, first_seconds=0.1, longest_seconds=1.0))
        for event in story.events:
            tenant = tenants[event.tenant]
            form = {"planfix_token": tenant.planfix_token}
            form |= {name: fill(value, ids) for name, value in event.post.items()}
            response = sender.send("POST", tenant.webhook_url, form=form)
            assert response.status == event.reply, (story.name, response)
            if event.call_id is None:
                continue
            # Between two such waits, the AWS calls of a run have the same order each time.
            self._await(self._key(tenant, fill(event.call_id, ids)), _is_at_rest)

    def _key(self, tenant: Tenant, call_id: str) -> CallKey:
        return call_key(tenant.id, tenant.integration_id, call_id)

    def _await(self, place: CallKey, condition: Any) -> CallItem:
        """Return the call's item once the condition holds."""
        clock = threading.Event()
        item = None
        for _ in range(int(DEADLINE_SECONDS / POLL_SECONDS)):
            response = self.dynamodb.get_item(TableName=self.table, Key=place.item_key(), ConsistentRead=True)
            item = parse(response["Item"]) if "Item" in response else None
            if item is not None and condition(item):
                return item
            # Polled, because a changed item sends no notification.
            clock.wait(POLL_SECONDS)
        raise NotDoneError(f"{condition.__name__}: {item}")

    def _of_days(self, tenant: Tenant, word: str) -> Iterator[Mapping[str, Any]]:
        """Yield a tenant's items of a kind from the index by day."""
        now = datetime.now(UTC)
        # A run takes at most minutes, but can pass midnight.
        for day in sorted({(now - timedelta(minutes=10)).date(), now.date()}):
            for number in range(DAY_SHARDS):
                place = key("T", tenant.id, word, day.isoformat(), str(number))
                response = self.dynamodb.query(
                    TableName=self.table,
                    IndexName="day",
                    KeyConditionExpression="day_key = :place",
                    ExpressionAttributeValues={":place": {"S": place}},
                )
                for item in response["Items"]:
                    yield json.loads(item["body"]["S"])


def _of_any_run(texts: tuple[str, ...], ids: Mapping[str, str]) -> tuple[str, ...]:
    """Replace this run's own call ids, which links of recordings can contain."""
    for name, value in ids.items():
        texts = tuple(text.replace(value, name) for text in texts)
    return texts


def _is_at_rest(item: CallItem) -> bool:
    """Return True if a call needs no work until its next event, or until its settle time."""
    call = item.fold()
    looked_up = item.met is not None or not call.legs
    return item.execution is not None and (_is_done(item) if call.closed else looked_up)


def _is_done(item: CallItem) -> bool:
    return item.live_due is None and item.emitted == item.fold().digest()


def _record(item: CallItem) -> str:
    return json.dumps(_without(asdict(item.fold()), ARRIVAL), sort_keys=True, default=str)


def _tag(tag: Mapping[str, Any], mould: Mould) -> str:
    shown = {name: value for name, value in tag.items() if name not in OF_THE_RUN}
    # An existing task of the office has the same id in all copies.
    if tag["task_id"] and tag["task_id"] not in mould.text:
        shown["task_id"] = "new"
    shown["fields"] = [_field(field) for field in tag["fields"] if field["type"] not in ("time_period", "date_time")]
    return json.dumps(shown, sort_keys=True)


def _field(field: Mapping[str, Any]) -> list[Any]:
    value = field["value"]
    return [field["name"], value["name"] if isinstance(value, dict) else value]


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(inner, names) for name, inner in value.items() if name not in names}
    if isinstance(value, list | tuple):
        return [_without(inner, names) for inner in value]
    return value
