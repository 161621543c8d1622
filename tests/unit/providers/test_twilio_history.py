"""Call log of Twilio."""

from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from fake_clients import PlainClient
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.errors import UnreachableError
from hangtag.providers.base import (
    Account,
)
from local.simulator.rest import Fault, Response
from local.simulator.story import Story
from provider_stories import NOON, comparable
from twilio_helpers import ACCOUNT, CONTACT, OWN, RECORDED, each_story, fake_account, story_messages, twilio, webhook


def listed(story: Story) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of the lists of calls and recordings for a story."""
    calls: dict[str, dict[str, Any]] = {}
    recordings = []
    at = NOON
    for event, sent in zip(story.events, story_messages(story), strict=True):
        at += timedelta(seconds=event.after)
        payload, when = sent.post, format_datetime(at)
        if "RecordingStatus" in payload:
            recordings.append(
                {"sid": payload["RecordingSid"], "call_sid": payload["CallSid"], "status": "completed",
                 "date_created": when, "media_url": payload["RecordingUrl"], "uri": "/2010-04-01/x.json"}
            )  # fmt: skip
            continue
        # A caller's leg is reported only when it ends.
        begun = format_datetime(at - timedelta(seconds=int(payload.get("CallDuration", "0"))))
        row = calls.setdefault(
            payload["CallSid"],
            {
                "sid": payload["CallSid"], "parent_call_sid": payload.get("ParentCallSid"),
                "direction": payload["Direction"], "from": payload["From"],
                "to": payload["To"].removeprefix("sip:"), "forwarded_from": None,
                "date_created": begun, "start_time": begun, "duration": None,
            },
        )  # fmt: skip
        if payload["CallStatus"] == "in-progress":
            row["start_time"] = when
        row |= {"status": payload["CallStatus"], "end_time": when, "duration": payload.get("CallDuration")}
    return list(calls.values()), recordings


def history(account: Account) -> list[CallEvent]:
    return list(twilio.history(account, NOON - timedelta(hours=1), NOON + timedelta(hours=1), PlainClient()))


@each_story
def test_history_adds_nothing_to_complete_callbacks(story: Story) -> None:
    by_webhook = webhook(story)
    with fake_account() as (account, api, _):
        api.calls, api.recordings = listed(story)
        by_history = history(account)
    assert by_history
    both = fold([*by_webhook, *by_history])
    assert comparable(both) == comparable(fold(by_webhook))
    assert both.recording == fold(by_webhook).recording


@each_story
def test_history_replaces_lost_callbacks(story: Story) -> None:
    by_webhook = fold(webhook(story))
    with fake_account() as (account, api, _):
        api.calls, api.recordings = listed(story)
        lost = fold(history(account))
    # Only the callback's address names the leg that handed the call on.
    hint_only = {"talk_seconds"} if story.name == "transfer_within_call" else set()
    differ = {name for name, value in comparable(lost).items() if value != comparable(by_webhook)[name]}
    assert differ <= hint_only
    assert lost.recording == by_webhook.recording


def row(sid: str, at: datetime = NOON, **more: Any) -> dict[str, Any]:
    when = format_datetime(at)
    return {
        "sid": sid, "parent_call_sid": None, "direction": "inbound", "from": CONTACT, "to": OWN, "status": "completed",
        "date_created": when, "start_time": when, "end_time": when, "duration": "5", **more,
    }  # fmt: skip


def test_history_reads_every_page_of_the_requested_period() -> None:
    with fake_account() as (account, api, server):
        api.page_size = 100
        api.calls = [row(f"CA{number}", NOON - timedelta(seconds=number)) for number in range(250)]
        results = history(account)
        calls = [request_log for request_log in server.requests if request_log.path.endswith("/Calls.json")]
    assert len({event.call_id for event in results}) == 250
    assert [request_log.parameters.get("Page") for request_log in calls] == [None, "1", "2"]
    assert calls[0].query.startswith("StartTime%3E=2026-03-01T11%3A00%3A00Z&StartTime%3C=2026-03-01T14%3A00%3A00Z")


def test_history_contains_every_leg_of_calls_begun_in_the_period() -> None:
    early, late = NOON - timedelta(minutes=61), NOON + timedelta(minutes=59)
    child = {"direction": "outbound-dial", "to": "101@acme.example"}
    with fake_account() as (account, api, _):
        api.calls = [
            row("CAearly", early),
            row("CAlegof", NOON, parent_call_sid="CAearly", **child),
            row("CAlate", late),
            row("CAleglate", late + timedelta(minutes=5), parent_call_sid="CAlate", **child),
            row("CAafter", NOON + timedelta(minutes=60)),
        ]
        results = history(account)
    assert {(event.call_id, event.leg) for event in results} == {("CAlate", ""), ("CAlate", "CAleglate")}
    (call,) = {fold(results).digest(): fold(results)}.values()
    assert (call.outcome, call.answered_by, call.line) == (Outcome.SUCCESS, "101", OWN)


def test_forwarded_leg_has_the_direction_of_its_parent() -> None:
    """Without its parent, the leg would look like the contact's leg of an outgoing call."""
    with fake_account() as (account, api, _):
        api.calls = [
            row("CA1"),
            row("CA2", parent_call_sid="CA1", direction="outbound-dial", to="+79161112233", status="no-answer"),
        ]
        call = fold(history(account))
    assert (call.direction, call.outcome, call.external, call.extensions) == (
        Direction.IN, Outcome.MISSED, CONTACT, ("79161112233",)
    )  # fmt: skip


def test_history_skips_rows_that_are_malformed_or_not_ended() -> None:
    rows: list[Any] = [
        "junk", None, {}, {"sid": "CA1"}, row("CAlive", status="in-progress", end_time=None), row(""),
        row("CAtrunk", direction="trunking-originating"), row("CAodd", status=[1]), row("CAnever", end_time="soon"),
        row("CAgood", end_time=None, date_updated=format_datetime(NOON)),
    ]  # fmt: skip
    recordings: list[Any] = [None, {}, {"call_sid": "CAgood", "date_created": "soon", "media_url": RECORDED}]
    recordings += [{"call_sid": "CAother", "date_created": format_datetime(NOON), "media_url": RECORDED}]
    good = {"call_sid": "CAgood", "date_created": format_datetime(NOON), "uri": urlsplit(RECORDED).path + ".json"}
    recordings += [{**good, "status": "processing"}, {**good, "status": "completed"}]
    with fake_account() as (account, _, server):
        server.faults += [Fault(Response(200, {"calls": rows})), Fault(Response(200, {"recordings": recordings}))]
        results = history(account)
    assert [(event.call_id, event.kind) for event in results] == [("CAgood", Kind.ENDED), ("CAgood", Kind.RECORDED)]
    # Without a media_url, the address is derived from the row's own, as in callbacks.
    assert results[1].recording == RECORDED


@pytest.mark.parametrize(
    "following", ["https://evil.example/x", "//evil.example/2010-04-01/Accounts/", "@evil", 5, ["x"]]
)
def test_next_page_outside_the_api_is_rejected(following: Any) -> None:
    with fake_account() as (account, _, server):
        server.faults.append(Fault(Response(200, {"calls": [], "next_page_uri": following})))
        with pytest.raises(UnreachableError, match="outside its API"):
            history(account)


def test_endless_list_is_abandoned_after_fifty_pages() -> None:
    with fake_account() as (account, _, server):
        again = {"calls": [], "next_page_uri": f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json?Page=1"}
        server.faults += [Fault(Response(200, again))] * 60
        with pytest.raises(UnreachableError, match="pages"):
            history(account)
        assert len(server.requests) == 50
        server.faults[:] = [Fault(Response(200, {"items": []}))]
        with pytest.raises(UnreachableError, match="expected list"):
            history(account)
