"""Conversion of request log entries to a call story."""

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hangtag.store.integrations.request_log import mask, mask_headers
from local import story as command
from local.simulator import default_lines
from local.simulator.story import Event, Story, StoryError, load_stories, load_story, message, read_story
from local.simulator.story.from_log import LogOptions, read_entries, story_from_log
from provider_stories import NOON, Line, comparable, line

IDS = {"call": "7F3A0C9D21E84B5AA6D0-1234", "call2": "0B1C2D3E4F5061728394-5678"}
STORIES = [story for provider in default_lines() for story in load_stories(provider) if len(story.tenants) == 1]
# An entry as the API returns it, of a telephony API's request.
ENTRY: dict[str, Any] = {
    "id": "0000019cabcdef0123456789abcdef01",
    "received_at": "2026-03-01T12:00:00.000+00:00",
    "status": 200,
    "reason": "understood and stored",
    "kept": "watched",
    "method": "POST",
    "path": "/tel/api/***",
    "query": "",
    "headers": {"content-type": "application/x-www-form-urlencoded", "host": "hooks.example.com"},
    "body": "cmd=event&planfix_token=***&type=in&event=INCOMING&phone=79101234567&diversion=74951230001&ext=101"
    "&callid=7F3A0C9D21E84B5AA6D0-1234",
    "truncated": False,
    "events": [{"kind": "ringing", "extension": "101", "call_id": "c_1", "result": "stored"}],
}


def later(seconds: float, body: str, **changes: Any) -> dict[str, Any]:
    moment = datetime.fromisoformat(ENTRY["received_at"]) + timedelta(seconds=seconds)
    return {**ENTRY, "received_at": moment.isoformat(timespec="milliseconds"), "body": body, **changes}


HANG_UP = later(
    68.02,
    ENTRY["body"].replace("INCOMING", "COMPLETED") + "&status=Success&duration=62&is_recorded=0",
)


def logged(pbx: Line, event: Event, at: datetime) -> dict[str, Any]:
    """Return the request log entry of a story's event."""
    request = pbx.received(pbx.signed(message(event, IDS, NOON, at), at), at)
    return {
        "id": "e1",
        "received_at": at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "status": event.reply,
        "method": request.method,
        "path": request.path,
        "query": mask(request.query.encode())[0],
        "headers": mask_headers(request.headers),
        "body": mask(request.body)[0],
        "truncated": False,
        "events": [],
    }


def story_entries(story: Story) -> list[dict[str, Any]]:
    pbx, at, entries = line(story.provider), NOON, []
    for number, event in enumerate(story.events):
        at += timedelta(seconds=event.after, milliseconds=number)
        entries.append(logged(pbx, event, at))
    return entries


def loaded(text: str, folder: Path, provider: str = "telephony_api") -> Story:
    path = folder / provider / "from_log.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return read_story(path)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.title)
def test_story_from_its_own_log_folds_to_the_same_calls(story: Story, tmp_path: Path) -> None:
    pbx = line(story.provider)
    zone = str(pbx.pbx.SETTINGS.get("time_zone") or "UTC")
    # Mango's command ids are not call ids, so the caller names them.
    options = LogOptions(time_zone=zone, call_ids=tuple(IDS[name] for name in sorted(story.placeholders)))
    text = story_from_log(story_entries(story), options)
    copy = loaded(text, tmp_path, story.provider)
    assert copy.placeholders
    original = pbx.folded(story.events)
    assert {key[1]: comparable(call) for key, call in pbx.folded(copy.events).items()} == {
        key[1]: comparable(call) for key, call in original.items()
    }
    assert not any(value in text for value in IDS.values())


def test_entries_become_events_with_gaps_in_the_order_of_arrival(tmp_path: Path) -> None:
    story = loaded(story_from_log([HANG_UP, ENTRY]), tmp_path)
    assert [event.after for event in story.events] == [0, 68]
    assert [event.post["event"] for event in story.events] == ["INCOMING", "COMPLETED"]
    assert {event.post["callid"] for event in story.events} == {"{call}"}


def test_masked_secrets_are_left_out_of_the_story(tmp_path: Path) -> None:
    text = story_from_log([ENTRY])
    assert "***" not in text
    assert "planfix_token" not in text
    assert loaded(text, tmp_path).events[0].post["phone"] == "79101234567"


def test_draft_of_the_expectation_has_the_outcome_of_the_call(tmp_path: Path) -> None:
    (expected,) = loaded(story_from_log([ENTRY, HANG_UP]), tmp_path).expect
    assert (expected.call, expected.outcome, expected.tag) == ("{call}", "success", None)


def test_rejected_request_keeps_its_status_as_the_expected_reply(tmp_path: Path) -> None:
    text = story_from_log([{**ENTRY, "body": "cmd=nonsense&callid=ABCDEF-1", "status": 400}])
    assert "reply: 400" in text
    assert "No call was recognised" in text


def test_call_id_passed_by_hand_becomes_a_placeholder() -> None:
    entry = {**ENTRY, "body": "cmd=nonsense&callid=ABCDEF-1", "status": 400}
    assert 'callid: "{call}"' in story_from_log([entry], LogOptions(call_ids=("ABCDEF-1",)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-01T12:01:08Z", "{time:iso}"),
        ("2026-03-01T14:01:08+02:00", "{time:iso}"),
        ("2026-03-01T12:00:06.000Z", "{time-62:iso}"),
        ("2026-03-01T12:00:01Z", "{start:iso}"),
        ("20260301T120000Z", "{start:%Y%m%dT%H%M%SZ}"),
        ("2026-03-01 15:00:00", "{start:Europe/Moscow|%Y-%m-%d %H:%M:%S}"),
        ("Sun, 01 Mar 2026 12:01:08 +0000", "{time:%a, %d %b %Y %H:%M:%S +0000}"),
        ("1772366400", "{start:epoch}"),
        (1772366468, "{time:integer}"),
        (1772366468000, "{time:milliseconds}"),
        ("2025-03-01T12:00:00Z", "2025-03-01T12:00:00Z"),
        ("2025550123", "2025550123"),
        (62, 62),
        (True, True),
    ],
)
def test_recognised_times_become_placeholders(value: Any, expected: Any, tmp_path: Path) -> None:
    first = later(0, json.dumps({"type": "ringing"}), path="/hooks/generic/***")
    body = json.dumps({"type": "ended", "at": value})
    entries = [first, later(68, body, path="/hooks/generic/***")]
    text = story_from_log(entries, LogOptions(time_zone="Europe/Moscow"))
    path = tmp_path / "story.yaml"
    path.write_text(text + '\nexpect: [{call: "c", outcome: missed, skip_reason: null, tag: null}]\n')
    at = (read_story(path).events[1].body or {})["at"]
    assert (type(at), at) == (type(expected), expected)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"truncated": True}, "only the start of this request"),
        ({"path": "/somewhere"}, "names no known provider"),
        ({"received_at": "yesterday"}, "received_at is not a time"),
        ({"body": "a=1&a=2"}, "the field a occurs twice"),
        ({"body": "{", "headers": {"content-type": "application/json"}}, "not valid JSON"),
        ({"body": "[]", "headers": {"content-type": "application/json"}}, "not a JSON object"),
    ],
)
def test_unusable_entry_is_rejected_with_its_id(entry: Mapping[str, Any], message: str) -> None:
    with pytest.raises(StoryError, match=rf"Entry {ENTRY['id']}: .*{message}"):
        story_from_log([{**ENTRY, **entry}])


def test_entries_of_several_providers_are_rejected() -> None:
    with pytest.raises(StoryError, match="several providers: telephony_api, zadarma"):
        story_from_log([ENTRY, {**ENTRY, "path": "/hooks/zadarma/***"}])


@pytest.mark.parametrize("text", ["", "[]", "[1]", "null", '{"items": []}'])
def test_log_without_entries_is_rejected(text: str) -> None:
    with pytest.raises(StoryError, match=r"has no entries|is not JSON"):
        read_entries(text)


def test_entry_without_a_field_is_rejected_with_its_name() -> None:
    with pytest.raises(StoryError, match="received_at is missing"):
        story_from_log(read_entries(json.dumps({"id": "x", "body": ""})))


def test_command_reads_a_page_from_stdin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"items": [HANG_UP, ENTRY], "next_cursor": None})))
    assert command.main(["from-log", "--about", "A call."]) == 0
    story = loaded(capsys.readouterr().out, tmp_path)
    assert story.about == "A call."
    assert story.source == "Request log of an integration with telephony_api, 2026-03-01"


def test_command_writes_the_story_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "entry.json").write_text(json.dumps(ENTRY))
    (tmp_path / "telephony_api").mkdir()
    output = tmp_path / "telephony_api" / "call.yaml"
    assert command.main(["from-log", str(tmp_path / "entry.json"), "-o", str(output)]) == 0
    assert read_story(output).events[0].post == {
        **load_story("answered_incoming").events[0].post,
        "callid": "{call}",
    }


def test_command_reports_a_wrong_time_zone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "entry.json").write_text(json.dumps(ENTRY))
    assert command.main(["from-log", str(tmp_path / "entry.json"), "--time-zone", "Mars/Base"]) == 2
    assert "Unknown time zone 'Mars/Base'" in capsys.readouterr().err
