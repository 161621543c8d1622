"""Lists of contacts, calls and tags, newest first, and the period that a list covers."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from hangtag.api.calls.models import Call, CallPage, Tag, TagPage
from hangtag.api.contacts.cards import Cards
from hangtag.api.contacts.models import ContactPage
from hangtag.api.kernel.caller import Caller
from hangtag.api.kernel.cursor import cursor_error, read_cursor, write_cursor
from hangtag.api.kernel.models import DEFAULT_LIMIT, Page, is_id
from hangtag.api.kernel.paging import page_of
from hangtag.api.kernel.visibility import Visibility
from hangtag.errors import BadInputError, ErrorCode, FieldError, FieldErrorCode, NotFoundError
from hangtag.services.calls.view import click_view, open_view
from hangtag.store.calls import clicks
from hangtag.store.calls import items as call_items
from hangtag.store.calls import tags as tag_items
from hangtag.store.db import client
from hangtag.store.db.listing import Body, Place, Span, by_contact, by_day
from hangtag.store.office import tasks
from hangtag.store.office.tenants import get_tenant

__all__ = ["Tags", "Times", "between", "call", "call_of_pbx", "calls", "contacts"]

P = TypeVar("P", bound=Page[Any])

LAST_DAYS = timedelta(days=7)
NEXT_DAYS = timedelta(days=7)
OVERDUE = timedelta(days=30)
MOST_AHEAD = timedelta(days=92)
# Open calls that one list reads at most.
MAX_OPEN = 500
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
# A PBX's clock can be ahead.
_AHEAD = timedelta(days=2)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_CALL_ID = re.compile(r"[0-9a-f]{16}\.[0-9a-f]{32}\.(\d{4}|click)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Times:
    """Period from `since` (inclusive) to `until` (exclusive), both UTC."""

    since: datetime
    until: datetime

    def holds(self, text: str | None) -> bool:
        """Return True for an ISO time within the period, and for None."""
        return text is None or self.since <= datetime.fromisoformat(text) < self.until

    @property
    def span(self) -> Span:
        """The UTC days of the period."""
        return Span(self.since.date(), self.until.date())


def between(tenant_id: str, since: str | None, until: str | None) -> Times:
    """Return the period of a list; the last seven days by default.

    `since` and `until` are both dates (days in the tenant's time zone, inclusive) or both instants (`until` exclusive;
    without an offset they are local times of the tenant). Raise BadInputError for mixed forms and for a reversed
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


def contacts(table: str, tenant_id: str, limit: int | None, cursor: str | None) -> ContactPage:
    """Return all contacts, newest first."""
    created = datetime.fromisoformat(get_tenant(tenant_id).created_at)
    span = Span(created.date(), datetime.now(UTC).date())
    extend = Cards(tenant_id).matched
    return _days(ContactPage, table, tenant_id, "CONTACTS", span, limit, cursor, lambda _: True, extend)


def calls(
    table: str,
    caller: Caller,
    times: Times,
    wanted: Mapping[str, str | None],
    limit: int | None,
    cursor: str | None,
) -> CallPage:
    """Return the calls of a period whose fields match the filters (None: any); closed calls unless `state` is open."""
    sight, tenant_id = Visibility(caller), caller.tenant_id

    def accept(body: Body) -> bool:
        fits = all(value is None or body.get(name) == value for name, value in wanted.items())
        return fits and times.holds(body.get("started_at")) and sight.may_see(body)

    if wanted.get("state") == "open":
        return _open_calls(table, tenant_id, accept, limit or DEFAULT_LIMIT)
    return _days(CallPage, table, tenant_id, "CALLS", times.span, limit, cursor, accept)


def _open_calls(table: str, tenant_id: str, accept: Callable[[Body], bool], limit: int) -> CallPage:
    """Return the open calls. They are not in the index of days and are too few for pages."""
    found = (call_items.read(table, place) for place in call_items.live_calls(table, tenant_id))
    shown = [_view(item) for item in islice((item for item in found if item), MAX_OPEN)]
    shown = [call for call in shown if accept(call.model_dump())]
    shown.sort(key=lambda call: call.started_at or "", reverse=True)
    return CallPage(items=shown[:limit])


def call_of_pbx(table: str, caller: Caller, integration_id: str, call_id: str) -> CallPage:
    """Return the call, open or closed, with this id at its PBX."""
    tenant_id = caller.tenant_id
    item = call_items.read_newest(table, tenant_id, integration_id, call_id) if is_id(integration_id) else None
    shown = [_view(item)] if item else []
    return CallPage(items=[call for call in shown if Visibility(caller).may_see(call.model_dump())])


def call(table: str, caller: Caller, public_id: str) -> Call:
    """Return a call by its id. Raise NotFoundError, also for a call that the caller cannot see."""
    found = call_key(caller.tenant_id, public_id)
    item = call_items.read(table, found) if found else None
    shown = _view(item) if item else _clicked(caller.tenant_id, public_id)
    if shown is None or not Visibility(caller).may_see(shown.model_dump()):
        raise NotFoundError("No such call.")
    return shown


def call_key(tenant_id: str, public_id: str) -> call_items.CallKey | None:
    """Return the key of a call of this tenant; None for a text that cannot be a call's id."""
    if not _CALL_ID.fullmatch(public_id):
        return None
    return clicks.place_of(tenant_id, public_id)


def _clicked(tenant_id: str, public_id: str) -> Call | None:
    """Return a click-to-call that the PBX has not reported yet."""
    click_id = call_items.click_of(public_id)
    click = clicks.find(tenant_id, click_id) if click_id and _CALL_ID.fullmatch(public_id) else None
    if click is None or click.public_id != public_id:
        return None
    return Call.model_validate(click_view(click))


def _view(item: call_items.CallItem) -> Call:
    current = item.body is not None and item.emitted == item.fold().digest()
    return Call.model_validate(item.body if current else open_view(item))


class Tags:
    """The tags that a caller can see. `tag_type`: call, missed_call or None."""

    def __init__(self, table: str, caller: Caller, tag_type: str | None) -> None:
        self._table = table
        self._tenant_id = caller.tenant_id
        self._type = tag_type
        self._sight = Visibility(caller)

    def one(self, tag_id: str) -> Tag:
        """Return a tag. Raise NotFoundError, also for a tag that the caller cannot see."""
        found = tag_items.load(self._table, self._tenant_id, tag_id)
        if found is None or found.tag is None or not self._accept(found.tag):
            raise NotFoundError("No such tag.")
        return Tag.model_validate(found.tag)

    def of_call(self, call_id: str) -> TagPage:
        """Return a page with the tag of a call, or an empty page."""
        found = call_key(self._tenant_id, call_id)
        try:
            return TagPage(items=[self.one(found.digest)] if found else [])
        except NotFoundError:
            return TagPage(items=[])

    def of_contact(self, contact_id: str, limit: int | None, cursor: str | None) -> TagPage:
        """Return the tags of a contact."""
        start = read_cursor("contact-tags", 1, cursor)
        if not is_id(contact_id):
            return TagPage(items=[])
        found, following = by_contact(
            self._table,
            self._tenant_id,
            contact_id,
            start[0] if start else None,
            limit or DEFAULT_LIMIT,
            lambda kind, body: kind == "tag" and self._accept(body),
        )
        return TagPage(
            items=[Tag.model_validate(body) for _, body in found],
            next_cursor=write_cursor("contact-tags", following) if following else None,
        )

    def of_task(self, task_id: str, limit: int | None, cursor: str | None) -> TagPage:
        """Return the tags of a task."""
        start = read_cursor("task-tags", 1, cursor)
        if not is_id(task_id):
            return TagPage(items=[])
        bodies, following = tasks.tags_of(self._tenant_id, task_id, limit or DEFAULT_LIMIT, start[0] if start else None)
        return TagPage(
            items=[Tag.model_validate(body) for body in bodies if self._accept(body)],
            next_cursor=write_cursor("task-tags", following) if following else None,
        )

    def of_time(self, times: Times, limit: int | None, cursor: str | None) -> TagPage:
        """Return the tags of a period."""
        return _days(
            TagPage,
            self._table,
            self._tenant_id,
            "TAGS",
            times.span,
            limit,
            cursor,
            lambda body: self._accept(body) and times.holds(body.get("at")),
        )

    def _accept(self, body: Body) -> bool:
        if self._type is not None and body["type"] != self._type:
            return False
        return self._sight.may_see(body)


def by_days(
    page: type[P],
    tenant_id: str,
    word: str,
    times: Times,
    limit: int | None,
    cursor: str | None,
    accept: Callable[[Body], bool] = lambda _: True,
) -> P:
    """Return the accepted items of a period, newest first; their time is in `at`."""

    def fits(body: Body) -> bool:
        return times.holds(body.get("at")) and accept(body)

    return _days(page, client.table(), tenant_id, word, times.span, limit, cursor, fits)


def _days(
    page: type[P],
    table: str,
    tenant_id: str,
    word: str,
    span: Span,
    limit: int | None,
    cursor: str | None,
    accept: Callable[[Body], bool],
    extend: Callable[[list[Body]], Iterable[Body]] = lambda page: page,
) -> P:
    """Return a page of bodies; `extend` adds the properties that only the API has."""
    bodies, following = by_day(table, tenant_id, word, span, _place(word, cursor), limit or DEFAULT_LIMIT, accept)
    after = write_cursor(word, following.day.isoformat(), following.before) if following else None
    return page_of(page, list(extend(bodies)), after)


def _place(word: str, cursor: str | None) -> Place | None:
    parts = read_cursor(word, 2, cursor)
    if parts is None:
        return None
    try:
        return Place(date.fromisoformat(parts[0] or ""), parts[1])
    except ValueError:
        raise cursor_error() from None
