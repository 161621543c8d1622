"""Facts of one emission: everything that the decision about a tag depends on, read before it is made."""

from dataclasses import dataclass, replace

from hangtag.domain.calls.classify import TagType, classify
from hangtag.domain.calls.event import Direction
from hangtag.domain.calls.fold import Call
from hangtag.domain.tags.plan import NO_TASK, TagFacts, choose, stays
from hangtag.services.tags.contacts import with_contact, with_supervisor
from hangtag.services.tags.match_click import pick_up
from hangtag.services.tags.placement import outside_task, with_placement
from hangtag.services.tags.snapshot import PartySnapshot, attach_rule, from_json, resolve
from hangtag.store.calls import items as calls
from hangtag.store.calls import missed_calls, tags
from hangtag.store.calls.missed_calls import MissedCall
from hangtag.store.office import groups, tasks

__all__ = ["EmissionFacts", "load_facts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmissionFacts:
    """Facts of one emission: `tag` is what the decision looks at, the rest is what the writes need.

    `stored` is the revision before, `missed` the entry of the missed-call queue before. `supervisors` are the employees
    responsible for the contact, read only for a new missed call.
    """

    item: calls.CallItem
    call: Call
    stored: tags.Emission | None
    snapshot: PartySnapshot
    tag: TagFacts
    outside_task: tasks.Task | None = None
    outside_task_is_new: bool = False
    missed: MissedCall | None = None
    supervisors: tuple[str, ...] = ()


def load_facts(item: calls.CallItem, call: Call, stored: tags.Emission | None, *, fill: bool = False) -> EmissionFacts:
    """Read the facts of a closed call's next revision. Creates the contact of an unknown caller by the tenant's rules.

    `fill`: look up again a contact that was not known. Raises NotFoundError for an erased tenant, and botocore's
    errors.
    """
    frozen = from_json(stored.resolution) if stored else None
    snapshot = resolve(item.tenant_id, item.integration_id, call, frozen, fill=fill)
    verdict = classify(
        call,
        mapped=snapshot.mapped,
        external_is_employee=snapshot.external_is_employee,
        pick_up=pick_up(item),
    )
    if verdict.tag is not None:
        snapshot = with_contact(item.tenant_id, item.key.digest, call, snapshot, over=True)
        if item.met is not None and item.met.is_new_contact:
            snapshot = with_supervisor(item.tenant_id, item.key.digest, call, snapshot)
    facts = EmissionFacts(
        item=item,
        call=call,
        stored=stored,
        snapshot=snapshot,
        tag=TagFacts(
            verdict=verdict,
            parties=snapshot,
            rule=attach_rule(snapshot.attach),
            placed=snapshot.placed,
            definitions=snapshot.definitions,
            time_zone=snapshot.time_zone,
            notified=snapshot.notified,
        ),
    )
    if verdict.tag is not None:
        facts = _with_outside_task(replace(facts, tag=with_placement(item, facts.tag)))
    return _with_missed_call(facts)


def _with_outside_task(facts: EmissionFacts) -> EmissionFacts:
    """Add the contact's task in an external CRM if no task here matches the rule."""
    has_no_match = facts.tag.rule.needs_tasks and facts.tag.placement.task is None
    if stays(facts.tag) or not has_no_match or choose(facts.tag).why not in NO_TASK:
        return facts
    task = outside_task(facts.item, facts.snapshot)
    if task is None:
        return facts
    placement = replace(facts.tag.placement, outside_task_id=task.id)
    return replace(
        facts,
        tag=replace(facts.tag, placement=placement),
        outside_task=task,
        outside_task_is_new=not tasks.exists(facts.item.tenant_id, task.id),
    )


def _with_missed_call(facts: EmissionFacts) -> EmissionFacts:
    """Add the stored missed call, and for a new one the employees responsible for the contact."""
    item, verdict = facts.item, facts.tag.verdict
    missed = None
    if facts.stored is not None:
        missed = missed_calls.load(item.tenant_id, facts.snapshot.e164, item.key.digest)
    facts = replace(facts, missed=missed)
    is_new = verdict.tag is TagType.MISSED_CALL and verdict.direction is Direction.IN and missed is None
    if not is_new or not facts.snapshot.supervisor_id:
        return facts
    return replace(facts, supervisors=tuple(groups.members(item.tenant_id, facts.snapshot.supervisor_id)))
