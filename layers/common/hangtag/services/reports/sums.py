"""Sums of reports: the hours that changed, their sums, and the days built from them.

An hour is always summed from all of its calls, so a repeated sum equals the stored one. A changed call marks its hour
(and the hour that it was in before). The hour is summed once the indexes contain the call, and again ten minutes later.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hangtag.domain.reports import facts, sums
from hangtag.domain.reports.facts import Body, CallHistory
from hangtag.domain.reports.sums import Aggregate
from hangtag.runtime import logger
from hangtag.store.office import tenants
from hangtag.store.reports import calls as report_calls
from hangtag.store.reports import first_calls, marks
from hangtag.store.reports import sums as report_sums
from hangtag.store.reports.first_calls import First
from hangtag.store.reports.marks import Mark

# Days that are summed together for one report.
_DAYS_AT_ONCE = 31


def refresh(due_by: datetime, has_time: Callable[[], bool]) -> int:
    """Sum the hours that are due, as long as there is time. Return their number. Raises botocore's errors."""
    done = 0
    for mark in marks.due(due_by):
        if not has_time():
            logger.warning("report.out_of_time", extra={"hours": done})
            break
        _process(mark, datetime.now(UTC))
        done += 1
    return done


def _process(mark: Mark, now: datetime) -> None:
    if not tenants.is_open(mark.tenant_id):
        marks.drop(mark)
    elif rebuild(mark.tenant_id, mark.hour):
        marks.settle(mark, now)
    else:
        marks.postpone(mark, now)


def rebuild(tenant_id: str, hour: datetime) -> bool:
    """Sum one UTC hour from its calls. Return False if another process did so at once. Raises botocore's errors."""
    place = report_sums.hour_place(tenant_id, hour)
    before = report_sums.load([place]).get(place, report_sums.NEVER)
    bodies = [body for body in report_calls.of_hour(tenant_id, hour) if facts.counts(body)]
    first = _first_calls(tenant_id, hour, bodies, before.aggregate)
    missed = any(facts.reach_of(body) is facts.Reach.MISSED for body in bodies)
    returned = report_calls.returns_of_hour(tenant_id, hour) if missed else {}
    packed = sums.dump(sums.sum_calls(bodies, CallHistory(returned, first)))
    version = before.version
    if packed != before.packed and not (version == 0 and not bodies):
        if not report_sums.save(place, packed, before):
            return False
        version += 1
    if version:
        # Also without a change: an earlier run can have died between the two writes.
        report_sums.set_version(tenant_id, hour, version)
    return True


# ------------------------------------------------------------------ first calls


def _first_calls(tenant_id: str, hour: datetime, bodies: Iterable[Body], before: Aggregate) -> frozenset[str]:
    """Return the ids of this hour's calls that are their contacts' first ones. Mark the other hour if one moves."""
    earliest: dict[str, tuple[First, str]] = {}
    for body in bodies:
        if body.get("contact_id") and body.get("direction") != "out":
            candidate = First(str(body["started_at"]), str(body["tag_id"])), str(body["id"])
            earliest[body["contact_id"]] = min(candidate, earliest.get(body["contact_id"], candidate))
    had = {group.contact for group, sum_ in before.items() if sum_.first and group.contact}
    stored = first_calls.load(tenant_id, {*earliest, *had})
    for contact_id in sorted({*earliest, *had}):
        mine = earliest[contact_id][0] if contact_id in earliest else None
        first = _settled(tenant_id, contact_id, hour, mine, stored.get(contact_id))
        if first is not None:
            stored[contact_id] = first
    return frozenset(name for contact_id, (mine, name) in earliest.items() if stored.get(contact_id) == mine)


def _settled(tenant_id: str, contact_id: str, hour: datetime, mine: First | None, stored: First | None) -> First | None:
    """Return a contact's first call, given this hour's earliest one (`mine`); None if it is unknown."""
    if mine == stored:
        return stored
    if stored is None or (mine is not None and mine < stored):
        after = mine
    elif stored.hour == hour:
        # This hour contained the first call, and does not any more.
        other = first_calls.of_contact(tenant_id, contact_id, hour)
        after = min((one for one in (mine, other) if one is not None), default=None)
    else:
        return stored
    if not first_calls.replace(tenant_id, contact_id, stored, after):
        # Another hour changed it at the same time: this hour is summed again.
        marks.mark(tenant_id, hour, datetime.now(UTC))
        return None
    for concerned in {one.hour for one in (stored, after) if one is not None} - {hour}:
        marks.mark(tenant_id, concerned, datetime.now(UTC))
    return after


# ------------------------------------------------------------------ days


def days(tenant_id: str, zone: ZoneInfo, local_days: Iterable[date]) -> dict[date, Aggregate]:
    """Return the sums of local days, rebuilt if one of their hours changed. Raises botocore's errors."""
    aggregates: dict[date, Aggregate] = {}
    queue = list(local_days)
    for start in range(0, len(queue), _DAYS_AT_ONCE):
        aggregates |= _days(tenant_id, zone, queue[start : start + _DAYS_AT_ONCE])
    return aggregates


def _days(tenant_id: str, zone: ZoneInfo, local_days: list[date]) -> dict[date, Aggregate]:
    hours = {day: sums.hours_of(day, zone) for day in local_days}
    versions = report_sums.versions(
        tenant_id, report_sums.utc_days(hour for several in hours.values() for hour in several)
    )
    stamps = {
        day: report_sums.stamp_of({hour: versions.get(hour, 0) for hour in several}) for day, several in hours.items()
    }
    places = {report_sums.day_place(tenant_id, day, zone): day for day in local_days if stamps[day]}
    stored = {places[place]: one for place, one in report_sums.load(places).items()}
    aggregates: dict[date, Aggregate] = {}
    for day in local_days:
        one = stored.get(day, report_sums.NEVER)
        if not stamps[day]:
            aggregates[day] = {}
        elif one.stamp == stamps[day]:
            aggregates[day] = one.aggregate
        else:
            aggregates[day] = _roll_up(tenant_id, zone, day, one)
    return aggregates


def _roll_up(tenant_id: str, zone: ZoneInfo, day: date, before: report_sums.StoredSums) -> Aggregate:
    """Build a day from its hours, and store it for the next reader."""
    places = {report_sums.hour_place(tenant_id, hour): hour for hour in sums.hours_of(day, zone)}
    stored = {places[place]: one for place, one in report_sums.load(places).items()}
    aggregate = sums.sum_day(day, zone, {hour: one.aggregate for hour, one in stored.items()})
    stamp = report_sums.stamp_of({hour: one.version for hour, one in stored.items()})
    # A lost write is harmless: the winner stored the same or a newer day.
    report_sums.save(report_sums.day_place(tenant_id, day, zone), sums.dump(aggregate), before, stamp)
    return aggregate


def zone_of(tenant_id: str) -> ZoneInfo:
    """Return the tenant's current time zone. Raises NotFoundError."""
    return ZoneInfo(tenants.load_tenant(tenant_id).time_zone)


def today(zone: ZoneInfo) -> date:
    """Return the current day in a time zone."""
    return datetime.now(zone).date()


def mark_all(tenant_id: str, first: str, last: str) -> int:
    """Mark all hours of these UTC days (ISO 8601, both included), such as days before reports existed.

    Return the number of hours. Raises ValueError for an invalid day, and botocore's errors.
    """
    day, end = date.fromisoformat(first), date.fromisoformat(last)
    count = 0
    while day <= end:
        for number in range(24):
            hour = datetime.combine(day, time(number), UTC)
            marks.mark(tenant_id, hour, datetime.now(UTC))
            count += 1
        day += timedelta(days=1)
    return count
