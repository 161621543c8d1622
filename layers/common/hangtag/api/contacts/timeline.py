"""Timelines: tags and comments of a contact or a task, the newest first, as far as the caller may see them."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

from hangtag.api.kernel import listing
from hangtag.api.kernel.caller import Caller, Role
from hangtag.api.kernel.cursor import read_cursor, write_cursor
from hangtag.api.kernel.models import DEFAULT_LIMIT
from hangtag.api.kernel.visibility import Visibility
from hangtag.errors import NotFoundError
from hangtag.store.db.listing import by_contact
from hangtag.store.office import comments, tasks

__all__ = ["of_contact", "of_task", "page"]

Body = Mapping[str, Any]
Entry = tuple[Literal["tag", "comment"], Body]
Load = Callable[[int, str | None], tuple[list[Body], str | None]]


def page(of: str, limit: int | None, cursor: str | None, load: Load) -> tuple[list[Body], str | None]:
    """A page of a list, and the cursor of the next. Raises BadInputError for another list's cursor."""
    start = read_cursor(of, 1, cursor)
    bodies, following = load(limit or DEFAULT_LIMIT, start[0] if start else None)
    return bodies, write_cursor(of, following) if following is not None else None


def of_contact(
    caller: Caller, contact_id: str, limit: int | None, cursor: str | None
) -> tuple[list[Entry], str | None]:
    """What stands on a contact, and the cursor of the next page."""
    seen = _Eyes(caller)
    start = read_cursor("timeline", 1, cursor)
    found, following = by_contact(
        caller.tenant_id,
        contact_id,
        start[0] if start else None,
        limit or DEFAULT_LIMIT,
        seen.may_see,
    )
    after = write_cursor("timeline", following) if following is not None else None
    return cast("list[Entry]", found), after


def of_task(caller: Caller, task_id: str, limit: int | None, cursor: str | None) -> tuple[list[Entry], str | None]:
    """What stands on a task: two lists in one order. The cursor says how far each was read."""
    eyes, count = _Eyes(caller), limit or DEFAULT_LIMIT
    start = read_cursor("task-timeline", 2, cursor) or (None, None)
    tags, _ = tasks.tags_of(caller.tenant_id, task_id, count + 1, start[0])
    said, _ = comments.of_task(caller.tenant_id, task_id, count + 1, start[1])
    both: list[Entry] = [*(("tag", body) for body in tags), *(("comment", body) for body in said)]
    both.sort(key=lambda entry: (entry[1]["at"], entry[1]["id"]), reverse=True)
    shown = both[:count]
    if len(both) <= count:
        return eyes.seen(shown), None
    places = [start[0], start[1]]
    for kind, body in shown:
        places[0 if kind == "tag" else 1] = _place(kind, body)
    return eyes.seen(shown), write_cursor("task-timeline", *places)


class _Eyes:
    """What a caller may see of tags and comments; a comment is for those who may see its call."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._sight = Visibility(caller)
        self._calls: dict[str, bool] = {}

    def may_see(self, kind: str, body: Body) -> bool:
        """Whether an entry is for the caller."""
        return self._may_see_call(body["call"]["id"]) if kind == "comment" else self._sight.may_see(body)

    def seen(self, entries: list[Entry]) -> list[Entry]:
        """Those that are."""
        return [entry for entry in entries if self.may_see(*entry)]

    def _may_see_call(self, call_id: str) -> bool:
        if self._caller.role >= Role.ADMIN:
            return True
        if call_id not in self._calls:
            try:
                listing.call(self._caller, call_id)
                self._calls[call_id] = True
            except NotFoundError:
                self._calls[call_id] = False
        return self._calls[call_id]


def _place(kind: str, body: Body) -> str:
    return comments.place(body) if kind == "comment" else tasks.place_of_tag(body)
