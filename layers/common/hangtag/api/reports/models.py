"""Response models and query parameters of reports."""

from dataclasses import asdict
from datetime import date
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from hangtag.api.calls.models import CALL_ID
from hangtag.api.kernel.enums import Direction, JobState
from hangtag.api.kernel.models import ContactSummary, EmployeeSummary, Instant, ResponseModel
from hangtag.domain.reports.report import Numbers

__all__ = [
    "FirstDay",
    "LastDay",
    "Report",
    "ReportCall",
    "ReportComparison",
    "ReportFile",
    "ReportGroup",
    "ReportInterval",
    "ReportMetrics",
]

_DAY = r"^\d{4}-\d{2}-\d{2}$"
FirstDay = Annotated[
    str | None,
    Query(
        alias="from",
        pattern=_DAY,
        description="First day of the report in the tenant's time zone, inclusive. Without both days: the current week;"
        " with one day: a week.",
        examples=["2026-11-30"],
    ),
]
LastDay = Annotated[
    str | None,
    Query(
        alias="to",
        pattern=_DAY,
        description="Last day of the report in the tenant's time zone, inclusive. A report covers at most 366 days.",
        examples=["2026-12-06"],
    ),
]


class ReportMetrics(ResponseModel):
    """Figures of some calls."""

    calls: int = Field(description="Number of calls.", examples=[12])
    incoming: int = Field(description="Number of incoming calls.", examples=[8])
    outgoing: int = Field(description="Number of outgoing calls.", examples=[4])
    answered: int = Field(description="Number of answered calls in both directions.", examples=[9])
    missed_incoming: int = Field(description="Number of incoming calls without an answer.", examples=[2])
    unanswered_outgoing: int = Field(description="Number of outgoing calls without an answer.", examples=[1])
    first_time_callers: int = Field(
        description="Number of incoming calls that were the first of their contact.", examples=[3]
    )
    talk_seconds: int = Field(description="Total duration of the conversations in seconds.", examples=[1860])
    talk_minutes: float = Field(
        description="Total duration of the conversations in minutes, with two decimals.", examples=[31.0]
    )
    answer_rate: float | None = Field(
        description="Answered share of the incoming calls, from 0 to 1; null without incoming calls.", examples=[0.75]
    )
    timed_calls: int = Field(
        description="Number of answered incoming calls whose time to the answer is known.", examples=[6]
    )
    answer_ms_total: int = Field(
        description="Total time to the answer of the timed calls in milliseconds.", examples=[49200]
    )
    seconds_to_answer: float | None = Field(
        description="Average time to the answer of the timed calls in seconds; null without timed calls.",
        examples=[8.2],
    )
    returned: int = Field(description="Number of missed calls that were returned.", examples=[2])
    return_seconds_total: int = Field(
        description="Total time from a missed call to the call that returned it, in seconds.", examples=[1800]
    )
    seconds_to_return: float | None = Field(
        description="Average time from a missed call to the call that returned it, in seconds; null without returned"
        " calls.",
        examples=[900.0],
    )

    @classmethod
    def of(cls, numbers: Numbers) -> "ReportMetrics":
        """Return the figures under their public names."""
        figures = asdict(numbers)
        for name, public in _PUBLIC.items():
            figures[public] = figures.pop(name)
        return cls(
            **figures,
            talk_minutes=numbers.talk_minutes,
            answer_rate=numbers.answer_rate,
            seconds_to_answer=numbers.seconds_to_answer,
            seconds_to_return=numbers.seconds_to_return,
        )


_PUBLIC = {
    "missed": "missed_incoming",
    "unreached": "unanswered_outgoing",
    "timed": "timed_calls",
    "answer_ms": "answer_ms_total",
    "return_seconds": "return_seconds_total",
}


class ReportGroup(ResponseModel):
    """The figures of one contact, employee, line, day or hour of the week."""

    key: str | None = Field(
        description="Id of the contact or employee, number of the line (E.164), day (`2026-11-30`), or weekday and hour"
        " (`mon-09`); null for calls without one.",
        examples=["5f0c2a7be1d94c36"],
    )
    name: str | None = Field(
        description="Name of the contact, employee or line; null for days, hours, and without a name.",
        examples=["Acme GmbH"],
    )
    numbers: ReportMetrics = Field(description="Figures of the group.")
    previous_period: ReportMetrics | None = Field(
        default=None,
        description="Figures of the group in the previous period; null without `compare` and without calls in it.",
    )


class ReportInterval(ResponseModel):
    """The figures of one day or week."""

    from_: date = Field(alias="from", description="The day; for a week, its Monday.", examples=["2026-11-30"])
    numbers: ReportMetrics = Field(description="Figures of the interval.")


class ReportComparison(ResponseModel):
    """The period of the same length just before."""

    from_: date = Field(alias="from", description="First day of the previous period.", examples=["2026-11-23"])
    to: date = Field(description="Last day of the previous period.", examples=["2026-11-29"])
    totals: ReportMetrics = Field(description="Figures of the previous period.")


class ReportCall(ResponseModel):
    """One call of a report."""

    call_id: str = Field(description="Id of the call.", examples=[CALL_ID])
    date: str = Field(
        description="Day of the call in the tenant's time zone.",
        examples=["2026-11-30"],
        json_schema_extra={"format": "date"},
    )
    started_at: Instant = Field(description="Start of the call.", examples=["2026-11-30T20:41:53.855Z"])
    ended_at: Instant | None = Field(
        description="End of the call; null if it is unknown.", examples=["2026-11-30T20:42:43.120Z"]
    )
    direction: Direction = Field(description="Direction of the call: `in` or `out`.", examples=["in"])
    answered: bool = Field(description="True if the call was answered.", examples=[True])
    minutes: float = Field(
        description="Duration of the conversation in minutes, with two decimals; 0 without an answer.", examples=[0.7]
    )
    contact_id: str | None = Field(
        description="Id of the other party's contact; null if the number has none.", examples=["5f0c2a7be1d94c36"]
    )
    contact: ContactSummary | None = Field(
        description="The contact of `contact_id`; null without one and for a deleted contact.",
        examples=[{"id": "5f0c2a7be1d94c36", "name": "Acme GmbH"}],
    )
    employee_id: str | None = Field(
        description="Id of the employee who answered, or whose phone rang first; null without one.",
        examples=["9d3b1e60a7c24f85"],
    )
    employee: EmployeeSummary | None = Field(
        description="The employee of `employee_id`; null without one and for a deleted employee.",
        examples=[{"id": "9d3b1e60a7c24f85", "name": "Anna Schmidt"}],
    )
    recording: str | None = Field(
        description="Path of the API that returns the recording's URL; null without a recording.",
        examples=[f"/v1/calls/{CALL_ID}/recording"],
    )


class Report(ResponseModel):
    """Figures of the calls of some local days, and a page of these calls."""

    report: str = Field(description="Name of the report, as in its path.", examples=["calls-by-contact"])
    from_: date = Field(alias="from", description="First day.", examples=["2026-11-30"])
    to: date = Field(description="Last day, inclusive.", examples=["2026-12-06"])
    time_zone: str = Field(description="The tenant's time zone, an IANA name.", examples=["Europe/Berlin"])
    totals: ReportMetrics = Field(description="Figures of all calls of the report.")
    previous_period: ReportComparison | None = Field(
        description="The period of the same length just before; null without `compare`."
    )
    groups: list[ReportGroup] = Field(
        description="Groups with the most calls first; days newest first; hours in the order of the week. At most 1000."
    )
    remaining_groups: int = Field(description="Number of further groups.", examples=[0])
    steps: list[ReportInterval] = Field(description="Figures by day or week, oldest first; empty without `step`.")
    rows: list[ReportCall] = Field(description="A page of the calls, newest first.")
    next_cursor: str | None = Field(
        description="Cursor of the next page of `rows`; null on the last page.", examples=["WyJDQUxMUyJd"]
    )


class ReportFile(ResponseModel):
    """A report as a CSV file."""

    id: str | None = Field(
        description="Id of a file that is written in the background; null for a file that was written at once.",
        examples=["4f0c7be1d94c365f0c2a7be1d94c36aa"],
    )
    state: JobState = Field(
        description="State of the file. `failed`: it took too long; request fewer days.", examples=["done"]
    )
    report: str = Field(description="Name of the report, as in its path.", examples=["calls-by-contact"])
    from_: date = Field(alias="from", description="First day.", examples=["2026-11-30"])
    to: date = Field(description="Last day, inclusive.", examples=["2026-12-06"])
    url: str | None = Field(
        description="URL of the CSV file, valid until `expires_at`; null unless `state` is done.",
        examples=["https://hangtag-files.s3.amazonaws.com/report.csv?X-Amz-Signature=4f0c"],
    )
    expires_at: Instant | None = Field(
        description="End of the URL's validity, 15 minutes after the request; null unless `state` is done.",
        examples=["2026-11-30T20:56:53.855Z"],
    )
