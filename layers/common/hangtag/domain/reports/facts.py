"""What reports know of one call: the group that it counts in, and what it adds there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

QUARTER_MINUTES = 15
Body = Mapping[str, Any]


class Reach(StrEnum):
    """How a call ended, as reports have it: somebody talked, an incoming one nobody took, an outgoing one in vain."""

    ANSWERED = "answered"
    MISSED = "missed"
    UNREACHED = "unreached"


class Group(NamedTuple):
    """What the calls of one sum have in common.

    `slot` is the quarter of a UTC hour, 0 to 3, in the sums of hours; the hour on the local clock in those of days.
    `employee` is who talked, or the only one concerned; `people` are all employees who took part, sorted. `hidden_on`
    is None for what all may see, else the task whose people may, "" if there is none.
    """

    slot: int
    employee: str | None
    people: tuple[str, ...]
    contact: str | None
    line: str | None
    integration: str
    direction: str
    reach: str
    hidden_on: str | None


class Sums(NamedTuple):
    """Counts of calls, and sums in whole seconds; of times to answer in milliseconds.

    `timed` are the answered incoming calls whose time to answer is known, `first` those of contacts that had none
    before.
    """

    calls: int = 0
    talk_seconds: int = 0
    timed: int = 0
    answer_ms: int = 0
    returned: int = 0
    return_seconds: int = 0
    first: int = 0

    def plus(self, other: "Sums") -> "Sums":
        """Both together."""
        return Sums(*(one + more for one, more in zip(self, other, strict=True)))


NOTHING = Sums()


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known of an hour's calls from elsewhere, by their ids: when missed ones were returned, who were first.

    `return_seconds` holds the seconds from a missed call until somebody talked to its number.
    """

    return_seconds: Mapping[str, int]
    first: frozenset[str]


def counts(body: Body) -> bool:
    """Whether reports count a call, as the API shows it: it began, and left a tag."""
    return bool(body.get("started_at")) and body.get("tag_type") is not None


def started(body: Body) -> datetime:
    """When the call began, in UTC."""
    return datetime.fromisoformat(body["started_at"]).astimezone(UTC)


def people_of(body: Body) -> tuple[str, ...]:
    """The employees who took part, sorted."""
    return tuple(sorted({*body.get("employee_ids", ()), *([body["employee_id"]] if body.get("employee_id") else ())}))


def employee_of(body: Body) -> str | None:
    """Whose call it is: who talked, or the only one whom it concerned; nobody's if it rang several in vain."""
    people = people_of(body)
    return body.get("employee_id") or (people[0] if len(people) == 1 else None)


def reach_of(body: Body) -> Reach:
    """How a call that counts ended."""
    if body["tag_type"] == "call":
        return Reach.ANSWERED
    return Reach.UNREACHED if body["direction"] == "out" else Reach.MISSED


def hidden_on(body: Body) -> str | None:
    """None unless it is hidden: then the task whose people may see it, "" if there is none."""
    return (body.get("task_id") or "") if body.get("hidden") else None


def group_of(body: Body) -> Group:
    """Where a call counts, by the quarter of its UTC hour."""
    return Group(
        slot=started(body).minute // QUARTER_MINUTES,
        employee=employee_of(body),
        people=people_of(body),
        contact=body.get("contact_id"),
        line=body.get("line"),
        integration=str(body["integration_id"]),
        direction="out" if body.get("direction") == "out" else "in",
        reach=reach_of(body).value,
        hidden_on=hidden_on(body),
    )


def sums_of(body: Body, beside: Beside) -> Sums:
    """What a call adds to its group."""
    waited = answer_ms(body)
    returned = beside.return_seconds.get(str(body["id"])) if reach_of(body) is Reach.MISSED else None
    return Sums(
        calls=1,
        talk_seconds=int(body.get("talk_seconds") or 0) if reach_of(body) is Reach.ANSWERED else 0,
        timed=int(waited is not None),
        answer_ms=waited or 0,
        returned=int(returned is not None),
        return_seconds=returned or 0,
        first=int(str(body["id"]) in beside.first),
    )


def answer_ms(body: Body) -> int | None:
    """Milliseconds from the beginning of an incoming call until somebody took it; None if it is no such one."""
    if reach_of(body) is not Reach.ANSWERED or body.get("direction") == "out" or not body.get("answered_at"):
        return None
    waited = datetime.fromisoformat(body["answered_at"]) - started(body)
    return max(0, round(waited.total_seconds() * 1000))
