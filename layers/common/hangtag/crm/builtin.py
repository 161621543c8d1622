"""Built-in CRM: contacts for the desk API and for calls, on top of the store."""

from collections.abc import Iterable, Mapping
from typing import Any

from hangtag.errors import BadInputError, FieldError
from hangtag.phone import normalise
from hangtag.store.office import contacts, groups, lines
from hangtag.store.office.contacts import Contact
from hangtag.store.office.phones import EnteredPhone, Phone, read_phones
from hangtag.store.office.tenants import get_tenant

__all__ = ["change_contact", "create_contact", "find_by_phone", "get_contact"]


def find_by_phone(tenant_id: str, phone: str) -> Contact | None:
    """Return the contact with exactly this number, in any format; None if unknown or invalid."""
    number = normalise(phone, get_tenant(tenant_id).country)
    return contacts.find_by_number(tenant_id, number.e164) if number else None


def get_contact(tenant_id: str, contact_id: str) -> Contact:
    """Return a contact. Raises NotFoundError."""
    return contacts.get_contact(tenant_id, contact_id)


def create_contact(
    tenant_id: str,
    name: str,
    phones: Iterable[EnteredPhone],
    supervisor_id: str | None,
    external_id: str | None = None,
) -> Contact:
    """Create a contact. Raises BadInputError (a number, the supervisor), ConflictError (the external id is taken)."""
    valid = _phones(tenant_id, phones)
    _check_supervisor(tenant_id, supervisor_id)
    return contacts.create_contact(tenant_id, name, valid, supervisor_id, external_id)


def change_contact(tenant_id: str, contact_id: str, changes: Mapping[str, Any]) -> Contact:
    """Change a contact; `phones` are numbers in any format. Raises like `create_contact`, and NotFoundError."""
    update = dict(changes)
    if "phones" in update:
        update["phones"] = _phones(tenant_id, update["phones"])
    _check_supervisor(tenant_id, update.get("supervisor_id"))
    return contacts.update_contact(tenant_id, contact_id, update)


def _phones(tenant_id: str, typed: Iterable[EnteredPhone]) -> tuple[Phone, ...]:
    """Parse the entered numbers. Raises BadInputError for an invalid number, and for one of the tenant's own lines."""
    read = read_phones(typed, get_tenant(tenant_id).country)
    own = lines.own_numbers(tenant_id, [phone.e164 for phone in read])
    faults = [
        FieldError(f"phones.{place}", "This number is one of your own lines.")
        for place, phone in enumerate(read)
        if phone.e164 in own
    ]
    if faults:
        raise BadInputError("A contact cannot have the number of an own line.", tuple(faults))
    return read


def _check_supervisor(tenant_id: str, supervisor_id: str | None) -> None:
    if supervisor_id is not None and not groups.is_supervisor(tenant_id, supervisor_id):
        field = FieldError("supervisor_id", "Unknown employee or group.")
        raise BadInputError("The supervisor must be one of your employees or groups.", (field,))
