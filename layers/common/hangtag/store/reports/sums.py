"""The sums of reports: of UTC hours, and of local days that were made from these.

All of a day lies in one partition, key("T", tenant, "REPORT", day). Of an hour there is key("HOUR", hour), with the
sums themselves; too long ones go on in key("PART", name, version, token, number), written before, so that who reads the
head finds all. "VERSIONS" has the hours' versions alone, by which a local day, key("DAY", zone), is known to be
current.
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
# DynamoDB takes 400 KB.
PART_BYTES = 300_000
_READ_AGAIN = 5
Key = tuple[str, str]


class TornError(Exception):
    """What was read is being replaced at this very moment, again and again."""


@dataclass(frozen=True, slots=True)
class StoredSums:
    """Sums as they are kept. `stamp` says of a day what it was made of; `token` is in the keys of its parts, if any."""

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
    """Where the sums of a day lie."""
    return key("T", tenant_id, WORD, day.isoformat())


def hour_place(tenant_id: str, hour: datetime) -> Key:
    """Where the sums of a UTC hour lie."""
    return partition(tenant_id, hour.date()), key("HOUR", name_of(hour))


def day_place(tenant_id: str, day: date, zone: ZoneInfo) -> Key:
    """Where the sums of a local day lie."""
    return partition(tenant_id, day), key("DAY", zone.key)


def load(places: Iterable[Key]) -> dict[Key, StoredSums]:
    """The sums that there are at these places, consistently. Raises TornError and botocore's errors."""
    wanted, found = list(places), {}
    for _ in range(_READ_AGAIN):
        heads = batch.read_all(wanted)
        parts = batch.read_all(part for place, head in heads.items() for part in _parts(place, head))
        for place, head in heads.items():
            packed = [parts.get(part) for part in _parts(place, head)]
            if all(part is not None for part in packed):
                found[place] = _joined(head, [part for part in packed if part is not None])
        wanted = [place for place in heads if place not in found]
        if not wanted:
            return found
    raise TornError(str(wanted[0]))


def save(place: Key, packed: bytes, before: StoredSums, stamp: str | None = None) -> bool:
    """Put sums in place of those that were read; false if others did so meanwhile. Raises botocore's errors."""
    version = before.version + 1
    first, *rest = _cut(packed)
    # Of those who write the same version at once, only one gets its head in: parts must not be mixed.
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


def forget(tenant_id: str, day: date, contact_ids: frozenset[str]) -> None:
    """Take contacts out of the sums of a UTC day's hours; what was made of these goes. Raises botocore's errors."""
    pk = partition(tenant_id, day)
    hours = [datetime.combine(day, time(number), UTC) for number in range(24)]
    places = {hour_place(tenant_id, hour): hour for hour in hours}
    for place, kept in load(places).items():
        aggregate = kept.aggregate
        if any(group.contact in contact_ids for group in aggregate):
            without = sums.regroup(aggregate, lambda group: _without(group, contact_ids))
            # If its hour is being summed up at this moment, that is because its calls lost them, too.
            if save(place, sums.dump(without), kept):
                tell_version(tenant_id, places[place], kept.version + 1)
    for sk in _keys(pk, key("DAY", "")):
        for part in _part_keys((pk, sk)):
            _delete((pk, part))
        _delete((pk, sk))


def _without(group: Group, contact_ids: frozenset[str]) -> Group:
    return group._replace(contact=None) if group.contact in contact_ids else group


def versions(tenant_id: str, days: Iterable[date]) -> dict[datetime, int]:
    """The versions of all hours of UTC days that have sums. Raises botocore's errors."""
    found = batch.read_all((partition(tenant_id, day), VERSIONS) for day in days)
    return {
        datetime.strptime(f"{name[1:]} +0000", "%Y-%m-%dT%H %z").astimezone(UTC): int(value["N"])
        for item in found.values()
        for name, value in item.items()
        if name.startswith("H")
    }


def tell_version(tenant_id: str, hour: datetime, version: int) -> None:
    """Say which version of an hour is current; an older one changes nothing. Raises botocore's errors."""
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
    """What a day that was made of these versions says of itself."""
    return " ".join(f"{name_of(hour)}={version}" for hour, version in sorted(hours.items()) if version)


def utc_days(hours: Iterable[datetime]) -> list[date]:
    """The UTC days of these hours."""
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


def _joined(head: Any, parts: list[Any]) -> StoredSums:
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
    """Take away the parts of older versions."""
    for sk in _part_keys(place):
        if int(sk.split("#")[2]) < version:
            _delete((place[0], sk))


def _delete(place: Key) -> None:
    dynamodb().delete_item(TableName=table(), Key={"pk": {"S": place[0]}, "sk": {"S": place[1]}})


def _put(place: Key, values: Mapping[str, Any]) -> None:
    dynamodb().put_item(TableName=table(), Item={"pk": {"S": place[0]}, "sk": {"S": place[1]}, **values})


def _put_if(place: Key, values: Mapping[str, Any], version: int) -> bool:
    seen: dict[str, Any] = {"ExpressionAttributeValues": {":seen": {"N": str(version)}}} if version else {}
    try:
        dynamodb().put_item(
            TableName=table(),
            Item={"pk": {"S": place[0]}, "sk": {"S": place[1]}, **values},
            ConditionExpression="version = :seen" if version else "attribute_not_exists(pk)",
            **seen,
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return False
    return True
