"""What an employee adds to a call: comments and tasks; and the timeline of a contact or a task."""

from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from hangtag.api.calls.models import Call, Tag
from hangtag.api.contacts import timeline
from hangtag.api.kernel import listing
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Id, Limit, Page, RequestModel, ResponseModel
from hangtag.api.kernel.paging import found_id
from hangtag.api.kernel.service import Routes
from hangtag.api.tasks.routes import CreateTaskRequest, TaskOut, checked
from hangtag.errors import BadInputError, ConflictError, FieldError, FieldErrorCode
from hangtag.store.calls import items as calls
from hangtag.store.office import comments, contacts, tasks
from hangtag.store.office.comments import CallFacts

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)


class CreateCommentRequest(RequestModel):
    """A comment to be. Without a task it goes to the call's contact."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
    task_id: Id | None = None


class CallSummary(ResponseModel):
    """The call that a comment is on."""

    id: str
    direction: str | None
    outcome: str | None
    started_at: str | None
    number: str | None


class CommentOut(ResponseModel):
    """A comment on a call. `author` is owner, employee:<id> or oidc:<subject>."""

    id: str
    at: str
    author: str
    text: str
    contact_id: str | None
    task_id: str | None
    call: CallSummary


class CommentPage(Page[CommentOut]):
    """A page of the list."""


class TimelineEntry(ResponseModel):
    """One thing in a timeline: a tag or a comment."""

    kind: Literal["tag", "comment"]
    at: str
    tag: Tag | None = None
    comment: CommentOut | None = None


class TimelineEntryPage(Page[TimelineEntry]):
    """A page of the list."""


@routes.post(
    "/v1/calls/<call_id>/comments",
    operation_id="createCallComment",
    tags=["Comments"],
    summary="Comment on a call",
    description="Comment a call; the comment goes to its contact, or to the task that is named.",
    status_code=201,
)
def create_call_comment(call_id: str, comment: CreateCommentRequest) -> CommentOut:
    """Comment a call; the comment goes to its contact, or to the task that is named."""
    call, tenant_id, author = _call(call_id), routes.tenant_id, routes.caller.name
    if comment.task_id is None and call.contact_id is None:
        raise ConflictError("the call has no contact: name a task")
    if comment.task_id is not None and not tasks.exists(tenant_id, comment.task_id):
        field = FieldError("task_id", FieldErrorCode.UNKNOWN_TASK, "there is no such task")
        raise BadInputError("there is no such task", (field,))

    def work() -> CommentOut:
        made = comments.add_comment(
            tenant_id,
            author,
            comment.text,
            _facts(call),
            contact_id=call.contact_id if comment.task_id is None else None,
            task_id=comment.task_id,
        )
        return CommentOut.model_validate(made.to_json())

    return CommentOut.model_validate(routes.once(f"comments {call_id}", work))


@routes.get(
    "/v1/calls/<call_id>/comments",
    operation_id="listCallComments",
    tags=["Comments"],
    summary="List a call's comments",
    description="The comments on a call, the newest first.",
)
def list_call_comments(call_id: str, limit: Limit | None = None, cursor: str | None = None) -> CommentPage:
    """The comments on a call, the newest first."""
    found = _call(call_id)
    bodies, following = timeline.page(
        "comments", limit, cursor, lambda count, before: comments.of_call(routes.tenant_id, found.id, count, before)
    )
    return CommentPage(items=[CommentOut.model_validate(body) for body in bodies], next_cursor=following)


@routes.post(
    "/v1/calls/<call_id>/tasks",
    operation_id="createTaskFromCall",
    tags=["Tasks"],
    summary="Create a task from a call",
    description="Make a task from a call; without contacts it is one of the call's contact.",
    status_code=201,
)
def create_task_from_call(call_id: str, task: CreateTaskRequest) -> TaskOut:
    """Make a task from a call; without contacts it is one of the call's contact."""
    call, tenant_id = _call(call_id), routes.tenant_id
    sent: dict[str, Any] = task.model_dump()
    if "contact_ids" not in task.model_fields_set and call.contact_id is not None:
        sent["contact_ids"] = [call.contact_id]
    known = checked(tenant_id, sent)

    def work() -> TaskOut:
        made = tasks.create_task(tenant_id, tasks.new_task(**known, call_id=call.id))
        return TaskOut.model_validate(made.to_json())

    return TaskOut.model_validate(routes.once(f"tasks {call_id}", work))


class CallTaskAssignment(RequestModel):
    """The task that a call belongs to."""

    task_id: Id


@routes.put(
    "/v1/calls/<call_id>/task",
    operation_id="assignCallToTask",
    tags=["Calls"],
    summary="Assign a call to a task",
    description="Put a call on a task, while it goes on or after: its tag goes there, whatever the tenant's rule is.",
)
def assign_call_to_task(call_id: str, wanted: CallTaskAssignment) -> Call:
    """Put a call on a task, while it goes on or after: its tag goes there, whatever the tenant's rule is."""
    call, tenant_id = _call(call_id), routes.tenant_id
    place = listing.call_key(tenant_id, call.id)
    if not tasks.exists(tenant_id, wanted.task_id):
        raise BadInputError(
            "there is no such task", (FieldError("task_id", FieldErrorCode.UNKNOWN_TASK, "there is no such task"),)
        )
    if place is None or not calls.put_on_task(place, wanted.task_id):
        raise ConflictError("the PBX has not told of the call yet; try again when it rings")
    return Call.model_validate({**call.model_dump(), "task_id": wanted.task_id})


@routes.get(
    "/v1/contacts/<contact_id>/timeline",
    operation_id="listContactTimeline",
    tags=["Contacts"],
    summary="List a contact's timeline",
    description="What happened with a contact, the newest first: tags and comments, as far as the caller may see them.",
)
def list_contact_timeline(contact_id: str, limit: Limit | None = None, cursor: str | None = None) -> TimelineEntryPage:
    """What happened with a contact, the newest first: tags and comments, as far as the caller may see them."""
    contact = contacts.get_contact(routes.tenant_id, found_id(contact_id))
    entries, following = timeline.of_contact(routes.caller, contact.id, limit, cursor)
    return TimelineEntryPage(items=[_entry(*entry) for entry in entries], next_cursor=following)


@routes.get(
    "/v1/tasks/<task_id>/timeline",
    operation_id="listTaskTimeline",
    tags=["Tasks"],
    summary="List a task's timeline",
    description="What happened with a task, the newest first: tags and comments, as far as the caller may see them.",
)
def list_task_timeline(task_id: str, limit: Limit | None = None, cursor: str | None = None) -> TimelineEntryPage:
    """What happened with a task, the newest first: tags and comments, as far as the caller may see them."""
    task = tasks.get_task(routes.tenant_id, found_id(task_id))
    entries, following = timeline.of_task(routes.caller, task.id, limit, cursor)
    return TimelineEntryPage(items=[_entry(*entry) for entry in entries], next_cursor=following)


def _entry(kind: Literal["tag", "comment"], body: Any) -> TimelineEntry:
    if kind == "tag":
        return TimelineEntry(kind=kind, at=body["at"], tag=Tag.model_validate(body))
    return TimelineEntry(kind=kind, at=body["at"], comment=CommentOut.model_validate(body))


def _call(call_id: str) -> Call:
    return listing.call(routes.caller, call_id)


def _facts(call: Call) -> CallFacts:
    return CallFacts(
        id=call.id,
        direction=call.direction,
        outcome=call.outcome,
        started_at=call.started_at,
        number=call.external,
    )
