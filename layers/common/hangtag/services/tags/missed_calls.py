"""Missed-call queue: emission adds missed calls, and marks them as returned after a call with the number."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any

from hangtag.domain.calls.classify import TagType
from hangtag.domain.calls.event import Direction
from hangtag.domain.tags import Tag
from hangtag.domain.tags.plan import TagPlan
from hangtag.representation import Names, line_number
from hangtag.services.tags import notifications
from hangtag.services.tags.facts import EmissionFacts
from hangtag.services.tags.snapshot import PartySnapshot
from hangtag.store.calls import items as calls
from hangtag.store.calls import missed_calls
from hangtag.store.calls.missed_calls import MissedCall, Talk
from hangtag.store.office.tenants import get_tenant

Writes = tuple[Mapping[str, Any], ...]


def at_of(tag: Tag) -> str:
    """Return the time of a tag's call, as text that sorts by time."""
    return tag.at.astimezone(UTC).isoformat(timespec="seconds")


def writes(facts: EmissionFacts, plan: TagPlan) -> Writes:
    """Return the writes that keep the queue equal to the plan, and the notifications of a new missed call."""
    tenant_id, before = facts.item.tenant_id, facts.missed
    if plan.tag is None or not plan.is_queued:
        return tuple(missed_calls.deletes(tenant_id, before)) if before else ()
    missed = _missed(facts, plan.tag)
    puts = tuple(missed_calls.puts(tenant_id, missed, before))
    if not plan.notify:
        return puts
    return (*puts, *notifications.puts(tenant_id, missed, facts.snapshot.notices, _names(facts)))


def _names(facts: EmissionFacts) -> Names:
    """Return the names of the snapshot, so that a message to a CRM costs no read for them."""
    snapshot, line = facts.snapshot, facts.call.line
    people = [person for person in (*snapshot.employees.values(), snapshot.contact) if person]
    names = {person.id: person.name for person in people}
    country = get_tenant(facts.item.tenant_id).country
    is_named = line is not None and snapshot.line_name is not None
    lines = {line_number(line or "", country): (snapshot.line_name or "", None)} if is_named else {}
    return Names(country=country, contacts=names, employees=names, lines=lines, partial=True)


def _missed(facts: EmissionFacts, tag: Tag) -> MissedCall:
    item, call, snapshot = facts.item, facts.call, facts.snapshot
    rung = snapshot.people_of(call)
    if facts.missed is not None:
        return replace(facts.missed, at=at_of(tag), line=call.line, contact_id=tag.contact_id, rung=rung)
    return MissedCall(
        id=item.key.digest,
        call_id=item.public_id,
        at=at_of(tag),
        number=snapshot.e164,
        line=call.line,
        contact_id=tag.contact_id,
        rung=rung,
        recipients=notifications.recipients(snapshot.notices, facts.supervisors, rung),
    )


def note_talk(item: calls.CallItem, tag: Tag, snapshot: PartySnapshot) -> None:
    """Record a conversation with the number before the tag is written.

    A missed call of the number that is queued at the same time either reads this record, or `after_tag` finds it.
    """
    missed_calls.add_talk(item.tenant_id, snapshot.e164, item.public_id, at_of(tag))


def after_tag(tenant_id: str, tag: Mapping[str, Any], snapshot: PartySnapshot) -> None:
    """Mark missed calls as returned, by the call of this tag or by an earlier conversation. Repeats are safe.

    `tag` is the tag's JSON.
    """
    number = snapshot.e164
    if not number:
        return
    if tag["type"] == TagType.CALL:
        missed_calls.mark_returned(tenant_id, number, Talk(tag["call_id"], tag["at"]))
        return
    talk = missed_calls.first_talk(tenant_id, number, tag["at"]) if tag["direction"] == Direction.IN else None
    if talk is not None:
        missed_calls.mark_returned(tenant_id, number, talk)
