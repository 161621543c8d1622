"""Reports: which hours changed, their sums, and the days that are made of these.

An hour is always summed up from all of its calls, so that a sum that was made again is the sum that was kept. A call
that changed marks its hour (and the hour that it was in before); once the indexes are sure to have it, the hour is
summed up, and ten minutes later once more.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hangtag.domain.reports import facts, sums
from hangtag.domain.reports.facts import Body, CallHistory
from hangtag.domain.reports.sums import Aggregate
from hangtag.observability import logger
from hangtag.store.office import tenants
from hangtag.store.reports import calls as report_calls
from hangtag.store.reports import first_calls, marks
from hangtag.store.reports import sums as report_sums
from hangtag.store.reports.first_calls import First
from hangtag.store.reports.marks import Mark

# How many days are summed up at once for one report.
_DAYS_AT_ONCE = 31


def refresh(due_by: datetime, has_time: Callable[[], bool]) -> int:
    """Sum up the hours whose time has come, as long as there is time; how many were. Raises botocore's errors."""
    done = 0
    for mark in marks.due(due_by):
        if not has_time():
            logger.warning("report.out_of_time", extra={"hours": done})
            break
        _work_off(mark, datetime.now(UTC))
        done += 1
    return done


def _work_off(mark: Mark, now: datetime) -> None:
    if not tenants.is_open(mark.tenant_id):
        marks.drop(mark)
    elif rebuild(mark.tenant_id, mark.hour):
        marks.settle(mark, now)
    else:
        marks.postpone(mark, now)


def rebuild(tenant_id: str, hour: datetime) -> bool:
    """Sum up one UTC hour from its calls; false if others did so at the same time. Raises botocore's errors."""
    place = report_sums.hour_place(tenant_id, hour)
    before = report_sums.load([place]).get(place, report_sums.NEVER)
    found = [body for body in report_calls.of_hour(tenant_id, hour) if facts.counts(body)]
    first = _first_calls(tenant_id, hour, found, before.aggregate)
    missed = any(facts.reach_of(body) is facts.Reach.MISSED for body in found)
    returned = report_calls.returns_of_hour(tenant_id, hour) if missed else {}
    packed = sums.dump(sums.sum_calls(found, CallHistory(returned, first)))
    version = before.version
    if packed != before.packed and not (version == 0 and not found):
        if not report_sums.save(place, packed, before):
            return False
        version += 1
    if version:
        # Also when nothing changed: somebody may have died between the two.
        report_sums.set_version(tenant_id, hour, version)
    return True


# ------------------------------------------------------------------ who called for the first time


def _first_calls(tenant_id: str, hour: datetime, found: Iterable[Body], before: Aggregate) -> frozenset[str]:
    """The ids of this hour's calls that are their contacts' first ones.

    Where that changes, the other hour that it concerns is marked.
    """
    earliest: dict[str, tuple[First, str]] = {}
    for body in found:
        if body.get("contact_id") and body.get("direction") != "out":
            candidate = First(str(body["started_at"]), str(body["tag_id"])), str(body["id"])
            earliest[body["contact_id"]] = min(candidate, earliest.get(body["contact_id"], candidate))
    had = {group.contact for group, kept in before.items() if kept.first and group.contact}
    known = first_calls.load(tenant_id, {*earliest, *had})
    for contact_id in sorted({*earliest, *had}):
        mine = earliest[contact_id][0] if contact_id in earliest else None
        known_now = _settled(tenant_id, contact_id, hour, mine, known.get(contact_id))
        if known_now is not None:
            known[contact_id] = known_now
    return frozenset(name for contact_id, (mine, name) in earliest.items() if known.get(contact_id) == mine)


def _settled(tenant_id: str, contact_id: str, hour: datetime, mine: First | None, known: First | None) -> First | None:
    """What is a contact's first call, after this hour's earliest one (`mine`) was looked at; None if it is unknown."""
    if mine == known:
        return known
    if known is None or (mine is not None and mine < known):
        after = mine
    elif known.hour == hour:
        # This hour held the first one, and does no more.
        other = first_calls.of_contact(tenant_id, contact_id, hour)
        after = min((one for one in (mine, other) if one is not None), default=None)
    else:
        return known
    if not first_calls.replace(tenant_id, contact_id, known, after):
        # Another hour did so at the same time: this one is looked at again.
        marks.mark(tenant_id, hour, datetime.now(UTC))
        return None
    for concerned in {one.hour for one in (known, after) if one is not None} - {hour}:
        marks.mark(tenant_id, concerned, datetime.now(UTC))
    return after


# ------------------------------------------------------------------ days


def days(tenant_id: str, zone: ZoneInfo, wanted: Iterable[date]) -> dict[date, Aggregate]:
    """The sums of local days, made anew where an hour of theirs changed. Raises botocore's errors."""
    found: dict[date, Aggregate] = {}
    queue = list(wanted)
    for start in range(0, len(queue), _DAYS_AT_ONCE):
        found |= _days(tenant_id, zone, queue[start : start + _DAYS_AT_ONCE])
    return found


def _days(tenant_id: str, zone: ZoneInfo, wanted: list[date]) -> dict[date, Aggregate]:
    hours = {day: sums.hours_of(day, zone) for day in wanted}
    versions = report_sums.versions(
        tenant_id, report_sums.utc_days(hour for several in hours.values() for hour in several)
    )
    stamps = {
        day: report_sums.stamp_of({hour: versions.get(hour, 0) for hour in several}) for day, several in hours.items()
    }
    places = {report_sums.day_place(tenant_id, day, zone): day for day in wanted if stamps[day]}
    kept = {places[place]: one for place, one in report_sums.load(places).items()}
    found: dict[date, Aggregate] = {}
    for day in wanted:
        one = kept.get(day, report_sums.NEVER)
        if not stamps[day]:
            found[day] = {}
        elif one.stamp == stamps[day]:
            found[day] = one.aggregate
        else:
            found[day] = _roll_up(tenant_id, zone, day, one)
    return found


def _roll_up(tenant_id: str, zone: ZoneInfo, day: date, before: report_sums.StoredSums) -> Aggregate:
    """Make a day out of its hours, and keep it for the next reader."""
    places = {report_sums.hour_place(tenant_id, hour): hour for hour in sums.hours_of(day, zone)}
    kept = {places[place]: one for place, one in report_sums.load(places).items()}
    aggregate = sums.sum_day(day, zone, {hour: one.aggregate for hour, one in kept.items()})
    stamp = report_sums.stamp_of({hour: one.version for hour, one in kept.items()})
    # Whoever was faster has made the same, or newer.
    report_sums.save(report_sums.day_place(tenant_id, day, zone), sums.dump(aggregate), before, stamp)
    return aggregate


def zone_of(tenant_id: str) -> ZoneInfo:
    """The tenant's time zone, as it is now. Raises NotFoundError."""
    return ZoneInfo(tenants.load_tenant(tenant_id).time_zone)


def today(zone: ZoneInfo) -> date:
    """The day that it is there."""
    return datetime.now(zone).date()


def mark_all(tenant_id: str, first: str, last: str) -> int:
    """Mark all hours of these UTC days (ISO 8601, both included), such as those from before there were reports.

    How many were marked. Raises ValueError for what is no day, and botocore's errors.
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
