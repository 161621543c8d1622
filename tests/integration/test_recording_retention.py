"""Recordings: retention, holds and erasure of copies."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests

from api_client import open_office
from hangtag.services.recordings import fetch as fetching
from hangtag.store.calls import recordings
from hangtag.store.calls.recordings import Pointer
from local.simulator.media import (
    MediaServer,
    audio,
    media,
    tone,
)
from local.stack import Stack
from pbx_line import Line
from recorded_calls import OLGA, Bucket, call_path, item_of, record_call, recordings_bucket, set_rules

PORT = 4669

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def server() -> Iterator[MediaServer]:
    with media() as started:
        yield started


@pytest.fixture
def bucket(stack: Stack, environment: pytest.MonkeyPatch) -> Bucket:
    return recordings_bucket(stack, environment)


def test_copy_is_deleted_after_the_retention_period(
    stack: Stack, line: Line, server: MediaServer, bucket: Bucket
) -> None:
    call = record_call(line, "old", server.put("/old.wav", audio()))
    recording = line.recording("old", "archived")
    pointer = Pointer(item_of(line, "old").key, recording["id"])
    now = datetime.now(UTC)
    set_rules(line.office, mode="copy", retention_days=30)
    assert not fetching.review(pointer, now + timedelta(days=29))
    assert fetching.review(pointer, now + timedelta(days=31))
    assert bucket.keys(line.office.tenant_id) == []
    assert line.call("old")["recordings"][-1]["state"] == "expired"
    response = line.office.owner.get(call_path(call))
    assert (response.status, response.json["code"]) == (404, "recording_expired")
    # The copy is not reviewed again.
    assert pointer not in list(recordings.due(now + timedelta(days=400)))


def test_schedule_reviews_the_retention_of_copies(
    stack: Stack, line: Line, server: MediaServer, bucket: Bucket
) -> None:
    record_call(line, "looked-at", server.put("/looked-at.wav", audio()))
    recording = line.recording("looked-at", "archived")
    pointer = Pointer(item_of(line, "looked-at").key, recording["id"])
    recordings.watch(pointer, datetime.now(UTC) - timedelta(days=1))
    response = stack.client("lambda").invoke(
        FunctionName=stack.functions["RecordingsFunction"], Payload=b'{"source": "hangtag.recordings"}'
    )
    assert json.loads(response["Payload"].read())["looked_at"] >= 1
    # Without a retention period, the next review is in a week.
    assert pointer not in list(recordings.due(datetime.now(UTC) + timedelta(days=6)))
    assert pointer in list(recordings.due(datetime.now(UTC) + timedelta(days=8)))


def test_held_recording_survives_retention_or_erasure(line: Line, server: MediaServer, bucket: Bucket) -> None:
    held = record_call(line, "held", server.put("/held.wav", audio()))
    free = record_call(line, "free", server.put("/free.wav", audio()))
    ids = {one: line.recording(one, "archived")["id"] for one in ("held", "free")}
    owner = line.office.owner
    place = call_path(held, f"recordings/{ids['held']}/hold")
    assert line.office.employee.put(place, {"retention_hold": True}).status == 403
    assert owner.put(place, {"retention_hold": True}).json["retention_hold"] is True
    set_rules(line.office, mode="copy", retention_days=1)
    pointer = Pointer(item_of(line, "held").key, ids["held"])
    assert not fetching.review(pointer, datetime.now(UTC) + timedelta(days=100))
    erasure = owner.create("/v1/erasures", {"number": f"+{OLGA}"})
    clock = threading.Event()
    while owner.get(f"/v1/erasures/{erasure['id']}").json["state"] != "done":
        clock.wait(0.1)
    assert [key.rpartition("/")[2] for key in bucket.keys(line.office.tenant_id)] == [ids["held"]]
    assert owner.get(call_path(free)).status == 404
    assert requests.get(owner.get(call_path(held)).json["url"], timeout=60).content == tone()
    # After its release the retention period applies.
    assert owner.put(place, {"held": False}).json["retention_hold"] is False
    assert fetching.review(pointer, datetime.now(UTC) + timedelta(days=100))
    assert bucket.keys(line.office.tenant_id) == []
    actions = [one["action"] for one in owner.get("/v1/audit").json["items"]]
    assert {"recording.held", "recording.released"} <= set(actions)


def test_erasing_a_tenant_deletes_its_recordings(stack: Stack, server: MediaServer, bucket: Bucket) -> None:
    office = open_office(stack.api, stack.operator_token)
    line = Line(office)
    record_call(line, "gone", server.put("/gone.wav", audio()))
    line.recording("gone", "archived")
    assert bucket.keys(office.tenant_id)
    clock = threading.Event()
    while office.operator.send("DELETE", f"/v1/tenants/{office.tenant_id}").status not in (204, 404):
        clock.wait(0.1)
    assert bucket.keys(office.tenant_id) == []
