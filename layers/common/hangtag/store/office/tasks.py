"""Tasks of contacts, with an assignee, members, a due time and free typed fields.

key("T", tenant, "TASK", id) holds all of a task: "TASK" (in the index of days by its creation), "DUE" (in the index by
its due day, while it is open), and key("TAG", at, tag) for each tag on it. Every contact of the task has a copy in its
own partition, under key("TASK", created_at, id), written in the same transaction, so a call finds the contact's last
tasks by a consistent read.
"""

import json
import math
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Literal

from botocore.exceptions import ClientError

from hangtag import representation
from hangtag.errors import FieldError, FieldErrorCode, NotFoundError
from hangtag.settings import TaskField, TaskTemplate
from hangtag.store.crm import outbox
from hangtag.store.db.client import dynamodb, is_condition_failure, table
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import DAY_SHARDS, key, shard
from hangtag.store.db.listing import of_partition
from hangtag.store.db.transact import ContestedError, retry_contested

SK = "TASK"
DUE_SK = "DUE"
LIST, DUE_LIST = "TASKS", "DUE"
OPEN = "open"
Status = Literal["open", "completed", "cancelled"]
Write = dict[str, Any]
# Maximum number of a contact's tasks that a rule reads.
MAX_LOOKED_AT = 500
_PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task. Times are ISO 8601 in UTC; `call_id` is the API's id of the call that it was created for.

    `external_id` is its id in the outside CRM, if it comes from there.
    """

    id: str
    title: str
    contact_ids: tuple[str, ...] = ()
    assignee_id: str | None = None
    member_ids: tuple[str, ...] = ()
    status: str = OPEN
    due_at: str | None = None
    fields: tuple[TaskField, ...] = ()
    created_at: str
    call_id: str | None = None
    external_id: str | None = None
    version: int = 1

    @property
    def people(self) -> frozenset[str]:
        """Assignee and members."""
        return frozenset((*self.member_ids, *([self.assignee_id] if self.assignee_id else ())))

    def to_json(self) -> dict[str, Any]:
        """Return the task as the API shows it."""
        return {
            "id": self.id,
            "title": self.title,
            "contact_ids": list(self.contact_ids),
            "assignee_id": self.assignee_id,
            "member_ids": list(self.member_ids),
            "status": self.status,
            "due_at": self.due_at,
            "fields": [field.model_dump() for field in self.fields],
            "created_at": self.created_at,
            "call_id": self.call_id,
            "external_id": self.external_id,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any], version: int = 1) -> "Task":
        """Return the task of a stored body, the inverse of `to_json`."""
        lists = {
            "contact_ids": tuple(body["contact_ids"]),
            "member_ids": tuple(body["member_ids"]),
            "fields": tuple(TaskField.model_validate(field) for field in body["fields"]),
        }
        return cls(**{**body, **lists}, version=version)


def new_task(**fields: Any) -> Task:
    """Build a task that is not stored yet, with an id and the current time."""
    return Task(id=secrets.token_hex(16), created_at=iso(now()), **fields)


def task_from_template(
    template: TaskTemplate,
    *,
    task_id: str,
    contact: tuple[str, str] | None,
    number: str,
    call_id: str,
    created_at: str,
) -> Task:
    """Build the task of a template for a call. `contact` is its id and name."""
    name = contact[1] if contact else number
    title = template.title.replace("{contact}", name).replace("{number}", number)
    due = None
    if template.due_in_minutes is not None:
        due = iso(datetime.fromisoformat(created_at) + timedelta(minutes=template.due_in_minutes))
    return Task(
        id=task_id,
        title=title[:200],
        contact_ids=(contact[0],) if contact else (),
        assignee_id=template.assignee_id,
        member_ids=tuple(template.member_ids),
        due_at=due,
        fields=tuple(template.fields),
        created_at=created_at,
        call_id=call_id,
    )


def check_fields(fields: Iterable[TaskField]) -> tuple[FieldError, ...]:
    """Return the faults of free fields: values of another type, and duplicate names."""
    faults = []
    names: set[str] = set()
    for place, field in enumerate(fields):
        if field.name in names:
            faults.append(
                FieldError(
                    f"fields.{place}.name", FieldErrorCode.DUPLICATE_VALUE, "Two fields have this name. Rename one."
                )
            )
        names.add(field.name)
        if field.value is not None and not _is_of_type(field):
            faults.append(FieldError(f"fields.{place}.value", FieldErrorCode.INVALID_TYPE, f"Not a {field.type}."))
    return tuple(faults)


def _is_of_type(field: TaskField) -> bool:
    value = field.value
    match field.type:
        case "boolean":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        case "date":
            return isinstance(value, str) and _is_date(value)
    return isinstance(value, str)


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def create_task(tenant_id: str, task: Task, more: Sequence[Mapping[str, Any]] = ()) -> Task:
    """Store a new task, with the writes in `more` in the same transaction. Raises botocore's errors."""
    dynamodb().transact_write_items(TransactItems=[*puts(tenant_id, task), *more])  # type: ignore[list-item]
    return task


def get_task(tenant_id: str, task_id: str) -> Task:
    """Return a task. Raises NotFoundError."""
    response = dynamodb().get_item(TableName=table(), Key=_key(tenant_id, task_id), ConsistentRead=True)
    if "Item" not in response:
        raise NotFoundError("No such task.")
    return _parse(response["Item"])


def exists(tenant_id: str, task_id: str) -> bool:
    """Return True if a task exists. Raises botocore's errors."""
    try:
        get_task(tenant_id, task_id)
    except NotFoundError:
        return False
    return True


def update_task(tenant_id: str, task_id: str, changes: Mapping[str, Any]) -> Task:
    """Change some fields; fields outside `changes` stay. Raises NotFoundError, ConflictError, botocore's errors."""

    def attempt() -> Task:
        before = get_task(tenant_id, task_id)
        after = replace(before, **changes, version=before.version + 1)
        removed = set(before.contact_ids) - set(after.contact_ids)
        obsolete = [_pointer_key(tenant_id, contact_id, before) for contact_id in sorted(removed)]
        if _is_due(before) and not _is_due(after):
            obsolete.append(_key(tenant_id, task_id, DUE_SK))
        writes = [
            *_items(tenant_id, after, before),
            *({"Delete": {"TableName": table(), "Key": item_key}} for item_key in obsolete),
        ]
        _write(writes)
        return after

    return retry_contested(attempt)


def of_contact(tenant_id: str, contact_id: str, *, only_open: bool = False) -> Iterator[Task]:
    """Yield the tasks of a contact, newest first, at most 500. Pages are read on demand."""
    count = 0
    arguments: Any = {}
    while count < MAX_LOOKED_AT:
        response = dynamodb().query(
            TableName=table(),
            KeyConditionExpression="pk = :pk AND begins_with(sk, :task)",
            ExpressionAttributeValues={
                ":pk": {"S": key("T", tenant_id, "CONTACT", contact_id)},
                ":task": {"S": key(SK, "")},
            },
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=_PAGE,
            **arguments,
        )
        for item in response["Items"]:
            count += 1
            task = _parse(item)
            if not only_open or task.status == OPEN:
                yield task
        if "LastEvaluatedKey" not in response:
            return
        arguments = {"ExclusiveStartKey": response["LastEvaluatedKey"]}


def due(
    tenant_id: str, since: datetime, until: datetime, limit: int, accept: Callable[[Task], bool] = lambda _: True
) -> list[Task]:
    """Return the open tasks due from `since` (included) to `until` (excluded), soonest first. Raises botocore's
    errors.
    """
    tasks: list[Task] = []
    day = since.date()
    while day <= until.date() and len(tasks) < limit:
        shards = (_due_on(tenant_id, day, number) for number in range(DAY_SHARDS))
        of_day = sorted((entry for entries in shards for entry in entries), key=lambda entry: entry[:2])
        tasks += [task for at, _, task in of_day if iso(since) <= at < iso(until) and accept(task)]
        day += timedelta(days=1)
    return tasks[:limit]


def _due_on(tenant_id: str, day: date, number: int) -> Iterator[tuple[str, str, Task]]:
    pages = (
        dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=table(),
            IndexName="day",
            KeyConditionExpression="day_key = :day",
            ExpressionAttributeValues={":day": {"S": key("T", tenant_id, DUE_LIST, day.isoformat(), str(number))}},
        )
    )
    for page in pages:
        for item in page["Items"]:
            task = Task.from_json(json.loads(item["body"]["S"]))
            yield task.due_at or "", task.id, task


def puts(tenant_id: str, task: Task) -> list[Write]:
    """Return the writes of a new task and its CRM message, for a transaction of the low-level client.

    The transaction fails if a task with this id exists.
    """
    times = {"due_at": representation.instant(task.due_at), "created_at": representation.instant(task.created_at)}
    messages = outbox.puts(tenant_id, "task", task.id, 1, {"task": {**task.to_json(), **times}}, now())
    return [*_items(tenant_id, task, None), *messages]


def remove_contact(tenant_id: str, contact_id: str) -> None:
    """Remove a contact from its tasks, for its erasure. Repeatable."""
    for task in list(of_contact(tenant_id, contact_id)):
        remaining = tuple(other for other in task.contact_ids if other != contact_id)
        update_task(tenant_id, task.id, {"contact_ids": remaining})


def tag_puts(tenant_id: str, tag: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> list[Write]:
    """Return the writes that copy a tag to its task's list, for a transaction of the low-level client.

    `tag` is its JSON, None if it is deleted; `before` is the JSON of the previous revision.
    """
    new, old = _place_of(tag), _place_of(before)
    writes: list[Write] = []
    if old is not None and old != new:
        writes.append({"Delete": {"TableName": table(), "Key": _tag_key(tenant_id, *old)}})
    if new is not None:
        body = {"kind": {"S": "tag_on_task"}, "body": {"S": json.dumps(tag, ensure_ascii=False)}}
        writes.append({"Put": {"TableName": table(), "Item": {**_tag_key(tenant_id, *new), **body}}})
    return writes


def tags_of(tenant_id: str, task_id: str, limit: int, before: str | None) -> tuple[list[Mapping[str, Any]], str | None]:
    """Return the tags on a task, newest first, as JSON, and the key to continue before. Raises botocore's errors."""
    return of_partition(key("T", tenant_id, SK, task_id), "TAG", limit, before)


def place_of_tag(tag: Mapping[str, Any]) -> str:
    """Return the sort key of a tag in its task's list, from its JSON."""
    return key("TAG", tag["at"], tag["id"])


def _items(tenant_id: str, task: Task, before: Task | None) -> list[Write]:
    text = json.dumps(task.to_json(), ensure_ascii=False)
    common = {"body": {"S": text}, "version": {"N": str(task.version)}}
    whole = {
        **_key(tenant_id, task.id),
        **common,
        "kind": {"S": "task"},
        "day_key": {"S": key("T", tenant_id, LIST, task.created_at[:10], str(shard(task.id, DAY_SHARDS)))},
        "day_order": {"S": f"{task.created_at}#{task.id}"},
    }
    writes: list[Write] = [{"Put": {"TableName": table(), "Item": whole, **_condition(before)}}]
    for contact_id in task.contact_ids:
        copy = {**_pointer_key(tenant_id, contact_id, task), **common, "kind": {"S": "task_of_contact"}}
        writes.append({"Put": {"TableName": table(), "Item": copy}})
    if _is_due(task) and task.due_at is not None:
        due = {
            **_key(tenant_id, task.id, DUE_SK),
            **common,
            "kind": {"S": "due"},
            "day_key": {"S": key("T", tenant_id, DUE_LIST, task.due_at[:10], str(shard(task.id, DAY_SHARDS)))},
            "day_order": {"S": f"{task.due_at}#{task.id}"},
        }
        writes.append({"Put": {"TableName": table(), "Item": due}})
    return writes


def _condition(before: Task | None) -> dict[str, Any]:
    if before is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "version = :seen",
        "ExpressionAttributeValues": {":seen": {"N": str(before.version)}},
    }


def _write(writes: list[Write]) -> None:
    try:
        dynamodb().transact_write_items(TransactItems=writes)  # type: ignore[arg-type]
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        raise ContestedError from error


def _is_due(task: Task) -> bool:
    return task.status == OPEN and task.due_at is not None


def _key(tenant_id: str, task_id: str, sk: str = SK) -> dict[str, Any]:
    return {"pk": {"S": key("T", tenant_id, SK, task_id)}, "sk": {"S": sk}}


def _pointer_key(tenant_id: str, contact_id: str, task: Task) -> dict[str, Any]:
    return {
        "pk": {"S": key("T", tenant_id, "CONTACT", contact_id)},
        "sk": {"S": key(SK, task.created_at, task.id)},
    }


def _tag_key(tenant_id: str, task_id: str, at: str, tag_id: str) -> dict[str, Any]:
    return {"pk": {"S": key("T", tenant_id, SK, task_id)}, "sk": {"S": key("TAG", at, tag_id)}}


def _place_of(tag: Mapping[str, Any] | None) -> tuple[str, str, str] | None:
    """Return the task, time and id of a tag on a task, or None."""
    return (tag["task_id"], tag["at"], tag["id"]) if tag is not None and tag["task_id"] else None


def _parse(item: Mapping[str, Any]) -> Task:
    return Task.from_json(json.loads(item["body"]["S"]), int(item["version"]["N"]))


def due_time(text: str, zone: tzinfo = UTC) -> str:
    """Return a due time as the table has it: ISO 8601 in UTC. A time without an offset is local time of the zone.

    A date is the start of that day in the zone. Raises ValueError for a text that is not ISO 8601, OverflowError for a
    time outside of the calendar in UTC.
    """
    moment = datetime.fromisoformat(text)
    return iso(moment if moment.tzinfo else moment.replace(tzinfo=zone))
