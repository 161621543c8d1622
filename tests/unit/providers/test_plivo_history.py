"""Call log of Plivo."""

from datetime import timedelta

import pytest

from fake_clients import PlainClient
from hangtag.errors import UnreachableError
from local.simulator.rest import Fault, Response
from plivo_helpers import fake_account, plivo
from provider_stories import NOON


def test_history_reads_every_page_of_the_list() -> None:
    with fake_account() as (api, server, account):
        for number in range(45):
            at = (NOON - timedelta(minutes=number + 1)).strftime("%Y-%m-%d %H:%M:%S+00:00")
            api.calls.append({
                "call_uuid": f"c{number}", "parent_call_uuid": None, "call_direction": "inbound",
                "from_number": "79101234567", "to_number": "74951230001", "initiation_time": at, "end_time": at,
                "answer_time": None, "call_duration": 0,
            })  # fmt: skip
        results = list(plivo.history(account, NOON - timedelta(hours=2), NOON, PlainClient()))
        assert len({event.call_id for event in results}) == 45
        assert len([one for one in server.requests if one.path.endswith("/Call/")]) == 3


def test_history_skips_malformed_rows_but_not_a_malformed_list() -> None:
    with fake_account() as (_, server, account):
        rows = [None, {}, {"call_uuid": "x", "end_time": "soon"}, {"call_uuid": 7, "end_time": "2026-03-01 11:30:00Z"}]
        # A time without a zone.
        rows.append({"call_uuid": "y", "end_time": "2026-03-01 11:30:00"})
        server.faults.append(Fault(Response(200, {"objects": rows})))
        (event,) = plivo.history(account, NOON - timedelta(hours=2), NOON, PlainClient())
        assert (event.call_id, event.final) == ("7", True)
        server.faults.append(Fault(Response(200, {"objects": "x"})))
        with pytest.raises(UnreachableError):
            list(plivo.history(account, NOON - timedelta(hours=2), NOON, PlainClient()))
