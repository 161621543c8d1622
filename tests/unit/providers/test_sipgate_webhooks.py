"""sipgate's webhook: its signature, lists in forms, and the response that subscribes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from hangtag.domain.calls.classify import classify
from hangtag.domain.calls.event import CallEvent, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.providers.base import PayloadError, SignatureError, VerificationKeys, WebhookRequest
from hangtag.providers.sipgate.form import SipgateCredentials, SipgateSettings
from hangtag.providers.sipgate.signature import PUBLISHED_KEY
from local.simulator.providers.sipgate import pbx as simulated
from local.simulator.story import load_stories
from provider_stories import IDS, NOON, line, story_of
from sipgate_helpers import HOOK, SIPGATE

# A body that sipgate's own key has signed: the example of the vendor's library (sipgateio, lib/webhook).
SIGNED_BODY = (
    b"callId=&direction=in&event=newCall&from=4912354678&fullUserId%5B%5D%5B0%5D=123456789&originalCallId=&to=49999999"
    b"&user%5B%5D%5B0%5D=TestUser&userId%5B%5D%5B0%5D=123456789&xcid="
)


SIGNATURE = (
    "hlY7r9Vad0NP/7xJxf+vcDqjWaGWHOcIrj+rcP5aqQQcHtbSLsElp2kRNRPBL5unWbq6bExVPZB49HHM+Y/fWSVL19q7KSJhYPHfikcME0r0mCYB"
    "4S/VnJwnIvpiqz6s7Dpnk3wDCy65B3WQLwBVWA9oh6ojNM/g+87YnoMTKRx1KoFqosKNfBp1c1I8XjXusGOW/VlGnMb6wHhUVdwi9K7FfUgxj2pn"
    "V+M1Xv9rYs6RAi4V1OcUPqdT5geHsxWa09sk+AEHSUm1EFnAvx7PhIkugpNwST7yPKHf0+iyei4qUQCBZtfQVOI4mLZTRfQuyVo3YuJfvHaNPYY3"
    "4/1ZCZGCKeu+HS6WHs1vGUyKxSi8v4JJqog2VOlWruf8pMGg+syuAFwuxiCnWsSXgaaUfe9JrBAFjBxUmNP9DzR1bbkwxkJnthacu7jALXjGsubj"
    "SSSl955QgenV/ZpODHgWDPg0fe6qGILtk+kXLjyfSsoR/qgzE5W5OAyZq8W64h01KAt9Q283N7/2nogy6keiIWL3qjPolWnrchSP7iJUatM2YiTc"
    "pkNKnJ70UE05cdw3swuNe7zqD51MdOX3rAioEOFgOIFMSrxMVX+V4XK7sa5o43smN8lHoa+0AogQMuIrC7k2axdRbulSSNfyqVAZIT4qS0cItiv3"
    "aPXsdDKkkA0="
)


# A public key of an unsupported algorithm.
UNSUPPORTED_KEY = "-----BEGIN PUBLIC KEY-----\nMBIwCQYFK4EEAH8FAAMFAEFBQUE=\n-----END PUBLIC KEY-----"


CALL = {"event": "newCall", "direction": "in", "from": "4912354678", "to": "49999999", "callId": "c1"}
SETTINGS = {"users": "w0=101, w1=102"}


def webhook_request(body: bytes, signature: str = "", at_seconds: float = 0) -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        path="/hooks/sipgate/***",
        query="",
        headers={"content-type": "application/x-www-form-urlencoded", "x-sipgate-signature": signature},
        body=body,
        arrived_at=NOON + timedelta(seconds=at_seconds),
        url=HOOK,
    )


def parse(
    fields: Mapping[str, Any], at_seconds: float = 0, settings: Mapping[str, Any] | None = None
) -> tuple[CallEvent, ...]:
    body = urlencode(list(fields.items()), doseq=True).encode()
    return SIPGATE.parse(
        webhook_request(body, at_seconds=at_seconds), SETTINGS if settings is None else settings
    ).events


def parse_one(fields: Mapping[str, Any], at_seconds: float = 0) -> CallEvent:
    (one,) = parse(fields, at_seconds)
    return one


def test_signature_of_sipgates_own_example_is_valid() -> None:
    SIPGATE.verify(webhook_request(SIGNED_BODY, SIGNATURE), VerificationKeys())
    for place in range(0, len(SIGNED_BODY), 7):
        wrong = bytearray(SIGNED_BODY)
        wrong[place] ^= 1
        with pytest.raises(SignatureError):
            SIPGATE.verify(webhook_request(bytes(wrong), SIGNATURE), VerificationKeys())


def test_entered_key_replaces_the_published_one() -> None:
    trust = VerificationKeys(credentials={"public_key": (simulated.CREDENTIALS["public_key"],)})
    with pytest.raises(SignatureError):
        SIPGATE.verify(webhook_request(SIGNED_BODY, SIGNATURE), trust)
    body = urlencode(CALL).encode()
    SIPGATE.verify(webhook_request(body, simulated.sign(simulated.CREDENTIALS["public_key"], body)), trust)
    for key in ("no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", UNSUPPORTED_KEY, "\ud800"):
        with pytest.raises(SignatureError):
            SIPGATE.verify(
                webhook_request(SIGNED_BODY, SIGNATURE), VerificationKeys(credentials={"public_key": (key,)})
            )


def test_form_accepts_only_an_rsa_public_key() -> None:
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    other = curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for key in ("", "x", other, UNSUPPORTED_KEY, SIGNATURE):
        with pytest.raises(ValidationError):
            SipgateCredentials(public_key=key)
    assert SipgateCredentials(public_key=PUBLISHED_KEY).public_key == PUBLISHED_KEY


@pytest.mark.parametrize("users", ["w0", "w0=", "=101", "w0=101 w1=102", "w0=101,,w1=102", "w0=1 01"])
def test_form_rejects_users_that_are_not_pairs(users: str) -> None:
    with pytest.raises(ValidationError):
        SipgateSettings(users=users)


def test_every_listed_user_rings() -> None:
    events = parse({**CALL, "userId[]": ["w0", "w1", "w7", "w0"], "user[]": ["Anna", "Boris", "Vera", "Anna"]})
    assert [(one.kind, one.leg, one.external, one.line) for one in events] == [
        (Kind.RINGING, leg, "4912354678", "49999999") for leg in ("101", "102", "w7")
    ]
    # Parameter names as in a request signed by sipgate.
    counted = parse({**CALL, "userId[][0]": "w0", "userId[][1]": "w1"})
    assert [one.leg for one in counted] == ["101", "102"]
    # A call in a menu has an event without a leg.
    assert parse_one(CALL).leg == ""


def test_response_subscribes_to_the_rest_of_the_call() -> None:
    odd = replace(webhook_request(urlencode(CALL).encode()), url=f'{HOOK}?a=1&b="<')
    reply = SIPGATE.parse(odd, {}).reply
    root = ET.fromstring(reply.body)  # noqa: S314 - our own document
    assert root.attrib == {"onAnswer": f'{HOOK}?a=1&b="<', "onHangup": f'{HOOK}?a=1&b="<'}
    assert reply.content_type == "application/xml"
    hangup = webhook_request(urlencode({**CALL, "event": "hangup", "cause": "busy"}).encode())
    assert SIPGATE.parse(hangup, {}).reply.body == "<Response/>"


@pytest.mark.parametrize(
    ("cause", "incoming", "outgoing"),
    [
        ("normalClearing", Outcome.SUCCESS, Outcome.SUCCESS),
        ("busy", Outcome.MISSED, Outcome.BUSY),
        ("cancel", Outcome.MISSED, Outcome.CANCELLED),
        ("noAnswer", Outcome.MISSED, Outcome.NO_ANSWER),
        ("congestion", Outcome.MISSED, Outcome.FAILED),
        ("notFound", Outcome.MISSED, Outcome.UNAVAILABLE),
        ("forwarded", None, None),
        ("somethingNew", None, None),
    ],
)
def test_cause_maps_to_an_outcome(cause: str, incoming: Outcome | None, outgoing: Outcome | None) -> None:
    ended = {**CALL, "event": "hangup", "cause": cause}
    assert (parse_one(ended).outcome, parse_one(ended).final, parse_one(ended).leg) == (
        incoming,
        cause != "forwarded",
        "",
    )
    assert parse_one({**ended, "direction": "out"}).outcome is outgoing


def test_mailbox_is_not_an_employee() -> None:
    rang = parse({**CALL, "userId[]": ["w0"]})
    answered = parse({**CALL, "event": "answer", "userId": "w0", "answeringNumber": "voicemail"}, 20)
    assert answered == ()
    assert parse({**CALL, "event": "answer", "answeringNumber": "49999999"}) == ()
    ended = parse({**CALL, "event": "hangup", "cause": "normalClearing", "answeringNumber": "voicemail"}, 40)
    call = fold([*rang, *ended])
    assert (call.closed, call.outcome, call.answered_by) == (True, Outcome.MISSED, None)


def test_talk_time_is_from_answer_to_hang_up() -> None:
    events = [
        *parse({**CALL, "userId[]": ["w0", "w1"]}),
        *parse({**CALL, "event": "answer", "userId": "w1", "answeringNumber": "49999999"}, 7),
        *parse({**CALL, "event": "hangup", "cause": "normalClearing", "answeringNumber": "49999999"}, 67),
    ]
    call = fold(events)
    assert (call.outcome, call.answered_by, call.talk_seconds) == (Outcome.SUCCESS, "102", 60)
    assert not any(leg.live for leg in call.legs)


def test_forwarded_call_is_linked_from_the_previous_one() -> None:
    for name in ("origCallId", "originalCallId"):
        _, linked = parse({**CALL, "callId": "c2", name: "c1", "userId[]": ["w0"]})
        assert (linked.call_id, linked.kind, linked.linked_call_id) == ("c1", Kind.SUMMARY, "c2")
    assert len(parse({**CALL, "origCallId": "c1"})) == 1
    # The later requests contain the link in case the first one is lost.
    for event in ("answer", "hangup"):
        *_, linked = parse({**CALL, "event": event, "callId": "c2", "origCallId": "c1"})
        assert (linked.call_id, linked.linked_call_id) == ("c1", "c2")


@pytest.mark.parametrize("name", ["forwarded_to_another_employee", "forwarded_to_voicemail"])
def test_forwarded_call_leaves_one_tag(name: str) -> None:
    story = story_of(load_stories("sipgate"), name)
    folded = line("sipgate").folded(story.events)
    for expected in story.expect:
        call = folded["main", expected.call.format(**IDS)]
        verdict = classify(call, mapped={"101", "102"}, external_is_employee=False)
        assert (call.outcome, verdict.skip, verdict.tag) == (
            expected.outcome,
            expected.skip_reason,
            expected.tag.type if expected.tag else None,
        )


def test_withheld_number_is_empty() -> None:
    assert parse_one({**CALL, "from": "anonymous"}).external == ""
    assert parse({"event": "dtmf", "callId": "c1", "dtmf": "1"}) == ()
    with pytest.raises(PayloadError, match="callId"):
        parse({**CALL, "callId": ""})
    with pytest.raises(PayloadError, match="twice"):
        parse({**CALL, "callId": ["c1", "c2"]})
