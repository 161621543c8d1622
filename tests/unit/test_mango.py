"""Mango Office: its signature, its lenient types, the order of its legs, its API that blocks whoever asks wrongly."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise, permutations
from typing import Any
from urllib.parse import urlencode

import pytest

from doors import NoLimits, NoTokens, PlainDoor
from hangtag.domain.calls.classify import PickUp, SkipReason, TagType, classify
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import Call, fold
from hangtag.errors import BadInputError, TooManyError, UnreachableError
from hangtag.outbound import RateLimitedClient
from hangtag.providers import mango
from hangtag.providers.base import (
    Account,
    Click,
    KnownExtension,
    ParseResult,
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
)
from local.simulator.pbx import mango as simulated
from local.simulator.rest import Fault, Reply, Server, serving
from local.simulator.rest.mango import Api
from local.simulator.story import load_story, message
from provider_stories import IDS, NOON, line

KEY, SALT = "1234567890qwerty", "mango_salt_example"
TRUST = VerificationKeys(credentials={"vpbx_api_key": (KEY,), "vpbx_api_salt": (SALT,)})
# Computed apart from this code; the first agrees with the hash() of Python-Mango-Office-API 3.7.4.
CALLBACK = '{"command_id":"cbk1","from":{"extension":"101"},"to_number":"74955404444"}'
DISCONNECTED = (
    '{"entry_id":"1MN0Q1MDOQ==","call_id":"MIxEyNTzTo6NDxkzNMMOzNQ==","timestamp":1558422128,"seq":2,'
    '"call_state":"Disconnected","location":"abonent","from":{"number":"79001234567"},"to":{"extension":"29",'
    '"number":"sip:user00000@tech.mangosip.ru","line_number":"74951234567"},"disconnect_reason":1131}'
)
WORKED = [
    (CALLBACK, "92786fbe1b71c744f3f884aebf1bf5fc3c48e95aa85938ef7785363bfd71f941"),
    (DISCONNECTED, "d2468b5d6671c19f5ef47edd04b353c881b0b136b466e3852ae65089240becd1"),
]
# The same recipe over other parts: that of a public link, key, time and recording.
LINK = ("1795392000MToxMDA=", "f16eea7977c3f5ad256c5034045e5497591c5197d2758c569d0077967afc645e")
SENT_AT = datetime(2019, 5, 21, 7, 2, 8, tzinfo=UTC)
RECORDING = "MToxMDAwNjA4NTo1MDA5NDExMDIyOjE="
CLICK = Click(extension="101", number="+74955404444", reference="cbk1")


def delivered(rest: str, said: str, sign: str = "", key: str = KEY, at: datetime = NOON) -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        path=f"/hooks/mango/***/{rest}",
        query="",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=urlencode({"vpbx_api_key": key, "sign": sign, "json": said}).encode(),
        arrived_at=at,
        rest=rest,
    )


def accepted(rest: str, /, **said: Any) -> ParseResult:
    fields = {"entry_id": "e1", **said}
    return mango.parse(delivered(rest, json.dumps(fields)), {})


def leg(state: str = "Appeared", /, **said: Any) -> tuple[CallEvent, ...]:
    """What a notification of a leg says."""
    fields = {"call_id": "c1", "timestamp": int(NOON.timestamp()), "seq": 1, "call_state": state, **said}
    return accepted("events/call", **{"location": "abonent", **fields}).events


def one(events: tuple[CallEvent, ...]) -> CallEvent:
    (event,) = events
    return event


def story(name: str) -> Call:
    (call,) = line("mango").folded(load_story(name, "mango").events).values()
    return call


INCOMING: Mapping[str, Any] = {
    "from": {"number": "79001234567"},
    "to": {"extension": "101", "number": "sip:a@x.ru", "line_number": "74951234567"},
}
OUTGOING: Mapping[str, Any] = {"from": {"extension": "101", "number": "sip:a@x.ru"}, "to": {"number": "79001234567"}}


# ------------------------------------------------------------------ is it genuine


@pytest.mark.parametrize(("said", "sign"), WORKED, ids=["callback", "disconnected"])
def test_the_worked_signatures_are_taken(said: str, sign: str) -> None:
    assert mango.signature(KEY, said, SALT) == simulated.sign(KEY, said, SALT) == sign
    mango.verify(delivered("events/call", said, sign), TRUST)
    for other in ("", sign.upper(), sign[:-1], f"{sign},{sign}", sign + " "):
        with pytest.raises(SignatureError):
            mango.verify(delivered("events/call", said, other), TRUST)


def test_the_worked_signature_of_a_link_is_made_alike() -> None:
    assert mango.signature(KEY, LINK[0], SALT) == LINK[1]


def test_the_key_is_verified_besides_the_sign() -> None:
    other = "0987654321ytrewq"
    # Who knows the salt, but not whose it is.
    signed = mango.signature(other, CALLBACK, SALT)
    with pytest.raises(SignatureError):
        mango.verify(delivered("events/call", CALLBACK, signed, other), TRUST)
    both = VerificationKeys(credentials={"vpbx_api_key": (KEY, other), "vpbx_api_salt": (SALT,)})
    mango.verify(delivered("events/call", CALLBACK, signed, other), both)


def test_the_sign_is_of_the_json_as_it_came() -> None:
    """Spaces, escapes and letters of other alphabets: nothing is written anew before it is compared."""
    for said in ('{ "entry_id" : "\\u0421" }', '{"entry_id":"Вызов"}', '{"b":1,"a":2}', "no json at all", ""):
        mango.verify(delivered("events/call", said, mango.signature(KEY, said, SALT)), TRUST)


def test_the_worked_notification_is_read() -> None:
    event = one(mango.parse(delivered("events/call", DISCONNECTED, at=SENT_AT), {}).events)
    assert event == CallEvent(
        call_id="1MN0Q1MDOQ==",
        kind=Kind.ENDED,
        at=SENT_AT + timedelta(milliseconds=2),
        leg="MIxEyNTzTo6NDxkzNMMOzNQ==",
        direction=Direction.IN,
        external="79001234567",
        line="74951234567",
        extension="29",
        outcome=Outcome.UNAVAILABLE,
    )


# ------------------------------------------------------------------ paths


@pytest.mark.parametrize("rest", ["events/record/tagged", "events/dtmf", "events/sms", "result/stat", "result/route"])
def test_what_is_of_no_call_is_ignored(rest: str) -> None:
    assert accepted(rest) == ParseResult()


@pytest.mark.parametrize(
    "rest", ["", "events", "events/call/x", "events/md/onAppealClose", "xevents/call", "Events/Call"]
)
def test_a_path_that_is_not_known_is_kept(rest: str) -> None:
    assert accepted(rest) == ParseResult(unknown=True)


def test_slashes_around_a_path_change_nothing() -> None:
    said = {"recording_id": "r1", "timestamp": int(NOON.timestamp())}
    for rest in ("events/record/added", "/events/record/added/", "vpbx/events/record/added"):
        assert one(accepted(rest, **said).events).recording == "r1"


@pytest.mark.parametrize("said", ["", "[]", "null", "{", '"x"', "9" * 5000, "[" * 100_000, '{"entry_id":1.5}'])
def test_what_is_no_object_is_unreadable(said: str) -> None:
    with pytest.raises(PayloadError):
        mango.parse(delivered("events/call", said), {})


# ------------------------------------------------------------------ legs


def test_seq_orders_what_the_clock_does_not() -> None:
    """All within a second, in any order of arrival, twice."""
    told = [*leg(**INCOMING, seq=1), *leg("Connected", **INCOMING, seq=2), *leg("Disconnected", **INCOMING, seq=3)]
    records = {fold([*order, *order]).digest() for order in permutations(told)}
    assert len(records) == 1
    call = fold(told)
    assert (call.outcome, call.answered_by) == (Outcome.SUCCESS, "101")
    # What comes late with a smaller seq changes nothing of what was.
    assert fold([*told, *leg(**INCOMING, seq=1)]).digest() == call.digest()


def test_numbers_and_times_may_be_written_as_text() -> None:
    at = str(int(NOON.timestamp()))
    party = {"extension": 101, "number": "sip:a@x.ru", "line_number": 74951234567}
    told = leg(timestamp=at, seq="1", **{"from": {"number": 79001234567}, "to": party})
    assert told == leg(**INCOMING)
    assert one(leg("Disconnected", **INCOMING, disconnect_reason="1121")).outcome is Outcome.BUSY


def test_a_clock_that_is_far_off_is_not_believed() -> None:
    event = one(leg(**INCOMING, timestamp=1399906976))
    assert (event.at, event.at_is_arrival) == (NOON, True)


def test_words_may_hold_cyrillic_letters() -> None:
    assert one(leg("\u0410ppeared", **INCOMING)) == one(leg(**INCOMING))
    assert one(leg("\u0421\u043ennected", **INCOMING)).kind is Kind.ANSWERED
    added = accepted(
        "events/recording", recording_id="r", recording_state="\u0421ompleted", recipient="\u0421l\u043eud"
    )
    assert one(added.events).recording == "r"


@pytest.mark.parametrize("state", ["OnHold", "Teleported", ""])
def test_other_states_change_nothing(state: str) -> None:
    assert leg(state, **INCOMING) == ()


def test_an_empty_party_may_be_a_list_and_nothing_else() -> None:
    assert one(leg(**{"from": [], "to": []})).external == ""
    for party in ("", "x", [1], 5, True):
        with pytest.raises(PayloadError):
            leg(**{**INCOMING, "from": party})


@pytest.mark.parametrize(
    ("said", "number"),
    [("79001234567", "79001234567"), ("+79001234567", "+79001234567"), ("sip:74951234567@x.ru", "74951234567"),
     ("sip:line00000@tech.mangosip.ru", ""), ("anonymous", ""), ("", ""), (None, "")],
)  # fmt: skip
def test_a_number_is_read_out_of_an_address(said: str | None, number: str) -> None:
    event = one(leg(**{"from": {"number": said}, "to": {"extension": "101", "line_number": said}}))
    assert (event.external, event.line) == (number, number or None)


def test_a_menu_and_a_queue_are_the_call_before_it_rings_anybody() -> None:
    menu = {"location": "ivr", "from": {"number": "79001234567"}, "to": {"number": "74951234567"}}
    event = one(leg(**menu))
    assert (event.leg, event.extension, event.line) == ("", None, "74951234567")
    # Answered by nobody, and handed on: neither is told.
    assert leg("Connected", **menu) == leg("Disconnected", **menu) == ()
    assert not fold([event]).closed


def test_what_an_employee_dials_goes_out() -> None:
    event = one(leg(**OUTGOING))
    assert (event.direction, event.extension, event.external) == (Direction.OUT, "101", "79001234567")
    assert (event.line, event.reference) == (None, None)


def test_a_route_that_a_command_chose_stays_an_incoming_call() -> None:
    caller = {"number": "79001234567", "taken_from_call_id": "c0"}
    event = one(leg(**{**INCOMING, "from": caller}, command_id="c111"))
    assert (event.direction, event.extension, event.leg) == (Direction.IN, "101", "c1")


@pytest.mark.parametrize(
    ("reason", "outgoing", "incoming"),
    [
        ("1111", Outcome.NO_ANSWER, Outcome.MISSED),
        ("1121", Outcome.BUSY, Outcome.BUSY),
        ("1124", Outcome.BUSY, Outcome.BUSY),
        ("1133", Outcome.UNAVAILABLE, Outcome.UNAVAILABLE),
        ("1151", Outcome.NOT_ALLOWED, Outcome.NOT_ALLOWED),
        ("1193", Outcome.BUSY, Outcome.BUSY),
        ("3200", Outcome.UNAVAILABLE, Outcome.UNAVAILABLE),
        ("4219", Outcome.UNAVAILABLE, Outcome.UNAVAILABLE),
        ("1182", Outcome.CANCELLED, Outcome.CANCELLED),
        # These may end a talk: the answer decides.
        ("1100", None, None),
        ("1110", None, None),
        ("1120", None, None),
        ("2240", None, None),
        ("5003", None, None),
        ("110", None, None),
        ("", None, None),
    ],
)
def test_reasons_end_a_leg_as_they_say(reason: str, outgoing: Outcome | None, incoming: Outcome | None) -> None:
    assert one(leg("Disconnected", **OUTGOING, disconnect_reason=reason)).outcome is outgoing
    assert one(leg("Disconnected", **INCOMING, disconnect_reason=reason)).outcome is incoming


def test_who_is_handed_on_leaves_a_leg_that_was_handed_over() -> None:
    for side in ("from", "to"):
        party = {**INCOMING[side], "was_transferred": True}
        kinds = [event.kind for event in leg("Disconnected", **{**INCOMING, side: party})]
        assert kinds == [Kind.TRANSFERRED, Kind.ENDED]
    taken = {**INCOMING, "from": {"number": "79001234567", "taken_from_call_id": "c0"}}
    first, second = leg(**taken, transfer="blind")
    assert (first.kind, first.leg, second.kind, second.leg) == (Kind.TRANSFERRED, "c0", Kind.RINGING, "c1")
    # The leg of a callback has another name; it is known by its own end.
    assert [event.kind for event in leg(**taken, transfer="blind", callback_initiator="API")] == [Kind.RINGING]
    # The one who is called back by a transfer that nobody took was not on the leg before.
    assert [event.kind for event in leg(**taken, transfer="return_blind")] == [Kind.RINGING]


@pytest.mark.parametrize("by", [{}, {"command_id": "another-system-1"}, {"callback_initiator": "API"}])
def test_a_word_between_colleagues_is_no_part_of_the_call(by: Mapping[str, str]) -> None:
    """Also if another system asked for it, or the call that it interrupts began with a callback."""
    among = {"from": {"extension": "101", "taken_from_call_id": "c0"}, "to": {"extension": "102"},
             "transfer": "consultative", **by}  # fmt: skip
    assert leg(**among) == leg("Connected", **among) == leg("Disconnected", **among) == ()


def test_a_word_between_colleagues_may_not_be_called_one() -> None:
    among = {"from": {"extension": "101", "taken_from_call_id": "c0"}, "to": {"extension": "102"}}
    assert leg(**among) == leg("Connected", **among) == leg("Disconnected", **among) == ()


@pytest.mark.parametrize(
    ("number", "extension"),
    [("sip:dana.reid@acme.mangosip.ru", "dana.reid"), ("SIPS:dana@mangosip.ru:5061;transport=tls", "dana"),
     ("sip:dana@example.org", None), ("sip:dana@mangosip.ru.example.org", None), ("dana@acme.mangosip.ru", None),
     ("79001234567", None), ("", None)],
)  # fmt: skip
def test_who_has_no_short_number_is_known_by_the_sip_account(number: str, extension: str | None) -> None:
    event = one(leg(**{**INCOMING, "to": {"number": number, "line_number": "74951234567"}}))
    assert (event.direction, event.extension) == (Direction.IN, extension)
    short = {"extension": "29", "number": "sip:dana@acme.mangosip.ru"}
    assert one(leg(**{**INCOMING, "to": short})).extension == "29"


@pytest.mark.parametrize("name", ["answered_without_a_short_number", "outgoing_without_a_short_number"])
def test_a_call_of_who_has_no_short_number_is_of_nobody_unless_the_account_is_mapped(name: str) -> None:
    call, incoming = story(name), name.startswith("answered")
    verdict = classify(call, mapped=set(), external_is_employee=False)
    assert verdict.skip is SkipReason.UNKNOWN_EXTENSION
    verdict = classify(call, mapped={"dana"}, external_is_employee=False)
    assert (verdict.tag, verdict.direction) == (TagType.CALL, Direction.IN if incoming else Direction.OUT)
    assert call.external == "79101234567"


def test_who_has_no_short_number_can_call() -> None:
    anna, dana = ({"number": f"sip:{name}@acme.mangosip.ru"} for name in ("anna", "dana"))
    event = one(leg(**{**OUTGOING, "from": dana}))
    assert (event.direction, event.extension, event.external) == (Direction.OUT, "dana", "79001234567")
    event = one(leg(**{"from": dana, "to": anna}))
    assert (event.direction, event.extension, event.external) == (Direction.INTERNAL, "anna", "dana")


# ------------------------------------------------------------------ the summary


def summary(**said: Any) -> tuple[CallEvent, ...]:
    begun = int(NOON.timestamp()) - 14
    fields = {"create_time": begun, "forward_time": begun + 2, "end_time": begun + 14, "line_number": "78001234567"}
    return accepted("events/summary", **{"from": {"number": "79000000000"}, "to": {}, **fields, **said}).events


def test_a_success_without_talk_is_none() -> None:
    """The second sample of the documentation: it ended in the menu, and entry_result is 1."""
    told = summary(call_direction=1, talk_time=0, entry_result=1, disconnect_reason=1170)
    call = fold(told)
    assert (call.closed, call.outcome, call.external, call.line) == (True, Outcome.MISSED, "79000000000", "78001234567")
    assert (call.started_at, call.ended_at) == (NOON - timedelta(seconds=14), NOON)
    talked = summary(call_direction="1", talk_time=str(int(NOON.timestamp()) - 5), entry_result=0)
    assert one(talked).outcome is Outcome.SUCCESS


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [(1100, Outcome.NO_ANSWER), (1110, Outcome.CANCELLED), (1111, Outcome.NO_ANSWER), (1121, Outcome.BUSY),
     (1120, Outcome.BUSY), (1131, Outcome.UNAVAILABLE), (2240, Outcome.NOT_ALLOWED), (5001, Outcome.FAILED),
     (9999, Outcome.NO_ANSWER), ("", Outcome.NO_ANSWER)],
)  # fmt: skip
def test_why_a_call_that_went_out_came_to_nothing(reason: object, outcome: Outcome) -> None:
    caller, called = {"extension": "123"}, {"number": "78001234567"}
    told = summary(call_direction=2, talk_time=0, disconnect_reason=reason, **{"from": caller, "to": called})
    assert (one(told).outcome, one(told).external) == (outcome, "78001234567")


def test_a_summary_names_neither_a_group_as_an_employee_nor_a_withheld_number() -> None:
    told = summary(call_direction=1, talk_time=0, **{"from": {}, "to": {"extension": "303"}})
    call = fold(told)
    assert (call.extensions, call.external) == ((), "")


def test_a_call_among_colleagues_is_internal() -> None:
    told = summary(call_direction=0, talk_time=0, **{"from": {"extension": "101"}, "to": {"extension": "102"}})
    assert (fold(told).direction, fold(told).external, fold(told).line) == (Direction.INTERNAL, "101", None)


def test_the_summary_outweighs_legs_that_say_otherwise() -> None:
    """The hang-up of the leg was lost, and the summary closes the call."""
    told = [*leg(**INCOMING), *leg("Connected", **INCOMING, seq=2)]
    call = fold([*told, *summary(call_direction=1, talk_time=int(NOON.timestamp()))])
    assert (call.closed, call.outcome, call.answered_by) == (True, Outcome.SUCCESS, "101")


# ------------------------------------------------------------------ recordings


@pytest.mark.parametrize(
    ("said", "is_named"),
    [
        ({"recording_state": "Completed", "completion_code": 1000, "recipient": "Cloud"}, True),
        ({"recording_state": "Completed", "completion_code": "1000", "recipient": "CloudAndMail"}, True),
        ({"recording_state": "Completed", "completion_code": 1000, "recipient": "Mail"}, False),
        ({"recording_state": "Completed", "completion_code": 4002, "recipient": "Cloud"}, False),
        ({"recording_state": "Completed", "completion_code": 2210, "recipient": "Cloud"}, False),
        ({"recording_state": "Started"}, False),
        ({"recording_state": "Continued"}, False),
    ],
)
def test_a_recording_is_named_once_it_can_be_fetched(said: Mapping[str, Any], is_named: bool) -> None:
    told = accepted("events/recording", recording_id=RECORDING, call_id="c1", seq=2, **said).events
    assert [event.recording for event in told] == ([RECORDING] if is_named else [])
    added = accepted("events/record/added", recording_id=RECORDING, user_id=-1, timestamp=int(NOON.timestamp()))
    # Told twice, it is one.
    assert len(fold([*told, *added.events]).recordings) == 1


# ------------------------------------------------------------------ clicks


def test_both_legs_of_a_callback_are_one_and_give_our_reference_back() -> None:
    call = story("click_answered")
    assert (call.reference, call.direction, call.external) == (IDS["call2"], Direction.OUT, "79101234567")
    (only,) = call.legs
    assert (only.extension, only.outcome, only.talk_seconds, call.picked_up) == ("102", Outcome.SUCCESS, 40, True)


def test_the_end_of_the_own_leg_and_the_ring_of_the_contacts_may_come_in_any_order() -> None:
    ours = line("mango")
    told: list[CallEvent] = []
    for event in load_story("click_busy", "mango").events:
        # All in one second, but the summary.
        told += ours.accepted(ours.signed(message(event, IDS, NOON, NOON))).events
    assert len({fold(order).digest() for order in permutations(told)}) == 1
    call = fold(told)
    assert (call.outcome, call.picked_up, len(call.legs)) == (Outcome.BUSY, True, 1)


def test_who_does_not_pick_up_has_called_nobody() -> None:
    call = story("click_employee_no_answer")
    verdict = classify(call, mapped={"101"}, external_is_employee=False, pick_up=PickUp(mango.PICK_UP))
    assert (call.picked_up, verdict.skip) == (False, SkipReason.EMPLOYEE_NO_ANSWER)


def test_a_callback_that_rings_a_group_is_the_call_of_who_picks_it_up() -> None:
    """As a widget asks for one: the second of three phones is picked up, then the contact is called."""
    told: list[CallEvent] = []

    def add(after: int, name: str, state: str, **said: Any) -> None:
        said |= {"timestamp": int(NOON.timestamp()) + after, "call_id": name, "callback_initiator": "CallbackWidget"}
        told.extend(leg(state, **said))

    contact = {"number": "79001234567"}
    phones = {name: {"extension": name, "acd_group": "303"} for name in ("101", "102", "103")}
    for name, phone in phones.items():
        add(0, f"c{name}", "Appeared", **{"from": contact, "to": phone})
    add(4, "c102", "Connected", seq=2, **{"from": contact, "to": phones["102"]})
    for name in ("101", "103"):
        add(4, f"c{name}", "Disconnected", seq=2, disconnect_reason=1182, **{"from": contact, "to": phones[name]})
    add(4, "c102", "Disconnected", seq=3, disconnect_reason=1000, **{"from": contact, "to": phones["102"]})
    caller = {"extension": "102", "taken_from_call_id": "c102"}
    add(4, "c9", "Appeared", **{"from": caller, "to": contact})
    add(10, "c9", "Connected", seq=2, **{"from": caller, "to": contact})
    add(50, "c9", "Disconnected", seq=3, disconnect_reason=1110, **{"from": caller, "to": contact})
    call = fold(told)
    assert (call.closed, call.outcome, call.direction) == (True, Outcome.SUCCESS, Direction.OUT)
    assert (call.answered_by, call.talk_seconds, call.picked_up) == ("102", 40, True)
    assert [one.outcome for one in call.legs] == [Outcome.CANCELLED, Outcome.SUCCESS, Outcome.CANCELLED]


@pytest.mark.parametrize(
    ("result", "outcome"),
    [(3330, Outcome.FAILED), ("3124", Outcome.FAILED), (2240, Outcome.NOT_ALLOWED), (4001, Outcome.FAILED),
     (5003, Outcome.FAILED)],
)  # fmt: skip
def test_a_click_that_mango_can_not_do_is_a_call_that_failed(result: object, outcome: Outcome) -> None:
    event = one(accepted("result/callback", command_id="0f" * 16, result=result).events)
    assert (event.reference, event.outcome, event.final, event.direction) == ("0f" * 16, outcome, True, Direction.OUT)
    assert event == one(accepted("vpbx/result/callback", command_id="0f" * 16, result=result).events)


def test_a_click_that_mango_does_and_what_is_not_ours_say_nothing() -> None:
    for said in ({"command_id": "a", "result": 1000}, {"command_id": "a", "result": "1001"}, {"result": 3330},
                 {"command_id": "cmd.2.vpbx.12345", "result": 3330}, {"command_id": "a"}):  # fmt: skip
        assert accepted("result/callback", **said) == ParseResult()


# ------------------------------------------------------------------ what goes out


@contextmanager
def asking(**credentials: str) -> Iterator[tuple[Account, Api, Server]]:
    """An account at the vendor's API."""
    api = Api(simulated.CREDENTIALS)
    with serving(api) as server:
        typed = {**api.credentials(server.url), **credentials}
        yield Account(provider="mango", credentials=typed, settings=api.settings(server.url)), api, server


def test_a_click_is_signed_as_in_the_worked_example() -> None:
    with asking() as (account, api, server):
        placed = mango.originate(account, CLICK, PlainDoor())
        (asked,) = server.asked
    assert placed.call_id is None
    assert (asked.method, asked.path) == ("POST", "/vpbx/commands/callback")
    assert asked.form == {"vpbx_api_key": KEY, "sign": WORKED[0][1], "json": CALLBACK}
    assert api.placed == [json.loads(CALLBACK)]


def test_a_line_is_shown_in_digits() -> None:
    with asking() as (account, api, _):
        mango.originate(account, replace(CLICK, line="+74951230002"), PlainDoor())
        assert api.placed[0]["line_number"] == "74951230002"


@pytest.mark.parametrize(
    "click",
    [
        replace(CLICK, extension="sip:anna"),
        replace(CLICK, extension=""),
        replace(CLICK, extension="1" * 11),
        replace(CLICK, number="12"),
        replace(CLICK, number="+7495*"),
        replace(CLICK, number="anonymous"),
        replace(CLICK, line="main line"),
        replace(CLICK, reference="r" * 65),
        replace(CLICK, reference="r\n"),
    ],
)
def test_what_mango_would_take_for_wrong_is_not_asked(click: Click) -> None:
    with asking() as (account, _, server):
        with pytest.raises(BadInputError):
            mango.originate(account, click, PlainDoor())
        for reference in ("", "https://files.mango-office.ru/1", "a b", "r" * 129, "é"):
            with pytest.raises(BadInputError):
                mango.recording(account, reference, PlainDoor())
        assert server.asked == []


def test_wrong_requests_block_all_others_for_two_minutes_and_that_is_said() -> None:
    with asking() as (account, api, server):
        now = 1000.0
        api.clock = lambda: now
        nobody = replace(CLICK, extension="999")
        with pytest.raises(BadInputError, match=r"refused it \(3330\): no employee has that extension"):
            mango.originate(account, nobody, PlainDoor())
        with pytest.raises(TooManyError, match="try again in 120 seconds"):
            mango.originate(account, nobody, PlainDoor())
        # What is right is refused too, until it is over, and nothing is tried again meanwhile.
        before = len(server.asked)
        with pytest.raises(TooManyError, match="vpbx_api_salt"):
            mango.originate(account, CLICK, PlainDoor())
        assert len(server.asked) == before + 1
        now += 120
        mango.originate(account, CLICK, PlainDoor())
    assert len(api.placed) == 1


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (Reply(400, {"result": 3102}), BadInputError, "does not take vpbx_api_key and vpbx_api_salt"),
        (Reply(200, {"result": 3105}), BadInputError, "does not take vpbx_api_key and vpbx_api_salt"),
        (Reply(200, {"result": 3124}), BadInputError, "that line"),
        (Reply(400, {"code": 2240, "message": "79001234567"}), BadInputError, "tariff"),
        (Reply(404, "<html>"), BadInputError, "404"),
        (Reply(503, {"result": 5008}), UnreachableError, "5008"),
        (Reply(200, {"result": "5003"}), UnreachableError, "5003"),
        (Reply(503, {"name": "Service Unavailable", "message": "Rate limit exceeded.", "code": 0, "status": 429}),
         TooManyError, "slow down"),
        (Reply(401, ""), TooManyError, "120 seconds"),
        (Reply(200, "<html>login</html>"), UnreachableError, "can't be read"),
    ],
)  # fmt: skip
def test_what_mango_says_is_told_in_words_of_our_own(reply: Reply, error: type[Exception], words: str) -> None:
    with asking() as (account, _, server):
        server.faults.append(Fault(reply))
        with pytest.raises(error, match=words) as raised:
            mango.originate(account, CLICK, PlainDoor())
        assert "79001234567" not in str(raised.value)
        # An asynchronous request may be answered by its status alone.
        server.faults.append(Fault(Reply(200, "")))
        mango.originate(account, CLICK, PlainDoor())


def test_without_key_or_salt_nothing_is_asked() -> None:
    for name in ("vpbx_api_key", "vpbx_api_salt"):
        with asking(**{name: ""}) as (account, _, server):
            with pytest.raises(BadInputError, match="are needed"):
                mango.extensions(account, PlainDoor())
            assert server.asked == []


def test_a_recording_has_another_address_each_time_and_none_is_followed() -> None:
    with asking() as (account, api, server):
        door = RateLimitedClient(limiter=NoLimits(), tokens=NoTokens(), limits=mango.LIMITS, hosts=("127.0.0.1",))
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("OUTBOUND_LOOPBACK", "true")
            first, second = (mango.recording(account, RECORDING, door) for _ in range(2))
        assert [first.url, second.url] == api.links
        assert first.url != second.url
        # They need no key, and would be spent by a look.
        assert (first.headers, [asked.path for asked in server.asked]) == ({}, ["/vpbx/queries/recording/post"] * 2)
        assert json.loads(server.asked[0].form["json"]) == {"recording_id": RECORDING, "action": "download"}


def test_a_recording_that_is_not_there_yet_is_told_as_such() -> None:
    with asking() as (account, _, server):
        with pytest.raises(BadInputError, match=r"3320.*no such recording yet"):
            mango.recording(account, "MToxMDA=", PlainDoor())
        for reply in (Reply(200, b"ID3"), Reply(302, ""), Reply(204, "")):
            server.faults.append(Fault(reply))
            with pytest.raises(UnreachableError, match="no address"):
                mango.recording(account, RECORDING, PlainDoor())
    # To ask sooner may be a wrong request.
    assert mango.RECORDING_AFTER >= 60


def test_a_wrong_request_keeps_recordings_from_being_the_second_one() -> None:
    """Two within two minutes block clicks too: one that is not there yet is asked for again after that time."""
    with asking() as (account, _, server):
        limiter = NoLimits()
        door = RateLimitedClient(limiter=limiter, tokens=NoTokens(), limits=mango.LIMITS, hosts=("127.0.0.1",))
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("OUTBOUND_LOOPBACK", "true")
            with pytest.raises(BadInputError, match="3320"):
                mango.recording(account, "MToxMDA=", door)
            assert limiter.held == {"recording": 120.0}
            server.faults.append(Fault(Reply(200, {"message": "Rate limit exceeded.", "code": 0, "status": 429})))
            with pytest.raises(TooManyError, match="in 10 seconds"):
                mango.extensions(account, door)
            assert limiter.held == {"recording": 120.0, "": 10.0}


@pytest.mark.parametrize("reference", [RECORDING, "r100:777:500:256", "r500:256", "d12a45f67b90c12345"])
def test_a_recording_may_have_any_of_the_forms_that_the_documentation_shows(reference: str) -> None:
    with asking() as (account, api, _):
        api.recordings.add(reference)
        assert mango.recording(account, reference, PlainDoor()).url == api.links[-1]
        api.contexts = [context("e1", NOON)]
        api.contexts[0]["context_calls"][0]["members"][0]["recording_id"] = [reference]
        assert [one.url for one in fold(told(account)).recordings] == [reference]


def test_employees_without_a_short_number_are_left_out() -> None:
    with asking() as (account, _, _):
        known = mango.extensions(account, PlainDoor())
        assert known[0] == KnownExtension("101", "Anna Petrova")
        assert len(known) == 4
        assert mango.ping(account, PlainDoor()).detail == "it answers, and has 4 extensions"


# ------------------------------------------------------------------ history


def context(entry: str, started: datetime, **more: Any) -> dict[str, Any]:
    """A call of the statistics, as the samples of the documentation write them: legs in them have no id."""
    begun = int(started.timestamp())
    member = {
        "call_type": "user", "call_abonent_id": 300000101, "call_abonent_info": "Anna", "call_start_time": begun,
        "call_answer_time": begun + 5, "call_end_time": begun + 14, "call_duration": 14, "talk_duration": 9,
        "call_end_reason": 110, "recording_id": [RECORDING], "members": None,
    }  # fmt: skip
    group = {**member, "call_type": "group", "call_abonent_id": 10051192, "members": [member]}
    return {
        "entry_id": entry, "context_type": 1, "context_status": 1, "caller_id": None, "caller_number": "74956496674",
        "called_number": "74952233567", "context_start_time": begun, "duration": 14, "talk_duration": 9,
        "context_init_type": 0, "context_calls": [group], **more,
    }  # fmt: skip


def moment_of(said: str) -> datetime:
    return datetime.strptime(said + " +0300", "%d.%m.%Y %H:%M:%S %z")


def told(account: Account, since: datetime = NOON - timedelta(hours=1)) -> list[CallEvent]:
    return list(mango.history(account, since, NOON + timedelta(hours=1), PlainDoor()))


def test_the_samples_of_the_statistics_are_read() -> None:
    with asking() as (account, api, _):
        api.contexts = [context("e1", NOON)]
        call = fold(told(account))
    assert (call.outcome, call.answered_by, call.talk_seconds) == (Outcome.SUCCESS, "101", 9)
    assert (call.external, call.line, call.started_at) == ("74956496674", "74952233567", NOON)
    assert [one.url for one in call.recordings] == [RECORDING]


def test_history_waits_until_the_statistics_are_made_and_not_for_ever() -> None:
    with asking() as (account, api, server):
        api.contexts, api.polls = [context("e1", NOON)], 3
        assert told(account)
        paths = [asked.path for asked in server.asked]
        assert paths[:2] == ["/vpbx/config/users/request", "/vpbx/stats/calls/request/"]
        assert paths[2:] == ["/vpbx/stats/calls/result/"] * 4
        api.polls = 1000
        with pytest.raises(UnreachableError, match="not ready after 30 questions"):
            told(account)
        assert len(server.asked) == 6 + 2 + 30
    # So that the door waits between two questions.
    assert mango.LIMITS["result"].seconds / mango.LIMITS["result"].count >= 2


@pytest.mark.parametrize("status", ["error", "cancel", "not-found", ""])
def test_statistics_that_are_not_made_are_told_as_such(status: str) -> None:
    with asking() as (account, _, server):
        users, key = {"users": ["x"]}, {"key": "k"}
        server.faults += [Fault(Reply(200, users)), Fault(Reply(200, key)), Fault(Reply(204, "")),
                          Fault(Reply(200, {"result": 1000, "status": status}))]  # fmt: skip
        with pytest.raises(UnreachableError, match="did not make"):
            told(account)
        assert len(server.asked) == 4


def test_history_pages_through_all_calls() -> None:
    with asking() as (account, api, server):
        api.contexts = [context(f"e{number}", NOON) for number in range(1200)]
        found = told(account)
        pages = [json.loads(asked.form["json"]) for asked in server.asked if asked.path.endswith("request/")]
    assert len({event.call_id for event in found}) == 1200
    assert [(page["limit"], page["offset"]) for page in pages] == [(500, 0), (500, 500), (500, 1000)]


def test_history_asks_for_less_than_a_month_at_once_and_keeps_what_began_in_the_time() -> None:
    """The zone of what is asked for is not documented: more is asked for, in the vendor's own form."""
    since = NOON - timedelta(days=60)
    with asking() as (account, api, server):
        api.contexts = [context("before", since - timedelta(seconds=1)), context("first", since),
                        context("after", NOON + timedelta(hours=2))]  # fmt: skip
        found = told(account, since)
        asked = [json.loads(one.form["json"]) for one in server.asked if one.path.endswith("request/")]
    assert {event.call_id for event in found} == {"first"}
    assert asked[0]["start_date"] == "31.12.2025 12:00:00"
    spans = [[moment_of(one[name]) for name in ("start_date", "end_date")] for one in asked]
    assert all(end - begin < timedelta(days=28) for begin, end in spans)
    # Nothing between two of them is left out.
    assert all(before[1] > after[0] for before, after in pairwise(spans))


def test_a_row_that_can_not_be_read_is_left_out() -> None:
    bad = {"context_start_time": [1]}, {"talk_duration": "x"}, {"entry_id": None}, {"context_start_time": "soon"}
    with asking() as (account, api, server):
        api.contexts = [context("good", NOON)]
        rows: list[Any] = [*api.contexts, "junk", None, {}, *(context("bad", NOON, **more) for more in bad)]
        server.faults += [Fault(Reply(200, {"users": ["x", {"general": 1}]})), Fault(Reply(200, {"key": "k"})),
                          Fault(Reply(200, {"status": "complete", "data": [{"list": rows}, "x", {}]}))]  # fmt: skip
        assert {event.call_id for event in told(account)} == {"good"}


def test_a_call_that_ended_in_the_menu_has_no_leg_but_is_one() -> None:
    with asking() as (account, api, _):
        api.contexts = [context("e1", NOON, talk_duration=0, context_status=0, context_calls=[])]
        call = fold(told(account))
    assert (call.closed, call.outcome, call.extensions) == (True, Outcome.MISSED, ())
    assert (call.started_at, call.ended_at) == (NOON, NOON + timedelta(seconds=14))


def test_both_legs_of_a_callback_are_one_in_the_statistics_too() -> None:
    begun = int(NOON.timestamp())
    number = {
        "call_type": "number", "call_abonent_id": 300000102, "external_call_id": "x", "call_start_time": begun + 4,
        "call_answer_time": begun + 16, "call_end_time": begun + 56, "talk_duration": 40, "call_end_reason": 1110,
    }  # fmt: skip
    more = {"context_type": 2, "caller_id": 300000102, "called_number": "79101234567", "talk_duration": 40}
    with asking() as (account, api, _):
        api.contexts = [context("A1", NOON, **more, context_init_type=4, context_calls=[number])]
        found = told(account)
    ours = line("mango")
    known: list[CallEvent] = []
    at = NOON
    for event in load_story("click_answered", "mango").events:
        at += timedelta(seconds=event.after)
        known += ours.accepted(ours.signed(message(event, IDS, NOON, at), at), at).events
    call, both = fold(known), fold([*known, *found])
    assert (both.outcome, both.talk_seconds, len(both.legs)) == (call.outcome, call.talk_seconds, len(call.legs))
