"""Plays one story at a fresh tenant, with one AWS call failing, and reads what came of it straight from the table."""

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
# What only the arrival of a delivery gives, or the tenant's and the run's own ids.
ARRIVAL = {"started_at", "answered_at", "ended_at", "first_at", "rang_at", "quiet_since", "call_id", "linked_call_id"}
OF_THE_RUN = {"id", "call_id", "contact_id", "at", "revision"}


@dataclass(frozen=True, slots=True)
class Result:
    """The calls of a run, in the order in which the story expects them, and all tags of its tenants.

    `things` counts the contacts, tasks and open missed calls of all its tenants.
    """

    records: tuple[str, ...]
    tags: tuple[str, ...]
    things: tuple[tuple[str, int], ...]


def given_up(sqs: Any) -> dict[str, int]:
    """How many messages each dead-letter queue holds, of those that hold any."""
    counts = {}
    for url in sqs.list_queues()["QueueUrls"]:
        if "DeadLetters" in url:
            said = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            counts[url.rsplit("/", 1)[1]] = int(said["Attributes"]["ApproximateNumberOfMessages"])
    return {name: count for name, count in counts.items() if count}


class NotDoneError(AssertionError):
    """A call had no current tag when the time was up."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where stories are played: a stack behind a fault proxy, and the tenants that others are copies of, by name."""

    dynamodb: Any
    sqs: Any
    table: str
    moulds: Mapping[str, Mould]
    token_key: str
    plan: FaultPlan

    def play(
        self, story: Story, target: Signature | None, side: Side, expected: Result | None = None
    ) -> tuple[Run, Result]:
        """Play a story, its target failing on that side; returns what was seen and what came of it.

        A parked delivery comes in later than the rest: what came of it is what is expected, or what there is when
        the time is up.
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
        """What came of a run, once every call of it is done."""
        keys = [self._key(tenants[told.tenant], fill(told.call, ids)) for told in story.expect]
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
        """Post the events in order; only what was answered 5xx is sent again."""
        sender = Sender(Backoff(attempts=20, first_seconds=0.1, longest_seconds=1.0))
        for event in story.events:
            tenant = tenants[event.tenant]
            form = {"planfix_token": tenant.planfix_token}
            form |= {name: fill(value, ids) for name, value in event.post.items()}
            answer = sender.send("POST", tenant.webhook_url, form=form)
            assert answer.status == event.reply, (story.name, answer)
            if event.call_id is None:
                continue
            # From one rest to the next, the calls of a run come in the same order each time.
            self._await(self._key(tenant, fill(event.call_id, ids)), _is_at_rest)

    def _key(self, tenant: Tenant, call_id: str) -> CallKey:
        return call_key(tenant.id, tenant.integration_id, call_id)

    def _await(self, place: CallKey, condition: Any) -> CallItem:
        """The call's item, once the condition holds."""
        clock = threading.Event()
        item = None
        for _ in range(int(DEADLINE_SECONDS / POLL_SECONDS)):
            found = self.dynamodb.get_item(TableName=self.table, Key=place.item_key(), ConsistentRead=True)
            item = parse(found["Item"]) if "Item" in found else None
            if item is not None and condition(item):
                return item
            # Nothing tells from outside that an item changed; this asks again a little later.
            clock.wait(POLL_SECONDS)
        raise NotDoneError(f"{condition.__name__}: {item}")

    def _of_days(self, tenant: Tenant, word: str) -> Iterator[Mapping[str, Any]]:
        """Everything of a kind that the index of days shows of a tenant."""
        now = datetime.now(UTC)
        # A run takes minutes at the most, and may go over midnight.
        for day in sorted({(now - timedelta(minutes=10)).date(), now.date()}):
            for number in range(DAY_SHARDS):
                place = key("T", tenant.id, word, day.isoformat(), str(number))
                found = self.dynamodb.query(
                    TableName=self.table,
                    IndexName="day",
                    KeyConditionExpression="day_key = :place",
                    ExpressionAttributeValues={":place": {"S": place}},
                )
                for item in found["Items"]:
                    yield json.loads(item["body"]["S"])


def _of_any_run(texts: tuple[str, ...], ids: Mapping[str, str]) -> tuple[str, ...]:
    """The texts without this run's own call ids, which recordings' links may hold."""
    for name, value in ids.items():
        texts = tuple(text.replace(value, name) for text in texts)
    return texts


def _is_at_rest(item: CallItem) -> bool:
    """Nothing more is to be done for a call until its next event, or until it has been quiet for long enough."""
    call = item.fold()
    met = item.met is not None or not call.legs
    return item.execution is not None and (_is_done(item) if call.closed else met)


def _is_done(item: CallItem) -> bool:
    return item.live_due is None and item.emitted == item.fold().digest()


def _record(item: CallItem) -> str:
    return json.dumps(_without(asdict(item.fold()), ARRIVAL), sort_keys=True, default=str)


def _tag(tag: Mapping[str, Any], mould: Mould) -> str:
    shown = {name: value for name, value in tag.items() if name not in OF_THE_RUN}
    # A task that the office had before has the same id in all its copies.
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
