"""Sums of hours and days: built from calls or from other sums, and their stored form."""

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from hangtag.domain.reports.facts import (
    NOTHING,
    QUARTER_MINUTES,
    Body,
    CallHistory,
    Group,
    Sums,
    counts,
    group_of,
    sums_of,
)

Aggregate = Mapping[Group, Sums]
HOUR = timedelta(hours=1)
# Largest difference between the beginnings of a local day and a UTC day.
_WIDEST = timedelta(hours=16)


def sum_calls(bodies: Iterable[Body], history: CallHistory) -> Aggregate:
    """Sum one hour's calls; skips those that do not count."""
    return _add((group_of(body), sums_of(body, history)) for body in bodies if counts(body))


def sum_day(day: date, zone: ZoneInfo, hours: Mapping[datetime, Aggregate]) -> Aggregate:
    """Sum a local day from UTC hours; the slot becomes the hour on the clock of that zone."""
    return _add(
        (group._replace(slot=place[1]), sums)
        for hour, aggregate in sorted(hours.items())
        for group, sums in aggregate.items()
        if (place := local(hour, group.slot, zone))[0] == day
    )


@lru_cache(maxsize=4096)
def local(hour: datetime, quarter: int, zone: ZoneInfo) -> tuple[date, int]:
    """Return the local day and the hour on the local clock of a quarter of a UTC hour."""
    there = (hour + timedelta(minutes=QUARTER_MINUTES * quarter)).astimezone(zone)
    return there.date(), there.hour


@lru_cache(maxsize=1024)
def hours_of(day: date, zone: ZoneInfo) -> tuple[datetime, ...]:
    """Return the UTC hours that a local day touches, in order: 23 to 26 hours."""
    first = datetime.combine(day, time(), UTC) - _WIDEST
    hours = (first + HOUR * number for number in range(24 + 2 * (_WIDEST // HOUR)))
    return tuple(hour for hour in hours if any(local(hour, quarter, zone)[0] == day for quarter in range(4)))


def regroup(aggregate: Aggregate, place: Callable[[Group], Group]) -> Aggregate:
    """Return the sums under other groups, adding those that fall together."""
    return _add((place(group), sums) for group, sums in aggregate.items())


def merge(aggregates: Iterable[Aggregate]) -> Aggregate:
    """Merge several sums into one."""
    return _add(pair for aggregate in aggregates for pair in aggregate.items())


def _add(pairs: Iterable[tuple[Group, Sums]]) -> dict[Group, Sums]:
    total: dict[Group, Sums] = {}
    for group, sums in pairs:
        total[group] = total.get(group, NOTHING).plus(sums)
    return total


def dump(aggregate: Aggregate) -> bytes:
    """Serialize sums; equal sums give equal bytes."""
    return zlib.compress("\n".join(sorted(_lines(aggregate))).encode(), 6)


def _lines(aggregate: Aggregate) -> Iterator[str]:
    for group, sums in aggregate.items():
        yield json.dumps([*group, *sums], ensure_ascii=True, separators=(",", ":"))


def load(data: bytes) -> Aggregate:
    """Return the sums of `dump`. Raises zlib.error and ValueError for other bytes."""
    aggregate: dict[Group, Sums] = {}
    for line in zlib.decompress(data).decode().splitlines():
        fields = json.loads(line)
        slot, employee, people, *rest = fields[: len(Group._fields)]
        aggregate[Group(slot, employee, tuple(people), *rest)] = Sums(*fields[len(Group._fields) :])
    return aggregate
