"""The one write of the webhook: a call's event joins the set in the call's item.

Lies on the webhook's path: standard library and a client that the caller brings.
"""

from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from hangtag.domain.calls.event import CallEvent, Kind, fit
from hangtag.store.db.client import dynamodb, is_refused, table
from hangtag.store.db.keys import LIVE_SHARDS, call_pk, call_sk, live_shard, shard

if TYPE_CHECKING:
    pass

MAX_EVENTS = 200
SEAL_AFTER = timedelta(hours=24)
MAX_GENERATIONS = 9999
EVENT_PREFIX = "e#"
_OPENING = (Kind.RINGING, Kind.ANSWERED)


class AppendStatus(Enum):
    """What became of an event."""

    STORED = auto()
    DUPLICATE = auto()
    FULL = auto()


class AppendResult(NamedTuple):
    """Where an event went: into which generation of its call; `cut` if it was too long to be kept whole."""

    verdict: AppendStatus
    generation: int
    cut: bool


class Source(NamedTuple):
    """Whose PBX speaks."""

    tenant_id: str
    integration_id: str
    provider: str


def append(
    source: Source,
    event: CallEvent,
    arrived_at: datetime,
    sweep_after: timedelta,
) -> AppendResult:
    """Add an event to its call: one conditional UpdateItem, unless the call's item is sealed.

    An item is sealed 24 hours after its last event. A ringing or answered event then opens the next generation
    of the call (a PBX may use an id again); any other still joins the newest generation there is. Raises
    botocore's errors when the table refuses; nothing is lost then, and calling again is safe.
    """
    pk = call_pk(source.tenant_id, source.integration_id, event.call_id)
    text, cut = fit(event)
    name = EVENT_PREFIX + event.digest()
    write = _Write(pk, source, event.call_id, name, text, arrived_at, arrived_at + sweep_after)
    for generation in range(MAX_GENERATIONS):
        found = write.attempt(generation, sealed=False)
        if found is None:
            return AppendResult(AppendStatus.STORED, generation, cut)
        verdict = write.judge(found)
        if verdict is not None:
            return AppendResult(verdict, generation, cut)
        if event.kind in _OPENING:
            write.announce_next(generation)
        elif "next" not in found:
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
        """Write into one generation. None if written, else the item that refused the event."""
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
            if not is_refused(error):
                raise
            return dict(error.response.get("Item", {}))
        return None

    def judge(self, found: dict[str, Any]) -> AppendStatus | None:
        """Why an item refused the event; None if because it is sealed."""
        if self.name in found:
            return AppendStatus.DUPLICATE
        if int(found.get("n", {}).get("N", "0")) >= MAX_EVENTS:
            return AppendStatus.FULL
        return None

    def announce_next(self, generation: int) -> None:
        """Tell later summaries and recordings that a newer generation was opened."""
        dynamodb().update_item(
            TableName=table(),
            Key=self._key(generation),
            UpdateExpression="SET #next = :next",
            ExpressionAttributeNames={"#next": "next"},
            ExpressionAttributeValues={":next": {"S": call_sk(generation + 1)}},
        )
