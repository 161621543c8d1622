"""Where a tag goes, by the tenant's rule and the contact's tasks; a new task is written with the tag or not at all."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hangtag.calls.classify import TagType, Verdict
from hangtag.flow.resolution import Placed, Resolution, attach_rule
from hangtag.store import calls, tasks
from hangtag.store.clock import iso, now
from hangtag.store.keys import digest
from hangtag.tags import Attachment, TaskFacts, attach

Write = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a tag goes, the resolution that remembers it, and what has to be written with it."""

    attachment: Attachment
    resolution: Resolution
    writes: tuple[Write, ...] = ()


def place(item: calls.CallItem, verdict: Verdict, resolution: Resolution) -> Placement:
    """Where the tag of a call goes. A Call stays where it was put first. Raises botocore's errors."""
    contact_id = resolution.contact.id if resolution.contact else None
    if verdict.tag is TagType.CALL and resolution.placed is not None:
        placed = resolution.placed
        return Placement(Attachment(contact_id, placed.task_id, placed.hidden), resolution)
    attachment = choose(item, verdict, resolution)
    writes: tuple[Write, ...] = ()
    if attachment.new_task:
        task = _new_task(item, resolution)
        writes = tuple(tasks.puts(item.tenant_id, task))
        attachment = replace(attachment, task_id=task.id)
    if verdict.tag is TagType.CALL:
        resolution = replace(resolution, placed=Placed(attachment.task_id, attachment.hidden))
    return Placement(attachment, resolution, writes)


def choose(item: calls.CallItem, verdict: Verdict, resolution: Resolution) -> Attachment:
    """Where the tag would go, with nothing written. Raises ValueError for a verdict without a tag."""
    if verdict.tag is None:
        raise ValueError("a skipped call has no tag")
    contact_id = resolution.contact.id if resolution.contact else None
    found = _tasks_of(item.tenant_id, contact_id) if contact_id else iter(())
    from_task = item.from_task
    if from_task is not None and not tasks.exists(item.tenant_id, from_task):
        # Deleted during the call: then the rule decides.
        from_task = None
    return attach(verdict.tag, attach_rule(resolution.attach), contact_id, found, from_task)


def _tasks_of(tenant_id: str, contact_id: str) -> Iterator[TaskFacts]:
    return (facts_of(task) for task in tasks.of_contact(tenant_id, contact_id))


def facts_of(task: tasks.Task) -> TaskFacts:
    """A task as rules look at it. A free field never hides title, status or assignee."""
    free = {held.name: held.value for held in task.fields}
    own = {"title": task.title, "status": task.status, "assignee": task.assignee_id}
    return TaskFacts(task.id, task.status == "open", {**free, **own})


def _new_task(item: calls.CallItem, resolution: Resolution) -> tasks.Task:
    """The task of a call. Its id comes from the call's, so that there is one however often this is done."""
    contact = resolution.contact
    return tasks.task_from_template(
        resolution.attach.task,
        task_id=digest("task", item.tenant_id, item.key.digest),
        contact=(contact.id, contact.name) if contact else None,
        number=resolution.number or "",
        call_id=calls.public_id(item.integration_id, item.key),
        created_at=iso(now()),
    )
