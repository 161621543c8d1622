"""The built-in CRM: contacts as the desk API and a call need them, over the store."""

from collections.abc import Iterable, Mapping
from typing import Any

from hangtag.errors import BadInputError, FieldError, FieldErrorCode
from hangtag.phone import normalise
from hangtag.store.office import contacts, groups, lines
from hangtag.store.office.contacts import Contact
from hangtag.store.office.phones import Phone, Typed, read_phones
from hangtag.store.office.tenants import get_tenant

__all__ = ["change_contact", "create_contact", "find_by_phone", "get_contact"]


def find_by_phone(tenant_id: str, phone: str) -> Contact | None:
    """The contact with exactly this number, written in any format; None if it can't be read."""
    number = normalise(phone, get_tenant(tenant_id).country)
    return contacts.find_by_number(tenant_id, number.e164) if number else None


def get_contact(tenant_id: str, contact_id: str) -> Contact:
    """Raises NotFoundError."""
    return contacts.get_contact(tenant_id, contact_id)


def create_contact(
    tenant_id: str,
    name: str,
    phones: Iterable[Typed],
    supervisor_id: str | None,
    external_id: str | None = None,
) -> Contact:
    """A new contact. Raises BadInputError (a number, the supervisor), ConflictError (the external id is taken)."""
    read = _phones(tenant_id, phones)
    _check_supervisor(tenant_id, supervisor_id)
    return contacts.create_contact(tenant_id, name, read, supervisor_id, external_id)


def change_contact(tenant_id: str, contact_id: str, changes: Mapping[str, Any]) -> Contact:
    """Change a contact; `phones` is what was typed. Raises as `create_contact` does, and NotFoundError."""
    wanted = dict(changes)
    if "phones" in wanted:
        wanted["phones"] = _phones(tenant_id, wanted["phones"])
    _check_supervisor(tenant_id, wanted.get("supervisor_id"))
    return contacts.update_contact(tenant_id, contact_id, wanted)


def _phones(tenant_id: str, typed: Iterable[Typed]) -> tuple[Phone, ...]:
    """Numbers as they were typed. Raises BadInputError for one that can't be read, or is the tenant's own line."""
    read = read_phones(typed, get_tenant(tenant_id).country)
    own = lines.own(tenant_id, [phone.e164 for phone in read])
    faults = [
        FieldError(f"phones.{place}", FieldErrorCode.OWN_LINE_NUMBER, "it is a line of yours")
        for place, phone in enumerate(read)
        if phone.e164 in own
    ]
    if faults:
        raise BadInputError("an own line is never a contact's number", tuple(faults))
    return read


def _check_supervisor(tenant_id: str, supervisor_id: str | None) -> None:
    if supervisor_id is not None and not groups.is_supervisor(tenant_id, supervisor_id):
        field = FieldError("supervisor_id", FieldErrorCode.UNKNOWN_EMPLOYEE, "there is no such employee or group")
        raise BadInputError("the supervisor is neither an employee nor a group of yours", (field,))
