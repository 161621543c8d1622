"""Plays one story at a fresh tenant, with one AWS call failing, and reads what came of it straight from the table."""

import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fault_proxy import FaultPlan, Run, Side, Signature
from hangtag.store.calls import CallItem, CallKey, call_key, parse
from hangtag.store.keys import DAY_SHARDS, key
from local.simulator.http import Backoff, Sender
from local.simulator.story import Story, fill
from office_clone import Mould, Tenant, cast

DEADLINE_SECONDS = 120.0
POLL_SECONDS = 0.5
# What only the arrival of a delivery gives, or the tenant's and the run's own ids.
ARRIVAL = {"started_at", "answered_at", "ended_at", "first_at", "rang_at", "quiet_since", "call_id", "linked_call_id"}
OF_THE_RUN = {"id", "call_id", "contact_id", "at", "revision"}


@dataclass(frozen=True, slots=True)
class Result:
    """The calls of a run, in the order in which the story expects them, and all tags of its tenants."""

    records: tuple[str, ...]
    tags: tuple[str, ...]


class NotDoneError(AssertionError):
    """A call had no current tag when the time was up."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where stories are played: a stack behind a fault proxy, and the tenant that others are copies of."""

    dynamodb: Any
    table: str
    mould: Mould
    token_key: str
    plan: FaultPlan

    def play(self, story: Story, target: Signature | None, side: Side) -> tuple[Run, Result]:
        """Play a story, its target failing on that side; returns what was seen and what came of it."""
        tenants: dict[str, Tenant] = {
            name: cast(self.dynamodb, self.table, self.mould, self.token_key) for name in sorted(story.tenants)
        }
        run = Run(tuple(mark for tenant in tenants.values() for mark in tenant.marks), target, side)
        ids = {name: uuid.uuid4().hex for name in story.placeholders}
        with self.plan.watch(run):
            self._post(story, tenants, ids)
            keys = [self._key(tenants[told.tenant], fill(told.call, ids)) for told in story.expect]
            items = [self._await(key, _is_done) for key in keys]
        tags = tuple(tag for tenant in tenants.values() for tag in self._tags(tenant))
        records = tuple(_record(item) for item in items)
        return run, Result(_of_any_run(records, ids), tuple(sorted(_of_any_run(tags, ids))))

    def _post(self, story: Story, tenants: Mapping[str, Tenant], ids: Mapping[str, str]) -> None:
        """Post the events in order; only what was answered 5xx is sent again."""
        sender = Sender(Backoff(attempts=20, first_seconds=0.1, longest_seconds=1.0))
        begun: set[CallKey] = set()
        for event in story.events:
            tenant = tenants[event.tenant]
            form = {"planfix_token": tenant.planfix_token}
            form |= {name: fill(value, ids) for name, value in event.post.items()}
            answer = sender.send("POST", tenant.webhook_url, form=form)
            assert answer.status == event.reply, (story.name, answer)
            if event.call_id is None:
                continue
            place = self._key(tenant, fill(event.call_id, ids))
            if place not in begun:
                begun.add(place)
                # From here on, the calls of a run come in the same order each time.
                self._await(place, _has_begun)

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

    def _tags(self, tenant: Tenant) -> Iterator[str]:
        """Every tag of a tenant that the index of days shows."""
        now = datetime.now(UTC)
        for day in (now - timedelta(days=1), now):
            for number in range(DAY_SHARDS):
                place = key("T", tenant.id, "TAGS", day.date().isoformat(), str(number))
                found = self.dynamodb.query(
                    TableName=self.table,
                    IndexName="day",
                    KeyConditionExpression="day_key = :place",
                    ExpressionAttributeValues={":place": {"S": place}},
                )
                for item in found["Items"]:
                    yield _tag(json.loads(item["body"]["S"]))


def _of_any_run(texts: tuple[str, ...], ids: Mapping[str, str]) -> tuple[str, ...]:
    """The texts without this run's own call ids, which recordings' links may hold."""
    for name, value in ids.items():
        texts = tuple(text.replace(value, name) for text in texts)
    return texts


def _has_begun(item: CallItem) -> bool:
    return item.execution is not None or item.emitted is not None


def _is_done(item: CallItem) -> bool:
    return item.live_due is None and item.emitted == item.fold().digest()


def _record(item: CallItem) -> str:
    return json.dumps(_without(asdict(item.fold()), ARRIVAL), sort_keys=True, default=str)


def _tag(tag: Mapping[str, Any]) -> str:
    shown = {name: value for name, value in tag.items() if name not in OF_THE_RUN}
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
