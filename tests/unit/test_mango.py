"""Mango Office: signatures by example, paths, legs in any order, the summary, and its API with reports and blocks."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from doors import PlainDoor
from hangtag.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.calls.fold import fold
from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers import mango
from hangtag.providers.base import Accepted, Account, Click, Trust, UnreadableError, UnverifiedError, WebhookRequest
from local.simulator.pbx import mango as simulated
from local.simulator.rest import Fault, Reply, Server, serving
from local.simulator.rest.mango import Api
from provider_stories import NOON

# The examples of the facts; the first agrees with a client in the field.
KEY, SALT = "1234567890qwerty", "mango_salt_example"
EXAMPLES = {
    '{"command_id":"cbk1","from":{"extension":"101"},"to_number":"74955404444"}': (
        "92786fbe1b71c744f3f884aebf1bf5fc3c48e95aa85938ef7785363bfd71f941"
    ),
    '{"entry_id":"1MN0Q1MDOQ==","call_id":"MIxEyNTzTo6NDxkzNMMOzNQ==","timestamp":1558422128,"seq":2,'
    '"call_state":"Disconnected","location":"abonent","from":{"number":"79001234567"},"to":{"extension":"29",'
    '"number":"sip:user00000@tech.mangosip.ru","line_number":"74951234567"},"disconnect_reason":1131}': (
        "d2468b5d6671c19f5ef47edd04b353c881b0b136b466e3852ae65089240becd1"
    ),
}
TRUST = Trust(credentials={"vpbx_api_key": (KEY,), "vpbx_api_salt": (SALT,)})
STAMP = int(NOON.timestamp())
LEG = {"entry_id": "e1", "call_id": "c1", "timestamp": STAMP, "seq": 1, "call_state": "Appeared",
       "location": "abonent", "from": {"number": "79001234567"},
       "to": {"extension": 29, "number": "sip:u@mangosip.ru", "line_number": "74951234567"}}  # fmt: skip
SUMMARY = {"entry_id": "e1", "call_direction": 1, "from": {"number": "79001234567"}, "to": {"extension": "29"},
           "line_number": "74951234567", "create_time": STAMP - 90, "forward_time": STAMP - 80,
           "talk_time": STAMP - 60, "end_time": STAMP, "entry_result": 1, "disconnect_reason": 1110}  # fmt: skip
CLICK = Click(extension="101", number="+74955404444", reference="cbk1", line="+74951230002")


def delivered(said: str, sign: str, *, key: str = KEY, rest: str = "events/call") -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        path=f"/hooks/mango/***/{rest}",
        query="",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=urlencode({"vpbx_api_key": key, "sign": sign, "json": said}).encode(),
        arrived_at=NOON,
        rest=rest,
    )


def parsed(said: Any, rest: str = "events/call") -> Accepted:
    return mango.parse(delivered(json.dumps(said, ensure_ascii=False), "x", rest=rest), {})


def told(said: Mapping[str, Any], rest: str = "events/call") -> CallEvent:
    (one,) = parsed(said, rest).events
    return one


@contextmanager
def pbx() -> Iterator[tuple[Api, Server, Account]]:
    api = Api(simulated.CREDENTIALS)
    with serving(api) as server:
        yield (
            api,
            server,
            Account(provider="mango", credentials=api.credentials(server.url), settings=api.settings(server.url)),
        )


# ------------------------------------------------------------------ genuine or not


@pytest.mark.parametrize(("said", "sign"), EXAMPLES.items())
def test_the_worked_examples(said: str, sign: str) -> None:
    assert mango.signature(KEY, said, SALT) == sign
    mango.verify(delivered(said, sign), TRUST)
    for other in (said + " ", said.replace(":", ": ", 1), said.upper()):
        with pytest.raises(UnverifiedError):
            mango.verify(delivered(other, sign), TRUST)


def test_key_and_salt_must_both_be_right() -> None:
    said = next(iter(EXAMPLES))
    for key, salt in (("another", SALT), (KEY, "another"), ("", SALT)):
        with pytest.raises(UnverifiedError):
            mango.verify(delivered(said, mango.signature(key, said, salt), key=key), TRUST)
    for trust in (Trust(credentials={"vpbx_api_key": (KEY,)}), Trust(credentials={"vpbx_api_salt": (SALT,)})):
        with pytest.raises(UnverifiedError):
            mango.verify(delivered(said, mango.signature(KEY, said, "")), trust)


# ------------------------------------------------------------------ what comes in


def test_a_type_may_be_another_and_letters_may_be_of_the_other_alphabet() -> None:
    texts = {**LEG, "timestamp": str(STAMP), "seq": "1", "to": {**LEG["to"], "extension": "29"}}  # type: ignore[dict-item]
    assert told(texts) == told(LEG)
    assert told({**LEG, "call_state": "Арреаred"}).kind is Kind.RINGING
    assert told({**LEG, "call_state": "Соnnесtеd"}).kind is Kind.ANSWERED


def test_seq_orders_the_events_of_a_second() -> None:
    events = [told({**LEG, "seq": seq, "call_state": state}) for seq, state in
              ((3, "Disconnected"), (1, "Appeared"), (2, "Connected"))]  # fmt: skip
    call = fold(events)
    assert (call.closed, call.outcome, call.answered_by) == (True, Outcome.SUCCESS, "29")
    assert told(LEG).at == NOON + timedelta(milliseconds=1)
    assert told({**LEG, "timestamp": STAMP - 86400 * 3}).at_is_arrival


@pytest.mark.parametrize(
    ("caller", "called", "direction", "extension", "external"),
    [
        ({"number": "79001234567"}, {"extension": "29", "number": "sip:u@x"}, Direction.IN, "29", "79001234567"),
        ({"number": "anonymous"}, {"extension": "29"}, Direction.IN, "29", ""),
        ({"number": "79001234567"}, {"number": "74951234567"}, Direction.IN, None, "79001234567"),
        ({"extension": "29", "number": "sip:u@x"}, {"number": "79001234567"}, Direction.OUT, "29", "79001234567"),
        ({"extension": "29"}, {"extension": "30"}, Direction.INTERNAL, "30", "29"),
    ],
)
def test_who_is_at_the_ends_says_which_way_it_goes(
    caller: Mapping[str, str], called: Mapping[str, str], direction: Direction, extension: str | None, external: str
) -> None:
    event = told({**LEG, "from": caller, "to": called})
    assert (event.direction, event.extension, event.external) == (direction, extension, external)


def test_menus_queues_and_holds_are_no_answers() -> None:
    menu = {**LEG, "location": "ivr", "to": {"number": "74951234567"}}
    assert told(menu).leg == ""
    for state in ("Connected", "Disconnected"):
        assert parsed({**menu, "call_state": state}).events == ()
    assert parsed({**LEG, "call_state": "OnHold"}).events == ()
    with pytest.raises(UnreadableError, match="call_state"):
        parsed({**LEG, "call_state": "Vanished"})


def test_a_click_is_known_by_its_command_and_its_first_leg_is_the_employees() -> None:
    own = {**LEG, "command_id": "cbk1", "from": {"number": "74951234567"}}
    assert (told(own).direction, told(own).reference, told(own).external) == (Direction.OUT, "cbk1", None)
    assert told({**own, "call_state": "Connected"}).kind is Kind.PICKED_UP
    assert parsed({**own, "call_state": "Disconnected"}).events == ()
    contact = {**own, "from": {"extension": "29"}, "to": {"number": "79001234567"}, "call_state": "Connected"}
    assert (told(contact).kind, told(contact).external) == (Kind.ANSWERED, "79001234567")


def test_a_click_that_was_not_carried_out_ends_and_one_that_was_says_nothing() -> None:
    assert parsed({"command_id": "cbk1", "result": 1000}, "result/callback").events == ()
    event = told({"command_id": "cbk1", "result": 3330}, "result/callback")
    assert (event.reference, event.outcome, event.final) == ("cbk1", Outcome.FAILED, True)


def test_the_summary_tells_by_talk_time_who_talked() -> None:
    event = told(SUMMARY, "events/summary")
    assert (event.outcome, event.talk_seconds, event.final, event.line) == (Outcome.SUCCESS, 60, True, "74951234567")
    assert (event.at, event.started_at) == (NOON, NOON - timedelta(seconds=90))
    # The vendor's own sample: entry_result 1, and it ended in the menu.
    in_menu = told({**SUMMARY, "talk_time": 0, "to": {"number": "74951234567"}}, "events/summary")
    assert (in_menu.outcome, in_menu.talk_seconds, in_menu.extension) == (Outcome.MISSED, 0, None)


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (1121, Outcome.BUSY), (1132, Outcome.NO_ANSWER), (2110, Outcome.NOT_ALLOWED), (3200, Outcome.UNAVAILABLE),
        (4200, Outcome.UNAVAILABLE), (5003, Outcome.FAILED), (None, Outcome.NO_ANSWER), (9999, Outcome.FAILED),
    ],
)  # fmt: skip
def test_why_an_outgoing_call_was_not_answered(reason: int | None, outcome: Outcome) -> None:
    out = {"call_direction": 2, "from": {"extension": "29"}, "to": {"number": "79001234567"}, "talk_time": 0}
    event = told({**SUMMARY, **out, "disconnect_reason": reason}, "events/summary")
    assert (event.outcome, event.extension, event.external) == (outcome, "29", "79001234567")


def test_the_path_says_of_what_is_told() -> None:
    recorded = told({"entry_id": "e1", "recording_id": "MToxMDA=", "user_id": 1}, "events/record/added")
    assert (recorded.kind, recorded.recording) == (Kind.RECORDED, "MToxMDA=")
    for rest in ("events/recording", "events/dtmf", "events/sms", "events/record/tagged"):
        assert parsed({}, rest) == Accepted()
    for rest in ("", "events", "events/unheard", "../events/call"):
        assert parsed(LEG, rest).unknown
    nothing: list[Any] = [[], None, "x"]
    for said in nothing:
        with pytest.raises(UnreadableError):
            parsed(said)


# ------------------------------------------------------------------ what goes out


def test_a_click_carries_our_reference() -> None:
    with pbx() as (api, server, account):
        assert mango.originate(account, CLICK, PlainDoor()).call_id is None
        (asked,) = api.placed
        assert asked == {**json.loads(next(iter(EXAMPLES))), "line_number": "74951230002"}
        assert server.asked[0].form["json"] == json.dumps(api.placed[0], separators=(",", ":"))


@pytest.mark.parametrize(("extension", "number"), [("anna", "+7495"), ("", "+7495"), ("1" * 11, "+7495"), ("1", "x")])
def test_what_would_be_a_wrong_request_is_never_sent(extension: str, number: str) -> None:
    """One wrong request blocks all others for two minutes."""
    with pbx() as (_, server, account):
        with pytest.raises(BadInputError):
            mango.originate(account, Click(extension=extension, number=number, reference="r"), PlainDoor())
        assert not server.asked


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(401, {"message": "blocked"}), "two minutes"),
        (Reply(400, {"result": 3330}), r"\(400\)"),
        (Reply(200, {"result": 3330}), "3330"),
    ],
)
def test_a_refusal_is_told(reply: Reply, words: str) -> None:
    with pbx() as (_, server, account):
        server.faults.append(Fault(reply))
        with pytest.raises(BadInputError, match=words):
            mango.originate(account, CLICK, PlainDoor())


def test_the_link_to_a_recording_is_good_once_and_not_followed() -> None:
    with pbx() as (_, server, account):
        found = mango.recording(account, "MToxMDA=", PlainDoor())
        assert found.url == "https://files.mango-office.ru/once/MToxMDA=.mp3"
        assert [one.path for one in server.asked] == ["/vpbx/queries/recording/post"]
        for reply in (Reply(302, ""), Reply(200, "")):
            server.faults.append(Fault(reply))
            with pytest.raises(UnreachableError):
                mango.recording(account, "MToxMDA=", PlainDoor())


def row(number: int, at: datetime, **more: Any) -> dict[str, Any]:
    return {"entry_id": f"e{number}", "context_type": 1, "context_status": 1, "caller_number": "79001234567",
            "called_number": "74951234567", "context_start_time": int(at.timestamp()), "duration": 9,
            "talk_duration": 4, "context_calls": [], **more}  # fmt: skip


def test_a_report_is_waited_for_and_given_up_in_the_end() -> None:
    with pbx() as (api, server, account):
        api.rows = [row(1, NOON - timedelta(minutes=30))]
        api.work = 3
        (event,) = mango.history(account, NOON - timedelta(hours=1), NOON, PlainDoor())
        assert (event.call_id, event.at) == ("e1", NOON - timedelta(minutes=30) + timedelta(seconds=9))
        assert len(server.asked) == 5
        api.work = 1000
        with pytest.raises(UnreachableError, match="not ready"):
            list(mango.history(account, NOON - timedelta(hours=1), NOON, PlainDoor()))
        assert len(server.asked) == 5 + 1 + mango.MOST_POLLS


def test_a_report_of_many_calls_is_read_to_its_end_and_a_long_time_in_parts() -> None:
    with pbx() as (api, _, account):
        api.rows = [row(number, NOON - timedelta(minutes=number + 1)) for number in range(1500)]
        found = {event.call_id for event in mango.history(account, NOON - timedelta(days=45), NOON, PlainDoor())}
        assert len(found) == 1500


def test_rows_that_cant_be_read_are_left_out_and_recordings_are_named() -> None:
    legs = [{"call_abonent_number": "29", "call_answer_time": STAMP, "recording_id": ["a", "b"]}, None]
    with pbx() as (_, server, account):
        rows = [None, {}, row(1, NOON, context_start_time="soon"), row(2, NOON, context_calls=legs)]
        server.faults += [
            Fault(Reply(200, {"key": "k"})),
            Fault(Reply(200, {"status": "complete", "data": [{"list": rows}]})),
        ]
        end, *recordings = mango.history(account, NOON - timedelta(hours=1), NOON, PlainDoor())
        assert (end.call_id, end.extension, end.talk_seconds) == ("e2", "29", 4)
        assert [one.recording for one in recordings] == ["a", "b"]
        wrong: list[Any] = [{"status": "complete", "data": "x"}, {"status": "error"}, []]
        for said in wrong:
            server.faults += [Fault(Reply(200, {"key": "k"})), Fault(Reply(200, said))]
            with pytest.raises(UnreachableError):
                list(mango.history(account, NOON - timedelta(hours=1), NOON, PlainDoor()))


def test_employees_without_a_short_number_are_left_out() -> None:
    with pbx() as (_, _server, account):
        assert [one.extension for one in mango.extensions(account, PlainDoor())] == ["101", "102"]
        assert "2 employees" in mango.ping(account, PlainDoor()).detail
