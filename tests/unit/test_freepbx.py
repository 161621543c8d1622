"""FreePBX: forms as of the telephony API, and its two JSON requests."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from doors import PlainDoor
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.errors import BadInputError
from hangtag.providers import freepbx, telephony_api
from hangtag.providers.base import (
    Account,
    Click,
    ContactCard,
    OfficeLookups,
    ParseResult,
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
)
from hangtag.providers.forms.freepbx import INFOS, FreepbxCredentials, FreepbxSettings
from local.simulator.pbx import freepbx as pbx
from local.simulator.rest import base as rest
from local.simulator.rest.freepbx import Api
from local.simulator.story import Message

TOKEN = "0123456789abcdef0123456789abcdef"
TRUST = VerificationKeys(hashes={"planfix_token": (hashlib.sha256(TOKEN.encode()).hexdigest(),)})
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ASKED: Mapping[str, Any] = {
    "event": "callInfoRespNum",
    "uniqueId": "1772443800.17",
    "intNum": "101",
    "extNum": "79101234567",
}
MISSED = {**ASKED, "event": "callMissedNotify"}
RINGING = {
    "cmd": "event",
    "type": "in",
    "event": "INCOMING",
    "ext": "101",
    "phone": "79101234567",
    "callid": "1772443800.17",
}


def posted(body: bytes, content_type: str = "application/json") -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        path="/hooks/freepbx/***",
        query="",
        headers={"content-type": content_type},
        body=body,
        arrived_at=NOW,
    )


def request(said: object, content_type: str = "application/json") -> WebhookRequest:
    return posted(json.dumps(said).encode(), content_type)


def form(fields: Mapping[str, str]) -> WebhookRequest:
    return posted(urlencode(fields).encode(), "application/x-www-form-urlencoded")


def office(contacts: Mapping[str, ContactCard]) -> OfficeLookups:
    return OfficeLookups(contact=contacts.get, credentials=dict)


def answered(said: object, contacts: Mapping[str, ContactCard]) -> tuple[int, Any]:
    accepted = freepbx.parse(request(said), {})
    assert accepted.respond is not None
    assert accepted.events == ()
    reply = accepted.respond(office(contacts))
    # If the look-up fails, the PBX is told that there is nobody.
    assert accepted.reply.body == '{"error": "no persons responsible"}'
    return reply.status, json.loads(reply.body)


# ------------------------------------------------------------------ genuine or not


def test_a_json_request_needs_no_token_but_a_wrong_one_is_refused() -> None:
    real = pbx.request("https://hangtag.example.com", Message(body=ASKED), {}, NOW)
    assert json.loads(real.body) == ASKED
    freepbx.verify(posted(real.body), TRUST)
    freepbx.verify(request({**ASKED, "planfix_token": TOKEN}), TRUST)
    for wrong in ("", "x", TOKEN.upper() + "A", TOKEN + " ", None, 5, True, [TOKEN], {"a": TOKEN}, "\ud800"):
        with pytest.raises(SignatureError) as refused:
            freepbx.verify(request({**ASKED, "planfix_token": wrong}), TRUST)
        assert (refused.value.reply.status, refused.value.reply.body) == (401, '{"error": "Invalid token"}')


def test_without_a_token_at_hangtag_nothing_is_genuine() -> None:
    for trust in (
        VerificationKeys(),
        VerificationKeys(hashes={"planfix_token": ()}),
        VerificationKeys(hashes={"planfix_token": ("",)}),
    ):
        for sent in (request(ASKED), form({**RINGING, "planfix_token": TOKEN})):
            with pytest.raises(SignatureError):
                freepbx.verify(sent, trust)


def test_a_form_needs_the_token_also_where_it_is_called_json() -> None:
    freepbx.verify(form({**RINGING, "planfix_token": TOKEN}), TRUST)
    with pytest.raises(SignatureError):
        freepbx.verify(form(RINGING), TRUST)
    with pytest.raises(PayloadError):
        freepbx.verify(posted(urlencode(RINGING).encode()), TRUST)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_json_is_known_by_its_brace_whatever_it_is_called(content_type: str) -> None:
    for before in (b"", b" \r\n", b"\xef\xbb\xbf"):
        sent = posted(before + json.dumps(MISSED).encode(), content_type)
        freepbx.verify(sent, TRUST)
        assert len(freepbx.parse(sent, {"missed_by_request": True}).events) == 1


# ------------------------------------------------------------------ who is responsible

VERA = ContactCard(name="Olga Smirnova", responsible="103")


def test_the_responsible_persons_number_is_answered() -> None:
    assert answered(ASKED, {"79101234567": VERA}) == (200, {"responsibleNumbers": ["103"]})
    assert answered({**ASKED, "extNum": 79101234567, "intNum": None}, {"79101234567": VERA})[1] == {
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
def test_no_person_responsible_is_said_in_the_documented_words(contacts: Mapping[str, ContactCard]) -> None:
    assert answered(ASKED, contacts) == (200, {"error": "no persons responsible"})


def test_a_withheld_caller_is_not_looked_up() -> None:
    for withheld in ("", None):
        assert answered({**ASKED, "extNum": withheld}, {"": VERA})[1] == {"error": "no persons responsible"}
    with pytest.raises(PayloadError, match="extNum is missing"):
        freepbx.parse(request({"event": "callInfoRespNum"}), {})


# ------------------------------------------------------------------ the missed call


def test_a_missed_call_told_by_request_is_the_end_of_that_extensions_part() -> None:
    accepted = freepbx.parse(request(MISSED), {"missed_by_request": True})
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


def test_it_ends_the_ringing_that_a_form_told() -> None:
    rang = freepbx.parse(form(RINGING), {}).events
    assert fold(rang).quiet_since is None
    missed = freepbx.parse(request(MISSED), {"missed_by_request": True}).events
    (leg,) = fold([*rang, *missed]).legs
    assert (leg.extension, leg.outcome, leg.live) == ("101", Outcome.MISSED, False)


def test_a_form_that_says_missed_and_the_request_are_one_missed_call() -> None:
    completed = {**RINGING, "event": "COMPLETED", "status": "Missed", "duration": "0"}
    for setting in ({}, {"missed_by_request": True}):
        parts = [freepbx.parse(sent, setting).events for sent in (form(RINGING), form(completed), request(MISSED))]
        call = fold([event for events in parts for event in events])
        assert [(leg.extension, leg.outcome) for leg in call.legs] == [("101", Outcome.MISSED)]
        assert call.quiet_since == NOW


@pytest.mark.parametrize("setting", [{}, {"missed_by_request": False}, {"missed_by_request": None}])
def test_without_the_setting_it_is_answered_and_changes_nothing(setting: Mapping[str, Any]) -> None:
    accepted = freepbx.parse(request(MISSED), setting)
    assert accepted == ParseResult()


def test_nobodys_extension_is_no_leg_of_somebody() -> None:
    (event,) = freepbx.parse(request({**MISSED, "intNum": "", "extNum": ""}), {"missed_by_request": True}).events
    assert (event.leg, event.extension, event.external) == ("", None, "")


@pytest.mark.parametrize("said", [{}, {"event": ""}, {"event": 5.5}, {"event": "callMissedNotify"}, [], None, "x"])
def test_what_can_not_be_read_is_refused(said: object) -> None:
    for setting in ({}, {"missed_by_request": True}):
        with pytest.raises(PayloadError) as refused:
            freepbx.parse(request(said), setting)
        assert refused.value.reply.status == 400


def test_a_request_of_an_unknown_name_is_kept() -> None:
    assert freepbx.parse(request({**ASKED, "event": "callParked"}), {}) == ParseResult(unknown=True)


# ------------------------------------------------------------------ forms, and what goes out


@pytest.mark.parametrize("kind", ["INCOMING", "OUTGOING", "ACCEPTED", "COMPLETED", "PARKED", ""])
def test_forms_are_read_as_the_telephony_apis(kind: str) -> None:
    sent = form({**RINGING, "event": kind})

    def read(provider: Any) -> Any:
        try:
            return provider.parse(sent, {}).events
        except PayloadError as refused:
            return refused.reason, refused.reply

    assert read(freepbx) == read(telephony_api)


def test_the_forms_commands_are_answered_too() -> None:
    contact = freepbx.parse(form({"cmd": "contact", "phone": "79101234567"}), {})
    assert contact.respond is not None
    assert json.loads(contact.respond(office({"79101234567": VERA})).body) == {
        "contact_name": "Olga Smirnova",
        "responsible": 103,
    }
    ping = freepbx.parse(form({"cmd": "ping"}), {})
    assert ping.respond is not None
    assert json.loads(ping.respond(office({})).body) == {"pbxToken": "", "pbxUrl": ""}


@pytest.fixture
def api() -> Api:
    return Api({})


@pytest.fixture
def server(api: Api) -> Iterator[rest.Server]:
    with rest.serving(api) as running:
        yield running


@pytest.fixture
def account(api: Api, server: rest.Server) -> Account:
    return Account(
        provider="freepbx", credentials=api.credentials(server.url), webhook_url="https://hangtag.example.com/h"
    )


CLICK = Click(extension="101", number="+79101234567", reference="r-1")


def test_plain_freepbx_has_no_address_and_calls_nobody(account: Account, server: rest.Server) -> None:
    plain = replace(account, credentials={})
    with pytest.raises(BadInputError, match="pbx_url is not entered"):
        freepbx.originate(plain, CLICK, PlainDoor())
    assert freepbx.ping(plain, PlainDoor()).ok
    assert freepbx.set_up(plain, {"planfix_token": TOKEN}, PlainDoor()).ok
    assert server.asked == []


def test_where_something_takes_commands_it_is_asked_as_by_the_telephony_api(
    account: Account, server: rest.Server, api: Api
) -> None:
    assert freepbx.originate(account, CLICK, PlainDoor()).call_id is None
    assert api.calls == [{"cmd": "makeCall", "from": "101", "to": "79101234567"}]
    assert freepbx.set_up(account, {"planfix_token": TOKEN}, PlainDoor()).ok
    assert api.set_up == {"cmd": "setup", "planfix_token": TOKEN, "planfix_url": "https://hangtag.example.com/h"}
    assert freepbx.ping(account, PlainDoor()).ok
    assert {asked.path for asked in server.asked} == {"/planfix_api.php"}


def test_a_wrong_key_is_told_to_the_admin(account: Account) -> None:
    wrong = replace(account, credentials={**account.credentials, "pbx_token": "wrong"})
    assert not freepbx.ping(wrong, PlainDoor()).ok
    with pytest.raises(BadInputError, match="401"):
        freepbx.originate(wrong, CLICK, PlainDoor())


def test_the_form_of_an_integration() -> None:
    (info,) = INFOS
    assert info.made_secrets == ("planfix_token",)
    assert info.unsigned is not None
    assert "callMissedNotify" in info.unsigned.parts
    assert "https://hook" in info.instructions("https://hook")[0]
    assert FreepbxSettings().missed_by_request is False
    assert FreepbxCredentials().pbx_url is None
