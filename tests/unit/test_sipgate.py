"""sipgate: a signature of its own, lists in forms, the answer that has it go on, and its REST API."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from doors import PlainDoor
from hangtag.domain.calls.classify import classify
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers import sipgate
from hangtag.providers.base import Account, Click, PayloadError, SignatureError, VerificationKeys, WebhookRequest
from hangtag.providers.forms.sipgate import SipgateCredentials, SipgateSettings
from local.simulator.pbx import sipgate as simulated
from local.simulator.rest import Fault, Reply, Server, serving
from local.simulator.rest.sipgate import Api
from local.simulator.story import load_stories
from provider_stories import IDS, NOON, line, story_of

# A body that sipgate's own key has signed: the example of the vendor's library (sipgateio, lib/webhook).
GENUINE = (
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
HOOK = "https://hooks.example.com/hooks/sipgate/" + "T" * 40
# A public key by an algorithm that nobody knows.
UNHEARD_OF = "-----BEGIN PUBLIC KEY-----\nMBIwCQYFK4EEAH8FAAMFAEFBQUE=\n-----END PUBLIC KEY-----"
CALL = {"event": "newCall", "direction": "in", "from": "4912354678", "to": "49999999", "callId": "c1"}
SETTINGS = {"users": "w0=101, w1=102"}
CLICK = Click(extension="101", number="+4912354678", reference="r", line="+49999999")


def delivered(body: bytes, signature: str = "", at_seconds: float = 0) -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        path="/hooks/sipgate/***",
        query="",
        headers={"content-type": "application/x-www-form-urlencoded", "x-sipgate-signature": signature},
        body=body,
        arrived_at=NOON + timedelta(seconds=at_seconds),
        url=HOOK,
    )


def parsed(
    fields: Mapping[str, Any], at_seconds: float = 0, settings: Mapping[str, Any] | None = None
) -> tuple[CallEvent, ...]:
    body = urlencode(list(fields.items()), doseq=True).encode()
    return sipgate.parse(delivered(body, at_seconds=at_seconds), SETTINGS if settings is None else settings).events


def told(fields: Mapping[str, Any], at_seconds: float = 0) -> CallEvent:
    (one,) = parsed(fields, at_seconds)
    return one


@contextmanager
def account_of(**more: Any) -> Iterator[tuple[Api, Server, Account]]:
    api = Api(simulated.CREDENTIALS)
    with serving(api) as server:
        yield (
            api,
            server,
            Account(
                provider="sipgate",
                credentials=api.credentials(server.url),
                settings={**api.settings(server.url), **more},
                webhook_url=HOOK,
            ),
        )


# ------------------------------------------------------------------ genuine or not


def test_what_sipgate_itself_has_signed_is_genuine_by_the_published_key() -> None:
    sipgate.verify(delivered(GENUINE, SIGNATURE), VerificationKeys())
    for place in range(0, len(GENUINE), 7):
        wrong = bytearray(GENUINE)
        wrong[place] ^= 1
        with pytest.raises(SignatureError):
            sipgate.verify(delivered(bytes(wrong), SIGNATURE), VerificationKeys())


def test_a_key_that_is_entered_replaces_the_published_one() -> None:
    trust = VerificationKeys(credentials={"public_key": (simulated.CREDENTIALS["public_key"],)})
    with pytest.raises(SignatureError):
        sipgate.verify(delivered(GENUINE, SIGNATURE), trust)
    body = urlencode(CALL).encode()
    sipgate.verify(delivered(body, simulated.sign(simulated.CREDENTIALS["public_key"], body)), trust)
    for key in ("no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", UNHEARD_OF, "\ud800"):
        with pytest.raises(SignatureError):
            sipgate.verify(delivered(GENUINE, SIGNATURE), VerificationKeys(credentials={"public_key": (key,)}))


def test_only_a_public_key_of_rsa_can_be_entered() -> None:
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    other = curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for said in ("", "x", other, UNHEARD_OF, SIGNATURE):
        with pytest.raises(ValidationError):
            SipgateCredentials(public_key=said)
    assert SipgateCredentials(public_key=sipgate.PUBLISHED_KEY).public_key == sipgate.PUBLISHED_KEY


@pytest.mark.parametrize("users", ["w0", "w0=", "=101", "w0=101 w1=102", "w0=101,,w1=102", "w0=1 01"])
def test_users_that_are_no_pairs_are_refused(users: str) -> None:
    with pytest.raises(ValidationError):
        SipgateSettings(users=users)


# ------------------------------------------------------------------ what comes in


def test_every_user_of_the_list_rings_by_extension_or_by_sipgates_id() -> None:
    events = parsed({**CALL, "userId[]": ["w0", "w1", "w7", "w0"], "user[]": ["Anna", "Boris", "Vera", "Anna"]})
    assert [(one.kind, one.leg, one.external, one.line) for one in events] == [
        (Kind.RINGING, leg, "4912354678", "49999999") for leg in ("101", "102", "w7")
    ]
    # As in what sipgate itself has signed.
    counted = parsed({**CALL, "userId[][0]": "w0", "userId[][1]": "w1"})
    assert [one.leg for one in counted] == ["101", "102"]
    # A call that rings nobody, a menu's, is there all the same.
    assert told(CALL).leg == ""


def test_the_answer_says_where_to_go_on() -> None:
    odd = replace(delivered(urlencode(CALL).encode()), url=f'{HOOK}?a=1&b="<')
    reply = sipgate.parse(odd, {}).reply
    root = ET.fromstring(reply.body)  # noqa: S314 - our own document
    assert root.attrib == {"onAnswer": f'{HOOK}?a=1&b="<', "onHangup": f'{HOOK}?a=1&b="<'}
    assert reply.content_type == "application/xml"
    hangup = delivered(urlencode({**CALL, "event": "hangup", "cause": "busy"}).encode())
    assert sipgate.parse(hangup, {}).reply.body == "<Response/>"


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
def test_the_cause_of_a_hang_up(cause: str, incoming: Outcome | None, outgoing: Outcome | None) -> None:
    ended = {**CALL, "event": "hangup", "cause": cause}
    assert (told(ended).outcome, told(ended).final, told(ended).leg) == (incoming, cause != "forwarded", "")
    assert told({**ended, "direction": "out"}).outcome is outgoing


def test_a_mailbox_is_nobody() -> None:
    rang = parsed({**CALL, "userId[]": ["w0"]})
    taken = parsed({**CALL, "event": "answer", "userId": "w0", "answeringNumber": "voicemail"}, 20)
    assert taken == ()
    assert parsed({**CALL, "event": "answer", "answeringNumber": "49999999"}) == ()
    ended = parsed({**CALL, "event": "hangup", "cause": "normalClearing", "answeringNumber": "voicemail"}, 40)
    call = fold([*rang, *ended])
    assert (call.closed, call.outcome, call.answered_by) == (True, Outcome.MISSED, None)


def test_talk_is_from_the_answer_to_the_hang_up() -> None:
    events = [
        *parsed({**CALL, "userId[]": ["w0", "w1"]}),
        *parsed({**CALL, "event": "answer", "userId": "w1", "answeringNumber": "49999999"}, 7),
        *parsed({**CALL, "event": "hangup", "cause": "normalClearing", "answeringNumber": "49999999"}, 67),
    ]
    call = fold(events)
    assert (call.outcome, call.answered_by, call.talk_seconds) == (Outcome.SUCCESS, "102", 60)
    assert not any(leg.live for leg in call.legs)


def test_a_call_that_goes_on_is_linked_from_the_one_before() -> None:
    for name in ("origCallId", "originalCallId"):
        _, linked = parsed({**CALL, "callId": "c2", name: "c1", "userId[]": ["w0"]})
        assert (linked.call_id, linked.kind, linked.linked_call_id) == ("c1", Kind.SUMMARY, "c2")
    assert len(parsed({**CALL, "origCallId": "c1"})) == 1
    # Should its first request be lost, the others say so.
    for event in ("answer", "hangup"):
        *_, linked = parsed({**CALL, "event": event, "callId": "c2", "origCallId": "c1"})
        assert (linked.call_id, linked.linked_call_id) == ("c1", "c2")


@pytest.mark.parametrize("name", ["forwarded_to_another_employee", "forwarded_to_voicemail"])
def test_a_forwarded_call_leaves_one_tag(name: str) -> None:
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


def test_a_withheld_number_is_none_and_keys_change_nothing() -> None:
    assert told({**CALL, "from": "anonymous"}).external == ""
    assert parsed({"event": "dtmf", "callId": "c1", "dtmf": "1"}) == ()
    with pytest.raises(PayloadError, match="callId"):
        parsed({**CALL, "callId": ""})
    with pytest.raises(PayloadError, match="twice"):
        parsed({**CALL, "callId": ["c1", "c2"]})


# ------------------------------------------------------------------ what goes out


def test_a_click_rings_the_employees_device() -> None:
    with account_of() as (api, _, account):
        placed = sipgate.originate(account, CLICK, PlainDoor())
        sipgate.originate(account, replace(CLICK, extension="102", line=None), PlainDoor())
        first, second = api.placed
        assert first == {"deviceId": "e0", "caller": "e0", "callee": "+4912354678", "callerId": "+49999999"}
        # As it is entered in devices.
        assert second == {"deviceId": "e7", "caller": "e7", "callee": "+4912354678"}
        assert placed.call_id is not None
        assert placed.call_id.startswith("session-1")


@pytest.mark.parametrize("extension", ["anna", "103x", "", "1", "e1/../.."])
def test_a_device_that_is_none_is_never_asked_for(extension: str) -> None:
    with account_of(devices=None, users=None) as (_, server, account):
        with pytest.raises(BadInputError, match="devices"):
            sipgate.originate(account, replace(CLICK, extension=extension), PlainDoor())
        assert not server.asked


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409])
def test_a_refusal_is_told_in_words_of_our_own(status: int) -> None:
    with account_of() as (_, server, account):
        server.faults.append(Fault(Reply(status, {"message": "+4912354678"})))
        with pytest.raises(BadInputError, match=f"\\({status}\\)") as refused:
            sipgate.originate(account, CLICK, PlainDoor())
        assert "4912354678" not in refused.value.message


def test_the_address_is_entered_and_all_else_there_stays() -> None:
    with account_of() as (api, _, account):
        assert sipgate.set_up(account, {}, PlainDoor()).ok
        assert api.push == {"incomingUrl": HOOK, "outgoingUrl": HOOK, "log": True, "whitelist": ["p0"]}
    bare = Account(provider="sipgate", credentials={})
    assert "yourself" in sipgate.set_up(bare, {}, PlainDoor()).detail


def row(number: int, **more: Any) -> dict[str, Any]:
    at = NOON - timedelta(minutes=30)
    return {"callId": f"c{number}", "type": "CALL", "created": at.isoformat().replace("+00:00", "Z"),
            "lastModified": (at + timedelta(seconds=50)).isoformat(), "direction": "INCOMING", "source": "4912354678",
            "target": "49999999", "duration": 42, "callStatus": "SUCCESS", "recordings": [],
            "endpoints": [{"type": "ROUTED", "endpoint": {"extension": "w1", "type": "USER"}}], **more}  # fmt: skip


def test_the_history_tells_who_took_a_call_and_names_recordings() -> None:
    begun = NOON - timedelta(minutes=30)
    with account_of() as (api, _, account):
        api.rows = [row(1, recordings=[{"id": "r", "url": "https://api.sipgate.com/v2/r"}, {}, None])]
        end, recorded = sipgate.history(account, NOON - timedelta(hours=1), NOON, PlainDoor())
        assert (end.extension, end.outcome, end.talk_seconds) == ("102", Outcome.SUCCESS, 42)
        assert (end.started_at, end.at) == (begun, begun + timedelta(seconds=50))
        assert recorded.recording == "https://api.sipgate.com/v2/r"
        media = sipgate.recording(account, recorded.recording, PlainDoor())
        assert base64.b64decode(media.headers["authorization"].removeprefix("Basic ")).startswith(b"token-ABC123:")
        for elsewhere in (
            "https://app.sipgate.com/r",
            "https://api.sipgate.com.evil.example/r",
            "http://api.sipgate.com/r",
            "https://[",
        ):
            assert not sipgate.recording(account, elsewhere, PlainDoor()).headers


@pytest.mark.parametrize(
    ("more", "direction", "outcome", "extension"),
    [
        ({"direction": "MISSED_INCOMING", "callStatus": "MISSED"}, Direction.IN, Outcome.MISSED, "102"),
        ({"direction": "MISSED_OUTGOING", "callStatus": "MISSED"}, Direction.OUT, Outcome.NO_ANSWER, "102"),
        ({"direction": "OUTGOING", "callStatus": "BUSY_ON_BUSY"}, Direction.OUT, Outcome.BUSY, "102"),
        ({"callStatus": "VOICEMAIL_NO_MESSAGE", "endpoints": None}, Direction.IN, Outcome.MISSED, None),
        ({"endpoints": [{"endpoint": {"extension": "w0"}}, {"endpoint": {"extension": "w1"}}]}, Direction.IN,
         Outcome.SUCCESS, None),
    ],
)  # fmt: skip
def test_rows_of_every_kind(
    more: Mapping[str, Any], direction: Direction, outcome: Outcome, extension: str | None
) -> None:
    with account_of() as (api, _, account):
        api.rows = [row(1, **more)]
        event, *more_of_it = sipgate.history(account, NOON - timedelta(hours=1), NOON, PlainDoor())
        assert (event.direction, event.outcome, event.extension) == (direction, outcome, extension)
        mailbox = str(more.get("callStatus")).startswith("VOICEMAIL")
        assert [(one.kind, one.outcome) for one in more_of_it] == [(Kind.SUMMARY, Outcome.MISSED)] * mailbox


def test_a_number_that_is_withheld_is_none_in_the_history_too() -> None:
    with account_of() as (api, _, account):
        api.rows = [row(1, source="anonymous"), row(2, direction="OUTGOING", source="anonymous", target="4912354678")]
        incoming, outgoing = sipgate.history(account, NOON - timedelta(hours=1), NOON, PlainDoor())
        assert (incoming.external, incoming.line) == ("", "49999999")
        assert (outgoing.external, outgoing.line) == ("4912354678", None)


def test_a_history_is_read_to_its_end_and_what_cant_be_read_is_left_out() -> None:
    with account_of() as (api, server, account):
        api.rows = [row(number) for number in range(1100)]
        found = {event.call_id for event in sipgate.history(account, NOON - timedelta(hours=1), NOON, PlainDoor())}
        assert (len(found), len(server.asked)) == (1100, 3)
        rows = [None, {}, row(1, created="soon"), row(2, callId=None), row(3, lastModified="2031-01-01T00:00:00Z")]
        server.faults.append(Fault(Reply(200, {"items": rows})))
        (event,) = sipgate.history(account, NOON - timedelta(hours=1), NOON, PlainDoor())
        # A note that was written later is not the end of the call.
        assert event.at == NOON - timedelta(minutes=30) + timedelta(seconds=42)
        server.faults.append(Fault(Reply(200, {"items": "x"})))
        with pytest.raises(UnreachableError):
            list(sipgate.history(account, NOON - timedelta(hours=1), NOON, PlainDoor()))


def test_users_are_extensions() -> None:
    with account_of() as (_, _server, account):
        found = sipgate.extensions(account, PlainDoor())
        assert [(one.extension, one.name) for one in found] == [
            ("101", "Anna Petrova"),
            ("102", "Boris Orlov"),
            ("w9", ""),
        ]
        assert sipgate.ping(account, PlainDoor()).ok
