"""Clicks and call logs of the voice APIs of `hangtag.providers.call_control`. Not imported by the webhook."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from hangtag.domain.calls.event import CallEvent
from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers.base import Account, Click, PayloadError, PlacedCall
from hangtag.providers.call_control import Leg, caller_id, digits, is_extension, recorded_event
from hangtag.providers.reading import moment, need, text

__all__ = [
    "call_legs",
    "check_extension",
    "click_numbers",
    "placed_call",
    "readable",
    "recording_events",
    "timestamp",
    "webhook_url",
]

Row = Mapping[str, Any]
T = TypeVar("T")


def click_numbers(account: Account, click: Click, name: str) -> tuple[str, str]:
    """Return the digits of the number to call, and of the own number to show. Raises BadInputError."""
    number = digits(click.number)
    line = digits(click.line or "") or caller_id(account.settings)
    if not number:
        raise BadInputError("The number to call is invalid. Enter a plus and digits only.")
    if not line:
        raise BadInputError(f"caller_id is not entered. Enter a number of the {name} account that contacts see.")
    return number, line


def check_extension(extension: str) -> str:
    """Return the extension. Raises BadInputError if it cannot be the user of a SIP address."""
    if not is_extension(extension):
        raise BadInputError("The extension is invalid. Use letters, digits and the characters . * - _ only.")
    return extension


def webhook_url(account: Account, name: str) -> str:
    """Return the webhook's address, which the vendor calls back. Raises BadInputError if it is unknown."""
    if not account.webhook_url:
        raise BadInputError(f"The webhook's address is unknown. Rotate it, so that {name} can call it back.")
    return account.webhook_url


def placed_call(response: Row, field: str, name: str) -> PlacedCall:
    """Return the call of a response. Raises UnreachableError if the field of its id is missing."""
    call_id = response.get(field)
    if not isinstance(call_id, str) or not call_id:
        raise UnreachableError(f"The response of {name} does not contain the id of the call.")
    return PlacedCall(call_id)


# ------------------------------------------------------------------ call logs


def timestamp(at: datetime, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
    """Return a time in UTC as the list filters expect it."""
    return at.astimezone(UTC).strftime(form)


def readable(rows: Iterable[Row], read: Callable[[Row], T | None]) -> Iterator[T]:
    """Yield `read(row)` of each row; skip rows for which it returns None or raises PayloadError."""
    for row in rows:
        try:
            result = read(row)
        except PayloadError:
            continue
        if result is not None:
            yield result


def call_legs(legs: Iterable[Leg], since: datetime, until: datetime) -> list[tuple[Leg, list[Leg]]]:
    """Return the calls that began in the period [since, until), each as its own leg and the legs that it dialled."""
    parents: dict[str, Leg] = {}
    children: dict[str, list[Leg]] = defaultdict(list)
    for leg in legs:
        if leg.parent:
            children[leg.parent].append(leg)
        elif leg.begun is not None and since <= leg.begun < until:
            parents[leg.id] = leg
    return [(parent, children[call_id]) for call_id, parent in parents.items()]


def recording_events(
    rows: Iterable[Row], calls: Collection[str], *, call_id: str, created: str, reference: Callable[[Row], str]
) -> Iterator[CallEvent]:
    """Yield the events of the completed recordings of these calls.

    `call_id` and `created` name the columns of the call and of the time; `reference` reads the recording's address or
    id. Rows that are incomplete are skipped.
    """

    def read(row: Row) -> CallEvent | None:
        at = moment(text(row, created))
        if at is None or text(row, "status") not in ("", "completed"):
            return None
        return recorded_event(need(row, call_id), at, False, reference(row))

    return (event for event in readable(rows, read) if event.call_id in calls)
