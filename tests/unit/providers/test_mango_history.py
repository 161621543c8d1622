"""History and extensions of Mango Office."""

import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from fake_clients import PlainClient
from hangtag.domain.calls.event import CallEvent, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.errors import UnreachableError
from hangtag.providers.base import (
    KnownExtension,
)
from local.simulator.rest import Fault, Response
from local.simulator.story import load_story, message
from mango_helpers import MANGO, RECORDING, api_account, context, history_events, moment_of
from provider_stories import IDS, NOON, line


def test_extensions_exclude_employees_without_short_number() -> None:
    with api_account() as (account, _, _):
        employees = MANGO.extensions(account, PlainClient())
        assert employees[0] == KnownExtension("101", "Anna Petrova")
        assert len(employees) == 4
        assert MANGO.ping(account, PlainClient()).detail == "Mango responded. The account has 4 extensions."


def test_documented_statistics_are_parsed() -> None:
    with api_account() as (account, api, _):
        api.contexts = [context("e1", NOON)]
        call = fold(history_events(account))
    assert (call.outcome, call.answered_by, call.talk_seconds) == (Outcome.SUCCESS, "101", 9)
    assert (call.external, call.line, call.started_at) == ("74956496674", "74952233567", NOON)
    assert [item.url for item in call.recordings] == [RECORDING]


def test_history_polls_a_limited_number_of_times() -> None:
    with api_account() as (account, api, server):
        api.contexts, api.polls = [context("e1", NOON)], 3
        assert history_events(account)
        paths = [request.path for request in server.requests]
        assert paths[:2] == ["/vpbx/config/users/request", "/vpbx/stats/calls/request/"]
        assert paths[2:] == ["/vpbx/stats/calls/result/"] * 4
        api.polls = 1000
        with pytest.raises(UnreachableError, match="not ready after 30 polls"):
            history_events(account)
        assert len(server.requests) == 6 + 2 + 30
    # The client waits between two polls.
    assert MANGO.limits["result"].seconds / MANGO.limits["result"].count >= 2


@pytest.mark.parametrize("status", ["error", "cancel", "not-found", ""])
def test_failed_statistics_are_reported_as_an_error(status: str) -> None:
    with api_account() as (account, _, server):
        users, key = {"users": ["x"]}, {"key": "k"}
        server.faults += [Fault(Response(200, users)), Fault(Response(200, key)), Fault(Response(204, "")),
                          Fault(Response(200, {"result": 1000, "status": status}))]  # fmt: skip
        with pytest.raises(UnreachableError, match="did not produce"):
            history_events(account)
        assert len(server.requests) == 4


def test_history_requests_all_pages() -> None:
    with api_account() as (account, api, server):
        api.contexts = [context(f"e{number}", NOON) for number in range(1200)]
        events = history_events(account)
        pages = [json.loads(request.form["json"]) for request in server.requests if request.path.endswith("request/")]
    assert len({event.call_id for event in events}) == 1200
    assert [(page["limit"], page["offset"]) for page in pages] == [(500, 0), (500, 500), (500, 1000)]


def test_history_splits_a_long_span_into_months() -> None:
    """The time zone of requests is not documented, so requests have a margin."""
    since = NOON - timedelta(days=60)
    with api_account() as (account, api, server):
        api.contexts = [context("before", since - timedelta(seconds=1)), context("first", since),
                        context("after", NOON + timedelta(hours=2))]  # fmt: skip
        events = history_events(account, since)
        request = [json.loads(item.form["json"]) for item in server.requests if item.path.endswith("request/")]
    assert {event.call_id for event in events} == {"first"}
    assert request[0]["start_date"] == "31.12.2025 12:00:00"
    spans = [[moment_of(item[name]) for name in ("start_date", "end_date")] for item in request]
    assert all(end - begin < timedelta(days=28) for begin, end in spans)
    # Consecutive requests leave no gap.
    assert all(before[1] > after[0] for before, after in pairwise(spans))


def test_unreadable_rows_are_skipped() -> None:
    bad = {"context_start_time": [1]}, {"talk_duration": "x"}, {"entry_id": None}, {"context_start_time": "soon"}
    with api_account() as (account, api, server):
        api.contexts = [context("good", NOON)]
        rows: list[Any] = [*api.contexts, "junk", None, {}, *(context("bad", NOON, **more) for more in bad)]
        server.faults += [Fault(Response(200, {"users": ["x", {"general": 1}]})), Fault(Response(200, {"key": "k"})),
                          Fault(Response(200, {"status": "complete", "data": [{"list": rows}, "x", {}]}))]  # fmt: skip
        assert {event.call_id for event in history_events(account)} == {"good"}


def test_call_ended_in_the_menu_is_a_missed_call() -> None:
    with api_account() as (account, api, _):
        api.contexts = [context("e1", NOON, talk_duration=0, context_status=0, context_calls=[])]
        call = fold(history_events(account))
    assert (call.closed, call.outcome, call.extensions) == (True, Outcome.MISSED, ())
    assert (call.started_at, call.ended_at) == (NOON, NOON + timedelta(seconds=14))


def test_statistics_merge_both_legs_of_a_callback() -> None:
    begun = int(NOON.timestamp())
    number = {
        "call_type": "number", "call_abonent_id": 300000102, "external_call_id": "x", "call_start_time": begun + 4,
        "call_answer_time": begun + 16, "call_end_time": begun + 56, "talk_duration": 40, "call_end_reason": 1110,
    }  # fmt: skip
    more = {"context_type": 2, "caller_id": 300000102, "called_number": "79101234567", "talk_duration": 40}
    with api_account() as (account, api, _):
        api.contexts = [context("A1", NOON, **more, context_init_type=4, context_calls=[number])]
        events = history_events(account)
    ours = line("mango")
    live_events: list[CallEvent] = []
    at = NOON
    for event in load_story("click_answered", "mango").events:
        at += timedelta(seconds=event.after)
        live_events += ours.accepted(ours.signed(message(event, IDS, NOON, at), at), at).events
    call, both = fold(live_events), fold([*live_events, *events])
    assert (both.outcome, both.talk_seconds, len(both.legs)) == (call.outcome, call.talk_seconds, len(call.legs))
