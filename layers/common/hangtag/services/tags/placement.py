"""Facts about the place of a tag: the contact's tasks here and in an external CRM."""

from collections.abc import Iterator
from dataclasses import replace

from hangtag.crm import lookup
from hangtag.domain.calls.classify import TagType
from hangtag.domain.tags import TaskFacts
from hangtag.domain.tags.conditions import facts_of
from hangtag.domain.tags.plan import PlacementFacts, TagFacts, stays
from hangtag.errors import NotFoundError
from hangtag.services.tags.snapshot import PartySnapshot
from hangtag.store.calls import items as calls
from hangtag.store.crm import config as crm
from hangtag.store.db.clock import iso, now
from hangtag.store.db.keys import digest
from hangtag.store.office import contacts, tasks

__all__ = ["new_task", "outside_task", "with_placement"]


def with_placement(item: calls.CallItem, facts: TagFacts) -> TagFacts:
    """Add the facts that the place of the tag depends on. Reads only what the rule needs.

    Raises botocore's errors.
    """
    placement = PlacementFacts(from_task=item.from_task, new_task_id=_task_id(item))
    facts = replace(facts, placement=placement)
    if stays(facts):
        return facts
    exists = item.from_task is not None and tasks.exists(item.tenant_id, item.from_task)
    placement = replace(placement, from_task_exists=exists)
    contact = facts.parties.contact
    if contact is not None and not exists and facts.verdict.tag is TagType.CALL and facts.rule.needs_tasks:
        matches = (task for task in _tasks_of(item.tenant_id, contact.id) if facts.rule.accepts(task))
        placement = replace(placement, task=next(matches, None))
    return replace(facts, placement=placement)


def _tasks_of(tenant_id: str, contact_id: str) -> Iterator[TaskFacts]:
    for task in tasks.of_contact(tenant_id, contact_id):
        facts = facts_of(task.title, task.status, task.assignee_id, task.fields)
        yield TaskFacts(task.id, task.status == "open", facts)


def outside_task(item: calls.CallItem, snapshot: PartySnapshot) -> tasks.Task | None:
    """Return the contact's last task in the external CRM as a new task; None if it has none or does not respond.

    The id is derived from the CRM's own, so all calls of that task share one task here.
    """
    if snapshot.contact is None or crm.load(item.tenant_id) is None:
        return None
    try:
        contact = contacts.get_contact(item.tenant_id, snapshot.contact.id)
    except NotFoundError:
        return None
    if contact.external_id is None:
        return None
    rule = snapshot.attach
    conditions = rule.conditions if rule.to == "last_task_matching" else ()
    task = lookup.last_task(item.tenant_id, contact.external_id, conditions, rule.logic if conditions else None)
    if task is None:
        return None
    return tasks.Task(
        id=digest("external task", item.tenant_id, task.external_id),
        title=task.title,
        contact_ids=(contact.id,),
        created_at=iso(now()),
        external_id=task.external_id,
    )


def new_task(item: calls.CallItem, snapshot: PartySnapshot) -> tasks.Task:
    """Return the task of a call from the tenant's template. Its id is derived from the call's, so repeats are safe."""
    contact = snapshot.contact
    return tasks.task_from_template(
        snapshot.attach.task,
        task_id=_task_id(item),
        contact=(contact.id, contact.name) if contact else None,
        number=snapshot.number or "",
        call_id=item.public_id,
        created_at=iso(now()),
    )


def _task_id(item: calls.CallItem) -> str:
    return digest("task", item.tenant_id, item.key.digest)
