"""Request and response models of calls and tags."""

from typing import Any, Literal

from pydantic import Field

from hangtag.api.kernel.models import Page, ResponseModel

__all__ = ["Call", "CallLeg", "CallPage", "Recording", "Tag", "TagField", "TagPage"]


class CallLeg(ResponseModel):
    """One phone that rang."""

    extension: str | None
    outcome: str | None
    answered: bool
    talk_seconds: int | None


class Recording(ResponseModel):
    """A recording of a call. `size` is in bytes; `reason` says why it is not there yet, or not at all; a `held` one is
    not to be deleted.
    """

    id: str
    temporary: bool
    state: Literal["waiting", "kept", "linked", "on_request", "not_kept", "failed", "expired", "erased"]
    reason: str | None = None
    size: int | None = None
    media_type: str | None = None
    held: bool = False


class Call(ResponseModel):
    """A call. Times are UTC. `clicked`: it was started here; `reason` says why such a call did not come about."""

    id: str
    integration_id: str
    provider: str
    clicked: bool = False
    reason: str | None = None
    call_id: str | None
    direction: str | None
    external: str | None
    line: str | None
    state: str
    outcome: str | None
    started_at: str | None
    answered_at: str | None
    ended_at: str | None
    talk_seconds: int | None
    answered_by: str | None
    legs: list[CallLeg]
    end_unknown: bool
    linked_call_id: str | None
    recording: Recording | None
    recordings: list[Recording] = Field(default_factory=list)
    data: dict[str, str]
    employee_id: str | None
    employee_ids: list[str] = Field(default_factory=list)
    contact_id: str | None
    task_id: str | None = None
    hidden: bool = False
    tag_id: str | None
    tag_type: str | None = None
    skip_reason: str | None


class TagField(ResponseModel):
    """One field of a tag."""

    name: str
    type: str
    value: Any


class Tag(ResponseModel):
    """A tag, with its fields in their fixed order."""

    id: str
    type: str
    direction: str
    call_id: str
    contact_id: str | None
    task_id: str | None
    employee_ids: list[str] = Field(default_factory=list)
    hidden: bool
    revision: int
    end_unknown: bool
    fields: list[TagField]


class CallPage(Page[Call]):
    """A page of calls."""


class TagPage(Page[Tag]):
    """A page of tags."""
