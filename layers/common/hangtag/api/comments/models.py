"""Request and response models of comments and timelines."""

from typing import Annotated

from pydantic import Field, StringConstraints

from hangtag.api.calls.models import (
    CALL_ID,
    ExternalNumber,
    ExternalNumberFormatted,
    ExternalNumberRaw,
    ExternalNumberState,
)
from hangtag.api.kernel.enums import Direction, Outcome, TimelineEntryType
from hangtag.api.kernel.models import Actor, Instant, Page, RequestModel, ResponseModel, TaskId
from hangtag.api.tags.models import Tag

__all__ = [
    "CallSummary",
    "Comment",
    "CommentPage",
    "CreateCommentRequest",
    "TimelineEntry",
    "TimelineEntryPage",
]


class CreateCommentRequest(RequestModel):
    """A new comment on a call."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)] = Field(
        description="Text of the comment.", examples=["Wants a call back on Monday."]
    )
    task_id: TaskId | None = Field(
        default=None,
        description="Id of the task that the comment belongs to; the call's contact by default.",
        examples=["c4a6f20d9b8e4731"],
    )


class CallSummary(ResponseModel):
    """The call of a comment, as it was when the comment was written."""

    id: str = Field(description="Id of the call.", examples=[CALL_ID])
    direction: Direction | None = Field(
        description="Direction of the call; null if it was not known yet.", examples=["in"]
    )
    outcome: Outcome | None = Field(
        description="Result of the call; null if the call was still open.", examples=["success"]
    )
    started_at: Instant | None = Field(
        description="Start of the call; null if the PBX did not send it.", examples=["2026-11-30T20:41:53.855Z"]
    )
    external_number: ExternalNumber
    external_number_raw: ExternalNumberRaw
    external_number_formatted: ExternalNumberFormatted
    external_number_state: ExternalNumberState


class Comment(ResponseModel):
    """A comment on a call. It belongs to the call's contact or to a task."""

    id: str = Field(description="Id of the comment.", examples=["5f0c2a7be1d94c364f0c7be1d94c36aa"])
    created_at: Instant = Field(description="Time of creation.", examples=["2026-11-30T20:45:10.120Z"])
    author: Actor = Field(
        description="The author.",
        examples=[{"type": "employee", "id": "9d3b1e60a7c24f85", "name": "Anna Schmidt"}],
    )
    text: str = Field(description="Text of the comment.", examples=["Wants a call back on Monday."])
    contact_id: str | None = Field(
        description="Id of the contact that the comment belongs to; null for a comment at a task.",
        examples=["5f0c2a7be1d94c36"],
    )
    task_id: str | None = Field(
        description="Id of the task that the comment belongs to; null for a comment at a contact.",
        examples=["c4a6f20d9b8e4731"],
    )
    call: CallSummary = Field(description="The call.")


class CommentPage(Page[Comment]):
    """A page of comments."""


class TimelineEntry(ResponseModel):
    """A tag or a comment in a timeline."""

    type: TimelineEntryType = Field(description="Type of the entry.", examples=["tag"])
    occurred_at: Instant = Field(
        description="Start of the tag's call, or time of the comment.", examples=["2026-11-30T20:41:53.000Z"]
    )
    tag: Tag | None = Field(default=None, description="The tag; null for a comment.")
    comment: Comment | None = Field(default=None, description="The comment; null for a tag.")


class TimelineEntryPage(Page[TimelineEntry]):
    """A page of a timeline."""
