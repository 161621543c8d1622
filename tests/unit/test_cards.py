"""Contacts' cards as they are shown."""

from collections.abc import Iterable

import pytest

from hangtag.api.contacts.cards import Cards
from hangtag.settings import TelephonySettings
from hangtag.store.office import contacts, settings

FIRST, SECOND = "+79990000001", "+79990000002"


def card(contact_id: str, *numbers: str) -> dict[str, object]:
    phones = [{"raw": number, "e164": number, "extension": None, "type": None} for number in numbers]
    return {"id": contact_id, "phones": phones}


def test_a_page_of_contacts_is_looked_up_at_once_and_shows_who_has_each_number(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def matched(tenant_id: str, wanted: Iterable[str]) -> dict[str, str]:
        asked.append((tenant_id, list(wanted)))
        return {FIRST: "ivan"}

    monkeypatch.setattr(contacts, "match_numbers", matched)
    monkeypatch.setattr(settings, "load_settings", lambda *_: TelephonySettings())
    monkeypatch.setenv("TABLE_NAME", "none")
    page = Cards("tenant").matched([card("ivan", FIRST), card("oleg", FIRST, SECOND), card("pyotr")])
    assert asked == [("tenant", [FIRST, FIRST, SECOND])]
    shown = {one["id"]: [(phone["matched"], phone["matched_contact_id"]) for phone in one["phones"]] for one in page}
    assert shown == {"ivan": [(True, "ivan")], "oleg": [(False, "ivan"), (False, None)], "pyotr": []}
