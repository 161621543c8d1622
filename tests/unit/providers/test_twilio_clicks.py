"""Click-to-call at Twilio."""

from base64 import b64decode
from dataclasses import replace
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import Dial, VoiceResponse

from call_control_cases import each_invalid_click
from fake_clients import PlainClient
from hangtag.domain.calls.event import CallEvent, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.errors import BadInputError, HangtagError, TooManyError, UnreachableError
from local.simulator.rest import Fault, Response
from provider_stories import NOON
from twilio_helpers import (
    ACCOUNT,
    CLICK,
    CLICKED,
    CONTACT,
    DIALLED,
    HOOK,
    OWN,
    TOKEN,
    fake_account,
    twilio,
    verification_keys,
    webhook_request,
)


def test_click_rings_the_employee_with_callbacks_for_both_legs() -> None:
    with fake_account() as (account, api, server):
        placed = twilio.originate(account, CLICK, PlainClient())
        (request_log,), (form,) = server.requests, api.placed
    assert placed.call_id == "CA" + f"{1:032x}"
    assert (request_log.method, request_log.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json")
    assert b64decode(request_log.headers["authorization"].removeprefix("Basic ")).decode() == f"{ACCOUNT}:{TOKEN}"
    assert (form["To"], form["From"]) == (["sip:101@acme.sip.twilio.com"], [OWN])
    assert form["StatusCallbackEvent"] == ["ringing", "answered", "completed"]
    assert form["StatusCallback"] == [f"{HOOK}?direction=out&leg=employee&extension=101"]
    assert CONTACT.strip("+") not in form["StatusCallback"][0]


@pytest.mark.parametrize("recorded", [True, False, None])
def test_click_sends_the_twiml_of_the_vendor_library(recorded: bool | None) -> None:
    with fake_account(record_calls=recorded) as (account, api, _):
        twilio.originate(account, CLICK, PlainClient())
        (written,) = api.placed[0]["Twiml"]
    more = {} if recorded is False else {"record": "record-from-answer-dual", "recording_status_callback": HOOK}
    dial = Dial(caller_id=OWN, **more)
    dial.number(
        CONTACT,
        status_callback=f"{HOOK}?direction=out&leg=contact&extension=101",
        status_callback_event="ringing answered completed",
    )
    expected = VoiceResponse()
    expected.append(dial)
    assert ET.canonicalize(written) == ET.canonicalize(str(expected))


def test_callbacks_of_a_click_form_one_call() -> None:
    """The callback addresses of a click contain the hints of its legs."""
    with fake_account() as (account, api, _):
        sid = twilio.originate(account, CLICK, PlainClient()).call_id or ""
        (form,) = api.placed
    number = ET.fromstring(form["Twiml"][0]).find("./Dial/Number")  # noqa: S314 - our own
    assert number is not None
    legs = {
        form["StatusCallback"][0]: {**CLICKED, "CallSid": sid},
        number.attrib["statusCallback"]: {**DIALLED, "ParentCallSid": sid},
    }
    events: list[CallEvent] = []
    for after, (url, fields) in enumerate(legs.items()):
        for status in ("ringing", "in-progress", "completed"):
            payload = {**fields, "CallStatus": status, "CallDuration": "40", "AccountSid": ACCOUNT}
            signature = RequestValidator(TOKEN).compute_signature(url, payload)
            request = webhook_request(url, payload, {"X-Twilio-Signature": signature})
            twilio.verify(request, verification_keys())
            events += twilio.parse(replace(request, arrived_at=NOON + timedelta(seconds=after)), {}).events
    call = fold(events)
    assert (call.call_id, call.outcome, call.talk_seconds) == (sid, Outcome.SUCCESS, 40)
    assert (call.answered_by, call.external, call.line, call.picked_up) == ("101", CONTACT, OWN, True)


def test_click_without_sip_domain_rings_client_from_the_chosen_line() -> None:
    with fake_account(sip_domain=None, caller_id=None) as (account, api, _):
        twilio.originate(account, replace(CLICK, line="+74951230002"), PlainClient())
        (form,) = api.placed
    assert (form["To"], form["From"]) == (["client:101"], ["+74951230002"])
    assert 'callerId="+74951230002"' in form["Twiml"][0]


@each_invalid_click
def test_invalid_click_is_rejected_without_a_request(
    changes: dict[str, str], settings: dict[str, None], words: str
) -> None:
    with fake_account(**settings) as (account, _, server):
        with pytest.raises(BadInputError, match=words):
            twilio.originate(account, replace(CLICK, **changes), PlainClient())
        with pytest.raises(BadInputError, match="webhook's address"):
            twilio.originate(replace(account, webhook_url=""), replace(CLICK, line=OWN), PlainClient())
        assert not server.requests


def test_api_rejection_has_our_message_without_the_number() -> None:
    with (
        fake_account(sip_domain="no domain") as (account, _, _),
        pytest.raises(BadInputError, match=r"\(21211\).*sip_domain"),
    ):
        twilio.originate(account, CLICK, PlainClient())
    with fake_account() as (account, _, _), pytest.raises(BadInputError, match=r"\(21210\).*caller_id") as error:
        twilio.originate(account, replace(CLICK, line="+4930901820"), PlainClient())
    # Twilio's own message repeats the number.
    assert "4930901820" not in error.value.message


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, {"code": 21215, "message": "to +79101234567"}, BadInputError, "geographic permissions"),
        (400, {"code": 21219, "message": "to +79101234567"}, BadInputError, "trial account"),
        (403, {"code": 20003, "message": "Permission denied"}, BadInputError, "not allowed to do that"),
        (404, {"code": 20404, "message": "not found"}, BadInputError, "does not exist"),
        (
            400,
            {"code": 98765, "message": "about +79101234567"},
            BadInputError,
            r"\(98765\): See Twilio's list of errors",
        ),
        (400, {"code": "21215"}, BadInputError, r"\(400\)"),
        (400, {"code": 10**40}, BadInputError, r"\(400\)"),
        (400, {"code": True}, BadInputError, r"\(400\)"),
        (401, {"code": 20003, "message": "Authenticate"}, BadInputError, "account_sid and auth_token"),
        (401, "", BadInputError, "account_sid and auth_token"),
        (403, {"code": 20429}, TooManyError, "rate limit"),
        (429, {"code": 20429}, TooManyError, "limits requests"),
        (500, {"code": 20500}, UnreachableError, "server error"),
        (503, "<html>", UnreachableError, "503"),
        (302, "", UnreachableError, "302"),
        (201, {"status": "queued"}, UnreachableError, "does not contain the id of the call"),
        (201, {"sid": 5}, UnreachableError, "does not contain the id of the call"),
        (201, [], UnreachableError, "unreadable response"),
    ],
)
def test_api_error_maps_to_its_exception(status: int, body: Any, kind: type[HangtagError], words: str) -> None:
    with fake_account() as (account, _, server):
        server.faults.append(Fault(Response(status, body)))
        with pytest.raises(kind, match=words) as error:
            twilio.originate(account, CLICK, PlainClient())
        assert len(server.requests) == 1
    assert not any(one in error.value.message for one in (CONTACT.strip("+"), TOKEN, ACCOUNT))


def test_rate_limit_error_code_pauses_all_requests() -> None:
    with fake_account() as (account, _, server):
        server.faults.append(Fault(Response(403, {"code": 20429})))
        client = PlainClient()
        with pytest.raises(TooManyError, match=r"The rate limit of Twilio is reached\. Try again in 10 seconds"):
            twilio.originate(account, CLICK, client)
    assert client.held == {"": 10}
