"""Routes of groups of employees. A group can supervise contacts."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from hangtag.api.groups.models import CreateGroupRequest, Group, GroupPage, UpdateGroupRequest
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Cursor, Limit
from hangtag.api.kernel.paging import children, found_id
from hangtag.api.kernel.service import Routes
from hangtag.errors import BadInputError, ErrorCode, FieldError, FieldErrorCode
from hangtag.store.office import employees, groups

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


@routes.post(
    "/v1/groups",
    operation_id="createGroup",
    tags=["Groups"],
    summary="Create a group",
    description="Create a group of employees. Incoming calls are routed to the first member who is not in a call.",
    example={"name": "Sales", "employee_ids": ["7d65a08f5a2e0b7a"]},
    status_code=201,
)
def create_group(group: CreateGroupRequest) -> Group:
    """Create a group."""
    tenant_id = routes.tenant_id

    def work() -> Group:
        created = groups.create_group(tenant_id, group.name, _members(tenant_id, group.employee_ids))
        return Group.model_validate(created.to_json())

    return Group.model_validate(routes.idempotent("groups", work))


@routes.get(
    "/v1/groups",
    operation_id="listGroups",
    tags=["Groups"],
    summary="List groups",
    description="List the tenant's groups in the order of their ids.",
)
def list_groups(limit: Limit | None = None, cursor: Cursor | None = None) -> GroupPage:
    """List the tenant's groups."""
    tenant_id = routes.tenant_id
    return children(
        "groups", GroupPage, limit, cursor, lambda count, after: groups.list_groups(tenant_id, count, after)
    )


@routes.get(
    "/v1/groups/<group_id>",
    operation_id="getGroup",
    tags=["Groups"],
    summary="Get a group",
    description="Return one group.",
)
def get_group(group_id: str) -> Group:
    """Return one group."""
    return Group.model_validate(groups.get_group(routes.tenant_id, found_id(group_id)).to_json())


@routes.patch(
    "/v1/groups/<group_id>",
    operation_id="updateGroup",
    tags=["Groups"],
    summary="Update a group",
    description="Change a group. Omitted properties keep their values; `employee_ids` replaces all members.",
    errors=[ErrorCode.OPERATION_RUNNING],
    example={"employee_ids": ["7d65a08f5a2e0b7a", "a94a8fe5ccb19ba6"]},
)
def update_group(group_id: str, request: UpdateGroupRequest) -> Group:
    """Change a group."""
    changes: dict[str, Any] = request.changes()
    if "employee_ids" in changes:
        changes["employee_ids"] = _members(routes.tenant_id, request.employee_ids)
    return Group.model_validate(groups.update_group(routes.tenant_id, found_id(group_id), changes).to_json())


@routes.delete(
    "/v1/groups/<group_id>",
    operation_id="deleteGroup",
    tags=["Groups"],
    summary="Delete a group",
    description="Delete a group. Its contacts no longer have a supervisor.",
    errors=[ErrorCode.OPERATION_RUNNING],
    status_code=204,
)
def delete_group(group_id: str) -> Response[str]:
    """Delete a group."""
    groups.delete_group(routes.tenant_id, found_id(group_id))
    return Response(status_code=204, body="")


def _members(tenant_id: str, employee_ids: list[str]) -> tuple[str, ...]:
    """Return each id once. Raises BadInputError for unknown employees."""
    members = tuple(dict.fromkeys(employee_ids))
    invalid = tuple(
        FieldError(f"employee_ids.{position}", FieldErrorCode.UNKNOWN_EMPLOYEE, "Unknown employee.")
        for position, employee_id in enumerate(employee_ids)
        if not employees.exists(tenant_id, employee_id)
    )
    if invalid:
        raise BadInputError("A member of the group is unknown.", invalid)
    return members
