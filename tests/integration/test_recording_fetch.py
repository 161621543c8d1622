"""Recordings: attempts to fetch copies, their limits and their retries."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hangtag.domain.calls.fold import Recording
from hangtag.services.recordings import fetch as fetching
from hangtag.store.calls import recordings
from hangtag.store.calls.items import CallKey
from hangtag.store.calls.recording_states import RecordingState, RecordingStatus
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
from recorded_calls import OLGA, Bucket, call_path, item_of, record_call, recordings_bucket

PORT = 4668

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

MEGABYTE = 1_000_000
# Maximum growth of memory for a recording of any size, compared to a short one.
MOST_GROWTH = 64 * MEGABYTE


@pytest.fixture(scope="module")
def server() -> Iterator[MediaServer]:
    with media() as started:
        yield started


@pytest.fixture
def bucket(stack: Stack, environment: pytest.MonkeyPatch) -> Bucket:
    return recordings_bucket(stack, environment)


def failed_attempt(line: Line, call_id: str, tries: int = 1) -> tuple[CallKey, str, RecordingState]:
    """Return a call, its recording's id and state, after `tries` failed attempts."""
    clock = threading.Event()
    while True:
        item = item_of(line, call_id)
        for recording_id, state in item.recordings.items():
            if state.tries >= tries and state.reason:
                return item.key, recording_id, state
        clock.wait(0.1)


def due_time(state: RecordingState) -> datetime:
    assert state.due is not None
    return datetime.fromisoformat(state.due)


INVALID = {
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


@pytest.mark.parametrize("name", INVALID)
def test_invalid_recording_is_rejected_with_the_reason(
    line: Line, server: MediaServer, bucket: Bucket, name: str
) -> None:
    serve, reason, final = INVALID[name]
    call = record_call(line, name, server.put(f"/{name}", serve))
    clock = threading.Event()
    while not (recording := line.call(name)["recordings"][-1])["reason"]:
        clock.wait(0.1)
    assert reason in recording["reason"]
    assert recording["state"] == ("failed" if final else "waiting")
    response = line.office.owner.get(call_path(call))
    assert (response.status, recording["reason"] in response.json["detail"]) == (404 if final else 409, True)
    assert (bucket.keys(line.office.tenant_id), bucket.unfinished()) == ([], [])


def test_endless_stream_is_abandoned_in_bounded_memory(
    stack: Stack,
    line: Line,
    server: MediaServer,
    bucket: Bucket,
    record_property: Callable[[str, object], None],
) -> None:
    record_call(line, "short", server.put("/short.wav", audio()))
    line.recording("short", "archived")
    workers = {pid: reset_peak(pid) for pid in workers_of(stack, "RecordingsFunction")}
    record_call(line, "endless", server.put("/endless.mp3", endless(2000 * MEGABYTE)))
    assert line.recording("endless", "failed")["reason"] == "The recording is over 256 MB."
    # The runtime can replace an idle worker by a new one.
    usual = max(workers.values())
    peaks = {pid: peak for pid in workers_of(stack, "RecordingsFunction") if (peak := peak_of(pid))}
    grown = max(peak - workers.get(pid, usual) for pid, peak in peaks.items())
    message = f"recordings: one of 256 MB took {grown / MEGABYTE:.0f} MB of memory more than the function had"
    record_property("printed", message)
    assert grown <= MOST_GROWTH
    (copy,) = bucket.keys(line.office.tenant_id)
    assert copy.endswith(line.call("short")["recordings"][-1]["id"])
    assert bucket.unfinished() == []


def workers_of(stack: Stack, function: str) -> list[int]:
    """Return the process ids of a function's workers in the embedded stack."""
    marker = f"AWS_LAMBDA_FUNCTION_NAME={stack.functions[function]}".encode()
    pids = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if marker in (place / "environ").read_bytes().split(b"\0"):
                pids.append(int(place.name))
    assert pids
    return pids


def reset_peak(pid: int) -> int:
    """Reset the peak of a process and return its current memory in bytes."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak_of(pid)


def peak_of(pid: int) -> int:
    """Return the peak memory of a process in bytes; 0 if it has ended."""
    with suppress(FileNotFoundError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
    return 0


def test_slow_stream_is_abandoned_at_its_time_limit(line: Line, server: MediaServer, bucket: Bucket) -> None:
    over = threading.Event()
    url = server.put("/drip.mp3", drip(over))
    line.talk("drip", OLGA)
    place = f"recordings/{line.office.tenant_id}/drip"
    item = item_of(line, "drip")
    with pytest.raises(fetching.FailedError):
        fetching.fetch_once(item, Recording(url, temporary=True), place, 0.5)
    over.set()
    assert (bucket.keys(line.office.tenant_id), bucket.unfinished()) == ([], [])


def test_failing_copy_is_retried_for_two_days(line: Line, server: MediaServer, bucket: Bucket) -> None:
    record_call(line, "patient", server.put("/patient.mp3", status(404)))
    call, recording_id, recording = failed_attempt(line, "patient")
    pauses, started = [], due_time(recording)
    while recording.state is RecordingStatus.WAITING:
        now = due_time(recording)
        # An attempt before its time does nothing.
        assert fetching.work(call, recording_id, now - timedelta(seconds=7)) == 7.0
        pauses.append(fetching.work(call, recording_id, now))
        recording = item_of(line, "patient").recordings[recording_id]
    assert pauses == [*(pause.total_seconds() for pause in fetching.PAUSES[1:]), None]
    assert timedelta(days=1) < now - started < timedelta(days=3)
    assert (recording.state, recording.tries) == (RecordingStatus.FAILED, len(fetching.PAUSES) + 1)
    assert line.call("patient")["recordings"][-1]["state"] == "failed"


def test_retry_after_of_the_pbx_delays_the_next_attempt(line: Line, server: MediaServer, bucket: Bucket) -> None:
    record_call(line, "busy", server.put("/busy.mp3", status(429, retry_after="4000")))
    _, _, recording = failed_attempt(line, "busy")
    assert timedelta(seconds=3900) < due_time(recording) - datetime.now(UTC) <= timedelta(seconds=4000)


def test_late_recording_is_copied_by_a_retry(line: Line, server: MediaServer, bucket: Bucket) -> None:
    record_call(line, "later", server.put("/later.wav", in_turn(status(404), audio())))
    call, recording_id, recording = failed_attempt(line, "later")
    assert fetching.work(call, recording_id, due_time(recording)) is None
    shown = line.call("later")["recordings"][-1]
    assert (shown["state"], shown["reason"]) == ("archived", None)


def test_single_use_link_is_fetched_once_after_a_crash(line: Line, server: MediaServer, bucket: Bucket) -> None:
    url = server.put("/once.wav", in_turn(status(503), audio(), status(410)))
    record_call(line, "once", url)
    call, recording_id, recording = failed_attempt(line, "once")
    item = item_of(line, "once")
    # The state after a crash between the copy and the write of its state.
    place = recordings.place_of(item.tenant_id, call, recording_id)
    fetching.fetch_once(item, Recording(url, temporary=True), place, 20)
    assert fetching.work(call, recording_id, due_time(recording)) is None
    assert item_of(line, "once").recordings[recording_id].state is RecordingStatus.KEPT
    assert len([one for one in server.requests if one.path == "/once.wav"]) == 2


def test_concurrent_attempts_fetch_a_recording_once(line: Line, server: MediaServer, bucket: Bucket) -> None:
    record_call(line, "twice", server.put("/twice.wav", in_turn(status(503), audio())))
    call, recording_id, recording = failed_attempt(line, "twice")
    with ThreadPoolExecutor(6) as pool:
        pauses = list(pool.map(lambda _: fetching.work(call, recording_id, due_time(recording)), range(6)))
    assert pauses.count(None) >= 1
    assert item_of(line, "twice").recordings[recording_id].tries == 2
    assert len([one for one in server.requests if one.path == "/twice.wav"]) == 2


def test_admin_can_retry_the_copy_of_a_failed_recording(line: Line, server: MediaServer) -> None:
    call = record_call(line, "again", server.put("/again.wav", in_turn(status(410), audio())))
    recording = line.recording("again", "failed")
    assert line.office.employee.post(call_path(call, f"recordings/{recording['id']}/fetch"), {}).status == 403
    retry = line.office.owner.post(call_path(call, f"recordings/{recording['id']}/fetch"), {})
    assert (retry.status, retry.json["state"]) == (202, "waiting")
    line.recording("again", "archived")
    again = line.office.owner.post(call_path(call, f"recordings/{recording['id']}/fetch"), {})
    assert again.status == 409
