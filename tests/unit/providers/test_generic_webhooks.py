"""A bridge's webhook: its signature, and strict parsing of events."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from generic_helpers import EVENT, GENERIC, KEY, NOW, keys_of, parse, parse_one, webhook_request
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import (
    PayloadError,
    SignatureError,
)
from local.simulator.providers.generic import pbx
from local.simulator.story import load_stories, message

OLDER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()


def library_headers(key: str, message_id: str, at: datetime, body: str) -> dict[str, str]:
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(key).sign(message_id, at, body),
    }


@settings(max_examples=50, deadline=None)
@given(
    key=st.binary(min_size=1, max_size=64), message_id=st.from_regex(r"[!-~]{1,128}", fullmatch=True), body=st.text()
)
def test_signature_of_the_library_is_valid(key: bytes, message_id: str, body: str) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    GENERIC.verify(webhook_request(body.encode(), library_headers(secret, message_id, NOW, body)), keys_of(secret))


def test_library_accepts_the_signature_of_the_simulator() -> None:
    now = datetime.now(UTC)
    for story in load_stories("generic"):
        for event in story.events:
            sent = message(event, {"call": "A", "call2": "B"}, now, now)
            signed = pbx.request("https://hangtag.example.com", sent, {"signing_key": KEY}, now)
            payload = Webhook(KEY).verify(signed.body, dict(signed.headers))
            assert payload == sent.body
            GENERIC.verify(webhook_request(signed.body, signed.headers, now), keys_of(KEY))
            with pytest.raises(WebhookVerificationError):
                Webhook(OLDER).verify(signed.body, dict(signed.headers))


def test_one_matching_signature_is_enough() -> None:
    good = library_headers(KEY, "m-1", NOW, "{}")
    older = library_headers(OLDER, "m-1", NOW, "{}")["webhook-signature"]
    both = {**good, "webhook-signature": f"v1a,x {older} v2, {good['webhook-signature']}"}
    assert both["webhook-signature"].count("v1,") == 2
    for keys in ((KEY,), (OLDER,), ("", "no base64!", KEY)):
        GENERIC.verify(webhook_request(b"{}", both), keys_of(*keys))
    GENERIC.verify(webhook_request(b"{}", good), keys_of(OLDER, KEY))
    with pytest.raises(SignatureError):
        GENERIC.verify(webhook_request(b"{}", good), keys_of(OLDER))


@pytest.mark.parametrize("keys", [(), ("",), ("whsec_",), ("whsec_!!!",), ("é",)])
def test_invalid_key_that_is_stored_verifies_nothing(keys: tuple[str, ...]) -> None:
    signed = pbx.sign(b"", "m-1", str(int(NOW.timestamp())), b"{}")
    headers = {**library_headers(KEY, "m-1", NOW, "{}"), "webhook-signature": f"v1,{signed}"}
    with pytest.raises(SignatureError, match="no signing_key"):
        GENERIC.verify(webhook_request(b"{}", headers), keys_of(*keys))


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_header_of_the_signature_is_required(missing: str) -> None:
    headers = library_headers(KEY, "m-1", NOW, "{}")
    for other in ({name: value for name, value in headers.items() if name != missing}, {**headers, missing: ""}):
        with pytest.raises(SignatureError, match="is missing"):
            GENERIC.verify(webhook_request(b"{}", other), keys_of(KEY))


@settings(max_examples=200, deadline=None)
@given(
    headers=st.fixed_dictionaries(
        {name: st.text(max_size=60) for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
    )
)
@example({"webhook-id": "m", "webhook-timestamp": str(int(NOW.timestamp())), "webhook-signature": "v1,a,b v1 ,, v1,é"})
@example({"webhook-id": "m", "webhook-timestamp": "9" * 5000, "webhook-signature": "v1,a"})
@example({"webhook-id": "m", "webhook-timestamp": "²", "webhook-signature": "v1,a"})
def test_wrong_header_is_a_signature_error(headers: dict[str, str]) -> None:
    """The library lets ValueError out for some of these."""
    with pytest.raises(SignatureError) as refused:
        GENERIC.verify(webhook_request(b"{}", headers), keys_of(KEY))
    assert refused.value.reply.status == 401


def test_every_field_reaches_its_event() -> None:
    event = parse_one(
        type="transferred",
        direction="out",
        leg="leg-7",
        external=" +79101234567 ",
        line="+74951230001",
        at="2026-03-02T12:29:58.250+03:00",
        started_at="2026-03-02T09:29:50Z",
        outcome="busy",
        talk_seconds=5.0,
        recording={"url": "https://pbx.example.com/1.mp3", "temporary": True},
        final=True,
        linked_call_id="c-2",
        data={"utm_source": "site.io"},
    )
    assert event == CallEvent(
        call_id="c-1",
        kind=Kind.TRANSFERRED,
        at=datetime(2026, 3, 2, 9, 29, 58, 250000, UTC),
        leg="leg-7",
        direction=Direction.OUT,
        external="+79101234567",
        line="+74951230001",
        extension="101",
        outcome=Outcome.BUSY,
        talk_seconds=5,
        recording="https://pbx.example.com/1.mp3",
        recording_is_temporary=True,
        final=True,
        linked_call_id="c-2",
        started_at=datetime(2026, 3, 2, 9, 29, 50, tzinfo=UTC),
        event_id="m-1.0",
        data={"utm_source": "site.io"},
    )


def test_missing_field_stays_empty() -> None:
    event = parse_one(external=None, line="", extension=None, leg=None, at=None)
    assert event == CallEvent(
        call_id="c-1", kind=Kind.RINGING, at=NOW, at_is_arrival=True, direction=Direction.IN, event_id="m-1.0"
    )
    assert parse_one(external="").external == ""
    assert parse_one().leg == "101"


@pytest.mark.parametrize("word", list(Outcome))
@pytest.mark.parametrize("direction", list(Direction))
def test_outcome_no_answer_of_an_incoming_call_is_missed(word: Outcome, direction: Direction) -> None:
    outcome = parse_one(type="ended", outcome=str(word), direction=str(direction)).outcome
    missed = (word, direction) == (Outcome.NO_ANSWER, Direction.IN)
    assert outcome is (Outcome.MISSED if missed else word)


@pytest.mark.parametrize(
    ("at", "believed"),
    [
        ("2026-03-02T09:30:00Z", True),
        ("2026-03-02 12:30:00.123456789+03:00", True),
        ("2026-02-28T09:30:00Z", True),
        ("2026-02-28T09:29:59Z", False),
        ("2026-03-04T09:30:01Z", False),
        ("2026-02-30T09:30:00Z", False),
        ("2026-03-02T24:30:00Z", False),
        ("2026-03-02T09:30:00+99:00", False),
        ("0001-01-01T00:00:00+14:00", False),
        ("9999-12-31T23:59:59-14:00", False),
    ],
)
def test_implausible_time_becomes_the_arrival(at: str, believed: bool) -> None:
    event = parse_one(at=at, started_at=at)
    assert event.at_is_arrival is not believed
    assert (event.started_at is not None) is believed
    assert believed or event.at == NOW


def test_event_id_is_stable_for_each_message() -> None:
    twice = {"events": [EVENT, EVENT]}
    first, second = parse(twice, "m-1"), parse(twice, "m-2")
    assert [event.event_id for event in (*first, *second)] == ["m-1.0", "m-1.1", "m-2.0", "m-2.1"]
    assert parse(twice, "m-1") == first
    assert len({event.digest() for event in (*first, *second)}) == 4
    with pytest.raises(PayloadError, match="webhook-id is longer than 128 characters"):
        parse(EVENT, "m" * 129)
    (without,) = GENERIC.parse(webhook_request(json.dumps(EVENT).encode(), {}), {}).events
    assert without.event_id is None


def test_events_of_unknown_types_are_skipped() -> None:
    body = {"events": [{"type": "parked", "whatever": 1}, EVENT, {"type": "settled", "call_id": "c-1"}]}
    accepted = GENERIC.parse(webhook_request(json.dumps(body).encode(), {"webhook-id": "m"}), {})
    assert [(event.kind, event.event_id) for event in accepted.events] == [(Kind.RINGING, "m.1")]
    assert accepted.unknown
    assert not GENERIC.parse(webhook_request(b'{"events": []}', {}), {}).unknown


def test_error_names_the_field_without_its_value() -> None:
    body = {"events": [EVENT, {**EVENT, "outcome": "79101234567"}]}
    with pytest.raises(PayloadError) as refused:
        parse(body)
    assert refused.value.reason.startswith("events[1]: Field outcome is not one of success, missed,")
    problem = json.loads(refused.value.reply.body)
    assert (refused.value.reply.status, problem["status"], problem["detail"]) == (400, 400, refused.value.reason)
    assert "7910" not in refused.value.reply.body
