"""Zadarma's webhook: its double encoding of signatures, and its notifications.

The shared suite (test_provider_contract.py) covers forgeries, rotation, masked replays, fuzzing and every call story.
"""

from datetime import timedelta
from urllib.parse import urlencode

import pytest

from hangtag.domain.calls.event import CallEvent, Kind, Outcome
from hangtag.providers.base import SignatureError, VerificationKeys, WebhookRequest
from local.simulator.providers.zadarma import pbx
from provider_stories import NOON
from zadarma_helpers import ZADARMA

SECRET = "zadarma_api_secret"
KEYS = VerificationKeys(credentials={"api_secret": (SECRET,)})
CALL = {"caller_id": "442037691880", "called_did": "442037691881", "call_start": "2026-11-23 10:00:00"}
ANSWER = {"caller_id": "442037691880", "destination": "100", "call_start": "2026-11-23 10:00:00"}
OUT = {"internal": "100", "destination": "442037691882", "call_start": "2026-11-23 10:05:00"}
RECORD = {"pbx_call_id": "in_ae6b03b3b0765d127ec0b739209346bbc4f0d52d", "call_id_with_rec": "1458313316.343456"}
# Computed independently of this code, with the vendor's primitive over the strings of its PHP classes.
WORKED_EXAMPLES = [
    ("NOTIFY_START", CALL, "OTdkNTc3ODYwNjZjZDQ5OTI2MWNjZWI0ZDk3MzQ3ZDdlYWRmYzIzMg=="),
    ("NOTIFY_INTERNAL", CALL, "OTdkNTc3ODYwNjZjZDQ5OTI2MWNjZWI0ZDk3MzQ3ZDdlYWRmYzIzMg=="),
    ("NOTIFY_END", CALL, "OTdkNTc3ODYwNjZjZDQ5OTI2MWNjZWI0ZDk3MzQ3ZDdlYWRmYzIzMg=="),
    ("NOTIFY_ANSWER", ANSWER, "YzRhMWI0MWYxZjQ4YTY1MDRhNjNmNzc2MDBiNTE1YzgyZGVhMmM5OA=="),
    ("NOTIFY_OUT_START", OUT, "ODY4M2RmNTUxYWQ0Njg2ZDc3ODk1MDA1MmU0N2E2YmZlN2I0ZjIxYw=="),
    ("NOTIFY_OUT_END", OUT, "ODY4M2RmNTUxYWQ0Njg2ZDc3ODk1MDA1MmU0N2E2YmZlN2I0ZjIxYw=="),
    ("NOTIFY_RECORD", RECORD, "MDkyNTEwNjE3MWU4NGM1NzhmMDVlNGEzN2QyZTg3NzE1ZDU2MjdkYw=="),
]


def webhook_request(event: str, fields: dict[str, str], signature: str = "") -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        path="/hooks/zadarma/***",
        query="",
        headers={"content-type": "application/x-www-form-urlencoded", "signature": signature},
        body=urlencode({"event": event, **fields}).encode(),
        arrived_at=NOON,
    )


def parse_one(event: str, **fields: str) -> CallEvent:
    (result,) = ZADARMA.parse(webhook_request(event, {"pbx_call_id": "in_1", **fields}), pbx.SETTINGS).events
    return result


@pytest.mark.parametrize(
    ("event", "fields", "signature"), WORKED_EXAMPLES, ids=[event for event, _, _ in WORKED_EXAMPLES]
)
def test_signatures_of_worked_examples_are_valid(event: str, fields: dict[str, str], signature: str) -> None:
    ZADARMA.verify(webhook_request(event, fields, signature), KEYS)
    assert pbx._signature(pbx._signed({"event": event, **fields}), SECRET) == signature


def test_base64_of_the_raw_digest_is_rejected() -> None:
    with pytest.raises(SignatureError):
        ZADARMA.verify(webhook_request("NOTIFY_START", CALL, "l9V3hgZs1JkmHM602XNH1+rfwjI="), KEYS)


@pytest.mark.parametrize(
    ("disposition", "incoming", "outgoing"),
    [
        ("answered", Outcome.SUCCESS, Outcome.SUCCESS),
        ("busy", Outcome.MISSED, Outcome.BUSY),
        ("cancel", Outcome.MISSED, Outcome.CANCELLED),
        ("no answer", Outcome.MISSED, Outcome.NO_ANSWER),
        ("failed", Outcome.MISSED, Outcome.FAILED),
        ("call failed", Outcome.MISSED, Outcome.FAILED),
        ("unallocated number", Outcome.MISSED, Outcome.UNAVAILABLE),
        ("no money", Outcome.MISSED, Outcome.NOT_ALLOWED),
        ("no money, no limit", Outcome.MISSED, Outcome.NOT_ALLOWED),
        ("something new", Outcome.MISSED, Outcome.NOT_ALLOWED),
        ("", None, None),
    ],
)
def test_disposition_maps_to_an_outcome(disposition: str, incoming: Outcome | None, outgoing: Outcome | None) -> None:
    assert parse_one("NOTIFY_END", disposition=disposition).outcome is incoming
    assert parse_one("NOTIFY_OUT_END", disposition=disposition).outcome is outgoing


@pytest.mark.parametrize(
    ("caller_id", "number"), [("anonymous", ""), ("0", ""), ("", ""), ("74957654321", "74957654321")]
)
def test_withheld_number_becomes_empty(caller_id: str, number: str) -> None:
    assert parse_one("NOTIFY_START", caller_id=caller_id).external == number


def test_call_start_needs_the_time_zone_of_the_account() -> None:
    start = "2026-03-01 14:59:00"
    assert parse_one("NOTIFY_START", call_start=start).started_at == NOON - timedelta(minutes=1)
    request = webhook_request("NOTIFY_START", {"pbx_call_id": "in_1", "call_start": start})
    assert ZADARMA.parse(request, {}).events[0].started_at is None
    # A week off: the clock is wrong.
    assert parse_one("NOTIFY_START", call_start="2026-03-08 15:00:00").started_at is None


def test_end_is_final_with_the_recording_of_the_call() -> None:
    end = parse_one(
        "NOTIFY_END", internal="101", disposition="answered", duration="5", is_recorded="1", call_id_with_rec="r1"
    )
    assert (end.kind, end.final, end.talk_seconds, end.recording) == (Kind.ENDED, True, 5, "r1")
    assert parse_one("NOTIFY_END", disposition="answered", is_recorded="0", call_id_with_rec="r1").recording is None
