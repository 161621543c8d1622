"""Closed calls written directly into the table, in the state after emission, for tests that need many."""

import hashlib
import json
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hangtag.store.calls.missed_calls import MissedCall, word
from hangtag.store.db.keys import DAY_SHARDS, call_pk, call_sk, key, shard

BATCH = 25
_LINES = ("74951230001", "74951230002", None)

# A recording in a stored call.
RECORDING = {"id": "5f0c2a7be1d94c36", "temporary": False, "state": "linked"}


@dataclass(frozen=True, slots=True)
class People:
    """Ids for generated calls."""

    employees: tuple[str, ...]
    contacts: tuple[str, ...]
    tasks: tuple[str, ...]
    integrations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GeneratedCall:
    """A call's view, and its entry in the queue of missed calls, if it has one."""

    body: dict[str, Any]
    missed: MissedCall | None

    def at(self, moment: datetime) -> "GeneratedCall":
        """Return the call at another time."""
        return replace(self, body={**self.body, "started_at": _iso(moment)})


def people(random_: random.Random, contacts: int = 40, employees: int = 5) -> People:
    """Return ids, reproducible for equal generators."""

    def ids(count: int, size: int) -> tuple[str, ...]:
        return tuple(random_.randbytes(size).hex() for _ in range(count))

    return People(ids(employees, 8), ids(contacts, 16), ids(3, 16), ids(2, 8))


def generate_calls(random_: random.Random, office: People, first: date, days: int, count: int) -> list[GeneratedCall]:
    """Return calls at any time of these UTC days, some at the exact edges of quarters of an hour."""
    begin = datetime.combine(first, datetime.min.time(), UTC)
    return [generate_call(random_, office, begin, timedelta(days=days), number) for number in range(count)]


def generate_call(
    random_: random.Random, office: People, begin: datetime, length: timedelta, number: int
) -> GeneratedCall:
    """Return one call within a time span."""
    offset = timedelta(milliseconds=random_.randrange(int(length.total_seconds() * 1000)))
    at = begin + offset
    if random_.random() < 0.2:
        at = at.replace(minute=random_.choice((0, 15, 29, 30, 45, 59)), second=random_.choice((0, 59)), microsecond=0)
    body = _view(random_, office, at, f"call-{number}-{random_.randbytes(4).hex()}")
    return GeneratedCall(body, _missed(random_, body))


def _view(random_: random.Random, office: People, at: datetime, call_id: str) -> dict[str, Any]:
    integration = random_.choice(office.integrations)
    direction = random_.choice(("in", "in", "in", "out"))
    kind = random_.choice(("call", "call", "missed_call", None))
    answered = at + timedelta(milliseconds=random_.randrange(60_000)) if kind == "call" else None
    talk = random_.randrange(900) if answered else 0
    rung = sorted(random_.sample(office.employees, random_.randrange(0, 3)))
    talker = random_.choice(office.employees) if answered and random_.random() < 0.9 else None
    digest = hashlib.sha256(call_id.encode()).hexdigest()[:32]
    return {
        "id": f"{integration}.{digest}.0000",
        "integration_id": integration,
        "provider": "telephony_api",
        "clicked": False,
        "reason": None,
        "call_id": call_id,
        "direction": direction if kind or random_.random() < 0.5 else "internal",
        "external": f"+7910{random_.randrange(10**7):07d}",
        "line": random_.choice(_LINES),
        "state": "closed",
        "outcome": "success" if answered else "missed",
        "started_at": _iso(at),
        "answered_at": _iso(answered) if answered and random_.random() < 0.95 else None,
        "ended_at": _iso((answered or at) + timedelta(seconds=talk)),
        "talk_seconds": talk,
        "answered_by": "101" if answered else None,
        "legs": [],
        "end_unknown": False,
        "linked_call_id": None,
        "recording": RECORDING if random_.random() < 0.3 else None,
        "data": {},
        "employee_id": talker,
        "employee_ids": sorted({*rung, *([talker] if talker else [])}),
        "contact_id": random_.choice(office.contacts) if random_.random() < 0.9 else None,
        "task_id": random_.choice((None, *office.tasks)) if kind else None,
        "hidden": bool(kind and random_.random() < 0.15),
        "tag_id": digest if kind else None,
        "tag_type": kind,
        "skip_reason": None if kind else "internal",
    }


def _missed(random_: random.Random, body: dict[str, Any]) -> MissedCall | None:
    """Return the entry of the queue: open, returned, resolved, or resolved after it was returned."""
    if body["tag_type"] != "missed_call" or body["direction"] == "out":
        return None
    at = datetime.fromisoformat(body["started_at"])
    state, returned = random_.choice((("open", False), ("returned", True), ("resolved", False), ("resolved", True)))
    back = at + timedelta(seconds=random_.randrange(1, 90_000))
    return MissedCall(
        id=body["tag_id"],
        call_id=body["id"],
        at=at.isoformat(timespec="seconds"),
        number=body["external"],
        line=body["line"],
        contact_id=body["contact_id"],
        rung=(),
        recipients=(),
        state=state,
        returned_at=back.isoformat(timespec="seconds") if returned else None,
    )


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def items(tenant_id: str, seeded: Iterable[GeneratedCall]) -> Iterator[dict[str, Any]]:
    """Yield the table's items: each call's own, and its entry in the queue of missed calls."""
    for call in seeded:
        yield call_item(tenant_id, call.body)
        if call.missed is not None:
            yield _missed_item(tenant_id, call.missed)


def call_item(tenant_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return a closed and emitted call's item. It lacks the PBX's id, so no execution waits for it."""
    pk, sk = call_pk(tenant_id, body["integration_id"], body["call_id"]), call_sk(0)
    day, digest = body["started_at"][:10], body["id"].split(".")[1]
    return {
        "pk": {"S": pk},
        "sk": {"S": sk},
        "kind": {"S": "call"},
        "tenant_id": {"S": tenant_id},
        "body": {"S": json.dumps(body, ensure_ascii=False)},
        "day_key": {"S": key("T", tenant_id, "CALLS", day, str(shard(pk, DAY_SHARDS)))},
        "day_order": {"S": f"{body['started_at']}#{digest}"},
    }


def _missed_item(tenant_id: str, missed: MissedCall) -> dict[str, Any]:
    day = key("T", tenant_id, word(missed.state), missed.at[:10], str(shard(missed.id, DAY_SHARDS)))
    return {
        "pk": {"S": key("T", tenant_id, "MISSED", missed.number)},
        "sk": {"S": key("MISSED", missed.id)},
        "kind": {"S": "missed_call"},
        "body": {"S": json.dumps(missed.to_json(), ensure_ascii=False)},
        "day_key": {"S": day},
        "day_order": {"S": f"{missed.at}#{missed.id}"},
    }


def put_all(client: Any, table: str, all_items: Sequence[dict[str, Any]]) -> None:
    """Write items in batches, repeating those that the table leaves unprocessed."""
    for start in range(0, len(all_items), BATCH):
        pending: Any = {table: [{"PutRequest": {"Item": item}} for item in all_items[start : start + BATCH]]}
        while pending:
            pending = client.batch_write_item(RequestItems=pending).get("UnprocessedItems")
            if pending:
                time.sleep(0.05)
