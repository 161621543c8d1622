"""Pages of lists."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from hangtag.errors import BadInputError, FieldError, FieldErrorCode
from hangtag.store.db.keys import key
from hangtag.store.db.models import Entry

T = TypeVar("T")
U = TypeVar("U")
E = TypeVar("E", bound=Entry)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list. `next` is the position of the following page; None at the end."""

    items: tuple[T, ...]
    next: str | None

    def map(self, change: Callable[[T], U]) -> "Page[U]":
        """Return the page with each item changed."""
        return Page(tuple(change(item) for item in self.items), self.next)


def within(prefix: str, place: str) -> str:
    """Check a position from a client's cursor against its list. Raises BadInputError if it is outside."""
    if not place.startswith(prefix):
        field = FieldError("cursor", FieldErrorCode.INVALID_FORMAT, "it is not a cursor of this list")
        raise BadInputError("The cursor is not from this list.", (field,))
    return place


def children(model: type[E], tenant_id: str, word: str, limit: int, after: str | None) -> Page[E]:
    """Return the items of a kind in the tenant's own partition, by id. `after` is a page's `next`."""
    pk = key("T", tenant_id)
    start = {"pk": {"S": pk}, "sk": {"S": key(word, after)}} if after is not None else None
    items = list(
        model.query(
            pk,
            model.sk.startswith(key(word, "")),
            limit=limit + 1,
            last_evaluated_key=start,
            consistent_read=True,
        )
    )
    if len(items) <= limit:
        return Page(tuple(items), None)
    last = items[limit - 1].sk.removeprefix(key(word, ""))
    return Page(tuple(items[:limit]), last)
