"""Request and response models of groups."""

from typing import Annotated

from pydantic import Field

from hangtag.api.kernel.models import UNSENT, EmployeeId, Instant, Page, RequestModel, ResponseModel, Text
from hangtag.store.office import groups

__all__ = ["CreateGroupRequest", "Group", "GroupPage", "UpdateGroupRequest"]

_NAME = "Name of the group, 1 to 200 characters."
_MEMBERS = "Ids of the members, in the order of call routing."
_MEMBERS_EXAMPLE = ["7d65a08f5a2e0b7a", "a94a8fe5ccb19ba6"]

GroupName = Annotated[Text, Field(description=_NAME, examples=["Sales"])]
MemberIds = Annotated[
    list[EmployeeId],
    Field(
        max_length=groups.MAX_MEMBERS,
        description=f"{_MEMBERS} Repeated ids count once.",
        examples=[_MEMBERS_EXAMPLE],
    ),
]


class CreateGroupRequest(RequestModel):
    """Body of `createGroup`."""

    name: GroupName
    employee_ids: MemberIds = Field(default_factory=list)


class UpdateGroupRequest(RequestModel):
    """Body of `updateGroup`. Omitted properties keep their values."""

    name: GroupName = UNSENT
    employee_ids: MemberIds = UNSENT


class Group(ResponseModel):
    """Group of employees. A group can supervise contacts."""

    id: Annotated[str, Field(description="Id of the group.", examples=["0beec7b5ea3f0fdb"])]
    name: Annotated[str, Field(description=_NAME, examples=["Sales"])]
    employee_ids: Annotated[list[str], Field(description=_MEMBERS, examples=[_MEMBERS_EXAMPLE])]
    created_at: Annotated[
        Instant, Field(description="Time of the group's creation.", examples=["2026-11-30T20:41:53.855Z"])
    ]


class GroupPage(Page[Group]):
    """Page of groups, in the order of their ids."""
