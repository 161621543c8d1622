"""Lists of the desk: their period, and their pages by day, newest first."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from hangtag.api.kernel.cursor import cursor_error, read_cursor, write_cursor
from hangtag.api.kernel.models import DEFAULT_LIMIT, Page
from hangtag.api.kernel.paging import page_of
from hangtag.errors import BadInputError, ErrorCode, FieldError, FieldErrorCode
from hangtag.store.db.listing import Body, Place, Span, by_day
from hangtag.store.office.tenants import get_tenant

__all__ = ["Times", "ahead", "between", "by_days", "place_of"]

P = TypeVar("P", bound=Page[Any])

LAST_DAYS = timedelta(days=7)
NEXT_DAYS = timedelta(days=7)
OVERDUE = timedelta(days=30)
MOST_AHEAD = timedelta(days=92)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
# The clock of a PBX can be ahead.
_AHEAD = timedelta(days=2)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Times:
    """A period from `since` (inclusive) to `until` (exclusive), both UTC."""

    since: datetime
    until: datetime

    def holds(self, text: str | None) -> bool:
        """Return True if an ISO time lies within; a record without a time is part of every period."""
        return text is None or self.since <= datetime.fromisoformat(text) < self.until

    @property
    def span(self) -> Span:
        """The UTC days of the period."""
        return Span(self.since.date(), self.until.date())


def between(tenant_id: str, since: str | None, until: str | None) -> Times:
    """Return the period of a list; the last seven days by default.

    `since` and `until` are both dates (days in the tenant's time zone, inclusive) or both instants (`until` exclusive;
    without an offset they are local times of the tenant). Raises BadInputError for mixed forms and for a reversed
    period.
    """
    latest = datetime.now(UTC) + _AHEAD
    begin, end = _period(tenant_id, since, until)
    last = min(end, latest) if end is not None else latest
    if begin is not None:
        return Times(begin, last)
    return Times(max(last - LAST_DAYS - (_AHEAD if end is None else timedelta(0)), _EARLIEST), last)


def ahead(tenant_id: str, since: str | None, until: str | None) -> Times:
    """Return the period of the planner: from 30 days ago to in 7 days by default, 92 days at most.

    The forms and errors are those of `between`.
    """
    now = datetime.now(UTC)
    begin, end = _period(tenant_id, since, until)
    begin = begin if begin is not None else now - OVERDUE
    end = end if end is not None else max(now, begin) + NEXT_DAYS
    return Times(begin, max(begin, min(end, begin + MOST_AHEAD)))


def _period(tenant_id: str, since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Return both bounds in UTC; the second is exclusive."""
    first, last = _bound("from", since), _bound("to", until)
    if first is not None and last is not None and isinstance(first, datetime) != isinstance(last, datetime):
        raise _range("Use the same form for from and to: either two dates or two instants.")
    if first is not None and last is not None and _is_reversed(first, last):
        raise _range("The end of the period is before its start.")
    zone = _zone(tenant_id) if any(_is_local(bound) for bound in (first, last)) else UTC
    begin = _start(first, zone) if first is not None else None
    end = None
    if isinstance(last, datetime):
        end = _start(last, zone)
    elif last is not None:
        end = _start(min(last, _LATEST.date()) + timedelta(days=1), zone)
    if begin is not None and end is not None and begin > end:
        raise _range("The end of the period is before its start.")
    return begin, end


def _is_reversed(first: date, last: date) -> bool:
    """Return True for two dates in the wrong order; instants are compared in UTC."""
    return not isinstance(first, datetime) and not isinstance(last, datetime) and first > last


def _bound(name: str, text: str | None) -> date | datetime | None:
    """Return a date or an instant as the request contains it."""
    if text is None:
        return None
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        # A plus that was not escaped in a query arrives as a space.
        bound = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise _unreadable(name) from None
    return bound


def _is_local(bound: date | datetime | None) -> bool:
    return bound is not None and (not isinstance(bound, datetime) or bound.tzinfo is None)


def _start(bound: date | datetime, zone: tzinfo) -> datetime:
    """Return the first moment of a date, or an instant, in UTC and within the calendar that lists support."""
    if not _EARLIEST.year <= bound.year < _LATEST.year:
        return _EARLIEST if bound.year < _EARLIEST.year else _LATEST
    moment = bound if isinstance(bound, datetime) else datetime.combine(bound, time())
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return max(_EARLIEST, min(aware.astimezone(UTC), _LATEST))


def _zone(tenant_id: str) -> tzinfo:
    return ZoneInfo(get_tenant(tenant_id).time_zone)


def _range(sentence: str) -> BadInputError:
    field = FieldError("to", FieldErrorCode.OUT_OF_RANGE, sentence)
    return BadInputError(sentence, (field,), code=ErrorCode.RANGE_INVALID)


def _unreadable(name: str) -> BadInputError:
    sentence = "Not a date or time in ISO 8601. Use 2026-11-30 or 2026-11-30T09:30:00Z."
    return BadInputError("The period is not valid.", (FieldError(name, FieldErrorCode.INVALID_TIME, sentence),))


def by_days(
    page: type[P],
    tenant_id: str,
    words: str | tuple[str, ...],
    span: Span,
    limit: int | None,
    cursor: str | None,
    accept: Callable[[Body], bool] = lambda _: True,
    present: Callable[[list[Body]], Iterable[Any]] = lambda bodies: bodies,
) -> P:
    """Return a page of the records in the index of days that `accept` accepts, newest first.

    `words` are the names of the lists in the index; `present` maps the stored bodies of a page to their public JSON.
    """
    name = words if isinstance(words, str) else "+".join(words)
    bodies, following = by_day(tenant_id, words, span, place_of(name, cursor), limit or DEFAULT_LIMIT, accept)
    after = write_cursor(name, following.day.isoformat(), following.before) if following else None
    return page_of(page, list(present(bodies)), after)


def place_of(name: str, cursor: str | None) -> Place | None:
    """Return the place in a list by days that a cursor of the list `name` marks. Raises BadInputError."""
    parts = read_cursor(name, 2, cursor)
    if parts is None:
        return None
    try:
        return Place(date.fromisoformat(parts[0] or ""), parts[1])
    except ValueError:
        raise cursor_error() from None
