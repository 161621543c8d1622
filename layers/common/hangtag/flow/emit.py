"""Step 3: a closed call gets its tag, once; a call that changed since gets the same tag's next revision."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hangtag.calls import Call, Outcome, Verdict, classify
from hangtag.errors import NotFoundError
from hangtag.flow.resolution import Resolution, from_json, resolve, to_json
from hangtag.flow.view import call_view
from hangtag.observability import logger
from hangtag.store import calls, contacts, tags
from hangtag.tags import Person, Setting, attach, build_tag

# Each round is lost only to an event that came in between, or to another emission of the same call.
MAX_ROUNDS = 5


class EmissionContestedError(Exception):
    """Others kept changing the call while its tag was written; the platform tries again."""


def emit(table: str, key: calls.CallKey, *, first: bool) -> str:
    """Bring a call's tag up to date. Returns what was done: gone, open, tagged or skipped.

    `first`: called by the call's execution, which ends after this. If the call rings again meanwhile, another
    execution has to wait for it. Raises botocore's errors, and EmissionContestedError.
    """
    for _ in range(MAX_ROUNDS):
        item = calls.read(table, key)
        if item is None:
            return "gone"
        call = item.fold()
        if not call.closed:
            if first:
                calls.raise_attempt(table, item, datetime.now(UTC))
            return "open"
        try:
            done = _emit(table, item, call)
        except NotFoundError:
            # The tenant was erased while its call was on.
            return "gone"
        if done is not None:
            logger.info("emitted", extra={"tenant": item.tenant_id, "tag": key.digest, "done": done})
            return done
    raise EmissionContestedError(key.digest)


def _emit(table: str, item: calls.CallItem, call: Call) -> str | None:
    """One round; None if it was lost."""
    record = call.digest()
    kept = tags.load(table, item.tenant_id, item.key.digest)
    if kept is not None and kept.record == record:
        emission = kept
    else:
        new = _compose(item, call, kept)
        if not tags.write(table, new, replacing=kept):
            return None
        emission = new
    view = call_view(item, call, emission)
    if not calls.mark_emitted(table, item, record, view):
        return None
    return "skipped" if emission.tag is None else "tagged"


def _compose(item: calls.CallItem, call: Call, kept: tags.Emission | None) -> tags.Emission:
    frozen = from_json(kept.resolution) if kept else None
    resolution = resolve(item.tenant_id, item.integration_id, call, frozen)
    verdict = classify(
        call,
        mapped=resolution.mapped,
        external_is_employee=resolution.external_is_employee,
    )
    if verdict.tag is not None and resolution.contact is None:
        resolution = _with_new_contact(item, call, resolution)
    revision = kept.revision + 1 if kept else 1
    return tags.Emission(
        tenant_id=item.tenant_id,
        id=item.key.digest,
        call=item.key,
        revision=revision,
        record=call.digest(),
        resolution=to_json(resolution),
        skip=verdict.skip,
        tag=_tag(item, call, verdict, resolution, revision),
        employee_id=_employee_id(call, resolution),
        contact_id=resolution.contact.id if resolution.contact else None,
    )


def _tag(
    item: calls.CallItem, call: Call, verdict: Verdict, resolution: Resolution, revision: int
) -> dict[str, Any] | None:
    if verdict.tag is None:
        return None
    contact_id = resolution.contact.id if resolution.contact else None
    setting = Setting(
        employee=resolution.employees.get(call.answered_by or ""),
        contact=resolution.contact,
        number=resolution.number,
        line_name=resolution.line_name,
        time_zone=resolution.time_zone,
    )
    tag = build_tag(call, verdict, setting, attach(verdict.tag, resolution.attach, contact_id))
    call_id = calls.public_id(item.integration_id, item.key)
    return tags.tag_view(tag, tag_id=item.key.digest, call_id=call_id, revision=revision)


def _employee_id(call: Call, resolution: Resolution) -> str | None:
    person = resolution.employees.get(call.answered_by or "")
    return person.id if person else None


def _with_new_contact(item: calls.CallItem, call: Call, resolution: Resolution) -> Resolution:
    """Make the contact of an unknown caller, if the tenant wants one and the number can be read."""
    wanted = resolution.create_unknown == "always" or (
        resolution.create_unknown == "answered_only" and call.outcome is Outcome.SUCCESS
    )
    if not (wanted and resolution.readable and resolution.number):
        return resolution
    supervisor = _supervisor_id(call, resolution)
    made = contacts.create_unknown(item.tenant_id, resolution.number, supervisor_id=supervisor)
    return replace(resolution, contact=Person(made.id, made.name))


def _supervisor_id(call: Call, resolution: Resolution) -> str | None:
    """Who answered, else who was rung first."""
    for extension in (call.answered_by, *call.extensions):
        person = resolution.employees.get(extension or "")
        if person is not None:
            return person.id
    return None
