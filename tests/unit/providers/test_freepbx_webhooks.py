"""FreePBX's webhook: the telephony API's forms, and two JSON requests."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from freepbx_helpers import FREEPBX, NOW, TOKEN, json_request, request
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.providers import load
from hangtag.providers.base import (
    ContactCard,
    OfficeLookups,
    ParseResult,
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
)
from hangtag.providers.freepbx.form import INFOS, FreepbxCredentials, FreepbxSettings
from local.simulator.providers.freepbx import pbx
from local.simulator.story import Message

TRUST = VerificationKeys(hashes={"planfix_token": (hashlib.sha256(TOKEN.encode()).hexdigest(),)})


PAYLOAD: Mapping[str, Any] = {
    "event": "callInfoRespNum",
    "uniqueId": "1772443800.17",
    "intNum": "101",
    "extNum": "79101234567",
}


MISSED = {**PAYLOAD, "event": "callMissedNotify"}


RINGING = {
    "cmd": "event",
    "type": "in",
    "event": "INCOMING",
    "ext": "101",
    "phone": "79101234567",
    "callid": "1772443800.17",
}


def form(fields: Mapping[str, str]) -> WebhookRequest:
    return json_request(urlencode(fields).encode(), "application/x-www-form-urlencoded")


def lookups(contacts: Mapping[str, ContactCard]) -> OfficeLookups:
    return OfficeLookups(contact=contacts.get, credentials=dict)


def respond(payload: object, contacts: Mapping[str, ContactCard]) -> tuple[int, Any]:
    accepted = FREEPBX.parse(request(payload), {})
    assert accepted.respond is not None
    assert accepted.events == ()
    reply = accepted.respond(lookups(contacts))
    # Response of a failed lookup.
    assert accepted.reply.body == '{"error": "no persons responsible"}'
    return reply.status, json.loads(reply.body)


def test_json_request_with_a_wrong_token_is_rejected() -> None:
    real = pbx.request("https://hangtag.example.com", Message(body=PAYLOAD), {}, NOW)
    assert json.loads(real.body) == PAYLOAD
    FREEPBX.verify(json_request(real.body), TRUST)
    FREEPBX.verify(request({**PAYLOAD, "planfix_token": TOKEN}), TRUST)
    for wrong in ("", "x", TOKEN.upper() + "A", TOKEN + " ", None, 5, True, [TOKEN], {"a": TOKEN}, "\ud800"):
        with pytest.raises(SignatureError) as refused:
            FREEPBX.verify(request({**PAYLOAD, "planfix_token": wrong}), TRUST)
        assert (refused.value.reply.status, refused.value.reply.body) == (401, '{"error": "Invalid token"}')


def test_request_is_rejected_without_a_stored_token() -> None:
    for trust in (
        VerificationKeys(),
        VerificationKeys(hashes={"planfix_token": ()}),
        VerificationKeys(hashes={"planfix_token": ("",)}),
    ):
        for sent in (request(PAYLOAD), form({**RINGING, "planfix_token": TOKEN})):
            with pytest.raises(SignatureError):
                FREEPBX.verify(sent, trust)


def test_form_needs_the_token_with_any_content_type() -> None:
    FREEPBX.verify(form({**RINGING, "planfix_token": TOKEN}), TRUST)
    with pytest.raises(SignatureError):
        FREEPBX.verify(form(RINGING), TRUST)
    with pytest.raises(PayloadError):
        FREEPBX.verify(json_request(urlencode(RINGING).encode()), TRUST)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_json_is_recognised_by_its_brace(content_type: str) -> None:
    for before in (b"", b" \r\n", b"\xef\xbb\xbf"):
        sent = json_request(before + json.dumps(MISSED).encode(), content_type)
        FREEPBX.verify(sent, TRUST)
        assert len(FREEPBX.parse(sent, {"missed_by_request": True}).events) == 1


VERA = ContactCard(name="Olga Smirnova", responsible="103")


def test_response_has_the_responsible_extension() -> None:
    assert respond(PAYLOAD, {"79101234567": VERA}) == (200, {"responsibleNumbers": ["103"]})
    assert respond({**PAYLOAD, "extNum": 79101234567, "intNum": None}, {"79101234567": VERA})[1] == {
        "responsibleNumbers": ["103"]
    }


@pytest.mark.parametrize(
    "contacts",
    [
        {},
        {"79101234567": VERA._replace(responsible=None)},
        {"79101234567": VERA._replace(responsible="")},
        {"79101234567": VERA._replace(responsible="101")},
    ],
    ids=["nobody has the number", "nobody is responsible", "without an extension", "the one that was called itself"],
)
def test_missing_responsible_gets_the_documented_error(contacts: Mapping[str, ContactCard]) -> None:
    assert respond(PAYLOAD, contacts) == (200, {"error": "no persons responsible"})


def test_withheld_caller_is_not_looked_up() -> None:
    for withheld in ("", None):
        assert respond({**PAYLOAD, "extNum": withheld}, {"": VERA})[1] == {"error": "no persons responsible"}
    with pytest.raises(PayloadError, match="extNum is missing"):
        FREEPBX.parse(request({"event": "callInfoRespNum"}), {})


def test_missed_request_ends_the_leg_of_the_extension() -> None:
    accepted = FREEPBX.parse(request(MISSED), {"missed_by_request": True})
    assert (accepted.reply.status, accepted.reply.body) == (200, "")
    assert accepted.events == (
        CallEvent(
            call_id="1772443800.17",
            kind=Kind.ENDED,
            at=NOW,
            at_is_arrival=True,
            leg="101",
            direction=Direction.IN,
            external="79101234567",
            extension="101",
            outcome=Outcome.MISSED,
        ),
    )


def test_missed_request_ends_the_ringing_of_a_form() -> None:
    rang = FREEPBX.parse(form(RINGING), {}).events
    assert fold(rang).quiet_since is None
    missed = FREEPBX.parse(request(MISSED), {"missed_by_request": True}).events
    (leg,) = fold([*rang, *missed]).legs
    assert (leg.extension, leg.outcome, leg.live) == ("101", Outcome.MISSED, False)


def test_missed_form_with_missed_request_is_one_call() -> None:
    completed = {**RINGING, "event": "COMPLETED", "status": "Missed", "duration": "0"}
    for setting in ({}, {"missed_by_request": True}):
        parts = [FREEPBX.parse(sent, setting).events for sent in (form(RINGING), form(completed), request(MISSED))]
        call = fold([event for events in parts for event in events])
        assert [(leg.extension, leg.outcome) for leg in call.legs] == [("101", Outcome.MISSED)]
        assert call.quiet_since == NOW


@pytest.mark.parametrize("setting", [{}, {"missed_by_request": False}, {"missed_by_request": None}])
def test_missed_request_has_no_events_without_the_setting(setting: Mapping[str, Any]) -> None:
    accepted = FREEPBX.parse(request(MISSED), setting)
    assert accepted == ParseResult()


def test_missed_request_without_extension_has_no_employee() -> None:
    (event,) = FREEPBX.parse(request({**MISSED, "intNum": "", "extNum": ""}), {"missed_by_request": True}).events
    assert (event.leg, event.extension, event.external) == ("", None, "")


@pytest.mark.parametrize("payload", [{}, {"event": ""}, {"event": 5.5}, {"event": "callMissedNotify"}, [], None, "x"])
def test_unreadable_request_is_rejected(payload: object) -> None:
    for setting in ({}, {"missed_by_request": True}):
        with pytest.raises(PayloadError) as refused:
            FREEPBX.parse(request(payload), setting)
        assert refused.value.reply.status == 400


def test_request_with_an_unknown_name_is_logged() -> None:
    assert FREEPBX.parse(request({**PAYLOAD, "event": "callParked"}), {}) == ParseResult(unknown=True)


@pytest.mark.parametrize("kind", ["INCOMING", "OUTGOING", "ACCEPTED", "COMPLETED", "PARKED", ""])
def test_form_is_parsed_like_the_telephony_api(kind: str) -> None:
    sent = form({**RINGING, "event": kind})

    def read(provider: Any) -> Any:
        try:
            return provider.parse(sent, {}).events
        except PayloadError as refused:
            return refused.reason, refused.reply

    assert read(FREEPBX) == read(load("telephony_api"))


def test_commands_in_forms_get_a_response() -> None:
    contact = FREEPBX.parse(form({"cmd": "contact", "phone": "79101234567"}), {})
    assert contact.respond is not None
    assert json.loads(contact.respond(lookups({"79101234567": VERA})).body) == {
        "contact_name": "Olga Smirnova",
        "responsible": 103,
    }
    ping = FREEPBX.parse(form({"cmd": "ping"}), {})
    assert ping.respond is not None
    assert json.loads(ping.respond(lookups({})).body) == {"pbxToken": "", "pbxUrl": ""}


def test_form_validates_credentials_with_settings() -> None:
    (info,) = INFOS
    assert info.made_secrets == ("planfix_token",)
    assert info.unverified_fields is not None
    assert "callMissedNotify" in info.unverified_fields.parts
    assert "https://hook" in info.instructions("https://hook")[0]
    assert FreepbxSettings().missed_by_request is False
    assert FreepbxCredentials().pbx_url is None
