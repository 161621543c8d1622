"""Plivo: its signatures, with its own library as the judge, the XML that answers calls, legs, and its REST API."""

import base64
import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plivo.utils.signature_v3 import validate_v3_signature
from pydantic import ValidationError

from doors import PlainDoor
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers import plivo
from hangtag.providers.base import (
    Account,
    Click,
    ParseResult,
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
)
from hangtag.providers.forms.plivo import PlivoCredentials
from local.simulator.pbx import plivo as simulated
from local.simulator.rest import Fault, Reply, Server, serving
from local.simulator.rest.plivo import Api
from local.simulator.story import Message
from provider_stories import NOON

# The examples of the facts, each accepted by the vendor's library.
TOKEN = "plivo_auth_token_example"
NONCE = "05429567804466091622"
PARAMETERS = {
    "CallStatus": "completed", "CallUUID": "97ceeb52-58b6-11e1-86da-77300b68f8bb", "Direction": "outbound",
    "Duration": "42", "Event": "Hangup", "From": "14155550100", "HangupCause": "NORMAL_CLEARING", "To": "14155550199",
}  # fmt: skip
WITH_QUERY = "https://hooks.example.com/plivo/hangup?conn=7"
WITHOUT = "https://hooks.example.com/plivo/hangup"
HOOK = "https://hooks.example.com/hooks/plivo/" + "T" * 40
CLICK = Click(extension="101", number="+79101234567", reference="ref-1", line="+74951230002")
STARTED = {"CallUUID": "c1", "Event": "StartApp", "Direction": "inbound", "From": "79101234567", "To": "74951230001"}


def delivered(
    url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None, method: str = "POST"
) -> WebhookRequest:
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(fields) if method == "GET" else "") if part)
    return WebhookRequest(
        method=method,
        path="/hooks/plivo/***",
        query=query,
        headers={"content-type": "application/x-www-form-urlencoded", **(headers or {})},
        body=urlencode(fields).encode() if method == "POST" else b"",
        arrived_at=NOON,
        url=f"{url.partition('?')[0]}?{query}" if query else url,
    )


def signed(url: str, signature: str, method: str = "POST", **more: str) -> WebhookRequest:
    headers = {"x-plivo-signature-v3": signature, "x-plivo-signature-v3-nonce": NONCE, **more}
    return delivered(url, PARAMETERS, headers, method)


def trusted(token: str = TOKEN) -> VerificationKeys:
    return VerificationKeys(credentials={"auth_token": (token,)})


def parsed(fields: Mapping[str, str], settings: Mapping[str, Any] | None = None, **hints: str) -> ParseResult:
    url = f"{HOOK}?{urlencode(hints)}" if hints else HOOK
    return plivo.parse(delivered(url, fields, {"x-plivo-signature-v3-nonce": NONCE}), settings or {})


def told(fields: Mapping[str, str], **hints: str) -> CallEvent:
    (one,) = parsed(fields, None, **hints).events
    return one


@contextmanager
def account_of() -> Iterator[tuple[Api, Server, Account]]:
    api = Api(simulated.CREDENTIALS)
    with serving(api) as server:
        yield (
            api,
            server,
            Account(
                provider="plivo",
                credentials=api.credentials(server.url),
                settings=api.settings(server.url),
                webhook_url=HOOK,
            ),
        )


# ------------------------------------------------------------------ genuine or not


@pytest.mark.parametrize(
    ("method", "url", "signature"),
    [
        ("POST", WITH_QUERY, "RRKL5UiZA+MGjGJwgKBcpH1oskZtkOnrY2aqVoXWEC4="),
        ("POST", WITHOUT, "bmmYIBbFWAJHeFBmLWnHlsAnpOjYTx3rzELfEM41aT8="),
        ("GET", WITH_QUERY, "31b/subKsjzHhWgWFO8b/CaYubjKmZdON2767CJZUgA="),
    ],
)
def test_the_worked_examples(method: str, url: str, signature: str) -> None:
    plivo.verify(signed(url, signature, method), trusted())
    # Any of a list, and the main account's.
    plivo.verify(signed(url, f"AAAA,{signature}", method), trusted())
    plivo.verify(signed(url, "", method, **{"x-plivo-signature-ma-v3": signature}), trusted())
    # Of the main account itself both headers say the same; of a subaccount each has another key.
    plivo.verify(signed(url, signature, method, **{"x-plivo-signature-ma-v3": signature}), trusted())
    plivo.verify(signed(url, "AAAA", method, **{"x-plivo-signature-ma-v3": signature}), trusted())
    for other in (signature.lower(), signature[:-1], f"{signature},{signature}", ""):
        with pytest.raises(SignatureError):
            plivo.verify(signed(url, other, method), trusted())


def test_without_a_query_no_dot_parts_address_and_form() -> None:
    with pytest.raises(SignatureError):
        plivo.verify(signed(WITHOUT, "si1kB0LYteDox3vFERHohSWV/K6oHsHjpon7MRSpCKo="), trusted())


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
# Of a query, its library reads ASCII alone.
ASCII = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=12)
NAMES = st.text("abcXYZ019_-", min_size=1, max_size=8)


@given(
    st.sampled_from(["GET", "POST"]),
    st.dictionaries(NAMES, ASCII, max_size=4),
    st.dictionaries(NAMES, WORDS, min_size=1, max_size=6),
    st.text("0123456789abcdef-", min_size=1, max_size=40),
)
def test_the_vendors_library_and_this_one_agree(
    method: str, asked: dict[str, str], posted: dict[str, str], nonce: str
) -> None:
    """Promise: whatever Plivo signs, by its own library, is genuine here; and what is not, is not."""
    query = {name: value for name, value in asked.items() if name not in posted}
    posted = {name: value for name, value in posted.items() if method == "POST" or value.isascii()}
    url = f"{WITHOUT}?{urlencode(query)}" if query else WITHOUT
    request = delivered(url, posted, method=method)
    message = f"{simulated.signed(method, request.url, request.body)}.{nonce}"
    good = simulated.sign(TOKEN, message)
    # The library reads the whole address of a GET itself.
    judged = validate_v3_signature(method, url, nonce, TOKEN, good, dict(posted))
    assert judged
    headers = {"x-plivo-signature-v3": good, "x-plivo-signature-v3-nonce": nonce}
    plivo.verify(delivered(url, posted, headers, method), trusted())
    wrong = base64.b64encode(hmac.digest(b"x", message.encode(), "sha256")).decode()
    assert not validate_v3_signature(method, url, nonce, TOKEN, wrong, dict(posted))
    with pytest.raises(SignatureError):
        plivo.verify(delivered(url, posted, {**headers, "x-plivo-signature-v3": wrong}, method), trusted())


def test_the_simulator_signs_as_the_vendor() -> None:
    for query in ({}, {"direction": "in", "ring": "101,102"}):
        message = Message(query=query, post=STARTED)
        sent = simulated.request(HOOK, message, simulated.CREDENTIALS, NOON)
        nonce, signature = sent.headers[simulated.NONCE_HEADER], sent.headers[simulated.SIGNATURE_HEADER]
        token = simulated.CREDENTIALS["auth_token"]
        assert validate_v3_signature("POST", sent.url, nonce, token, signature, dict(STARTED))


def test_a_nonce_is_needed_and_bounded_and_is_the_events_id() -> None:
    signature = "bmmYIBbFWAJHeFBmLWnHlsAnpOjYTx3rzELfEM41aT8="
    for nonce in ("", "9" * 129):
        with pytest.raises(SignatureError, match="nonce"):
            plivo.verify(signed(WITHOUT, signature, **{"x-plivo-signature-v3-nonce": nonce}), trusted())
    # Whenever it is posted again: by its digest a call's item knows it, however old that is.
    sent = delivered(f"{HOOK}?ring=101", STARTED, {"x-plivo-signature-v3-nonce": NONCE})
    later = replace(sent, arrived_at=NOON + timedelta(days=3))
    first, again = plivo.parse(sent, {}).events, plivo.parse(later, {}).events
    assert {event.event_id for event in first} == {NONCE}
    assert [event.digest() for event in first] == [event.digest() for event in again]
    assert len({event.digest() for event in first}) == len(first) == 2


@pytest.mark.parametrize("auth_id", ["", "MA", "ma" * 10, "MAXXXXXXXXXXXXXXXXX1/", "MAXXXXXXXXXXXXXXXX/.."])
def test_an_auth_id_can_be_part_of_a_path(auth_id: str) -> None:
    with pytest.raises(ValidationError):
        PlivoCredentials.model_validate({"auth_id": auth_id, "auth_token": "long enough"})


# ------------------------------------------------------------------ what comes in


def test_our_answer_rings_the_phones_of_the_number_at_once() -> None:
    accepted = parsed(STARTED, {"ring": "109"}, direction="in", ring="101, 102,101")
    assert [(one.kind, one.leg, one.external, one.line) for one in accepted.events] == [
        (Kind.RINGING, leg, "79101234567", "74951230001") for leg in ("", "101", "102")
    ]
    dial = ET.fromstring(accepted.reply.body).find("Dial")  # noqa: S314 - our own document
    assert dial is not None
    assert [user.text for user in dial] == ["sip:101@phone.plivo.com", "sip:102@phone.plivo.com"]
    assert dial.get("callbackUrl") == f"{HOOK}?direction=in&line=74951230001"
    assert accepted.reply.content_type == "application/xml"
    by_settings = parsed(STARTED, {"ring": "109", "sip_domain": "pbx.example.com", "record_calls": False})
    assert "<User>sip:109@pbx.example.com</User>" in by_settings.reply.body
    assert "<Record" not in by_settings.reply.body


def test_without_phones_to_ring_the_answer_is_empty() -> None:
    accepted = parsed(STARTED, ring='"><Hangup/>')
    assert accepted.reply.body == "<Response/>"
    assert len(accepted.events) == 1


def test_a_click_that_is_picked_up_dials_the_contact() -> None:
    start = {**STARTED, "Direction": "outbound", "From": "74951230002", "To": "sip:101@phone.plivo.com"}
    hints = {"direction": "out", "extension": "101", "number": "79101234567", "line": "74951230002",
             "reference": "ref-1"}  # fmt: skip
    accepted = parsed(start, None, **hints)
    (event,) = accepted.events
    assert (event.kind, event.leg, event.extension, event.external) == (Kind.PICKED_UP, "out", "101", "79101234567")
    assert (event.reference, event.line) == ("ref-1", "74951230002")
    dial = ET.fromstring(accepted.reply.body).find("Dial")  # noqa: S314 - our own document
    assert dial is not None
    assert dial.get("callerId") == "74951230002"
    assert [(one.tag, one.text) for one in dial] == [("Number", "79101234567")]
    assert dict(parse_qsl(urlsplit(dial.get("callbackUrl") or "").query)) == hints


def test_a_phone_that_calls_is_connected_and_shows_the_caller_id() -> None:
    start = {**STARTED, "From": "sip:101@phone.plivo.com", "To": "+79101234567"}
    accepted = parsed(start, {"caller_id": "+74951230001"}, direction="out")
    (event,) = accepted.events
    assert (event.direction, event.extension, event.external) == (Direction.OUT, "101", "+79101234567".strip("+"))
    assert 'callerId="74951230001"' in accepted.reply.body
    assert "<Number>79101234567</Number>" in accepted.reply.body
    # By the device alone too, should the address not say it.
    assert parsed(start).events[0].direction is Direction.OUT


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
        # The account has no credit; another phone was quicker.
        ("0", "1010", Outcome.MISSED, Outcome.FAILED),
        ("0", "9000", Outcome.CANCELLED, Outcome.CANCELLED),
        ("0", "USER_BUSY", Outcome.MISSED, Outcome.BUSY),
        ("0", "5010", Outcome.MISSED, Outcome.FAILED),
        ("0", "", Outcome.MISSED, Outcome.FAILED),
    ],
)
def test_how_a_dialled_leg_ended(seconds: str, cause: str, incoming: Outcome, outgoing: Outcome) -> None:
    ended = {"CallUUID": "c1", "DialAction": "hangup", "DialBLegUUID": "b", "DialALegUUID": "c1",
             "DialBLegDuration": seconds, "DialBLegHangupCauseCode": cause, "From": "79101234567"}  # fmt: skip
    event = told({**ended, "DialBLegTo": "sip:101@phone.plivo.com"}, direction="in", line="74951230001")
    assert (event.outcome, event.leg, event.extension, event.line) == (incoming, "101", "101", "74951230001")
    assert told({**ended, "DialBLegTo": "79101234567"}, direction="out", extension="101").outcome is outgoing


def test_an_older_callback_without_event_is_known_by_its_status() -> None:
    bare = {name: value for name, value in STARTED.items() if name != "Event"}
    assert told({**bare, "CallStatus": "ringing"}).kind is Kind.RINGING
    assert told({**bare, "CallStatus": "busy"}).final
    assert parsed({**bare, "CallStatus": "parked"}).unknown
    assert parsed({**STARTED, "Event": "Redirect"}).unknown
    assert parsed({**STARTED, "DialAction": "digits"}).unknown
    with pytest.raises(PayloadError, match="CallUUID"):
        parsed({"Event": "Hangup"})


# ------------------------------------------------------------------ what goes out


def test_a_click_names_the_webhook_in_every_address() -> None:
    with account_of() as (api, _, account):
        assert plivo.originate(account, CLICK, PlainDoor()).call_id is None
        (asked,) = api.placed
        assert (asked["from"], asked["to"]) == ("74951230002", "sip:101@phone.plivo.com")
        for name in ("answer_url", "ring_url", "hangup_url"):
            url = urlsplit(asked[name])
            assert f"{url.scheme}://{url.netloc}{url.path}" == HOOK
            assert dict(parse_qsl(url.query))["reference"] == "ref-1"


@pytest.mark.parametrize(
    ("click", "settings", "webhook_url", "words"),
    [
        (CLICK, {}, "", "webhook"),
        (Click(extension="101", number="+79101234567", reference="r"), {"caller_id": None}, HOOK, "caller_id"),
        (Click(extension="1@evil", number="+79101234567", reference="r"), {}, HOOK, "extension"),
        (Click(extension="101", number="sip:x@y", reference="r"), {}, HOOK, "number"),
    ],
)
def test_what_cant_be_called_is_refused_before_it_is_asked(
    click: Click, settings: Mapping[str, Any], webhook_url: str, words: str
) -> None:
    with account_of() as (_, server, account):
        other = Account(
            provider="plivo",
            credentials=account.credentials,
            settings={**account.settings, **settings},
            webhook_url=webhook_url,
        )
        with pytest.raises(BadInputError, match=words):
            plivo.originate(other, click, PlainDoor())
        assert not server.asked


def test_a_refusal_is_told_without_numbers() -> None:
    with account_of() as (_, server, account):
        server.faults.append(Fault(Reply(400, {"error": "from parameter is invalid: 74951230002"})))
        with pytest.raises(BadInputError, match=r"\(400\): from parameter is invalid:$"):
            plivo.originate(account, CLICK, PlainDoor())


def test_a_list_is_read_to_its_end_page_by_page() -> None:
    with account_of() as (api, server, account):
        for number in range(45):
            at = (NOON - timedelta(minutes=number + 1)).strftime("%Y-%m-%d %H:%M:%S+00:00")
            api.calls.append({
                "call_uuid": f"c{number}", "parent_call_uuid": None, "call_direction": "inbound",
                "from_number": "79101234567", "to_number": "74951230001", "initiation_time": at, "end_time": at,
                "answer_time": None, "call_duration": 0,
            })  # fmt: skip
        found = list(plivo.history(account, NOON - timedelta(hours=2), NOON, PlainDoor()))
        assert len({event.call_id for event in found}) == 45
        assert len([one for one in server.asked if one.path.endswith("/Call/")]) == 3


def test_rows_that_cant_be_read_are_left_out_and_a_list_that_is_none_is_told() -> None:
    with account_of() as (_, server, account):
        rows = [None, {}, {"call_uuid": "x", "end_time": "soon"}, {"call_uuid": 7, "end_time": "2026-03-01 11:30:00Z"}]
        # In whose time zone?
        rows.append({"call_uuid": "y", "end_time": "2026-03-01 11:30:00"})
        server.faults.append(Fault(Reply(200, {"objects": rows})))
        (event,) = plivo.history(account, NOON - timedelta(hours=2), NOON, PlainDoor())
        assert (event.call_id, event.final) == ("7", True)
        server.faults.append(Fault(Reply(200, {"objects": "x"})))
        with pytest.raises(UnreachableError):
            list(plivo.history(account, NOON - timedelta(hours=2), NOON, PlainDoor()))


def test_endpoints_are_extensions() -> None:
    with account_of() as (_, _server, account):
        assert [(one.extension, one.name) for one in plivo.extensions(account, PlainDoor())] == [
            ("101", "Anna"),
            ("102", "Boris"),
        ]
        assert plivo.ping(account, PlainDoor()).ok
