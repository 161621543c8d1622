"""Request and response models of tasks and the planner."""

from typing import Annotated

from pydantic import Field, WithJsonSchema

from hangtag.api.calls.models import CALL_ID
from hangtag.api.kernel.enums import TaskStatus
from hangtag.api.kernel.models import (
    UNSENT,
    ContactId,
    ContactSummary,
    EmployeeId,
    EmployeeSummary,
    Instant,
    Page,
    Phone,
    RequestModel,
    ResponseModel,
    Text,
)
from hangtag.api.settings.inputs import TaskFieldInput
from hangtag.api.settings.models import TaskField
from hangtag.settings import MAX_FIELDS, MAX_MEMBERS

__all__ = [
    "CreateTaskRequest",
    "PlannedContact",
    "PlannedTask",
    "PlannedTaskPage",
    "Task",
    "TaskPage",
    "UpdateTaskRequest",
]

MAX_CONTACTS = 20
ContactIds = Annotated[list[ContactId], Field(max_length=MAX_CONTACTS)]
MemberIds = Annotated[list[EmployeeId], Field(max_length=MAX_MEMBERS)]
DueTime = Annotated[
    str,
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}),
]
_DUE = (
    "Due time in ISO 8601: an instant; without an offset, local time of the tenant; a date is the start of that day in"
    " the tenant's time zone."
)


class CreateTaskRequest(RequestModel):
    """A new task."""

    title: Text = Field(description="Title of the task.", examples=["Send the offer"])
    contact_ids: ContactIds = Field(
        default_factory=list, description="Ids of the task's contacts.", examples=[["5f0c2a7be1d94c36"]]
    )
    assignee_id: EmployeeId | None = Field(
        default=None, description="Id of the employee who does the task.", examples=["9d3b1e60a7c24f85"]
    )
    member_ids: MemberIds = Field(
        default_factory=list,
        description="Ids of other employees who can see hidden tags of the task.",
        examples=[["9d3b1e60a7c24f85"]],
    )
    status: TaskStatus = Field(default=TaskStatus.OPEN, description="Status of the task.", examples=["open"])
    due_at: DueTime | None = Field(default=None, description=_DUE, examples=["2026-12-01T10:00:00"])
    fields: list[TaskFieldInput] = Field(
        default_factory=list,
        max_length=MAX_FIELDS,
        description="Free fields.",
        examples=[[{"name": "Budget", "type": "number", "value": 5000}]],
    )


class UpdateTaskRequest(RequestModel):
    """The changes of a task. Omitted properties keep their values."""

    title: Text = Field(default=UNSENT, description="Title of the task.", examples=["Send the offer"])
    contact_ids: ContactIds = Field(
        default=UNSENT, description="Ids of all contacts of the task.", examples=[["5f0c2a7be1d94c36"]]
    )
    assignee_id: EmployeeId | None = Field(
        default=None,
        description="Id of the employee who does the task; null removes the assignee.",
        examples=["9d3b1e60a7c24f85"],
    )
    member_ids: MemberIds = Field(
        default=UNSENT,
        description="Ids of all other employees who can see hidden tags of the task.",
        examples=[["9d3b1e60a7c24f85"]],
    )
    status: TaskStatus = Field(default=UNSENT, description="Status of the task.", examples=["completed"])
    due_at: DueTime | None = Field(
        default=None, description=f"{_DUE} Null removes the due time.", examples=["2026-12-01T10:00:00"]
    )
    fields: list[TaskFieldInput] = Field(
        default=UNSENT,
        max_length=MAX_FIELDS,
        description="All free fields; replaces the earlier ones.",
        examples=[[{"name": "Budget", "type": "number", "value": 5000}]],
    )


class Task(ResponseModel):
    """Work for a contact."""

    id: str = Field(description="Id of the task.", examples=["c4a6f20d9b8e4731"])
    title: str = Field(description="Title of the task.", examples=["Send the offer"])
    contact_ids: list[str] = Field(description="Ids of the task's contacts.", examples=[["5f0c2a7be1d94c36"]])
    contacts: list[ContactSummary] = Field(
        description="The contacts of `contact_ids`, without deleted ones.",
        examples=[[{"id": "5f0c2a7be1d94c36", "name": "Acme GmbH"}]],
    )
    assignee_id: str | None = Field(
        description="Id of the employee who does the task, or null.", examples=["9d3b1e60a7c24f85"]
    )
    assignee: EmployeeSummary | None = Field(
        description="The employee of `assignee_id`; null without one and for a deleted employee.",
        examples=[{"id": "9d3b1e60a7c24f85", "name": "Anna Schmidt"}],
    )
    member_ids: list[str] = Field(
        description="Ids of other employees who can see hidden tags of the task.", examples=[["9d3b1e60a7c24f85"]]
    )
    members: list[EmployeeSummary] = Field(
        description="The employees of `member_ids`, without deleted ones.",
        examples=[[{"id": "9d3b1e60a7c24f85", "name": "Anna Schmidt"}]],
    )
    status: TaskStatus = Field(description="Status of the task.", examples=["open"])
    due_at: Instant | None = Field(description="Due time, or null.", examples=["2026-12-01T10:00:00.000Z"])
    fields: list[TaskField] = Field(
        description="Free fields.", examples=[[{"name": "Budget", "type": "number", "value": 5000}]]
    )
    created_at: Instant = Field(description="Time of creation.", examples=["2026-11-30T20:41:53.855Z"])
    call_id: str | None = Field(
        description="Id of the call for which the task was created, or null.", examples=[CALL_ID]
    )
    external_id: str | None = Field(
        description="Id of the task in the outside CRM; null for a task of Hangtag's own.", examples=["deal-815"]
    )


class TaskPage(Page[Task]):
    """A page of tasks."""


class PlannedContact(ResponseModel):
    """A contact to call."""

    id: str = Field(description="Id of the contact.", examples=["5f0c2a7be1d94c36"])
    name: str = Field(description="Name of the contact.", examples=["Acme GmbH"])
    phones: list[Phone] = Field(
        description="Phone numbers; the first is the one to call.",
        examples=[
            [
                {
                    "raw": "+1 201 555 0123",
                    "e164": "+12015550123",
                    "extension": None,
                    "type": "Mobile",
                    "formatted": "+1 (201) 555-0123",
                }
            ]
        ],
    )


class PlannedTask(ResponseModel):
    """An open task with a due time, and the contacts to call."""

    task: Task = Field(description="The task.")
    contacts: list[PlannedContact] = Field(description="The task's contacts, without deleted ones.")


class PlannedTaskPage(Page[PlannedTask]):
    """A page of planned tasks."""
