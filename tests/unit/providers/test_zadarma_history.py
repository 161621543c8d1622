"""Zadarma's statistics as history."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fake_clients import PlainClient
from hangtag.domain.calls.event import Direction
from hangtag.domain.calls.fold import fold
from hangtag.errors import UnreachableError
from local.simulator.rest import Fault, Response
from local.simulator.story import load_story, message
from provider_stories import IDS, NOON, comparable, line
from zadarma_helpers import ZADARMA, fake_zadarma


def row(call_id: str, started: datetime, **more: Any) -> dict[str, Any]:
    """Return one row of the statistics, in the account's clock."""
    local = (started + timedelta(hours=3)).strftime("%Y-%m-%d %H:%M:%S")
    return {
        "call_type": "in", "call_id": "1458313316.1", "sip": "", "callstart": local, "clid": "79101234567",
        "destination": "101", "disposition": "answered", "seconds": 62, "is_recorded": "false", "pbx_call_id": call_id,
        **more,
    }  # fmt: skip


def test_history_reads_all_pages_of_both_directions() -> None:
    with fake_zadarma() as (account, api, server):
        api.rows = [row(f"in_{n}", NOON) for n in range(1500)]
        api.rows += [row("out_1", NOON, call_type="out", sip="102", destination="74957654321")]
        events = list(ZADARMA.history(account, NOON - timedelta(hours=1), NOON + timedelta(hours=1), PlainClient()))
        pages = [request.parameters["skip"] for request in server.requests]
    assert len({event.call_id for event in events}) == 1501
    assert pages == ["0", "1000", "0"]
    assert [event.extension for event in events if event.direction is Direction.OUT] == ["102"]


def test_history_requests_at_most_a_month_at_once() -> None:
    with fake_zadarma() as (account, _, server):
        list(ZADARMA.history(account, NOON - timedelta(days=70), NOON, PlainClient()))
        assert len(server.requests) == 6
        for request in server.requests:
            spans = [datetime.fromisoformat(request.parameters[name]) for name in ("start", "end")]
            assert spans[1] - spans[0] <= timedelta(days=30)


@pytest.mark.parametrize("name", ["answered_incoming", "outgoing_answered", "outgoing_no_answer", "missed_incoming"])
def test_history_equals_the_webhook_events_of_the_same_call(name: str) -> None:
    ours = line("zadarma")
    story = load_story(name, "zadarma").events
    (call,) = ours.folded(story).values()
    rows = {
        "answered_incoming": row("A1", NOON),
        "missed_incoming": row("A1", NOON, disposition="no answer", seconds=0),
        "outgoing_answered": row(
            "A1", NOON, call_type="out", sip="102", clid="74951230001", destination="79101234567", seconds=124,
            is_recorded="true",
        ),
        "outgoing_no_answer": row(
            "A1", NOON, call_type="out", sip="103", clid="74951230002", destination="74957654321", seconds=0,
            disposition="no answer",
        ),
    }  # fmt: skip
    with fake_zadarma() as (account, api, _):
        api.rows = [rows[name]]
        rows_events = list(
            ZADARMA.history(account, NOON - timedelta(hours=1), NOON + timedelta(hours=1), PlainClient())
        )
    webhook = [
        one
        for number, event in enumerate(story)
        for one in ours.accepted(ours.signed(message(event, IDS, NOON, NOON)), NOON + timedelta(seconds=number)).events
    ]
    assert comparable(fold([*webhook, *rows_events])) | _times() == comparable(fold(webhook)) | _times()
    lost = fold(rows_events)
    assert (lost.outcome, lost.talk_seconds or None) == (call.outcome, call.talk_seconds or None)
    assert (lost.direction, lost.answered_by) == (call.direction, call.answered_by)


def _times() -> dict[str, None]:
    """Return the fields that can differ: the history has its own clock, and the extension of a missed call."""
    return dict.fromkeys(("ended_at", "answered_at", "extensions"))


def test_history_skips_unreadable_rows() -> None:
    rows = [{"pbx_call_id": "x"}, "junk", None, row("good", NOON), {**row("bad", NOON), "seconds": [1]}]
    with fake_zadarma() as (account, _, server):
        server.faults += [Fault(Response(200, {"status": "success", "stats": rows}))]
        events = list(ZADARMA.history(account, NOON - timedelta(hours=1), NOON, PlainClient()))
    assert {event.call_id for event in events} == {"good"}


def test_response_without_a_list_is_an_error() -> None:
    with fake_zadarma() as (account, _, server):
        server.faults += [Fault(Response(200, json.dumps({"status": "success"})))] * 2
        with pytest.raises(UnreachableError):
            list(ZADARMA.history(account, NOON - timedelta(hours=1), NOON, PlainClient()))
        with pytest.raises(UnreachableError):
            ZADARMA.extensions(account, PlainClient())


def test_history_times_are_utc() -> None:
    with fake_zadarma() as (account, api, _):
        api.rows = [row("in_1", NOON)]
        (event,) = ZADARMA.history(account, NOON - timedelta(hours=1), NOON + timedelta(hours=1), PlainClient())
    assert event.started_at == NOON
    assert event.at.tzinfo is UTC
