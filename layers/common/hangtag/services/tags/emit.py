"""Emission: a closed call gets its tag once; a call that changed since gets the same tag's next revision.

Three steps: `load_facts` reads everything, `plan_tag` decides (pure), `_write` stores the tag and what belongs to it in
one transaction.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hangtag import representation
from hangtag.domain.calls.fold import Call
from hangtag.domain.tags.plan import TagPlan, TaskWrite, plan_tag
from hangtag.errors import NotFoundError
from hangtag.representation import Names
from hangtag.runtime import logger
from hangtag.services.calls.view import call_view
from hangtag.services.tags import missed_calls
from hangtag.services.tags.facts import EmissionFacts, load_facts
from hangtag.services.tags.match_click import with_click
from hangtag.services.tags.placement import new_task
from hangtag.services.tags.snapshot import from_json, to_json
from hangtag.store.calls import items as calls
from hangtag.store.calls import tags
from hangtag.store.crm import outbox
from hangtag.store.db.clock import now
from hangtag.store.integrations import unmapped_extensions
from hangtag.store.office import contacts, tasks

# A round is lost only to an event that arrived in between, or to another emission of the same call.
MAX_ROUNDS = 5

Writes = tuple[Mapping[str, Any], ...]


class EmissionContestedError(Exception):
    """Too many concurrent changes of the call while its tag was written. The platform retries."""


def emit(key: calls.CallKey, *, first: bool, fill: bool = False) -> str:
    """Bring a call's tag up to date. Return "gone", "open", "tagged" or "skipped".

    `first`: called by the call's execution, which ends afterwards; if the call rings again meanwhile, another execution
    has to wait for it. `fill`: look up again a contact that was not known. Raises botocore's errors and
    EmissionContestedError.
    """
    for _ in range(MAX_ROUNDS):
        item = calls.read(key)
        if item is None:
            return "gone"
        call = item.fold()
        if not call.closed:
            if first and not calls.raise_attempt(item, datetime.now(UTC)):
                # An event arrived in between. If it closed the call, no other execution waits for it.
                continue
            return "open"
        try:
            outcome = _emit(item, call, fill=fill)
        except NotFoundError:
            # The tenant was erased during the call.
            return "gone"
        if outcome is not None:
            logger.info("tag.written", extra={"tenant": item.tenant_id, "tag": key.digest, "outcome": outcome})
            return outcome
        # A contact can have been created in between.
        fill = True
    raise EmissionContestedError(key.digest)


def _emit(item: calls.CallItem, call: Call, *, fill: bool) -> str | None:
    """Run one round. Return None if another process won it."""
    item = with_click(item, call)
    stored = tags.load(item.tenant_id, item.key.digest)
    if stored is None or _is_outdated(item, call, stored, fill=fill):
        facts = load_facts(item, call, stored, fill=fill)
        emission = _write(facts, plan_tag(call, facts.tag))
        if emission is None:
            return None
    else:
        emission = stored
    _finish(item, call, emission)
    if not calls.mark_emitted(item, call.digest(), call_view(item, call, emission)):
        return None
    return "skipped" if emission.tag is None else "tagged"


def _is_outdated(item: calls.CallItem, call: Call, stored: tags.Emission, *, fill: bool) -> bool:
    """Return True if the call changed, its contact can be known now, or another task was chosen for it."""
    if stored.record != call.digest() or (fill and stored.awaits):
        return True
    task_id = stored.tag["task_id"] if stored.tag else item.from_task
    return item.from_task not in (None, task_id) and tasks.exists(item.tenant_id, item.from_task or "")


def _write(facts: EmissionFacts, plan: TagPlan) -> tags.Emission | None:
    """Write a revision and what belongs to it in one transaction. Return None if the round is lost."""
    emission = _emission(facts, plan)
    if plan.tag is not None and plan.returns_missed_calls:
        missed_calls.note_talk(facts.item, plan.tag, facts.snapshot)
    writes = (*_task_writes(facts, plan), *missed_calls.writes(facts, plan), *_copies(facts, emission))
    if not tags.write(emission, replacing=facts.stored, more=writes):
        return None
    if emission.awaits and contacts.find_by_number(emission.tenant_id, emission.awaits) is not None:
        # A contact that got this number a moment ago looked for tags without it before this one existed.
        return None
    return emission


def _emission(facts: EmissionFacts, plan: TagPlan) -> tags.Emission:
    item, call, stored = facts.item, facts.call, facts.stored
    snapshot = replace(facts.snapshot, placed=plan.placed, notified=facts.snapshot.notified or plan.notify)
    person = snapshot.person_of(call.answered_by)
    people = snapshot.people_of(call)
    revision = stored.revision + 1 if stored else 1
    view = None
    if plan.tag is not None:
        view = tags.tag_view(
            plan.tag, tag_id=item.key.digest, call_id=item.public_id, revision=revision, employee_ids=people
        )
    return tags.Emission(
        tenant_id=item.tenant_id,
        id=item.key.digest,
        call=item.key,
        revision=revision,
        record=call.digest(),
        resolution=to_json(snapshot),
        skip=facts.tag.verdict.skip,
        tag=view,
        employee_id=person.id if person else None,
        contact_id=snapshot.contact.id if snapshot.contact else None,
        employee_ids=people,
        awaits=plan.awaits,
    )


def _task_writes(facts: EmissionFacts, plan: TagPlan) -> Writes:
    """Return the writes of the task that is created with the tag."""
    tenant_id = facts.item.tenant_id
    if plan.task is TaskWrite.FROM_TEMPLATE:
        return tuple(tasks.puts(tenant_id, new_task(facts.item, facts.snapshot)))
    if plan.task is TaskWrite.FROM_OUTSIDE and facts.outside_task is not None and facts.outside_task_is_new:
        return tuple(tasks.puts(tenant_id, facts.outside_task))
    return ()


def _copies(facts: EmissionFacts, emission: tags.Emission) -> Writes:
    """Return the writes of the task's own list of tags and of the message to an external CRM."""
    before = facts.stored.tag if facts.stored else None
    on_tasks = tasks.tag_puts(emission.tenant_id, emission.tag, before)
    if emission.tag is None and before is None:
        return tuple(on_tasks)
    if emission.tag is None:
        payload: dict[str, Any] = {"tag": None, "removed": emission.id}
    else:
        recording = facts.call.recording
        link = {"url": recording.url, "temporary": recording.temporary} if recording else None
        payload = {"tag": representation.tag(emission.tag, _names(emission)), "recording": link}
    message = outbox.puts(emission.tenant_id, "tag", emission.id, emission.revision, payload, now())
    return (*on_tasks, *message)


def _names(emission: tags.Emission) -> Names:
    """Return the names of the snapshot, so that a message to a CRM costs no read for them."""
    snapshot = emission.resolution
    people = [person for person in (*snapshot["employees"].values(), snapshot["contact"]) if person]
    names = {person["id"]: person["name"] for person in people}
    return Names(country="", contacts=names, employees=names, partial=True)


def _finish(item: calls.CallItem, call: Call, emission: tags.Emission) -> None:
    """Run the follow-up work of a written tag. It runs again if the function crashes; repeats are safe."""
    snapshot = from_json(emission.resolution)
    if emission.tag is not None:
        missed_calls.after_tag(item.tenant_id, emission.tag, snapshot)
    unmapped = frozenset(call.extensions) - snapshot.mapped
    if emission.revision == 1 and unmapped:
        unmapped_extensions.count_call(item.tenant_id, item.integration_id, unmapped, item.key.digest)
