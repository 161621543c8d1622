"""Exports of a tenant: their progress, and the rows of the table in one.

key("T", tenant) / key("EXPORT", id), stored for a week like its file.

An export reads sources in a fixed order: the tenant's own partition, then for each day, newest first, every list of the
index of days. A place is the number of a source and the last key read from it.
"""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute

from hangtag import representation
from hangtag.errors import NotFoundError
from hangtag.store.calls import missed_calls
from hangtag.store.db.client import dynamodb, table
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import DAY_SHARDS, key
from hangtag.store.db.models import Entry
from hangtag.store.office import settings
from hangtag.store.office.tenants import get_tenant

WORD = "EXPORT"
RETENTION = timedelta(days=7)
RUNNING, DONE, FAILED = "running", "done", "failed"
# A PBX's clock can be off by two days.
_CLOCK = timedelta(days=3)
_PAGE = 200

# The lists of the index of days, and the kind of their rows.
LISTS: tuple[tuple[str, str], ...] = (
    ("CONTACTS", "contact"),
    ("CALLS", "call"),
    ("TAGS", "tag"),
    ("TASKS", "task"),
    ("COMMENTS", "comment"),
    *((missed_calls.word(state), "missed_call") for state in missed_calls.STATES),
)
# Exported attributes of the tenant's own items, by the prefix of the sort key. None is a secret.
OWN: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "EMPLOYEE#": (
        "employee",
        ("id", "name", "email", "role", "phones", "extensions", "working_hours", "deputy_id", "created_at"),
    ),
    "GROUP#": ("group", ("id", "name", "employee_ids", "created_at")),
    "LINE#": ("line", ("number", "name", "color")),
    "INTEGRATION#": ("integration", ("id", "provider", "name", "settings", "created_at")),
    "AUDIT#": ("audit", ("id", "at", "who", "action", "target", "changed")),
    "SETTINGS": ("settings", ("body", "tags", "masks")),
    "TENANT": ("settings", ("id", "name", "country", "time_zone", "created_at")),
}
# Attributes that are stored as JSON text.
_JSON = frozenset(
    {
        "phones",
        "extensions",
        "working_hours",
        "employee_ids",
        "settings",
        "changed",
        "telephony",
        "tags",
        "masks",
        "body",
    }
)


class ExportItem(Entry):
    """Progress of an export. `upload` and `parts` belong to the S3 upload, `place` is a `Place` as JSON."""

    kind = UnicodeAttribute(default="export")
    id = UnicodeAttribute()
    state = UnicodeAttribute(default=RUNNING)
    rows = NumberAttribute(default=0)
    upload = UnicodeAttribute(null=True)
    parts: JSONAttribute = JSONAttribute(default=list)
    place: JSONAttribute = JSONAttribute(null=True)
    newest = UnicodeAttribute()
    created_at = UnicodeAttribute()
    expires_at = NumberAttribute()


@dataclass(frozen=True, slots=True)
class Place:
    """Position in the sources: the last item read of a source; `after` is None at its start."""

    source: int
    after: Mapping[str, str] | None

    def to_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {"source": self.source, "after": dict(self.after) if self.after else None}


BEGINNING = Place(0, None)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an export and its position."""

    line: bytes
    place: Place


def create(tenant_id: str) -> ExportItem:
    """Create an export without rows."""
    moment = now()
    item = ExportItem(
        key("T", tenant_id),
        key(WORD, export_id := secrets.token_hex(16)),
        id=export_id,
        newest=(moment.date() + _CLOCK).isoformat(),
        created_at=iso(moment),
        expires_at=int((moment + RETENTION).timestamp()),
    )
    item.save()
    return item


def load(tenant_id: str, export_id: str) -> ExportItem:
    """Return an export. Raises NotFoundError."""
    try:
        return ExportItem.get(key("T", tenant_id), key(WORD, export_id), consistent_read=True)
    except ExportItem.DoesNotExist:
        raise NotFoundError("No such export.") from None


def object_key(tenant_id: str, export_id: str) -> str:
    """Return the key of the file in the bucket."""
    return f"exports/{tenant_id}/{export_id}.jsonl"


def rows(tenant_id: str, oldest: date, newest: date, start: Place) -> Iterator[Row]:
    """Yield the rows after a position, in the order of the sources. Raises botocore's errors."""
    days = (newest - oldest).days + 1
    for source in range(start.source, 1 + days * len(LISTS) * DAY_SHARDS):
        after = start.after if source == start.source else None
        if source == 0:
            yield from _own(tenant_id, after)
        else:
            yield from _of_day(tenant_id, newest, source, after)


def _own(tenant_id: str, after: Mapping[str, str] | None) -> Iterator[Row]:
    query = {"KeyConditionExpression": "pk = :of", "ConsistentRead": True}
    for item in _query(key("T", tenant_id), after, query):
        sk = item["sk"]["S"]
        entry = next((entry for prefix, entry in OWN.items() if sk.startswith(prefix)), None)
        if entry is not None:
            kind, names = entry
            shown = {name: _value(name, item[name]) for name in names if name in item}
            yield Row(_line(kind, _public_own(kind, item, shown)), Place(0, {"pk": item["pk"]["S"], "sk": sk}))


def _of_day(tenant_id: str, newest: date, source: int, after: Mapping[str, str] | None) -> Iterator[Row]:
    day, place = divmod(source - 1, len(LISTS) * DAY_SHARDS)
    word, kind = LISTS[place // DAY_SHARDS]
    of = key("T", tenant_id, word, (newest - timedelta(days=day)).isoformat(), str(place % DAY_SHARDS))
    query = {"IndexName": "day", "KeyConditionExpression": "day_key = :of"}
    present = _PRESENT.get(kind, _unchanged)
    # The names behind ids are rows of their own.
    names = representation.Names(country=get_tenant(tenant_id).country, partial=True)
    for item in _query(of, after, query):
        last = {name: item[name]["S"] for name in ("pk", "sk", "day_key", "day_order") if name in item}
        yield Row(_line(kind, present(json.loads(item["body"]["S"]), names)), Place(source, {"day_key": of, **last}))


def _unchanged(body: Mapping[str, Any], _: representation.Names) -> Mapping[str, Any]:
    return body


_PRESENT: Mapping[str, Callable[[Mapping[str, Any], representation.Names], Mapping[str, Any]]] = {
    "call": representation.call,
    "tag": representation.tag,
    "comment": representation.comment,
    "missed_call": representation.missed_call,
}


def _public_own(kind: str, item: Mapping[str, Any], row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row of the tenant's own partition under the names of the API."""
    if kind == "audit":
        return {
            "id": row["id"],
            "created_at": representation.instant(row["at"]),
            "actor": representation.actor(row["who"], representation.Names(country="")),
            "action": row["action"],
            "target": row["target"],
            "changed_fields": row["changed"],
        }
    if "body" in item and item["sk"]["S"] == settings.SK:
        return {**row, "body": settings.parse(item).model_dump(mode="json")}
    return row


def _query(of: str, after: Mapping[str, str] | None, query: Mapping[str, Any]) -> Iterator[Any]:
    start: dict[str, Any] = {}
    if after is not None:
        start = {"ExclusiveStartKey": {name: {"S": value} for name, value in after.items()}}
    while True:
        response = dynamodb().query(
            TableName=table(), ExpressionAttributeValues={":of": {"S": of}}, Limit=_PAGE, **query, **start
        )
        yield from response["Items"]
        if "LastEvaluatedKey" not in response:
            return
        start = {"ExclusiveStartKey": response["LastEvaluatedKey"]}


def _value(name: str, value: Mapping[str, Any]) -> Any:
    """Return an attribute of the table as JSON."""
    if "NULL" in value:
        return None
    if "N" in value:
        return float(value["N"])
    return json.loads(value["S"]) if name in _JSON else value.get("S")


def _line(kind: str, shown: Mapping[str, Any]) -> bytes:
    return json.dumps({**shown, "kind": kind}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
