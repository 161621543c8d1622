"""A bridge's history."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fake_clients import PlainClient
from generic_helpers import EVENT, GENERIC, NOW, parse
from hangtag.domain.calls.event import CallEvent
from hangtag.domain.calls.fold import fold
from hangtag.errors import UnreachableError
from hangtag.providers.base import (
    Account,
)
from local.simulator.providers.generic.api import Api
from local.simulator.rest import base as rest
from local.simulator.story import Message, load_stories, message


@pytest.mark.parametrize("name", [story.name for story in load_stories("generic")])
def test_history_folds_to_the_record_of_the_webhook(
    name: str, bridge_account: Account, bridge_api: Api, bridge_server: rest.Server
) -> None:
    (story,) = (parse_one for parse_one in load_stories("generic") if parse_one.name == name)
    at = NOW
    posted: list[CallEvent] = []
    for event in story.events:
        at += timedelta(seconds=event.after)
        sent = message(event, {"call": "A", "call2": "B"}, NOW, at)
        # The bridge sends the time of every event, as its page requires.
        bridge_api.events += [{"at": _iso(at), **inner, "started_at": _iso(NOW)} for inner in _events(sent)]
        for inner in bridge_api.events[-len(_events(sent)) :]:
            posted += parse(inner, f"m-{len(posted)}")
    listed = list(GENERIC.history(bridge_account, NOW - timedelta(hours=1), NOW + timedelta(hours=1), PlainClient()))
    assert len(listed) == len(posted)
    assert len(bridge_server.requests) == -(-len(listed) // bridge_api.page)
    for call_id in {event.call_id for event in listed}:
        ours = [event for event in posted if event.call_id == call_id]
        theirs = [event for event in listed if event.call_id == call_id]
        assert fold(ours).digest() == fold(theirs).digest() == fold([*ours, *theirs]).digest()
    assert list(GENERIC.history(bridge_account, NOW - timedelta(days=9), NOW - timedelta(days=8), PlainClient())) == []


def _events(sent: Message) -> list[Mapping[str, Any]]:
    body: Mapping[str, Any] = sent.body or {}
    inner: list[Mapping[str, Any]] = body.get("events", [body])
    return inner


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_history_of_long_ago_has_its_own_times(bridge_account: Account, bridge_server: rest.Server) -> None:
    rows = [{**EVENT, "at": "2020-01-02T03:04:05Z"}, {"type": "parked"}]
    bridge_server.faults.append(rest.Fault(rest.Response(200, {"events": rows})))
    (event,) = GENERIC.history(bridge_account, NOW, NOW, PlainClient())
    assert (event.at, event.at_is_arrival) == (datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), False)


def test_history_without_end_or_time_is_an_error(bridge_account: Account, bridge_server: rest.Server) -> None:
    for wrong in ({**EVENT}, {**EVENT, "at": "2026-02-30T00:00:00Z"}, "x", {"call_id": "c"}):
        bridge_server.faults.append(rest.Fault(rest.Response(200, {"events": [wrong]})))
        with pytest.raises(UnreachableError, match=r"is unreadable: events\[0\]"):
            list(GENERIC.history(bridge_account, NOW, NOW, PlainClient()))
    bridge_server.requests.clear()
    bridge_server.faults += [rest.Fault(rest.Response(200, {"events": [], "next_cursor": "again"}))] * 500
    with pytest.raises(UnreachableError, match="does not end"):
        list(GENERIC.history(bridge_account, NOW, NOW, PlainClient()))
    assert len(bridge_server.requests) == 200
    assert bridge_server.requests[1].json["cursor"] == "again"
