"""Facts that reports count of one call: its group, and its contribution to the group's sums."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

QUARTER_MINUTES = 15
Body = Mapping[str, Any]


class Reach(StrEnum):
    """Result of a call in reports: answered, missed (incoming) or unreached (outgoing)."""

    ANSWERED = "answered"
    MISSED = "missed"
    UNREACHED = "unreached"


class Group(NamedTuple):
    """Common properties of the calls in one sum.

    `slot` is the quarter of a UTC hour, 0 to 3, in sums of hours, and the hour on the local clock in sums of days.
    `employee` is the one who talked, or the only one concerned; `people` are all employees who took part, sorted.
    `hidden_on` is None for calls that are not hidden. Otherwise it is the task whose members can see the call, or
    "" without a task.
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
    """Counts of calls, and sums in whole seconds; times to answer are in milliseconds.

    `timed` counts the answered incoming calls with a known time to answer, `first` the calls of contacts that had none
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
        """Return the sum of both."""
        return Sums(*(one + more for one, more in zip(self, other, strict=True)))


NOTHING = Sums()


@dataclass(frozen=True, slots=True)
class CallHistory:
    """Facts about an hour's calls from outside their items, by call id: returned missed calls, first calls.

    `return_seconds` holds the seconds from a missed call to the next conversation with its number.
    """

    return_seconds: Mapping[str, int]
    first: frozenset[str]


def counts(body: Body) -> bool:
    """Return True if reports count a call of the API: it has a beginning and a tag."""
    return bool(body.get("started_at")) and body.get("tag_type") is not None


def start_of(body: Body) -> datetime:
    """Return when the call began, in UTC."""
    return datetime.fromisoformat(body["started_at"]).astimezone(UTC)


def people_of(body: Body) -> tuple[str, ...]:
    """Return the employees who took part, sorted."""
    return tuple(sorted({*body.get("employee_ids", ()), *([body["employee_id"]] if body.get("employee_id") else ())}))


def employee_of(body: Body) -> str | None:
    """Return the employee who talked, or the only one concerned; None if the call rang several in vain."""
    people = people_of(body)
    return body.get("employee_id") or (people[0] if len(people) == 1 else None)


def reach_of(body: Body) -> Reach:
    """Return the result of a call that counts."""
    if body["tag_type"] == "call":
        return Reach.ANSWERED
    return Reach.UNREACHED if body["direction"] == "out" else Reach.MISSED


def hidden_on(body: Body) -> str | None:
    """Return the task whose members can see a hidden call, or "" without a task; None if the call is not hidden."""
    return (body.get("task_id") or "") if body.get("hidden") else None


def group_of(body: Body) -> Group:
    """Return the group of a call, with the quarter of its UTC hour."""
    return Group(
        slot=start_of(body).minute // QUARTER_MINUTES,
        employee=employee_of(body),
        people=people_of(body),
        contact=body.get("contact_id"),
        line=body.get("line"),
        integration=str(body["integration_id"]),
        direction="out" if body.get("direction") == "out" else "in",
        reach=reach_of(body).value,
        hidden_on=hidden_on(body),
    )


def sums_of(body: Body, history: CallHistory) -> Sums:
    """Return a call's contribution to its group."""
    milliseconds = answer_ms(body)
    returned = history.return_seconds.get(str(body["id"])) if reach_of(body) is Reach.MISSED else None
    return Sums(
        calls=1,
        talk_seconds=int(body.get("talk_seconds") or 0) if reach_of(body) is Reach.ANSWERED else 0,
        timed=int(milliseconds is not None),
        answer_ms=milliseconds or 0,
        returned=int(returned is not None),
        return_seconds=returned or 0,
        first=int(str(body["id"]) in history.first),
    )


def answer_ms(body: Body) -> int | None:
    """Return the milliseconds until an incoming call was answered; None for calls not answered, outgoing or without a
    time.
    """
    if reach_of(body) is not Reach.ANSWERED or body.get("direction") == "out" or not body.get("answered_at"):
        return None
    wait = datetime.fromisoformat(body["answered_at"]) - start_of(body)
    return max(0, round(wait.total_seconds() * 1000))
