"""The webhook's one write: an event is appended to the set in its call's item.

On the webhook's path: standard library and botocore only.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from hangtag.domain.calls.event import CallEvent, Kind, fit
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.keys import LIVE_SHARDS, call_pk, call_sk, live_shard, shard

if TYPE_CHECKING:
    pass

MAX_EVENTS = 200
SEAL_AFTER = timedelta(hours=24)
MAX_GENERATIONS = 9999
EVENT_PREFIX = "e#"
_OPENING = (Kind.RINGING, Kind.ANSWERED)


class AppendStatus(Enum):
    """Result of appending an event."""

    STORED = auto()
    DUPLICATE = auto()
    FULL = auto()


class AppendResult(NamedTuple):
    """Result, generation of the call, and `cut`: the event was too long to be stored whole."""

    verdict: AppendStatus
    generation: int
    cut: bool

    @property
    def is_incomplete(self) -> bool:
        """True if the event is not stored, or not whole."""
        return self.verdict is AppendStatus.FULL or self.cut


class AppendedEvent(NamedTuple):
    """One event and the result of appending it."""

    event: CallEvent
    result: AppendResult


class Source(NamedTuple):
    """Tenant, integration and provider of an event."""

    tenant_id: str
    integration_id: str
    provider: str


def append_all(
    source: Source, events: Iterable[CallEvent], arrived_at: datetime, sweep_after: timedelta
) -> tuple[AppendedEvent, ...]:
    """Append events to their calls, in order. Raises botocore's errors; repeats are safe."""
    return tuple(AppendedEvent(event, append(source, event, arrived_at, sweep_after)) for event in events)


def append(
    source: Source,
    event: CallEvent,
    arrived_at: datetime,
    sweep_after: timedelta,
) -> AppendResult:
    """Append an event to its call: one conditional UpdateItem, unless the call's item is sealed.

    An item is sealed 24 hours after its last event. A ringing or answered event then opens the next generation of the
    call (a PBX can reuse an id); any other event is appended to the newest generation. Raises botocore's errors if the
    table rejects the write; nothing is lost then, and calling again is safe.
    """
    pk = call_pk(source.tenant_id, source.integration_id, event.call_id)
    text, cut = fit(event)
    name = EVENT_PREFIX + event.digest()
    write = _Write(pk, source, event.call_id, name, text, arrived_at, arrived_at + sweep_after)
    for generation in range(MAX_GENERATIONS):
        item = write.attempt(generation, sealed=False)
        if item is None:
            return AppendResult(AppendStatus.STORED, generation, cut)
        verdict = write.rejection_reason(item)
        if verdict is not None:
            return AppendResult(verdict, generation, cut)
        if event.kind in _OPENING:
            write.announce_next(generation)
        elif "next" not in item:
            stored = write.attempt(generation, sealed=True) is None
            return AppendResult(AppendStatus.STORED if stored else AppendStatus.DUPLICATE, generation, cut)
    return AppendResult(AppendStatus.FULL, MAX_GENERATIONS - 1, cut)


class _Write(NamedTuple):
    pk: str
    source: Source
    call_id: str
    name: str
    text: str
    arrived_at: datetime
    due_at: datetime

    def _key(self, generation: int) -> Any:
        return {"pk": {"S": self.pk}, "sk": {"S": call_sk(generation)}}

    def attempt(self, generation: int, *, sealed: bool) -> dict[str, Any] | None:
        """Write into one generation. Return None if written, otherwise the item that rejected the event."""
        arrival = str(int(self.arrived_at.timestamp()))
        values = {
            ":event": {"S": self.text},
            ":call": {"S": self.call_id},
            ":tenant": {"S": self.source.tenant_id},
            ":integration": {"S": self.source.integration_id},
            ":provider": {"S": self.source.provider},
            ":kind": {"S": "call"},
            ":shard": {"S": live_shard(shard(self.pk, LIVE_SHARDS))},
            ":due": {"S": self.due_at.astimezone(UTC).isoformat(timespec="seconds")},
            ":first": {"N": f"{self.arrived_at.timestamp():.3f}"},
            ":one": {"N": "1"},
            ":max": {"N": str(MAX_EVENTS)},
        }
        update = (
            "SET #event = :event, call_id = :call, tenant_id = :tenant, integration_id = :integration,"
            " provider = :provider, kind = :kind, live_shard = :shard, live_due = :due,"
            " first_at = if_not_exists(first_at, :first)"
        )
        condition = "attribute_not_exists(#event) AND (attribute_not_exists(n) OR n < :max)"
        if not sealed:
            update += ", last_at = :arrival"
            condition += " AND (attribute_not_exists(last_at) OR last_at >= :seal)"
            seal = self.arrived_at - SEAL_AFTER
            values |= {":arrival": {"N": arrival}, ":seal": {"N": str(int(seal.timestamp()))}}
        try:
            dynamodb().update_item(
                TableName=table(),
                Key=self._key(generation),
                UpdateExpression=update + " ADD n :one",
                ConditionExpression=condition,
                ExpressionAttributeNames={"#event": self.name},
                ExpressionAttributeValues=values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            return dict(error.response.get("Item", {}))
        return None

    def rejection_reason(self, item: dict[str, Any]) -> AppendStatus | None:
        """Return the reason why an item rejected the event; None if it is sealed."""
        if self.name in item:
            return AppendStatus.DUPLICATE
        if int(item.get("n", {}).get("N", "0")) >= MAX_EVENTS:
            return AppendStatus.FULL
        return None

    def announce_next(self, generation: int) -> None:
        """Mark that a newer generation was opened, for later summaries and recordings."""
        dynamodb().update_item(
            TableName=table(),
            Key=self._key(generation),
            UpdateExpression="SET #next = :next",
            ExpressionAttributeNames={"#next": "next"},
            ExpressionAttributeValues={":next": {"S": call_sk(generation + 1)}},
        )
