"""The history of both APIs of ITooLabs' VATS."""

from datetime import timedelta
from typing import Any

import pytest

from fake_clients import PlainClient
from hangtag.domain.calls.event import CallEvent, Outcome
from hangtag.domain.calls.fold import fold
from itoolabs_helpers import ITOOLABS, LEGACY, fake_vats
from local.simulator.story import load_stories, message
from provider_stories import IDS, NOON, comparable, line


def row(**more: Any) -> dict[str, Any]:
    return {
        "uid": "A1", "type": "in", "status": "success", "client": "79101234567", "user": "anna", "ext": "101",
        "diversion": "74951230001", "start": "2026-03-01T12:00:00Z", "duration": 62, "record": None, **more,
    }  # fmt: skip


@pytest.mark.parametrize("name", [story.name for story in load_stories("itoolabs")])
def test_history_equals_the_webhook_events_of_the_same_call(name: str) -> None:
    """Each story's own `cmd=history`, as a row of the API."""
    ours = line("itoolabs")
    (story,) = [one for one in load_stories("itoolabs") if one.name == name]
    calls = ours.folded(story.events)
    rows = []
    for one in story.events:
        sent = message(one, IDS, NOON, NOON)
        payload: dict[str, Any] = {**sent.post, **(sent.body or {})}
        if payload.get("cmd") == "history":
            more = {"status": payload["status"], "duration": payload["duration"], "record": payload.get("link")}
            who = {
                "client": payload["phone"],
                "user": payload.get("user"),
                "ext": payload.get("ext"),
                "type": payload["type"],
            }
            where = {"diversion": payload["diversion"], "start": payload["start"], "uid": payload["callid"]}
            rows.append(row(**more, **who, **where))
    assert rows
    with fake_vats() as (account, api, _):
        api.rows = rows
        span = (NOON - timedelta(hours=1), NOON + timedelta(hours=1))
        listed = list(ITOOLABS.history(account, *span, PlainClient()))
    for event in listed:
        call = calls["main", event.call_id]
        events = [*_events(ours, story.events, event.call_id), event]
        assert comparable(fold(events)) | {"recording": None} == comparable(call) | {"recording": None}


def _events(ours: Any, story_events: Any, call_id: str) -> list[CallEvent]:
    at = NOON
    events: list[CallEvent] = []
    for number, event in enumerate(story_events):
        at += timedelta(seconds=event.after, microseconds=number)
        events += ours.accepted(ours.signed(message(event, IDS, NOON, at), at), at).events
    return [one for one in events if one.call_id == call_id]


def test_history_of_the_older_api_is_read_from_csv() -> None:
    with fake_vats(LEGACY) as (account, api, _):
        api.csv = [
            "A1,in,79101234567,anna,74951230001,20260301T120000Z,6,62,https://vats.example/1.mp3",
            "A2,missed,79101234567,anna,74951230001,20260301T121500Z,20,0,",
            "A3,out,74957654321,vera,74951230002,20260301T122500Z,35,0,",
            "broken",
            "A4,in,7,anna,7,not a time,1,1,",
        ]
        listed = list(ITOOLABS.history(account, NOON, NOON + timedelta(hours=1), PlainClient()))
    assert [(one.call_id, one.outcome, one.talk_seconds) for one in listed] == [
        ("A1", Outcome.SUCCESS, 62),
        ("A2", Outcome.MISSED, 0),
        ("A3", Outcome.NO_ANSWER, 0),
    ]
    assert listed[0].recording == "https://vats.example/1.mp3"
