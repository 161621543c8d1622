"""Events of Plivo webhooks: roles of legs, outcomes, times."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from xml.etree import ElementTree as ET

import pytest

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import (
    ParseResult,
    PayloadError,
)
from plivo_helpers import HOOK, NONCE, STARTED, plivo, webhook_request


def parse(fields: Mapping[str, str], settings: Mapping[str, Any] | None = None, **hints: str) -> ParseResult:
    url = f"{HOOK}?{urlencode(hints)}" if hints else HOOK
    return plivo.parse(webhook_request(url, fields, {"x-plivo-signature-v3-nonce": NONCE}), settings or {})


def single_event(fields: Mapping[str, str], **hints: str) -> CallEvent:
    (one,) = parse(fields, None, **hints).events
    return one


def test_response_rings_the_phones_of_the_number_in_parallel() -> None:
    accepted = parse(STARTED, {"ring": "109"}, direction="in", ring="101, 102,101")
    assert [(one.kind, one.leg, one.external, one.line) for one in accepted.events] == [
        (Kind.RINGING, leg, "79101234567", "74951230001") for leg in ("", "101", "102")
    ]
    dial = ET.fromstring(accepted.reply.body).find("Dial")  # noqa: S314 - our own document
    assert dial is not None
    assert [user.text for user in dial] == ["sip:101@phone.plivo.com", "sip:102@phone.plivo.com"]
    assert dial.get("callbackUrl") == f"{HOOK}?direction=in&line=74951230001"
    assert accepted.reply.content_type == "application/xml"
    by_settings = parse(STARTED, {"ring": "109", "sip_domain": "pbx.example.com", "record_calls": False})
    assert "<User>sip:109@pbx.example.com</User>" in by_settings.reply.body
    assert "<Record" not in by_settings.reply.body


def test_response_is_empty_if_no_phone_can_ring() -> None:
    accepted = parse(STARTED, ring='"><Hangup/>')
    assert accepted.reply.body == "<Response/>"
    assert len(accepted.events) == 1


def test_click_dials_the_contact_after_the_pick_up() -> None:
    start = {**STARTED, "Direction": "outbound", "From": "74951230002", "To": "sip:101@phone.plivo.com"}
    hints = {"direction": "out", "extension": "101", "number": "79101234567", "line": "74951230002",
             "reference": "ref-1"}  # fmt: skip
    accepted = parse(start, None, **hints)
    (event,) = accepted.events
    assert (event.kind, event.leg, event.extension, event.external) == (Kind.PICKED_UP, "out", "101", "79101234567")
    assert (event.reference, event.line) == ("ref-1", "74951230002")
    dial = ET.fromstring(accepted.reply.body).find("Dial")  # noqa: S314 - our own document
    assert dial is not None
    assert dial.get("callerId") == "74951230002"
    assert [(one.tag, one.text) for one in dial] == [("Number", "79101234567")]
    assert dict(parse_qsl(urlsplit(dial.get("callbackUrl") or "").query)) == hints


def test_calling_phone_is_connected_with_the_caller_id() -> None:
    start = {**STARTED, "From": "sip:101@phone.plivo.com", "To": "+79101234567"}
    accepted = parse(start, {"caller_id": "+74951230001"}, direction="out")
    (event,) = accepted.events
    assert (event.direction, event.extension, event.external) == (Direction.OUT, "101", "+79101234567".strip("+"))
    assert 'callerId="74951230001"' in accepted.reply.body
    assert "<Number>79101234567</Number>" in accepted.reply.body
    # The device alone is sufficient without the hint.
    assert parse(start).events[0].direction is Direction.OUT


@pytest.mark.parametrize(
    ("seconds", "cause", "incoming", "outgoing"),
    [
        ("9", "4000", Outcome.SUCCESS, Outcome.SUCCESS),
        ("0", "4000", Outcome.MISSED, Outcome.NO_ANSWER),
        ("", "6010", Outcome.MISSED, Outcome.NO_ANSWER),
        ("0", "3010", Outcome.MISSED, Outcome.BUSY),
        ("0", "3020", Outcome.MISSED, Outcome.BUSY),
        ("0", "2000", Outcome.MISSED, Outcome.UNAVAILABLE),
        ("0", "2030", Outcome.MISSED, Outcome.NOT_ALLOWED),
        ("0", "2050", Outcome.MISSED, Outcome.NOT_ALLOWED),
        ("0", "3040", Outcome.MISSED, Outcome.NOT_ALLOWED),
        ("0", "3050", Outcome.MISSED, Outcome.UNAVAILABLE),
        ("0", "3100", Outcome.MISSED, Outcome.BUSY),
        ("0", "3110", Outcome.MISSED, Outcome.BUSY),
        ("0", "1000", Outcome.CANCELLED, Outcome.CANCELLED),
        # The account has no credit; another phone answered first.
        ("0", "1010", Outcome.MISSED, Outcome.FAILED),
        ("0", "9000", Outcome.CANCELLED, Outcome.CANCELLED),
        ("0", "USER_BUSY", Outcome.MISSED, Outcome.BUSY),
        ("0", "5010", Outcome.MISSED, Outcome.FAILED),
        ("0", "", Outcome.MISSED, Outcome.FAILED),
    ],
)
def test_hangup_cause_of_a_dialled_leg_maps_to_an_outcome(
    seconds: str, cause: str, incoming: Outcome, outgoing: Outcome
) -> None:
    ended = {"CallUUID": "c1", "DialAction": "hangup", "DialBLegUUID": "b", "DialALegUUID": "c1",
             "DialBLegDuration": seconds, "DialBLegHangupCauseCode": cause, "From": "79101234567"}  # fmt: skip
    event = single_event({**ended, "DialBLegTo": "sip:101@phone.plivo.com"}, direction="in", line="74951230001")
    assert (event.outcome, event.leg, event.extension, event.line) == (incoming, "101", "101", "74951230001")
    assert single_event({**ended, "DialBLegTo": "79101234567"}, direction="out", extension="101").outcome is outgoing


def test_older_callback_without_event_is_identified_by_its_status() -> None:
    bare = {name: value for name, value in STARTED.items() if name != "Event"}
    assert single_event({**bare, "CallStatus": "ringing"}).kind is Kind.RINGING
    assert single_event({**bare, "CallStatus": "busy"}).final
    assert parse({**bare, "CallStatus": "parked"}).unknown
    assert parse({**STARTED, "Event": "Redirect"}).unknown
    assert parse({**STARTED, "DialAction": "digits"}).unknown
    with pytest.raises(PayloadError, match="CallUUID"):
        parse({"Event": "Hangup"})
