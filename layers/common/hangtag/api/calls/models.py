"""Request and response models of calls."""

from typing import Annotated

from pydantic import Field

from hangtag.api.kernel.enums import CallState, Direction, Outcome, PhoneNumberState, ProviderKey, SkipReason, TagType
from hangtag.api.kernel.models import (
    ContactSummary,
    EmployeeSummary,
    Instant,
    LineSummary,
    Page,
    RequestModel,
    ResponseModel,
    TaskId,
    TaskSummary,
)
from hangtag.api.recordings.models import Recording

__all__ = [
    "CALL_ID",
    "Call",
    "CallLeg",
    "CallPage",
    "CallTaskAssignment",
    "ExternalNumber",
    "ExternalNumberFormatted",
    "ExternalNumberRaw",
    "ExternalNumberState",
]

# Id of a call in examples.
CALL_ID = "9a41c03d5b7e8f26.4f0c7be1d94c365f0c2a7be1d94c36aa.0000"

ExternalNumber = Annotated[
    str | None,
    Field(
        description="The other party's number in E.164; null if it is withheld or unreadable.",
        examples=["+12015550123"],
    ),
]
ExternalNumberRaw = Annotated[
    str | None,
    Field(
        description="The other party's number as the PBX sent it; null if the PBX sent none.",
        examples=["12015550123"],
    ),
]
ExternalNumberFormatted = Annotated[
    str | None,
    Field(
        description="The other party's number in the tenant's first display format of the same length, otherwise in"
        " E.164; null if it is withheld or unreadable.",
        examples=["+1 (201) 555-0123"],
    ),
]
ExternalNumberState = Annotated[
    PhoneNumberState, Field(description="Availability of the other party's number.", examples=["known"])
]


class CallLeg(ResponseModel):
    """One phone of the tenant that rang."""

    extension: str | None = Field(
        description="The phone's extension; null if the PBX did not send it.", examples=["101"]
    )
    outcome: Outcome | None = Field(
        description="Result for this phone; null while it rings or if the PBX did not send it.", examples=["success"]
    )
    answered: bool = Field(description="True if this phone answered.", examples=[True])
    talk_seconds: int | None = Field(
        description="Duration of the conversation on this phone in seconds; null without an answer or before the end.",
        examples=[42],
    )


class Call(ResponseModel):
    """A call that a PBX reported, or a click-to-call that its PBX has not reported yet."""

    id: str = Field(description="Hangtag's id of the call.", examples=[CALL_ID])
    integration_id: str = Field(
        description="Id of the integration that reported the call.", examples=["9a41c03d5b7e8f26"]
    )
    provider: ProviderKey = Field(description="PBX provider of the integration.", examples=["telnyx"])
    click_to_call: bool = Field(description="True if an employee started the call in Hangtag.", examples=[False])
    failure_reason: str | None = Field(
        description="The reason in English why a click-to-call failed; null for other calls and after a success.",
        examples=["The employee's own phone was not picked up."],
    )
    pbx_call_id: str | None = Field(
        description="The PBX's id of the call; null until the PBX reports a click-to-call.",
        examples=["428c3144-1a2b-11ef-b3e1-02420a0e0a10"],
    )
    direction: Direction | None = Field(
        description="Direction of the call; null until the PBX reports it.", examples=["in"]
    )
    external_number: ExternalNumber
    external_number_raw: ExternalNumberRaw
    external_number_formatted: ExternalNumberFormatted
    external_number_state: ExternalNumberState
    line: LineSummary | None = Field(
        description="The tenant's own number of the call; null if the PBX did not send it.",
        examples=[{"number": "+442079460010", "name": "Support", "color": "#2f80ed"}],
    )
    state: CallState = Field(description="State of the call.", examples=["closed"])
    outcome: Outcome | None = Field(description="Result of the call; null while it is open.", examples=["success"])
    started_at: Instant | None = Field(
        description="Start of the call; null if the PBX did not send it.", examples=["2026-11-30T20:41:53.855Z"]
    )
    answered_at: Instant | None = Field(
        description="Time of the answer; null without an answer.", examples=["2026-11-30T20:42:01.120Z"]
    )
    ended_at: Instant | None = Field(
        description="End of the call; null while it is open and if the end is unknown.",
        examples=["2026-11-30T20:42:43.120Z"],
    )
    talk_seconds: int | None = Field(
        description="Duration of the conversation in seconds; null without an answer or before the end.", examples=[42]
    )
    answered_by_extension: str | None = Field(
        description="Extension that answered; null without an answer.", examples=["101"]
    )
    legs: list[CallLeg] = Field(
        description="The tenant's phones that rang, in the order of their ringing.",
        examples=[[{"extension": "101", "outcome": "success", "answered": True, "talk_seconds": 42}]],
    )
    end_unknown: bool = Field(
        description="True if the PBX never reported the end and Hangtag closed the call.", examples=[False]
    )
    linked_call_id: str | None = Field(
        description="The PBX's id of a call that this one continues, such as after a transfer; null without one.",
        examples=["428c3144-1a2b-11ef-b3e1-02420a0e0a11"],
    )
    recordings: list[Recording] = Field(
        description="Recordings of the call, oldest first.",
        examples=[
            [
                {
                    "id": "77be4f0c5f0c2a7b",
                    "temporary": False,
                    "state": "archived",
                    "reason": None,
                    "size": 482300,
                    "media_type": "audio/mpeg",
                    "retention_hold": False,
                }
            ]
        ],
    )
    data: dict[str, str] = Field(
        description="Additional values that the PBX sent, by the PBX's names.", examples=[{"queue": "Sales"}]
    )
    employee_id: str | None = Field(
        description="Id of the employee who answered. While the call is open and unanswered: the first employee whose"
        " phone rings. Null without such an employee.",
        examples=["9d3b1e60a7c24f85"],
    )
    employee: EmployeeSummary | None = Field(
        description="The employee of `employee_id`; null without one and for a deleted employee.",
        examples=[{"id": "9d3b1e60a7c24f85", "name": "Anna Schmidt"}],
    )
    employee_ids: list[str] = Field(
        description="Ids of the employees whose phones took part, in the order of their ringing.",
        examples=[["9d3b1e60a7c24f85"]],
    )
    employees: list[EmployeeSummary] = Field(
        description="The employees of `employee_ids`, without deleted ones.",
        examples=[[{"id": "9d3b1e60a7c24f85", "name": "Anna Schmidt"}]],
    )
    contact_id: str | None = Field(
        description="Id of the other party's contact; null if the number has none.", examples=["5f0c2a7be1d94c36"]
    )
    contact: ContactSummary | None = Field(
        description="The contact of `contact_id`; null without one and for a deleted contact.",
        examples=[{"id": "5f0c2a7be1d94c36", "name": "Acme GmbH"}],
    )
    task_id: str | None = Field(description="Id of the task of the call's tag, or null.", examples=["c4a6f20d9b8e4731"])
    task: TaskSummary | None = Field(
        description="The task of `task_id`, or null.", examples=[{"id": "c4a6f20d9b8e4731", "title": "Send the offer"}]
    )
    hidden: bool = Field(
        description="True if only admins and the members of the call's task can see the call.", examples=[False]
    )
    tag_id: str | None = Field(
        description="Id of the call's tag; null before the end and for a call without a tag.",
        examples=["4f0c7be1d94c365f0c2a7be1d94c36aa"],
    )
    tag_type: TagType | None = Field(description="Type of the call's tag; null without a tag.", examples=["call"])
    skip_reason: SkipReason | None = Field(
        description="The reason why a closed call has no tag; null for open and tagged calls.", examples=["internal"]
    )


class CallPage(Page[Call]):
    """A page of calls."""


class CallTaskAssignment(RequestModel):
    """The task that a call belongs to."""

    task_id: TaskId = Field(description="Id of the task.", examples=["c4a6f20d9b8e4731"])
