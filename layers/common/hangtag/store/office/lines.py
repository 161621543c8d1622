"""Lines: the tenant's own external numbers, and how they are called."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from hangtag.errors import NotFoundError
from hangtag.store.db.keys import key
from hangtag.store.db.models import LineItem
from hangtag.store.db.paging import Page, children

SK = "LINE"


@dataclass(frozen=True, slots=True)
class Line:
    """`number` is E.164 where it can be read, else as the PBX writes it. `color` is #rrggbb."""

    number: str
    name: str
    color: str | None

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return asdict(self)


def put_line(tenant_id: str, line: Line) -> Line:
    """Name a line, anew or again."""
    LineItem(key("T", tenant_id), key(SK, line.number), **line.to_json()).save()
    return line


def own(tenant_id: str, numbers: Iterable[str]) -> frozenset[str]:
    """Which of these numbers (E.164) are lines of the tenant."""
    places = [(key("T", tenant_id), key(SK, number)) for number in dict.fromkeys(numbers)]
    return (
        frozenset(item.number for item in LineItem.batch_get(places, consistent_read=True)) if places else frozenset()
    )


def delete_line(tenant_id: str, number: str) -> None:
    """Forget a line's name. Raises NotFoundError."""
    try:
        LineItem.get(key("T", tenant_id), key(SK, number)).delete()
    except LineItem.DoesNotExist:
        raise NotFoundError("No such line.") from None


def list_lines(tenant_id: str, limit: int, after: str | None) -> Page[Line]:
    """The tenant's lines by number; `after` is a page's `next`."""
    found = children(LineItem, tenant_id, SK, limit, after)
    return found.map(lambda item: Line(item.number, item.name, item.color))
