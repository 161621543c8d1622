"""RingCentral's call log and recordings."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hangtag.domain.calls.event import Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.errors import UnreachableError
from local.simulator.rest import Fault, Response
from local.simulator.story import load_story, message
from provider_stories import IDS, NOON
from ringcentral_helpers import (
    BORIS,
    CONTACT,
    OURS,
    OWN,
    RINGCENTRAL,
    api_account,
    call_log_events,
    caller,
    events_of,
    notice,
    record,
    ringing,
    sent_requests,
)


def test_recording_is_found_by_its_session() -> None:
    with api_account() as (api, server, account, client):
        media = RINGCENTRAL.recording(account, "A1", client)
        assert media.url.startswith("https://media.ringcentral.com:443/")
        assert media.headers["authorization"].removeprefix("Bearer ") in api.tokens
        assert ("telephonySessionId", "A1") in [tuple(item.split("=")) for item in server.requests[-1].query.split("&")]
        with pytest.raises(UnreachableError, match="no recording"):
            RINGCENTRAL.recording(account, "s-none", client)


def test_call_log_record_has_employee_with_times() -> None:
    with api_account() as (api, _server, account, client):
        api.rows = [record()]
        call = fold(call_log_events(api, account, client))
    assert (call.direction, call.external, call.line) == (Direction.IN, CONTACT, OWN)
    assert (call.outcome, call.answered_by, call.extensions) == (Outcome.SUCCESS, "101", ("101",))
    assert (call.started_at, call.ended_at) == (NOON, NOON + timedelta(seconds=54))
    assert (call.closed, call.talk_seconds) == (True, None)


def test_call_log_keeps_the_talk_time_of_webhooks() -> None:
    steps = [
        notice(caller("Setup")),
        notice(ringing("Proceeding"), after=1),
        notice(ringing("Answered"), after=4),
    ]
    steps += [notice(ringing("Disconnected"), after=54), notice(caller("Disconnected"), after=54)]
    live_events = [event for step in steps for event in events_of(step)]
    with api_account() as (api, _server, account, client):
        api.rows = [record()]
        again = fold([*live_events, *call_log_events(api, account, client)])
    assert again.talk_seconds == fold(live_events).talk_seconds == 50
    assert again.legs == fold(live_events).legs


@pytest.mark.parametrize(
    "row",
    [
        record(result="In Progress"),
        record(**{"from": {"extensionNumber": "102", "name": "Boris"}}),
        record(direction="Outbound", to={"extensionId": BORIS}),
        record(direction="Outbound", to={"phoneNumber": "*801"}),
        record(startTime="2026-03-01T10:59:59.000Z"),
        record(startTime=None),
        record(startTime="9999-12-31T23:59:59Z"),
        record(duration="long"),
        record(telephonySessionId=""),
        record(legs=[{"extension": "101", "startTime": "2026-03-01T12:00:00.000Z"}]),
    ],
)
def test_call_log_skips_unusable_records(row: Mapping[str, Any]) -> None:
    with api_account() as (_, server, account, client):
        RINGCENTRAL.ping(account, client)
        server.faults.append(Fault(Response(200, {"records": [row, None, "x"]})))
        result = RINGCENTRAL.history(account, NOON - timedelta(hours=1), NOON + timedelta(hours=1), client)
        assert list(result) == []


def test_call_log_ignores_legs_of_unmapped_extensions() -> None:
    leg = {
        "startTime": "2026-03-01T12:00:00.000Z",
        "duration": 5,
        "result": "Accepted",
        "extension": {"id": 62242999999},
    }
    with api_account() as (api, _server, account, client):
        api.rows = [record(legs=[leg], result="Accepted")]
        call = fold(call_log_events(api, account, client))
        assert (call.outcome, call.extensions) == (Outcome.MISSED, ())
        bare = replace(account, settings={"api_url": account.settings["api_url"]})
        assert fold(call_log_events(api, bare, client)).answered_by == "62242999999"


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ("Call connected", Outcome.SUCCESS),
        ("Busy", Outcome.BUSY),
        ("Wrong Number", Outcome.UNAVAILABLE),
        ("International Disabled", Outcome.NOT_ALLOWED),
        ("Suspended account", Outcome.NOT_ALLOWED),
        ("No Calling Credit", Outcome.NOT_ALLOWED),
        ("Call Failed", Outcome.FAILED),
        ("Internal Error", Outcome.FAILED),
        ("No Answer", Outcome.NO_ANSWER),
        ("Hang Up", Outcome.NO_ANSWER),
        ("", Outcome.NO_ANSWER),
    ],
)
def test_call_log_result_sets_the_outcome(result: str, outcome: Outcome) -> None:
    numbers = {"from": {"phoneNumber": OWN}, "to": {"phoneNumber": CONTACT}}
    with api_account() as (api, _server, account, client):
        api.rows = [record(direction="Outbound", result=result, **numbers)]
        call = fold(call_log_events(api, account, client))
    assert (call.direction, call.external, call.line, call.closed) == (Direction.OUT, CONTACT, OWN, True)
    assert (call.outcome, call.extensions) == (outcome, ("101",))


def test_call_log_requests_all_pages() -> None:
    with api_account() as (api, server, account, client):
        api.rows = [record(telephonySessionId=f"s-{number}") for number in range(5)]
        api.page_size = 2
        assert {event.call_id for event in call_log_events(api, account, client)} == {
            f"s-{number}" for number in range(5)
        }
        assert len(sent_requests(server)) == 3


def test_call_log_of_a_busy_day_needs_few_requests() -> None:
    with api_account() as (api, server, account, client):
        api.rows = [record(telephonySessionId=f"s-{number}") for number in range(1000)]
        assert len({event.call_id for event in call_log_events(api, account, client)}) == 1000
        assert len(sent_requests(server)) == 4


def test_recording_reference_is_the_session_id() -> None:
    story = load_story("recording_link_late", "ringcentral")
    at, named = NOON, []
    for event in story.events:
        at += timedelta(seconds=event.after)
        signed = OURS.signed(message(event, IDS, NOON, at), at)
        named += [item.recording for item in OURS.accepted(signed, at).events if item.kind is Kind.RECORDED]
    assert named == [IDS["call"]]
