"""Routes of tasks and the planner."""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query

from hangtag.api.calls import service as calls
from hangtag.api.contacts.cards import Cards
from hangtag.api.kernel import listing
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.cursor import read_cursor, write_cursor
from hangtag.api.kernel.enums import TaskStatus
from hangtag.api.kernel.models import (
    DEFAULT_LIMIT,
    ContactId,
    Cursor,
    EmployeeId,
    From,
    Limit,
    RequestModel,
    To,
)
from hangtag.api.kernel.paging import found_id, page_of
from hangtag.api.kernel.service import Routes
from hangtag.api.tasks import service
from hangtag.api.tasks.models import CreateTaskRequest, PlannedTaskPage, Task, TaskPage, UpdateTaskRequest
from hangtag.errors import ErrorCode, NotFoundError
from hangtag.store.office import contacts, tasks

__all__ = ["routes"]

routes = Routes(Role.EMPLOYEE)

# Due tasks that one request of the planner reads at most.
MAX_PLANNED = 500
# The sort key of a task in a list.
Place = tuple[str, str]

_EXAMPLE = {
    "title": "Send the offer",
    "contact_ids": ["5f0c2a7be1d94c36"],
    "assignee_id": "9d3b1e60a7c24f85",
    "due_at": "2026-12-01T10:00:00",
}


@routes.post(
    "/v1/tasks",
    operation_id="createTask",
    tags=["Tasks"],
    summary="Create a task",
    description="Creates a task. An outside CRM receives it as a `task.created` message.",
    errors=(ErrorCode.IDEMPOTENCY_KEY_REUSED,),
    example=_EXAMPLE,
    status_code=201,
)
def create_task(task: CreateTaskRequest) -> Task:
    """Create a task."""
    return _create("tasks", _properties(task), None)


@routes.post(
    "/v1/calls/<call_id>/tasks",
    operation_id="createTaskFromCall",
    tags=["Tasks"],
    summary="Create a task from a call",
    description=(
        "Creates a task with the call's id. Without `contact_ids` it gets the call's contact, if the call has one. The"
        " call's tag stays where it is. An outside CRM receives the task as a `task.created` message."
    ),
    errors=(ErrorCode.IDEMPOTENCY_KEY_REUSED,),
    example={"title": "Send the offer"},
    status_code=201,
)
def create_task_from_call(call_id: str, task: CreateTaskRequest) -> Task:
    """Create a task from a call."""
    call = calls.load_body(routes.caller, call_id)
    properties = _properties(task)
    if "contact_ids" not in task.model_fields_set and call["contact_id"] is not None:
        properties["contact_ids"] = [call["contact_id"]]
    return _create(f"tasks {call_id}", properties, call["id"])


def _properties(request: RequestModel) -> dict[str, Any]:
    return {name: getattr(request, name) for name in type(request).model_fields}


def _create(purpose: str, properties: Mapping[str, Any], call_id: str | None) -> Task:
    tenant_id = routes.tenant_id
    validated = service.validated(tenant_id, properties)

    def work() -> Task:
        created = tasks.create_task(tenant_id, tasks.new_task(**validated, call_id=call_id))
        return service.present_one(tenant_id, created)

    return Task.model_validate(routes.idempotent(purpose, work))


@routes.get(
    "/v1/tasks",
    operation_id="listTasks",
    tags=["Tasks"],
    summary="List tasks",
    description=(
        "Returns tasks by creation time, newest first: with `contact_id` the last 500 tasks of a contact (the period is"
        " ignored), otherwise the tasks created in a period (default: the last seven days). A page can be short or"
        " empty and still have a `next_cursor`."
    ),
)
def list_tasks(
    contact_id: Annotated[
        ContactId | None, Query(description="Only tasks of this contact.", examples=["5f0c2a7be1d94c36"])
    ] = None,
    status: Annotated[TaskStatus | None, Query(description="Only tasks with this status.", examples=["open"])] = None,
    since: From = None,
    until: To = None,
    limit: Limit | None = None,
    cursor: Cursor | None = None,
) -> TaskPage:
    """Return a page of tasks."""
    tenant_id = routes.tenant_id
    if contact_id is not None:
        matching = [task for task in tasks.of_contact(tenant_id, contact_id) if status in (None, task.status)]
        shown, following = _page("tasks-of-contact", matching, _created, operator.lt, limit, cursor)
        return page_of(TaskPage, service.present(tenant_id, [task.to_json() for task in shown]), following)
    times = listing.between(tenant_id, since, until)

    def accept(body: Mapping[str, Any]) -> bool:
        return status in (None, body["status"]) and times.holds(body["created_at"])

    return listing.by_days(
        TaskPage,
        tenant_id,
        tasks.LIST,
        times.span,
        limit,
        cursor,
        accept,
        lambda bodies: service.present(tenant_id, bodies),
    )


@routes.get(
    "/v1/tasks/<task_id>",
    operation_id="getTask",
    tags=["Tasks"],
    summary="Get a task",
    description="Returns one task.",
)
def get_task(task_id: str) -> Task:
    """Return one task."""
    return service.present_one(routes.tenant_id, tasks.get_task(routes.tenant_id, found_id(task_id)))


@routes.patch(
    "/v1/tasks/<task_id>",
    operation_id="updateTask",
    tags=["Tasks"],
    summary="Update a task",
    description=(
        "Changes the properties in the request; the others keep their values. A completed or cancelled task leaves the"
        " planner. An outside CRM is not notified."
    ),
    errors=(ErrorCode.OPERATION_RUNNING,),
    example={"status": "completed"},
)
def update_task(task_id: str, request: UpdateTaskRequest) -> Task:
    """Change a task."""
    changes = service.validated(routes.tenant_id, request.changes())
    changed = tasks.update_task(routes.tenant_id, found_id(task_id), changes)
    return service.present_one(routes.tenant_id, changed)


@routes.get(
    "/v1/planner",
    operation_id="listPlannedTasks",
    tags=["Tasks"],
    summary="List planned tasks",
    description=(
        "Returns the open tasks due in a period, soonest first, each with the contacts to call. Default: due in the"
        " last 30 days or in the next seven. A period can have 92 days; one request reads up to 500 due tasks."
    ),
)
def list_planned_tasks(
    since: From = None,
    until: To = None,
    assignee_id: Annotated[
        EmployeeId | None, Query(description="Only tasks of this employee.", examples=["9d3b1e60a7c24f85"])
    ] = None,
    limit: Limit | None = None,
    cursor: Cursor | None = None,
) -> PlannedTaskPage:
    """Return a page of due tasks."""
    tenant_id = routes.tenant_id
    times = listing.ahead(tenant_id, since, until)
    due = tasks.due(
        tenant_id,
        times.since,
        times.until,
        MAX_PLANNED,
        lambda task: assignee_id is None or task.assignee_id == assignee_id,
    )
    shown, following = _page("planner", due, _due, operator.gt, limit, cursor)
    cards = Cards(tenant_id)
    items = [
        {"task": task, "contacts": list(_contacts(tenant_id, task["contact_ids"], cards))}
        for task in service.present(tenant_id, [task.to_json() for task in shown])
    ]
    return page_of(PlannedTaskPage, items, following)


def _created(task: tasks.Task) -> Place:
    return task.created_at, task.id


def _due(task: tasks.Task) -> Place:
    return task.due_at or "", task.id


def _page(
    name: str,
    rows: list[tasks.Task],
    place: Callable[[tasks.Task], Place],
    is_after: Callable[[Place, Place], bool],
    limit: int | None,
    cursor: str | None,
) -> tuple[list[tasks.Task], str | None]:
    """Return a page of a list that is in memory as a whole.

    The cursor has the place of the last task of the previous page; the list continues there although that task may
    have left it.
    """
    start = read_cursor(name, 2, cursor)
    after = (start[0] or "", start[1] or "") if start is not None else None
    left = rows if after is None else [task for task in rows if is_after(place(task), after)]
    shown = left[: limit or DEFAULT_LIMIT]
    return shown, write_cursor(name, *place(shown[-1])) if len(shown) < len(left) else None


def _contacts(tenant_id: str, contact_ids: Iterable[str], cards: Cards) -> Iterator[dict[str, Any]]:
    for contact_id in contact_ids:
        try:
            contact = contacts.get_contact(tenant_id, contact_id)
        except NotFoundError:
            continue
        yield cards.formatted(contact.to_json())
