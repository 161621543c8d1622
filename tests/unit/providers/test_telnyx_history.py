"""Call log of Telnyx."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from hangtag.domain.calls.event import Kind
from hangtag.domain.calls.fold import fold
from hangtag.errors import UnreachableError
from local.simulator.providers.telnyx import pbx as simulated
from local.simulator.providers.telnyx.api import KNOWN_RECORDING
from local.simulator.rest import Fault, Response
from local.simulator.story import Story, load_story, message
from provider_stories import IDS, NOON, comparable
from telnyx_helpers import deliveries, each_story, fake_account, flat, library, telnyx


def listed(story: Story, call: str, start: datetime) -> list[dict[str, Any]]:
    """Return the webhook deliveries of a story that began at `start`."""
    at, rows = start, []
    for number, event in enumerate(story.events):
        at += timedelta(seconds=event.after, microseconds=number)
        body = message(event, {"call": call}, start, at).body
        assert body is not None
        sent = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        row = {"id": f"d-{call}-{number}", "record_type": "webhook_delivery", "status": "delivered"}
        rows.append({**row, "started_at": sent, "finished_at": sent, "webhook": body["data"]})
    return rows


def stored(call: str, at: datetime, id_: str = KNOWN_RECORDING) -> dict[str, Any]:
    row = {"id": id_, "record_type": "recording", "status": "completed", "call_session_id": call}
    return {**row, "created_at": at.isoformat()}


@each_story
def test_history_yields_the_events_of_the_webhooks(story: Story) -> None:
    by_webhook = flat([events for _, events in deliveries(story)])
    right = fold(by_webhook)
    with fake_account() as at:
        at.api.lists["webhook_deliveries"] = listed(story, IDS["call"], NOON)
        if right.recording is not None and not right.recording.temporary:
            at.api.lists["recordings"] = [stored(IDS["call"], NOON + timedelta(minutes=4))]
        past = list(telnyx.history(at.account, NOON - timedelta(hours=1), NOON + timedelta(hours=1), at.client))
        assert fold([*by_webhook, *past]) == right
        if right.recording is None or not right.recording.temporary:
            assert fold(past) == right
        digests = {event.digest() for event in by_webhook}
        assert {event.digest() for event in past if event.kind is not Kind.RECORDED} <= digests


def test_history_replaces_lost_webhooks() -> None:
    story = load_story("recording_temporary", "telnyx")
    by_webhook = [event for _, events in deliveries(story)[::3] for event in events]
    with fake_account() as at:
        at.api.lists["webhook_deliveries"] = listed(story, IDS["call"], NOON)
        at.api.lists["recordings"] = [stored(IDS["call"], NOON + timedelta(minutes=1))]
        past = list(telnyx.history(at.account, NOON - timedelta(hours=1), NOON + timedelta(hours=1), at.client))
        call = fold([*by_webhook, *past])
        assert call.recording is not None
        assert (call.recording.url, call.recording.temporary) == (KNOWN_RECORDING, False)
        right = fold(flat([events for _, events in deliveries(story)]))
        assert comparable(call) == comparable(right)


def test_history_contains_calls_that_began_in_the_period() -> None:
    story = load_story("answered_incoming", "telnyx")
    hour = timedelta(hours=1)
    begun = {"before": NOON - timedelta(seconds=5), "first": NOON, "last": NOON + hour - timedelta(seconds=1)}
    begun |= {"after": NOON + hour, "long after": NOON + 3 * hour}
    with fake_account() as at:
        for call, start in begun.items():
            at.api.lists["webhook_deliveries"] += listed(story, call, start)
            at.api.lists["recordings"].append(stored(call, start + timedelta(minutes=2), f"rec-{call}"))
        past = list(telnyx.history(at.account, NOON, NOON + hour, at.client))
        assert {event.call_id for event in past} == {"first", "last"}
        assert {event.recording for event in past if event.recording} == {"rec-first", "rec-last"}
        for call in ("first", "last"):
            groups = [event for event in past if event.call_id == call]
            assert fold(groups).closed
            assert fold(groups).started_at == begun[call]


def test_history_reads_every_page_as_the_vendor_library_does() -> None:
    with fake_account() as at, library(at) as client:
        for number in range(7):
            at.api.lists["webhook_deliveries"] += listed(
                load_story("missed_incoming", "telnyx"), f"c{number}", NOON + timedelta(minutes=number)
            )
        at.api.page_size = 4
        past = list(telnyx.history(at.account, NOON, NOON + timedelta(hours=1), at.client))
        assert len({event.call_id for event in past}) == 7
        lists = [request_log for request_log in at.server.requests if request_log.path == "/v2/webhook_deliveries"]
        assert len(lists) == 7
        ours = parse_qsl(lists[0].query)
        at.server.requests.clear()
        until = "2026-03-01T17:30:00Z"
        client.webhook_deliveries.list(
            filter={
                "event_type": "call.initiated,call.answered,call.bridged,call.hangup",
                "started_at": {"gte": "2026-03-01T12:00:00Z", "lte": until},
            },
            page_number=1,
            page_size=250,
        )
        assert sorted(parse_qsl(at.last().query)) == sorted(ours)
        recorded = [request_log for request_log in lists if request_log.path == "/v2/recordings"]
        assert recorded == []
        client.recordings.list(
            filter={"created_at": {"gte": "2026-03-01T12:00:00Z", "lte": until}}, page_number=1, page_size=250
        )
        theirs = at.last()
        list(telnyx.history(at.account, NOON, NOON + timedelta(hours=1), at.client))
        assert at.last().path == theirs.path == "/v2/recordings"
        assert sorted(parse_qsl(at.last().query)) == sorted(parse_qsl(theirs.query))


def test_list_without_a_page_count_ends_with_an_empty_page() -> None:
    with fake_account() as at:
        rows = [{"user_name": f"user{number}"} for number in range(3)]
        pages = [rows[:2], rows[2:], [], [], []]
        at.server.faults += [Fault(Response(200, {"data": page, "meta": None})) for page in pages]
        assert len(telnyx.extensions(at.account, at.client)) == 3
        assert len(at.server.requests) == 4


def test_history_skips_rows_of_other_applications_or_malformed_rows() -> None:
    story = load_story("missed_incoming", "telnyx")
    with fake_account() as at:
        rows = listed(story, "ours", NOON)
        foreign = listed(story, "theirs", NOON)
        for row in foreign:
            row["webhook"]["payload"]["connection_id"] = simulated.OTHER_CREDENTIALS["connection_id"]
        odd: list[Any] = [
            {
                "webhook": {"event_type": "call.hangup", "url": "https://x.example"},
                "started_at": "2026-03-01T12:00:01Z",
            },
            {"webhook": {"event_type": "call.hangup", "payload": {}}, "started_at": "2026-03-01T12:00:01Z"},
            {**rows[0], "webhook": {**rows[0]["webhook"], "occurred_at": None}},
            {**rows[0], "webhook": {**rows[0]["webhook"], "payload": {"call_session_id": 1.5}}},
        ]
        at.api.lists["webhook_deliveries"] = [*odd, *rows, *foreign]
        at.api.lists["recordings"] = [
            {"id": "x", "created_at": "2026-03-01T12:05:00Z"},
            {**stored("ours", NOON + timedelta(minutes=1)), "status": "deleted"},
            {**stored("ours", NOON + timedelta(minutes=1)), "id": None},
        ]
        hour = NOON + timedelta(hours=1)
        assert {event.call_id for event in telnyx.history(at.account, NOON, hour, at.client)} == {"ours"}
        every = telnyx.history(at.without("connection_id"), NOON, hour, at.client)
        assert {event.call_id for event in every} == {"ours", "theirs"}


def test_endless_history_is_abandoned_after_fifty_pages() -> None:
    with fake_account() as at:
        rows = listed(load_story("missed_incoming", "telnyx"), "c", NOON)
        endless = Fault(Response(200, {"data": rows, "meta": {"page_number": 1, "total_pages": 10**9}}))
        at.server.faults += [endless] * 60
        with pytest.raises(UnreachableError, match="shorter period"):
            list(telnyx.history(at.account, NOON, NOON + timedelta(hours=1), at.client))
        assert len(at.server.requests) == 50
