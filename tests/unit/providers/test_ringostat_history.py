"""Ringostat's call log."""

from datetime import UTC, datetime, timedelta

import pytest

from fake_clients import PlainClient
from hangtag.domain.calls.event import Direction
from hangtag.errors import UnreachableError
from hangtag.providers.ringostat import history as call_log
from local.simulator.rest import Fault, Response
from provider_stories import NOON
from ringostat_helpers import RINGOSTAT, api_account


def test_full_call_log_is_requested_in_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A response contains at most 6500 rows and does not report that there are more."""
    monkeypatch.setattr(call_log, "MAX_ROWS", 10)
    with api_account() as (api, server, account):
        api.max_rows = 10
        # 14:00:00 in Kyiv is noon in UTC; the calls are seven seconds apart.
        begun = NOON - timedelta(hours=1)
        for number in range(100):
            at = begun + timedelta(seconds=7 * number, hours=2)
            api.rows.append({
                "uniqueid": str(number), "calldate": at.strftime("%Y-%m-%d %H:%M:%S"), "call_type": "in",
                "caller": "380671112233", "disposition": "ANSWERED", "billsec": 3, "waittime": 2,
            })  # fmt: skip
        events = list(RINGOSTAT.history(account, begun, NOON, PlainClient()))
        assert sorted(int(event.call_id) for event in events) == list(range(100))
        assert len(server.requests) > 10
    assert events[0].at == begun + timedelta(seconds=5)


def test_unreadable_rows_are_skipped() -> None:
    with api_account() as (_, server, account):
        good = {"calldate": "2026-03-01 13:00:00", "call_type": "transitout", "dst": "1"}
        rows = [None, {}, {"uniqueid": "1"}, {**good, "uniqueid": "2", "waittime": "x"}, {**good, "uniqueid": "3"}]
        server.faults.append(Fault(Response(200, rows)))
        (result,) = RINGOSTAT.history(account, NOON - timedelta(hours=2), NOON, PlainClient())
        assert (result.call_id, result.direction) == ("3", Direction.OUT)
        server.faults.append(Fault(Response(200, {"rows": []})))
        with pytest.raises(UnreachableError):
            list(RINGOSTAT.history(account, NOON - timedelta(hours=2), NOON, PlainClient()))


def test_time_zone_of_a_row_has_priority() -> None:
    """The row is from the vendor's description of the call log."""
    row = {"uniqueid": "1", "call_type": "in", "caller": "380441112233", "disposition": "ANSWERED", "billsec": 11,
           "waittime": "12", "calldate": "2026-03-01T13:13:43+0300", "connected_with": "380671112233"}  # fmt: skip
    with api_account() as (_, server, account):
        server.faults.append(Fault(Response(200, [row])))
        (result,) = RINGOSTAT.history(account, NOON - timedelta(hours=2), NOON, PlainClient())
        assert result.started_at == datetime(2026, 3, 1, 10, 13, 43, tzinfo=UTC)
        assert result.at == result.started_at + timedelta(seconds=23)
