"""Call items: reading them, and the changes that the tracker, the sweeper and the emission make to them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from hangtag.domain.calls.event import CallEvent, decode, encode
from hangtag.domain.calls.fold import Call, fold
from hangtag.store.calls.events import EVENT_PREFIX, MAX_GENERATIONS
from hangtag.store.calls.recording_states import PREFIX as KEPT_PREFIX
from hangtag.store.calls.recording_states import RecordingState, read_kept
from hangtag.store.db.client import dynamodb, is_refused, table
from hangtag.store.db.keys import DAY_SHARDS, LIVE_SHARDS, call_pk, call_sk, digest, key, live_shard, shard

# Ends the id of a clicked call, where others have their generation.
CLICK = "click"


@dataclass(frozen=True, slots=True)
class CallKey:
    """Where a call's item is: the whole input of its execution and of every message about it."""

    pk: str
    sk: str

    @property
    def digest(self) -> str:
        """32 hexadecimal characters; also the id of the call's tag."""
        return digest(self.pk, self.sk)

    def item_key(self) -> dict[str, Any]:
        """The key in DynamoDB's form."""
        return {"pk": {"S": self.pk}, "sk": {"S": self.sk}}


@dataclass(frozen=True, slots=True)
class Met:
    """What is known of the other party of a call that goes on.

    `answered`: it was looked up after the answer. `made`: the contact was not there before this call, as far as it saw.
    """

    contact_id: str | None
    answered: bool
    made: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallItem:
    """A call's item. `count` is how many events it holds, `emitted` the digest of the record last tagged.

    `from_task` is the task that the call was made from. `met` is what is known of the other party while it rings.
    `click_id` is the click that began the call, once it is known. `first_at` is when the first of its events arrived,
    by our clock. `recordings` says what became of each recording, by its id; `recordings_count` counts the changes.
    """

    key: CallKey
    tenant_id: str
    integration_id: str
    provider: str
    call_id: str
    events: tuple[CallEvent, ...]
    count: int
    attempt: int
    execution: str | None
    task_token: str | None
    emitted: str | None
    live_due: str | None
    body: Mapping[str, Any] | None
    has_next: bool
    from_task: str | None = None
    met: "Met | None" = None
    click_id: str | None = None
    first_at: datetime | None = None
    recordings: Mapping[str, RecordingState] = field(default_factory=dict)
    recordings_count: int = 0

    @property
    def public_id(self) -> str:
        """The call's id in the API: a clicked call keeps the one that its click was given."""
        if self.click_id is not None:
            return clicked_id(self.integration_id, self.click_id)
        return public_id(self.integration_id, self.key)

    @property
    def execution_name(self) -> str:
        """The execution that should wait for this call."""
        return f"{self.key.digest}-{self.attempt}"

    @property
    def is_misplaced(self) -> bool:
        """Whether the tag was put elsewhere than on the task that somebody chose since."""
        tagged = self.body is not None and self.body.get("tag_id") is not None
        return tagged and self.from_task not in (None, (self.body or {}).get("task_id"))

    def fold(self) -> Call:
        """The record of the call, as its events tell it now."""
        return fold(self.events)


def parse(raw: Mapping[str, Any]) -> CallItem | None:
    """The item from DynamoDB's form; None for a husk that holds no event (a trace of an erased call)."""
    call_id = raw.get("call_id", {}).get("S")
    if call_id is None:
        return None
    events = tuple(decode(call_id, value["S"]) for name, value in raw.items() if name.startswith(EVENT_PREFIX))
    body = raw.get("body", {}).get("S")
    return CallItem(
        key=CallKey(raw["pk"]["S"], raw["sk"]["S"]),
        tenant_id=raw["tenant_id"]["S"],
        integration_id=raw["integration_id"]["S"],
        provider=raw["provider"]["S"],
        call_id=call_id,
        events=events,
        count=int(raw["n"]["N"]),
        attempt=int(raw.get("attempt", {}).get("N", "0")),
        execution=raw.get("execution", {}).get("S"),
        task_token=raw.get("task_token", {}).get("S"),
        emitted=raw.get("emitted", {}).get("S"),
        live_due=raw.get("live_due", {}).get("S"),
        body=json.loads(body) if body else None,
        has_next="next" in raw,
        from_task=raw.get("task_id", {}).get("S"),
        met=Met(**json.loads(raw["met"]["S"])) if "met" in raw else None,
        click_id=raw.get("click", {}).get("S"),
        first_at=datetime.fromtimestamp(float(raw["first_at"]["N"]), UTC) if "first_at" in raw else None,
        recordings=read_kept(raw),
        recordings_count=int(raw.get("kept_n", {}).get("N", "0")),
    )


def call_key(tenant_id: str, integration_id: str, call_id: str, generation: int = 0) -> CallKey:
    """The key of a call from the PBX's id of it."""
    return CallKey(call_pk(tenant_id, integration_id, call_id), call_sk(generation))


def public_id(integration_id: str, call: CallKey) -> str:
    """A call's id in the API: integration, digest of the PBX's id, generation. Opaque to callers."""
    return f"{integration_id}.{call.pk.rsplit('#', 1)[1]}.{call.sk.rsplit('#', 1)[1]}"


def clicked_id(integration_id: str, click_id: str) -> str:
    """The id in the API of a call that a click began; known before the PBX says anything of it."""
    return f"{integration_id}.{click_id}.{CLICK}"


def click_of(public: str) -> str | None:
    """The click in a call's id, if it has such a one."""
    parts = public.split(".")
    return parts[1] if len(parts) == 3 and parts[2] == CLICK else None


def from_public_id(tenant_id: str, public: str) -> CallKey | None:
    """The key of a call from its id in the API, within the tenant; None if it can be no such id."""
    parts = public.split(".")
    if len(parts) != 3 or not all(parts):
        return None
    integration_id, hashed, generation = parts
    return CallKey(key("T", tenant_id, "CALL", integration_id, hashed), key("CALL", generation))


def read_newest(tenant_id: str, integration_id: str, call_id: str) -> CallItem | None:
    """The newest generation of a call, by the PBX's id of it."""
    newest = None
    for generation in range(MAX_GENERATIONS):
        item = read(call_key(tenant_id, integration_id, call_id, generation))
        if item is None:
            return newest
        newest = item
        if not item.has_next:
            return item
    return newest


def read(call: CallKey) -> CallItem | None:
    """The item as it is now (a consistent read); None if there is none."""
    found = dynamodb().get_item(TableName=table(), Key=call.item_key(), ConsistentRead=True)
    return parse(found["Item"]) if "Item" in found else None


def settle(item: CallItem, event: CallEvent) -> bool:
    """Add a `settled` event, only if no event came since the item was read."""
    return _update(
        item.key,
        "SET #event = :event ADD n :one",
        "n = :count AND attribute_not_exists(#event)",
        {"#event": EVENT_PREFIX + event.digest()},
        {
            ":event": {"S": encode(event)},
            ":one": {"N": "1"},
            ":count": {"N": str(item.count)},
        },
    )


def mark_emitted(item: CallItem, record: str, body: Mapping[str, Any]) -> bool:
    """Say that the tag is current, and take the call off the list of live ones; False if an event came since.

    False too if something became of a recording since: `body`, the call as the API shows it, would not say it. A closed
    call gets its index keys here.
    """
    started = str(body["started_at"] or "")
    day = (started or datetime.now(UTC).isoformat())[:10]
    bucket = shard(item.key.pk, DAY_SHARDS)
    return _update(
        item.key,
        "SET emitted = :record, body = :body, day_key = :day, day_order = :order"
        " REMOVE live_shard, live_due, task_token",
        f"n = :count AND {_same_recordings(item)}",
        {},
        {
            **_recordings_seen(item),
            ":record": {"S": record},
            ":body": {"S": json.dumps(body, ensure_ascii=False)},
            ":day": {"S": key("T", item.tenant_id, "CALLS", day, str(bucket))},
            ":order": {"S": f"{started}#{item.key.digest}"},
            ":count": {"N": str(item.count)},
        },
    )


def note_recording(item: CallItem, recording_id: str, after: RecordingState, view: Mapping[str, Any] | None) -> bool:
    """Say what became of a recording; False if something else did meanwhile, or the call was changed.

    `view` is the call as the API shows it from then on, None if it was not tagged yet. Raises botocore's errors.
    """
    name = KEPT_PREFIX + recording_id
    update, condition = "SET #kept = :kept", f"attribute_exists(pk) AND {_same_recordings(item)}"
    values: dict[str, Any] = {":kept": {"S": after.to_text()}, ":one": {"N": "1"}, **_recordings_seen(item)}
    if view is not None and item.emitted is not None:
        update += ", body = :body"
        condition += " AND emitted = :emitted"
        values |= {":body": {"S": json.dumps(view, ensure_ascii=False)}, ":emitted": {"S": item.emitted}}
    else:
        condition += " AND attribute_not_exists(emitted)"
    return _update(item.key, f"{update} ADD kept_n :one", condition, {"#kept": name}, values)


def _same_recordings(item: CallItem) -> str:
    return "kept_n = :kept_n" if item.recordings_count else "attribute_not_exists(kept_n)"


def _recordings_seen(item: CallItem) -> dict[str, Any]:
    return {":kept_n": {"N": str(item.recordings_count)}} if item.recordings_count else {}


def meet(call: CallKey, met: Met) -> bool:
    """Note who the other party is; false if the call is gone. Raises botocore's errors."""
    values = {":met": {"S": json.dumps(asdict(met))}}
    return _update(call, "SET met = :met", "attribute_exists(pk)", {}, values)


def be_clicked(call: CallKey, click_id: str, task_id: str | None) -> bool:
    """Note that a click began the call, and from which task; false if the call is gone or another click's.

    Raises botocore's errors.
    """
    update, values = "SET click = :click", {":click": {"S": click_id}}
    if task_id is not None:
        update += ", task_id = if_not_exists(task_id, :task)"
        values[":task"] = {"S": task_id}
    condition = "attribute_exists(pk) AND (attribute_not_exists(click) OR click = :click)"
    return _update(call, update, condition, {}, values)


def put_on_task(call: CallKey, task_id: str) -> bool:
    """Say to which task the call's tag goes; false if the call is gone. Raises botocore's errors."""
    return _update(call, "SET task_id = :task", "attribute_exists(pk)", {}, {":task": {"S": task_id}})


def raise_attempt(item: CallItem, due: datetime) -> bool:
    """Have the tracker start another execution for a call whose own is gone."""
    return _reschedule(item, due, item.attempt + 1)


def nudge(item: CallItem, due: datetime) -> bool:
    """Change the item, so that the tracker looks at it again, and put off the next sweep of it to `due`."""
    return _reschedule(item, due, item.attempt)


def _reschedule(item: CallItem, due: datetime, attempt: int) -> bool:
    """False if something else changed the call meanwhile: then it needs no help."""
    return _update(
        item.key,
        "SET live_shard = :shard, live_due = :due, attempt = :attempt",
        "n = :count AND (attribute_not_exists(attempt) OR attempt = :seen)",
        {},
        {
            ":shard": {"S": live_shard(shard(item.key.pk, LIVE_SHARDS))},
            ":due": {"S": due.astimezone(UTC).isoformat(timespec="seconds")},
            ":attempt": {"N": str(attempt)},
            ":seen": {"N": str(item.attempt)},
            ":count": {"N": str(item.count)},
        },
    )


def _update(
    call: CallKey,
    update: str,
    condition: str,
    names: dict[str, str],
    values: dict[str, Any],
) -> bool:
    arguments: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
    try:
        dynamodb().update_item(
            TableName=table(),
            Key=call.item_key(),
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
            **arguments,
        )
    except ClientError as error:
        if not is_refused(error):
            raise
        return False
    return True


def due(before: datetime) -> Iterator[CallKey]:
    """The live calls whose time to be looked at has come, of all tenants. Raises botocore's errors."""
    moment = before.astimezone(UTC).isoformat(timespec="seconds")
    return _live(" AND live_due < :now", {":now": {"S": moment}}, {})


def live_calls(tenant_id: str) -> Iterator[CallKey]:
    """The tenant's calls that go on, or whose tag is still to come, in no order. Raises botocore's errors.

    They lie among all tenants' live calls: those of a few hours at the most, a hundred bytes each.
    """
    own = {":tenant": {"S": key("T", tenant_id, "CALL", "")}}
    return _live("", own, {"FilterExpression": "begins_with(pk, :tenant)"})


def _live(condition: str, values: Mapping[str, Any], more: Mapping[str, Any]) -> Iterator[CallKey]:
    """Walk the index of live calls, shard by shard; `condition` narrows each one's key, `more` the query."""
    query = dynamodb().get_paginator("query")
    for number in range(LIVE_SHARDS):
        pages = query.paginate(
            TableName=table(),
            IndexName="live",
            KeyConditionExpression="live_shard = :shard" + condition,
            ExpressionAttributeValues={":shard": {"S": live_shard(number)}, **values},
            **more,
        )
        for page in pages:
            for found in page["Items"]:
                yield CallKey(found["pk"]["S"], found["sk"]["S"])
