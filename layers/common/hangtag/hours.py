"""Working hours of an employee, in a time zone. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

__all__ = ["DAYS", "Hours", "HoursError", "Span", "is_working"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_SPANS_A_DAY = 3


class HoursError(ValueError):
    """Invalid working hours. `place` is the index of the span; the message is the reason."""

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(reason)
        self.place = place


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a day from `start` (included) to `end` (excluded), both HH:MM in local time; 24:00 is the day's end."""

    day: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Hours:
    """Working hours of an employee. `time_zone` is an IANA name, None for the tenant's."""

    time_zone: str | None
    spans: tuple[Span, ...]

    def to_json(self) -> dict[str, Any]:
        """Encode the hours for the table and the API."""
        days = [{"day": span.day, "from": span.start, "to": span.end} for span in self.spans]
        return {"time_zone": self.time_zone, "days": days}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Hours":
        """Decode the result of `to_json`."""
        spans = tuple(Span(day["day"], day["from"], day["to"]) for day in values["days"])
        return cls(values["time_zone"], spans)


def check(spans: Sequence[Span]) -> None:
    """Raise HoursError for a span that ends before it begins, overlaps another, or exceeds three spans a day."""
    for place, span in enumerate(spans):
        if not span.start < span.end <= "24:00":
            raise HoursError(place, "The end must be after the start, at 24:00 at the latest.")
        same_day = [other for other in spans[:place] if other.day == span.day]
        if len(same_day) >= MAX_SPANS_A_DAY:
            raise HoursError(place, f"A day can have at most {MAX_SPANS_A_DAY} spans.")
        if any(span.start < other.end and other.start < span.end for other in same_day):
            raise HoursError(place, "The span overlaps another span of the day.")


def is_working(hours: Hours | None, at: datetime, tenant_zone: str) -> bool:
    """Return True if `at` (UTC) is within the working hours; without hours an employee always works.

    A night shift is two spans, to 24:00 and from 00:00. Days and clock changes are those of the hours' time zone.
    """
    if hours is None:
        return True
    local = at.astimezone(ZoneInfo(hours.time_zone or tenant_zone))
    day, clock = DAYS[local.weekday()], local.strftime("%H:%M")
    return any(span.day == day and span.start <= clock < span.end for span in hours.spans)
