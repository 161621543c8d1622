"""Webhook requests of Binotel: sender, fields, caller lookup."""

import json
from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from binotel_helpers import BINOTEL, KEYS, RINGING, event, webhook
from hangtag.domain.calls.event import Outcome
from hangtag.domain.calls.fold import fold
from hangtag.providers.base import (
    ContactCard,
    OfficeLookups,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
)
from hangtag.providers.binotel.form import BinotelCredentials
from hangtag.providers.binotel.webhook import ADDRESSES
from local.simulator.story import load_story
from provider_stories import NOON, line


def test_requests_from_published_addresses_are_accepted() -> None:
    assert len(set(ADDRESSES)) == 26
    for address in ("194.88.218.114", "194.88.219.78", "194.88.219.89", "194.88.219.92", "185.100.66.147"):
        BINOTEL.verify(webhook({**RINGING, "companyID": "41234567"}, source=address), KEYS)


@pytest.mark.parametrize(
    "address", ["", "194.88.218.115", "194.88.219.90", "194.88.219.91", "185.100.66.148", "127.0.0.1", "x", "::1"]
)
def test_requests_from_other_addresses_are_rejected(address: str) -> None:
    with pytest.raises(SignatureError, match="not from one of Binotel"):
        BINOTEL.verify(webhook({**RINGING, "companyID": "41234567"}, source=address), KEYS)


def test_entered_addresses_replace_the_published_ones() -> None:
    keys = VerificationKeys(
        credentials={"company_id": ("41234567",), "source_addresses": ("10.1.0.0/16, 2001:db8::/32",)}
    )
    for address in ("10.1.255.1", "2001:db8::7"):
        BINOTEL.verify(webhook({**RINGING, "companyID": "41234567"}, source=address), keys)
    with pytest.raises(SignatureError):
        BINOTEL.verify(webhook({**RINGING, "companyID": "41234567"}), keys)


def test_company_id_is_optional_in_two_requests_only() -> None:
    for name in ("hangupTheCall", "apiCallCompleted"):
        BINOTEL.verify(webhook({"requestType": name}), KEYS)
        with pytest.raises(SignatureError, match="companyID"):
            BINOTEL.verify(webhook({"requestType": name, "companyID": "41234568"}), KEYS)
    for name in ("receivedTheCall", "answeredTheCall", "transferredTheCall", "apiCallSettings", "something"):
        with pytest.raises(SignatureError, match="companyID"):
            BINOTEL.verify(webhook({"requestType": name}), KEYS)


@pytest.mark.parametrize("as_json", [False, True])
def test_completed_call_of_another_company_is_rejected(as_json: bool) -> None:
    def completed(company: str, **more: str) -> WebhookRequest:
        nested = {"callDetails": {"companyID": company}} if as_json else {"callDetails[companyID]": company}
        return webhook({"requestType": "apiCallCompleted", **nested, **more}, as_json=as_json)

    BINOTEL.verify(completed("41234567"), KEYS)
    others = [completed("41234568"), completed("41234568", companyID="41234567"), completed("41234567", companyID="4")]
    # In other requests the id must be at the top level.
    for other in (*others, webhook({**RINGING, "callDetails[companyID]": "41234567"})):
        with pytest.raises(SignatureError, match="companyID"):
            BINOTEL.verify(other, KEYS)


@pytest.mark.parametrize("networks", ["", " , ", "binotel.ua", "10.0.0.0/33", "0.0.0.0/0", "::/0"])
def test_form_rejects_invalid_networks(networks: str) -> None:
    with pytest.raises(ValidationError):
        BinotelCredentials(company_id="1", source_addresses=networks)


def test_hangup_ends_every_phone_of_the_call() -> None:
    def at(seconds: int) -> datetime:
        return NOON + timedelta(seconds=seconds)

    events = [
        event(at(0), **RINGING, internalNumber="901"),
        event(at(0), **RINGING, internalNumber="902"),
        event(at(5), **RINGING | {"requestType": "answeredTheCall"}, internalNumber="902"),
        event(at(25), requestType="hangupTheCall", generalCallID="1", billsec="20", disposition="ANSWER"),
    ]
    call = fold(events)
    assert (call.closed, call.outcome, call.answered_by, call.talk_seconds) == (True, Outcome.SUCCESS, "902", 20)
    assert (call.answered_at, call.ended_at) == (at(5), at(25))
    assert {leg.key: leg.outcome for leg in call.legs} == {"901": Outcome.CANCELLED, "902": Outcome.SUCCESS}
    missed = fold([*events[:2], event(at(9), requestType="hangupTheCall", generalCallID="1", disposition="CANCEL")])
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
def test_field_names_of_api_2_are_accepted(old: dict[str, str], new: dict[str, str]) -> None:
    ringing = {"requestType": "receivedTheCall", "generalCallID": "1", "callType": "1"}
    assert event(NOON, **ringing, **old) == event(NOON, **ringing, **new)


@pytest.mark.parametrize(
    ("name", "extension"), [("incoming_in_the_names_of_api_2", "101"), ("outgoing_in_the_names_of_api_2", "102")]
)
def test_vendor_samples_name_the_employee_before_the_end(name: str, extension: str) -> None:
    events = load_story(name, "binotel").events
    for part in (events[:2], events[:3], events):
        (call,) = line("binotel").folded(part).values()
        assert (call.answered_by, call.external) == (extension, "79101234567")


def test_caller_lookup_returns_the_responsible_employee() -> None:
    for name, number in (("apiCallSettings", "externalNumber"), ("gettingCallSettings", "srcNumber")):
        result = BINOTEL.parse(webhook({"requestType": name, number: "0671112233"}), {})
        assert result.respond is not None

        def lookup(number: str) -> ContactCard | None:
            assert number == "0671112233"
            return ContactCard("Олена", "901")

        reply = result.respond(OfficeLookups(contact=lookup, credentials=dict))
        assert json.loads(reply.body) == {"customerData": {"name": "Олена", "assignedToEmployeeNumber": "901"}}
        reply = result.respond(OfficeLookups(contact=lambda _: ContactCard("Олена", None), credentials=dict))
        assert json.loads(reply.body) == {"customerData": {"name": "Олена"}}
        assert result.respond(OfficeLookups(contact=lambda _: None, credentials=dict)).body == "{}"
