"""Webhook requests of RingCentral: handshake, token, notifications."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hangtag.domain.calls.event import Kind
from hangtag.providers.base import PayloadError, SignatureError, VerificationKeys
from provider_stories import NOON
from ringcentral_helpers import BORIS, OURS, RINGCENTRAL, TOKEN, caller, events_of, notice, ringing, webhook


def test_handshake_returns_the_validation_token() -> None:
    reply = RINGCENTRAL.handshake(webhook(b"", validation_token="a3b1-5c2d"))
    assert reply is not None
    assert (reply.status, reply.content_type) == (200, "application/json")
    assert reply.headers == {"Validation-Token": "a3b1-5c2d"}
    # The whole response must stay under 1024 bytes.
    assert len(reply.body) < 64


@pytest.mark.parametrize("token", ["", " ", "a b", "a\r\nSet-Cookie: x", "é", "x" * 257])
def test_handshake_ignores_invalid_tokens(token: str) -> None:
    assert RINGCENTRAL.handshake(webhook(b"", validation_token=token)) is None


def test_notification_is_not_a_handshake() -> None:
    event = webhook(notice(caller("Setup")), validation_token=TOKEN)
    assert RINGCENTRAL.handshake(event) is None
    assert RINGCENTRAL.handshake(webhook(b" ", validation_token="a")) is None
    assert RINGCENTRAL.handshake(replace(webhook(b"", validation_token="a"), method="GET")) is None


@pytest.mark.parametrize(
    ("headers", "is_valid"),
    [
        ({"verification_token": TOKEN}, True),
        ({"validation_token": TOKEN}, True),
        ({"verification_token": TOKEN, "validation_token": "other"}, True),
        ({"verification_token": "other", "validation_token": TOKEN}, True),
        ({"verification_token": "other"}, False),
        ({"validation_token": ""}, False),
        ({"authorization": TOKEN}, False),
        ({}, False),
    ],
)
def test_token_is_accepted_in_either_header(headers: Mapping[str, str], is_valid: bool) -> None:
    event = webhook(notice(caller("Setup")), **headers)
    if is_valid:
        RINGCENTRAL.verify(event, OURS.verification_keys())
        return
    for keys in (
        OURS.verification_keys(),
        VerificationKeys(),
        VerificationKeys(credentials={"verification_token": ("",)}),
    ):
        with pytest.raises(SignatureError):
            RINGCENTRAL.verify(event, keys)


def test_sequence_orders_events_of_the_same_millisecond() -> None:
    (answered,) = events_of(notice(ringing("Answered"), sequence=7))
    (ended,) = events_of(notice(ringing("Disconnected"), sequence=8))
    assert answered.at < ended.at
    assert ended.at - NOON < timedelta(milliseconds=1)
    (many,) = events_of(notice(ringing("Answered"), sequence=10**9))
    assert many.at - NOON < timedelta(milliseconds=1)


def test_two_subscriptions_yield_one_event() -> None:
    body = notice(ringing("Answered"))
    again = {**body, "uuid": "902644045286934626", "subscriptionId": "72ec1f81-4864-40b4-951b-48f343897027"}
    assert [event.digest() for event in events_of(body)] == [event.digest() for event in events_of(again)]


def test_implausible_time_is_replaced_by_the_arrival() -> None:
    for value in ("", None, "yesterday", "2019-01-01T00:00:00Z"):
        (event,) = events_of(notice(ringing("Answered"), eventTime=value))
        assert (event.at, event.at_is_arrival) == (NOON, True)


def test_end_of_a_party_reports_the_recording() -> None:
    recordings = [{"id": "1662272004", "active": False}]
    assert [event.kind for event in events_of(notice(ringing("Answered", recordings=recordings)))] == [Kind.ANSWERED]
    ended = events_of(notice(ringing("Disconnected", recordings=recordings)))
    assert [(event.kind, event.recording) for event in ended] == [(Kind.ENDED, None), (Kind.RECORDED, "s-1")]


def test_all_parties_of_a_notification_are_parsed() -> None:
    events = events_of(notice(ringing("Proceeding"), ringing("Proceeding", own=BORIS), ringing("Hold", own=BORIS)))
    assert [event.extension for event in events] == ["101", "102"]


@pytest.mark.parametrize(
    "body",
    [
        {"event": "/restapi/v1.0/subscription/~?threshold=60&interval=15", "body": {}},
        {"event": "/restapi/v1.0/account/1/extension/2/message-store", "body": {"changes": []}},
        {"body": {"telephonySessionId": "s-1"}},
        notice(ringing("Teleported")),
    ],
)
def test_unknown_notifications_yield_no_events(body: Mapping[str, Any]) -> None:
    result = RINGCENTRAL.parse(webhook(body), {})
    assert (result.events, result.unknown) == ((), True)


@pytest.mark.parametrize(
    "body",
    [
        {**notice(), "body": []},
        notice(telephonySessionId=""),
        notice(origin=[]),  # type: ignore[arg-type]
        notice({"status": []}),
        notice({"status": {"code": "Setup", "peerId": "x"}}),
        notice(*[ringing("Setup")] * 51),
        {**notice(), "body": {"telephonySessionId": "s-1", "parties": {}}},
        {**notice(), "body": {"telephonySessionId": "s-1", "parties": [None]}},
    ],
)
def test_malformed_notifications_are_rejected(body: Mapping[str, Any]) -> None:
    with pytest.raises(PayloadError):
        RINGCENTRAL.parse(webhook(body), {})
