"""The webhook of ITooLabs' VATS: its commands as forms or JSON, its statuses."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers import load
from hangtag.providers.base import (
    ContactCard,
    OfficeLookups,
    PayloadError,
    VerificationKeys,
    WebhookRequest,
)
from hangtag.providers.catalog import catalog
from itoolabs_helpers import ITOOLABS
from provider_stories import NOON

EVENT = {"cmd": "event", "type": "INCOMING", "callid": "c1", "phone": "79101234567", "user": "anna", "ext": "101"}


HISTORY = {
    "cmd": "history", "type": "in", "status": "Success", "callid": "c1", "phone": "79101234567", "user": "anna",
    "ext": "101", "start": "20260301T115900Z", "duration": "42",
}  # fmt: skip


def webhook_request(fields: dict[str, str], method: str = "POST") -> WebhookRequest:
    encoded = urlencode(fields)
    return WebhookRequest(
        method=method,
        path="/hooks/itoolabs/***",
        query=encoded if method == "GET" else "",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=encoded.encode() if method == "POST" else b"",
        arrived_at=NOON,
    )


def parse_one(**fields: str) -> CallEvent:
    (one,) = ITOOLABS.parse(webhook_request(fields), {}).events
    return one


def test_presets_share_one_provider_with_their_own_names() -> None:
    infos = {info.key: info for info in catalog() if load(info.key).key == "itoolabs"}
    named = {"kcell", "moldcell", "beeline", "gravitel", "birlink", "vectortel", "transtelecom", "megafon"}
    assert named < infos.keys()
    assert len({info.name for info in infos.values()}) == len(infos)
    assert infos["kcell"].webhook_path == "/hooks/kcell/{token}"


@pytest.mark.parametrize(
    ("name", "kind", "outcome"),
    [
        ("INCOMING", Kind.RINGING, None),
        ("OUTGOING", Kind.RINGING, None),
        ("ACCEPTED", Kind.ANSWERED, None),
        ("COMPLETED", Kind.ENDED, Outcome.SUCCESS),
        ("CANCELLED", Kind.ENDED, Outcome.CANCELLED),
        ("cancelled", Kind.ENDED, Outcome.CANCELLED),
    ],
)
def test_event_type_maps_to_kind_with_outcome(name: str, kind: Kind, outcome: Outcome | None) -> None:
    event = parse_one(**EVENT | {"type": name, "direction": "in"})
    assert (event.kind, event.outcome, event.leg, event.extension) == (kind, outcome, "101", "101")


@pytest.mark.parametrize(
    ("type_", "direction", "expected"),
    [
        ("INCOMING", "", Direction.IN),
        ("OUTGOING", "", Direction.OUT),
        ("ACCEPTED", "", None),
        ("ACCEPTED", "out", Direction.OUT),
        ("INCOMING", "internal", Direction.INTERNAL),
    ],
)
def test_direction_follows_from_the_type_in_the_oldest_version(
    type_: str, direction: str, expected: Direction | None
) -> None:
    assert parse_one(**EVENT | {"type": type_, "direction": direction}).direction is expected


@pytest.mark.parametrize(
    ("user", "ext", "leg", "extension"),
    [
        ("anna", "101", "101", "101"),
        ("anna", "", "anna", "anna"),
        ("g_7f21@company", "", "g_7f21@company", None),
        ("", "", "", None),
    ],
)
def test_leg_is_the_extension_or_the_login_of_a_user(user: str, ext: str, leg: str, extension: str | None) -> None:
    event = parse_one(**EVENT | {"user": user, "ext": ext})
    assert (event.leg, event.extension) == (leg, extension)


@pytest.mark.parametrize(
    ("status", "incoming", "outgoing"),
    [
        ("Success", Outcome.SUCCESS, Outcome.SUCCESS),
        ("success", Outcome.SUCCESS, Outcome.SUCCESS),
        ("missed", Outcome.MISSED, Outcome.NO_ANSWER),
        ("Missed", Outcome.MISSED, Outcome.NO_ANSWER),
        ("Cancel", Outcome.MISSED, Outcome.NO_ANSWER),
        ("Busy", Outcome.MISSED, Outcome.BUSY),
        ("NotAvailable", Outcome.MISSED, Outcome.UNAVAILABLE),
        ("NotAllowed", Outcome.MISSED, Outcome.NOT_ALLOWED),
        ("NotFound", Outcome.MISSED, Outcome.UNAVAILABLE),
        ("Exploded", Outcome.MISSED, Outcome.FAILED),
    ],
)
def test_history_status_determines_the_outcome(status: str, incoming: Outcome, outgoing: Outcome) -> None:
    """A user in the payload does not imply an answer."""
    event = parse_one(**HISTORY | {"status": status})
    assert (event.outcome, event.final) == (incoming, True)
    assert event.talk_seconds == (42 if incoming is Outcome.SUCCESS else 0)
    assert parse_one(**HISTORY | {"status": status, "type": "out"}).outcome is outgoing


def test_history_event_has_the_start_of_the_call() -> None:
    event = parse_one(**HISTORY)
    assert event.started_at == NOON - timedelta(minutes=1)
    assert event.at == NOON - timedelta(seconds=18)
    # A time one week off is replaced by the arrival.
    assert parse_one(**HISTORY | {"start": "20260308T115900Z"}).at_is_arrival


def test_history_is_accepted_as_a_get_request() -> None:
    request = webhook_request({**HISTORY, "crm_token": "x"}, "GET")
    (event,) = ITOOLABS.parse(request, {}).events
    assert event.outcome is Outcome.SUCCESS
    with pytest.raises(PayloadError):
        ITOOLABS.parse(webhook_request({"cmd": "unknown"}, "GET"), {})
    hashed = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    ITOOLABS.verify(request, VerificationKeys(hashes={"crm_token": (hashed,)}))


def test_contact_response_has_name_with_responsible_extension() -> None:
    def response_for(card: ContactCard | None) -> Any:
        accepted = ITOOLABS.parse(webhook_request({"cmd": "contact", "phone": "79101234567", "callid": "c1"}), {})
        assert accepted.respond is not None
        office = OfficeLookups(contact=lambda _: card, credentials=dict)
        return json.loads(accepted.respond(office).body)

    assert response_for(ContactCard("Ольга", "102")) == {"contact_name": "Ольга", "responsible": "102"}
    assert response_for(ContactCard("Ольга", None)) == {"contact_name": "Ольга"}
    assert response_for(None) == {}


def test_rating_is_accepted_without_events() -> None:
    accepted = ITOOLABS.parse(webhook_request({"cmd": "rating", "callid": "c1", "rating": "5"}), {})
    assert (accepted.events, accepted.unknown, accepted.reply.status) == ((), False, 200)
