"""Binotel: where its requests are from, forms in PHP's style, what a hang-up ends, and its API with errors in 200."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from doors import PlainDoor
from hangtag.domain.calls.event import CallEvent, Direction, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.errors import BadInputError, TooManyError, UnreachableError
from hangtag.providers import binotel
from hangtag.providers.base import (
    Account,
    Click,
    ContactCard,
    OfficeLookups,
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
)
from hangtag.providers.forms.binotel import BinotelCredentials
from hangtag.services.webhooks.handler import MAX_BODY_BYTES
from local.simulator.pbx import binotel as simulated
from local.simulator.rest import Fault, Reply, Server, serving
from local.simulator.rest.binotel import Api
from local.simulator.story import load_story
from provider_stories import NOON, line

CLICK = Click(extension="901", number="+380671112233", reference="r")
TRUST = VerificationKeys(credentials={"company_id": ("41234567",)})
RANG = {"requestType": "receivedTheCall", "generalCallID": "1", "callType": "0", "externalNumber": "0671112233"}


def delivered(fields: dict[str, Any], *, as_json: bool = False, source: str = "194.88.218.114") -> WebhookRequest:
    body = json.dumps(fields) if as_json else urlencode(fields)
    return WebhookRequest(
        method="POST",
        path="/hooks/binotel/***",
        query="",
        headers={"content-type": "application/json" if as_json else "application/x-www-form-urlencoded"},
        body=body.encode(),
        arrived_at=NOON,
        source_ip=source,
    )


def told(at: datetime = NOON, **fields: str) -> CallEvent:
    request = delivered(fields)
    (one,) = binotel.parse(
        WebhookRequest(
            method="POST", path=request.path, query="", headers=request.headers, body=request.body, arrived_at=at
        ),
        {},
    ).events
    return one


@contextmanager
def company() -> Iterator[tuple[Api, Server, Account]]:
    api = Api(simulated.CREDENTIALS)
    with serving(api) as server:
        yield (
            api,
            server,
            Account(provider="binotel", credentials=api.credentials(server.url), settings=api.settings(server.url)),
        )


# ------------------------------------------------------------------ genuine or not


def test_the_published_addresses_are_26() -> None:
    assert len(set(binotel.ADDRESSES)) == 26
    for address in ("194.88.218.114", "194.88.219.78", "194.88.219.89", "194.88.219.92", "185.100.66.147"):
        binotel.verify(delivered({**RANG, "companyID": "41234567"}, source=address), TRUST)


@pytest.mark.parametrize(
    "address", ["", "194.88.218.115", "194.88.219.90", "194.88.219.91", "185.100.66.148", "127.0.0.1", "x", "::1"]
)
def test_from_anywhere_else_nothing_is_taken(address: str) -> None:
    with pytest.raises(SignatureError, match="not from an address"):
        binotel.verify(delivered({**RANG, "companyID": "41234567"}, source=address), TRUST)


def test_entered_addresses_replace_the_published_ones() -> None:
    trust = VerificationKeys(
        credentials={"company_id": ("41234567",), "source_addresses": ("10.1.0.0/16, 2001:db8::/32",)}
    )
    for address in ("10.1.255.1", "2001:db8::7"):
        binotel.verify(delivered({**RANG, "companyID": "41234567"}, source=address), trust)
    with pytest.raises(SignatureError):
        binotel.verify(delivered({**RANG, "companyID": "41234567"}), trust)


def test_only_what_never_names_the_company_is_taken_without() -> None:
    for name in ("hangupTheCall", "apiCallCompleted"):
        binotel.verify(delivered({"requestType": name}), TRUST)
        with pytest.raises(SignatureError, match="companyID"):
            binotel.verify(delivered({"requestType": name, "companyID": "41234568"}), TRUST)
    for name in ("receivedTheCall", "answeredTheCall", "transferredTheCall", "apiCallSettings", "something"):
        with pytest.raises(SignatureError, match="companyID"):
            binotel.verify(delivered({"requestType": name}), TRUST)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_final_record_of_another_company_is_refused_wherever_it_is_named(as_json: bool) -> None:
    def completed(company: str, **more: str) -> WebhookRequest:
        nested = {"callDetails": {"companyID": company}} if as_json else {"callDetails[companyID]": company}
        return delivered({"requestType": "apiCallCompleted", **nested, **more}, as_json=as_json)

    binotel.verify(completed("41234567"), TRUST)
    others = [completed("41234568"), completed("41234568", companyID="41234567"), completed("41234567", companyID="4")]
    # Of the other requests it must be where Binotel has it.
    for other in (*others, delivered({**RANG, "callDetails[companyID]": "41234567"})):
        with pytest.raises(SignatureError, match="companyID"):
            binotel.verify(other, TRUST)


@pytest.mark.parametrize("said", ["", " , ", "binotel.ua", "10.0.0.0/33", "0.0.0.0/0", "::/0"])
def test_addresses_that_are_none_are_refused(said: str) -> None:
    with pytest.raises(ValidationError):
        BinotelCredentials(company_id="1", source_addresses=said)


# ------------------------------------------------------------------ what comes in


def test_a_hang_up_ends_every_phone_and_whoever_was_answered_talked() -> None:
    def at(seconds: int) -> datetime:
        return NOON + timedelta(seconds=seconds)

    events = [
        told(at(0), **RANG, internalNumber="901"),
        told(at(0), **RANG, internalNumber="902"),
        told(at(5), **RANG | {"requestType": "answeredTheCall"}, internalNumber="902"),
        told(at(25), requestType="hangupTheCall", generalCallID="1", billsec="20", disposition="ANSWER"),
    ]
    call = fold(events)
    assert (call.closed, call.outcome, call.answered_by, call.talk_seconds) == (True, Outcome.SUCCESS, "902", 20)
    assert (call.answered_at, call.ended_at) == (at(5), at(25))
    assert {leg.key: leg.outcome for leg in call.legs} == {"901": Outcome.CANCELLED, "902": Outcome.SUCCESS}
    missed = fold([*events[:2], told(at(9), requestType="hangupTheCall", generalCallID="1", disposition="CANCEL")])
    assert (missed.outcome, missed.answered_by, missed.ended_at) == (Outcome.MISSED, None, at(9))
    assert not any(leg.live for leg in missed.legs)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"srcNumber": "0671112233"}, {"externalNumber": "0671112233"}),
        ({"didNumber": "0443334000"}, {"pbxNumber": "0443334000"}),
        ({"dstNumber": "0671112233", "extNumber": "904"}, {"externalNumber": "0671112233", "internalNumber": "904"}),
        ({"dstNumber": "0671112233", "externalNumber": ""}, {"externalNumber": "0671112233"}),
        ({"srcNumber": ""}, {"externalNumber": ""}),
    ],
)  # fmt: skip
def test_fields_may_have_the_names_of_api_2(old: dict[str, str], new: dict[str, str]) -> None:
    rang = {"requestType": "receivedTheCall", "generalCallID": "1", "callType": "1"}
    assert told(NOON, **rang, **old) == told(NOON, **rang, **new)


@pytest.mark.parametrize(
    ("name", "extension"), [("incoming_in_the_names_of_api_2", "101"), ("outgoing_in_the_names_of_api_2", "102")]
)
def test_a_call_told_as_the_vendors_samples_do_has_its_employee_before_the_final_record(
    name: str, extension: str
) -> None:
    events = load_story(name, "binotel").events
    for some in (events[:2], events[:3], events):
        (call,) = line("binotel").folded(some).values()
        assert (call.answered_by, call.external) == (extension, "79101234567")


@pytest.mark.parametrize(
    ("disposition", "incoming", "outgoing"),
    [
        ("ANSWER", Outcome.SUCCESS, Outcome.SUCCESS),
        ("TRANSFER", Outcome.SUCCESS, Outcome.SUCCESS),
        ("BUSY", Outcome.MISSED, Outcome.BUSY),
        ("NOANSWER", Outcome.MISSED, Outcome.NO_ANSWER),
        ("CANCEL", Outcome.MISSED, Outcome.CANCELLED),
        ("CONGESTION", Outcome.MISSED, Outcome.FAILED),
        ("CHANUNAVAIL", Outcome.MISSED, Outcome.UNAVAILABLE),
        ("VM-SUCCESS", Outcome.MISSED, Outcome.NO_ANSWER),
        ("SOMETHING", Outcome.MISSED, Outcome.FAILED),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_the_final_record_in_phps_form_and_in_json(
    disposition: str, incoming: Outcome, outgoing: Outcome, as_json: bool
) -> None:
    for kind, expected in (("0", incoming), ("1", outgoing)):
        details = {"generalCallID": "7", "startTime": str(int(NOON.timestamp()) - 60), "callType": kind,
                   "internalNumber": "901", "externalNumber": "0671112233", "waitsec": "5", "billsec": "30",
                   "disposition": disposition, "recordingStatus": "uploading"}  # fmt: skip
        if as_json:
            said: dict[str, Any] = {**details, "pbxNumberData": {"number": "0441112233", "name": "Main"}}
            request = delivered({"requestType": "apiCallCompleted", "callDetails": said}, as_json=True)
        else:
            form = {f"callDetails[{name}]": value for name, value in details.items()}
            form |= {"callDetails[pbxNumberData][number]": "0441112233", "callDetails[historyData][0][billsec]": "30"}
            request = delivered({"requestType": "apiCallCompleted", **form})
        (event,) = binotel.parse(request, {}).events
        talked = 30 if expected is Outcome.SUCCESS else 0
        assert (event.outcome, event.talk_seconds, event.final, event.line) == (expected, talked, True, "0441112233")
        assert event.at == NOON - timedelta(seconds=60 - 5 - talked)
        assert event.recording == "7"


def test_who_was_rung_in_vain_is_known_by_the_final_record_alone() -> None:
    details = {"generalCallID": "7", "callType": "0", "disposition": "CANCEL", "externalNumber": "0671112233",
               "historyData": [{"internalNumber": "901"}, {"internalNumber": "902"}, None, {"waitsec": 1}]}  # fmt: skip
    request = delivered({"requestType": "apiCallCompleted", "callDetails": details}, as_json=True)
    call = fold(binotel.parse(request, {}).events)
    assert (call.closed, call.outcome, call.extensions) == (True, Outcome.MISSED, ("901", "902"))
    answered = {**details, "disposition": "ANSWER", "billsec": 9, "internalNumber": "902"}
    call = fold(
        binotel.parse(delivered({"requestType": "apiCallCompleted", "callDetails": answered}, as_json=True), {}).events
    )
    assert (call.answered_by, call.talk_seconds, sorted(call.extensions)) == ("902", 9, ["901", "902"])


def test_the_final_record_of_a_call_that_waited_long_in_a_queue_is_read() -> None:
    """Each phone that rang, and each time, has seven fields."""
    form = {"callDetails[generalCallID]": "7", "callDetails[callType]": "0", "callDetails[disposition]": "NOANSWER"}
    parts = ("waitsec", "billsec", "disposition", "internalAdditionalData", "employeeData][name", "employeeData][email")
    for ring in range(60):
        row = f"callDetails[historyData][{ring}]"
        form |= {f"{row}[{part}]": "0" for part in parts} | {f"{row}[internalNumber]": str(901 + ring % 20)}
    request = delivered({"requestType": "apiCallCompleted", **form})
    assert len(request.body) < MAX_BODY_BYTES
    binotel.verify(request, TRUST)
    assert len(fold(binotel.parse(request, {}).events).extensions) == 20


def test_what_is_still_going_on_and_a_message_is_no_end() -> None:
    for disposition in ("ONLINE", "calling", "SMS-SENDING", "SMS-SUCCESS", "sms-failed"):
        request = delivered({"requestType": "hangupTheCall", "generalCallID": "1", "disposition": disposition})
        assert binotel.parse(request, {}).events == ()
        request = delivered({
            "requestType": "apiCallCompleted", "callDetails[generalCallID]": "1",
            "callDetails[disposition]": disposition,
        })  # fmt: skip
        assert binotel.parse(request, {}).events == ()


@pytest.mark.parametrize("status", ["", "none", "0", "NO"])
def test_a_call_without_a_recording_names_none(status: str) -> None:
    form = {"callDetails[generalCallID]": "1", "callDetails[recordingStatus]": status}
    (event,) = binotel.parse(delivered({"requestType": "apiCallCompleted", **form}), {}).events
    assert event.recording is None


def test_a_final_record_without_its_call_or_with_another_shape_is_unreadable() -> None:
    for form in ({}, {"callDetails": "x"}, {"callDetails[]": "1"}, {"callDetails[generalCallID][x]": "1"}):
        with pytest.raises(PayloadError):
            binotel.parse(delivered({"requestType": "apiCallCompleted", **form}), {})


def test_who_asks_for_a_caller_is_told_the_name_and_who_is_responsible() -> None:
    for name, number in (("apiCallSettings", "externalNumber"), ("gettingCallSettings", "srcNumber")):
        accepted = binotel.parse(delivered({"requestType": name, number: "0671112233"}), {})
        assert accepted.respond is not None

        def looked_up(number: str) -> ContactCard | None:
            assert number == "0671112233"
            return ContactCard("Олена", "901")

        reply = accepted.respond(OfficeLookups(contact=looked_up, credentials=dict))
        assert json.loads(reply.body) == {"customerData": {"name": "Олена", "assignedToEmployeeNumber": "901"}}
        reply = accepted.respond(OfficeLookups(contact=lambda _: ContactCard("Олена", None), credentials=dict))
        assert json.loads(reply.body) == {"customerData": {"name": "Олена"}}
        assert accepted.respond(OfficeLookups(contact=lambda _: None, credentials=dict)).body == "{}"


# ------------------------------------------------------------------ what goes out


def test_a_number_is_dialled_in_ten_digits_and_one_from_abroad_in_full() -> None:
    with company() as (api, server, account):
        placed = binotel.originate(account, CLICK, PlainDoor())
        assert placed.call_id == "1700000001"
        binotel.originate(account, Click(extension="901", number="+48221112233", reference="r"), PlainDoor())
        assert [said["externalNumber"] for said in api.placed] == ["0671112233", "48221112233"]
        assert server.asked[0].path == "/api/4.0/calls/internal-number-to-external-number.json"


def test_a_click_shows_the_chosen_line_and_does_not_wait_for_the_employee() -> None:
    """Binotel would answer only when the employee's phone was picked up, or half a minute later."""
    with company() as (api, _, account):
        binotel.originate(account, replace(CLICK, line="+380443334000"), PlainDoor())
        binotel.originate(account, replace(CLICK, line="0443334000"), PlainDoor())
        binotel.originate(account, CLICK, PlainDoor())
        assert [said.get("pbxNumber") for said in api.placed] == ["0443334000", "0443334000", None]
        assert [said["async"] for said in api.placed] == [True] * 3


def test_a_click_whose_call_is_not_named_is_placed() -> None:
    with company() as (_, server, account):
        server.faults.append(Fault(Reply(200, {"status": "success"})))
        assert binotel.originate(account, CLICK, PlainDoor()).call_id is None


def test_an_error_has_status_200_and_is_told_without_numbers() -> None:
    with company() as (_, server, account):
        said = {"status": "error", "code": "104", "message": "line 901 can't call 0671112233"}
        server.faults.append(Fault(Reply(200, said)))
        with pytest.raises(BadInputError, match=r"refused it \(104\): line can't call$"):
            binotel.originate(account, CLICK, PlainDoor())


@pytest.mark.parametrize("code", [106, "106"])
def test_too_many_requests_are_told_with_status_200_too_and_none_is_sent_for_a_while(code: object) -> None:
    with company() as (_, server, account):
        door = PlainDoor()
        server.faults.append(
            Fault(Reply(200, {"status": "error", "code": code, "message": "Requests are too frequent"}))
        )
        with pytest.raises(TooManyError, match="in 10 seconds"):
            binotel.originate(account, CLICK, door)
        assert door.held == {"": 10.0}


def test_an_error_tells_nothing_that_was_sent() -> None:
    with company() as (_, server, account):
        for code in ("0671112233", {"phone": "0671112233"}, "binotel-secret"):
            said = {"status": "error", "code": code, "message": "no binotel-secret 0671112233"}
            server.faults.append(Fault(Reply(200, said)))
            with pytest.raises(BadInputError, match=r"refused it \(200\): no \*\*\*$"):
                binotel.originate(account, CLICK, PlainDoor())


def test_the_history_is_asked_for_a_day_at_a_time_and_tells_what_can_be_read() -> None:
    with company() as (api, server, account):
        begun = int((NOON - timedelta(hours=30)).timestamp())
        api.rows = {
            "1": {"generalCallID": 1, "startTime": begun, "callType": "0", "disposition": "ANSWER", "billsec": "9"},
            "2": {"startTime": begun},
            "3": {"generalCallID": "3", "startTime": begun + 90000, "callType": "1", "disposition": "ONLINE"},
        }
        found = list(binotel.history(account, NOON - timedelta(hours=49), NOON, PlainDoor()))
        assert [(event.call_id, event.direction, event.talk_seconds) for event in found] == [("1", Direction.IN, 9)]
        assert len(server.asked) == 3


def test_an_answer_of_another_shape_is_no_answer() -> None:
    with company() as (_, server, account):
        for said in ({"status": "success"}, {"status": "success", "callDetails": "x"}, ["success"]):
            server.faults.append(Fault(Reply(200, said)))
            with pytest.raises(UnreachableError):
                list(binotel.history(account, NOON - timedelta(hours=1), NOON, PlainDoor()))


def test_employees_without_a_number_are_left_out() -> None:
    with company() as (_, _server, account):
        assert [one.extension for one in binotel.extensions(account, PlainDoor())] == ["101", "102"]
        assert "2 employees" in binotel.ping(account, PlainDoor()).detail
