"""Groups of employees, which may supervise contacts."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from pydantic import Field

from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import UNSENT, Id, Limit, Page, RequestModel, ResponseModel, Text
from hangtag.api.kernel.paging import children, found_id
from hangtag.api.kernel.service import Routes
from hangtag.errors import BadInputError, FieldError, FieldErrorCode
from hangtag.store.office import employees, groups

__all__ = ["routes"]

routes = Routes(Role.ADMIN)

Members = Annotated[list[Id], Field(max_length=groups.MAX_MEMBERS)]


class CreateGroupRequest(RequestModel):
    """A group to be."""

    name: Text
    employee_ids: Members = Field(default_factory=list)


class UpdateGroupRequest(RequestModel):
    """What changes of a group; what is not sent stays."""

    name: Text = UNSENT
    employee_ids: Members = UNSENT


class GroupOut(ResponseModel):
    """A group."""

    id: str
    name: str
    employee_ids: list[str]
    created_at: str


class GroupPage(Page[GroupOut]):
    """A page of the list."""


@routes.post(
    "/v1/groups",
    operation_id="createGroup",
    tags=["Groups"],
    summary="Create a group",
    description="Make a group of employees.",
    status_code=201,
)
def create_group(group: CreateGroupRequest) -> GroupOut:
    """Make a group of employees."""
    tenant_id = routes.tenant_id

    def work() -> GroupOut:
        made = groups.create_group(tenant_id, group.name, _members(tenant_id, group.employee_ids))
        return GroupOut.model_validate(made.to_json())

    return GroupOut.model_validate(routes.once("groups", work))


@routes.get(
    "/v1/groups",
    operation_id="listGroups",
    tags=["Groups"],
    summary="List groups",
    description="The tenant's groups.",
)
def list_groups(limit: Limit | None = None, cursor: str | None = None) -> GroupPage:
    """The tenant's groups."""
    tenant_id = routes.tenant_id
    return children(
        "groups", GroupPage, limit, cursor, lambda count, after: groups.list_groups(tenant_id, count, after)
    )


@routes.get(
    "/v1/groups/<group_id>",
    operation_id="getGroup",
    tags=["Groups"],
    summary="Get a group",
    description="One group.",
)
def get_group(group_id: str) -> GroupOut:
    """One group."""
    return GroupOut.model_validate(groups.get_group(routes.tenant_id, found_id(group_id)).to_json())


@routes.patch(
    "/v1/groups/<group_id>",
    operation_id="updateGroup",
    tags=["Groups"],
    summary="Update a group",
    description="Change a group; what is not sent stays.",
)
def update_group(group_id: str, wanted: UpdateGroupRequest) -> GroupOut:
    """Change a group; what is not sent stays."""
    changes: dict[str, Any] = wanted.changes()
    if "employee_ids" in changes:
        changes["employee_ids"] = _members(routes.tenant_id, wanted.employee_ids)
    return GroupOut.model_validate(groups.update_group(routes.tenant_id, found_id(group_id), changes).to_json())


@routes.delete(
    "/v1/groups/<group_id>",
    operation_id="deleteGroup",
    tags=["Groups"],
    summary="Delete a group",
    description="Delete a group; contacts that it supervised have nobody then.",
    status_code=204,
)
def delete_group(group_id: str) -> Response[str]:
    """Delete a group; contacts that it supervised have nobody then."""
    groups.delete_group(routes.tenant_id, found_id(group_id))
    return Response(status_code=204, body="")


def _members(tenant_id: str, wanted: list[str]) -> tuple[str, ...]:
    """Each once. Raises BadInputError for somebody who is not there."""
    members = tuple(dict.fromkeys(wanted))
    if not all(employees.exists(tenant_id, employee_id) for employee_id in members):
        field = FieldError("employee_ids", FieldErrorCode.UNKNOWN_EMPLOYEE, "there is no such employee")
        raise BadInputError("a member is not an employee of yours", (field,))
    return members
