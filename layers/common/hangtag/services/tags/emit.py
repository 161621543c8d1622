"""Step 3: a closed call gets its tag, once; a call that changed since gets the same tag's next revision."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hangtag import representation
from hangtag.domain.calls.classify import Verdict, classify
from hangtag.domain.calls.fold import Call
from hangtag.domain.tags import Attachment, Setting, Tag, build_tag
from hangtag.errors import NotFoundError
from hangtag.observability import logger
from hangtag.representation import Names
from hangtag.services.calls.view import call_view
from hangtag.services.tags import missed_calls
from hangtag.services.tags.contacts import with_contact, with_supervisor
from hangtag.services.tags.match_click import joined, pick_up
from hangtag.services.tags.placement import Placement, place
from hangtag.services.tags.snapshot import PartySnapshot, from_json, resolve, to_json
from hangtag.store.calls import items as calls
from hangtag.store.calls import tags
from hangtag.store.crm import outbox
from hangtag.store.db.clock import now
from hangtag.store.integrations import unmapped_extensions
from hangtag.store.office import contacts, tasks

# Each round is lost only to an event that came in between, or to another emission of the same call.
MAX_ROUNDS = 5


class EmissionContestedError(Exception):
    """Others kept changing the call while its tag was written; the platform tries again."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One revision as it is about to be written, with what is written beside it."""

    emission: tags.Emission
    tag: Tag | None
    resolution: PartySnapshot
    writes: tuple[Mapping[str, Any], ...] = ()


def emit(key: calls.CallKey, *, first: bool, fill: bool = False) -> str:
    """Bring a call's tag up to date. Returns what was done: gone, open, tagged or skipped.

    `first`: called by the call's execution, which ends after this. If the call rings again meanwhile, another
    execution has to wait for it. `fill`: a contact that was not known may be there now. Raises botocore's errors, and
    EmissionContestedError.
    """
    for _ in range(MAX_ROUNDS):
        item = calls.read(key)
        if item is None:
            return "gone"
        call = item.fold()
        if not call.closed:
            if first and not calls.raise_attempt(item, datetime.now(UTC)):
                # An event came in between: perhaps the call is over now, and nobody else waits for that.
                continue
            return "open"
        try:
            done = _emit(item, call, fill=fill)
        except NotFoundError:
            # The tenant was erased while its call was on.
            return "gone"
        if done is not None:
            logger.info("emitted", extra={"tenant": item.tenant_id, "tag": key.digest, "done": done})
            return done
        # A contact may have come in between.
        fill = True
    raise EmissionContestedError(key.digest)


def _emit(item: calls.CallItem, call: Call, *, fill: bool) -> str | None:
    """One round; None if it was lost."""
    record = call.digest()
    item = joined(item, call)
    kept = tags.load(item.tenant_id, item.key.digest)
    if kept is None or kept.record != record or (fill and kept.awaits) or _is_elsewhere(item, kept):
        draft = compose(item, call, kept, fill=fill)
        missed_calls.before_tag(item, draft.tag, draft.resolution)
        if not tags.write(draft.emission, replacing=kept, more=draft.writes):
            return None
        emission = draft.emission
        if emission.awaits and contacts.find_by_number(item.tenant_id, emission.awaits) is not None:
            # Who gave the contact its number may have looked for tags that lack it before this one was there.
            return None
    else:
        emission = kept
    _finish(item, call, emission)
    view = call_view(item, call, emission)
    if not calls.mark_emitted(item, record, view):
        return None
    return "skipped" if emission.tag is None else "tagged"


def _is_elsewhere(item: calls.CallItem, kept: tags.Emission) -> bool:
    """Whether the tag stands elsewhere than on the task that somebody chose for the call since."""
    on = kept.tag["task_id"] if kept.tag else item.from_task
    return item.from_task not in (None, on) and tasks.exists(item.tenant_id, item.from_task or "")


def compose(item: calls.CallItem, call: Call, kept: tags.Emission | None, *, fill: bool = False) -> Draft:
    """The next revision of a call's tag, or of there being none; may make the contact of an unknown caller."""
    frozen = from_json(kept.resolution) if kept else None
    resolution = resolve(item.tenant_id, item.integration_id, call, frozen, fill=fill)
    verdict = classify(
        call,
        mapped=resolution.mapped,
        external_is_employee=resolution.external_is_employee,
        clicked=pick_up(item),
    )
    if verdict.tag is None:
        return _draft(item, call, kept, verdict, resolution, None)
    resolution = with_contact(item.tenant_id, item.key.digest, call, resolution, over=True)
    if item.met is not None and item.met.made:
        resolution = with_supervisor(item.tenant_id, item.key.digest, call, resolution)
    return _draft(item, call, kept, verdict, resolution, place(item, verdict, resolution))


def _draft(
    item: calls.CallItem,
    call: Call,
    kept: tags.Emission | None,
    verdict: Verdict,
    resolution: PartySnapshot,
    placement: Placement | None,
) -> Draft:
    tag = None
    writes: tuple[Mapping[str, Any], ...] = ()
    if placement is not None:
        resolution = placement.resolution
        tag = _tag(call, verdict, resolution, placement.attachment)
        writes = placement.writes
    resolution, queued = missed_calls.queue(item, call, tag, resolution, kept)
    person = resolution.person_of(call.answered_by)
    revision = kept.revision + 1 if kept else 1
    people = resolution.people_of(call)
    shown = None
    if tag is not None:
        shown = tags.tag_view(
            tag, tag_id=item.key.digest, call_id=item.public_id, revision=revision, employee_ids=people
        )
    emission = tags.Emission(
        tenant_id=item.tenant_id,
        id=item.key.digest,
        call=item.key,
        revision=revision,
        record=call.digest(),
        resolution=to_json(resolution),
        skip=verdict.skip,
        tag=shown,
        employee_id=person.id if person else None,
        contact_id=resolution.contact.id if resolution.contact else None,
        employee_ids=people,
        awaits=resolution.number if tag and resolution.fillable else None,
    )
    return Draft(emission, tag, resolution, (*writes, *queued, *_told(emission, call, kept)))


def _told(emission: tags.Emission, call: Call, kept: tags.Emission | None) -> tuple[Mapping[str, Any], ...]:
    """What the task's own list and an outside CRM learn of a revision."""
    before = kept.tag if kept else None
    on_tasks = tasks.tag_puts(emission.tenant_id, emission.tag, before)
    if emission.tag is None and before is None:
        return tuple(on_tasks)
    if emission.tag is None:
        said: dict[str, Any] = {"tag": None, "removed": emission.id}
    else:
        recording = call.recording
        link = {"url": recording.url, "temporary": recording.temporary} if recording else None
        said = {"tag": representation.tag(emission.tag, _names(emission)), "recording": link}
    told = outbox.puts(emission.tenant_id, "tag", emission.id, emission.revision, said, now())
    return (*on_tasks, *told)


def _names(emission: tags.Emission) -> Names:
    """Return the names that were frozen with the tag; a message to a CRM costs no read for them."""
    frozen = emission.resolution
    people = [person for person in (*frozen["employees"].values(), frozen["contact"]) if person]
    known = {person["id"]: person["name"] for person in people}
    return Names(country="", contacts=known, employees=known, partial=True)


def _tag(call: Call, verdict: Verdict, resolution: PartySnapshot, attachment: Attachment) -> Tag:
    setting = Setting(
        employee=resolution.person_of(call.answered_by),
        contact=resolution.contact,
        number=resolution.number,
        line_name=resolution.line_name,
        time_zone=resolution.time_zone,
        definition=resolution.definition(verdict.tag) if verdict.tag else None,
    )
    return build_tag(call, verdict, setting, attachment)


def _finish(item: calls.CallItem, call: Call, emission: tags.Emission) -> None:
    """What follows from a tag that is written. May be repeated: it is, when a function dies on the way."""
    resolution = from_json(emission.resolution)
    if emission.tag is not None:
        missed_calls.after_tag(item.tenant_id, emission.tag, resolution)
    unmapped = frozenset(call.extensions) - resolution.mapped
    if emission.revision == 1 and unmapped:
        unmapped_extensions.note(item.tenant_id, item.integration_id, unmapped, item.key.digest)
