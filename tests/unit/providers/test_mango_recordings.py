"""Recordings of Mango Office."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from fake_clients import NoLimits, NoTokens, PlainClient
from hangtag.domain.calls.fold import fold
from hangtag.errors import BadInputError, TooManyError, UnreachableError
from hangtag.outbound import RateLimitedClient
from local.simulator.rest import Fault, Response
from mango_helpers import MANGO, RECORDING, api_account, context, history_events, parsed
from provider_stories import NOON


@pytest.mark.parametrize(
    ("payload", "is_named"),
    [
        ({"recording_state": "Completed", "completion_code": 1000, "recipient": "Cloud"}, True),
        ({"recording_state": "Completed", "completion_code": "1000", "recipient": "CloudAndMail"}, True),
        ({"recording_state": "Completed", "completion_code": 1000, "recipient": "Mail"}, False),
        ({"recording_state": "Completed", "completion_code": 4002, "recipient": "Cloud"}, False),
        ({"recording_state": "Completed", "completion_code": 2210, "recipient": "Cloud"}, False),
        ({"recording_state": "Started"}, False),
        ({"recording_state": "Continued"}, False),
    ],
)
def test_recording_is_reported_once_it_can_be_downloaded(payload: Mapping[str, Any], is_named: bool) -> None:
    events = parsed("events/recording", recording_id=RECORDING, call_id="c1", seq=2, **payload).events
    assert [event.recording for event in events] == ([RECORDING] if is_named else [])
    added = parsed("events/record/added", recording_id=RECORDING, user_id=-1, timestamp=int(NOON.timestamp()))
    # Reported twice, it counts once.
    assert len(fold([*events, *added.events]).recordings) == 1


def test_each_request_returns_a_new_recording_address() -> None:
    with api_account() as (account, api, server):
        client = RateLimitedClient(limiter=NoLimits(), tokens=NoTokens(), limits=MANGO.limits, hosts=("127.0.0.1",))
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("OUTBOUND_LOOPBACK", "true")
            first, second = (MANGO.recording(account, RECORDING, client) for _ in range(2))
        assert [first.url, second.url] == api.links
        assert first.url != second.url
        # Addresses need no key, and following one would use it up.
        assert (first.headers, [request.path for request in server.requests]) == (
            {},
            ["/vpbx/queries/recording/post"] * 2,
        )
        assert json.loads(server.requests[0].form["json"]) == {"recording_id": RECORDING, "action": "download"}


def test_missing_recording_is_reported_as_not_ready() -> None:
    with api_account() as (account, _, server):
        with pytest.raises(BadInputError, match=r"3320.*no such recording yet"):
            MANGO.recording(account, "MToxMDA=", PlainClient())
        for reply in (Response(200, b"ID3"), Response(302, ""), Response(204, "")):
            server.faults.append(Fault(reply))
            with pytest.raises(UnreachableError, match="no address"):
                MANGO.recording(account, RECORDING, PlainClient())
    # An earlier request can count as a wrong one.
    assert MANGO.recording_delay >= timedelta(seconds=60)


def test_wrong_request_pauses_recording_requests() -> None:
    """Two wrong requests within two minutes block clicks too."""
    with api_account() as (account, _, server):
        limiter = NoLimits()
        client = RateLimitedClient(limiter=limiter, tokens=NoTokens(), limits=MANGO.limits, hosts=("127.0.0.1",))
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("OUTBOUND_LOOPBACK", "true")
            with pytest.raises(BadInputError, match="3320"):
                MANGO.recording(account, "MToxMDA=", client)
            assert limiter.held == {"recording": 120.0}
            server.faults.append(Fault(Response(200, {"message": "Rate limit exceeded.", "code": 0, "status": 429})))
            with pytest.raises(TooManyError, match="in 10 seconds"):
                MANGO.extensions(account, client)
            assert limiter.held == {"recording": 120.0, "": 10.0}


@pytest.mark.parametrize("reference", [RECORDING, "r100:777:500:256", "r500:256", "d12a45f67b90c12345"])
def test_documented_recording_ids_are_accepted(reference: str) -> None:
    with api_account() as (account, api, _):
        api.recordings.add(reference)
        assert MANGO.recording(account, reference, PlainClient()).url == api.links[-1]
        api.contexts = [context("e1", NOON)]
        api.contexts[0]["context_calls"][0]["members"][0]["recording_id"] = [reference]
        assert [item.url for item in fold(history_events(account)).recordings] == [reference]
