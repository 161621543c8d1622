"""Contacts and employees with their numbers in the tenant's display formats."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from hangtag import masks
from hangtag.api.contacts.models import Contact
from hangtag.api.employees.models import Employee
from hangtag.settings import DisplayFormat
from hangtag.store.office import contacts, names, settings

__all__ = ["Cards"]


class Cards:
    """The contacts and employees of one request. The display formats are read once, with the first number."""

    def __init__(self, tenant_id: str) -> None:
        self._tenant_id = tenant_id

    def contact(self, card: Mapping[str, Any]) -> Contact:
        """Return a contact from its stored JSON."""
        (complete,) = self.contacts([card])
        return Contact.model_validate(complete)

    def employee(self, card: Mapping[str, Any]) -> Employee:
        """Return an employee from their stored JSON."""
        return Employee.model_validate(self.formatted(card))

    def contacts(self, cards: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the JSON of contacts: numbers formatted and matched, with supervisors by one batched read."""
        complete = self.matched(cards)
        if any(card.get("supervisor_id") for card in complete):
            supervisors = names.load(self._tenant_id, names.references(complete)).supervisors
        else:
            supervisors = {}
        return [{**card, "supervisor": _supervisor(card.get("supervisor_id"), supervisors)} for card in complete]

    def matched(self, cards: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the JSON of contacts, each number formatted and with the contact that its calls match."""
        holders = contacts.match_numbers(self._tenant_id, [phone["e164"] for card in cards for phone in card["phones"]])
        complete = [self.formatted(card) for card in cards]
        for card in complete:
            for phone in card["phones"]:
                holder = holders.get(phone["e164"])
                phone.update(matched=holder == card["id"], matched_contact_id=holder)
        return complete

    def formatted(self, card: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON of a contact or an employee, each number formatted."""
        return {**card, "phones": [{**phone, "formatted": self._format(phone)} for phone in card["phones"]]}

    def _format(self, phone: Mapping[str, Any]) -> str:
        mask = masks.mask_for(self._masks, phone.get("type"))
        number, extension = phone["e164"], phone["extension"]
        return masks.show(mask if mask is not None else number, number, extension)

    @cached_property
    def _masks(self) -> list[DisplayFormat]:
        return settings.load_settings(self._tenant_id).masks


def _supervisor(supervisor_id: str | None, supervisors: Mapping[str, tuple[str, str]]) -> dict[str, str] | None:
    if supervisor_id is None or supervisor_id not in supervisors:
        return None
    kind, name = supervisors[supervisor_id]
    return {"type": kind, "id": supervisor_id, "name": name}
