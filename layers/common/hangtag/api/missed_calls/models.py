"""Response models of missed calls."""

from pydantic import Field

from hangtag.api.calls.models import (
    CALL_ID,
    ExternalNumber,
    ExternalNumberFormatted,
    ExternalNumberRaw,
    ExternalNumberState,
)
from hangtag.api.kernel.enums import MissedCallState
from hangtag.api.kernel.models import Actor, ContactSummary, EmployeeSummary, Instant, LineSummary, Page, ResponseModel

__all__ = ["MissedCall", "MissedCallPage"]

_ANNA = {"id": "9d3b1e60a7c24f85", "name": "Anna Schmidt"}


class MissedCall(ResponseModel):
    """An incoming call without an answer, in the queue of calls to return."""

    id: str = Field(
        description="Id of the missed call; the same as its tag's.", examples=["4f0c7be1d94c365f0c2a7be1d94c36aa"]
    )
    call_id: str = Field(description="Id of the call.", examples=[CALL_ID])
    occurred_at: Instant = Field(description="Start of the call.", examples=["2026-11-30T20:41:53.000Z"])
    external_number: ExternalNumber
    external_number_raw: ExternalNumberRaw
    external_number_formatted: ExternalNumberFormatted
    external_number_state: ExternalNumberState
    line: LineSummary | None = Field(
        description="The tenant's own number that was called; null if the PBX did not send it.",
        examples=[{"number": "+442079460010", "name": "Support", "color": "#2f80ed"}],
    )
    contact_id: str | None = Field(
        description="Id of the other party's contact; null if the number has none.", examples=["5f0c2a7be1d94c36"]
    )
    contact: ContactSummary | None = Field(
        description="The contact of `contact_id`; null without one and for a deleted contact.",
        examples=[{"id": "5f0c2a7be1d94c36", "name": "Acme GmbH"}],
    )
    ringing_employees: list[EmployeeSummary] = Field(
        description="Employees whose phones rang, without deleted ones.", examples=[[_ANNA]]
    )
    notified_employees: list[EmployeeSummary] = Field(
        description="Employees who were notified, without deleted ones.", examples=[[_ANNA]]
    )
    state: MissedCallState = Field(description="State of the missed call.", examples=["returned"])
    returned_by_call_id: str | None = Field(
        description="Id of the later call with this number that returned it; null in other states.",
        examples=[CALL_ID],
    )
    returned_at: Instant | None = Field(
        description="Start of the call that returned it; null in other states.", examples=["2026-11-30T21:02:10.000Z"]
    )
    resolved_by: Actor | None = Field(
        description="The actor who resolved it; null in other states.", examples=[{"type": "employee", **_ANNA}]
    )
    resolved_at: Instant | None = Field(
        description="Time when it was resolved; null in other states.", examples=["2026-11-30T21:05:00.120Z"]
    )


class MissedCallPage(Page[MissedCall]):
    """A page of missed calls."""
