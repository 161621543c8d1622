"""Request and response models of click-to-call."""

from pydantic import Field

from hangtag.api.calls.models import (
    CALL_ID,
    ExternalNumber,
    ExternalNumberFormatted,
    ExternalNumberRaw,
    ExternalNumberState,
)
from hangtag.api.kernel.enums import ClickState
from hangtag.api.kernel.models import (
    ContactId,
    ContactSummary,
    EmployeeSummary,
    IntegrationId,
    LineSummary,
    PhoneText,
    RequestModel,
    ResponseModel,
    TaskId,
    TaskSummary,
)

__all__ = ["StartCallRequest", "StartedCall"]


class StartCallRequest(RequestModel):
    """The party to call: at least one of `to`, `contact_id` and `task_id`."""

    to: PhoneText | None = Field(
        default=None,
        description="Phone number in any format. By default the first number of the contact, or of the first contact"
        " of the task that has a number.",
        examples=["+1 201 555 0123"],
    )
    contact_id: ContactId | None = Field(
        default=None, description="Id of the contact to call, or whose number `to` is.", examples=["5f0c2a7be1d94c36"]
    )
    task_id: TaskId | None = Field(
        default=None,
        description="Id of the task of the call; the call's tag belongs to it.",
        examples=["c4a6f20d9b8e4731"],
    )
    integration_id: IntegrationId | None = Field(
        default=None,
        description="Id of the integration that places the call. By default that of the last call with the contact, if"
        " the employee has an extension there, otherwise that of the employee's first extension.",
        examples=["9a41c03d5b7e8f26"],
    )


class StartedCall(ResponseModel):
    """A click-to-call."""

    call_id: str = Field(description="Id of the call.", examples=[CALL_ID])
    click_state: ClickState = Field(description="State of the click-to-call.", examples=["waiting"])
    failure_reason: str | None = Field(
        description="The reason in English for the states `failed` and `unknown`; null in other states.",
        examples=["The PBX did not report the call."],
    )
    integration_id: str = Field(
        description="Id of the integration that places the call.", examples=["9a41c03d5b7e8f26"]
    )
    extension: str = Field(description="The employee's extension, which rings first.", examples=["101"])
    external_number: ExternalNumber
    external_number_raw: ExternalNumberRaw
    external_number_formatted: ExternalNumberFormatted
    external_number_state: ExternalNumberState
    line: LineSummary | None = Field(
        description="The tenant's own number that the other party sees; null if the PBX chooses it.",
        examples=[{"number": "+442079460010", "name": "Support", "color": "#2f80ed"}],
    )
    employee_id: str = Field(description="Id of the employee who calls.", examples=["9d3b1e60a7c24f85"])
    employee: EmployeeSummary | None = Field(
        description="The employee of `employee_id`; null for a deleted employee.",
        examples=[{"id": "9d3b1e60a7c24f85", "name": "Anna Schmidt"}],
    )
    contact_id: str | None = Field(
        description="Id of the other party's contact; null if the number has none.", examples=["5f0c2a7be1d94c36"]
    )
    contact: ContactSummary | None = Field(
        description="The contact of `contact_id`; null without one and for a deleted contact.",
        examples=[{"id": "5f0c2a7be1d94c36", "name": "Acme GmbH"}],
    )
    task_id: str | None = Field(description="Id of the task of the call, or null.", examples=["c4a6f20d9b8e4731"])
    task: TaskSummary | None = Field(
        description="The task of `task_id`, or null.", examples=[{"id": "c4a6f20d9b8e4731", "title": "Send the offer"}]
    )
