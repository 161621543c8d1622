"""Recordings: playback, visibility and settings."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import requests

from api_client import hire, open_office
from local.simulator.media import (
    MediaServer,
    audio,
    file,
    media,
    to,
    tone,
)
from local.stack import Stack
from pbx_line import Line
from recorded_calls import OLGA, Bucket, call_path, record_call, recordings_bucket, set_rules

PORT = 4667

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def server() -> Iterator[MediaServer]:
    with media() as started:
        yield started


@pytest.fixture
def bucket(stack: Stack, environment: pytest.MonkeyPatch) -> Bucket:
    return recordings_bucket(stack, environment)


def test_playback_returns_the_audio_of_the_pbx_in_ranges(line: Line, server: MediaServer) -> None:
    body = tone(3)
    call = record_call(line, "played", server.put("/played.wav", file(body)))
    recording = line.recording("played", "archived")
    assert (recording["size"], recording["media_type"]) == (len(body), "audio/wav")
    owner = line.office.owner
    played = owner.get(call_path(call)).json
    assert (played["call_id"], played["size"], played["media_type"]) == (call["id"], len(body), "audio/wav")
    ahead = datetime.fromisoformat(played["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=240) < ahead <= timedelta(seconds=300)
    whole = requests.get(played["url"], timeout=60)
    assert (whole.status_code, whole.content) == (200, body)
    assert whole.headers["content-type"] == "audio/wav"
    part = requests.get(played["url"], headers={"range": "bytes=100-1099"}, timeout=60)
    assert (part.status_code, part.content) == (206, body[100:1100])
    assert part.headers["content-range"] == f"bytes 100-1099/{len(body)}"
    # The list of calls contains the same recording, and no response contains the URL at the PBX.
    assert line.call("played")["recordings"][-1] == recording
    assert server.url not in str(owner.get(f"/v1/calls/{call['id']}").json)


def test_each_playback_adds_an_entry_to_the_audit_log(line: Line, server: MediaServer) -> None:
    call = record_call(line, "audited", server.put("/audited.wav", audio()))
    line.recording("audited", "archived")
    owner, employee = line.office.owner, line.office.employee
    for caller in (owner, employee):
        assert caller.get(call_path(call)).status == 200
    entries = [one for one in owner.get("/v1/audit").json["items"] if one["action"] == "recording.played"]
    assert len(entries) == 2
    assert {one["target"]["id"] for one in entries} == {call["id"]}
    assert len({str(one["actor"]) for one in entries}) == 2


def test_each_recording_of_a_call_can_be_played(line: Line, server: MediaServer) -> None:
    first, second = tone(1), tone(2)
    line.talk("two", OLGA)
    for number, body in enumerate((first, second)):
        line.post(cmd="record", callid="two", record_link=server.put(f"/two-{number}.wav", file(body)), is_temp="1")
    line.recording("two", "archived")
    call = line.call("two")
    assert len(call["recordings"]) == 2
    clock = threading.Event()
    while any(one["state"] != "archived" for one in line.call("two")["recordings"]):
        clock.wait(0.1)
    played = [
        requests.get(line.office.owner.get(call_path(call), recording_id=one["id"]).json["url"], timeout=60).content
        for one in call["recordings"]
    ]
    assert played == [first, second]
    # Without recording_id, the last recording is played.
    assert requests.get(line.office.owner.get(call_path(call)).json["url"], timeout=60).content == second


def test_lasting_link_is_copied_through_redirects(line: Line, server: MediaServer) -> None:
    server.put("/moved.wav", audio())
    url = server.put("/lasting.wav", to("/moved.wav"))
    call = record_call(line, "lasting", url, is_temp="0")
    assert line.recording("lasting", "waiting", "archived")
    line.recording("lasting", "archived")
    assert requests.get(line.office.owner.get(call_path(call)).json["url"], timeout=60).content == tone()


def test_playback_follows_the_visibility_of_the_call(stack: Stack, line: Line, server: MediaServer) -> None:
    owner = line.office.owner
    now = owner.get("/v1/settings/telephony").json
    olga = owner.create("/v1/contacts", {"name": "Olga", "phones": [OLGA]})
    task = {"title": "Secret", "contact_ids": [olga["id"]], "member_ids": [line.office.anna["id"]]}
    owner.create("/v1/tasks", task)
    hidden = {**now, "attach": {**now["attach"], "to": "last_active_task", "hidden": True}}
    assert owner.put("/v1/settings/telephony", hidden).status == 200
    call = record_call(line, "hidden", server.put("/hidden.wav", audio()))
    line.recording("hidden", "archived")
    _, stranger = hire(line.office, "Boris", "102")
    other = open_office(stack.api, stack.operator_token).owner
    for caller in (stranger, other):
        assert caller.get(call_path(call)).status == 404
    for caller in (owner, line.office.employee):
        assert caller.get(call_path(call)).status == 200


def test_playback_of_a_missing_recording_is_a_404(line: Line) -> None:
    line.talk("none", OLGA)
    response = line.office.owner.get(call_path(line.call("none")))
    assert (response.status, response.json["detail"]) == (404, "The call has no recording.")
    nowhere = f"{'0' * 16}.{'0' * 32}.0000"
    assert line.office.owner.get(f"/v1/calls/{nowhere}/recording").status == 404


def test_recordings_excluded_by_settings_are_not_copied(line: Line, server: MediaServer) -> None:
    set_rules(line.office, mode="none")
    url = server.put("/not-kept.wav", audio())
    call = record_call(line, "not-kept", url)
    line.recording("not-kept", "skipped")
    response = line.office.owner.get(call_path(call))
    assert (response.status, response.json["detail"]) == (
        404,
        "The recording is not stored: the tenant's settings exclude recordings.",
    )
    assert "/not-kept.wav" not in {request.path for request in server.requests}


@pytest.mark.parametrize(("mode", "state"), [("link", "linked"), ("on_demand", "on_demand")])
def test_url_of_the_pbx_is_returned_by_the_settings(line: Line, server: MediaServer, mode: str, state: str) -> None:
    set_rules(line.office, mode=mode)
    url = server.put(f"/{mode}.wav", audio())
    call = record_call(line, mode, url, is_temp="0")
    line.recording(mode, state)
    played = line.office.owner.get(call_path(call)).json
    assert (played["url"], played["expires_at"]) == (url, None)
    # A temporary recording is copied under any setting.
    record_call(line, f"{mode}-once", server.put(f"/{mode}-once.wav", audio()))
    line.recording(f"{mode}-once", "archived")


def test_url_with_credentials_is_played_from_a_temporary_copy(
    stack: Stack, server: MediaServer, bucket: Bucket
) -> None:
    office = open_office(stack.api, stack.operator_token)
    integration = office.owner.create(
        "/v1/integrations",
        {"provider": "itoolabs", "name": "VATS", "credentials": {"pbx_url": server.url, "api_key": "vats-key"}},
    )
    set_rules(office, mode="on_demand")
    url = server.put("/asked.mp3", audio())
    form = {"cmd": "history", "type": "in", "status": "Success", "phone": OLGA, "user": "ann", "ext": "101"}
    form |= {"callid": "asked", "start": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}", "duration": "9", "link": url}
    form |= {"crm_token": integration["secrets"]["crm_token"]}
    assert requests.post(integration["webhook_url"], data=form, timeout=60).status_code == 200
    line = Line(replace(office, integration=integration))
    line.recording("asked", "on_demand")
    played = office.owner.get(call_path(line.call("asked"))).json
    assert requests.get(played["url"], timeout=60).content == tone()
    assert {request.headers.get("x-api-key") for request in server.requests if request.path == "/asked.mp3"} == {
        "vats-key"
    }
    assert [key.split("/")[0] for key in bucket.keys(office.tenant_id)] == ["plays"]


def test_url_outside_of_the_pbx_is_never_returned(stack: Stack) -> None:
    """Ringostat signs nothing, so anyone with the webhook URL could make employees open any page."""
    office = open_office(stack.api, stack.operator_token)
    integration = office.owner.create("/v1/integrations", {"provider": "ringostat", "name": "R", "credentials": {}})
    set_rules(office, mode="link")
    form = {"uniqueid": "elsewhere", "caller": OLGA, "dst": "74951230001", "connected_with": "101", "billsec": "9"}
    form |= {"disposition": "ANSWERED", "recording": "https://app.ringostat.com.example.com/recordings/1"}
    assert requests.post(f"{integration['webhook_url']}?event=after_call", data=form, timeout=60).status_code == 200
    line = Line(replace(office, integration=integration))
    line.recording("elsewhere", "linked")
    response = office.owner.get(call_path(line.call("elsewhere")))
    assert response.status == 502
    assert "is not in one of this PBX's domains" in response.json["detail"]
