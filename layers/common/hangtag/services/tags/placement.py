"""Where a tag goes, by the tenant's rule and the contact's tasks; a new task is written with the tag or not at all."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hangtag.crm import lookup
from hangtag.domain.calls.classify import TagType, Verdict
from hangtag.domain.tags import Attachment, TaskFacts, Why, attach
from hangtag.domain.tags.conditions import facts_of
from hangtag.errors import NotFoundError
from hangtag.services.tags.snapshot import PartySnapshot, PlacedParties, attach_rule
from hangtag.store.calls import items as calls
from hangtag.store.crm import config as crm
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import digest
from hangtag.store.office import contacts, tasks

Write = Mapping[str, Any]
# The contact has no such task here; a CRM outside may have one.
_NONE_HERE = (Why.NO_ACTIVE_TASK, Why.NO_MATCHING_TASK)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a tag goes, the resolution that remembers it, and what has to be written with it."""

    attachment: Attachment
    resolution: PartySnapshot
    writes: tuple[Write, ...] = ()


def place(item: calls.CallItem, verdict: Verdict, resolution: PartySnapshot) -> Placement:
    """Where the tag of a call goes. A Call stays where it was put first, unless a task was chosen for it since.

    Raises botocore's errors.
    """
    contact_id = resolution.contact.id if resolution.contact else None
    placed = resolution.placed
    chosen = item.from_task not in (None, placed.task_id if placed else None)
    if verdict.tag is TagType.CALL and placed is not None and not chosen:
        return Placement(Attachment(contact_id, placed.task_id, placed.hidden), resolution)
    attachment = choose(item, verdict, resolution)
    writes: tuple[Write, ...] = ()
    task = _outside_task(item, resolution) if attachment.why in _NONE_HERE else None
    if task is not None:
        attachment = replace(attachment, task_id=task.id, new_task=False)
        writes = () if tasks.exists(item.tenant_id, task.id) else tuple(tasks.puts(item.tenant_id, task))
    elif attachment.new_task:
        task = _new_task(item, resolution)
        attachment = replace(attachment, task_id=task.id)
        writes = tuple(tasks.puts(item.tenant_id, task))
    if verdict.tag is TagType.CALL:
        resolution = replace(resolution, placed=PlacedParties(attachment.task_id, attachment.hidden))
    return Placement(attachment, resolution, writes)


def choose(item: calls.CallItem, verdict: Verdict, resolution: PartySnapshot) -> Attachment:
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
    for task in tasks.of_contact(tenant_id, contact_id):
        facts = facts_of(task.title, task.status, task.assignee_id, task.fields)
        yield TaskFacts(task.id, task.status == "open", facts)


def _outside_task(item: calls.CallItem, resolution: PartySnapshot) -> tasks.Task | None:
    """The last task that the CRM outside has of the contact, as one of ours; None if there is none, or in doubt.

    Its id comes from that CRM's, so that it is one task here however many calls go to it.
    """
    if resolution.contact is None or crm.load(item.tenant_id) is None:
        return None
    try:
        contact = contacts.get_contact(item.tenant_id, resolution.contact.id)
    except NotFoundError:
        return None
    if contact.external_id is None:
        return None
    rule = resolution.attach
    conditions = rule.conditions if rule.to == "last_task_matching" else ()
    found = lookup.last_task(item.tenant_id, contact.external_id, conditions, rule.logic if conditions else None)
    if found is None:
        return None
    return tasks.Task(
        id=digest("external task", item.tenant_id, found.external_id),
        title=found.title,
        contact_ids=(contact.id,),
        created_at=iso(now()),
        external_id=found.external_id,
    )


def _new_task(item: calls.CallItem, resolution: PartySnapshot) -> tasks.Task:
    """The task of a call. Its id comes from the call's, so that there is one however often this is done."""
    contact = resolution.contact
    return tasks.task_from_template(
        resolution.attach.task,
        task_id=digest("task", item.tenant_id, item.key.digest),
        contact=(contact.id, contact.name) if contact else None,
        number=resolution.number or "",
        call_id=item.public_id,
        created_at=iso(now()),
    )
