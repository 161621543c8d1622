"""Contacts with their numbers, as the API returns them."""

from collections.abc import Iterable

import pytest

from hangtag.api.contacts.cards import Cards
from hangtag.representation import Names
from hangtag.settings import TelephonySettings
from hangtag.store.office import contacts, names, settings

FIRST, SECOND = "+79990000001", "+79990000002"


def card(contact_id: str, *numbers: str) -> dict[str, object]:
    phones = [{"raw": number, "e164": number, "extension": None, "type": None} for number in numbers]
    return {"id": contact_id, "phones": phones}


def test_a_page_of_contacts_matches_its_numbers_by_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    lookups = []

    def matched(tenant_id: str, numbers: Iterable[str]) -> dict[str, str]:
        lookups.append((tenant_id, list(numbers)))
        return {FIRST: "ivan"}

    monkeypatch.setattr(contacts, "match_numbers", matched)
    monkeypatch.setattr(settings, "load_settings", lambda *_: TelephonySettings())
    monkeypatch.setenv("TABLE_NAME", "none")
    page = Cards("tenant").matched([card("ivan", FIRST), card("oleg", FIRST, SECOND), card("pyotr")])
    assert lookups == [("tenant", [FIRST, FIRST, SECOND])]
    shown = {one["id"]: [(phone["matched"], phone["matched_contact_id"]) for phone in one["phones"]] for one in page}
    assert shown == {"ivan": [(True, "ivan")], "oleg": [(False, "ivan"), (False, None)], "pyotr": []}


def test_a_contact_has_the_type_of_its_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contacts, "match_numbers", lambda *_: {})
    office_names = Names(country="DE", supervisors={"sales": ("group", "Sales"), "anna": ("employee", "Anna Schmidt")})
    monkeypatch.setattr(names, "load", lambda *_: office_names)
    cards = [{**card(name), "supervisor_id": name} for name in ("sales", "anna", "deleted")]
    assert [one["supervisor"] for one in Cards("tenant").contacts(cards)] == [
        {"type": "group", "id": "sales", "name": "Sales"},
        {"type": "employee", "id": "anna", "name": "Anna Schmidt"},
        None,
    ]
