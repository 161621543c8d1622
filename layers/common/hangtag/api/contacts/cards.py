"""Cards of contacts and employees as they are shown: their numbers by the tenant's masks."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from hangtag import masks
from hangtag.api.contacts.models import Contact
from hangtag.api.employees.models import Employee
from hangtag.settings import DisplayFormat
from hangtag.store.office import contacts, settings

__all__ = ["Cards"]


class Cards:
    """Shows the cards of one request; the masks are read once, if a number is to be shown at all."""

    def __init__(self, tenant_id: str) -> None:
        self._tenant_id = tenant_id

    def contact(self, card: Mapping[str, Any]) -> Contact:
        """A contact's card from its JSON."""
        (matched,) = self.matched([card])
        return Contact.model_validate(matched)

    def employee(self, card: Mapping[str, Any]) -> Employee:
        """An employee's card from its JSON."""
        return Employee.model_validate(self.dressed(card))

    def matched(self, cards: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The JSON of contacts' cards, each number with `shown` and with the contact that it is matched to."""
        holders = contacts.matched(self._tenant_id, [phone["e164"] for card in cards for phone in card["phones"]])
        dressed = [self.dressed(card) for card in cards]
        for card in dressed:
            for phone in card["phones"]:
                holder = holders.get(phone["e164"])
                phone.update(matched=holder == card["id"], matched_contact_id=holder)
        return dressed

    def dressed(self, card: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON of a card, each number with `shown`."""
        return {**card, "phones": [{**phone, "shown": self._shown(phone)} for phone in card["phones"]]}

    def _shown(self, phone: Mapping[str, Any]) -> str:
        mask = masks.mask_for(self._masks, phone.get("type"))
        number, extension = phone["e164"], phone["extension"]
        return masks.show(mask if mask is not None else number, number, extension)

    @cached_property
    def _masks(self) -> list[DisplayFormat]:
        return settings.load_settings(self._tenant_id).masks
