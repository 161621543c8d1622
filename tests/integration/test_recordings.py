"""Recordings: copies, playback, visibility and retention."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from api_client import Office, hire, open_office
from hangtag.domain.calls.fold import Recording
from hangtag.services.recordings import fetch as fetching
from hangtag.store.calls import items as calls
from hangtag.store.calls import recordings
from hangtag.store.calls.items import CallItem, CallKey
from hangtag.store.calls.recording_states import RecordingState, RecordingStatus
from hangtag.store.calls.recordings import Pointer
from local.simulator.media import (
    MediaServer,
    audio,
    bomb,
    cut_off,
    drip,
    endless,
    file,
    in_turn,
    media,
    status,
    to,
    tone,
)
from local.stack import Stack
from pbx_line import Line

PORT = 4667

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

OLGA = "79035550401"
MEGABYTE = 1_000_000
# What the function may need more for a recording of any size than for a short one.
MOST_GROWTH = 64 * MEGABYTE


@pytest.fixture(scope="module")
def server() -> Iterator[MediaServer]:
    with media() as made:
        yield made


@pytest.fixture
def bucket(stack: Stack, environment: pytest.MonkeyPatch) -> Any:
    """The bucket of copies, for this process too."""
    function = stack.client("lambda").get_function_configuration(FunctionName=stack.functions["RecordingsFunction"])
    known = function["Environment"]["Variables"]
    for name in ("RECORDINGS_BUCKET", "RECORDING_MAX_BYTES", "RECORDINGS_QUEUE_URL"):
        environment.setenv(name, known[name])
    environment.setenv("OUTBOUND_LOOPBACK", "true")
    return Bucket(stack.client("s3"), known["RECORDINGS_BUCKET"])


class Bucket:
    """Contents of the bucket."""

    def __init__(self, s3: Any, name: str) -> None:
        self._s3 = s3
        self._name = name

    def keys(self, tenant_id: str) -> list[str]:
        found = self._s3.list_objects_v2(Bucket=self._name).get("Contents", [])
        return [one["Key"] for one in found if f"/{tenant_id}/" in one["Key"]]

    def unfinished(self) -> list[Any]:
        return list(self._s3.list_multipart_uploads(Bucket=self._name).get("Uploads", []))


def recorded(line: Line, call_id: str, url: str, **more: str) -> dict[str, Any]:
    """Post a call with a temporary recording, which is fetched at once."""
    line.talk(call_id, OLGA)
    line.post(cmd="record", callid=call_id, record_link=url, **{"is_temp": "1", **more})
    return line.call(call_id)


def path(call: dict[str, Any], rest: str = "recording") -> str:
    return f"/v1/calls/{call['id']}/{rest}"


def rules(office: Office, **wanted: Any) -> None:
    """Set the tenant's recording settings."""
    now = office.owner.get("/v1/settings/telephony").json
    changed = office.owner.put("/v1/settings/telephony", {**now, "recordings": wanted})
    assert changed.status == 200, changed


# ------------------------------------------------------------------ hearing


def test_playback_returns_the_audio_of_the_pbx_in_ranges(line: Line, server: MediaServer) -> None:
    body = tone(3)
    call = recorded(line, "heard", server.put("/heard.wav", file(body)))
    kept = line.recording("heard", "archived")
    assert (kept["size"], kept["media_type"]) == (len(body), "audio/wav")
    owner = line.office.owner
    played = owner.get(path(call)).json
    assert (played["call_id"], played["size"], played["media_type"]) == (call["id"], len(body), "audio/wav")
    ahead = datetime.fromisoformat(played["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=240) < ahead <= timedelta(seconds=300)
    whole = requests.get(played["url"], timeout=60)
    assert (whole.status_code, whole.content) == (200, body)
    assert whole.headers["content-type"] == "audio/wav"
    part = requests.get(played["url"], headers={"range": "bytes=100-1099"}, timeout=60)
    assert (part.status_code, part.content) == (206, body[100:1100])
    assert part.headers["content-range"] == f"bytes 100-1099/{len(body)}"
    # The call in the list says the same, and nothing says where the PBX has it.
    assert line.call("heard")["recordings"][-1] == kept
    assert server.url not in str(owner.get(f"/v1/calls/{call['id']}").json)


def test_each_playback_is_in_the_audit_log(line: Line, server: MediaServer) -> None:
    call = recorded(line, "audited", server.put("/audited.wav", audio()))
    line.recording("audited", "archived")
    owner, employee = line.office.owner, line.office.employee
    for caller in (owner, employee):
        assert caller.get(path(call)).status == 200
    told = [one for one in owner.get("/v1/audit").json["items"] if one["action"] == "recording.played"]
    assert len(told) == 2
    assert {one["target"]["id"] for one in told} == {call["id"]}
    assert len({str(one["actor"]) for one in told}) == 2


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
        requests.get(line.office.owner.get(path(call), recording_id=one["id"]).json["url"], timeout=60).content
        for one in call["recordings"]
    ]
    assert played == [first, second]
    # If none is chosen, it is the last.
    assert requests.get(line.office.owner.get(path(call)).json["url"], timeout=60).content == second


def test_lasting_link_is_copied_through_redirects(line: Line, server: MediaServer) -> None:
    server.put("/moved.wav", audio())
    url = server.put("/lasting.wav", to("/moved.wav"))
    call = recorded(line, "lasting", url, is_temp="0")
    assert line.recording("lasting", "waiting", "kept")
    line.recording("lasting", "archived")
    assert requests.get(line.office.owner.get(path(call)).json["url"], timeout=60).content == tone()


def test_playback_follows_the_visibility_of_the_call(stack: Stack, line: Line, server: MediaServer) -> None:
    owner = line.office.owner
    now = owner.get("/v1/settings/telephony").json
    olga = owner.made("/v1/contacts", {"name": "Olga", "phones": [OLGA]})
    task = {"title": "Secret", "contact_ids": [olga["id"]], "member_ids": [line.office.anna["id"]]}
    owner.made("/v1/tasks", task)
    hidden = {**now, "attach": {**now["attach"], "to": "last_active_task", "hidden": True}}
    assert owner.put("/v1/settings/telephony", hidden).status == 200
    call = recorded(line, "hidden", server.put("/hidden.wav", audio()))
    line.recording("hidden", "archived")
    _, stranger = hire(line.office, "Boris", "102")
    other = open_office(stack.api, stack.operator_token).owner
    for caller in (stranger, other):
        assert caller.get(path(call)).status == 404
    for caller in (owner, line.office.employee):
        assert caller.get(path(call)).status == 200


def test_missing_recording_is_reported(line: Line) -> None:
    line.talk("none", OLGA)
    answer = line.office.owner.get(path(line.call("none")))
    assert (answer.status, answer.json["detail"]) == (404, "The call has no recording.")
    nowhere = f"{'0' * 16}.{'0' * 32}.0000"
    assert line.office.owner.get(f"/v1/calls/{nowhere}/recording").status == 404


# ------------------------------------------------------------------ rules


def test_nothing_is_copied_if_the_settings_exclude_recordings(line: Line, server: MediaServer) -> None:
    rules(line.office, mode="none")
    url = server.put("/not-kept.wav", audio())
    call = recorded(line, "not-kept", url)
    line.recording("not-kept", "skipped")
    answer = line.office.owner.get(path(call))
    assert (answer.status, answer.json["detail"]) == (
        404,
        "The recording is not stored: the tenant's settings exclude recordings.",
    )
    assert "/not-kept.wav" not in {asked.path for asked in server.asked}


@pytest.mark.parametrize(("mode", "state"), [("link", "linked"), ("on_demand", "on_demand")])
def test_url_of_the_pbx_is_returned_by_the_settings(line: Line, server: MediaServer, mode: str, state: str) -> None:
    rules(line.office, mode=mode)
    url = server.put(f"/{mode}.wav", audio())
    call = recorded(line, mode, url, is_temp="0")
    line.recording(mode, state)
    played = line.office.owner.get(path(call)).json
    assert (played["url"], played["expires_at"]) == (url, None)
    # What the PBX keeps for a moment only is copied all the same.
    recorded(line, f"{mode}-once", server.put(f"/{mode}-once.wav", audio()))
    line.recording(f"{mode}-once", "archived")


def test_url_with_credentials_is_played_from_a_temporary_copy(
    stack: Stack, server: MediaServer, bucket: Bucket
) -> None:
    office = open_office(stack.api, stack.operator_token)
    made = office.owner.made(
        "/v1/integrations",
        {"provider": "itoolabs", "name": "VATS", "credentials": {"pbx_url": server.url, "api_key": "vats-key"}},
    )
    rules(office, mode="on_demand")
    url = server.put("/asked.mp3", audio())
    form = {"cmd": "history", "type": "in", "status": "Success", "phone": OLGA, "user": "ann", "ext": "101"}
    form |= {"callid": "asked", "start": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}", "duration": "9", "link": url}
    form |= {"crm_token": made["secrets"]["crm_token"]}
    assert requests.post(made["webhook_url"], data=form, timeout=60).status_code == 200
    line = Line(replace(office, integration=made))
    line.recording("asked", "on_demand")
    played = office.owner.get(path(line.call("asked"))).json
    assert requests.get(played["url"], timeout=60).content == tone()
    assert {asked.headers.get("x-api-key") for asked in server.asked if asked.path == "/asked.mp3"} == {"vats-key"}
    assert [key.split("/")[0] for key in bucket.keys(office.tenant_id)] == ["plays"]


def test_url_outside_of_the_pbx_is_never_returned(stack: Stack) -> None:
    """Ringostat signs nothing: whoever has the webhook's address could have employees open any page."""
    office = open_office(stack.api, stack.operator_token)
    made = office.owner.made("/v1/integrations", {"provider": "ringostat", "name": "R", "credentials": {}})
    rules(office, mode="link")
    form = {"uniqueid": "elsewhere", "caller": OLGA, "dst": "74951230001", "connected_with": "101", "billsec": "9"}
    form |= {"disposition": "ANSWERED", "recording": "https://app.ringostat.com.example.com/recordings/1"}
    assert requests.post(f"{made['webhook_url']}?event=after_call", data=form, timeout=60).status_code == 200
    line = Line(replace(office, integration=made))
    line.recording("elsewhere", "linked")
    answer = office.owner.get(path(line.call("elsewhere")))
    assert answer.status == 502
    assert "is not in one of this PBX's domains" in answer.json["detail"]


# ------------------------------------------------------------------ what goes wrong


REFUSED = {
    "html": (
        file(b"<!doctype html><title>Sign in</title>", "audio/mpeg"),
        "The file from the PBX is not audio.",
        False,
    ),
    "not-there": (status(404), "The PBX does not have the recording (HTTP 404).", False),
    "broken": (status(500), "The PBX returned HTTP 500.", False),
    "cut-off": (cut_off(tone()), "", False),
    "deleted": (status(410), "The PBX has deleted the recording.", True),
    "metadata": (to("http://169.254.169.254/latest/meta-data"), "The address leads into a private network.", True),
    "inside": (to("http://10.0.0.1/1.mp3"), "The address leads into a private network.", True),
    "shell": (to("http://127.0.0.1:22/"), "The port of the address is not allowed.", True),
    "declared": (endless(64 * 1024, declared=2000 * MEGABYTE), "The recording is over 256 MB.", True),
    "bomb": (bomb(300 * MEGABYTE), "The recording is over 256 MB.", True),
}


@pytest.mark.parametrize("what", REFUSED)
def test_invalid_recording_is_rejected_with_the_reason(
    line: Line, server: MediaServer, bucket: Bucket, what: str
) -> None:
    serve, reason, final = REFUSED[what]
    call = recorded(line, what, server.put(f"/{what}", serve))
    clock = threading.Event()
    while not (found := line.call(what)["recordings"][-1])["reason"]:
        clock.wait(0.1)
    assert reason in found["reason"]
    assert found["state"] == ("failed" if final else "waiting")
    answer = line.office.owner.get(path(call))
    assert (answer.status, found["reason"] in answer.json["detail"]) == (404 if final else 409, True)
    assert (bucket.keys(line.office.tenant_id), bucket.unfinished()) == ([], [])


def test_endless_stream_is_abandoned_in_bounded_memory(
    stack: Stack,
    line: Line,
    server: MediaServer,
    bucket: Bucket,
    record_property: Callable[[str, object], None],
) -> None:
    recorded(line, "short", server.put("/short.wav", audio()))
    line.recording("short", "archived")
    workers = {pid: forget_peak(pid) for pid in workers_of(stack, "RecordingsFunction")}
    recorded(line, "endless", server.put("/endless.mp3", endless(2000 * MEGABYTE)))
    assert line.recording("endless", "failed")["reason"] == "The recording is over 256 MB."
    # The runtime may have put another worker in place of one that was idle.
    usual = max(workers.values())
    peaks = {pid: peak for pid in workers_of(stack, "RecordingsFunction") if (peak := peak_of(pid))}
    grown = max(peak - workers.get(pid, usual) for pid, peak in peaks.items())
    said = f"recordings: one of 256 MB took {grown / MEGABYTE:.0f} MB of memory more than the function had"
    record_property("printed", said)
    assert grown <= MOST_GROWTH
    (kept,) = bucket.keys(line.office.tenant_id)
    assert kept.endswith(line.call("short")["recordings"][-1]["id"])
    assert bucket.unfinished() == []


def workers_of(stack: Stack, function: str) -> list[int]:
    """The processes that work for a function of the embedded stack."""
    wanted = f"AWS_LAMBDA_FUNCTION_NAME={stack.functions[function]}".encode()
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
    assert found
    return found


def forget_peak(pid: int) -> int:
    """Begin to look for the peak anew; the memory that the process has now, in bytes."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak_of(pid)


def peak_of(pid: int) -> int:
    """The most memory that a process had, in bytes; 0 if it is gone."""
    with suppress(FileNotFoundError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
    return 0


def test_slow_stream_is_abandoned_in_time(line: Line, server: MediaServer, bucket: Bucket) -> None:
    over = threading.Event()
    url = server.put("/drip.mp3", drip(over))
    line.talk("drip", OLGA)
    place = f"recordings/{line.office.tenant_id}/drip"
    item = item_of(line, "drip")
    with pytest.raises(fetching.FailedError):
        fetching.fetch_once(item, Recording(url, temporary=True), place, 0.5)
    over.set()
    assert (bucket.keys(line.office.tenant_id), bucket.unfinished()) == ([], [])


def item_of(line: Line, call_id: str) -> CallItem:
    """The call's item, as the functions read it."""
    office = line.office
    item = calls.read_newest(office.tenant_id, office.integration["id"], call_id)
    assert item is not None
    return item


def tried(line: Line, call_id: str, tries: int = 1) -> tuple[CallKey, str, RecordingState]:
    """The call, its recording, and how it stands with it, after so many failed tries."""
    clock = threading.Event()
    while True:
        item = item_of(line, call_id)
        for recording_id, kept in item.recordings.items():
            if kept.tries >= tries and kept.reason:
                return item.key, recording_id, kept
        clock.wait(0.1)


def later(kept: RecordingState) -> datetime:
    assert kept.due is not None
    return datetime.fromisoformat(kept.due)


def test_failing_copy_is_retried_for_two_days(line: Line, server: MediaServer, bucket: Bucket) -> None:
    recorded(line, "patient", server.put("/patient.mp3", status(404)))
    call, recording_id, kept = tried(line, "patient")
    pauses, begun = [], later(kept)
    while kept.state is RecordingStatus.WAITING:
        now = later(kept)
        # Before its time nothing is done.
        assert fetching.work(call, recording_id, now - timedelta(seconds=7)) == 7.0
        pauses.append(fetching.work(call, recording_id, now))
        kept = item_of(line, "patient").recordings[recording_id]
    assert pauses == [*(pause.total_seconds() for pause in fetching.PAUSES[1:]), None]
    assert timedelta(days=1) < now - begun < timedelta(days=3)
    assert (kept.state, kept.tries) == (RecordingStatus.FAILED, len(fetching.PAUSES) + 1)
    assert line.call("patient")["recordings"][-1]["state"] == "failed"


def test_retry_after_of_the_pbx_delays_the_next_attempt(line: Line, server: MediaServer, bucket: Bucket) -> None:
    recorded(line, "busy", server.put("/busy.mp3", status(429, retry_after="4000")))
    _, _, kept = tried(line, "busy")
    assert timedelta(seconds=3900) < later(kept) - datetime.now(UTC) <= timedelta(seconds=4000)


def test_late_recording_is_copied_by_a_retry(line: Line, server: MediaServer, bucket: Bucket) -> None:
    recorded(line, "later", server.put("/later.wav", in_turn(status(404), audio())))
    call, recording_id, kept = tried(line, "later")
    assert fetching.work(call, recording_id, later(kept)) is None
    shown = line.call("later")["recordings"][-1]
    assert (shown["state"], shown["reason"]) == ("archived", None)


def test_single_use_link_is_fetched_once_after_a_crash(line: Line, server: MediaServer, bucket: Bucket) -> None:
    url = server.put("/once.wav", in_turn(status(503), audio(), status(410)))
    recorded(line, "once", url)
    call, recording_id, kept = tried(line, "once")
    item = item_of(line, "once")
    # A function that wrote the copy, and nothing after it.
    place = recordings.place_of(item.tenant_id, call, recording_id)
    fetching.fetch_once(item, Recording(url, temporary=True), place, 20)
    assert fetching.work(call, recording_id, later(kept)) is None
    assert item_of(line, "once").recordings[recording_id].state is RecordingStatus.KEPT
    assert len([one for one in server.asked if one.path == "/once.wav"]) == 2


def test_concurrent_attempts_fetch_once(line: Line, server: MediaServer, bucket: Bucket) -> None:
    recorded(line, "twice", server.put("/twice.wav", in_turn(status(503), audio())))
    call, recording_id, kept = tried(line, "twice")
    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(lambda _: fetching.work(call, recording_id, later(kept)), range(6)))
    assert said.count(None) >= 1
    assert item_of(line, "twice").recordings[recording_id].tries == 2
    assert len([one for one in server.asked if one.path == "/twice.wav"]) == 2


def test_admin_retries_a_failed_copy(line: Line, server: MediaServer) -> None:
    call = recorded(line, "anew", server.put("/anew.wav", in_turn(status(410), audio())))
    found = line.recording("anew", "failed")
    assert line.office.employee.post(path(call, f"recordings/{found['id']}/fetch"), {}).status == 403
    asked = line.office.owner.post(path(call, f"recordings/{found['id']}/fetch"), {})
    assert (asked.status, asked.json["state"]) == (202, "waiting")
    line.recording("anew", "archived")
    again = line.office.owner.post(path(call, f"recordings/{found['id']}/fetch"), {})
    assert again.status == 409


# ------------------------------------------------------------------ how long


def test_copy_is_deleted_after_the_retention_period(
    stack: Stack, line: Line, server: MediaServer, bucket: Bucket
) -> None:
    call = recorded(line, "old", server.put("/old.wav", audio()))
    found = line.recording("old", "archived")
    pointer = Pointer(item_of(line, "old").key, found["id"])
    now = datetime.now(UTC)
    rules(line.office, mode="copy", retention_days=30)
    assert not fetching.review(pointer, now + timedelta(days=29))
    assert fetching.review(pointer, now + timedelta(days=31))
    assert bucket.keys(line.office.tenant_id) == []
    assert line.call("old")["recordings"][-1]["state"] == "expired"
    answer = line.office.owner.get(path(call))
    assert (answer.status, answer.json["code"]) == (404, "recording_expired")
    # Nothing is left to look at.
    assert pointer not in list(recordings.due(now + timedelta(days=400)))


def test_schedule_reviews_copies(stack: Stack, line: Line, server: MediaServer, bucket: Bucket) -> None:
    recorded(line, "looked-at", server.put("/looked-at.wav", audio()))
    found = line.recording("looked-at", "archived")
    pointer = Pointer(item_of(line, "looked-at").key, found["id"])
    recordings.watch(pointer, datetime.now(UTC) - timedelta(days=1))
    said = stack.client("lambda").invoke(
        FunctionName=stack.functions["RecordingsFunction"], Payload=b'{"source": "hangtag.recordings"}'
    )
    assert json.loads(said["Payload"].read())["looked_at"] >= 1
    # It is kept for ever: it is looked at again in a week.
    assert pointer not in list(recordings.due(datetime.now(UTC) + timedelta(days=6)))
    assert pointer in list(recordings.due(datetime.now(UTC) + timedelta(days=8)))


def test_held_recording_survives_retention_or_erasure(line: Line, server: MediaServer, bucket: Bucket) -> None:
    held = recorded(line, "held", server.put("/held.wav", audio()))
    free = recorded(line, "free", server.put("/free.wav", audio()))
    ids = {one: line.recording(one, "archived")["id"] for one in ("held", "free")}
    owner = line.office.owner
    place = path(held, f"recordings/{ids['held']}/hold")
    assert line.office.employee.put(place, {"retention_hold": True}).status == 403
    assert owner.put(place, {"retention_hold": True}).json["retention_hold"] is True
    rules(line.office, mode="copy", retention_days=1)
    pointer = Pointer(item_of(line, "held").key, ids["held"])
    assert not fetching.review(pointer, datetime.now(UTC) + timedelta(days=100))
    erasure = owner.made("/v1/erasures", {"number": f"+{OLGA}"})
    clock = threading.Event()
    while owner.get(f"/v1/erasures/{erasure['id']}").json["state"] != "done":
        clock.wait(0.1)
    assert [key.rpartition("/")[2] for key in bucket.keys(line.office.tenant_id)] == [ids["held"]]
    assert owner.get(path(free)).status == 404
    assert requests.get(owner.get(path(held)).json["url"], timeout=60).content == tone()
    # Once it is let go its time is up.
    assert owner.put(place, {"held": False}).json["retention_hold"] is False
    assert fetching.review(pointer, datetime.now(UTC) + timedelta(days=100))
    assert bucket.keys(line.office.tenant_id) == []
    told = [one["action"] for one in owner.get("/v1/audit").json["items"]]
    assert {"recording.held", "recording.released"} <= set(told)


def test_erasing_a_tenant_deletes_its_recordings(stack: Stack, server: MediaServer, bucket: Bucket) -> None:
    office = open_office(stack.api, stack.operator_token)
    line = Line(office)
    recorded(line, "gone", server.put("/gone.wav", audio()))
    line.recording("gone", "archived")
    assert bucket.keys(office.tenant_id)
    clock = threading.Event()
    while office.operator.send("DELETE", f"/v1/tenants/{office.tenant_id}").status not in (204, 404):
        clock.wait(0.1)
    assert bucket.keys(office.tenant_id) == []
