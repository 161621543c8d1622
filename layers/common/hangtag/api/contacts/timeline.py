"""Timelines: tags and comments of a contact or a task, newest first, as far as the caller can see them."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

from hangtag.api.calls import service as calls
from hangtag.api.kernel.caller import Caller, Role
from hangtag.api.kernel.cursor import read_cursor, write_cursor
from hangtag.api.kernel.models import DEFAULT_LIMIT
from hangtag.api.kernel.visibility import Visibility
from hangtag.errors import NotFoundError
from hangtag.store.db.listing import by_contact
from hangtag.store.office import comments, tasks

__all__ = ["Entry", "of_contact", "of_task", "page"]

Body = Mapping[str, Any]
Entry = tuple[Literal["tag", "comment"], Body]
Load = Callable[[int, str | None], tuple[list[Body], str | None]]


def page(name: str, limit: int | None, cursor: str | None, load: Load) -> tuple[list[Body], str | None]:
    """Return a page of the list `name` and the cursor of the next. Raises BadInputError for another list's cursor."""
    start = read_cursor(name, 1, cursor)
    bodies, following = load(limit or DEFAULT_LIMIT, start[0] if start else None)
    return bodies, write_cursor(name, following) if following is not None else None


def of_contact(
    caller: Caller, contact_id: str, limit: int | None, cursor: str | None
) -> tuple[list[Entry], str | None]:
    """Return a page of a contact's timeline and the cursor of the next page."""
    sight = _Sight(caller)
    start = read_cursor("timeline", 1, cursor)
    entries, following = by_contact(
        caller.tenant_id,
        contact_id,
        start[0] if start else None,
        limit or DEFAULT_LIMIT,
        sight.may_see,
    )
    after = write_cursor("timeline", following) if following is not None else None
    return cast("list[Entry]", entries), after


def of_task(caller: Caller, task_id: str, limit: int | None, cursor: str | None) -> tuple[list[Entry], str | None]:
    """Return a page of a task's timeline: tags and comments in one order. The cursor has a place in each list."""
    sight, count = _Sight(caller), limit or DEFAULT_LIMIT
    start = read_cursor("task-timeline", 2, cursor) or (None, None)
    tags, _ = tasks.tags_of(caller.tenant_id, task_id, count + 1, start[0])
    remarks, _ = comments.of_task(caller.tenant_id, task_id, count + 1, start[1])
    both: list[Entry] = [*(("tag", body) for body in tags), *(("comment", body) for body in remarks)]
    both.sort(key=lambda entry: (entry[1]["at"], entry[1]["id"]), reverse=True)
    shown = both[:count]
    if len(both) <= count:
        return sight.visible(shown), None
    places = [start[0], start[1]]
    for kind, body in shown:
        places[0 if kind == "tag" else 1] = _place(kind, body)
    return sight.visible(shown), write_cursor("task-timeline", *places)


class _Sight:
    """Visibility of tags and comments for one caller. Comments are visible to those who can see their call."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._sight = Visibility(caller)
        self._calls: dict[str, bool] = {}

    def may_see(self, kind: str, body: Body) -> bool:
        """Return True if the caller can see the entry."""
        return self._may_see_call(body["call"]["id"]) if kind == "comment" else self._sight.may_see(body)

    def visible(self, entries: list[Entry]) -> list[Entry]:
        """Return the entries that the caller can see."""
        return [entry for entry in entries if self.may_see(*entry)]

    def _may_see_call(self, call_id: str) -> bool:
        if self._caller.role >= Role.ADMIN:
            return True
        if call_id not in self._calls:
            try:
                calls.load_body(self._caller, call_id)
                self._calls[call_id] = True
            except NotFoundError:
                self._calls[call_id] = False
        return self._calls[call_id]


def _place(kind: str, body: Body) -> str:
    return comments.place(body) if kind == "comment" else tasks.place_of_tag(body)
