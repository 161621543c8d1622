"""Routes of tags."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from hangtag.api.calls.models import CALL_ID
from hangtag.api.kernel import listing
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.enums import TagType
from hangtag.api.kernel.models import ContactId, Cursor, From, Limit, TaskId, To
from hangtag.api.kernel.paging import found_id
from hangtag.api.kernel.service import Routes
from hangtag.api.tags.models import Tag, TagPage
from hangtag.api.tags.service import Tags

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)


@routes.get(
    "/v1/tags",
    operation_id="listTags",
    tags=["Tags"],
    summary="List tags",
    description=(
        "Returns tags, newest first. With `call_id`: the tag of that call. With `task_id` or `contact_id`: the tags at"
        " that task or contact; the period is ignored. Otherwise: the tags of a period (default: the last seven days)."
        " If several of the three ids are set, `call_id` counts before `task_id`, and `task_id` before `contact_id`."
        " Employees see the tags that the tenant's visibility setting permits. A page can be short or empty and still"
        " have a `next_cursor`."
    ),
)
def list_tags(
    contact_id: Annotated[
        ContactId | None, Query(description="Only tags at this contact.", examples=["5f0c2a7be1d94c36"])
    ] = None,
    task_id: Annotated[
        TaskId | None, Query(description="Only tags at this task.", examples=["c4a6f20d9b8e4731"])
    ] = None,
    call_id: Annotated[
        str | None, Query(description="Only the tag of this call, by Hangtag's id.", examples=[CALL_ID])
    ] = None,
    since: From = None,
    until: To = None,
    type: Annotated[  # noqa: A002
        TagType | None, Query(description="Only tags of this type.", examples=["call"])
    ] = None,
    limit: Limit | None = None,
    cursor: Cursor | None = None,
) -> TagPage:
    """Return a page of tags."""
    tags = Tags(routes.caller, type)
    if call_id is not None:
        return tags.of_call(call_id)
    if task_id is not None:
        return tags.of_task(task_id, limit, cursor)
    if contact_id is not None:
        return tags.of_contact(contact_id, limit, cursor)
    return tags.of_period(listing.between(routes.tenant_id, since, until), limit, cursor)


@routes.get(
    "/v1/tags/<tag_id>",
    operation_id="getTag",
    tags=["Tags"],
    summary="Get a tag",
    description="Returns the latest revision of a tag. 404 also for a tag that the caller cannot see.",
)
def get_tag(tag_id: str) -> Tag:
    """Return one tag."""
    return Tags(routes.caller, None).get(found_id(tag_id))
