"""Vonage: its signed tokens, the worked example among them; whose leg is whose; what an NCCO says; its REST API."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from pydantic import ValidationError
from vonage_jwt import JwtClient, VonageVerifyJwtError, verify_signature

from doors import PlainDoor
from hangtag.domain.calls.classify import PickUp, SkipReason, classify
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.errors import BadInputError, HangtagError, TooManyError, UnreachableError
from hangtag.providers import vonage
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
from hangtag.providers.forms.vonage import VonageCredentials, VonageSettings
from local.simulator.pbx import Request
from local.simulator.pbx import vonage as simulated
from local.simulator.pbx.base import JSON, json_body
from local.simulator.rest import Fault, Reply, Server, serving
from local.simulator.rest.vonage import Api
from local.simulator.story import Message, Story, load_stories, load_story, message
from process import ROOT
from provider_stories import IDS, NOON, closed, line

SECRET = simulated.CREDENTIALS["signature_secret"]
API_KEY = simulated.CREDENTIALS["api_key"]
OURS = line("vonage")
HOOK = OURS.url
STORIES = load_stories("vonage")
CONTACT, OWN = "79101234567", "74951230001"
DEVICE = "sip:101@acme.sip.example.com"
CALLER = {"from": CONTACT, "to": OWN, "uuid": "u-a", "conversation_uuid": "CON-1", "direction": "inbound"}
EMPLOYEE = {"from": OWN, "to": DEVICE, "uuid": "u-101", "conversation_uuid": "CON-1", "direction": "outbound"}
DIALLED = {"from": OWN, "to": CONTACT, "uuid": "u-c", "conversation_uuid": "CON-1", "direction": "outbound"}
STAMP = "2026-03-01T12:00:00.000Z"


def delivered(
    body: bytes | Mapping[str, Any], authorization: str = "", at: datetime = NOON, method: str = "POST", query: str = ""
) -> WebhookRequest:
    return WebhookRequest(
        method=method,
        path="/hooks/vonage/***",
        query=query,
        headers={"content-type": JSON, "authorization": authorization},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        arrived_at=at,
        url=f"{HOOK}?{query}" if query else HOOK,
    )


def parsed(fields: Mapping[str, Any], authorization: str = "", **hints: str) -> ParseResult:
    return vonage.parse(delivered({"timestamp": STAMP, **fields}, authorization, query=urlencode(hints)), {})


def told(fields: Mapping[str, Any], status: str, **hints: str) -> CallEvent:
    (one,) = parsed({**fields, "status": status}, **hints).events
    return one


def trust(*secrets: str, keys: tuple[str, ...] = (API_KEY,)) -> VerificationKeys:
    return VerificationKeys(credentials={"signature_secret": secrets or (SECRET,), "api_key": keys})


def is_taken(request: WebhookRequest, who: VerificationKeys) -> bool:
    try:
        vonage.verify(request, who)
    except (SignatureError, PayloadError):
        return False
    return True


# ------------------------------------------------------------------ the worked example

WORKED_BODY = (
    b'{"from":"442079460000","to":"447700900000","uuid":"aaaaaaaa-bbbb-cccc-dddd-0123456789ab",'
    b'"conversation_uuid":"CON-aaaaaaaa-bbbb-cccc-dddd-0123456789ab","status":"answered","direction":"inbound",'
    b'"timestamp":"2020-01-01T12:00:00.000Z"}'
)
# Made with the vendor's library, apart from this code.
WORKED_TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3OTUzOTIwMDAsImp0aSI6ImM1YmE4ZjI0LTFhMTQtNGMxMC1iZmRmLTNmYmU4Y2U1M"
    "TFiNSIsImlzcyI6IlZvbmFnZSIsInBheWxvYWRfaGFzaCI6Ijk0MTdmZDBkMDNhNzQ1NDQ3NjcyOWVlMTMzMDdiNThlOTE5YzhhMjQ5OGNiNDdiNTIw"
    "NTdmYjQxMzRlNmI4NDUiLCJhcGlfa2V5IjoiYTFiMmMzZCIsImFwcGxpY2F0aW9uX2lkIjoiYWFhYWFhYWEtYmJiYi1jY2NjLWRkZGQtMDEyMzQ1Njc"
    "4OWFiIn0.xpPAtikKAhkfPTsEV6QM7Ly8kEOJ2odvK7jC-Me8fNs"
)
WORKED_SECRET = "vonage-signature-secret-0123456789abcdef"
WORKED_AT = datetime.fromtimestamp(1795392000, UTC)
WORKED = delivered(WORKED_BODY, f"Bearer {WORKED_TOKEN}", WORKED_AT)


def test_the_worked_token_is_taken_and_no_other() -> None:
    who = trust(WORKED_SECRET, keys=("a1b2c3d",))
    vonage.verify(WORKED, who)
    vonage.verify(WORKED, trust("another secret", WORKED_SECRET, keys=("d3c2b1a", "a1b2c3d")))
    for wrong in (
        replace(WORKED, body=WORKED_BODY + b"\n"),
        replace(WORKED, body=WORKED_BODY.replace(b"answered", b"rejected")),
        replace(WORKED, headers={"authorization": WORKED_TOKEN}),
        replace(WORKED, arrived_at=WORKED_AT + timedelta(seconds=301)),
        replace(WORKED, arrived_at=WORKED_AT - timedelta(seconds=301)),
    ):
        assert not is_taken(wrong, who)
    assert not is_taken(WORKED, trust("another secret", keys=("a1b2c3d",)))
    assert not is_taken(WORKED, trust(WORKED_SECRET, keys=("d3c2b1a",)))


def test_the_simulator_signs_as_the_worked_token_is_signed() -> None:
    claims = jwt.decode(WORKED_TOKEN, options={"verify_signature": False})
    assert simulated.bearer(WORKED_SECRET, claims) == f"Bearer {WORKED_TOKEN}"
    assert simulated.claims(Message(body=json.loads(WORKED_BODY)), simulated.CREDENTIALS, WORKED_AT) == {
        **claims,
        # An id of its own.
        "jti": simulated.claims(Message(body=json.loads(WORKED_BODY)), simulated.CREDENTIALS, NOON)["jti"],
    }


def test_an_independent_library_takes_what_we_take_and_signs_what_we_take() -> None:
    body = json.dumps({**CALLER, "status": "ringing"}).encode()
    claims = simulated.claims(Message(body={**CALLER, "status": "ringing"}), simulated.CREDENTIALS, NOON)
    claims["payload_hash"] = hashlib.sha256(body).hexdigest()
    signed = jwt.encode(claims, SECRET, algorithm="HS256")
    vonage.verify(delivered(body, f"Bearer {signed}"), trust())
    vonage.verify(delivered(body, f"bearer {signed}"), trust())
    assert jwt.decode(WORKED_TOKEN, WORKED_SECRET, algorithms=["HS256"], options={"verify_iat": False})
    # By another algorithm the same library would sign too.
    for algorithm in ("HS384", "HS512"):
        other = jwt.encode(claims, SECRET * 2, algorithm=algorithm)
        assert not is_taken(delivered(body, f"Bearer {other}"), trust(SECRET * 2))


def library_takes(request: Request) -> bool:
    """What the vendor's own library says of a delivery's token; it asks for no more than its signature."""
    scheme, _, token = request.headers["Authorization"].partition(" ")
    try:
        return scheme == "Bearer" and bool(verify_signature(token, SECRET))
    except VonageVerifyJwtError:
        return False


@pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
def test_the_vendors_library_takes_what_is_signed_and_nothing_that_it_refuses_is_taken(story: Story) -> None:
    for event in story.events:
        good = OURS.signed(message(event, IDS, NOON, NOON))
        assert library_takes(good)
        vonage.verify(OURS.received(good), OURS.trust())
    # The other way round there is more that we refuse.
    for other in simulated.tampered(good):
        assert library_takes(other) or is_refused(other)
    for _, forged in simulated.forged(OURS.url, message(story.events[0], IDS, NOON, NOON), OURS.secrets, NOON):
        assert library_takes(forged) or is_refused(forged)


def is_refused(request: Request) -> bool:
    return not is_taken(OURS.received(request), OURS.trust())


def test_the_api_takes_the_tokens_of_the_vendors_library_and_they_say_what_ours_do() -> None:
    application, key = simulated.CREDENTIALS["application_id"], simulated.CREDENTIALS["private_key"]
    theirs = JwtClient(application, key).generate_application_jwt().decode()
    with asking() as (account, _, _):
        headers = {"authorization": f"Bearer {theirs}"}
        address = f"{account.settings['api_url']}/v1/calls?page_size=1"
        assert PlainDoor().send("GET", address, headers=headers).status == 200
        ours = vonage._token(account)
    names = [set(jwt.decode(token, options={"verify_signature": False})) for token in (ours, theirs)]
    assert names[0] == names[1]
    assert jwt.get_unverified_header(ours) == jwt.get_unverified_header(theirs)


@pytest.mark.parametrize("missing", ["iat", "jti", "iss", "payload_hash", "api_key"])
def test_a_genuine_signature_alone_is_not_enough(missing: str) -> None:
    """The vendor's library looks no further."""
    sent = Message(body={**CALLER, "status": "ringing"})
    claims = simulated.claims(sent, simulated.CREDENTIALS, NOON)
    body = json_body(sent)
    assert is_taken(delivered(body, simulated.bearer(SECRET, claims)), trust())
    del claims[missing]
    assert not is_taken(delivered(body, simulated.bearer(SECRET, claims)), trust())


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        # Vonage sends it again, and signs it then.
        ({"content-type": JSON}, 503, "signed webhooks"),
        ({"authorization": ""}, 401, "no token"),
        ({"authorization": "Bearer"}, 401, "no token"),
    ],
)
def test_an_unsigned_delivery_is_refused_and_told_why(headers: Mapping[str, str], status: int, words: str) -> None:
    unsigned = replace(delivered({**CALLER, "status": "ringing"}), headers=headers)
    with pytest.raises(SignatureError, match=words) as refused:
        vonage.verify(unsigned, trust())
    assert refused.value.reply.status == status


def test_the_webhook_loads_no_library_for_tokens() -> None:
    code = "import sys, hangtag.providers.vonage; print([n for n in ('jwt', 'cryptography') if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "layers" / "common")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


# ------------------------------------------------------------------ the delivery's id


def test_a_token_gives_the_event_its_id_and_a_replay_changes_nothing() -> None:
    ringing = replace(WORKED, body=WORKED_BODY.replace(b"answered", b"ringing"))
    (event,) = vonage.parse(ringing, {}).events
    assert event.event_id == "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5"
    # Its time is not believed, so that the arrival stands for it: the id tells that it is the same all the same.
    for later in (timedelta(seconds=60), timedelta(hours=1)):
        (again,) = vonage.parse(replace(ringing, arrived_at=WORKED_AT + later), {}).events
        assert again.digest() == event.digest()


@pytest.mark.parametrize("authorization", ["", "***", "Bearer a.b.c", "Bearer a.W10.c", "Bearer é.é.é", "Bearer .."])
def test_without_an_id_that_can_be_read_the_event_is_known_by_what_it_says(authorization: str) -> None:
    (event,) = parsed({**CALLER, "status": "ringing"}, authorization).events
    assert event.event_id is None


# ------------------------------------------------------------------ whose leg it is


def test_the_callers_leg_says_who_calls_and_where_and_its_end_is_the_calls() -> None:
    rang, ended = told(CALLER, "ringing"), told(CALLER, "completed")
    assert (rang.call_id, rang.leg, rang.direction) == ("CON-1", "u-a", Direction.IN)
    assert (rang.external, rang.line, rang.extension) == (f"+{CONTACT}", f"+{OWN}", None)
    assert (ended.outcome, ended.final) == (Outcome.CANCELLED, True)
    # That it is answered says only that an NCCO is played.
    assert parsed({**CALLER, "status": "answered"}).events == ()


@pytest.mark.parametrize("withheld", ["", "anonymous", "Unknown", "Restricted", "0"])
def test_a_withheld_number_is_known_to_be_withheld(withheld: str) -> None:
    event = told({**CALLER, "from": withheld}, "ringing")
    assert event.external == ""
    assert event.direction is Direction.IN


def test_a_leg_to_a_device_is_an_employees_and_does_not_say_who_calls() -> None:
    event = told(EMPLOYEE, "ringing")
    assert (event.direction, event.extension, event.external, event.leg) == (Direction.IN, "101", None, "u-101")
    assert told({**EMPLOYEE, "to": "anna"}, "ringing").extension == "anna"
    # An employee's mobile phone is one by the address only.
    mobile = told({**EMPLOYEE, "to": "79161112233"}, "ringing", direction="in", extension="102", line=OWN)
    assert (mobile.direction, mobile.extension, mobile.line) == (Direction.IN, "102", f"+{OWN}")
    assert told({**EMPLOYEE, "to": "79161112233"}, "ringing").direction is Direction.OUT


def test_a_leg_that_is_started_rings() -> None:
    """Of a phone in the vendor's apps no `ringing` is told."""
    started, rang = told({**EMPLOYEE, "to": "anna"}, "started"), told({**EMPLOYEE, "to": "anna"}, "ringing")
    assert started == rang
    assert (started.kind, started.extension) == (Kind.RINGING, "anna")


def test_a_user_of_the_vendors_apps_calls_and_is_named_as_the_one_who_is_called() -> None:
    own = {**CALLER, "from": None, "to": "anna"}
    rang, ended = told(own, "started"), told(own, "completed")
    assert (rang.direction, rang.extension, rang.external, rang.line) == (Direction.OUT, "anna", None, None)
    assert (ended.outcome, ended.final) == (None, True)
    contact = told({**DIALLED, "from": "anna"}, "started")
    assert (contact.leg, contact.extension, contact.external) == (rang.leg, "anna", f"+{CONTACT}")
    for name in ("anna", "101"):
        colleague = told({**EMPLOYEE, "from": name, "to": "102"}, "started")
        assert (colleague.direction, colleague.extension, colleague.external) == (Direction.OUT, name, "102")
        # A short number is no line of the account.
        assert colleague.line is None


def test_a_call_among_colleagues_leaves_no_tag() -> None:
    ((_, call),) = OURS.folded(load_story("among_colleagues", "vonage").events).items()
    verdict = classify(call, mapped={"101", "102"}, external_is_employee=False)
    assert (call.outcome, verdict.skip) == (Outcome.SUCCESS, SkipReason.INTERNAL)


def test_a_call_from_a_device_goes_out() -> None:
    own = {**CALLER, "from": DEVICE, "to": CONTACT}
    rang, ended = told(own, "ringing"), told(own, "completed")
    assert (rang.direction, rang.extension, rang.external) == (Direction.OUT, "101", f"+{CONTACT}")
    assert (ended.outcome, ended.final) == (None, True)
    assert parsed({**own, "status": "answered"}).events == ()


@pytest.mark.parametrize(
    ("status", "detail", "outcome"),
    [
        ("busy", "", Outcome.BUSY),
        ("cancelled", "", Outcome.CANCELLED),
        ("unanswered", "", Outcome.NO_ANSWER),
        ("unanswered", "timeout", Outcome.NO_ANSWER),
        ("unanswered", "unavailable", Outcome.UNAVAILABLE),
        ("timeout", "", Outcome.NO_ANSWER),
        ("rejected", "", Outcome.BUSY),
        ("rejected", "declined", Outcome.BUSY),
        ("rejected", "invalid_number", Outcome.UNAVAILABLE),
        ("rejected", "restricted", Outcome.NOT_ALLOWED),
        ("failed", "", Outcome.FAILED),
        ("failed", "internal_error", Outcome.FAILED),
        ("failed", "cannot_route", Outcome.UNAVAILABLE),
        ("failed", "number_out_of_service", Outcome.UNAVAILABLE),
    ],
)
def test_how_the_contacts_leg_ends_decides_an_outgoing_call(status: str, detail: str, outcome: Outcome) -> None:
    event = told({**DIALLED, "detail": detail}, status)
    assert (event.kind, event.direction, event.outcome, event.talk_seconds) == (
        Kind.ENDED, Direction.OUT, outcome, 0,
    )  # fmt: skip
    incoming = told({**EMPLOYEE, "detail": detail}, status)
    assert incoming.outcome is (Outcome.CANCELLED if outcome is Outcome.CANCELLED else Outcome.MISSED)


@pytest.mark.parametrize(
    ("fields", "outcome", "talked"),
    [
        ({"duration": "62", "start_time": STAMP}, Outcome.SUCCESS, 62),
        ({"duration": 62, "start_time": STAMP}, Outcome.SUCCESS, 62),
        ({"duration": "0", "start_time": STAMP}, Outcome.SUCCESS, 0),
        ({"duration": "x", "start_time": STAMP}, Outcome.SUCCESS, None),
        ({"duration": "0", "start_time": ""}, Outcome.MISSED, 0),
        ({}, Outcome.MISSED, 0),
    ],
)
def test_a_leg_that_is_completed_and_never_began_was_not_answered(
    fields: dict[str, Any], outcome: Outcome, talked: int | None
) -> None:
    event = told({**EMPLOYEE, **fields}, "completed")
    assert (event.outcome, event.talk_seconds) == (outcome, talked)


@pytest.mark.parametrize(
    "fields",
    [
        {**EMPLOYEE, "status": "disconnected"},
        {"call_uuid": "u-c", "from": OWN, "to": CONTACT, "conversation_uuid": "CON-1", "status": "human"},
        {"call_uuid": "u-c", "from": OWN, "to": CONTACT, "conversation_uuid": "CON-1", "status": "machine"},
        {"conversation_uuid": "CON-1", "reason": "Syntax error in NCCO. Invalid value type or action."},
        {"conversation_uuid": "CON-1", "uuid": "u-a", "dtmf": "42", "timed_out": True, "to": OWN + "x"},
        {"conversation_uuid": "CON-1", "uuid": "u-a", "dtmf": {"digits": "42"}, "speech": {"results": []}},
    ],
)
def test_what_changes_nothing_is_understood_all_the_same(fields: dict[str, Any]) -> None:
    accepted = parsed(fields)
    assert (accepted.events, accepted.unknown) == ((), False)


def test_a_recording_is_known_by_its_conversation_alone() -> None:
    address = "https://api.nexmo.com/v1/files/bbbbbbbb-aaaa-cccc-dddd-0123456789ab"
    (event,) = parsed(
        {"recording_url": address, "recording_uuid": "r", "size": 12222, "conversation_uuid": "CON-1"}
    ).events
    assert (event.kind, event.call_id, event.recording) == (Kind.RECORDED, "CON-1", address)
    assert not event.recording_is_temporary


def test_a_leg_that_moves_links_the_two_conversations_and_ends_nothing() -> None:
    (event,) = parsed({"conversation_uuid_from": "CON-1", "conversation_uuid_to": "CON-2", "uuid": "u-a"}).events
    assert (event.call_id, event.linked_call_id) == ("CON-1", "CON-2")
    talked = [told(CALLER, "ringing"), told(EMPLOYEE, "ringing"), told(EMPLOYEE, "answered")]
    assert not fold([*talked, event]).closed
    ended = replace(told({**EMPLOYEE, "duration": "25"}, "completed"), at=NOON + timedelta(seconds=25))
    call = fold([*talked, event, ended])
    assert (call.closed, call.outcome, call.linked_call_id, call.answered_by) == (True, Outcome.SUCCESS, "CON-2", "101")


def test_a_clock_that_is_far_off_is_not_believed() -> None:
    event = told({**CALLER, "timestamp": "2020-01-01T12:00:00.000Z"}, "ringing")
    assert (event.at, event.at_is_arrival) == (NOON, True)


@pytest.mark.parametrize(
    "body",
    [
        {"status": "ringing"},
        {**CALLER, "uuid": "", "status": "ringing"},
        {**CALLER, "conversation_uuid": ["a"], "status": "ringing"},
        {"conversation_uuid_to": "CON-2"},
    ],
)
def test_what_names_no_call_or_leg_can_not_be_read(body: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        parsed(body)


# ------------------------------------------------------------------ what to do with a call

ASKED = {"to": OWN, "from": CONTACT, "uuid": "u-a", "conversation_uuid": "CON-1", "SipHeader_X-UserId": "1938ND9"}


def office(card: ContactCard | None, asked: list[str] | None = None) -> OfficeLookups:
    def contact(number: str) -> ContactCard | None:
        if asked is not None:
            asked.append(number)
        return card

    return OfficeLookups(contact=contact, credentials=dict)


def answered(settings: Mapping[str, Any], card: ContactCard | None = None, method: str = "GET") -> list[dict[str, Any]]:
    sent = Message(method="GET", post=ASKED) if method == "GET" else Message(body=ASKED)
    request = OURS.received(OURS.signed(sent))
    vonage.verify(request, OURS.trust())
    accepted = vonage.parse(request, settings)
    assert (accepted.events, accepted.unknown) == ((), False)
    assert accepted.respond is not None
    reply = accepted.respond(office(card))
    assert (reply.status, reply.content_type) == (200, JSON)
    if card is None:
        # The office could not be asked.
        assert accepted.reply == reply
    said: list[dict[str, Any]] = json.loads(reply.body)
    return said


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_call_is_answered_with_an_ncco_that_rings_the_extensions_in_turn(method: str) -> None:
    record, first, second, last = answered(simulated.SETTINGS, method=method)
    assert (record["action"], record["eventUrl"]) == ("record", [HOOK])
    assert [one["endpoint"] for one in (first, second)] == [
        [{"type": "sip", "uri": "sip:101@acme.sip.example.com"}],
        [{"type": "sip", "uri": "sip:102@acme.sip.example.com"}],
    ]
    assert first["from"] == OWN
    (address,) = first["eventUrl"]
    assert address.partition("?")[0] == HOOK
    assert parse_qs(urlsplit(address).query) == {"direction": ["in"], "line": [OWN], "extension": ["101"]}
    assert last["action"] == "talk"


def test_who_is_responsible_is_rung_first_and_once() -> None:
    card = ContactCard("Olga", "102")
    actions = answered({**simulated.SETTINGS, "record_calls": False, "sip_domain": None}, card)
    assert [one["endpoint"][0] for one in actions[:-1]] == [
        {"type": "app", "user": "102"}, {"type": "app", "user": "101"},
    ]  # fmt: skip


@pytest.mark.parametrize("card", [None, ContactCard("Olga", None), ContactCard("Olga", "sip:evil@x")])
def test_where_nobody_can_be_rung_the_caller_is_told(card: ContactCard | None) -> None:
    (only,) = answered({}, card)
    assert only["action"] == "talk"


def test_the_office_is_asked_of_the_number_with_its_plus_and_of_no_withheld_one() -> None:
    asked: list[str] = []
    for said in (ASKED, {**ASKED, "from": "anonymous"}):
        request = delivered(b"", method="GET", query=urlencode(said))
        respond = vonage.parse(request, {}).respond
        assert respond is not None
        respond(office(None, asked))
    assert asked == [f"+{CONTACT}"]


def test_an_answer_webhook_may_say_the_hash_of_nothing_or_of_its_query() -> None:
    query = urlencode(ASKED)
    claims = simulated.claims(Message(body={}), simulated.CREDENTIALS, NOON)
    hashes = {
        hashlib.sha256(b"").hexdigest(): True,
        hashlib.sha256(query.encode()).hexdigest(): True,
        hashlib.sha256(b"{}").hexdigest(): False,
    }
    for hashed, good in hashes.items():
        header = simulated.bearer(SECRET, {**claims, "payload_hash": hashed})
        assert is_taken(delivered(b"", header, method="GET", query=query), trust()) is good


def test_a_get_never_makes_an_event_and_the_admin_is_told_why() -> None:
    query = urlencode({**CALLER, "status": "completed"})
    with pytest.raises(PayloadError, match="by POST"):
        vonage.parse(delivered(b"", method="GET", query=query), {})


def test_a_user_of_the_vendors_apps_is_connected_with_the_contact_and_not_with_colleagues() -> None:
    asked = {"to": CONTACT, "from_user": "anna", "uuid": "u-a", "conversation_uuid": "CON-1"}

    def said(settings: Mapping[str, Any], **changes: str) -> list[dict[str, Any]]:
        request = delivered(b"", method="GET", query=urlencode({**asked, **changes}))
        accepted = vonage.parse(request, {"ring": "101", **settings})
        assert (accepted.events, accepted.respond) == ((), None)
        actions: list[dict[str, Any]] = json.loads(accepted.reply.body)
        return actions

    record, connect = said({"caller_id": f"+{OWN}"})
    assert record["action"] == "record"
    assert (connect["from"], connect["endpoint"]) == (OWN, [{"type": "phone", "number": CONTACT}])
    (address,) = connect["eventUrl"]
    hints = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert hints == {"direction": "out", "leg": "contact", "extension": "anna", "line": OWN}
    for actions in (said({}), said({"caller_id": f"+{OWN}"}, to="boris")):
        assert [one["action"] for one in actions] == ["talk"]


# ------------------------------------------------------------------ what goes out

CLICK = Click(extension="101", number=f"+{CONTACT}", reference="r-1")


@contextmanager
def asking(**settings: Any) -> Iterator[tuple[Account, Api, Server]]:
    """An account at the vendor's API; a setting of None is not set."""
    api = Api(simulated.CREDENTIALS)
    with serving(api) as server:
        chosen = {name: value for name, value in {**api.settings(server.url), **settings}.items() if value is not None}
        yield (
            Account(provider="vonage", credentials=api.credentials(server.url), settings=chosen, webhook_url=HOOK),
            api,
            server,
        )


@pytest.fixture(autouse=True)
def _loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services may be on this machine."""
    monkeypatch.setenv("OUTBOUND_LOOPBACK", "true")


def test_a_click_rings_the_employee_and_connects_the_contact() -> None:
    with asking() as (account, api, server):
        placed = vonage.originate(account, CLICK, PlainDoor())
        (asked,), (call,) = server.asked, api.placed
    assert placed.call_id == "CON-f972836a-550f-45fa-956c-000000000000"
    assert (asked.method, asked.path) == ("POST", "/v1/calls")
    assert call["to"] == [{"type": "sip", "uri": "sip:101@acme.sip.example.com"}]
    assert call["from"] == {"type": "phone", "number": OWN}
    assert call["event_url"] == [f"{HOOK}?direction=out&leg=employee&extension=101"]
    record, connect = call["ncco"]
    assert (record["action"], record["eventUrl"]) == ("record", [HOOK])
    assert connect["endpoint"] == [{"type": "phone", "number": CONTACT}]
    assert connect["eventUrl"] == [f"{HOOK}?direction=out&leg=contact&extension=101&line={OWN}"]


def test_each_request_has_a_token_of_its_own_that_is_good_for_minutes() -> None:
    with asking() as (account, api, server):
        vonage.originate(account, CLICK, PlainDoor())
        vonage.ping(account, PlainDoor())
        tokens = [one.headers["authorization"].removeprefix("Bearer ") for one in server.asked]
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in tokens]
    assert len({one["jti"] for one in claims}) == len(api.seen) == 2
    assert all(one["exp"] - one["iat"] == 300 for one in claims)
    assert all(jwt.get_unverified_header(token)["alg"] == "RS256" for token in tokens)


def test_a_click_shows_the_chosen_line_and_reaches_the_app_where_there_is_no_sip_domain() -> None:
    with asking(sip_domain=None, caller_id=None, record_calls=False) as (account, api, _):
        vonage.originate(account, replace(CLICK, line="+74951230002"), PlainDoor())
        (call,) = api.placed
    assert call["to"] == [{"type": "app", "user": "101"}]
    assert call["from"]["number"] == "74951230002"
    assert [action["action"] for action in call["ncco"]] == ["connect"]


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
            vonage.originate(account, replace(CLICK, **changes), PlainDoor())
        with pytest.raises(BadInputError, match="webhook's address"):
            vonage.originate(replace(account, webhook_url=""), replace(CLICK, line=f"+{OWN}"), PlainDoor())
        for credentials in ({}, {**account.credentials, "private_key": "-----BEGIN x"}):
            with pytest.raises(BadInputError, match="private_key"):
                vonage.originate(replace(account, credentials=credentials), replace(CLICK, line=f"+{OWN}"), PlainDoor())
        assert not server.asked


def test_another_key_or_application_is_refused() -> None:
    with asking() as (account, _, _):
        for name in ("private_key", "application_id"):
            other = {**account.credentials, name: simulated.OTHER_CREDENTIALS[name]}
            with pytest.raises(BadInputError, match="401"):
                vonage.ping(replace(account, credentials=other), PlainDoor())


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, {"invalid_parameters": [{"name": "from", "reason": "+79101234567"}]}, BadInputError, "not take from"),
        (400, {"invalid_parameters": [{"name": "+7 910"}]}, BadInputError, "can't be called"),
        (400, {"invalid_parameters": "x", "title": "about +79101234567"}, BadInputError, "can't be called"),
        (402, {}, BadInputError, "no credit"),
        (403, {}, BadInputError, "may not do that"),
        (404, {}, BadInputError, "no such thing"),
        (409, {}, BadInputError, "list of errors"),
        (401, "", BadInputError, "401"),
        (400, "<html>", UnreachableError, "nothing that can be read"),
        (200, {}, UnreachableError, "names no call"),
        (201, {"conversation_uuid": 7}, UnreachableError, "names no call"),
        (429, {}, TooManyError, "slow down"),
        (500, {"title": "x"}, UnreachableError, "fails itself"),
    ],
)
def test_what_the_api_refuses_is_told_in_our_words(
    status: int, body: Any, kind: type[HangtagError], words: str
) -> None:
    with asking() as (account, _, server):
        server.faults.append(Fault(Reply(status, body)))
        with pytest.raises(kind, match=words) as refused:
            vonage.originate(account, CLICK, PlainDoor())
    assert "9101234567" not in refused.value.message


def test_the_fake_refuses_what_is_no_line_of_the_account() -> None:
    with asking() as (account, _, _), pytest.raises(BadInputError, match=r"\(400\): it does not take from"):
        vonage.originate(account, replace(CLICK, line="+4930901820"), PlainDoor())


def test_what_the_click_asked_for_comes_back_as_one_call() -> None:
    """The addresses that a click gives to Vonage are those that webhooks are understood by."""
    with asking() as (account, api, _):
        call_id = vonage.originate(account, CLICK, PlainDoor()).call_id
        (placed,) = api.placed
    legs = {
        placed["event_url"][0]: {**EMPLOYEE, "conversation_uuid": call_id},
        placed["ncco"][1]["eventUrl"][0]: {**DIALLED, "conversation_uuid": call_id},
    }
    events: list[CallEvent] = []
    for after, (url, fields) in enumerate(legs.items()):
        for status in ("started", "ringing", "answered", "completed"):
            said = {**fields, "status": status, "duration": "40"}
            at = NOON + timedelta(seconds=after)
            request = simulated.request(url, Message(body=said), simulated.CREDENTIALS, at)
            vonage.verify(OURS.received(request, at), trust())
            events += vonage.parse(OURS.received(request, at), {}).events
    call = fold(events)
    assert (call.call_id, call.outcome, call.talk_seconds) == (call_id, Outcome.SUCCESS, 40)
    assert (call.answered_by, call.external, call.line, call.picked_up) == ("101", f"+{CONTACT}", f"+{OWN}", True)


def test_a_click_that_the_employee_did_not_pick_up_is_told_from_one_that_the_contact_did_not() -> None:
    def judged(name: str) -> SkipReason | None:
        at = NOON
        events: list[CallEvent] = []
        for event in load_story(name, "vonage").events:
            at += timedelta(seconds=event.after)
            events += OURS.accepted(OURS.signed(message(event, IDS, NOON, at), at), at).events
        verdict = classify(
            closed(events, at), mapped={"101", "103"}, external_is_employee=False, pick_up=PickUp(vonage.PICK_UP)
        )
        return verdict.skip

    assert judged("click_employee_no_answer") is SkipReason.EMPLOYEE_NO_ANSWER
    assert judged("outgoing_no_answer") is None


def test_a_recording_is_fetched_with_a_token_and_from_vonage_only() -> None:
    with asking() as (account, _, _):
        media = vonage.recording(
            replace(account, settings={}), "https://api-us-3.vonage.com/v1/files/bbbbbbbb-aaaa", PlainDoor()
        )
        assert media.url == "https://api-us-3.vonage.com/v1/files/bbbbbbbb-aaaa"
        here = vonage.recording(account, "https://api.nexmo.com/v1/files/bbbbbbbb-aaaa", PlainDoor())
        assert PlainDoor().send("GET", here.url, headers=here.headers).status == 200
        for reference in (
            "https://api.nexmo.com.evil.example/v1/files/x",
            "https://evilnexmo.com/v1/files/x",
            "http://api.nexmo.com/v1/files/x",
            "https://api.nexmo.com/v1/files/../calls",
            "https://user@api.nexmo.com/v1/files/x",
            "https://api.nexmo.com/v1/files/x?y=1",
            "",
        ):
            with pytest.raises(BadInputError):
                vonage.recording(account, reference, PlainDoor())


def row(said: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    def endpoint(address: str) -> dict[str, str]:
        return {"type": "sip", "uri": address} if ":" in address else {"type": "phone", "number": address}

    return {
        **said, "from": endpoint(said["from"]), "to": endpoint(said["to"]), "status": "completed", "duration": "40",
        "start_time": "2026-03-01T11:00:00.000Z", "end_time": "2026-03-01T11:00:40.000Z", **more,
    }  # fmt: skip


def past(rows: list[dict[str, Any]], page_size: int = 100) -> list[CallEvent]:
    with asking() as (account, api, _):
        api.calls, api.page_size = rows, page_size
        return list(vonage.history(account, NOON - timedelta(hours=2), NOON, PlainDoor()))


def test_the_list_of_calls_is_read_page_by_page() -> None:
    rows = [row({**CALLER, "uuid": f"u-{number}", "conversation_uuid": f"CON-{number}"}) for number in range(7)]
    assert {event.call_id for event in past(rows, page_size=3)} == {f"CON-{number}" for number in range(7)}


def test_a_leg_that_came_in_says_which_way_the_call_went() -> None:
    incoming = fold(past([row(CALLER), row(EMPLOYEE)]))
    assert (incoming.direction, incoming.external, incoming.answered_by) == (Direction.IN, f"+{CONTACT}", "101")
    clicked = fold(past([row(EMPLOYEE), row(DIALLED, status="busy", start_time=None, duration="0")]))
    assert (clicked.direction, clicked.outcome, clicked.external) == (Direction.OUT, Outcome.BUSY, f"+{CONTACT}")
    # So the Missed Call of a click is written, though no webhook told that the employee picked up.
    judged = classify(clicked, mapped={"101"}, external_is_employee=False, pick_up=PickUp(vonage.PICK_UP))
    assert judged.skip is None
    dialled = fold(past([row({**CALLER, "from": DEVICE, "to": CONTACT}), row(DIALLED)]))
    assert (dialled.direction, dialled.outcome, dialled.answered_by) == (Direction.OUT, Outcome.SUCCESS, "101")
    app = {"from": None, "to": {"type": "app", "user": "anna"}}
    among = fold(past([row(CALLER) | app, row(EMPLOYEE)]))
    assert (among.direction, among.external, among.answered_by) == (Direction.OUT, "101", "anna")
    assert among.line == f"+{OWN}"


def test_a_leg_of_a_call_that_began_before_is_no_call_of_its_own() -> None:
    before = {"start_time": "2026-03-01T09:59:50.000Z", "end_time": "2026-03-01T10:00:40.000Z"}
    rang = {"start_time": None, "end_time": "2026-03-01T10:00:30.000Z", "status": "unanswered", "duration": "0"}
    assert past([row(CALLER, **before), row(EMPLOYEE, **rang)]) == []


def test_a_leg_to_a_phone_alone_is_no_call_unless_nobody_picked_up() -> None:
    """It talked with a leg that went on in another conversation: which way it went is told nowhere."""
    assert past([row(EMPLOYEE)]) == []
    (event,) = past([row(EMPLOYEE, status="timeout", duration="0", start_time=None)])
    assert (event.direction, event.outcome) == (Direction.OUT, Outcome.NO_ANSWER)


@pytest.mark.parametrize(
    "changes",
    [
        {"end_time": None, "start_time": STAMP, "status": "answered"},
        {"status": "teleported"},
        {"uuid": ""},
        {"to": 7, "uuid": []},
    ],
)
def test_rows_that_can_not_be_read_or_have_not_ended_are_left_out(changes: dict[str, Any]) -> None:
    assert past([row(CALLER, **changes)]) == []


def test_a_ping_changes_nothing_and_says_what_is_missing() -> None:
    with asking() as (account, _, server):
        assert vonage.ping(account, PlainDoor()).ok
        assert [one.method for one in server.asked] == ["GET"]
        webhooks_only = replace(account, credentials={"api_key": API_KEY, "signature_secret": SECRET})
        found = vonage.ping(webhooks_only, PlainDoor())
        assert found.ok
        assert "can't be clicked" in found.detail
        assert len(server.asked) == 1


# ------------------------------------------------------------------ what the admin types


@pytest.mark.parametrize(
    "changes",
    [
        {"private_key": "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"},
        {"private_key": ""},
        {"application_id": "x"},
        {"signature_secret": "short"},
        {"signature_secret": None},
        {"api_key": None},
        {"api_secret": "x"},
    ],
)
def test_what_can_not_be_right_is_not_taken(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VonageCredentials.model_validate({**simulated.CREDENTIALS, **changes})


def test_extensions_to_ring_are_a_list_with_commas() -> None:
    assert VonageSettings(ring="101, 102,anna").ring == "101, 102,anna"
    with pytest.raises(ValidationError):
        VonageSettings(ring="sip:101@x")
