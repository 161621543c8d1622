"""What reports answer, as pydantic models."""

from dataclasses import asdict
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from hangtag.api.kernel.models import ResponseModel
from hangtag.domain.reports.report import Numbers

__all__ = [
    "Direction",
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
FirstDay = Annotated[str | None, Query(alias="from", pattern=_DAY)]
LastDay = Annotated[str | None, Query(alias="to", pattern=_DAY)]
Direction = Literal["in", "out"]


class ReportMetrics(ResponseModel):
    """What is said of some calls.

    `missed` are incoming, `unreached` outgoing ones. `answer_rate` is a part of the incoming, from 0 to 1.
    `seconds_to_answer` and `seconds_to_return` are averages, of `timed` and of `returned` calls.
    """

    calls: int
    incoming: int
    outgoing: int
    answered: int
    missed: int
    unreached: int
    first_time_callers: int
    talk_seconds: int
    talk_minutes: float
    answer_rate: float | None
    timed: int
    answer_ms: int
    seconds_to_answer: float | None
    returned: int
    return_seconds: int
    seconds_to_return: float | None

    @classmethod
    def of(cls, said: Numbers) -> "ReportMetrics":
        """Numbers as they are shown."""
        return cls(
            **asdict(said),
            talk_minutes=said.talk_minutes,
            answer_rate=said.answer_rate,
            seconds_to_answer=said.seconds_to_answer,
            seconds_to_return=said.seconds_to_return,
        )


class ReportGroup(ResponseModel):
    """One group: a contact, an employee, a line (`key` null: unknown), a day, or an hour of the week as in `mon-09`.

    `before` is the same group in the period before, if it was asked for.
    """

    key: str | None
    name: str | None
    numbers: ReportMetrics
    before: ReportMetrics | None = None


class ReportInterval(ResponseModel):
    """One day, or a week by its Monday."""

    from_: str = Field(alias="from")
    numbers: ReportMetrics


class ReportComparison(ResponseModel):
    """The period of the same length just before."""

    from_: str = Field(alias="from")
    to: str
    totals: ReportMetrics


class ReportCall(ResponseModel):
    """One call. Dates and times are of the tenant's clock; `recording` is where the API gives its recording."""

    call_id: str
    date: str
    time_from: str
    time_to: str | None
    contact_id: str | None
    contact: str | None
    employee_id: str | None
    employee: str | None
    type: Literal["incoming", "outgoing", "missed", "unreached"]
    minutes: float
    recording: str | None


class Report(ResponseModel):
    """A report on the calls of local days, both included, in `time_zone`.

    `groups` are at most 1000, `groups_left` is how many there are besides. `rows` are the calls themselves, the newest
    first, page by page.
    """

    report: str
    from_: str = Field(alias="from")
    to: str
    time_zone: str
    totals: ReportMetrics
    before: ReportComparison | None
    groups: list[ReportGroup]
    groups_left: int
    steps: list[ReportInterval]
    rows: list[ReportCall]
    next_cursor: str | None


class ReportFile(ResponseModel):
    """A report as a file.

    `url` is where it may be fetched until `expires_at`, once it is done. `id` is that of a file that takes longer than
    the request; `failed` means that it took too long: ask for fewer days.
    """

    id: str | None
    state: Literal["running", "done", "failed"]
    report: str
    from_: str = Field(alias="from")
    to: str
    url: str | None
    expires_at: str | None
