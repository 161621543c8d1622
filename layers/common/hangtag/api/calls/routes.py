"""Calls, and the tags that they left."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from hangtag.api.calls import models as api
from hangtag.api.kernel import listing
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import From, Limit, To
from hangtag.api.kernel.paging import found_id
from hangtag.api.kernel.service import Routes

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)


@routes.get(
    "/v1/calls",
    operation_id="listCalls",
    tags=["Calls"],
    summary="List calls",
    description=(
        "The call with a PBX's id; or the calls of a time, the newest first; those that go on only as state=open."
    ),
)
def list_calls(
    integration_id: str | None = None,
    call_id: Annotated[str | None, Query(max_length=512)] = None,
    since: From = None,
    until: To = None,
    state: Annotated[str | None, Query(pattern="^(open|closed)$")] = None,
    employee_id: str | None = None,
    contact_id: str | None = None,
    limit: Limit | None = None,
    cursor: str | None = None,
) -> api.CallPage:
    """The call with a PBX's id; or the calls of a time, the newest first; those that go on only as state=open."""
    if integration_id is not None and call_id is not None:
        return listing.call_of_pbx(routes.caller, integration_id, call_id)
    wanted = {"integration_id": integration_id, "state": state, "employee_id": employee_id}
    wanted["contact_id"] = contact_id
    return listing.calls(routes.caller, listing.between(routes.tenant_id, since, until), wanted, limit, cursor)


@routes.get(
    "/v1/calls/<call_id>",
    operation_id="getCall",
    tags=["Calls"],
    summary="Get a call",
    description="One call.",
)
def get_call(call_id: str) -> api.Call:
    """One call."""
    return listing.call(routes.caller, call_id)


@routes.get(
    "/v1/tags",
    operation_id="listTags",
    tags=["Tags"],
    summary="List tags",
    description="The tags of a contact, of a task, of a call, or of a time, the newest first.",
)
def list_tags(
    contact_id: str | None = None,
    task_id: str | None = None,
    call_id: str | None = None,
    since: From = None,
    until: To = None,
    type: Annotated[str | None, Query(pattern="^(call|missed_call)$")] = None,  # noqa: A002
    limit: Limit | None = None,
    cursor: str | None = None,
) -> api.TagPage:
    """The tags of a contact, of a task, of a call, or of a time, the newest first."""
    tags = listing.Tags(routes.caller, type)
    if call_id is not None:
        return tags.of_call(call_id)
    if task_id is not None:
        return tags.of_task(task_id, limit, cursor)
    if contact_id is not None:
        return tags.of_contact(contact_id, limit, cursor)
    return tags.of_time(listing.between(routes.tenant_id, since, until), limit, cursor)


@routes.get(
    "/v1/tags/<tag_id>",
    operation_id="getTag",
    tags=["Tags"],
    summary="Get a tag",
    description="One tag.",
)
def get_tag(tag_id: str) -> api.Tag:
    """One tag."""
    return listing.Tags(routes.caller, None).one(found_id(tag_id))
