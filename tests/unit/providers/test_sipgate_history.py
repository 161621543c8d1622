"""sipgate's history."""

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from fake_clients import PlainClient
from hangtag.domain.calls.event import Direction, Kind, Outcome
from hangtag.errors import UnreachableError
from local.simulator.rest import Fault, Response
from provider_stories import NOON
from sipgate_helpers import SIPGATE, fake_sipgate


def row(number: int, **more: Any) -> dict[str, Any]:
    at = NOON - timedelta(minutes=30)
    return {"callId": f"c{number}", "type": "CALL", "created": at.isoformat().replace("+00:00", "Z"),
            "lastModified": (at + timedelta(seconds=50)).isoformat(), "direction": "INCOMING", "source": "4912354678",
            "target": "49999999", "duration": 42, "callStatus": "SUCCESS", "recordings": [],
            "endpoints": [{"type": "ROUTED", "endpoint": {"extension": "w1", "type": "USER"}}], **more}  # fmt: skip


def test_history_has_the_answering_extension_with_recordings() -> None:
    begun = NOON - timedelta(minutes=30)
    with fake_sipgate() as (api, _, account):
        api.rows = [row(1, recordings=[{"id": "r", "url": "https://api.sipgate.com/v2/r"}, {}, None])]
        end, recorded = SIPGATE.history(account, NOON - timedelta(hours=1), NOON, PlainClient())
        assert (end.extension, end.outcome, end.talk_seconds) == ("102", Outcome.SUCCESS, 42)
        assert (end.started_at, end.at) == (begun, begun + timedelta(seconds=50))
        assert recorded.recording == "https://api.sipgate.com/v2/r"
        media = SIPGATE.recording(account, recorded.recording, PlainClient())
        assert base64.b64decode(media.headers["authorization"].removeprefix("Basic ")).startswith(b"token-ABC123:")
        for elsewhere in (
            "https://app.sipgate.com/r",
            "https://api.sipgate.com.evil.example/r",
            "http://api.sipgate.com/r",
            "https://[",
        ):
            assert not SIPGATE.recording(account, elsewhere, PlainClient()).headers


@pytest.mark.parametrize(
    ("more", "direction", "outcome", "extension"),
    [
        ({"direction": "MISSED_INCOMING", "callStatus": "MISSED"}, Direction.IN, Outcome.MISSED, "102"),
        ({"direction": "MISSED_OUTGOING", "callStatus": "MISSED"}, Direction.OUT, Outcome.NO_ANSWER, "102"),
        ({"direction": "OUTGOING", "callStatus": "BUSY_ON_BUSY"}, Direction.OUT, Outcome.BUSY, "102"),
        ({"callStatus": "VOICEMAIL_NO_MESSAGE", "endpoints": None}, Direction.IN, Outcome.MISSED, None),
        ({"endpoints": [{"endpoint": {"extension": "w0"}}, {"endpoint": {"extension": "w1"}}]}, Direction.IN,
         Outcome.SUCCESS, None),
    ],
)  # fmt: skip
def test_history_row_of_every_kind_is_read(
    more: Mapping[str, Any], direction: Direction, outcome: Outcome, extension: str | None
) -> None:
    with fake_sipgate() as (api, _, account):
        api.rows = [row(1, **more)]
        event, *more_of_it = SIPGATE.history(account, NOON - timedelta(hours=1), NOON, PlainClient())
        assert (event.direction, event.outcome, event.extension) == (direction, outcome, extension)
        mailbox = str(more.get("callStatus")).startswith("VOICEMAIL")
        assert [(one.kind, one.outcome) for one in more_of_it] == [(Kind.SUMMARY, Outcome.MISSED)] * mailbox


def test_history_has_withheld_numbers_as_empty() -> None:
    with fake_sipgate() as (api, _, account):
        api.rows = [row(1, source="anonymous"), row(2, direction="OUTGOING", source="anonymous", target="4912354678")]
        incoming, outgoing = SIPGATE.history(account, NOON - timedelta(hours=1), NOON, PlainClient())
        assert (incoming.external, incoming.line) == ("", "49999999")
        assert (outgoing.external, outgoing.line) == ("4912354678", None)


def test_history_skips_unreadable_rows_on_all_pages() -> None:
    with fake_sipgate() as (api, server, account):
        api.rows = [row(number) for number in range(1100)]
        call_ids = {event.call_id for event in SIPGATE.history(account, NOON - timedelta(hours=1), NOON, PlainClient())}
        assert (len(call_ids), len(server.requests)) == (1100, 3)
        rows = [None, {}, row(1, created="soon"), row(2, callId=None), row(3, lastModified="2031-01-01T00:00:00Z")]
        server.faults.append(Fault(Response(200, {"items": rows})))
        (event,) = SIPGATE.history(account, NOON - timedelta(hours=1), NOON, PlainClient())
        # A note that was written later is not the end of the call.
        assert event.at == NOON - timedelta(minutes=30) + timedelta(seconds=42)
        server.faults.append(Fault(Response(200, {"items": "x"})))
        with pytest.raises(UnreachableError):
            list(SIPGATE.history(account, NOON - timedelta(hours=1), NOON, PlainClient()))
