"""NCCOs of Vonage: the responses to the answer webhook."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from hangtag.providers.base import (
    ContactCard,
    OfficeLookups,
    PayloadError,
)
from local.simulator.pbx.base import JSON
from local.simulator.providers.vonage import pbx as simulated
from local.simulator.story import Message
from provider_stories import NOON
from vonage_helpers import (
    CALLER,
    CONTACT,
    HOOK,
    OURS,
    OWN,
    SECRET,
    is_accepted,
    verification_keys,
    vonage,
    webhook_request,
)

ASKED = {"to": OWN, "from": CONTACT, "uuid": "u-a", "conversation_uuid": "CON-1", "SipHeader_X-UserId": "1938ND9"}


def office(card: ContactCard | None, request_log: list[str] | None = None) -> OfficeLookups:
    def contact(number: str) -> ContactCard | None:
        if request_log is not None:
            request_log.append(number)
        return card

    return OfficeLookups(contact=contact, credentials=dict)


def ncco(settings: Mapping[str, Any], card: ContactCard | None = None, method: str = "GET") -> list[dict[str, Any]]:
    sent = Message(method="GET", post=ASKED) if method == "GET" else Message(body=ASKED)
    request = OURS.received(OURS.signed(sent))
    vonage.verify(request, OURS.verification_keys())
    accepted = vonage.parse(request, settings)
    assert (accepted.events, accepted.unknown) == ((), False)
    assert accepted.respond is not None
    reply = accepted.respond(office(card))
    assert (reply.status, reply.content_type) == (200, JSON)
    if card is None:
        # The contact lookup failed.
        assert accepted.reply == reply
    payload: list[dict[str, Any]] = json.loads(reply.body)
    return payload


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_ncco_rings_the_extensions_one_after_another(method: str) -> None:
    record, first, second, last = ncco(simulated.SETTINGS, method=method)
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


def test_responsible_employee_rings_first() -> None:
    card = ContactCard("Olga", "102")
    actions = ncco({**simulated.SETTINGS, "record_calls": False, "sip_domain": None}, card)
    assert [one["endpoint"][0] for one in actions[:-1]] == [
        {"type": "app", "user": "102"}, {"type": "app", "user": "101"},
    ]  # fmt: skip


@pytest.mark.parametrize("card", [None, ContactCard("Olga", None), ContactCard("Olga", "sip:evil@x")])
def test_caller_hears_a_sentence_if_no_extension_can_ring(card: ContactCard | None) -> None:
    (only,) = ncco({}, card)
    assert only["action"] == "talk"


def test_contact_lookup_uses_e164_unless_the_number_is_withheld() -> None:
    request_log: list[str] = []
    for payload in (ASKED, {**ASKED, "from": "anonymous"}):
        request = webhook_request(b"", method="GET", query=urlencode(payload))
        respond = vonage.parse(request, {}).respond
        assert respond is not None
        respond(office(None, request_log))
    assert request_log == [f"+{CONTACT}"]


def test_answer_webhook_hash_covers_an_empty_body_or_the_query() -> None:
    query = urlencode(ASKED)
    claims = simulated.claims(Message(body={}), simulated.CREDENTIALS, NOON)
    hashes = {
        hashlib.sha256(b"").hexdigest(): True,
        hashlib.sha256(query.encode()).hexdigest(): True,
        hashlib.sha256(b"{}").hexdigest(): False,
    }
    for hashed, good in hashes.items():
        header = simulated.bearer(SECRET, {**claims, "payload_hash": hashed})
        assert is_accepted(webhook_request(b"", header, method="GET", query=query), verification_keys()) is good


def test_get_request_with_a_status_is_rejected() -> None:
    query = urlencode({**CALLER, "status": "completed"})
    with pytest.raises(PayloadError, match="by POST"):
        vonage.parse(webhook_request(b"", method="GET", query=query), {})


def test_user_of_the_vendor_apps_is_connected_to_the_contact() -> None:
    request_log = {"to": CONTACT, "from_user": "anna", "uuid": "u-a", "conversation_uuid": "CON-1"}

    def payload(settings: Mapping[str, Any], **changes: str) -> list[dict[str, Any]]:
        request = webhook_request(b"", method="GET", query=urlencode({**request_log, **changes}))
        accepted = vonage.parse(request, {"ring": "101", **settings})
        assert (accepted.events, accepted.respond) == ((), None)
        actions: list[dict[str, Any]] = json.loads(accepted.reply.body)
        return actions

    record, connect = payload({"caller_id": f"+{OWN}"})
    assert record["action"] == "record"
    assert (connect["from"], connect["endpoint"]) == (OWN, [{"type": "phone", "number": CONTACT}])
    (address,) = connect["eventUrl"]
    hints = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert hints == {"direction": "out", "leg": "contact", "extension": "anna", "line": OWN}
    for actions in (payload({}), payload({"caller_id": f"+{OWN}"}, to="boris")):
        assert [one["action"] for one in actions] == ["talk"]
