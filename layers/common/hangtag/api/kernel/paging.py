"""Pages of lists."""

from collections.abc import Callable
from typing import Any, TypeVar

from hangtag.api.kernel.cursor import read_cursor, write_cursor
from hangtag.api.kernel.models import DEFAULT_LIMIT, Page, is_id
from hangtag.errors import NotFoundError
from hangtag.store.db import paging

__all__ = ["children", "found_id", "page_of"]

P = TypeVar("P", bound=Page[Any])


def page_of(page: type[P], items: list[Any], next_cursor: str | None = None) -> P:
    """Return a page of these items; each is a model or its JSON."""
    return page.model_validate({"items": items, "next_cursor": next_cursor})


def children(
    of: str,
    page: type[P],
    limit: int | None,
    cursor: str | None,
    load: Callable[[int, str | None], paging.Page[Any]],
    extend: Callable[[Any], Any] = lambda body: body,
) -> P:
    """Return a page of the tenant's resources. `of` is the name of the list in its cursors; resources have `to_json`.

    `extend` adds to a resource's JSON the properties that only the API has.
    """
    start = read_cursor(of, 1, cursor)
    batch = load(limit or DEFAULT_LIMIT, start[0] if start else None)
    following = write_cursor(of, batch.next) if batch.next is not None else None
    return page_of(page, [extend(item.to_json()) for item in batch.items], following)


def found_id(text: str) -> str:
    """Return an id from a path. Raises NotFoundError for a text that cannot be an id, before the table is read."""
    if not is_id(text):
        raise NotFoundError("No such resource.")
    return text
