"""The telephony API: requests of a PBX, and the responses to them."""

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


def parse_one(fields: dict[str, str]) -> CallEvent:
    """Return the only event of an accepted request."""
    result = post(urlencode(fields).encode())
    assert isinstance(result, ParseResult), result
    assert (result.reply.status, result.reply.body) == (200, "")
    (event,) = result.events
    return event


def rejection(fields: dict[str, str]) -> tuple[int, str, str]:
    """Status, error text and the admin's reason of a refused delivery."""
    result = post(urlencode(fields).encode())
    assert isinstance(result, WebhookRejectedError)
    return result.reply.status, json.loads(result.reply.body)["error"], result.reason


def test_incoming_event_rings_at_an_extension() -> None:
    event = parse_one(EVENT)
    assert (event.kind, event.direction, event.extension) == (Kind.RINGING, Direction.IN, "101")
    assert (event.external, event.line) == ("79101234567", "74951234567")
    assert event.at == NOW
    assert event.at_is_arrival


def test_completed_event_has_all_fields_of_the_end() -> None:
    # The documented sample of an outgoing call.
    event = parse_one(
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
def test_status_is_read_leniently(status: str, outcome: Outcome | None) -> None:
    assert parse_one(EVENT | {"event": "COMPLETED", "status": status}).outcome is outcome


def test_withheld_number_is_empty_in_a_required_field() -> None:
    assert parse_one(EVENT | {"phone": ""}).external == ""
    without = {name: value for name, value in EVENT.items() if name != "phone"}
    assert rejection(without) == (400, "Invalid parameters", "Field phone is missing.")


def test_compatible_extensions_are_supported() -> None:
    event = parse_one(
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
def test_start_is_read_in_every_documented_format(start: str) -> None:
    assert parse_one(EVENT | {"start": start}).started_at == datetime(2026, 3, 1, 11, 55, tzinfo=UTC)


@pytest.mark.parametrize("start", ["", "noon", "2026-03-01T11:55:00", "0", "99999999999999", "-5"])
def test_implausible_start_is_ignored(start: str) -> None:
    assert parse_one(EVENT | {"start": start}).started_at is None


def test_late_recording_is_a_separate_event() -> None:
    event = parse_one(
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
def test_wrong_token_gets_the_documented_error(token: str) -> None:
    status, error, _ = rejection(EVENT | {"planfix_token": token})
    assert (status, error) == (401, "Invalid token")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cmd": ""}, "Field cmd is missing."),
        ({"cmd": "dance"}, "Field cmd is not one of event, record, contact, ping."),
        ({"event": "EXPLODED"}, "Field event is not one of"),
        ({"type": "sideways"}, "Field type is neither in nor out."),
        ({"callid": " "}, "Field callid is missing."),
        ({"event": "COMPLETED", "duration": "long"}, "Field duration is not a whole number."),
        ({"event": "COMPLETED", "duration": "-1"}, "Field duration is not a whole number."),
        ({"phone": "7" * 5000}, "Field phone is longer than 64 characters."),
        ({"ext": "1\x00"}, "A parameter holds a NUL."),
    ],
)
def test_bad_parameter_is_rejected_without_its_value(change: dict[str, str], reason: str) -> None:
    status, error, why = rejection(EVENT | change)
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
def test_body_that_is_not_a_form_is_rejected(body: bytes) -> None:
    result = post(body)
    assert isinstance(result, WebhookRejectedError)
    assert result.reply.status in (400, 401)


def test_json_array_is_rejected() -> None:
    result = post(b'["cmd","event"]', "application/json")
    assert isinstance(result, WebhookRejectedError)
    assert (result.reply.status, "not JSON" in result.reason) == (400, True)


def test_byte_order_mark_is_ignored() -> None:
    result = post(b"\xef\xbb\xbf" + urlencode(EVENT).encode())
    assert isinstance(result, ParseResult)


@given(st.binary(max_size=300), st.text(max_size=30))
def test_any_body_is_parsed_or_rejected(body: bytes, content_type: str) -> None:
    """Promise: receive is total."""
    assert isinstance(post(body, content_type), WebhookRejectedError)


@given(st.dictionaries(st.sampled_from(sorted(EVENT)), st.text(max_size=80)))
def test_any_parameter_value_is_parsed_or_rejected(fields: dict[str, str]) -> None:
    """Any parameter value of a bridge gets a response."""
    post(urlencode(EVENT | fields | {"planfix_token": TOKEN}, errors="replace").encode())


def lookups(card: ContactCard | None) -> OfficeLookups:
    return OfficeLookups(
        contact=lambda _number: card,
        credentials=lambda: {"pbx_url": "https://pbx.example", "pbx_token": "s3cret"},
    )


@pytest.mark.parametrize(
    ("card", "response"),
    [
        (None, {}),
        (ContactCard("Ivan", "103"), {"contact_name": "Ivan", "responsible": 103}),
        (ContactCard("Ivan", "007"), {"contact_name": "Ivan", "responsible": "007"}),
        (ContactCard("Ivan", None), {"contact_name": "Ivan"}),
    ],
)
def test_contact_response_has_the_documented_format(card: ContactCard | None, response: dict[str, object]) -> None:
    result = post(urlencode({"cmd": "contact", "phone": "7910", "planfix_token": TOKEN}).encode())
    assert isinstance(result, ParseResult)
    assert result.respond is not None
    assert json.loads(result.respond(lookups(card)).body) == response
    assert json.loads(result.reply.body) == {}


def test_ping_response_has_the_entered_credentials() -> None:
    result = post(urlencode({"cmd": "ping", "planfix_token": TOKEN}).encode())
    assert isinstance(result, ParseResult)
    assert result.respond is not None
    reply = result.respond(lookups(None))
    assert json.loads(reply.body) == {"pbxToken": "s3cret", "pbxUrl": "https://pbx.example"}
