"""Response models of tags."""

from typing import Any

from pydantic import Field

from hangtag.api.calls.models import CALL_ID
from hangtag.api.kernel.enums import Direction, TagFieldType, TagType
from hangtag.api.kernel.models import ContactSummary, EmployeeSummary, Instant, Page, ResponseModel, TaskSummary

__all__ = ["Tag", "TagField", "TagPage"]


class TagField(ResponseModel):
    """One field of a tag. Names are frozen when the tag is written."""

    name: str = Field(description="The tenant's name of the field.", examples=["Duration"])
    type: TagFieldType = Field(description="Type of the field.", examples=["number"])
    value: Any = Field(
        description="The value by type: `date` YYYY-MM-DD; `date_time` an instant; `time_period` {start, end};"
        " `employee` and `contact` {id, name}; `number` a number; others text. Null if it is unknown.",
        examples=[42],
    )


class Tag(ResponseModel):
    """The record of an ended call at a contact and, optionally, at a task."""

    id: str = Field(description="Id of the tag.", examples=["4f0c7be1d94c365f0c2a7be1d94c36aa"])
    type: TagType = Field(description="Type of the tag.", examples=["call"])
    direction: Direction = Field(description="Direction of the call.", examples=["in"])
    call_id: str = Field(description="Id of the call.", examples=[CALL_ID])
    occurred_at: Instant = Field(description="Start of the call.", examples=["2026-11-30T20:41:53.000Z"])
    contact_id: str | None = Field(
        description="Id of the contact; null if the number has none.", examples=["5f0c2a7be1d94c36"]
    )
    contact: ContactSummary | None = Field(
        description="The contact of `contact_id`; null without one and for a deleted contact.",
        examples=[{"id": "5f0c2a7be1d94c36", "name": "Acme GmbH"}],
    )
    task_id: str | None = Field(
        description="Id of the task that the tag belongs to, or null.", examples=["c4a6f20d9b8e4731"]
    )
    task: TaskSummary | None = Field(
        description="The task of `task_id`, or null.", examples=[{"id": "c4a6f20d9b8e4731", "title": "Send the offer"}]
    )
    employee_ids: list[str] = Field(
        description="Ids of the employees whose phones took part, in the order of their ringing.",
        examples=[["9d3b1e60a7c24f85"]],
    )
    employees: list[EmployeeSummary] = Field(
        description="The employees of `employee_ids`, without deleted ones.",
        examples=[[{"id": "9d3b1e60a7c24f85", "name": "Anna Schmidt"}]],
    )
    hidden: bool = Field(
        description="True if only admins and the members of the tag's task can see the tag.", examples=[False]
    )
    revision: int = Field(
        description="Number of the revision, from 1; it grows with each correction of the call.", examples=[1]
    )
    end_unknown: bool = Field(
        description="True if the PBX never reported the end and Hangtag closed the call.", examples=[False]
    )
    fields: list[TagField] = Field(
        description="The fields by the tenant's tag definition, in a fixed order.",
        examples=[[{"name": "Duration", "type": "number", "value": 42}]],
    )


class TagPage(Page[Tag]):
    """A page of tags."""
