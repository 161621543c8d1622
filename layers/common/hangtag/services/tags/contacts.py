"""The contact of a number that nobody has: made once, whoever asks first."""

from dataclasses import replace

from hangtag.crm import lookup
from hangtag.crm.lookup import FoundContact
from hangtag.domain.calls.classify import classify
from hangtag.domain.calls.fold import Call
from hangtag.domain.tags import Person
from hangtag.services.tags.snapshot import PartySnapshot
from hangtag.store.office import contacts, employees


def with_contact(tenant_id: str, origin: str, call: Call, resolution: PartySnapshot, *, over: bool) -> PartySnapshot:
    """The resolution with a new contact, if the tenant wants one for this call and there is none.

    `origin` is the digest of the call's key, `over` whether the call is. Raises botocore's errors.
    """
    if not resolution.fillable or resolution.number is None or not _wanted(call, resolution.unknown.create):
        return resolution
    supervisor = resolution.first_person(call)
    known = supervisor.id if supervisor and over else None
    # None at once where there is no CRM outside, and soon where it does not answer.
    outside = lookup.find_contact(tenant_id, resolution.number)
    made = contacts.create_unknown(
        tenant_id,
        resolution.number,
        name=outside.name if outside else resolution.unknown.name.replace("{number}", resolution.number),
        supervisor_id=_named(tenant_id, outside) or resolution.unknown.supervisor_id or known,
        origin=origin,
        external_id=outside.external_id if outside else None,
    )
    return replace(resolution, contact=Person(made.id, made.name), supervisor_id=made.supervisor_id)


def _named(tenant_id: str, outside: FoundContact | None) -> str | None:
    """The employee whom the CRM outside names as responsible, by id or e-mail; None if it is nobody here."""
    said = outside.supervisor_external if outside else None
    if said is None:
        return None
    everybody = employees.all_employees(tenant_id)
    return next((one.id for one in everybody if said == one.id or _same_address(said, one.email)), None)


def _same_address(said: str, email: str | None) -> bool:
    return email is not None and said.casefold() == email.casefold()


def with_supervisor(tenant_id: str, origin: str, call: Call, resolution: PartySnapshot) -> PartySnapshot:
    """Give the contact that this call made while it rang its supervisor: who answered, else who was rung first."""
    person = resolution.first_person(call)
    if resolution.contact is None or resolution.supervisor_id is not None or person is None:
        return resolution
    given = contacts.set_supervisor_if_unset(tenant_id, resolution.contact.id, person.id, origin)
    return replace(resolution, supervisor_id=person.id) if given else resolution


def may_be_met(call: Call, resolution: PartySnapshot) -> bool:
    """Whether a call that rings is one that will leave a tag, as far as can be told now."""
    rung = any(extension in resolution.mapped for extension in call.extensions)
    verdict = classify(call, mapped=resolution.mapped, external_is_employee=resolution.external_is_employee)
    return rung and verdict.skip is None


def _wanted(call: Call, create: str) -> bool:
    """By the tenant's setting; an answered call is one that somebody talked in."""
    if create == "answered_only":
        return call.answered_by is not None and call.outcome in (None, "success")
    return create == "always"
