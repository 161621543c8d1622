"""Sums of hours and days: made from calls, from each other, and as bytes."""

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from hangtag.domain.reports.facts import NOTHING, QUARTER_MINUTES, Beside, Body, Group, Sums, counts, group_of, sums_of

Aggregate = Mapping[Group, Sums]
HOUR = timedelta(hours=1)
# Local days begin at most so far from those of UTC.
_WIDEST = timedelta(hours=16)


def of_calls(bodies: Iterable[Body], beside: Beside) -> Aggregate:
    """The sums of one hour's calls; those that do not count are left out."""
    return _added((group_of(body), sums_of(body, beside)) for body in bodies if counts(body))


def of_day(day: date, zone: ZoneInfo, hours: Mapping[datetime, Aggregate]) -> Aggregate:
    """The sums of a local day out of those of UTC hours; the slot is the hour on the clock of that zone."""
    return _added(
        (group._replace(slot=place[1]), sums)
        for hour, aggregate in sorted(hours.items())
        for group, sums in aggregate.items()
        if (place := local(hour, group.slot, zone))[0] == day
    )


@lru_cache(maxsize=4096)
def local(hour: datetime, quarter: int, zone: ZoneInfo) -> tuple[date, int]:
    """The local day, and the hour on its clock, of a quarter of a UTC hour."""
    there = (hour + timedelta(minutes=QUARTER_MINUTES * quarter)).astimezone(zone)
    return there.date(), there.hour


@lru_cache(maxsize=1024)
def hours_of(day: date, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The UTC hours that a local day touches, in order: 23 to 26 of them."""
    first = datetime.combine(day, time(), UTC) - _WIDEST
    hours = (first + HOUR * number for number in range(24 + 2 * (_WIDEST // HOUR)))
    return tuple(hour for hour in hours if any(local(hour, quarter, zone)[0] == day for quarter in range(4)))


def moved(aggregate: Aggregate, place: Callable[[Group], Group]) -> Aggregate:
    """The same sums by other groups."""
    return _added((place(group), sums) for group, sums in aggregate.items())


def joined(aggregates: Iterable[Aggregate]) -> Aggregate:
    """The sums of several."""
    return _added(pair for aggregate in aggregates for pair in aggregate.items())


def _added(pairs: Iterable[tuple[Group, Sums]]) -> dict[Group, Sums]:
    total: dict[Group, Sums] = {}
    for group, sums in pairs:
        total[group] = total.get(group, NOTHING).plus(sums)
    return total


def dump(aggregate: Aggregate) -> bytes:
    """Bytes that are the same for the same sums."""
    return zlib.compress("\n".join(sorted(_lines(aggregate))).encode(), 6)


def _lines(aggregate: Aggregate) -> Iterator[str]:
    for group, sums in aggregate.items():
        yield json.dumps([*group, *sums], ensure_ascii=True, separators=(",", ":"))


def load(packed: bytes) -> Aggregate:
    """The inverse of `dump`. Raises zlib.error and ValueError for other bytes."""
    found: dict[Group, Sums] = {}
    for line in zlib.decompress(packed).decode().splitlines():
        fields = json.loads(line)
        slot, employee, people, *rest = fields[: len(Group._fields)]
        found[Group(slot, employee, tuple(people), *rest)] = Sums(*fields[len(Group._fields) :])
    return found
