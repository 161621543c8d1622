"""Contacts of unknown callers: one for each number, even if several processes look it up at once."""

from dataclasses import replace

from hangtag.crm import lookup
from hangtag.crm.lookup import FoundContact
from hangtag.domain.calls.classify import classify
from hangtag.domain.calls.fold import Call
from hangtag.domain.tags import Person
from hangtag.services.tags.snapshot import PartySnapshot
from hangtag.store.office import contacts, employees


def with_contact(tenant_id: str, origin: str, call: Call, snapshot: PartySnapshot, *, over: bool) -> PartySnapshot:
    """Add a new contact to the snapshot if the tenant's rules create one for this call and it has none.

    `origin` is the digest of the call's key; `over`: the call has ended. Raises botocore's errors.
    """
    if not snapshot.fillable or snapshot.number is None or not _creates_contact(call, snapshot.unknown.create):
        return snapshot
    supervisor = snapshot.first_person(call)
    participant_id = supervisor.id if supervisor and over else None
    # Returns None at once without an external CRM, and within its time limit if the CRM does not respond.
    outside = lookup.find_contact(tenant_id, snapshot.number)
    contact = contacts.create_unknown(
        tenant_id,
        snapshot.number,
        name=outside.name if outside else snapshot.unknown.name.replace("{number}", snapshot.number),
        supervisor_id=_supervisor_in_crm(tenant_id, outside) or snapshot.unknown.supervisor_id or participant_id,
        origin=origin,
        external_id=outside.external_id if outside else None,
    )
    return replace(snapshot, contact=Person(contact.id, contact.name), supervisor_id=contact.supervisor_id)


def _supervisor_in_crm(tenant_id: str, outside: FoundContact | None) -> str | None:
    """Return the employee that the external CRM lists as supervisor, by id or e-mail; None if unknown here."""
    name = outside.supervisor_external if outside else None
    if name is None:
        return None
    everybody = employees.all_employees(tenant_id)
    return next((one.id for one in everybody if name == one.id or _is_email_of(name, one.email)), None)


def _is_email_of(name: str, email: str | None) -> bool:
    return email is not None and name.casefold() == email.casefold()


def with_supervisor(tenant_id: str, origin: str, call: Call, snapshot: PartySnapshot) -> PartySnapshot:
    """Set the supervisor of the contact that this call created while it rang.

    The supervisor is the employee who answered, or the first one who was rung.
    """
    person = snapshot.first_person(call)
    if snapshot.contact is None or snapshot.supervisor_id is not None or person is None:
        return snapshot
    changed = contacts.set_supervisor_if_unset(tenant_id, snapshot.contact.id, person.id, origin)
    return replace(snapshot, supervisor_id=person.id) if changed else snapshot


def will_be_tagged(call: Call, snapshot: PartySnapshot) -> bool:
    """Return True if a ringing call will have a tag, as far as its events show."""
    rung = any(extension in snapshot.mapped for extension in call.extensions)
    verdict = classify(call, mapped=snapshot.mapped, external_is_employee=snapshot.external_is_employee)
    return rung and verdict.skip is None


def _creates_contact(call: Call, create: str) -> bool:
    """Apply the tenant's setting. An answered call is one that an employee talked in."""
    if create == "answered_only":
        return call.answered_by is not None and call.outcome in (None, "success")
    return create == "always"
