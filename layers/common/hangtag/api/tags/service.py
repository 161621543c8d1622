"""Tags for the API: lists, single tags, and the visibility of each for the caller."""

from collections.abc import Iterable, Mapping
from typing import Any

from hangtag import representation
from hangtag.api.calls.service import call_key
from hangtag.api.kernel import listing
from hangtag.api.kernel.caller import Caller
from hangtag.api.kernel.cursor import read_cursor, write_cursor
from hangtag.api.kernel.listing import Times
from hangtag.api.kernel.models import DEFAULT_LIMIT
from hangtag.api.kernel.paging import page_of
from hangtag.api.kernel.visibility import Visibility
from hangtag.api.tags.models import Tag, TagPage
from hangtag.errors import NotFoundError
from hangtag.store.calls import tags as tag_items
from hangtag.store.db.listing import by_contact
from hangtag.store.office import names, tasks

__all__ = ["Tags"]

Body = Mapping[str, Any]


class Tags:
    """The tags that a caller can see. `tag_type` is call, missed_call, or None for both."""

    def __init__(self, caller: Caller, tag_type: str | None) -> None:
        self._tenant_id = caller.tenant_id
        self._type = tag_type
        self._sight = Visibility(caller)

    def get(self, tag_id: str) -> Tag:
        """Return one tag. Raises NotFoundError, also for a tag that the caller cannot see."""
        (shown,) = self._present([self._load(tag_id)])
        return Tag.model_validate(shown)

    def of_call(self, call_id: str) -> TagPage:
        """Return a page with the tag of a call; an empty page without one."""
        place = call_key(self._tenant_id, call_id)
        try:
            bodies = [self._load(place.digest)] if place else []
        except NotFoundError:
            bodies = []
        return page_of(TagPage, self._present(bodies))

    def of_contact(self, contact_id: str, limit: int | None, cursor: str | None) -> TagPage:
        """Return a page of a contact's tags, newest first."""
        start = read_cursor("contact-tags", 1, cursor)
        entries, following = by_contact(
            self._tenant_id,
            contact_id,
            start[0] if start else None,
            limit or DEFAULT_LIMIT,
            lambda kind, body: kind == "tag" and self._accept(body),
        )
        after = write_cursor("contact-tags", following) if following else None
        return page_of(TagPage, self._present(body for _, body in entries), after)

    def of_task(self, task_id: str, limit: int | None, cursor: str | None) -> TagPage:
        """Return a page of a task's tags, newest first."""
        start = read_cursor("task-tags", 1, cursor)
        bodies, following = tasks.tags_of(self._tenant_id, task_id, limit or DEFAULT_LIMIT, start[0] if start else None)
        after = write_cursor("task-tags", following) if following else None
        return page_of(TagPage, self._present(filter(self._accept, bodies)), after)

    def of_period(self, times: Times, limit: int | None, cursor: str | None) -> TagPage:
        """Return a page of the tags of a period, newest first."""

        def accept(body: Body) -> bool:
            return times.holds(body.get("at")) and self._accept(body)

        return listing.by_days(TagPage, self._tenant_id, "TAGS", times.span, limit, cursor, accept, self._present)

    def _load(self, tag_id: str) -> Body:
        stored = tag_items.load(self._tenant_id, tag_id)
        if stored is None or stored.tag is None or not self._accept(stored.tag):
            raise NotFoundError("No such tag.")
        return stored.tag

    def _present(self, bodies: Iterable[Body]) -> list[dict[str, Any]]:
        stored = list(bodies)
        related = names.load(self._tenant_id, names.references(stored)) if stored else None
        return [representation.tag(body, related) for body in stored] if related else []

    def _accept(self, body: Body) -> bool:
        if self._type is not None and body["type"] != self._type:
            return False
        return self._sight.may_see(body)
