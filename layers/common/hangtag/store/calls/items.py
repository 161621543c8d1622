"""Call items: their reads, and the changes that the tracker, the sweeper and the emission make to them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from hangtag.domain.calls.event import CallEvent, decode, encode
from hangtag.domain.calls.fold import Call, fold
from hangtag.store.calls.events import EVENT_PREFIX, MAX_GENERATIONS
from hangtag.store.calls.recording_states import PREFIX as KEPT_PREFIX
from hangtag.store.calls.recording_states import RecordingState, parse_states
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.keys import DAY_SHARDS, LIVE_SHARDS, call_pk, call_sk, digest, key, live_shard, shard

# Last part of the id of a click-to-call call, in place of a generation.
CLICK = "click"


@dataclass(frozen=True, slots=True)
class CallKey:
    """Key of a call's item: the whole input of its execution and of every message about it."""

    pk: str
    sk: str

    @property
    def digest(self) -> str:
        """32 hexadecimal characters; also the id of the call's tag."""
        return digest(self.pk, self.sk)

    def item_key(self) -> dict[str, Any]:
        """Return the key in DynamoDB's form."""
        return {"pk": {"S": self.pk}, "sk": {"S": self.sk}}


@dataclass(frozen=True, slots=True)
class CallerLookup:
    """Result of the caller lookup for a live call.

    `answered`: the lookup ran after the answer. `is_new_contact`: the contact did not exist before this call, as far as
    the lookup saw.
    """

    contact_id: str | None
    answered: bool
    is_new_contact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallItem:
    """A call's item. `count` is its number of events, `emitted` the digest of the record last tagged.

    `from_task` is the task that the call was started from. `met` is the result of the caller lookup. `click_id` is the
    click that began the call, once it is matched. `first_at` is when the first event arrived, by our clock.
    `recordings` holds the state of each recording, by its id; `recordings_count` counts their changes.
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
    met: "CallerLookup | None" = None
    click_id: str | None = None
    first_at: datetime | None = None
    recordings: Mapping[str, RecordingState] = field(default_factory=dict)
    recordings_count: int = 0

    @property
    def public_id(self) -> str:
        """The call's id in the API: a matched call keeps its click's id."""
        if self.click_id is not None:
            return clicked_id(self.integration_id, self.click_id)
        return public_id(self.integration_id, self.key)

    @property
    def execution_name(self) -> str:
        """Name of the execution that should wait for this call."""
        return f"{self.key.digest}-{self.attempt}"

    @property
    def is_misplaced(self) -> bool:
        """True if the tag is not on the task that was chosen for the call since."""
        tagged = self.body is not None and self.body.get("tag_id") is not None
        return tagged and self.from_task not in (None, (self.body or {}).get("task_id"))

    def fold(self) -> Call:
        """Fold the current events into the record of the call."""
        return fold(self.events)


def parse(raw: Mapping[str, Any]) -> CallItem | None:
    """Parse an item from DynamoDB's form; None without events (a remnant of an erased call)."""
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
        met=_parse_lookup(raw["met"]["S"]) if "met" in raw else None,
        click_id=raw.get("click", {}).get("S"),
        first_at=datetime.fromtimestamp(float(raw["first_at"]["N"]), UTC) if "first_at" in raw else None,
        recordings=parse_states(raw),
        recordings_count=int(raw.get("kept_n", {}).get("N", "0")),
    )


def _parse_lookup(text: str) -> CallerLookup:
    body = json.loads(text)
    return CallerLookup(body["contact_id"], body["answered"], body.get("made", False))


def call_key(tenant_id: str, integration_id: str, call_id: str, generation: int = 0) -> CallKey:
    """Return the key of a call from the PBX's call id."""
    return CallKey(call_pk(tenant_id, integration_id, call_id), call_sk(generation))


def public_id(integration_id: str, call: CallKey) -> str:
    """Return a call's id in the API: integration, digest of the PBX's id, generation. Opaque to callers."""
    return f"{integration_id}.{call.pk.rsplit('#', 1)[1]}.{call.sk.rsplit('#', 1)[1]}"


def clicked_id(integration_id: str, click_id: str) -> str:
    """Return the API's id of a call that a click began; available before the PBX reports the call."""
    return f"{integration_id}.{click_id}.{CLICK}"


def click_of(public: str) -> str | None:
    """Return the click in a call's id, or None."""
    parts = public.split(".")
    return parts[1] if len(parts) == 3 and parts[2] == CLICK else None


def from_public_id(tenant_id: str, public: str) -> CallKey | None:
    """Return the key of a call from its id in the API, within the tenant; None for an invalid id."""
    parts = public.split(".")
    if len(parts) != 3 or not all(parts):
        return None
    integration_id, hashed, generation = parts
    return CallKey(key("T", tenant_id, "CALL", integration_id, hashed), key("CALL", generation))


def read_newest(tenant_id: str, integration_id: str, call_id: str) -> CallItem | None:
    """Return the newest generation of a call, by the PBX's id of it."""
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
    """Return the current item (a consistent read), or None."""
    response = dynamodb().get_item(TableName=table(), Key=call.item_key(), ConsistentRead=True)
    return parse(response["Item"]) if "Item" in response else None


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
    """Mark the tag as current and remove the call from the index of live calls; False if an event came since.

    Also False if a recording's state changed since: `body`, the call as the API shows it, would lack it. A closed call
    gets its index keys here.
    """
    start = str(body["started_at"] or "")
    day = (start or datetime.now(UTC).isoformat())[:10]
    bucket = shard(item.key.pk, DAY_SHARDS)
    return _update(
        item.key,
        "SET emitted = :record, body = :body, day_key = :day, day_order = :order"
        " REMOVE live_shard, live_due, task_token",
        f"n = :count AND {_same_recordings(item)}",
        {},
        {
            **_recordings_version(item),
            ":record": {"S": record},
            ":body": {"S": json.dumps(body, ensure_ascii=False)},
            ":day": {"S": key("T", item.tenant_id, "CALLS", day, str(bucket))},
            ":order": {"S": f"{start}#{item.key.digest}"},
            ":count": {"N": str(item.count)},
        },
    )


def set_recording_state(
    item: CallItem, recording_id: str, after: RecordingState, view: Mapping[str, Any] | None
) -> bool:
    """Store the state of a recording; False if the state or the call changed meanwhile.

    `view` is the call as the API shows it from then on, None if it was not tagged yet. Raises botocore's errors.
    """
    name = KEPT_PREFIX + recording_id
    update, condition = "SET #kept = :kept", f"attribute_exists(pk) AND {_same_recordings(item)}"
    values: dict[str, Any] = {":kept": {"S": after.to_text()}, ":one": {"N": "1"}, **_recordings_version(item)}
    if view is not None and item.emitted is not None:
        update += ", body = :body"
        condition += " AND emitted = :emitted"
        values |= {":body": {"S": json.dumps(view, ensure_ascii=False)}, ":emitted": {"S": item.emitted}}
    else:
        condition += " AND attribute_not_exists(emitted)"
    return _update(item.key, f"{update} ADD kept_n :one", condition, {"#kept": name}, values)


def _same_recordings(item: CallItem) -> str:
    return "kept_n = :kept_n" if item.recordings_count else "attribute_not_exists(kept_n)"


def _recordings_version(item: CallItem) -> dict[str, Any]:
    return {":kept_n": {"N": str(item.recordings_count)}} if item.recordings_count else {}


def set_caller(call: CallKey, met: CallerLookup) -> bool:
    """Store the result of the caller lookup; False if the call was deleted. Raises botocore's errors."""
    body = {"contact_id": met.contact_id, "answered": met.answered, "made": met.is_new_contact}
    values = {":met": {"S": json.dumps(body)}}
    return _update(call, "SET met = :met", "attribute_exists(pk)", {}, values)


def attach_click(call: CallKey, click_id: str, task_id: str | None) -> bool:
    """Store the click and the task that the call was started from; False if the call was deleted or has another click.

    Raises botocore's errors.
    """
    update, values = "SET click = :click", {":click": {"S": click_id}}
    if task_id is not None:
        update += ", task_id = if_not_exists(task_id, :task)"
        values[":task"] = {"S": task_id}
    condition = "attribute_exists(pk) AND (attribute_not_exists(click) OR click = :click)"
    return _update(call, update, condition, {}, values)


def assign_task(call: CallKey, task_id: str) -> bool:
    """Store the task for the call's tag; False if the call was deleted. Raises botocore's errors."""
    return _update(call, "SET task_id = :task", "attribute_exists(pk)", {}, {":task": {"S": task_id}})


def raise_attempt(item: CallItem, due: datetime) -> bool:
    """Have the tracker start another execution for a call that lost its own."""
    return _reschedule(item, due, item.attempt + 1)


def reschedule(item: CallItem, due: datetime) -> bool:
    """Change the item, which makes the tracker process it again, and move its next sweep to `due`."""
    return _reschedule(item, due, item.attempt)


def _reschedule(item: CallItem, due: datetime, attempt: int) -> bool:
    """Set time and attempt; False if the call changed meanwhile, since it then needs no help."""
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
        if not is_condition_failure(error):
            raise
        return False
    return True


def due(before: datetime) -> Iterator[CallKey]:
    """Yield the live calls of all tenants that are due. Raises botocore's errors."""
    moment = before.astimezone(UTC).isoformat(timespec="seconds")
    return _live(" AND live_due < :now", {":now": {"S": moment}}, {})


def live_calls(tenant_id: str) -> Iterator[CallKey]:
    """Yield the tenant's live calls and those without a current tag, in no order. Raises botocore's errors.

    They are filtered from all tenants' live calls: those of a few hours at most, a hundred bytes each.
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
            for entry in page["Items"]:
                yield CallKey(entry["pk"]["S"], entry["sk"]["S"])
