"""Click-to-call at Vonage."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest

from call_control_cases import each_invalid_click
from fake_clients import PlainClient
from hangtag.domain.calls.classify import SkipReason, classify
from hangtag.domain.calls.event import CallEvent, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.errors import BadInputError, HangtagError, TooManyError, UnreachableError
from hangtag.providers.base import (
    Click,
)
from local.simulator.providers.vonage import pbx as simulated
from local.simulator.rest import Fault, Response
from local.simulator.story import Message, load_story, message
from provider_stories import IDS, NOON, closed
from vonage_helpers import CONTACT, DIALLED, EMPLOYEE, HOOK, OURS, OWN, fake_account, verification_keys, vonage

CLICK = Click(extension="101", number=f"+{CONTACT}", reference="r-1")


def test_click_rings_the_employee_before_the_contact() -> None:
    with fake_account() as (account, api, server):
        placed = vonage.originate(account, CLICK, PlainClient())
        (request_log,), (call,) = server.requests, api.placed
    assert placed.call_id == "CON-f972836a-550f-45fa-956c-000000000000"
    assert (request_log.method, request_log.path) == ("POST", "/v1/calls")
    assert call["to"] == [{"type": "sip", "uri": "sip:101@acme.sip.example.com"}]
    assert call["from"] == {"type": "phone", "number": OWN}
    assert call["event_url"] == [f"{HOOK}?direction=out&leg=employee&extension=101"]
    record, connect = call["ncco"]
    assert (record["action"], record["eventUrl"]) == ("record", [HOOK])
    assert connect["endpoint"] == [{"type": "phone", "number": CONTACT}]
    assert connect["eventUrl"] == [f"{HOOK}?direction=out&leg=contact&extension=101&line={OWN}"]


def test_each_request_has_its_own_token_valid_for_minutes() -> None:
    with fake_account() as (account, api, server):
        vonage.originate(account, CLICK, PlainClient())
        vonage.ping(account, PlainClient())
        tokens = [one.headers["authorization"].removeprefix("Bearer ") for one in server.requests]
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in tokens]
    assert len({one["jti"] for one in claims}) == len(api.seen) == 2
    assert all(one["exp"] - one["iat"] == 300 for one in claims)
    assert all(jwt.get_unverified_header(token)["alg"] == "RS256" for token in tokens)


def test_click_without_sip_domain_rings_the_app_from_the_chosen_line() -> None:
    with fake_account(sip_domain=None, caller_id=None, record_calls=False) as (account, api, _):
        vonage.originate(account, replace(CLICK, line="+74951230002"), PlainClient())
        (call,) = api.placed
    assert call["to"] == [{"type": "app", "user": "101"}]
    assert call["from"]["number"] == "74951230002"
    assert [action["action"] for action in call["ncco"]] == ["connect"]


@each_invalid_click
def test_invalid_click_is_rejected_without_a_request(
    changes: dict[str, str], settings: dict[str, None], words: str
) -> None:
    with fake_account(**settings) as (account, _, server):
        with pytest.raises(BadInputError, match=words):
            vonage.originate(account, replace(CLICK, **changes), PlainClient())
        with pytest.raises(BadInputError, match="webhook's address"):
            vonage.originate(replace(account, webhook_url=""), replace(CLICK, line=f"+{OWN}"), PlainClient())
        for credentials in ({}, {**account.credentials, "private_key": "-----BEGIN x"}):
            other = replace(account, credentials=credentials)
            with pytest.raises(BadInputError, match="private_key"):
                vonage.originate(other, replace(CLICK, line=f"+{OWN}"), PlainClient())
        assert not server.requests


def test_wrong_key_or_application_is_rejected() -> None:
    with fake_account() as (account, _, _):
        for name in ("private_key", "application_id"):
            other = {**account.credentials, name: simulated.OTHER_CREDENTIALS[name]}
            with pytest.raises(BadInputError, match="401"):
                vonage.ping(replace(account, credentials=other), PlainClient())


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (
            400,
            {"invalid_parameters": [{"name": "from", "reason": "+79101234567"}]},
            BadInputError,
            "parameter from is invalid",
        ),
        (400, {"invalid_parameters": [{"name": "+7 910"}]}, BadInputError, "cannot be called"),
        (400, {"invalid_parameters": "x", "title": "about +79101234567"}, BadInputError, "cannot be called"),
        (402, {}, BadInputError, "no credit"),
        (403, {}, BadInputError, "not allowed to do that"),
        (404, {}, BadInputError, "does not exist"),
        (409, {}, BadInputError, "list of errors"),
        (401, "", BadInputError, "401"),
        (400, "<html>", UnreachableError, "unreadable response"),
        (200, {}, UnreachableError, "does not contain the id of the call"),
        (201, {"conversation_uuid": 7}, UnreachableError, "does not contain the id of the call"),
        (429, {}, TooManyError, "limits requests"),
        (500, {"title": "x"}, UnreachableError, "server error"),
    ],
)
def test_api_error_maps_to_its_exception_with_our_message(
    status: int, body: Any, kind: type[HangtagError], words: str
) -> None:
    with fake_account() as (account, _, server):
        server.faults.append(Fault(Response(status, body)))
        with pytest.raises(kind, match=words) as error:
            vonage.originate(account, CLICK, PlainClient())
    assert "9101234567" not in error.value.message


def test_fake_api_rejects_a_foreign_line() -> None:
    with (
        fake_account() as (account, _, _),
        pytest.raises(BadInputError, match=r"\(HTTP 400\): The parameter from is invalid"),
    ):
        vonage.originate(account, replace(CLICK, line="+4930901820"), PlainClient())


def test_webhooks_of_a_click_form_one_call() -> None:
    """The event URLs of a click contain the hints of its legs."""
    with fake_account() as (account, api, _):
        call_id = vonage.originate(account, CLICK, PlainClient()).call_id
        (placed,) = api.placed
    legs = {
        placed["event_url"][0]: {**EMPLOYEE, "conversation_uuid": call_id},
        placed["ncco"][1]["eventUrl"][0]: {**DIALLED, "conversation_uuid": call_id},
    }
    events: list[CallEvent] = []
    for after, (url, fields) in enumerate(legs.items()):
        for status in ("started", "ringing", "answered", "completed"):
            payload = {**fields, "status": status, "duration": "40"}
            at = NOON + timedelta(seconds=after)
            request = simulated.request(url, Message(body=payload), simulated.CREDENTIALS, at)
            vonage.verify(OURS.received(request, at), verification_keys())
            events += vonage.parse(OURS.received(request, at), {}).events
    call = fold(events)
    assert (call.call_id, call.outcome, call.talk_seconds) == (call_id, Outcome.SUCCESS, 40)
    assert (call.answered_by, call.external, call.line, call.picked_up) == ("101", f"+{CONTACT}", f"+{OWN}", True)


def test_click_without_pick_up_differs_from_one_without_answer() -> None:
    def verdict_of(name: str) -> SkipReason | None:
        at = NOON
        events: list[CallEvent] = []
        for event in load_story(name, "vonage").events:
            at += timedelta(seconds=event.after)
            events += OURS.accepted(OURS.signed(message(event, IDS, NOON, at), at), at).events
        verdict = classify(
            closed(events, at), mapped={"101", "103"}, external_is_employee=False, pick_up=vonage.pick_up
        )
        return verdict.skip

    assert verdict_of("click_employee_no_answer") is SkipReason.EMPLOYEE_NO_ANSWER
    assert verdict_of("outgoing_no_answer") is None
