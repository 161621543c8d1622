"""The queue of missed calls, as emission keeps it: what is missed joins it, what was talked about leaves it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any

from hangtag.domain.calls.classify import TagType
from hangtag.domain.calls.event import Direction
from hangtag.domain.calls.fold import Call
from hangtag.domain.tags import Tag
from hangtag.representation import Names, line_number
from hangtag.services.tags import notifications
from hangtag.services.tags.snapshot import PartySnapshot
from hangtag.store.calls import items as calls
from hangtag.store.calls import missed_calls, tags
from hangtag.store.calls.missed_calls import MissedCall, Talk
from hangtag.store.office import groups
from hangtag.store.office.tenants import get_tenant

Writes = tuple[Mapping[str, Any], ...]


def number_of(resolution: PartySnapshot) -> str:
    """Under which number a missed call is kept: E.164, or "" where it can't be read."""
    return resolution.number if resolution.readable and resolution.number else ""


def at_of(tag: Tag) -> str:
    """When the call of a tag was, as text that sorts by time."""
    return tag.at.astimezone(UTC).isoformat(timespec="seconds")


def queue(
    item: calls.CallItem, call: Call, tag: Tag | None, resolution: PartySnapshot, kept: tags.Emission | None
) -> tuple[PartySnapshot, Writes]:
    """What has to be written with a tag, so that the queue is right. Raises botocore's errors.

    The resolution says afterwards that those who want to know were told: once for each call.
    """
    tenant_id, missed_id = item.tenant_id, item.key.digest
    before = missed_calls.load(tenant_id, number_of(resolution), missed_id) if kept else None
    if tag is None or tag.type is not TagType.MISSED_CALL or tag.direction is not Direction.IN:
        return resolution, missed_calls.deletes(tenant_id, before) if before else ()
    missed = _missed(item, call, tag, resolution, before)
    writes = missed_calls.puts(tenant_id, missed, before)
    if resolution.told:
        return resolution, writes
    told = tuple(notifications.puts(tenant_id, missed, resolution.notices, _names(tenant_id, call, resolution)))
    return replace(resolution, told=True), (*writes, *told)


def _names(tenant_id: str, call: Call, resolution: PartySnapshot) -> Names:
    """Return the names that were frozen with the tag; a message to a CRM costs no read for them."""
    people = [person for person in (*resolution.employees.values(), resolution.contact) if person]
    known = {person.id: person.name for person in people}
    country = get_tenant(tenant_id).country
    named = call.line is not None and resolution.line_name is not None
    lines = {line_number(call.line or "", country): (resolution.line_name or "", None)} if named else {}
    return Names(country=country, contacts=known, employees=known, lines=lines, partial=True)


def _missed(
    item: calls.CallItem, call: Call, tag: Tag, resolution: PartySnapshot, before: MissedCall | None
) -> MissedCall:
    rung = resolution.people_of(call)
    if before is not None:
        return replace(before, at=at_of(tag), line=call.line, contact_id=tag.contact_id, rung=rung)
    supervisors = groups.members(item.tenant_id, resolution.supervisor_id) if resolution.supervisor_id else ()
    return MissedCall(
        id=item.key.digest,
        call_id=item.public_id,
        at=at_of(tag),
        number=number_of(resolution),
        line=call.line,
        contact_id=tag.contact_id,
        rung=rung,
        recipients=notifications.recipients(resolution.notices, supervisors, rung),
    )


def before_tag(item: calls.CallItem, tag: Tag | None, resolution: PartySnapshot) -> None:
    """Say that somebody talked to the number, before the tag is written.

    A missed call of that number, put on the queue meanwhile, either sees this or is seen by `after_tag`.
    """
    number = number_of(resolution)
    if tag is not None and tag.type is TagType.CALL and number:
        missed_calls.note_talk(item.tenant_id, number, item.public_id, at_of(tag))


def after_tag(tenant_id: str, tag: Mapping[str, Any], resolution: PartySnapshot) -> None:
    """Mark what was returned: by the call of this tag, or by one that was heard of before. May be repeated.

    `tag` is its JSON.
    """
    number = number_of(resolution)
    if not number:
        return
    if tag["type"] == TagType.CALL:
        missed_calls.return_all(tenant_id, number, Talk(tag["call_id"], tag["at"]))
        return
    talk = missed_calls.first_talk(tenant_id, number, tag["at"]) if tag["direction"] == Direction.IN else None
    if talk is not None:
        missed_calls.return_all(tenant_id, number, talk)
