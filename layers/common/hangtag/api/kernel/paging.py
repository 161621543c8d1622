"""Lists as the API answers them."""

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel

from hangtag.api.kernel.cursor import read_cursor, write_cursor
from hangtag.api.kernel.models import DEFAULT_LIMIT, PageModel, is_id
from hangtag.errors import NotFoundError
from hangtag.store.db.paging import Page

__all__ = ["children", "found_id"]

M = TypeVar("M", bound=BaseModel)


def children(
    of: str,
    shape: type[M],
    limit: int | None,
    cursor: str | None,
    load: Callable[[int, str | None], Page[Any]],
    dress: Callable[[Any], Any] = lambda said: said,
) -> PageModel[M]:
    """A page of things of the tenant. `of` names the list in its cursors; things have `to_json`.

    `dress` adds to a thing's JSON what only the API shows.
    """
    start = read_cursor(of, 1, cursor)
    page = load(limit or DEFAULT_LIMIT, start[0] if start else None)
    return PageModel[M](
        items=[shape.model_validate(dress(item.to_json())) for item in page.items],
        next_cursor=write_cursor(of, page.next) if page.next is not None else None,
    )


def found_id(text: str) -> str:
    """An id from a path. Raises NotFoundError for what can be no id of ours, before it meets the table."""
    if not is_id(text):
        raise NotFoundError("there is no such thing")
    return text
