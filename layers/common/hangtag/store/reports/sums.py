"""Stored sums of reports: of UTC hours, and of local days derived from them.

All sums of a day are in one partition, key("T", tenant, "REPORT", day). An hour has key("HOUR", hour), with the sums
themselves; longer ones continue in key("PART", name, version, token, number), written before the head, so a reader of
the head sees all parts. "VERSIONS" holds the hours' versions alone. A stored local day, key("DAY", zone), is current if
its stamp matches them.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from botocore.exceptions import ClientError

from hangtag.domain.reports import sums
from hangtag.domain.reports.facts import Group
from hangtag.domain.reports.sums import Aggregate
from hangtag.store.db import batch
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.keys import key
from hangtag.store.reports.marks import name_of

WORD = "REPORT"
VERSIONS = "VERSIONS"
# DynamoDB's limit is 400 KB.
PART_BYTES = 300_000
_READ_AGAIN = 5
Key = tuple[str, str]


class TornError(Exception):
    """Failure to read sums that are being replaced again and again."""


@dataclass(frozen=True, slots=True)
class StoredSums:
    """Sums as stored. `stamp` holds the hour versions of a day; `token` is in the keys of its parts, if any."""

    version: int
    packed: bytes
    stamp: str | None = None
    token: str = ""

    @property
    def aggregate(self) -> Aggregate:
        """The sums themselves."""
        return sums.load(self.packed) if self.packed else {}


NEVER = StoredSums(0, b"")


def partition(tenant_id: str, day: date) -> str:
    """Return the partition of the sums of a day."""
    return key("T", tenant_id, WORD, day.isoformat())


def hour_place(tenant_id: str, hour: datetime) -> Key:
    """Return the key of the sums of a UTC hour."""
    return partition(tenant_id, hour.date()), key("HOUR", name_of(hour))


def day_place(tenant_id: str, day: date, zone: ZoneInfo) -> Key:
    """Return the key of the sums of a local day."""
    return partition(tenant_id, day), key("DAY", zone.key)


def load(places: Iterable[Key]) -> dict[Key, StoredSums]:
    """Return the existing sums of these keys, with consistent reads. Raises TornError and botocore's errors."""
    pending, results = list(places), {}
    for _ in range(_READ_AGAIN):
        heads = batch.read_all(pending)
        parts = batch.read_all(part for place, head in heads.items() for part in _parts(place, head))
        for place, head in heads.items():
            packed = [parts.get(part) for part in _parts(place, head)]
            if all(part is not None for part in packed):
                results[place] = _join(head, [part for part in packed if part is not None])
        pending = [place for place in heads if place not in results]
        if not pending:
            return results
    raise TornError(str(pending[0]))


def save(place: Key, packed: bytes, before: StoredSums, stamp: str | None = None) -> bool:
    """Replace sums that were read; False if they were changed meanwhile. Raises botocore's errors."""
    version = before.version + 1
    first, *rest = _cut(packed)
    # Only one writer of a version succeeds with its head; the token keeps the parts of writers apart.
    token = secrets.token_hex(8) if rest else ""
    for number, part in enumerate(rest, start=1):
        sk = _part_sk(place, version, token, number)
        _put((place[0], sk), {"kind": {"S": "report_part"}, "packed": {"B": part}})
    values: dict[str, Any] = {
        "kind": {"S": "report_sums"},
        "version": {"N": str(version)},
        "parts": {"N": str(len(rest))},
        "token": {"S": token},
        "packed": {"B": first},
    }
    if stamp is not None:
        values["stamp"] = {"S": stamp}
    if not _put_if(place, values, before.version):
        for number in range(1, len(rest) + 1):
            _delete((place[0], _part_sk(place, version, token, number)))
        return False
    if rest or before.token:
        _drop_parts(place, version)
    return True


def remove_contacts(tenant_id: str, day: date, contact_ids: frozenset[str]) -> None:
    """Remove contacts from the sums of a UTC day's hours and delete the derived days. Raises botocore's errors."""
    pk = partition(tenant_id, day)
    hours = [datetime.combine(day, time(number), UTC) for number in range(24)]
    places = {hour_place(tenant_id, hour): hour for hour in hours}
    for place, stored in load(places).items():
        aggregate = stored.aggregate
        if any(group.contact in contact_ids for group in aggregate):
            without = sums.regroup(aggregate, lambda group: _without(group, contact_ids))
            # A concurrent sum of this hour is based on calls without these contacts, too.
            if save(place, sums.dump(without), stored):
                set_version(tenant_id, places[place], stored.version + 1)
    for sk in _keys(pk, key("DAY", "")):
        for part in _part_keys((pk, sk)):
            _delete((pk, part))
        _delete((pk, sk))


def _without(group: Group, contact_ids: frozenset[str]) -> Group:
    return group._replace(contact=None) if group.contact in contact_ids else group


def versions(tenant_id: str, days: Iterable[date]) -> dict[datetime, int]:
    """Return the versions of all hours of UTC days that have sums. Raises botocore's errors."""
    items = batch.read_all((partition(tenant_id, day), VERSIONS) for day in days)
    return {
        datetime.strptime(f"{name[1:]} +0000", "%Y-%m-%dT%H %z").astimezone(UTC): int(value["N"])
        for item in items.values()
        for name, value in item.items()
        if name.startswith("H")
    }


def set_version(tenant_id: str, hour: datetime, version: int) -> None:
    """Store the current version of an hour; an older one changes nothing. Raises botocore's errors."""
    try:
        dynamodb().update_item(
            TableName=table(),
            Key={"pk": {"S": partition(tenant_id, hour.date())}, "sk": {"S": VERSIONS}},
            UpdateExpression="SET #hour = :version, kind = :kind",
            ConditionExpression="attribute_not_exists(#hour) OR #hour < :version",
            ExpressionAttributeNames={"#hour": f"H{name_of(hour)}"},
            ExpressionAttributeValues={":version": {"N": str(version)}, ":kind": {"S": "report_versions"}},
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise


def stamp_of(hours: Mapping[datetime, int]) -> str:
    """Return the stamp of a day that is derived from these versions."""
    return " ".join(f"{name_of(hour)}={version}" for hour, version in sorted(hours.items()) if version)


def utc_days(hours: Iterable[datetime]) -> list[date]:
    """Return the UTC days of these hours."""
    return sorted({hour.date() for hour in hours})


def _cut(packed: bytes) -> Iterator[bytes]:
    yield packed[:PART_BYTES]
    for start in range(PART_BYTES, len(packed), PART_BYTES):
        yield packed[start : start + PART_BYTES]


def _part_sk(place: Key, version: int, token: str, number: int) -> str:
    return key("PART", place[1], f"{version:08d}", token, f"{number:04d}")


def _parts(place: Key, head: Any) -> list[Key]:
    version, token, count = int(head["version"]["N"]), head["token"]["S"], int(head["parts"]["N"])
    return [(place[0], _part_sk(place, version, token, number)) for number in range(1, count + 1)]


def _join(head: Any, parts: list[Any]) -> StoredSums:
    packed = b"".join(bytes(item["packed"]["B"]) for item in (head, *parts))
    return StoredSums(int(head["version"]["N"]), packed, head.get("stamp", {}).get("S"), head["token"]["S"])


def _part_keys(place: Key) -> list[str]:
    return _keys(place[0], key("PART", place[1], ""))


def _keys(pk: str, prefix: str) -> list[str]:
    query = dynamodb().get_paginator("query")
    pages = query.paginate(
        TableName=table(),
        KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
        ExpressionAttributeValues={":pk": {"S": pk}, ":prefix": {"S": prefix}},
        ProjectionExpression="sk",
        ConsistentRead=True,
    )
    return [item["sk"]["S"] for page in pages for item in page["Items"]]


def _drop_parts(place: Key, version: int) -> None:
    """Delete the parts of older versions."""
    for sk in _part_keys(place):
        if int(sk.split("#")[2]) < version:
            _delete((place[0], sk))


def _delete(place: Key) -> None:
    dynamodb().delete_item(TableName=table(), Key={"pk": {"S": place[0]}, "sk": {"S": place[1]}})


def _put(place: Key, values: Mapping[str, Any]) -> None:
    dynamodb().put_item(TableName=table(), Item={"pk": {"S": place[0]}, "sk": {"S": place[1]}, **values})


def _put_if(place: Key, values: Mapping[str, Any], version: int) -> bool:
    values_arguments: dict[str, Any] = {"ExpressionAttributeValues": {":seen": {"N": str(version)}}} if version else {}
    try:
        dynamodb().put_item(
            TableName=table(),
            Item={"pk": {"S": place[0]}, "sk": {"S": place[1]}, **values},
            ConditionExpression="version = :seen" if version else "attribute_not_exists(pk)",
            **values_arguments,
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return False
    return True
