"""Routes of comments on calls, and of the timelines of contacts and tasks."""

from collections.abc import Iterable, Mapping
from typing import Any

from hangtag import representation
from hangtag.api.calls import service as calls
from hangtag.api.comments.models import (
    Comment,
    CommentPage,
    CreateCommentRequest,
    TimelineEntryPage,
)
from hangtag.api.contacts import timeline
from hangtag.api.contacts.timeline import Entry
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Cursor, Limit
from hangtag.api.kernel.paging import found_id, page_of
from hangtag.api.kernel.service import Routes
from hangtag.errors import BadInputError, ConflictError, ErrorCode, FieldError, FieldErrorCode
from hangtag.store.office import comments, contacts, names, tasks
from hangtag.store.office.comments import CallFacts

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)

Body = Mapping[str, Any]


@routes.post(
    "/v1/calls/<call_id>/comments",
    operation_id="createCallComment",
    tags=["Comments"],
    summary="Comment on a call",
    description=(
        "Adds a comment to an open or closed call. The comment belongs to the call's contact, or to the task of"
        " `task_id`. An outside CRM receives it as a `comment.created` message. 409 `contact_required` if the call has"
        " no contact and `task_id` is missing. Comments cannot be changed."
    ),
    errors=(ErrorCode.CONTACT_REQUIRED, ErrorCode.IDEMPOTENCY_KEY_REUSED),
    example={"text": "Wants a call back on Monday."},
    status_code=201,
)
def create_call_comment(call_id: str, comment: CreateCommentRequest) -> Comment:
    """Add a comment to a call."""
    call, tenant_id, author = calls.load_body(routes.caller, call_id), routes.tenant_id, routes.caller.name
    if comment.task_id is None and call["contact_id"] is None:
        raise ConflictError("The call has no contact. Set task_id.", code=ErrorCode.CONTACT_REQUIRED)
    if comment.task_id is not None and not tasks.exists(tenant_id, comment.task_id):
        raise BadInputError("Unknown task.", (FieldError("task_id", FieldErrorCode.UNKNOWN_TASK, "Unknown task."),))

    def work() -> Comment:
        created = comments.add_comment(
            tenant_id,
            author,
            comment.text,
            _facts(call),
            contact_id=call["contact_id"] if comment.task_id is None else None,
            task_id=comment.task_id,
        )
        (shown,) = _present([created.to_json()])
        return Comment.model_validate(shown)

    return Comment.model_validate(routes.idempotent(f"comments {call_id}", work))


@routes.get(
    "/v1/calls/<call_id>/comments",
    operation_id="listCallComments",
    tags=["Comments"],
    summary="List a call's comments",
    description="Returns the comments on a call, newest first.",
)
def list_call_comments(call_id: str, limit: Limit | None = None, cursor: Cursor | None = None) -> CommentPage:
    """Return a page of a call's comments."""
    call = calls.load_body(routes.caller, call_id)
    bodies, following = timeline.page(
        "comments", limit, cursor, lambda count, before: comments.of_call(routes.tenant_id, call["id"], count, before)
    )
    return page_of(CommentPage, _present(bodies), following)


@routes.get(
    "/v1/contacts/<contact_id>/timeline",
    operation_id="listContactTimeline",
    tags=["Contacts"],
    summary="List a contact's timeline",
    description=(
        "Returns the tags and comments at a contact, newest first, as far as the caller can see them. A page can be"
        " short or empty and still have a `next_cursor`."
    ),
)
def list_contact_timeline(
    contact_id: str, limit: Limit | None = None, cursor: Cursor | None = None
) -> TimelineEntryPage:
    """Return a page of a contact's timeline."""
    contact = contacts.get_contact(routes.tenant_id, found_id(contact_id))
    entries, following = timeline.of_contact(routes.caller, contact.id, limit, cursor)
    return page_of(TimelineEntryPage, _entries(entries), following)


@routes.get(
    "/v1/tasks/<task_id>/timeline",
    operation_id="listTaskTimeline",
    tags=["Tasks"],
    summary="List a task's timeline",
    description=(
        "Returns the tags and comments at a task, newest first, as far as the caller can see them. A page can be"
        " short or empty and still have a `next_cursor`."
    ),
)
def list_task_timeline(task_id: str, limit: Limit | None = None, cursor: Cursor | None = None) -> TimelineEntryPage:
    """Return a page of a task's timeline."""
    task = tasks.get_task(routes.tenant_id, found_id(task_id))
    entries, following = timeline.of_task(routes.caller, task.id, limit, cursor)
    return page_of(TimelineEntryPage, _entries(entries), following)


def _entries(entries: list[Entry]) -> list[dict[str, Any]]:
    """Return the public JSON of timeline entries; all names come from one batched read."""
    if not entries:
        return []
    related = names.load(routes.tenant_id, names.references(body for _, body in entries))
    present = {"tag": representation.tag, "comment": representation.comment}
    return [
        {"type": kind, "occurred_at": representation.instant(body["at"]), kind: present[kind](body, related)}
        for kind, body in entries
    ]


def _present(bodies: Iterable[Body]) -> list[dict[str, Any]]:
    stored = list(bodies)
    related = names.load(routes.tenant_id, names.references(stored)) if stored else None
    return [representation.comment(body, related) for body in stored] if related else []


def _facts(call: Body) -> CallFacts:
    return CallFacts(
        id=call["id"],
        direction=call["direction"],
        outcome=call["outcome"],
        started_at=call["started_at"],
        number=call["external"],
    )
