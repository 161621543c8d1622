"""Built-in CRM: contacts with validated numbers and supervisors, for the API and for calls."""

from collections.abc import Iterable, Mapping
from typing import Any

from hangtag.errors import BadInputError, FieldError, FieldErrorCode
from hangtag.phone import normalise
from hangtag.store.office import contacts, groups, lines
from hangtag.store.office.contacts import Contact
from hangtag.store.office.phones import EnteredPhone, Phone, read_phones
from hangtag.store.office.tenants import get_tenant

__all__ = ["change_contact", "create_contact", "find_by_phone", "get_contact"]


def find_by_phone(tenant_id: str, phone: str) -> Contact | None:
    """Return the contact that calls with this number match. Raises BadInputError if the number cannot be read."""
    number = normalise(phone, get_tenant(tenant_id).country)
    if number is None:
        sentence = "The phone number cannot be read. Enter it with its country code, such as +12015550123."
        raise BadInputError(sentence, (FieldError("phone", FieldErrorCode.INVALID_PHONE, sentence),))
    return contacts.find_by_number(tenant_id, number.e164)


def get_contact(tenant_id: str, contact_id: str) -> Contact:
    """Return one contact. Raises NotFoundError."""
    return contacts.get_contact(tenant_id, contact_id)


def create_contact(
    tenant_id: str,
    name: str,
    phones: Iterable[EnteredPhone],
    supervisor_id: str | None,
    external_id: str | None = None,
) -> Contact:
    """Create a contact. Raises BadInputError (number, supervisor) and ConflictError (the external id exists)."""
    valid = _phones(tenant_id, phones)
    _check_supervisor(tenant_id, supervisor_id)
    return contacts.create_contact(tenant_id, name, valid, supervisor_id, external_id)


def change_contact(tenant_id: str, contact_id: str, changes: Mapping[str, Any]) -> Contact:
    """Change a contact; `phones` are typed numbers. Raises the errors of `create_contact`, and NotFoundError."""
    properties = dict(changes)
    if "phones" in properties:
        properties["phones"] = _phones(tenant_id, properties["phones"])
    _check_supervisor(tenant_id, properties.get("supervisor_id"))
    return contacts.update_contact(tenant_id, contact_id, properties)


def _phones(tenant_id: str, typed: Iterable[EnteredPhone]) -> tuple[Phone, ...]:
    """Read typed numbers. Raises BadInputError for an unreadable number and for one of the tenant's own lines."""
    read = read_phones(typed, get_tenant(tenant_id).country)
    own = lines.own_numbers(tenant_id, [phone.e164 for phone in read])
    faults = [
        FieldError(
            f"phones.{place}",
            FieldErrorCode.OWN_LINE_NUMBER,
            "One of your own lines. A contact cannot have its number.",
        )
        for place, phone in enumerate(read)
        if phone.e164 in own
    ]
    if faults:
        raise BadInputError("A contact cannot have the number of one of your own lines.", tuple(faults))
    return read


def _check_supervisor(tenant_id: str, supervisor_id: str | None) -> None:
    if supervisor_id is not None and not groups.is_supervisor(tenant_id, supervisor_id):
        field = FieldError("supervisor_id", FieldErrorCode.UNKNOWN_EMPLOYEE, "Unknown employee or group.")
        raise BadInputError("Unknown employee or group.", (field,))
