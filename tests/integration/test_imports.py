"""Contact imports from CSV files."""

import time
from typing import Any

import pytest
import requests

from api_client import Caller, Office

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

PORT = 4624
ROWS = 1500
RUNS = ("running",)


def begin(owner: Caller, file: bytes) -> str:
    """Upload a file and return the id of its import, which is not started yet."""
    created = owner.create("/v1/imports", {"name": "People"})
    assert requests.put(created["upload_url"], data=file, timeout=60).status_code == 200
    import_id: str = created["id"]
    return import_id


def start(owner: Caller, import_id: str) -> None:
    assert owner.post(f"/v1/imports/{import_id}/start", {}).status == 200


def until(owner: Caller, import_id: str, accept: Any) -> dict[str, Any]:
    """Return the import once it is accepted."""
    deadline = time.monotonic() + 200
    while True:
        job: dict[str, Any] = owner.get(f"/v1/imports/{import_id}").json
        if accept(job):
            return job
        assert time.monotonic() < deadline, job
        # The API has no notification for the progress of an import.
        time.sleep(0.2)


def ended(job: dict[str, Any]) -> bool:
    return job["state"] not in RUNS


def counts(job: dict[str, Any]) -> tuple[int, int, int, int]:
    return job["rows"], job["created"], job["matched"], job["rejected"]


def test_stopped_import_resumes_without_duplicates(office: Office) -> None:
    rows = "".join(f"Contact {n};8 903 {n:07d};ext-{n}\r\n" for n in range(ROWS))
    import_id = begin(office.owner, ("\ufeffName;Phone:Mobile;External_ID\r\n" + rows).encode())
    start(office.owner, import_id)
    until(office.owner, import_id, lambda job: job["rows"] > 0)
    assert office.owner.post(f"/v1/imports/{import_id}/stop", {}).json["state"] == "stopped"
    stopped = until(office.owner, import_id, ended)
    assert 0 < stopped["rows"] < ROWS
    assert office.owner.post(f"/v1/imports/{import_id}/stop", {}).status == 409
    start(office.owner, import_id)
    assert office.owner.post(f"/v1/imports/{import_id}/start", {}).status == 409
    assert counts(until(office.owner, import_id, ended)) == (ROWS, ROWS, 0, 0)
    (contact,) = office.owner.get("/v1/contacts", phone="+79030001234").json["items"]
    assert (contact["name"], contact["external_id"], contact["phones"][0]["type"]) == (
        "Contact 1234",
        "ext-1234",
        "Mobile",
    )
    # A second import of the same rows creates no contacts.
    again = begin(office.owner, ("Name;Phone;External_ID\n" + rows[:4000]).encode())
    start(office.owner, again)
    done = until(office.owner, again, ended)
    assert (done["state"], done["created"], done["rejected"]) == ("done", 0, 1)
    assert done["matched"] == done["rows"] - 1


def test_invalid_rows_are_rejected_by_position(office: Office) -> None:
    office.owner.put("/v1/lines/+74951230001", {"name": "Main"})
    file = (
        "name,phone,phone,supervisor\n"
        'Ivan,+79035550201|8 (903) 555-02-02,"+7 903 555-02-03,,123",Anna\n'
        "Olga,not a number,,\n"
        ",,,\n"
        "Oleg,+74951230001,,\n"
        "Vera,,,Nobody\n"
        ",+79035550204,,\n"
    )
    import_id = begin(office.owner, file.encode())
    start(office.owner, import_id)
    done = until(office.owner, import_id, ended)
    assert [(error["row"], error["reason"]) for error in done["errors"]] == [
        (2, "A phone number is not valid."),
        (3, "A number is one of your own lines."),
        (4, "Unknown supervisor. Enter the name or id of an employee or group."),
    ]
    assert (done["state"], done["created"], done["rejected"]) == ("done", 2, 3)
    (ivan,) = office.owner.get("/v1/contacts", phone="+79035550202").json["items"]
    assert (ivan["name"], ivan["supervisor_id"], len(ivan["phones"])) == ("Ivan", office.anna["id"], 3)
    assert office.owner.get("/v1/contacts", phone="+79035550204").json["items"][0]["name"] == "+79035550204"


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"\xff\xfe\x00name", "The file is not encoded in UTF-8."),
        (b"surname;mobile\nA;B\n", "The header has neither a name nor a phone column."),
        (b"", "The header has neither a name nor a phone column."),
    ],
)
def test_unreadable_file_fails_with_a_reason(office: Office, file: bytes, reason: str) -> None:
    import_id = begin(office.owner, file)
    start(office.owner, import_id)
    failed = until(office.owner, import_id, ended)
    assert (failed["state"], failed["reason"]) == ("failed", reason)


def test_import_without_a_file_can_be_started_again(office: Office) -> None:
    import_id = office.owner.create("/v1/imports", {})["id"]
    start(office.owner, import_id)
    assert until(office.owner, import_id, ended)["reason"] == "The file was not uploaded."
    start(office.owner, import_id)
    until(office.owner, import_id, ended)
    # An employee cannot read imports.
    assert office.employee.get(f"/v1/imports/{import_id}").status == 403
