"""The telephony API: what a PBX may post, and what it is told."""

import hashlib
import json
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import ContactCard, OfficeLookups, ParseResult, WebhookRejectedError, WebhookRequest
from telephony import receive

TOKEN = "0123456789abcdef0123456789abcdef"
SECRETS = {"planfix_token": (hashlib.sha256(TOKEN.encode()).hexdigest(),)}
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EVENT = {
    "cmd": "event",
    "type": "in",
    "event": "INCOMING",
    "phone": "79101234567",
    "diversion": "74951234567",
    "ext": "101",
    "callid": "D10D0EB124F4E64AF4EA-1511",
    "planfix_token": TOKEN,
}


def post(body: bytes, content_type: str = "application/x-www-form-urlencoded") -> ParseResult | WebhookRejectedError:
    """Hand a body to the provider as the webhook would."""
    request = WebhookRequest(
        method="POST",
        path="/tel/api/***",
        query="",
        headers={"content-type": content_type},
        body=body,
        arrived_at=NOW,
    )
    return receive(request, SECRETS)


def said(fields: dict[str, str]) -> CallEvent:
    """The one event of an accepted delivery."""
    result = post(urlencode(fields).encode())
    assert isinstance(result, ParseResult), result
    assert (result.reply.status, result.reply.body) == (200, "")
    (event,) = result.events
    return event


def refusal(fields: dict[str, str]) -> tuple[int, str, str]:
    """Status, error text and the admin's reason of a refused delivery."""
    result = post(urlencode(fields).encode())
    assert isinstance(result, WebhookRejectedError)
    return result.reply.status, json.loads(result.reply.body)["error"], result.reason


def test_an_incoming_call_rings_at_an_extension() -> None:
    event = said(EVENT)
    assert (event.kind, event.direction, event.extension) == (Kind.RINGING, Direction.IN, "101")
    assert (event.external, event.line) == ("79101234567", "74951234567")
    assert event.at == NOW
    assert event.at_is_arrival


def test_the_end_of_a_call_brings_status_duration_link_and_extra_fields() -> None:
    # The documented sample of an outgoing call.
    event = said(
        EVENT
        | {
            "type": "out",
            "event": "COMPLETED",
            "duration": "124",
            "is_recorded": "1",
            "status": "Success",
            "record_link": "https://link/file.mp3",
            "data_utm_source": "site.io",
            "data_utm_medium": "banner",
        }
    )
    assert (event.kind, event.direction, event.outcome) == (Kind.ENDED, Direction.OUT, Outcome.SUCCESS)
    assert (event.talk_seconds, event.recording) == (124, "https://link/file.mp3")
    assert event.data == {"utm_source": "site.io", "utm_medium": "banner"}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("Success", Outcome.SUCCESS),
        ("success", Outcome.SUCCESS),
        ("Missed", Outcome.MISSED),
        ("Cancelled", Outcome.CANCELLED),
        ("Canceled", Outcome.CANCELLED),
        ("Busy", Outcome.BUSY),
        ("NoAnswer", Outcome.NO_ANSWER),
        ("NO ANSWER", Outcome.NO_ANSWER),
        ("NotAvailable", Outcome.UNAVAILABLE),
        ("NotAvaliable", Outcome.UNAVAILABLE),
        ("NotAllowed", Outcome.NOT_ALLOWED),
        ("Exploded", Outcome.FAILED),
        ("", None),
    ],
)
def test_statuses_are_read_leniently(status: str, outcome: Outcome | None) -> None:
    assert said(EVENT | {"event": "COMPLETED", "status": status}).outcome is outcome


def test_a_withheld_number_is_an_empty_one_and_a_missing_one_is_refused() -> None:
    assert said(EVENT | {"phone": ""}).external == ""
    without = {name: value for name, value in EVENT.items() if name != "phone"}
    assert refusal(without) == (400, "Invalid parameters", "phone is missing")


def test_the_extras_are_understood() -> None:
    event = said(
        EVENT
        | {
            "event": "TRANSFERRED",
            "second_callid": "other",
            "start": "20260301T115500Z",
            "event_id": "e-1",
            "final": "1",
        }
    )
    assert (event.kind, event.linked_call_id, event.event_id) == (Kind.TRANSFERRED, "other", "e-1")
    assert event.final
    assert event.started_at == datetime(2026, 3, 1, 11, 55, tzinfo=UTC)


@pytest.mark.parametrize(
    "start",
    ["2026-03-01T11:55:00+00:00", "2026-03-01T14:55:00+03:00", "20260301T115500Z", "1772366100"],
)
def test_a_start_is_read_in_any_documented_form(start: str) -> None:
    assert said(EVENT | {"start": start}).started_at == datetime(2026, 3, 1, 11, 55, tzinfo=UTC)


@pytest.mark.parametrize("start", ["", "noon", "2026-03-01T11:55:00", "0", "99999999999999", "-5"])
def test_a_start_that_cannot_be_believed_is_ignored(start: str) -> None:
    assert said(EVENT | {"start": start}).started_at is None


def test_a_late_recording_is_an_event_of_its_own() -> None:
    event = said(
        {
            "cmd": "record",
            "callid": "c-1",
            "is_temp": "1",
            "record_link": "https://pbx/1.mp3",
            "planfix_token": TOKEN,
        }
    )
    assert (event.kind, event.recording) == (Kind.RECORDED, "https://pbx/1.mp3")
    assert event.recording_is_temporary


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN.upper(), "ключ"])
def test_a_wrong_token_is_refused_with_the_apis_own_error(token: str) -> None:
    status, error, _ = refusal(EVENT | {"planfix_token": token})
    assert (status, error) == (401, "Invalid token")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cmd": ""}, "cmd is missing"),
        ({"cmd": "dance"}, "cmd is none of event, record, contact, ping"),
        ({"event": "EXPLODED"}, "event is none of"),
        ({"type": "sideways"}, "type is neither in nor out"),
        ({"callid": " "}, "callid is missing"),
        ({"event": "COMPLETED", "duration": "long"}, "duration is not a whole number"),
        ({"event": "COMPLETED", "duration": "-1"}, "duration is not a whole number"),
        ({"phone": "7" * 5000}, "phone is longer than 64 characters"),
        ({"ext": "1\x00"}, "holds a NUL"),
    ],
)
def test_bad_parameters_are_refused_and_the_reason_never_shows_a_value(change: dict[str, str], reason: str) -> None:
    status, error, why = refusal(EVENT | change)
    assert (status, error) == (400, "Invalid parameters")
    assert why.startswith(reason)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"%zz=1",
        b"cmd=%",
        b"cmd=%ff",
        b"\xff\xfe",
        b"&".join([b"a=1"] * 201),
        b"cmd=event&cmd=ping",
        b"[1,2,3]",
        b"=" * 1000,
    ],
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    result = post(body)
    assert isinstance(result, WebhookRejectedError)
    assert result.reply.status in (400, 401)


def test_a_json_array_is_refused_as_no_form() -> None:
    result = post(b'["cmd","event"]', "application/json")
    assert isinstance(result, WebhookRejectedError)
    assert (result.reply.status, "not JSON" in result.reason) == (400, True)


def test_a_byte_order_mark_is_passed_over() -> None:
    result = post(b"\xef\xbb\xbf" + urlencode(EVENT).encode())
    assert isinstance(result, ParseResult)


@given(st.binary(max_size=300), st.text(max_size=30))
def test_nothing_that_can_be_posted_raises(body: bytes, content_type: str) -> None:
    """Promise: receive is total."""
    assert isinstance(post(body, content_type), WebhookRejectedError)


@given(st.dictionaries(st.sampled_from(sorted(EVENT)), st.text(max_size=80)))
def test_no_values_of_known_parameters_raise(fields: dict[str, str]) -> None:
    """Promise: whatever a bridge puts into its parameters, it gets an answer."""
    post(urlencode(EVENT | fields | {"planfix_token": TOKEN}, errors="replace").encode())


def office(card: ContactCard | None) -> OfficeLookups:
    return OfficeLookups(
        contact=lambda _number: card,
        credentials=lambda: {"pbx_url": "https://pbx.example", "pbx_token": "s3cret"},
    )


@pytest.mark.parametrize(
    ("card", "answer"),
    [
        (None, {}),
        (ContactCard("Ivan", "103"), {"contact_name": "Ivan", "responsible": 103}),
        (ContactCard("Ivan", "007"), {"contact_name": "Ivan", "responsible": "007"}),
        (ContactCard("Ivan", None), {"contact_name": "Ivan"}),
    ],
)
def test_a_contact_is_answered_in_the_documented_form(card: ContactCard | None, answer: dict[str, object]) -> None:
    result = post(urlencode({"cmd": "contact", "phone": "7910", "planfix_token": TOKEN}).encode())
    assert isinstance(result, ParseResult)
    assert result.respond is not None
    assert json.loads(result.respond(office(card)).body) == answer
    assert json.loads(result.reply.body) == {}


def test_a_ping_is_answered_with_what_the_admin_typed() -> None:
    result = post(urlencode({"cmd": "ping", "planfix_token": TOKEN}).encode())
    assert isinstance(result, ParseResult)
    assert result.respond is not None
    reply = result.respond(office(None))
    assert json.loads(reply.body) == {"pbxToken": "s3cret", "pbxUrl": "https://pbx.example"}
