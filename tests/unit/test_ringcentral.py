"""RingCentral: its handshake and token; whose party is whose; its REST API; the subscription that is looked after."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from doors import NoTokens, PlainDoor
from hangtag.domain.calls.classify import PickUp, SkipReason, TagType, classify
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import Call, fold
from hangtag.errors import BadInputError, TooManyError, UnreachableError
from hangtag.outbound import RateLimitedClient
from hangtag.providers import ringcentral
from hangtag.providers.base import Account, Click, Limit, PayloadError, SignatureError, VerificationKeys, WebhookRequest
from hangtag.providers.forms.ringcentral import RingCentralCredentials, RingCentralSettings
from local.simulator.pbx import ringcentral as simulated
from local.simulator.pbx.base import JSON
from local.simulator.rest import Fault, Reply, Server, serving
from local.simulator.rest.ringcentral import Api
from local.simulator.story import load_story, message
from provider_stories import IDS, NOON, closed, line

OURS = line("ringcentral")
TOKEN = OURS.secrets["verification_token"]
HOOK = OURS.url
ANNA, BORIS = "62264425101", "62264425102"
CONTACT, OWN = "+79101234567", "+74951230001"
MAPPED = frozenset({"101", "102", "103", "104"})


def delivered(body: bytes | Mapping[str, Any], **headers: str) -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        path="/hooks/ringcentral/***",
        query="",
        headers={"content-type": JSON, **{name.replace("_", "-"): value for name, value in headers.items()}},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        arrived_at=NOON,
        url=HOOK,
    )


def notified(*parties: Mapping[str, Any], after: float = 0, origin: str = "Call", **more: Any) -> dict[str, Any]:
    """A notification, so many seconds after noon."""
    at = (NOON + timedelta(seconds=after)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    session = {"telephonySessionId": "s-1", "sequence": 3, "eventTime": at, "origin": {"type": origin}, **more}
    return {
        "uuid": "8145589842362645277",
        "event": "/restapi/v1.0/account/809646016/telephony/sessions",
        "subscriptionId": "8b15306f-0386-4f40-a560-0264a28a7225",
        "body": {**session, "parties": list(parties)},
    }


def caller(code: str, reason: str = "", **more: Any) -> dict[str, Any]:
    """Who calls from outside."""
    return party("Outbound", code, reason, {"phoneNumber": OWN}, {"phoneNumber": CONTACT}, **more)


def rung(code: str, reason: str = "", own: str = ANNA, **more: Any) -> dict[str, Any]:
    """An extension that is called."""
    called = {"phoneNumber": OWN, "extensionId": own}
    return party("Inbound", code, reason, called, {"phoneNumber": CONTACT}, extensionId=own, **more)


def dials(code: str, reason: str = "", **more: Any) -> dict[str, Any]:
    """An employee who calls."""
    own = {"phoneNumber": OWN, "extensionId": ANNA}
    return party("Outbound", code, reason, {"phoneNumber": CONTACT}, own, extensionId=ANNA, **more)


def contact(code: str, reason: str = "", **more: Any) -> dict[str, Any]:
    """Whom an employee calls."""
    own = {"phoneNumber": OWN, "extensionId": ANNA}
    return party("Inbound", code, reason, {"phoneNumber": CONTACT}, own, **more)


def party(
    way: str, code: str, reason: str, called: Mapping[str, Any], calling: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    status = {"code": code, "rcc": False, **({"reason": reason} if reason else {}), **more.pop("status", {})}
    return {"id": "p-1", "direction": way, "to": dict(called), "from": dict(calling), "status": status, **more}


def told(body: Mapping[str, Any]) -> tuple[CallEvent, ...]:
    return ringcentral.parse(delivered(body), simulated.SETTINGS).events


def call_of(*steps: Mapping[str, Any]) -> Call:
    events = [event for step in steps for event in told(step)]
    return closed(events, max(event.at for event in events))


def verdict(call: Call, clicked: PickUp | None = None) -> tuple[TagType | None, SkipReason | None]:
    judged = classify(call, mapped=MAPPED, external_is_employee=False, pick_up=clicked)
    return judged.tag, judged.skip


# ------------------------------------------------------------------ handshake and token


def test_a_validation_token_without_a_body_is_given_back() -> None:
    reply = ringcentral.handshake(delivered(b"", validation_token="a3b1-5c2d"))
    assert reply is not None
    assert (reply.status, reply.content_type) == (200, "application/json")
    assert reply.headers == {"Validation-Token": "a3b1-5c2d"}
    # Headers and all it must stay under 1024 bytes.
    assert len(reply.body) < 64


@pytest.mark.parametrize("token", ["", " ", "a b", "a\r\nSet-Cookie: x", "é", "x" * 257])
def test_what_is_no_token_is_not_given_back(token: str) -> None:
    assert ringcentral.handshake(delivered(b"", validation_token=token)) is None


def test_an_event_is_no_handshake_whatever_its_headers() -> None:
    event = delivered(notified(caller("Setup")), validation_token=TOKEN)
    assert ringcentral.handshake(event) is None
    assert ringcentral.handshake(delivered(b" ", validation_token="a")) is None
    assert ringcentral.handshake(replace(delivered(b"", validation_token="a"), method="GET")) is None


@pytest.mark.parametrize(
    ("headers", "good"),
    [
        ({"verification_token": TOKEN}, True),
        ({"validation_token": TOKEN}, True),
        ({"verification_token": TOKEN, "validation_token": "other"}, True),
        ({"verification_token": "other", "validation_token": TOKEN}, True),
        ({"verification_token": "other"}, False),
        ({"validation_token": ""}, False),
        ({"authorization": TOKEN}, False),
        ({}, False),
    ],
)
def test_the_token_may_be_in_either_header(headers: Mapping[str, str], good: bool) -> None:
    event = delivered(notified(caller("Setup")), **headers)
    if good:
        ringcentral.verify(event, OURS.trust())
        return
    for trust in (OURS.trust(), VerificationKeys(), VerificationKeys(credentials={"verification_token": ("",)})):
        with pytest.raises(SignatureError):
            ringcentral.verify(event, trust)


# ------------------------------------------------------------------ whose party is whose


def test_a_session_through_a_menu_is_of_the_employee_whom_it_led_to() -> None:
    call = call_of(
        notified(caller("Setup")),
        notified(rung("Setup", own=simulated.MENU)),
        notified(caller("Answered"), after=0.1),
        notified(rung("Disconnected", own=simulated.MENU), after=8.6),
        notified(rung("Setup"), after=8.6),
        notified(rung("Proceeding"), after=8.7),
        notified(rung("Answered"), after=16),
        notified(rung("Hold"), after=20),
        notified(rung("Answered"), after=23),
        notified(rung("Disconnected"), after=40),
        notified(caller("Disconnected"), after=40.1),
    )
    assert (call.direction, call.external, call.line) == (Direction.IN, CONTACT, OWN)
    assert (call.outcome, call.answered_by, call.extensions, call.talk_seconds) == (
        Outcome.SUCCESS,
        "101",
        ("101",),
        24,
    )
    assert call.started_at is not None
    assert call.started_at.replace(microsecond=0) == NOON


@pytest.mark.parametrize("menu", [simulated.MENU, "62242999999"])
def test_who_hangs_up_in_a_menu_missed_everybody_whether_the_menu_is_entered_or_not(menu: str) -> None:
    call = call_of(
        notified(caller("Setup")),
        notified(rung("Setup", own=menu)),
        notified(caller("Answered"), after=0.1),
        notified(rung("Disconnected", own=menu), after=5),
        notified(caller("Disconnected"), after=5),
    )
    assert (call.outcome, call.extensions) == (Outcome.MISSED, ())
    assert verdict(call) == (TagType.MISSED_CALL, None)


def test_a_queue_that_is_entered_answers_for_nobody() -> None:
    call = call_of(
        notified(caller("Setup")),
        notified(rung("Proceeding", own=simulated.MENU), after=1),
        notified(rung("Answered", own=simulated.MENU), after=2),
        notified(rung("Proceeding"), after=3),
        notified(rung("Disconnected", missedCall=True), after=20),
        notified(caller("Disconnected"), after=20),
    )
    assert (call.outcome, call.answered_by) == (Outcome.MISSED, None)
    assert verdict(call) == (TagType.MISSED_CALL, None)


@pytest.mark.parametrize("code", ["VoiceMail", "Voicemail", "VoiceMailScreening", "VMScreening"])
def test_a_call_that_voice_mail_took_is_missed(code: str) -> None:
    begun = (notified(caller("Setup")), notified(rung("Proceeding"), after=1), notified(rung(code), after=20))
    assert [event.outcome for event in told(begun[2])] == [Outcome.MISSED]
    call = call_of(*begun, notified(rung("Disconnected"), after=50), notified(caller("Disconnected"), after=50))
    assert (call.outcome, call.answered_by, call.extensions) == (Outcome.MISSED, None, ("101",))


def test_an_extension_that_is_not_entered_stands_for_itself() -> None:
    (event,) = told(notified(rung("Proceeding", own="62264429999")))
    assert (event.extension, event.leg) == ("62264429999", "62264429999")
    (bare,) = ringcentral.parse(delivered(notified(rung("Proceeding"))), {}).events
    assert (bare.extension, bare.leg) == (ANNA, ANNA)


@pytest.mark.parametrize("alone", [(dials,), (contact,), (dials, contact)])
def test_either_party_of_an_outgoing_call_tells_all_of_it(alone: tuple[Any, ...]) -> None:
    steps = (("Setup", 0), ("Proceeding", 1), ("Answered", 9), ("Disconnected", 60))
    call = call_of(*(notified(who(code), after=after) for code, after in steps for who in alone))
    assert (call.direction, call.external, call.line) == (Direction.OUT, CONTACT, OWN)
    assert (call.outcome, call.answered_by, call.talk_seconds, call.closed) == (Outcome.SUCCESS, "101", 51, True)
    assert len(call.legs) == 1


@pytest.mark.parametrize(
    ("reason", "out", "incoming"),
    [
        ("TargetBusy", Outcome.BUSY, Outcome.MISSED),
        ("Rejected", Outcome.BUSY, Outcome.MISSED),
        ("NoAnswer", Outcome.NO_ANSWER, Outcome.MISSED),
        ("Timeout", Outcome.NO_ANSWER, Outcome.MISSED),
        ("Cancelled", Outcome.CANCELLED, Outcome.CANCELLED),
        ("AgentAnswered", Outcome.CANCELLED, Outcome.CANCELLED),
        ("InvalidNumber", Outcome.UNAVAILABLE, Outcome.MISSED),
        ("NoSuchUser", Outcome.UNAVAILABLE, Outcome.MISSED),
        ("NotEnoughFunds", Outcome.NOT_ALLOWED, Outcome.MISSED),
        ("InternationalDisabled", Outcome.NOT_ALLOWED, Outcome.MISSED),
        ("InternalError", Outcome.FAILED, Outcome.MISSED),
        ("CallFinished", None, None),
        ("CallDropped", None, None),
        ("SomethingNew", None, None),
    ],
)
def test_why_a_party_left(reason: str, out: Outcome | None, incoming: Outcome | None) -> None:
    assert [event.outcome for event in told(notified(contact("Disconnected", reason)))] == [out]
    assert [event.outcome for event in told(notified(dials("Disconnected", reason)))] == [out]
    assert [event.outcome for event in told(notified(rung("Disconnected", reason)))] == [incoming]


def test_a_call_among_employees_leaves_no_tag() -> None:
    boris = {"phoneNumber": "102", "extensionId": BORIS}
    anna = {"phoneNumber": "101", "extensionId": ANNA}
    call = call_of(
        notified(party("Outbound", "Setup", "", boris, anna, extensionId=ANNA)),
        notified(party("Inbound", "Proceeding", "", boris, anna, extensionId=BORIS), after=1),
        notified(party("Inbound", "Answered", "", boris, anna, extensionId=BORIS), after=5),
        notified(party("Inbound", "Disconnected", "", boris, anna, extensionId=BORIS), after=9),
        notified(party("Outbound", "Disconnected", "", boris, anna, extensionId=ANNA), after=9),
    )
    assert (call.direction, call.line) == (Direction.INTERNAL, None)
    assert verdict(call) == (None, SkipReason.INTERNAL)


@pytest.mark.parametrize("fetched_by", ["own", "other"])
def test_fetching_a_parked_call_is_no_call_to_anybody_outside(fetched_by: str) -> None:
    code, boris = {"phoneNumber": "*801"}, {"phoneNumber": OWN, "extensionId": BORIS}
    own = {"extensionId": BORIS} if fetched_by == "own" else {}
    way = "Outbound" if own else "Inbound"
    call = call_of(
        notified(party(way, "Proceeding", "", code, boris, **own)),
        notified(party(way, "Answered", "", code, boris, **own), after=1),
        notified(party(way, "Disconnected", "", code, boris, **own), after=9),
    )
    assert verdict(call) == (None, SkipReason.INTERNAL)


def test_a_number_behind_a_code_is_called() -> None:
    hidden = {"phoneNumber": "*6779101234567"}
    (event,) = told(notified(party("Outbound", "Proceeding", "", hidden, {"extensionId": ANNA}, extensionId=ANNA)))
    assert event.direction is Direction.OUT


@pytest.mark.parametrize("origin", ["GreetingsRecording", "VerificationCall", "TestCall"])
def test_what_the_pbx_rings_for_of_its_own_accord_is_no_call(origin: str) -> None:
    for code in ("Setup", "Proceeding", "Answered", "Disconnected"):
        accepted = ringcentral.parse(delivered(notified(rung(code), origin=origin)), simulated.SETTINGS)
        assert (accepted.events, accepted.unknown) == ((), False)


def test_a_withheld_number_is_none() -> None:
    for said in ({}, {"phoneNumber": "anonymous"}, {"phoneNumber": None}, {"name": "Unknown"}):
        (event,) = told(notified(party("Outbound", "Setup", "", {"phoneNumber": OWN}, said)))
        assert event.external == ""


def test_an_attended_transfer_links_the_session_that_the_call_goes_on_in() -> None:
    peer = {"status": {"peerId": {"telephonySessionId": "s-2", "sessionId": "0", "partyId": "p-2"}}}
    call = call_of(
        notified(caller("Setup")),
        notified(rung("Proceeding"), after=1),
        notified(rung("Answered"), after=5),
        notified(caller("Gone", "AttendedTransfer", **peer), after=30),
        notified(rung("Disconnected", "AttendedTransfer"), after=30),
    )
    assert (call.outcome, call.answered_by, call.talk_seconds) == (Outcome.SUCCESS, "101", 25)
    assert (call.linked_call_id, call.closed) == ("s-2", True)


@pytest.mark.parametrize("who", [dials, contact])
def test_an_outgoing_call_is_linked_by_whichever_party_is_gone_to_another_session(who: Any) -> None:
    peer: dict[str, Any] = {"status": {"peerId": {"telephonySessionId": "s-2"}}}
    call = call_of(
        *(notified(one("Answered"), after=5) for one in (dials, contact)),
        notified(who("Gone", "AttendedTransfer", **peer), after=30),
        notified(dials("Disconnected", "AttendedTransfer"), after=30),
    )
    assert (call.outcome, call.answered_by, call.linked_call_id) == (Outcome.SUCCESS, "101", "s-2")


@pytest.mark.parametrize("reason", ["ParkLocation", "CallPark", "BlindTransfer"])
def test_who_parked_a_call_and_who_fetched_it_both_talked(reason: str) -> None:
    begun = (notified(caller("Setup")), notified(rung("Proceeding"), after=1), notified(rung("Answered"), after=5))
    parked = (*begun, notified(rung("Disconnected", reason), after=30))
    assert not fold(event for step in parked for event in told(step)).closed
    call = call_of(
        *parked,
        notified(rung("Answered", own=BORIS), after=50),
        notified(rung("Disconnected", own=BORIS), after=80),
        notified(caller("Disconnected"), after=80),
    )
    assert (call.outcome, call.answered_by, call.talk_seconds) == (Outcome.SUCCESS, "102", 25 + 30)


def test_a_parked_call_that_is_fetched_into_another_session_was_talked_in() -> None:
    peer: dict[str, Any] = {"status": {"peerId": {"telephonySessionId": "s-2"}}}
    call = call_of(
        notified(caller("Setup")),
        notified(rung("Answered"), after=5),
        notified(rung("Parked"), after=30),
        notified(rung("Gone", "Pickup", **peer), after=50),
        notified(caller("Gone", "Pickup", **peer), after=50),
    )
    assert (call.outcome, call.answered_by, call.linked_call_id) == (Outcome.SUCCESS, "101", "s-2")
    assert verdict(call) == (TagType.CALL, None)


def test_who_was_rung_when_another_picked_the_call_up_did_not_talk() -> None:
    call = call_of(
        notified(caller("Setup")),
        notified(rung("Proceeding"), after=1),
        notified(rung("Disconnected", "Pickup"), after=5),
        notified(rung("Answered", own=BORIS), after=5),
        notified(rung("Disconnected", own=BORIS), after=25),
        notified(caller("Disconnected"), after=25),
    )
    assert (call.outcome, call.answered_by, call.talk_seconds) == (Outcome.SUCCESS, "102", 20)


@pytest.mark.parametrize("reason", ["CallFlip", "CallSwitch"])
def test_a_call_that_is_taken_to_another_phone_goes_on(reason: str) -> None:
    begun = (notified(dials("Setup")), notified(contact("Answered"), after=5))
    flipped = (*begun, notified(dials("Disconnected", reason), after=30))
    assert not fold(event for step in flipped for event in told(step)).closed
    call = call_of(*flipped, notified(contact("Disconnected"), after=65))
    assert (call.direction, call.outcome, call.answered_by, call.talk_seconds) == (
        Direction.OUT,
        Outcome.SUCCESS,
        "101",
        60,
    )


def test_a_supervisor_who_listens_changes_nothing() -> None:
    assert told(notified(rung("Gone", "Supervising"))) == ()


def test_a_forwarded_call_to_a_phone_outside_is_no_leg() -> None:
    outside = party("Inbound", "Proceeding", "", {"phoneNumber": "+79990001122"}, {"phoneNumber": CONTACT})
    assert told(notified(outside)) == ()


# ------------------------------------------------------------------ RingOut


def first(code: str, reason: str = "", **more: Any) -> dict[str, Any]:
    """The employee's own phone: RingOut tells its party as if the contact called."""
    return rung(code, reason, ringOutRole="Initiator", **more)


def second(code: str, reason: str = "") -> dict[str, Any]:
    return party("Inbound", code, reason, {"phoneNumber": CONTACT}, {"phoneNumber": OWN}, ringOutRole="Target")


def ring_out(*steps: tuple[Mapping[str, Any], float]) -> Call:
    return call_of(*(notified(one, after=after, origin="RingOut") for one, after in steps))


def test_ring_out_rings_the_employee_then_the_contact() -> None:
    begun = ((first("Setup"), 0), (first("Proceeding"), 0.1), (first("Answered"), 4), (second("Proceeding"), 5))
    ended = ((second("Disconnected"), 52), (first("Disconnected"), 52))
    call = ring_out(*begun, (second("Answered"), 12), *ended)
    assert (call.direction, call.external, call.line) == (Direction.OUT, CONTACT, OWN)
    assert (call.outcome, call.talk_seconds, call.extensions) == (Outcome.SUCCESS, 40, ("101",))
    assert verdict(call, PickUp.TOLD) == (TagType.CALL, None)
    unanswered = ring_out(*begun, *ended)
    assert (unanswered.outcome, unanswered.picked_up) == (Outcome.NO_ANSWER, True)
    assert verdict(unanswered, PickUp.TOLD) == (TagType.MISSED_CALL, None)


def test_an_employee_who_does_not_pick_up_leaves_no_tag() -> None:
    call = ring_out((first("Proceeding"), 0), (first("Disconnected", "NoAnswer"), 30))
    assert (call.outcome, call.external, call.picked_up) == (Outcome.NO_ANSWER, CONTACT, False)
    assert verdict(call, PickUp.TOLD) == (None, SkipReason.EMPLOYEE_NO_ANSWER)


def test_ring_out_that_is_handed_over_is_not_at_its_end() -> None:
    begun = ((first("Proceeding"), 0), (first("Answered"), 4), (second("Answered"), 12))
    handed = (*begun, (first("Disconnected", "BlindTransfer"), 30))
    events = [event for one, after in handed for event in told(notified(one, after=after, origin="RingOut"))]
    assert not fold(events).closed
    call = ring_out(*handed, (second("Disconnected"), 52))
    assert (call.outcome, call.talk_seconds) == (Outcome.SUCCESS, 40)


def test_ring_out_is_understood_the_right_way_round_and_without_roles() -> None:
    expected = told(notified(first("Proceeding"), origin="RingOut"))
    assert told(notified(dials("Proceeding"), origin="RingOut")) == expected
    assert told(notified(rung("Proceeding"), origin="RingOut")) == expected
    bare = {name: value for name, value in second("Answered").items() if name != "ringOutRole"}
    ours = told(notified(bare, origin="RingOut"))
    assert ours == told(notified(second("Answered"), origin="RingOut"))
    assert [(event.kind, event.extension) for event in ours] == [(Kind.ANSWERED, None)]


# ------------------------------------------------------------------ the notification itself


def test_what_happened_in_the_same_millisecond_is_in_the_order_of_its_number() -> None:
    (one,) = told(notified(rung("Answered"), sequence=7))
    (other,) = told(notified(rung("Disconnected"), sequence=8))
    assert one.at < other.at
    assert other.at - NOON < timedelta(milliseconds=1)
    (many,) = told(notified(rung("Answered"), sequence=10**9))
    assert many.at - NOON < timedelta(milliseconds=1)


def test_the_same_told_by_two_subscriptions_is_one_event() -> None:
    body = notified(rung("Answered"))
    again = {**body, "uuid": "902644045286934626", "subscriptionId": "72ec1f81-4864-40b4-951b-48f343897027"}
    assert [event.digest() for event in told(body)] == [event.digest() for event in told(again)]


def test_a_time_that_is_not_believed_is_that_of_the_arrival() -> None:
    for said in ("", None, "yesterday", "2019-01-01T00:00:00Z"):
        (event,) = told(notified(rung("Answered"), eventTime=said))
        assert (event.at, event.at_is_arrival) == (NOON, True)


def test_a_recording_is_named_by_its_call_at_a_partys_end() -> None:
    kept = [{"id": "1662272004", "active": False}]
    assert [event.kind for event in told(notified(rung("Answered", recordings=kept)))] == [Kind.ANSWERED]
    ended = told(notified(rung("Disconnected", recordings=kept)))
    assert [(event.kind, event.recording) for event in ended] == [(Kind.ENDED, None), (Kind.RECORDED, "s-1")]


def test_several_parties_of_one_notification_are_all_read() -> None:
    events = told(notified(rung("Proceeding"), rung("Proceeding", own=BORIS), rung("Hold", own=BORIS)))
    assert [event.extension for event in events] == ["101", "102"]


@pytest.mark.parametrize(
    "body",
    [
        {"event": "/restapi/v1.0/subscription/~?threshold=60&interval=15", "body": {}},
        {"event": "/restapi/v1.0/account/1/extension/2/message-store", "body": {"changes": []}},
        {"body": {"telephonySessionId": "s-1"}},
        notified(rung("Teleported")),
    ],
)
def test_what_is_not_known_is_kept_and_changes_nothing(body: Mapping[str, Any]) -> None:
    accepted = ringcentral.parse(delivered(body), {})
    assert (accepted.events, accepted.unknown) == ((), True)


@pytest.mark.parametrize(
    "body",
    [
        {**notified(), "body": []},
        notified(telephonySessionId=""),
        notified(origin=[]),  # type: ignore[arg-type]
        notified({"status": []}),
        notified({"status": {"code": "Setup", "peerId": "x"}}),
        notified(*[rung("Setup")] * 51),
        {**notified(), "body": {"telephonySessionId": "s-1", "parties": {}}},
        {**notified(), "body": {"telephonySessionId": "s-1", "parties": [None]}},
    ],
)
def test_what_is_no_notification_is_refused(body: Mapping[str, Any]) -> None:
    with pytest.raises(PayloadError):
        ringcentral.parse(delivered(body), {})


# ------------------------------------------------------------------ its REST API


@contextmanager
def running() -> Iterator[tuple[Api, Server, Account, PlainDoor]]:
    api = Api(simulated.CREDENTIALS)
    with serving(api) as server:
        account = Account(
            provider="ringcentral",
            credentials={**api.credentials(server.url), "verification_token": TOKEN},
            settings=api.settings(server.url),
            webhook_url=HOOK,
        )
        yield api, server, account, PlainDoor()


def asked_for(server: Server) -> list[tuple[str, str]]:
    """What was asked, but for tokens."""
    said = [(one.method, one.path.removeprefix("/restapi/v1.0")) for one in server.asked]
    return [one for one in said if one[1] != "/restapi/oauth/token"]


CLICK = Click(extension="102", number=CONTACT, reference="r-1", line=OWN)


def test_a_click_rings_the_desk_phone_of_the_employees_own_extension() -> None:
    with running() as (api, server, account, door):
        assert ringcentral.originate(account, CLICK, door).call_id is None
        assert ringcentral.originate(account, replace(CLICK, line=None, extension=BORIS), door).call_id is None
    expected = {"from": {"phoneNumber": "+74951230102"}, "to": {"phoneNumber": CONTACT}, "playPrompt": False}
    assert api.placed == [
        {**expected, "callerId": {"phoneNumber": OWN}, "extension": BORIS},
        {**expected, "extension": BORIS},
    ]
    assert asked_for(server)[:2] == [
        ("GET", f"/account/~/extension/{BORIS}/forwarding-number"),
        ("POST", f"/account/~/extension/{BORIS}/ring-out"),
    ]


@pytest.mark.parametrize("extension", ["105", "anna", "../~", "", "6226442510x"])
def test_a_click_of_an_extension_without_an_id_is_refused_before_anything_is_asked(extension: str) -> None:
    with running() as (_, server, account, door):
        with pytest.raises(BadInputError, match="extensions"):
            ringcentral.originate(account, replace(CLICK, extension=extension), door)
        assert not server.asked


def test_an_employee_without_a_phone_is_told() -> None:
    with running() as (_, server, account, door):
        ringcentral.ping(account, door)
        server.faults.append(Fault(Reply(200, {"records": []})))
        with pytest.raises(BadInputError, match="no phone"):
            ringcentral.originate(account, CLICK, door)


def test_the_vendors_words_are_told_when_it_refuses() -> None:
    with running() as (_, _server, account, door), pytest.raises(BadInputError, match="callerId"):
        ringcentral.originate(account, replace(CLICK, line="+74950000000"), door)


def test_an_access_token_is_asked_for_once_and_once_more_when_it_is_refused() -> None:
    with running() as (api, server, account, door):
        ringcentral.ping(account, door)
        ringcentral.ping(account, door)
        assert api.given == 1
        api.tokens.clear()
        ringcentral.ping(account, door)
        assert api.given == 2
        server.faults += [Fault(Reply(401, {"errorCode": "OAU-213"}))]
        ringcentral.ping(account, door)
        assert api.given == 3


def test_a_token_that_is_refused_again_is_not_asked_for_forever() -> None:
    with running() as (api, server, account, door):
        ringcentral.ping(account, door)
        taken = api.answer

        def refuse(asked: Any) -> Reply:
            return taken(asked) if asked.path.endswith("/token") else Reply(401, {"errorCode": "OAU-213"})

        api.answer = refuse  # type: ignore[method-assign]
        with pytest.raises(BadInputError, match="client_id"):
            ringcentral.ping(account, door)
        assert api.given == 2
        assert len(server.asked) == 2 + 3


def test_other_credentials_do_not_use_the_token_of_those_before() -> None:
    with running() as (_, _server, account, door):
        ringcentral.ping(account, door)
        others = replace(account, credentials={**account.credentials, "jwt": "another-jwt-credential"})
        with pytest.raises(BadInputError, match="jwt"):
            ringcentral.ping(others, door)


class Limits:
    """A limiter that keeps what it is told to hold."""

    def __init__(self) -> None:
        self.held: dict[str, float] = {}

    def take(self, name: str, limit: Limit) -> float:
        return self.held.get(name, 0.0)

    def hold(self, name: str, seconds: float) -> None:
        self.held[name] = seconds


def test_during_a_penalty_the_group_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTBOUND_LOOPBACK", "true")
    with running() as (_, server, account, _):
        limits = Limits()
        door = RateLimitedClient(
            limiter=limits, tokens=NoTokens(), limits=ringcentral.LIMITS, hosts=ringcentral.HOSTS, seconds=5.0
        )
        ringcentral.ping(account, door)
        server.faults.append(Fault(Reply(429, {"errorCode": "CMN-301"}, {"retry-after": "60"})))
        with pytest.raises(TooManyError):
            list(ringcentral.history(account, NOON - timedelta(hours=1), NOON, door))
        assert limits.held == {"heavy": 60.0}
        asked = len(server.asked)
        with pytest.raises(TooManyError):
            ringcentral.recording(account, "s-1", door)
        assert len(server.asked) == asked
        # Other groups have limits of their own.
        assert ringcentral.extensions(account, door)


def test_extensions_are_the_users_by_what_their_events_will_say() -> None:
    with running() as (_, _server, account, door):
        known = ringcentral.extensions(account, door)
        assert [(one.extension, one.name) for one in known][:1] == [("101", "User 101 (101)")]
        assert len(known) == 4
        bare = replace(account, settings={"api_url": account.settings["api_url"]})
        assert [one.extension for one in ringcentral.extensions(bare, door)][:2] == [ANNA, BORIS]


def test_a_ping_says_what_is_to_be_entered() -> None:
    with running() as (api, _server, account, door):
        found = ringcentral.ping(account, door)
        assert (found.ok, found.detail) == (True, "it answers, and has 4 users")
        api.extensions.append({"id": 62264425105, "extensionNumber": "105", "name": "New", "type": "DigitalUser"})
        api.page_size = 2
        assert "has 5 users" in ringcentral.ping(account, door).detail
        assert ringcentral.ping(account, door).detail.endswith("extensions: 62264425105=105")
        api.extensions.insert(0, {"id": 62264425999, "extensionNumber": "2", "name": "Sales", "type": "Department"})
        assert ringcentral.ping(account, door).detail.endswith("extensions: 62264425105=105, 62264425999=")


def test_a_recording_is_found_by_its_session_and_fetched_with_the_access_token() -> None:
    with running() as (api, server, account, door):
        media = ringcentral.recording(account, "A1", door)
        assert media.url.startswith("https://media.ringcentral.com:443/")
        assert media.headers["authorization"].removeprefix("Bearer ") in api.tokens
        assert ("telephonySessionId", "A1") in [tuple(one.split("=")) for one in server.asked[-1].query.split("&")]
        with pytest.raises(UnreachableError, match="no recording"):
            ringcentral.recording(account, "s-none", door)


# ------------------------------------------------------------------ the call log


def logged(api: Api, account: Account, door: PlainDoor) -> list[CallEvent]:
    return list(ringcentral.history(account, NOON - timedelta(hours=1), NOON + timedelta(hours=1), door))


def record(**more: Any) -> dict[str, Any]:
    """A record in the shape of the vendor's example: the leg that came last began later, and all ended at once."""
    own = {"extension": {"id": int(ANNA)}}
    legs = [
        {"startTime": "2026-03-01T12:00:00.000Z", "duration": 54, "direction": "Inbound", "result": "Accepted"},
        {"startTime": "2026-03-01T12:00:00.000Z", "duration": 54, "direction": "Inbound", "result": "Accepted", **own},
        {"startTime": "2026-03-01T12:00:04.000Z", "duration": 50, "direction": "Outbound", "result": "Accepted", **own},
    ]
    return {
        "telephonySessionId": "s-1",
        "startTime": "2026-03-01T12:00:00.000Z",
        "duration": 54,
        "direction": "Inbound",
        "result": "Accepted",
        "from": {"phoneNumber": CONTACT},
        "to": {"phoneNumber": OWN},
        "legs": legs,
        **more,
    }


def test_a_record_says_who_took_the_call_and_when_it_began_and_ended() -> None:
    with running() as (api, _server, account, door):
        api.rows = [record()]
        call = fold(logged(api, account, door))
    assert (call.direction, call.external, call.line) == (Direction.IN, CONTACT, OWN)
    assert (call.outcome, call.answered_by, call.extensions) == (Outcome.SUCCESS, "101", ("101",))
    assert (call.started_at, call.ended_at) == (NOON, NOON + timedelta(seconds=54))
    assert (call.closed, call.talk_seconds) == (True, None)


def test_a_record_does_not_outweigh_for_how_long_the_webhooks_say_was_talked() -> None:
    steps = [notified(caller("Setup")), notified(rung("Proceeding"), after=1), notified(rung("Answered"), after=4)]
    steps += [notified(rung("Disconnected"), after=54), notified(caller("Disconnected"), after=54)]
    heard = [event for step in steps for event in told(step)]
    with running() as (api, _server, account, door):
        api.rows = [record()]
        again = fold([*heard, *logged(api, account, door)])
    assert again.talk_seconds == fold(heard).talk_seconds == 50
    assert again.legs == fold(heard).legs


@pytest.mark.parametrize(
    "row",
    [
        record(result="In Progress"),
        record(**{"from": {"extensionNumber": "102", "name": "Boris"}}),
        record(direction="Outbound", to={"extensionId": BORIS}),
        record(direction="Outbound", to={"phoneNumber": "*801"}),
        record(startTime="2026-03-01T10:59:59.000Z"),
        record(startTime=None),
        record(startTime="9999-12-31T23:59:59Z"),
        record(duration="long"),
        record(telephonySessionId=""),
        record(legs=[{"extension": "101", "startTime": "2026-03-01T12:00:00.000Z"}]),
    ],
)
def test_what_goes_on_is_internal_or_cant_be_read_is_left_out(row: Mapping[str, Any]) -> None:
    with running() as (_, server, account, door):
        ringcentral.ping(account, door)
        server.faults.append(Fault(Reply(200, {"records": [row, None, "x"]})))
        found = ringcentral.history(account, NOON - timedelta(hours=1), NOON + timedelta(hours=1), door)
        assert list(found) == []


def test_a_leg_of_an_extension_that_is_not_entered_says_nothing() -> None:
    leg = {
        "startTime": "2026-03-01T12:00:00.000Z",
        "duration": 5,
        "result": "Accepted",
        "extension": {"id": 62242999999},
    }
    with running() as (api, _server, account, door):
        api.rows = [record(legs=[leg], result="Accepted")]
        call = fold(logged(api, account, door))
        assert (call.outcome, call.extensions) == (Outcome.MISSED, ())
        bare = replace(account, settings={"api_url": account.settings["api_url"]})
        assert fold(logged(api, bare, door)).answered_by == "62242999999"


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ("Call connected", Outcome.SUCCESS),
        ("Busy", Outcome.BUSY),
        ("Wrong Number", Outcome.UNAVAILABLE),
        ("International Disabled", Outcome.NOT_ALLOWED),
        ("Suspended account", Outcome.NOT_ALLOWED),
        ("No Calling Credit", Outcome.NOT_ALLOWED),
        ("Call Failed", Outcome.FAILED),
        ("Internal Error", Outcome.FAILED),
        ("No Answer", Outcome.NO_ANSWER),
        ("Hang Up", Outcome.NO_ANSWER),
        ("", Outcome.NO_ANSWER),
    ],
)
def test_what_the_log_says_of_an_outgoing_call(result: str, outcome: Outcome) -> None:
    numbers = {"from": {"phoneNumber": OWN}, "to": {"phoneNumber": CONTACT}}
    with running() as (api, _server, account, door):
        api.rows = [record(direction="Outbound", result=result, **numbers)]
        call = fold(logged(api, account, door))
    assert (call.direction, call.external, call.line, call.closed) == (Direction.OUT, CONTACT, OWN, True)
    assert (call.outcome, call.extensions) == (outcome, ("101",))


def test_all_pages_of_the_log_are_read() -> None:
    with running() as (api, server, account, door):
        api.rows = [record(telephonySessionId=f"s-{number}") for number in range(5)]
        api.page_size = 2
        assert {event.call_id for event in logged(api, account, door)} == {f"s-{number}" for number in range(5)}
        assert len(asked_for(server)) == 3


def test_a_busy_days_calls_cost_few_of_the_ten_requests_that_a_minute_has() -> None:
    with running() as (api, server, account, door):
        api.rows = [record(telephonySessionId=f"s-{number}") for number in range(1000)]
        assert len({event.call_id for event in logged(api, account, door)}) == 1000
        assert len(asked_for(server)) == 4


# ------------------------------------------------------------------ the subscription


def test_set_up_subscribes_the_address_with_the_token() -> None:
    with running() as (api, server, account, door):
        assert ringcentral.set_up(account, {"verification_token": TOKEN}, door).ok
        (made,) = api.subscriptions
        assert (made["deliveryMode"]["address"], made["token"], made["status"]) == (HOOK, TOKEN, "Active")
        assert made["eventFilters"] == ["/restapi/v1.0/account/~/telephony/sessions"]
        assert asked_for(server) == [("POST", "/subscription")]


def test_a_subscription_that_is_well_costs_one_light_request() -> None:
    with running() as (api, server, account, door):
        ringcentral.set_up(account, {"verification_token": TOKEN}, door)
        before = [dict(one) for one in api.subscriptions]
        server.asked.clear()
        found = ringcentral.look_after(account, door)
        assert (found.what, found.ok) == ("look_after", True)
        assert "active" in found.detail
        assert [(one.method, one.path) for one in server.asked] == [("GET", "/restapi/v1.0/subscription")]
        assert api.subscriptions == before


def test_a_subscription_that_is_about_to_end_is_renewed() -> None:
    with running() as (api, server, account, door):
        made = api.subscribed(HOOK, 30 * 86400)
        made["expiresIn"] = 6 * 86400
        found = ringcentral.look_after(account, door)
        assert (found.ok, "renewed" in found.detail) == (True, True)
        assert [one["expiresIn"] for one in api.subscriptions] == [30 * 86400]
        assert asked_for(server)[1:] == [("POST", f"/subscription/{made['id']}/renew")]
        assert "active" in ringcentral.look_after(account, door).detail


@pytest.mark.parametrize("status", ["Blacklisted", "Suspended"])
def test_a_subscription_that_was_stopped_is_deleted_and_made_anew(status: str) -> None:
    with running() as (api, server, account, door):
        stopped = api.subscribed(HOOK, 30 * 86400, status)
        found = ringcentral.look_after(account, door)
        assert (found.ok, status in found.detail) == (True, True)
        (made,) = api.subscriptions
        assert (made["status"], made["deliveryMode"]["address"], made["token"]) == ("Active", HOOK, TOKEN)
        assert asked_for(server)[1:] == [("DELETE", f"/subscription/{stopped['id']}"), ("POST", "/subscription")]
        assert "active" in ringcentral.look_after(account, door).detail


def test_a_subscription_that_is_gone_is_made_anew() -> None:
    with running() as (api, server, account, door):
        found = ringcentral.look_after(account, door)
        assert (found.ok, "gone" in found.detail) == (True, True)
        assert [one["deliveryMode"]["address"] for one in api.subscriptions] == [HOOK]
        assert asked_for(server)[1:] == [("POST", "/subscription")]


def test_an_ended_subscription_is_made_anew_though_it_is_listed() -> None:
    with running() as (api, _server, account, door):
        api.subscribed(HOOK, 30 * 86400)["expiresIn"] = 0
        assert "anew" in ringcentral.look_after(account, door).detail
        assert [one["expiresIn"] for one in api.subscriptions] == [30 * 86400]


def test_one_that_is_listed_and_yet_gone_does_not_hinder_a_new_one() -> None:
    with running() as (api, server, account, door):
        gone = api.subscribed(HOOK, 30 * 86400)
        gone["expiresIn"] = 0
        taken = api.answer

        def expired(asked: Any) -> Reply:
            refused = Reply(404, {"errorCode": "SUB-507", "message": "Subscription was expired"})
            return refused if asked.method == "DELETE" else taken(asked)

        api.answer = expired  # type: ignore[method-assign]
        assert "anew" in ringcentral.look_after(account, door).detail
        assert [one["expiresIn"] for one in api.subscriptions if one is not gone] == [30 * 86400]
        assert asked_for(server)[1:] == [("DELETE", f"/subscription/{gone['id']}"), ("POST", "/subscription")]
        assert "active" in ringcentral.look_after(account, door).detail


def test_a_subscription_whose_user_may_not_know_of_calls_is_told() -> None:
    with running() as (api, _server, account, door):
        api.disabled = [{"filter": "/restapi/v1.0/account/~/telephony/sessions", "reason": "-", "message": "-"}]
        with pytest.raises(BadInputError, match="Call Control"):
            ringcentral.set_up(account, {"verification_token": TOKEN}, door)
        with pytest.raises(BadInputError, match="Call Control"):
            ringcentral.look_after(account, door)
        assert len(api.subscriptions) == 1
        # Once the user may, it is made anew.
        api.disabled = []
        assert "anew" in ringcentral.look_after(account, door).detail
        assert "active" in ringcentral.look_after(account, door).detail
        assert len(api.subscriptions) == 1


def test_subscriptions_of_other_addresses_are_left_alone() -> None:
    with running() as (api, _server, account, door):
        others = ("https://crm.example.com/hook", HOOK + "x", HOOK.replace("hooks.", "hook."))
        for other in others:
            api.subscribed(other, 3600, "Blacklisted")
        ringcentral.look_after(account, door)
        assert [one["deliveryMode"]["address"] for one in api.subscriptions] == [*others, HOOK]


def test_one_that_stands_is_enough_whatever_else_is_listed() -> None:
    with running() as (api, server, account, door):
        api.subscribed(HOOK, 3600, "Blacklisted")
        api.subscribed(HOOK, 30 * 86400)
        assert "active" in ringcentral.look_after(account, door).detail
        assert len(asked_for(server)) == 1


def test_without_address_or_token_it_is_not_subscribed() -> None:
    with running() as (api, server, account, door):
        with pytest.raises(BadInputError, match="rotate"):
            ringcentral.look_after(replace(account, webhook_url=""), door)
        assert not server.asked
        bare = {name: value for name, value in account.credentials.items() if name != "verification_token"}
        with pytest.raises(BadInputError, match="verification_token"):
            ringcentral.look_after(replace(account, credentials=bare), door)
        with pytest.raises(BadInputError, match="verification_token"):
            ringcentral.set_up(account, {}, door)
        assert api.subscriptions == []


# ------------------------------------------------------------------ the form


@pytest.mark.parametrize("good", ["400144455008=101", "1=101,2 = 102 , 3=", "62242421016="])
def test_extensions_that_can_be_entered(good: str) -> None:
    assert RingCentralSettings(extensions=good).extensions == good


@pytest.mark.parametrize("wrong", ["", "101", "=101", "a=101", "1=101,", "1=101;2=102", "1=101\n", "9" * 21 + "=1"])
def test_extensions_that_cant_be(wrong: str) -> None:
    with pytest.raises(ValidationError):
        RingCentralSettings(extensions=wrong)


def test_all_credentials_are_needed_and_secrets_are_not_shown() -> None:
    typed = RingCentralCredentials.model_validate(dict(simulated.CREDENTIALS))
    assert simulated.CREDENTIALS["jwt"] not in repr(typed)
    assert simulated.CREDENTIALS["client_secret"] not in repr(typed)
    for name in simulated.CREDENTIALS:
        with pytest.raises(ValidationError):
            RingCentralCredentials.model_validate({**simulated.CREDENTIALS, name: None})


def test_the_recording_of_a_story_is_that_of_its_session() -> None:
    story = load_story("recording_link_late", "ringcentral")
    at, named = NOON, []
    for event in story.events:
        at += timedelta(seconds=event.after)
        signed = OURS.signed(message(event, IDS, NOON, at), at)
        named += [one.recording for one in OURS.accepted(signed, at).events if one.kind is Kind.RECORDED]
    assert named == [IDS["call"]]
