"""The built-in CRM: contacts as the desk API and a call need them, over the store."""

from collections.abc import Iterable, Mapping
from typing import Any

from hangtag.errors import BadInputError, FieldError
from hangtag.phone import normalise
from hangtag.store import contacts, groups
from hangtag.store.contacts import Contact
from hangtag.store.people import Typed, read_phones
from hangtag.store.tenants import get_tenant

__all__ = ["change_contact", "create_contact", "find_by_phone", "get_contact"]


def find_by_phone(tenant_id: str, phone: str) -> Contact | None:
    """The contact with exactly this number, written in any format; None if it can't be read."""
    number = normalise(phone, get_tenant(tenant_id).country)
    return contacts.find_by_number(tenant_id, number.e164) if number else None


def get_contact(tenant_id: str, contact_id: str) -> Contact:
    """Raises NotFoundError."""
    return contacts.get_contact(tenant_id, contact_id)


def create_contact(tenant_id: str, name: str, phones: Iterable[Typed], supervisor_id: str | None) -> Contact:
    """A new contact. Raises BadInputError (a number, the supervisor), ConflictError (a number is taken)."""
    read = read_phones(phones, get_tenant(tenant_id).country)
    _check_supervisor(tenant_id, supervisor_id)
    return contacts.create_contact(tenant_id, name, read, supervisor_id)


def change_contact(tenant_id: str, contact_id: str, changes: Mapping[str, Any]) -> Contact:
    """Change a contact; `phones` is what was typed. Raises as `create_contact` does, and NotFoundError."""
    wanted = dict(changes)
    if "phones" in wanted:
        wanted["phones"] = read_phones(wanted["phones"], get_tenant(tenant_id).country)
    _check_supervisor(tenant_id, wanted.get("supervisor_id"))
    return contacts.update_contact(tenant_id, contact_id, wanted)


def _check_supervisor(tenant_id: str, supervisor_id: str | None) -> None:
    if supervisor_id is not None and not groups.is_supervisor(tenant_id, supervisor_id):
        field = FieldError("supervisor_id", "there is no such employee or group")
        raise BadInputError("the supervisor is neither an employee nor a group of yours", (field,))
