"""Contacts: a number on several of them, own lines, another system's ids, and importing from a file."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from hangtag.flow import importing
from hangtag.store import client, contacts, imports, models
from local.stack import Stack, running
from tests.integration.api_client import Office, open_office

pytestmark = pytest.mark.stack

PORT = 4634
NUMBER = "+79990000001"
DEADLINE_SECONDS = 60


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(port=PORT) as started:
        yield started


@pytest.fixture(scope="module", autouse=True)
def environment(stack: Stack) -> Iterator[None]:
    """The store in this process, as the functions find it."""
    wanted = {
        "TABLE_NAME": stack.table,
        "FILES_BUCKET": stack.files_bucket,
        "JOBS_QUEUE_URL": stack.jobs_queue,
        "AWS_ENDPOINT_URL": stack.endpoint,
        "AWS_DEFAULT_REGION": stack.region,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in wanted.items():
            patch.setenv(name, value)
        fresh_clients()
        yield
    fresh_clients()


def fresh_clients() -> None:
    client.make.cache_clear()
    models.Entry._connection = None


@pytest.fixture
def office(stack: Stack) -> Office:
    return open_office(stack.api, stack.operator_token)


def make(office: Office, name: str, *phones: Any, **more: Any) -> Any:
    return office.employee.made("/v1/contacts", {"name": name, "phones": list(phones), **more})


def matched(office: Office) -> str | None:
    """Who is called when the number rings."""
    found = office.employee.get("/v1/contacts", phone=NUMBER).json["items"]
    return str(found[0]["name"]) if found else None


# ------------------------------------------------------------------ a number on several contacts


def test_a_number_on_two_contacts_is_matched_to_the_older_and_shown_on_both(office: Office) -> None:
    ivan = make(office, "Ivan", NUMBER)
    oleg = make(office, "Oleg", "8 (999) 000-00-01")
    assert matched(office) == "Ivan"
    assert [(phone["matched"], phone["matched_contact_id"]) for phone in ivan["phones"]] == [(True, ivan["id"])]
    assert [(phone["matched"], phone["matched_contact_id"]) for phone in oleg["phones"]] == [(False, ivan["id"])]
    listed = {item["name"]: item["phones"][0]["matched"] for item in office.employee.get("/v1/contacts").json["items"]}
    assert listed == {"Ivan": True, "Oleg": False}


def test_the_next_oldest_takes_over_a_number_that_is_given_up_or_whose_contact_is_deleted(office: Office) -> None:
    ivan, oleg, _ = (make(office, name, NUMBER) for name in ("Ivan", "Oleg", "Pyotr"))
    assert office.employee.patch(f"/v1/contacts/{oleg['id']}", {"name": "Oleg II"}).status == 200
    assert office.employee.patch(f"/v1/contacts/{ivan['id']}", {"phones": []}).status == 200
    assert matched(office) == "Oleg II"
    assert office.employee.send("DELETE", f"/v1/contacts/{oleg['id']}").status == 403
    assert office.owner.send("DELETE", f"/v1/contacts/{oleg['id']}").status == 204
    assert office.owner.send("DELETE", f"/v1/contacts/{oleg['id']}").status == 404
    assert matched(office) == "Pyotr"
    assert office.employee.patch(f"/v1/contacts/{ivan['id']}", {"phones": [NUMBER]}).status == 200
    assert matched(office) == "Ivan"


def test_changes_at_once_leave_the_number_with_the_oldest_that_has_it(office: Office) -> None:
    tenant = office.tenant_id
    people = [contacts.create_contact(tenant, f"Contact {number}", (), None) for number in range(4)]
    held = (contacts.Phone(NUMBER, NUMBER, None),)
    for last in range(4):

        def change(place: int, last: int = last) -> None:
            phones = held if place >= last else ()
            contacts.update_contact(tenant, people[place].id, {"phones": phones, "name": f"{place} of round {last}"})

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(change, range(4)))
        assert contacts.holders(tenant, NUMBER) == tuple(person.id for person in people[last:])
        assert contacts.create_unknown(tenant, NUMBER).name == f"{last} of round {last}"


def test_two_extensions_of_one_number_on_one_card_are_two_phones(office: Office) -> None:
    made = make(office, "Ivan", "+7 495 123-45-67 ext. 12", {"number": "+7 495 123-45-67 ext. 13", "type": "Work"})
    shown = [(phone["e164"], phone["extension"], phone["type"], phone["matched"]) for phone in made["phones"]]
    assert shown == [("+74951234567", "12", None, True), ("+74951234567", "13", "Work", True)]


def test_an_own_line_is_never_a_contacts_number(office: Office) -> None:
    assert office.owner.put("/v1/lines/+74957770001", {"name": "Sales"}).status == 200
    refused = office.employee.post("/v1/contacts", {"name": "Ivan", "phones": [NUMBER, "8 495 777-00-01"]})
    assert (refused.status, [fault["field"] for fault in refused.json["errors"]]) == (400, ["phones.1"])
    ivan = make(office, "Ivan", NUMBER)
    assert office.employee.patch(f"/v1/contacts/{ivan['id']}", {"phones": ["+74957770001"]}).status == 400


def test_an_external_id_belongs_to_one_contact(office: Office) -> None:
    ivan = make(office, "Ivan", external_id="crm-1")
    assert office.employee.post("/v1/contacts", {"name": "Oleg", "external_id": "crm-1"}).status == 409
    oleg = make(office, "Oleg", external_id="crm-2")
    assert office.employee.patch(f"/v1/contacts/{oleg['id']}", {"external_id": "crm-1"}).status == 409
    assert office.employee.patch(f"/v1/contacts/{ivan['id']}", {"external_id": None, "name": "Ivan II"}).status == 200
    assert office.employee.patch(f"/v1/contacts/{oleg['id']}", {"external_id": "crm-1"}).status == 200
    found = office.employee.get("/v1/contacts", external_id="crm-1").json["items"]
    assert [item["name"] for item in found] == ["Oleg"]
    assert office.employee.get("/v1/contacts", external_id="crm-2").json["items"] == []


# ------------------------------------------------------------------ imports


def uploaded(office: Office, text: str | bytes) -> str:
    made = office.owner.made("/v1/imports", {"name": "customers"})
    data = text.encode() if isinstance(text, str) else text
    assert requests.put(made["upload_url"], data=data, timeout=30).status_code == 200
    assert made["state"] == "waiting"
    return str(made["id"])


def ended(office: Office, import_id: str) -> Any:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        said = office.owner.get(f"/v1/imports/{import_id}").json
        if said["state"] != "running":
            return said
        time.sleep(0.1)
    raise AssertionError(f"the import goes on: {said}")


def counts(said: Any) -> tuple[str, int, int, int, int]:
    return said["state"], said["rows"], said["created"], said["existing"], said["refused"]


def test_an_import_that_is_stopped_in_the_middle_goes_on_without_doubles(office: Office) -> None:
    rows = "".join(f"Contact {row},+7901{row:07d},row-{row}\n" for row in range(3000))
    import_id = uploaded(office, "name,phone,external_id\n" + rows)
    queued = imports.change(office.tenant_id, import_id, frozenset({"waiting"}), state="running", run=1)
    assert queued is not None
    batches = 0

    def stop_in_the_middle() -> bool:
        nonlocal batches
        batches += 1
        if batches == 3:
            assert office.owner.asked(f"/v1/imports/{import_id}/stop", {})["state"] == "stopped"
        return True

    importing.work({"tenant": office.tenant_id, "id": import_id, "run": 1}, stop_in_the_middle)
    half = office.owner.get(f"/v1/imports/{import_id}").json
    assert counts(half) == ("stopped", 1500, 1500, 0, 0)
    # The batch that was under way when it stopped was written, but not counted.
    assert contacts.find_by_external_id(office.tenant_id, "row-1999") is not None
    assert contacts.find_by_external_id(office.tenant_id, "row-2000") is None
    office.owner.asked(f"/v1/imports/{import_id}/start", {})
    assert counts(ended(office, import_id)) == ("done", 3000, 3000, 0, 0)
    again = uploaded(office, "name,phone,external_id\n" + rows)
    office.owner.asked(f"/v1/imports/{again}/start", {})
    assert counts(ended(office, again)) == ("done", 3000, 0, 3000, 0)
    listed = office.employee.get("/v1/contacts", limit=100).json["items"]
    assert len({item["id"] for item in listed}) == 100
    assert contacts.holders(office.tenant_id, "+79010000007") == (listed_id(office, "row-7"),)


def listed_id(office: Office, external_id: str) -> str:
    return str(office.employee.get("/v1/contacts", external_id=external_id).json["items"][0]["id"])


def test_an_import_tells_each_row_that_it_refuses_and_spares_what_is_there(office: Office) -> None:
    ivan = make(office, "Ivan", "+79990000007")
    office.owner.put("/v1/lines/+74957770001", {"name": "Sales"})
    text = (
        "\ufeffName;Phone: Mobile;Phone;Supervisor\r\n"
        "Ivan Petrov;8 999 000-00-07;;\r\n"
        '"Oleg; the second";+79990000008|+79990000009;;anna\r\n'
        "Nobody's;not a number;;\r\n"
        "Line;+74957770001;;\r\n"
        "Boris;;;Zoya\r\n"
        "Twice;+79990000010;;\r\n"
        "Twice more;+79990000010;;\r\n"
    )
    import_id = uploaded(office, text)
    office.owner.asked(f"/v1/imports/{import_id}/start", {})
    said = ended(office, import_id)
    assert counts(said) == ("done", 7, 2, 2, 3)
    assert [error["row"] for error in said["errors"]] == [3, 4, 5]
    assert "+7" not in str(said["errors"])
    oleg = office.employee.get("/v1/contacts", phone="+79990000009").json["items"][0]
    assert (oleg["name"], oleg["supervisor_id"]) == ("Oleg; the second", office.anna["id"])
    assert [phone["type"] for phone in oleg["phones"]] == ["Mobile", "Mobile"]
    assert office.employee.get(f"/v1/contacts/{ivan['id']}").json == ivan


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"name,phone\n\xff\xfe,1\n", "the file is not UTF-8"),
        (b"first,second\n1,2\n", "the first row names neither a column name nor a column phone"),
    ],
)
def test_a_broken_file_fails_with_the_reason(office: Office, content: bytes, reason: str) -> None:
    import_id = uploaded(office, content)
    office.owner.asked(f"/v1/imports/{import_id}/start", {})
    said = ended(office, import_id)
    assert (said["state"], said["reason"]) == ("failed", reason)
    assert office.employee.post(f"/v1/imports/{import_id}/start", {}).status == 403
    assert os.environ["FILES_BUCKET"]
