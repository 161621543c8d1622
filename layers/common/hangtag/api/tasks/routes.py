"""Tasks, and the planner."""

import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from hangtag.api.contacts.cards import Cards
from hangtag.api.kernel import listing
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.cursor import read_cursor, write_cursor
from hangtag.api.kernel.models import (
    DEFAULT_LIMIT,
    UNSENT,
    From,
    Id,
    Limit,
    Page,
    Phone,
    RequestModel,
    ResponseModel,
    Text,
    To,
    is_id,
)
from hangtag.api.kernel.paging import found_id
from hangtag.api.kernel.service import Routes
from hangtag.errors import BadInputError, FieldError, FieldErrorCode, NotFoundError
from hangtag.settings import MAX_FIELDS, MAX_MEMBERS, TaskField
from hangtag.store.office import contacts, employees, tasks
from hangtag.store.office.tasks import Task

__all__ = ["CreateTaskRequest", "TaskOut", "checked", "routes"]

routes = Routes(Role.EMPLOYEE)

MAX_CONTACTS = 20
# How far the planner looks at once.
MAX_PLANNED = 500
# Where a task stands in a list.
Place = tuple[str, str]

Status = Literal["open", "completed", "cancelled"]
Time = Annotated[str, StringConstraints(min_length=10, max_length=40)]
ContactIds = Annotated[list[Id], Field(max_length=MAX_CONTACTS)]
MemberIds = Annotated[list[Id], Field(max_length=MAX_MEMBERS)]
Fields = Annotated[list[TaskField], Field(max_length=MAX_FIELDS)]


class CreateTaskRequest(RequestModel):
    """A task to be. `due_at` is ISO 8601, UTC if it has no offset."""

    title: Text
    contact_ids: ContactIds = Field(default_factory=list)
    assignee_id: Id | None = None
    member_ids: MemberIds = Field(default_factory=list)
    status: Status = "open"
    due_at: Time | None = None
    fields: Fields = Field(default_factory=list)


class UpdateTaskRequest(RequestModel):
    """What changes of a task; what is not sent stays."""

    title: Text = UNSENT
    contact_ids: ContactIds = UNSENT
    assignee_id: Id | None = None
    member_ids: MemberIds = UNSENT
    status: Status = UNSENT
    due_at: Time | None = None
    fields: Fields = UNSENT


class TaskOut(ResponseModel):
    """A task. `call_id` is the call that it was made for, `external_id` what the CRM outside calls it, if it is its."""

    id: str
    title: str
    contact_ids: list[str]
    assignee_id: str | None
    member_ids: list[str]
    status: Status
    due_at: str | None
    fields: list[TaskField]
    created_at: str
    call_id: str | None
    external_id: str | None = None


class TaskPage(Page[TaskOut]):
    """A page of the list."""


class PlannedContact(ResponseModel):
    """Whom to call."""

    id: str
    name: str
    phones: list[Phone]


class PlannedTask(ResponseModel):
    """A task that is due, with the contacts to call."""

    task: TaskOut
    contacts: list[PlannedContact]


class PlannedTaskPage(Page[PlannedTask]):
    """A page of the list."""


@routes.post(
    "/v1/tasks",
    operation_id="createTask",
    tags=["Tasks"],
    summary="Create a task",
    description="Make a task.",
    status_code=201,
)
def create_task(task: CreateTaskRequest) -> TaskOut:
    """Make a task."""
    tenant_id = routes.tenant_id

    def work() -> TaskOut:
        made = tasks.create_task(tenant_id, tasks.new_task(**checked(tenant_id, task.model_dump())))
        return TaskOut.model_validate(made.to_json())

    return TaskOut.model_validate(routes.once("tasks", work))


@routes.get(
    "/v1/tasks",
    operation_id="listTasks",
    tags=["Tasks"],
    summary="List tasks",
    description="The tasks of a contact, or those created in a time, the newest first.",
)
def list_tasks(
    contact_id: str | None = None,
    status: Status | None = None,
    since: From = None,
    until: To = None,
    limit: Limit | None = None,
    cursor: str | None = None,
) -> TaskPage:
    """The tasks of a contact, or those created in a time, the newest first."""
    tenant_id = routes.tenant_id
    if contact_id is not None:
        found = tasks.of_contact(tenant_id, contact_id) if is_id(contact_id) else iter(())
        wanted = [task for task in found if status is None or task.status == status]
        shown, following = _page("tasks-of-contact", wanted, _created, operator.lt, limit, cursor)
        return TaskPage(items=[TaskOut.model_validate(task.to_json()) for task in shown], next_cursor=following)
    times = listing.between(routes.tenant_id, since, until)
    return listing.by_days(
        TaskPage,
        tenant_id,
        tasks.LIST,
        times,
        limit,
        cursor,
        lambda body: (status is None or body["status"] == status) and times.holds(body["created_at"]),
    )


@routes.get(
    "/v1/tasks/<task_id>",
    operation_id="getTask",
    tags=["Tasks"],
    summary="Get a task",
    description="One task.",
)
def get_task(task_id: str) -> TaskOut:
    """One task."""
    return TaskOut.model_validate(tasks.get_task(routes.tenant_id, found_id(task_id)).to_json())


@routes.patch(
    "/v1/tasks/<task_id>",
    operation_id="updateTask",
    tags=["Tasks"],
    summary="Update a task",
    description="Change a task; what is not sent stays.",
)
def update_task(task_id: str, wanted: UpdateTaskRequest) -> TaskOut:
    """Change a task; what is not sent stays."""
    changes = checked(routes.tenant_id, wanted.changes())
    return TaskOut.model_validate(tasks.update_task(routes.tenant_id, found_id(task_id), changes).to_json())


@routes.get(
    "/v1/planner",
    operation_id="listPlannedTasks",
    tags=["Tasks"],
    summary="List planned tasks",
    description=(
        "The open tasks that are due in a time, the soonest first, each with the contacts to call. If it is not "
        "said otherwise: what was due in the last 30 days, and is in the next 7."
    ),
)
def list_planned_tasks(
    since: From = None,
    until: To = None,
    assignee_id: str | None = None,
    limit: Limit | None = None,
    cursor: str | None = None,
) -> PlannedTaskPage:
    """The open tasks that are due in a time, the soonest first, each with the contacts to call.

    If it is not said otherwise: what was due in the last 30 days, and is in the next 7.
    """
    tenant_id = routes.tenant_id
    span = listing.ahead(routes.tenant_id, since, until)
    due = tasks.due(
        tenant_id,
        span.since,
        span.until,
        MAX_PLANNED,
        lambda task: assignee_id is None or task.assignee_id == assignee_id,
    )
    shown, following = _page("planner", due, _due, operator.gt, limit, cursor)
    cards = Cards(tenant_id)
    return PlannedTaskPage(items=[_planned(tenant_id, task, cards) for task in shown], next_cursor=following)


def _created(task: Task) -> Place:
    return task.created_at, task.id


def _due(task: Task) -> Place:
    return task.due_at or "", task.id


def _page(
    of: str,
    found: list[Task],
    place: Callable[[Task], Place],
    is_after: Callable[[Place, Place], bool],
    limit: int | None,
    cursor: str | None,
) -> tuple[list[Task], str | None]:
    """A page of a list that was read as a whole.

    The cursor holds the place of the last task of the page before, so that it goes on there although that task is done.
    """
    start = read_cursor(of, 2, cursor)
    after = (start[0] or "", start[1] or "") if start is not None else None
    left = found if after is None else [task for task in found if is_after(place(task), after)]
    shown = left[: limit or DEFAULT_LIMIT]
    return shown, write_cursor(of, *place(shown[-1])) if len(shown) < len(left) else None


def _planned(tenant_id: str, task: Task, cards: Cards) -> PlannedTask:
    people = _contacts(tenant_id, task.contact_ids, cards)
    return PlannedTask(task=TaskOut.model_validate(task.to_json()), contacts=list(people))


def _contacts(tenant_id: str, contact_ids: Iterable[str], cards: Cards) -> Iterator[PlannedContact]:
    for contact_id in contact_ids:
        try:
            found = contacts.get_contact(tenant_id, contact_id)
        except NotFoundError:
            continue
        yield PlannedContact.model_validate(cards.dressed(found.to_json()))


def checked(tenant_id: str, sent: dict[str, Any]) -> dict[str, Any]:
    """What was sent of a task, in the store's types. Raises BadInputError naming what is wrong."""
    known = dict(sent)
    faults: list[FieldError] = []
    for name in ("contact_ids", "member_ids"):
        if name in known:
            known[name] = tuple(dict.fromkeys(known[name]))
    if "fields" in known:
        known["fields"] = tuple(TaskField.model_validate(field) for field in known["fields"])
        faults += tasks.check_fields(known["fields"])
    if known.get("due_at") is not None:
        try:
            known["due_at"] = tasks.due_time(known["due_at"])
        except (ValueError, OverflowError):
            faults.append(FieldError("due_at", FieldErrorCode.INVALID_TIME, "it is no time in ISO 8601"))
    faults += _strangers(tenant_id, known)
    if faults:
        raise BadInputError("the task can't be kept like this", tuple(faults))
    return known


def _strangers(tenant_id: str, known: dict[str, Any]) -> Iterator[FieldError]:
    """Whom a task names who is not there."""
    for place, contact_id in enumerate(known.get("contact_ids", ())):
        if not contacts.exists(tenant_id, contact_id):
            yield FieldError(f"contact_ids.{place}", FieldErrorCode.UNKNOWN_CONTACT, "there is no such contact")
    for place, employee_id in enumerate(known.get("member_ids", ())):
        if not employees.exists(tenant_id, employee_id):
            yield FieldError(f"member_ids.{place}", FieldErrorCode.UNKNOWN_EMPLOYEE, "there is no such employee")
    assignee = known.get("assignee_id")
    if assignee is not None and not employees.exists(tenant_id, assignee):
        yield FieldError("assignee_id", FieldErrorCode.UNKNOWN_EMPLOYEE, "there is no such employee")
