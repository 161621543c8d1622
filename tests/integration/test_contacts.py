"""Contacts: shared numbers, own lines and external ids."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from api_client import Office
from hangtag.store.office import contacts
from hangtag.store.office.phones import Phone

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("environment")]

PORT = 4634
NUMBER = "+79990000001"
DEADLINE_SECONDS = 60


def add_contact(office: Office, name: str, *phones: Any, **more: Any) -> Any:
    return office.employee.create("/v1/contacts", {"name": name, "phones": list(phones), **more})


def matched(office: Office) -> str | None:
    """Return the name of the contact that matches the number."""
    items = office.employee.get("/v1/contacts", phone=NUMBER).json["items"]
    return str(items[0]["name"]) if items else None


# ------------------------------------------------------------------ a number on several contacts


def test_a_number_of_two_contacts_matches_the_older_one(office: Office) -> None:
    ivan = add_contact(office, "Ivan", NUMBER)
    oleg = add_contact(office, "Oleg", "8 (999) 000-00-01")
    assert matched(office) == "Ivan"
    assert [(phone["matched"], phone["matched_contact_id"]) for phone in ivan["phones"]] == [(True, ivan["id"])]
    assert [(phone["matched"], phone["matched_contact_id"]) for phone in oleg["phones"]] == [(False, ivan["id"])]
    listed = {item["name"]: item["phones"][0]["matched"] for item in office.employee.get("/v1/contacts").json["items"]}
    assert listed == {"Ivan": True, "Oleg": False}


def test_a_freed_number_matches_the_next_oldest_contact(office: Office) -> None:
    ivan, oleg, _ = (add_contact(office, name, NUMBER) for name in ("Ivan", "Oleg", "Pyotr"))
    assert office.employee.patch(f"/v1/contacts/{oleg['id']}", {"name": "Oleg II"}).status == 200
    assert office.employee.patch(f"/v1/contacts/{ivan['id']}", {"phones": []}).status == 200
    assert matched(office) == "Oleg II"
    assert office.employee.send("DELETE", f"/v1/contacts/{oleg['id']}").status == 403
    assert office.owner.send("DELETE", f"/v1/contacts/{oleg['id']}").status == 204
    assert office.owner.send("DELETE", f"/v1/contacts/{oleg['id']}").status == 404
    assert matched(office) == "Pyotr"
    assert office.employee.patch(f"/v1/contacts/{ivan['id']}", {"phones": [NUMBER]}).status == 200
    assert matched(office) == "Ivan"


def test_concurrent_changes_leave_the_match_with_the_oldest(office: Office) -> None:
    tenant = office.tenant_id
    people = [contacts.create_contact(tenant, f"Contact {number}", (), None) for number in range(4)]
    held = (Phone(NUMBER, NUMBER, None),)
    for last in range(4):

        def change(place: int, last: int = last) -> None:
            phones = held if place >= last else ()
            contacts.update_contact(tenant, people[place].id, {"phones": phones, "name": f"{place} of round {last}"})

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(change, range(4)))
        assert contacts.holders(tenant, NUMBER) == tuple(person.id for person in people[last:])
        assert contacts.create_unknown(tenant, NUMBER).name == f"{last} of round {last}"


def test_concurrent_calls_add_each_new_number_once(office: Office) -> None:
    """The external CRM returns one contact for all numbers; each call looks it up twice."""
    tenant = office.tenant_id
    first = Phone(NUMBER, NUMBER, None)
    ivan = contacts.create_contact(tenant, "Ivan", (first,), None, external_id="77")
    new_numbers = [f"+7999000010{number}" for number in range(4)]

    def contact_of(number: str) -> str:
        return contacts.create_unknown(tenant, number, external_id="77").id

    with ThreadPoolExecutor(16) as pool:
        contact_ids = list(pool.map(contact_of, new_numbers * 4))
    assert set(contact_ids) == {ivan.id}
    numbers = [phone.e164 for phone in contacts.get_contact(tenant, ivan.id).phones]
    assert sorted(numbers) == [NUMBER, *new_numbers]


def test_two_extensions_of_one_number_are_two_phones(office: Office) -> None:
    ivan = add_contact(
        office, "Ivan", "+7 495 123-45-67 ext. 12", {"number": "+7 495 123-45-67 ext. 13", "type": "Work"}
    )
    shown = [(phone["e164"], phone["extension"], phone["type"], phone["matched"]) for phone in ivan["phones"]]
    assert shown == [("+74951234567", "12", None, True), ("+74951234567", "13", "Work", True)]


def test_a_contact_cannot_have_the_number_of_a_line(office: Office) -> None:
    assert office.owner.put("/v1/lines/+74957770001", {"name": "Sales"}).status == 200
    response = office.employee.post("/v1/contacts", {"name": "Ivan", "phones": [NUMBER, "8 495 777-00-01"]})
    assert (response.status, [fault["field"] for fault in response.json["errors"]]) == (400, ["phones.1"])
    ivan = add_contact(office, "Ivan", NUMBER)
    assert office.employee.patch(f"/v1/contacts/{ivan['id']}", {"phones": ["+74957770001"]}).status == 400


def test_an_external_id_belongs_to_one_contact(office: Office) -> None:
    ivan = add_contact(office, "Ivan", external_id="crm-1")
    assert office.employee.post("/v1/contacts", {"name": "Oleg", "external_id": "crm-1"}).status == 409
    oleg = add_contact(office, "Oleg", external_id="crm-2")
    assert office.employee.patch(f"/v1/contacts/{oleg['id']}", {"external_id": "crm-1"}).status == 409
    assert office.employee.patch(f"/v1/contacts/{ivan['id']}", {"external_id": None, "name": "Ivan II"}).status == 200
    assert office.employee.patch(f"/v1/contacts/{oleg['id']}", {"external_id": "crm-1"}).status == 200
    items = office.employee.get("/v1/contacts", external_id="crm-1").json["items"]
    assert [item["name"] for item in items] == ["Oleg"]
    assert office.employee.get("/v1/contacts", external_id="crm-2").json["items"] == []
