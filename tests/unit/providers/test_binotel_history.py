"""Binotel's history and employees."""

from datetime import timedelta

import pytest

from binotel_helpers import BINOTEL, api_account
from fake_clients import PlainClient
from hangtag.domain.calls.event import Direction
from hangtag.errors import UnreachableError
from local.simulator.rest import Fault, Response
from provider_stories import NOON


def test_history_is_requested_one_day_at_a_time() -> None:
    with api_account() as (api, server, account):
        begun = int((NOON - timedelta(hours=30)).timestamp())
        api.rows = {
            "1": {"generalCallID": 1, "startTime": begun, "callType": "0", "disposition": "ANSWER", "billsec": "9"},
            "2": {"startTime": begun},
            "3": {"generalCallID": "3", "startTime": begun + 90000, "callType": "1", "disposition": "ONLINE"},
        }
        events = list(BINOTEL.history(account, NOON - timedelta(hours=49), NOON, PlainClient()))
        assert [(event.call_id, event.direction, event.talk_seconds) for event in events] == [("1", Direction.IN, 9)]
        assert len(server.requests) == 3


def test_malformed_history_raises_an_error() -> None:
    with api_account() as (_, server, account):
        for body in ({"status": "success"}, {"status": "success", "callDetails": "x"}, ["success"]):
            server.faults.append(Fault(Response(200, body)))
            with pytest.raises(UnreachableError):
                list(BINOTEL.history(account, NOON - timedelta(hours=1), NOON, PlainClient()))


def test_extensions_exclude_employees_without_a_number() -> None:
    with api_account() as (_, _server, account):
        assert [one.extension for one in BINOTEL.extensions(account, PlainClient())] == ["101", "102"]
        assert "2 employees" in BINOTEL.ping(account, PlainClient()).detail
