"""An office with one resource of every kind, and its exports, for tests of exports and erasures."""

import json
import time
from typing import Any

import requests

from api_client import Caller, Office
from live_listener import listening
from local.simulator.providers.telephony_api.api import Api
from local.simulator.rest import Fault, Response, serving
from local.stack import Stack
from pbx_line import Line

PHONE = "79105557701"
OTHER = "79105557702"
WITHIN_SECONDS = 60.0


def seed(office: Office) -> Office:
    """Create one resource of every kind and return the office."""
    owner, line = office.owner, Line(office)
    owner.create("/v1/groups", {"name": "Sales", "employee_ids": [office.anna["id"]]})
    assert owner.put("/v1/lines/74951230001", {"name": "Ads", "color": "#aa0000"}).status == 200
    assert owner.put("/v1/settings/telephony", {"settle_seconds": 2}).status == 200
    talk = line.talk("leaving-talk", PHONE)
    line.missed("leaving-missed", PHONE)
    line.talk("leaving-other", OTHER)
    task = {"title": f"Call +{PHONE} back", "contact_ids": [talk["contact_id"]], "due_at": "2026-06-01T09:00:00Z"}
    task_row = owner.create("/v1/tasks", task)
    click(office, PHONE, "leaving-click")
    owner.create(f"/v1/calls/{talk['call_id']}/comments", {"text": "Wants a call", "task_id": task_row["id"]})
    owner.create(f"/v1/calls/{talk['call_id']}/comments", {"text": "Nice"})
    return office


def click(office: Office, number: str, call_id: str) -> None:
    """Start a call that fails and one that succeeds, both shown in a browser."""
    place, api, line = f"/v1/integrations/{office.integration['id']}", Api({}), Line(office)
    with serving(api) as server, listening(office.employee) as browser:
        assert office.owner.patch(place, {"credentials": dict(api.credentials(server.url))}).status == 200
        server.faults.append(Fault(Response(400)))
        failed = office.employee.post("/v1/calls", {"to": number})
        assert failed.status == 202
        browser.call("ended", id=failed.json["call_id"])
        assert office.employee.post("/v1/calls", {"to": number}).status == 202
        for event in ("OUTGOING", "ACCEPTED", "COMPLETED"):
            extra = {"status": "Success", "duration": "3"} if event == "COMPLETED" else {}
            line.event(call_id, event, number, type="out", **extra)
        assert line.call(call_id)["click_to_call"]


def finished(caller: Caller, path: str) -> Any:
    """Return a finished job. Fails if it takes too long or ends with an error."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while (response := caller.get(path)).json.get("state") == "running":
        assert time.monotonic() < deadline, response
        # The API has no notification for a finished job.
        time.sleep(0.1)
    assert response.status == 200, response
    assert response.json["state"] == "done", response
    return response.json


def exported(office: Office) -> list[Any]:
    """Export the tenant's data and return the rows of the file."""
    started = office.owner.create("/v1/exports", {})
    done = finished(office.owner, f"/v1/exports/{started['id']}")
    fetched = requests.get(done["url"], timeout=30)
    assert fetched.status_code == 200, fetched.text
    rows = [json.loads(line) for line in fetched.text.splitlines()]
    assert done["rows"] == len(rows)
    return rows


def items_with(stack: Stack, *texts: str) -> list[str]:
    """Return the keys of all items of the table that contain one of these texts."""
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.table)
    return [
        f"{item['pk']['S']} / {item['sk']['S']}"
        for page in pages
        for item in page["Items"]
        if any(text in json.dumps(item, default=str) for text in texts)
    ]


def files(stack: Stack) -> list[str]:
    """Return the keys of all objects in the files bucket."""
    listing = stack.client("s3").list_objects_v2(Bucket=stack.files_bucket)
    return [one["Key"] for one in listing.get("Contents", [])]
