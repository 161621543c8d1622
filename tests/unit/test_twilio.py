"""Twilio: its signatures, proved against the vendor's own library; whose leg is whose; its REST API."""

import hashlib
import itertools
import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from xml.etree import ElementTree as ET

import pytest
from pydantic import ValidationError
from twilio.request_validator import RequestValidator, get_signature_algorithm
from twilio.twiml.voice_response import Dial, VoiceResponse

from doors import PlainDoor
from hangtag import outbound
from hangtag.domain.calls.classify import PickUp, SkipReason, classify
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.errors import BadInputError, HangtagError, TooManyError, UnreachableError
from hangtag.providers import twilio
from hangtag.providers.base import (
    Account,
    Click,
    ParseResult,
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
)
from hangtag.providers.forms.twilio import INFOS, TwilioCredentials
from local.simulator.pbx import Request
from local.simulator.pbx import twilio as simulated
from local.simulator.pbx.base import FORM, JSON, with_header
from local.simulator.rest import Fault, Reply, Server, serving
from local.simulator.rest.twilio import Api
from local.simulator.story import Message, Story, load_stories, load_story, message
from provider_stories import IDS, NOON, closed, comparable, line

TOKEN = simulated.CREDENTIALS["auth_token"]
ACCOUNT = simulated.CREDENTIALS["account_sid"]
HOOK = "https://hooks.example.com/hooks/twilio/" + "T" * 40
OURS = line("twilio")
STORIES = load_stories("twilio")
each_story = pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])

PARENT, CHILD = "CA" + "1" * 32, "CA" + "2" * 32
CONTACT, OWN = "+79101234567", "+74951230001"
DEVICE = "sip:101@acme.sip.twilio.com"
INCOMING = {"CallSid": CHILD, "ParentCallSid": PARENT, "Direction": "outbound-dial", "From": CONTACT, "To": DEVICE}
OLD_NAMES = {**INCOMING, "To": "", "Called": DEVICE, "From": "", "Caller": CONTACT}
CALLER = {"CallSid": PARENT, "Direction": "inbound", "From": CONTACT, "To": OWN}
SOFTPHONE = {**CALLER, "From": DEVICE, "To": f"sip:{CONTACT}@acme.sip.twilio.com"}
CLICKED = {"CallSid": PARENT, "Direction": "outbound-api", "From": OWN, "To": DEVICE}
DIALLED = {"CallSid": CHILD, "ParentCallSid": PARENT, "Direction": "outbound-dial", "From": OWN, "To": CONTACT}


def delivered(
    url: str, fields: Mapping[str, str] | bytes, headers: Mapping[str, str] | None = None, method: str = "POST"
) -> WebhookRequest:
    return WebhookRequest(
        method=method,
        path=urlsplit(url).path,
        query=urlsplit(url).query,
        headers={"content-type": FORM} | {name.lower(): value for name, value in (headers or {}).items()},
        body=fields if isinstance(fields, bytes) else urlencode(fields).encode(),
        arrived_at=NOON,
        url=url,
    )


def parsed(fields: Mapping[str, str], **hints: str) -> ParseResult:
    return twilio.parse(delivered(f"{HOOK}?{urlencode(hints)}" if hints else HOOK, fields), {})


def told(fields: Mapping[str, str], status: str, **hints: str) -> CallEvent:
    (one,) = parsed({**fields, "CallStatus": status}, **hints).events
    return one


def trust(**more: tuple[str, ...]) -> VerificationKeys:
    return VerificationKeys(credentials={"auth_token": (TOKEN,), "account_sid": (ACCOUNT,), **more})


def is_taken(request: WebhookRequest, who: VerificationKeys) -> bool:
    try:
        twilio.verify(request, who)
    except (SignatureError, PayloadError):
        return False
    return True


# ------------------------------------------------------------------ worked examples

COMPANY = "https://mycompany.com/myapp.php"
FIRST = {
    "CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234", "From": "+14158675309",
    "To": "+18005551212",
}  # fmt: skip
HOOKS = "https://hooks.example.com/t/acme/twilio/status?conn=7"
SECOND = {
    "AccountSid": "AC" + "a" * 32, "CallDuration": "42", "CallSid": "CA1234567890abcdef1234567890abcdef",
    "CallStatus": "completed", "CallbackSource": "call-progress-events", "Direction": "outbound-api",
    "From": "+14155550100", "SequenceNumber": "3", "Timestamp": "Mon, 23 Nov 2026 00:00:00 +0000",
    "To": "+14155550199",
}  # fmt: skip
BODY = b'{"property":"value","boolean":true}'
HASHED = f"{COMPANY}?bodySHA256=d5729c000e5de6b3a10698fec78d482db85d744f1be820d1382b6bda1cfb7795"
SHARED = {simulated.SETTINGS_HEADER: "key=k1,algorithm=HMAC_SHA256"}
# The second and the signature by SHA-256 were computed with the vendor's library, apart from this code.
WORKED: list[tuple[str, Mapping[str, str] | bytes, dict[str, str], str, str]] = [
    (f"{COMPANY}?foo=1&bar=2", FIRST, {}, "12345", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    (HOOKS, SECOND, {}, "twilio_auth_token_example", "CsdTyvs86geR1WR6QzkUI82N5T4="),
    (HOOKS, SECOND, SHARED, "twilio_auth_token_example", "9Mgxh0nCMJpDOE6nsbKuhqdq08lQqkh0B10hMiyULX4="),
    (HASHED, BODY, {"Content-Type": JSON}, "12345", "S3fW4swDzulE1VJfHiZwCjkucXI="),
]
each_worked = pytest.mark.parametrize(
    ("url", "said", "headers", "key", "signature"), WORKED, ids=["form", "callback", "SHA-256", "JSON"]
)


@each_worked
def test_the_worked_signatures_are_taken_and_no_other(
    url: str, said: Mapping[str, str] | bytes, headers: dict[str, str], key: str, signature: str
) -> None:
    who = VerificationKeys(
        credentials={
            "auth_token" if headers != SHARED else "shared_key_secret": (key,), "account_sid": (SECOND["AccountSid"],)
        }
    )  # fmt: skip
    good = delivered(url, said, {**headers, "X-Twilio-Signature": signature})
    twilio.verify(good, who)
    for wrong in (
        replace(good, url=url + "&x=1"),
        replace(good, url=url.replace("https", "http")),
        replace(good, body=good.body + b"&x=1"),
        replace(good, headers={**good.headers, "x-twilio-signature": signature.lower()}),
        replace(good, headers={**good.headers, "x-twilio-signature": signature.rstrip("=")}),
    ):
        assert not is_taken(wrong, who)


@each_worked
def test_the_simulator_and_the_library_agree_with_the_worked_signatures(
    url: str, said: Mapping[str, str] | bytes, headers: dict[str, str], key: str, signature: str
) -> None:
    algorithm = "sha256" if headers == SHARED else "sha1"
    pairs = list(said.items()) if isinstance(said, dict) else []
    assert simulated.sign(key, simulated.signed(url, pairs), algorithm) == signature
    params: Any = said.decode() if isinstance(said, bytes) else said
    named = get_signature_algorithm(headers.get(simulated.SETTINGS_HEADER))
    assert RequestValidator(key).validate(url, params, signature, named)


# ------------------------------------------------------------------ the vendor's library, both ways


def library_takes(request: Request, secrets: Mapping[str, str] = simulated.CREDENTIALS) -> bool:
    """What the vendor's library says of a request over the wire."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    algorithm = get_signature_algorithm(headers.get(simulated.SETTINGS_HEADER.lower()))
    key = secrets["shared_key_secret" if algorithm.upper() == "HMAC_SHA256" else "auth_token"]
    try:
        body = request.body.decode()
        params = body if headers["content-type"] == JSON else dict(parse_qsl(body, keep_blank_values=True))
        return bool(RequestValidator(key).validate(request.url, params, headers["x-twilio-signature"], algorithm))
    except (ValueError, TypeError):
        # It expects a form where the address holds no hash, and trips over JSON.
        return False


FORMS = {
    "form": Message(post={**INCOMING, "CallStatus": "ringing", "ToCity": "", "FromCity": "São Paulo & +, ü"}),
    "query": Message(post=FIRST, query={"direction": "in", "extension": "101"}),
    "GET": Message(method="GET", post={**INCOMING, "CallStatus": "ringing"}, query={"direction": "in"}),
    "JSON": Message(body={**INCOMING, "CallStatus": "ringing"}, query={"direction": "in"}),
    "SHA-256": Message(
        post=FIRST,
        headers={simulated.SETTINGS_HEADER: f"key={simulated.CREDENTIALS['shared_key_id']},algorithm=HMAC_SHA256"},
    ),
}
each_form = pytest.mark.parametrize("sent", FORMS.values(), ids=FORMS)


def story_messages(story: Story) -> Iterator[Message]:
    at = NOON
    for event in story.events:
        at += timedelta(seconds=event.after)
        yield message(event, IDS, NOON, at)


@each_story
def test_the_library_takes_every_message_that_the_simulator_signs(story: Story) -> None:
    for sent in story_messages(story):
        assert library_takes(OURS.signed(sent))


@each_form
def test_the_library_and_we_take_the_same_messages_in_every_form(sent: Message) -> None:
    good = OURS.signed(sent)
    assert library_takes(good)
    twilio.verify(OURS.received(good), OURS.trust())
    tried = 0
    for wrong in simulated.tampered(good):
        assert not library_takes(wrong)
        assert not is_taken(OURS.received(wrong), OURS.trust()), wrong
        tried += 1
    assert tried > 60


class Repeated(dict[str, list[str]]):
    """Parameters with several values, as Django gives them to the library."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"To": ["+1"]},
        {"MediaUrl": ["b", "a", "b"], "MediaUrl0": ["z"]},
        {"b": [""], "a": ["", "1"], "B": ["é", "e"]},
        {"StatusCallbackEvent": ["ringing", "initiated", "ringing", "answered"]},
    ],
)
@pytest.mark.parametrize("algorithm", ["HMAC_SHA1", "HMAC_SHA256"])
@pytest.mark.parametrize("query", ["", "?", "?direction=in&line=74951230001", "?x=%C3%A9+%2B"])
def test_we_take_what_the_library_signs(params: dict[str, list[str]], algorithm: str, query: str) -> None:
    body = urlencode([(name, value) for name, values in params.items() for value in values]).encode()
    key = {"HMAC_SHA1": TOKEN, "HMAC_SHA256": "shared"}[algorithm]
    signature = RequestValidator(key).compute_signature(HOOK + query, Repeated(params), algorithm)
    headers = {"X-Twilio-Signature": signature}
    if algorithm == "HMAC_SHA256":
        headers[simulated.SETTINGS_HEADER] = "key=k1,algorithm=HMAC_SHA256"
    request = delivered(HOOK + query, body, headers)
    twilio.verify(request, trust(shared_key_id=("k0", "k1"), shared_key_secret=("older", "shared")))
    assert not is_taken(request, trust(auth_token=("another",), shared_key_secret=("another",)))


@pytest.mark.parametrize(
    ("signed", "ours"),
    [
        ("https://hooks.example.com:443/h?x=1", "https://hooks.example.com/h?x=1"),
        ("https://hooks.example.com/h?x=1", "https://hooks.example.com:443/h?x=1"),
        ("https://hooks.example.com/h", "https://hooks.example.com:8443/h"),
        ("https://hooks.example.com:8443/h", "https://hooks.example.com:8443/h"),
        ("http://127.0.0.1:80/h", "http://127.0.0.1/h"),
        ("https://hooks.example.com", "https://hooks.example.com"),
        ("https://hooks.example.com/a:80/b@c?d=e:99", "https://hooks.example.com/a:80/b@c?d=e:99"),
    ],
)
def test_the_address_is_taken_with_and_without_its_port_as_the_library_does(signed: str, ours: str) -> None:
    signature = RequestValidator(TOKEN).compute_signature(signed, FIRST)
    assert RequestValidator(TOKEN).validate(ours, FIRST, signature)
    twilio.verify(delivered(ours, FIRST, {"X-Twilio-Signature": signature}), trust())


@pytest.mark.parametrize("port", ["80", "8080", "4430"])
def test_another_port_is_another_address(port: str) -> None:
    other = HOOK.replace("example.com", f"example.com:{port}")
    signature = RequestValidator(TOKEN).compute_signature(other, FIRST)
    assert not is_taken(delivered(HOOK, FIRST, {"X-Twilio-Signature": signature}), trust())


# ------------------------------------------------------------------ what else is looked at


def signed_by_shared_key(settings: str) -> WebhookRequest:
    signature = simulated.sign("shared", simulated.signed(HOOK, FIRST.items()), "sha256")
    return delivered(HOOK, FIRST, {"X-Twilio-Signature": signature, simulated.SETTINGS_HEADER: settings})


@pytest.mark.parametrize(
    ("settings", "ids", "good"),
    [
        ("key=k1,algorithm=HMAC_SHA256", ("k1",), True),
        (" key = k1 , algorithm = hmac_sha256 ", ("k1",), True),
        # The id is told in the open: without one entered, the secret decides.
        ("key=k1,algorithm=HMAC_SHA256", (), True),
        ("key=k1,algorithm=HMAC_SHA256", ("",), True),
        ("key=k2,algorithm=HMAC_SHA256", ("k1",), False),
        ("algorithm=HMAC_SHA256", ("k1",), False),
        ("key=k1,algorithm=HMAC_SHA512", ("k1",), False),
        ("key=k1,algorithm=HMAC_SHA1", ("k1",), False),
        ("key=k1", ("k1",), False),
        ("key=k1,algorithm=HMAC_SHA256,key=k1,algorithm=HMAC_SHA256", ("k1",), False),
        ("key=k1,algorithm=é", ("k1",), False),
        ("", ("k1",), False),
    ],
)
def test_the_header_says_which_key_signed(settings: str, ids: tuple[str, ...], good: bool) -> None:
    who = trust(shared_key_id=ids, shared_key_secret=("shared",))
    assert is_taken(signed_by_shared_key(settings), who) is good


def test_without_a_shared_key_nothing_is_taken_by_it() -> None:
    for secrets in ((), ("",)):
        assert not is_taken(
            signed_by_shared_key("key=k1,algorithm=HMAC_SHA256"), trust(shared_key_secret=secrets, shared_key_id=())
        )


def test_a_callback_of_another_account_is_refused_though_it_is_signed() -> None:
    for account, good in ((ACCOUNT, True), ("AC" + "f" * 32, False), (ACCOUNT.lower(), False)):
        fields = {**FIRST, "AccountSid": account}
        signature = RequestValidator(TOKEN).compute_signature(HOOK, fields)
        assert is_taken(delivered(HOOK, fields, {"X-Twilio-Signature": signature}), trust()) is good


def test_json_is_taken_only_with_its_own_hash_in_the_address() -> None:
    def sent(url: str, body: bytes = BODY) -> WebhookRequest:
        signature = RequestValidator(TOKEN).compute_signature(url, {})
        return delivered(url, body, {"Content-Type": JSON, "X-Twilio-Signature": signature})

    digest = hashlib.sha256(BODY).hexdigest()
    assert is_taken(sent(f"{HOOK}?bodySHA256={digest}"), trust())
    assert not is_taken(sent(f"{HOOK}?bodySHA256={digest.upper()}"), trust())
    assert not is_taken(sent(f"{HOOK}?bodySHA256="), trust())
    assert not is_taken(sent(HOOK), trust())
    assert not is_taken(sent(f"{HOOK}?bodySHA256={digest}", BODY + b" "), trust())
    assert not is_taken(sent(f"{HOOK}?bodySHA256={digest}&bodySHA256={digest}"), trust())


def test_a_field_that_is_given_twice_is_refused_if_it_is_read_and_ignored_if_not() -> None:
    twice = urlencode([*INCOMING.items(), ("CallStatus", "ringing"), ("CallStatus", "completed")]).encode()
    with pytest.raises(PayloadError, match="CallStatus is given twice"):
        twilio.parse(delivered(HOOK, twice), {})
    same = urlencode([*INCOMING.items(), ("CallStatus", "ringing"), ("CallStatus", "ringing")]).encode()
    assert len(twilio.parse(delivered(HOOK, same), {}).events) == 1
    other = urlencode([*INCOMING.items(), ("CallStatus", "ringing"), ("X", "1"), ("X", "2")]).encode()
    assert len(twilio.parse(delivered(HOOK, other), {}).events) == 1


def test_a_form_of_very_many_fields_is_not_read() -> None:
    many = urlencode([(f"a{number}", "1") for number in range(10_000)]).encode()
    with pytest.raises(PayloadError):
        twilio.verify(delivered(HOOK, many), trust())
    with pytest.raises(PayloadError):
        twilio.parse(delivered(HOOK, many), {})


# ------------------------------------------------------------------ whose leg it is


@pytest.mark.parametrize(
    ("fields", "hints", "expected"),
    [
        # The employee's leg of an incoming call.
        (INCOMING, {}, ("in", CHILD, "101", CONTACT, None)),
        (INCOMING, {"line": "74951230001"}, ("in", CHILD, "101", CONTACT, OWN)),
        # A plus that nobody escaped is a space.
        (INCOMING, {"line": " 74951230001"}, ("in", CHILD, "101", CONTACT, OWN)),
        (INCOMING, {"line": "main"}, ("in", CHILD, "101", CONTACT, None)),
        (INCOMING, {"extension": "7"}, ("in", CHILD, "7", CONTACT, None)),
        ({**INCOMING, "ForwardedFrom": OWN}, {}, ("in", CHILD, "101", CONTACT, OWN)),
        ({**INCOMING, "To": "client:101"}, {}, ("in", CHILD, "101", CONTACT, None)),
        ({**INCOMING, "To": "sips:101@acme.example;transport=tls?x=1"}, {}, ("in", CHILD, "101", CONTACT, None)),
        ({**INCOMING, "To": "sip:+79161112233@carrier.example"}, {}, ("in", CHILD, "79161112233", CONTACT, None)),
        ({**INCOMING, "To": "client:anna"}, {}, ("in", CHILD, "anna", CONTACT, None)),
        # As the REST API writes it, and as old callbacks name it.
        ({**INCOMING, "To": "101@acme.example"}, {}, ("in", CHILD, "101", CONTACT, None)),
        (OLD_NAMES, {}, ("in", CHILD, "101", CONTACT, None)),
        # An ordinary number as the employee's phone, with its extension told and not.
        (DIALLED, {"direction": "in", "extension": "102"}, ("in", CHILD, "102", OWN, None)),
        (DIALLED, {"direction": "in"}, ("in", CHILD, "79101234567", OWN, None)),
        # The caller's own leg has no extension.
        (CALLER, {}, ("in", "", None, CONTACT, OWN)),
        (CALLER, {"direction": "in"}, ("in", "", None, CONTACT, OWN)),
        # A click's two legs are one.
        (CLICKED, {}, ("out", "out", "101", None, OWN)),
        ({**CLICKED, "To": "+79161112233"}, {"extension": "101"}, ("out", "out", "101", None, OWN)),
        ({**CLICKED, "To": "+79161112233"}, {}, ("out", "out", "79161112233", None, OWN)),
        (DIALLED, {}, ("out", "out", None, CONTACT, OWN)),
        (DIALLED, {"direction": "out", "leg": "contact", "extension": "101"}, ("out", "out", "101", CONTACT, OWN)),
        ({**DIALLED, "From": "client:101"}, {}, ("out", "out", "101", CONTACT, None)),
        # An employee's phone calls out through Twilio: its leg comes in.
        (SOFTPHONE, {}, ("out", "out", "101", CONTACT, None)),
        ({**CALLER, "From": "client:101", "To": "79101234567"}, {}, ("out", "out", "101", "79101234567", None)),
        ({**CALLER, "From": "client:101", "To": "AP" + "0" * 32}, {}, ("out", "out", "101", None, None)),
        # One employee calls another: the number is short, so that the call counts as internal.
        ({**INCOMING, "From": "sip:102@acme.example"}, {}, ("in", CHILD, "101", "102", None)),
        # What the address says outright is not guessed.
        ({**INCOMING, "Direction": "something-new"}, {"direction": "in"}, ("in", CHILD, "101", CONTACT, None)),
        (INCOMING, {"direction": "sideways", "leg": "third"}, ("in", CHILD, "101", CONTACT, None)),
    ],
)  # fmt: skip
def test_a_leg_is_told_by_its_address_and_by_who_is_called(
    fields: dict[str, str], hints: dict[str, str], expected: tuple[str, str, str | None, str | None, str | None]
) -> None:
    event = told(fields, "ringing", **hints)
    assert event.call_id == PARENT
    assert (str(event.direction), event.leg, event.extension, event.external, event.line) == expected


@pytest.mark.parametrize(
    "number", ["+266696687", "266696687", "+7378742833", "anonymous", "Restricted", "unknown", "", "0", "+"]
)
def test_a_withheld_number_is_an_empty_one(number: str) -> None:
    assert told({**INCOMING, "From": number}, "ringing").external == ""


@pytest.mark.parametrize(
    ("status", "incoming", "outgoing"),
    [
        ("completed", Outcome.SUCCESS, Outcome.SUCCESS),
        ("busy", Outcome.MISSED, Outcome.BUSY),
        ("no-answer", Outcome.MISSED, Outcome.NO_ANSWER),
        ("canceled", Outcome.CANCELLED, Outcome.CANCELLED),
        ("failed", Outcome.MISSED, Outcome.FAILED),
    ],
)
def test_statuses_of_an_end_are_read(status: str, incoming: Outcome, outgoing: Outcome) -> None:
    for fields, outcome in ((INCOMING, incoming), (DIALLED, outgoing)):
        event = told({**fields, "CallDuration": "9", "Duration": "1"}, status)
        # Duration is in minutes, as it is charged.
        talked = 9 if outcome is Outcome.SUCCESS else 0
        assert (event.kind, event.outcome, event.talk_seconds, event.final) == (Kind.ENDED, outcome, talked, False)


@pytest.mark.parametrize(
    ("status", "caller", "employee", "own", "contact"),
    [
        ("queued", None, None, None, None),
        ("initiated", None, None, None, None),
        ("ringing", Kind.RINGING, Kind.RINGING, Kind.RINGING, Kind.RINGING),
        # That Twilio takes a caller's call, or an employee a click's, is no answer yet.
        ("in-progress", None, Kind.ANSWERED, Kind.PICKED_UP, Kind.ANSWERED),
        ("answered", None, Kind.ANSWERED, Kind.PICKED_UP, Kind.ANSWERED),
    ],
)
def test_statuses_on_the_way_are_read(
    status: str, caller: Kind | None, employee: Kind | None, own: Kind | None, contact: Kind | None
) -> None:
    for fields, kind in ((CALLER, caller), (INCOMING, employee), (CLICKED, own), (DIALLED, contact)):
        accepted = parsed({**fields, "CallStatus": status})
        assert [event.kind for event in accepted.events] == ([kind] if kind else [])
        assert not accepted.unknown


def test_what_is_not_known_is_kept_for_the_admin() -> None:
    for fields in (
        {**INCOMING, "CallStatus": "parked"},
        {**INCOMING, "CallStatus": "ringing", "Direction": "trunking-originating"},
        {**INCOMING, "CallStatus": "ringing", "Direction": ""},
        {"CallSid": PARENT, "RecordingStatus": "transcribed"},
    ):
        assert parsed(fields) == ParseResult(unknown=True)


def test_a_callback_without_its_call_or_status_can_not_be_read() -> None:
    for fields in ({"CallStatus": "ringing"}, {"CallSid": "", "CallStatus": "ringing"}, INCOMING):
        with pytest.raises(PayloadError):
            parsed(fields)


@pytest.mark.parametrize("status", ["completed", "busy", "no-answer", "canceled", "failed"])
def test_an_incoming_call_that_no_phone_answered_is_missed_whatever_the_word(status: str) -> None:
    menu = parsed({**CALLER, "CallStatus": "in-progress"}).events
    end = told({**CALLER, "CallDuration": "35"}, status)
    assert end.final
    alone = fold([*menu, end])
    assert (alone.outcome, alone.extensions, alone.talk_seconds) == (Outcome.MISSED, (), None)
    rung = fold([told(INCOMING, "ringing"), told(INCOMING, "no-answer"), end])
    assert (rung.outcome, rung.extensions, rung.answered_by) == (Outcome.MISSED, ("101",), None)


@pytest.mark.parametrize("status", ["busy", "no-answer", "canceled", "failed"])
def test_a_click_that_the_employee_did_not_pick_up_leaves_no_tag(status: str) -> None:
    call = fold([told(CLICKED, "ringing"), told(CLICKED, status)])
    assert (call.closed, call.outcome, call.picked_up) == (True, Outcome.NO_ANSWER, False)
    verdict = classify(call, mapped={"101"}, external_is_employee=False, pick_up=PickUp.TOLD)
    assert verdict.skip is SkipReason.EMPLOYEE_NO_ANSWER


def test_a_call_from_an_employees_own_phone_is_one_outgoing_call() -> None:
    events = [
        *parsed({**SOFTPHONE, "CallStatus": "in-progress"}).events,
        told(DIALLED, "ringing"),
        told({**DIALLED, "CallDuration": "9"}, "busy"),
        # Without an answer the employee's leg ends in its own way, which says nothing of the contact's.
        told(SOFTPHONE, "no-answer"),
    ]
    call = fold(events)
    assert (call.direction, call.outcome, call.closed) == (Direction.OUT, Outcome.BUSY, True)
    assert (call.extensions, call.external, call.line, call.picked_up) == (("101",), CONTACT, OWN, False)


@pytest.mark.parametrize("name", ["outgoing_busy", "outgoing_answered", "answered_incoming", "transfer_within_call"])
def test_callbacks_in_any_order_make_the_same_call(name: str) -> None:
    events = webhook(load_story(name, "twilio"))
    expected = fold(events).digest()
    orders = itertools.islice(itertools.permutations(events), 0, None, 97)
    assert {fold(order).digest() for order in itertools.islice(orders, 60)} == {expected}


def test_a_transfer_is_told_by_the_address_and_without_it_is_still_one_call_of_who_talked_last() -> None:
    events = webhook(load_story("transfer_within_call", "twilio"))
    # Once, with the first ring of the second phone, on the leg that the address names.
    assert [(event.leg, event.at) for event in events if event.kind is Kind.TRANSFERRED] == [
        ("A1-101", NOON + timedelta(seconds=30))
    ]
    call = fold(events)
    assert (call.outcome, call.answered_by, call.talk_seconds) == (Outcome.SUCCESS, "102", 55)
    untold = fold(event for event in events if event.kind is not Kind.TRANSFERRED)
    assert (untold.outcome, untold.answered_by, untold.talk_seconds) == (Outcome.SUCCESS, "102", 30)


# ------------------------------------------------------------------ times, durations, recordings


@pytest.mark.parametrize(
    ("said", "at", "is_arrival"),
    [
        ("Sun, 01 Mar 2026 11:59:48 +0000", NOON - timedelta(seconds=12), False),
        ("Sun, 01 Mar 2026 14:59:48 +0300", NOON - timedelta(seconds=12), False),
        ("2026-03-01T11:59:48Z", NOON - timedelta(seconds=12), False),
        ("Sun, 08 Mar 2026 11:59:48 +0000", NOON, True),
        ("soon", NOON, True),
        ("", NOON, True),
    ],
)
def test_the_time_of_an_event_is_twilios_if_it_can_be_believed(said: str, at: datetime, is_arrival: bool) -> None:
    event = told({**INCOMING, "Timestamp": said}, "ringing")
    assert (event.at, event.at_is_arrival) == (at, is_arrival)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("62", 62), ("0", 0), ("", None), ("-1", None), ("1.5", None), ("9" * 5000, None), ("٣", None)],
)
def test_a_duration_is_whole_seconds_or_not_known(said: str, seconds: int | None) -> None:
    if len(said) > 512:
        with pytest.raises(PayloadError):
            told({**INCOMING, "CallDuration": said}, "completed")
        return
    assert told({**INCOMING, "CallDuration": said}, "completed").talk_seconds == seconds


RECORDED = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/RE{'5' * 32}"


@pytest.mark.parametrize("status", ["in-progress", "absent", "failed", "paused"])
def test_a_recording_is_named_only_when_it_is_there(status: str) -> None:
    fields = {"CallSid": PARENT, "RecordingUrl": RECORDED, "RecordingDuration": "62"}
    assert parsed({**fields, "RecordingStatus": status}) == ParseResult()
    (event,) = parsed({**fields, "RecordingStatus": "completed"}).events
    assert (event.kind, event.call_id, event.recording) == (Kind.RECORDED, PARENT, RECORDED)
    assert not event.recording_is_temporary
    with pytest.raises(PayloadError):
        parsed({"CallSid": PARENT, "RecordingStatus": "completed"})


def test_the_end_of_a_call_that_was_recorded_as_a_whole_names_the_recording() -> None:
    assert told({**CLICKED, "RecordingUrl": RECORDED}, "completed").recording == RECORDED
    assert told({**CLICKED, "RecordingUrl": RECORDED}, "ringing").recording is None


def test_a_callback_says_the_same_as_form_as_query_and_as_json() -> None:
    fields = {**INCOMING, "CallStatus": "completed", "CallDuration": "62"}
    hints = "direction=in&line=74951230001"
    form = twilio.parse(delivered(f"{HOOK}?{hints}", fields), {}).events
    as_query = delivered(f"{HOOK}?{hints}&{urlencode(fields)}", b"", method="GET")
    as_json = delivered(f"{HOOK}?{hints}", json.dumps({**fields, "CallDuration": 62}).encode(), {"content-type": JSON})
    for request in (as_query, as_json):
        assert [event.digest() for event in twilio.parse(request, {}).events] == [event.digest() for event in form]
    with pytest.raises(PayloadError):
        twilio.parse(delivered(HOOK, b'[{"CallSid":"CA1"}]', {"content-type": JSON}), {})


# ------------------------------------------------------------------ what goes out: calls


@contextmanager
def asking(**settings: Any) -> Iterator[tuple[Account, Api, Server]]:
    """An account at the vendor's API; a setting of None is not set."""
    api = Api({name: value for name, value in simulated.CREDENTIALS.items() if not name.startswith("api_key")})
    with serving(api) as server:
        chosen = {name: value for name, value in {**api.settings(server.url), **settings}.items() if value is not None}
        yield account_of(api.credentials(server.url), chosen), api, server


def account_of(credentials: Mapping[str, str], settings: Mapping[str, Any]) -> Account:
    return Account(provider="twilio", credentials=credentials, settings=settings, webhook_url=HOOK)


CLICK = Click(extension="101", number=CONTACT, reference="r-1")


def test_a_click_rings_the_employee_first_and_asks_for_callbacks_of_both_legs() -> None:
    with asking() as (account, api, server):
        placed = twilio.originate(account, CLICK, PlainDoor())
        (asked,), (form,) = server.asked, api.placed
    assert placed.call_id == "CA" + f"{1:032x}"
    assert (asked.method, asked.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json")
    assert b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode() == f"{ACCOUNT}:{TOKEN}"
    assert (form["To"], form["From"]) == (["sip:101@acme.sip.twilio.com"], [OWN])
    assert form["StatusCallbackEvent"] == ["ringing", "answered", "completed"]
    assert form["StatusCallback"] == [f"{HOOK}?direction=out&leg=employee&extension=101"]
    assert CONTACT.strip("+") not in form["StatusCallback"][0]


@pytest.mark.parametrize("recorded", [True, False, None])
def test_the_document_of_a_click_is_what_the_vendors_library_writes(recorded: bool | None) -> None:
    with asking(record_calls=recorded) as (account, api, _):
        twilio.originate(account, CLICK, PlainDoor())
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


def test_what_the_click_asked_for_comes_back_as_one_call() -> None:
    """The addresses that a click gives to Twilio are those that callbacks are understood by."""
    with asking() as (account, api, _):
        sid = twilio.originate(account, CLICK, PlainDoor()).call_id or ""
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
            said = {**fields, "CallStatus": status, "CallDuration": "40", "AccountSid": ACCOUNT}
            signature = RequestValidator(TOKEN).compute_signature(url, said)
            request = delivered(url, said, {"X-Twilio-Signature": signature})
            twilio.verify(request, trust())
            events += twilio.parse(replace(request, arrived_at=NOON + timedelta(seconds=after)), {}).events
    call = fold(events)
    assert (call.call_id, call.outcome, call.talk_seconds) == (sid, Outcome.SUCCESS, 40)
    assert (call.answered_by, call.external, call.line, call.picked_up) == ("101", CONTACT, OWN, True)


def test_a_click_shows_the_chosen_line_and_reaches_client_where_there_is_no_sip_domain() -> None:
    with asking(sip_domain=None, caller_id=None) as (account, api, _):
        twilio.originate(account, replace(CLICK, line="+74951230002"), PlainDoor())
        (form,) = api.placed
    assert (form["To"], form["From"]) == (["client:101"], ["+74951230002"])
    assert 'callerId="+74951230002"' in form["Twiml"][0]


@pytest.mark.parametrize(
    ("changes", "settings", "words"),
    [
        ({"number": "sip:x@evil.example"}, {}, "digits"),
        ({"number": ""}, {}, "digits"),
        ({"extension": "101@evil.example;x="}, {}, "extension"),
        ({"extension": ""}, {}, "extension"),
        ({}, {"caller_id": None}, "caller_id is not entered"),
    ],
)
def test_a_click_that_can_not_be_is_refused_before_anything_is_asked(
    changes: dict[str, str], settings: dict[str, None], words: str
) -> None:
    with asking(**settings) as (account, _, server):
        with pytest.raises(BadInputError, match=words):
            twilio.originate(account, replace(CLICK, **changes), PlainDoor())
        with pytest.raises(BadInputError, match="webhook's address"):
            twilio.originate(replace(account, webhook_url=""), replace(CLICK, line=OWN), PlainDoor())
        assert not server.asked


def test_what_the_api_refuses_is_told_in_our_words() -> None:
    with (
        asking(sip_domain="no domain") as (account, _, _),
        pytest.raises(BadInputError, match=r"\(21211\).*sip_domain"),
    ):
        twilio.originate(account, CLICK, PlainDoor())
    with asking() as (account, _, _), pytest.raises(BadInputError, match=r"\(21210\).*caller_id") as refused:
        twilio.originate(account, replace(CLICK, line="+4930901820"), PlainDoor())
    # Twilio's own words repeat the number.
    assert "4930901820" not in refused.value.message


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, {"code": 21215, "message": "to +79101234567"}, BadInputError, "geographic permissions"),
        (400, {"code": 21219, "message": "to +79101234567"}, BadInputError, "trial account"),
        (403, {"code": 20003, "message": "Permission denied"}, BadInputError, "may not do that"),
        (404, {"code": 20404, "message": "not found"}, BadInputError, "no such account"),
        (400, {"code": 98765, "message": "about +79101234567"}, BadInputError, r"\(98765\): see its list of errors"),
        (400, {"code": "21215"}, BadInputError, r"\(400\)"),
        (400, {"code": 10**40}, BadInputError, r"\(400\)"),
        (400, {"code": True}, BadInputError, r"\(400\)"),
        (401, {"code": 20003, "message": "Authenticate"}, BadInputError, "account_sid and auth_token"),
        (401, "", BadInputError, "account_sid and auth_token"),
        (403, {"code": 20429}, TooManyError, "slow down"),
        (429, {"code": 20429}, TooManyError, "slow down"),
        (500, {"code": 20500}, UnreachableError, "fails itself"),
        (503, "<html>", UnreachableError, "503"),
        (302, "", UnreachableError, "302"),
        (201, {"status": "queued"}, UnreachableError, "names no call"),
        (201, {"sid": 5}, UnreachableError, "names no call"),
        (201, [], UnreachableError, "nothing that can be read"),
    ],
)
def test_every_error_of_the_api_is_told_as_what_it_is(
    status: int, body: Any, kind: type[HangtagError], words: str
) -> None:
    with asking() as (account, _, server):
        server.faults.append(Fault(Reply(status, body)))
        with pytest.raises(kind, match=words) as refused:
            twilio.originate(account, CLICK, PlainDoor())
        assert len(server.asked) == 1
    assert not any(one in refused.value.message for one in (CONTACT.strip("+"), TOKEN, ACCOUNT))


def test_a_twilio_that_asks_to_slow_down_in_its_own_words_is_left_alone() -> None:
    with asking() as (account, _, server):
        server.faults.append(Fault(Reply(403, {"code": 20429})))
        door = PlainDoor()
        with pytest.raises(TooManyError, match="Twilio asks to slow down; try again in 10 seconds"):
            twilio.originate(account, CLICK, door)
    assert door.held == {"": 10}


# ------------------------------------------------------------------ what goes out: the account, recordings


def test_the_account_is_asked_with_its_token_and_the_rest_with_the_key() -> None:
    api = Api(simulated.CREDENTIALS)
    with serving(api) as server:
        account = account_of(api.credentials(server.url), api.settings(server.url))
        assert twilio.ping(account, PlainDoor()).ok
        users = [b64decode(one.headers["authorization"].removeprefix("Basic ")).decode() for one in server.asked]
        paths = [one.path.removeprefix(f"/2010-04-01/Accounts/{ACCOUNT}") for one in server.asked]
        assert paths == [".json", "/Calls.json"]
        assert [user.partition(":")[0] for user in users] == [ACCOUNT, simulated.CREDENTIALS["api_key_sid"]]
        twilio.originate(account, CLICK, PlainDoor())
        wrong = account_of({**account.credentials, "api_key_secret": "wrong"}, account.settings)
        with pytest.raises(BadInputError, match="api_key_sid and api_key_secret"):
            twilio.ping(wrong, PlainDoor())
        # Half a key is none.
        half = {name: value for name, value in account.credentials.items() if name != "api_key_secret"}
        assert twilio.ping(account_of(half, account.settings), PlainDoor()).ok


def test_a_suspended_account_is_told() -> None:
    with asking() as (account, api, _):
        api.status = "suspended"
        finding = twilio.ping(account, PlainDoor())
    assert not finding.ok
    assert "suspended" in finding.detail


def test_without_credentials_nothing_is_asked() -> None:
    with asking() as (account, _, server):
        for credentials in ({}, {"account_sid": ACCOUNT}, {"account_sid": "AC1/../x", "auth_token": "t"}):
            poor = account_of(credentials, account.settings)
            with pytest.raises(BadInputError, match="account_sid and auth_token"):
                twilio.ping(poor, PlainDoor())
            with pytest.raises(BadInputError, match="account_sid and auth_token"):
                twilio.originate(poor, CLICK, PlainDoor())
        assert not server.asked


def test_a_recording_is_fetched_as_mp3_with_the_accounts_credentials() -> None:
    with asking() as (account, _, _):
        media = twilio.recording(account, RECORDED, PlainDoor())
        fetched = outbound.send("GET", media.url, headers=media.headers, plain=True, allowed=lambda ip: ip.is_loopback)
        assert (fetched.status, fetched.body) == (200, b"ID3 sound")
        without = outbound.send("GET", media.url, plain=True, allowed=lambda ip: ip.is_loopback)
        assert without.status == 401
        usual = account_of(account.credentials, {})
        for said in (RECORDED, f"{RECORDED}.wav", f"{RECORDED}.json"):
            assert twilio.recording(usual, said, PlainDoor()).url == f"{RECORDED}.mp3"
        region = RECORDED.replace("api.", "api.dublin.ie1.")
        assert twilio.recording(usual, region, PlainDoor()).url == f"{region}.mp3"


@pytest.mark.parametrize(
    "reference",
    [
        RECORDED.replace("twilio.com", "twilio.com.evil.example"),
        RECORDED.replace("api.twilio.com", "eviltwilio.com"),
        RECORDED.replace("api.twilio.com", "evil.example/api.twilio.com"),
        RECORDED.replace("api.twilio.com", "user@api.twilio.com"),
        RECORDED.replace("https", "http"),
        RECORDED + "/../../Keys",
        RECORDED + "?x=1",
        f"{RECORDED}\n",
        "https://bucket.s3.amazonaws.com/RE1.wav",
        "",
    ],
)
def test_credentials_go_to_no_other_address_than_a_recordings(reference: str) -> None:
    account = account_of(simulated.CREDENTIALS, {})
    with pytest.raises(BadInputError, match="not kept at Twilio"):
        twilio.recording(account, reference, PlainDoor())


# ------------------------------------------------------------------ what goes out: history


def webhook(story: Story) -> list[CallEvent]:
    """All events of a story, as they are taken in."""
    events: list[CallEvent] = []
    at = NOON
    for event, sent in zip(story.events, story_messages(story), strict=True):
        at += timedelta(seconds=event.after)
        events += OURS.accepted(OURS.signed(sent, at), at).events
    return events


def listed(story: Story) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows that the lists of calls and recordings have of a story's call."""
    calls: dict[str, dict[str, Any]] = {}
    recordings = []
    at = NOON
    for event, sent in zip(story.events, story_messages(story), strict=True):
        at += timedelta(seconds=event.after)
        said, when = sent.post, format_datetime(at)
        if "RecordingStatus" in said:
            recordings.append(
                {"sid": said["RecordingSid"], "call_sid": said["CallSid"], "status": "completed", "date_created": when,
                 "media_url": said["RecordingUrl"], "uri": "/2010-04-01/x.json"}
            )  # fmt: skip
            continue
        # A caller's leg is told only when it ends.
        begun = format_datetime(at - timedelta(seconds=int(said.get("CallDuration", "0"))))
        row = calls.setdefault(
            said["CallSid"],
            {
                "sid": said["CallSid"], "parent_call_sid": said.get("ParentCallSid"), "direction": said["Direction"],
                "from": said["From"], "to": said["To"].removeprefix("sip:"), "forwarded_from": None,
                "date_created": begun, "start_time": begun, "duration": None,
            },
        )  # fmt: skip
        if said["CallStatus"] == "in-progress":
            row["start_time"] = when
        row |= {"status": said["CallStatus"], "end_time": when, "duration": said.get("CallDuration")}
    return list(calls.values()), recordings


def history(account: Account) -> list[CallEvent]:
    return list(twilio.history(account, NOON - timedelta(hours=1), NOON + timedelta(hours=1), PlainDoor()))


@each_story
def test_history_adds_nothing_to_what_callbacks_told(story: Story) -> None:
    taken = webhook(story)
    with asking() as (account, api, _):
        api.calls, api.recordings = listed(story)
        known = history(account)
    assert known
    both = fold([*taken, *known])
    assert comparable(both) == comparable(fold(taken))
    assert both.recording == fold(taken).recording


@each_story
def test_history_stands_for_callbacks_that_were_lost(story: Story) -> None:
    taken = fold(webhook(story))
    with asking() as (account, api, _):
        api.calls, api.recordings = listed(story)
        lost = fold(history(account))
    # Who handed the call on is said by addresses only.
    told_by_address = {"talk_seconds"} if story.name == "transfer_within_call" else set()
    differ = {name for name, value in comparable(lost).items() if value != comparable(taken)[name]}
    assert differ <= told_by_address
    assert lost.recording == taken.recording


def row(sid: str, at: datetime = NOON, **more: Any) -> dict[str, Any]:
    when = format_datetime(at)
    return {
        "sid": sid, "parent_call_sid": None, "direction": "inbound", "from": CONTACT, "to": OWN, "status": "completed",
        "date_created": when, "start_time": when, "end_time": when, "duration": "5", **more,
    }  # fmt: skip


def test_history_goes_through_all_pages_and_asks_for_the_time_as_the_library_writes_it() -> None:
    with asking() as (account, api, server):
        api.page_size = 100
        api.calls = [row(f"CA{number}", NOON - timedelta(seconds=number)) for number in range(250)]
        found = history(account)
        calls = [asked for asked in server.asked if asked.path.endswith("/Calls.json")]
    assert len({event.call_id for event in found}) == 250
    assert [asked.parameters.get("Page") for asked in calls] == [None, "1", "2"]
    assert calls[0].query.startswith("StartTime%3E=2026-03-01T11%3A00%3A00Z&StartTime%3C=2026-03-01T14%3A00%3A00Z")


def test_history_tells_calls_that_began_in_that_time_with_all_their_legs() -> None:
    early, late = NOON - timedelta(minutes=61), NOON + timedelta(minutes=59)
    child = {"direction": "outbound-dial", "to": "101@acme.example"}
    with asking() as (account, api, _):
        api.calls = [
            row("CAearly", early),
            row("CAlegof", NOON, parent_call_sid="CAearly", **child),
            row("CAlate", late),
            row("CAleglate", late + timedelta(minutes=5), parent_call_sid="CAlate", **child),
            row("CAafter", NOON + timedelta(minutes=60)),
        ]
        found = history(account)
    assert {(event.call_id, event.leg) for event in found} == {("CAlate", ""), ("CAlate", "CAleglate")}
    (call,) = {fold(found).digest(): fold(found)}.values()
    assert (call.outcome, call.answered_by, call.line) == (Outcome.SUCCESS, "101", OWN)


def test_a_forwarded_leg_goes_the_way_of_its_parent() -> None:
    """Alone it would look like the contact's leg of an outgoing call."""
    with asking() as (account, api, _):
        api.calls = [
            row("CA1"),
            row("CA2", parent_call_sid="CA1", direction="outbound-dial", to="+79161112233", status="no-answer"),
        ]
        call = fold(history(account))
    assert (call.direction, call.outcome, call.external, call.extensions) == (
        Direction.IN, Outcome.MISSED, CONTACT, ("79161112233",)
    )  # fmt: skip


def test_rows_that_can_not_be_read_or_have_not_ended_are_left_out() -> None:
    rows: list[Any] = [
        "junk", None, {}, {"sid": "CA1"}, row("CAlive", status="in-progress", end_time=None), row(""),
        row("CAtrunk", direction="trunking-originating"), row("CAodd", status=[1]), row("CAnever", end_time="soon"),
        row("CAgood", end_time=None, date_updated=format_datetime(NOON)),
    ]  # fmt: skip
    recordings: list[Any] = [None, {}, {"call_sid": "CAgood", "date_created": "soon", "media_url": RECORDED}]
    recordings += [{"call_sid": "CAother", "date_created": format_datetime(NOON), "media_url": RECORDED}]
    good = {"call_sid": "CAgood", "date_created": format_datetime(NOON), "uri": urlsplit(RECORDED).path + ".json"}
    recordings += [{**good, "status": "processing"}, {**good, "status": "completed"}]
    with asking() as (account, _, server):
        server.faults += [Fault(Reply(200, {"calls": rows})), Fault(Reply(200, {"recordings": recordings}))]
        found = history(account)
    assert [(event.call_id, event.kind) for event in found] == [("CAgood", Kind.ENDED), ("CAgood", Kind.RECORDED)]
    # Without a media_url, the address is made of the row's own: the same as callbacks name.
    assert found[1].recording == RECORDED


@pytest.mark.parametrize(
    "following", ["https://evil.example/x", "//evil.example/2010-04-01/Accounts/", "@evil", 5, ["x"]]
)
def test_a_list_goes_on_at_the_api_only(following: Any) -> None:
    with asking() as (account, _, server):
        server.faults.append(Fault(Reply(200, {"calls": [], "next_page_uri": following})))
        with pytest.raises(UnreachableError, match="none of its own"):
            history(account)


def test_a_list_without_end_is_given_up() -> None:
    with asking() as (account, _, server):
        again = {"calls": [], "next_page_uri": f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json?Page=1"}
        server.faults += [Fault(Reply(200, again))] * 60
        with pytest.raises(UnreachableError, match="pages"):
            history(account)
        assert len(server.asked) == 50
        server.faults[:] = [Fault(Reply(200, {"items": []}))]
        with pytest.raises(UnreachableError, match="no list"):
            history(account)


# ------------------------------------------------------------------ the form


def test_the_instructions_give_addresses_that_callbacks_are_understood_by() -> None:
    steps = INFOS[0].instructions(HOOK)
    addresses = [unescape(word) for step in steps for word in step.split() if word.startswith(HOOK)]
    hints = [dict(parse_qsl(urlsplit(address).query)) for address in addresses]
    assert hints == [
        {"direction": "in"},
        {"direction": "in", "line": "74951230001", "extension": "101"},
        {"direction": "out", "leg": "contact", "extension": "101"},
        {},
    ]
    number = {**DIALLED, "To": "+79161112233"}
    assert (told(number, "ringing", **hints[1]).extension, told(DIALLED, "ringing", **hints[2]).leg) == ("101", "out")


@pytest.mark.parametrize("sid", ["", "AC123", "SK" + "a" * 32, "AC" + "g" * 32, "AC" + "a" * 33])
def test_an_account_is_named_as_twilio_names_it(sid: str) -> None:
    with pytest.raises(ValidationError):
        TwilioCredentials.model_validate({"account_sid": sid, "auth_token": TOKEN})


def test_a_call_whose_parents_end_is_lost_is_closed_all_the_same() -> None:
    kept = [event for event in webhook(load_story("answered_incoming", "twilio")) if not event.final]
    call = closed(kept, NOON + timedelta(minutes=5))
    assert (call.closed, call.outcome, call.answered_by, call.talk_seconds) == (True, Outcome.SUCCESS, "101", 62)


def test_a_header_that_is_no_ascii_is_refused() -> None:
    good = OURS.signed(FORMS["form"])
    for name in (simulated.SIGNATURE_HEADER, simulated.SETTINGS_HEADER):
        with pytest.raises(SignatureError):
            twilio.verify(OURS.received(with_header(good, name, "algorithm=é\udcff")), OURS.trust())
