"""Erasure of a tenant: deletion of all its items, in repeatable steps.

Deleted are the tenant's own partition (integrations, employees, groups, lines, settings, tokens), and from there the
webhook and API tokens, the claims of extensions and numbers, and the request log; entries of the index of days
(contacts, calls, tags, tasks, missed calls, CRM messages, first calls), each with its whole partition; the sums of
reports, which have a partition for each day; live calls by their index; and the tenant's single partitions. A new kind
of item must be added here; a test checks the whole table. Idempotency records contain responses only, and expire within
a day.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hangtag.domain.calls.classify import TagType
from hangtag.domain.tags.definition import NUMBER_PLACE
from hangtag.errors import UnavailableError
from hangtag.store.calls import clicks, missed_calls, recordings
from hangtag.store.calls.items import CallKey, live_calls
from hangtag.store.db import files, tenant_list
from hangtag.store.db.client import dynamodb, table
from hangtag.store.db.keys import DAY_SHARDS, key
from hangtag.store.reports import first_calls, marks, sums

BATCH = 25
ATTEMPTS = 6
_FIRST_PAUSE_SECONDS = 0.05
Key = tuple[str, str]
# A PBX's clock can be off by two days, and its calls are stored under the PBX's day.
_CLOCK = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of an erasure: `done`, or the day down to which calls, tags and contacts are deleted."""

    done: bool
    day: date


def erase(tenant_id: str, created_at: str, day: date | None, has_time: Callable[[], bool]) -> Progress:
    """Delete the items of a tenant while there is time; continue with the returned `day`.

    Tokens are deleted first, which stops new data; the tenant itself is deleted last. Raises botocore's errors.
    """
    newest = datetime.now(UTC).date() + _CLOCK
    first = datetime.fromisoformat(created_at).date() - _CLOCK
    day = day or newest
    if not _delete(_tokens(tenant_id), has_time):
        return Progress(False, day)
    while day >= first:
        if not has_time() or not _delete(_of_day(tenant_id, day), has_time):
            return Progress(False, day)
        day -= timedelta(days=1)
    # Calls in progress when the tokens were deleted can have left items on the latest days.
    latest = (newest - timedelta(days=back) for back in range(2 * _CLOCK.days))
    steps: list[Iterable[Key]] = [
        _of_live_calls(tenant_id),
        (item_key for day in latest for item_key in _of_day(tenant_id, day)),
        _of_people_and_pbxs(tenant_id),
        _of_own_partition(tenant_id),
    ]
    if not all(_delete(step, has_time) for step in steps) or not has_time():
        return Progress(False, day)
    if not files.erase_files(tenant_id, has_time) or not recordings.erase_tenant(tenant_id, has_time):
        return Progress(False, day)
    own = key("T", tenant_id)
    last = [(own, "SETTINGS"), tenant_list.place(tenant_id, created_at), (own, "TENANT")]
    _delete(last, lambda: True)
    return Progress(True, day)


def _delete(keys: Iterable[Key], has_time: Callable[[], bool]) -> bool:
    """Delete items in order, in batches; False if time ran out before the last."""
    batch: dict[Key, None] = {}
    for item_key in keys:
        batch[item_key] = None
        if len(batch) == BATCH:
            if not has_time():
                return False
            _write(batch)
            batch = {}
    if batch:
        if not has_time():
            return False
        _write(batch)
    return True


def _write(keys: Iterable[Key]) -> None:
    """Delete one batch completely: later items in the order lead to earlier ones."""
    pending: Any = [{"DeleteRequest": {"Key": {"pk": {"S": pk}, "sk": {"S": sk}}}} for pk, sk in keys]
    for attempt in range(ATTEMPTS):
        response = dynamodb().batch_write_item(RequestItems={table(): pending})
        pending = response.get("UnprocessedItems", {}).get(table(), [])
        if not pending:
            return
        time.sleep(_FIRST_PAUSE_SECONDS * 2**attempt)
    raise UnavailableError("The table did not delete all items. Try again later.")


def _partition(pk: str, prefix: str = "") -> Iterator[Any]:
    condition, values = "pk = :pk", {":pk": {"S": pk}}
    if prefix:
        condition += " AND begins_with(sk, :prefix)"
        values[":prefix"] = {"S": prefix}
    yield from _query(KeyConditionExpression=condition, ExpressionAttributeValues=values, ConsistentRead=True)


def _query(**arguments: Any) -> Iterator[Any]:
    for page in dynamodb().get_paginator("query").paginate(TableName=table(), **arguments):
        yield from page["Items"]


def _tokens(tenant_id: str) -> Iterator[Key]:
    own = key("T", tenant_id)
    for item in _partition(own, key("INTEGRATION", "")):
        for hashed in json.loads(item["hook_hashes"]["S"]):
            yield key("TOKEN", hashed), "HOOK"
    for item in _partition(own, key("TOKEN", "")):
        yield key("TOKEN", item["sk"]["S"].removeprefix(key("TOKEN", ""))), "API"


def _of_people_and_pbxs(tenant_id: str) -> Iterator[Key]:
    own = key("T", tenant_id)
    for item in _partition(own, key("EMPLOYEE", "")):
        yield from _claims_of_employee(tenant_id, item)
    for item in _partition(own, key("LIVE", "")):
        for connection_id in item.get("connections", {}).get("SS", ()):
            yield key("CONN", connection_id), "CONN"
    for item in _partition(own, key("INTEGRATION", "")):
        for word in ("DELIVERY", "SEEN", "RECOVERED"):
            yield from _all(key("T", tenant_id, word, item["id"]["S"]))
    for word in ("BUSY", "CLICKING", "LIVE", marks.WORD):
        yield from _all(key("T", tenant_id, word))


def _of_own_partition(tenant_id: str) -> Iterator[Key]:
    own = key("T", tenant_id)
    for item in _partition(own):
        # The erasure needs the tenant until the end.
        if item["sk"]["S"] not in ("TENANT", "SETTINGS"):
            yield own, item["sk"]["S"]


def _claims_of_employee(tenant_id: str, item: Any) -> Iterator[Key]:
    for extension in json.loads(item["extensions"]["S"]):
        yield key("T", tenant_id, "EXT", extension["integration_id"], extension["extension"]), "EXT"
    for phone in json.loads(item["phones"]["S"]):
        yield key("T", tenant_id, "PHONE", phone["e164"]), "EMPLOYEE"


# Words of the lists in the index of days.
WORDS = (
    "CONTACTS",
    "CALLS",
    clicks.LIST,
    "TAGS",
    "TASKS",
    "OUTBOX",
    "COMMENTS",
    first_calls.LIST,
    *map(missed_calls.word, missed_calls.STATES),
)


def _of_day(tenant_id: str, day: date) -> Iterator[Key]:
    for word in WORDS:
        for number in range(DAY_SHARDS):
            of_day = key("T", tenant_id, word, day.isoformat(), str(number))
            yield from _of_index(tenant_id, of_day)
    yield from _all(sums.partition(tenant_id, day))


def _of_index(tenant_id: str, of_day: str) -> Iterator[Key]:
    entries = _query(
        IndexName="day",
        KeyConditionExpression="day_key = :key",
        ExpressionAttributeValues={":key": {"S": of_day}},
    )
    for item in entries:
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        if sk == "CONTACT":
            yield from _of_contact(tenant_id, json.loads(item["body"]["S"]))
        elif sk == "TAG":
            yield from _all(key("T", tenant_id, missed_calls.WORD, _number(json.loads(item["body"]["S"]))))
        elif sk.startswith("CALL#"):
            yield from _of_call(tenant_id, pk, sk)
        yield from _all(pk, but=sk)
        # The entry of the index is deleted last, because it leads to the other items.
        yield pk, sk


def _all(pk: str, but: str = "") -> Iterator[Key]:
    """Yield a whole partition."""
    for item in _partition(pk):
        if item["sk"]["S"] != but:
            yield pk, item["sk"]["S"]


def _of_contact(tenant_id: str, contact: Mapping[str, Any]) -> Iterator[Key]:
    """Yield the claims of a contact's numbers and of its external id."""
    for phone in contact["phones"]:
        yield from _all(key("T", tenant_id, "PHONE", phone["e164"]))
    if contact.get("external_id"):
        yield from _all(key("T", tenant_id, "EXTERNAL", contact["external_id"]))


def _number(tag: Mapping[str, Any]) -> str:
    """Return the other party's number on a tag, in the form of the missed-call queue; fields have fixed positions."""
    place = NUMBER_PLACE[TagType(tag["type"])]
    number: str = tag["fields"][place]["value"]
    return number if number.startswith("+") else ""


def _of_live_calls(tenant_id: str) -> Iterator[Key]:
    for call in live_calls(tenant_id):
        yield from _of_call(tenant_id, call.pk, call.sk)
        yield call.pk, call.sk


def _of_call(tenant_id: str, pk: str, sk: str) -> Iterator[Key]:
    """Yield the decisions on a call, with or without a tag, and its other generations."""
    for item in _partition(pk):
        other = item["sk"]["S"]
        yield key("T", tenant_id, "TAG", CallKey(pk, other).digest), "TAG"
        if other != sk:
            yield pk, other
