"""Webhook requests of Ringostat: formats, moments, statuses."""

from datetime import timedelta

import pytest

from hangtag.domain.calls.event import Direction, Kind, Outcome
from hangtag.errors import BadInputError
from hangtag.outbound import check_host
from hangtag.providers.base import PayloadError, VerificationKeys
from provider_stories import NOON
from ringostat_helpers import ANSWERED, RINGOSTAT, SETTINGS, event, webhook


@pytest.mark.parametrize("encoding", ["form", "json", "get"])
def test_every_method_and_format_is_accepted(encoding: str) -> None:
    fields = {**ANSWERED, "calldate": "2026-03-01 13:59:54"}
    request = webhook("taken", fields, encoding)
    RINGOSTAT.verify(request, VerificationKeys())
    (result,) = RINGOSTAT.parse(request, SETTINGS).events
    assert (result.kind, result.extension, result.external, result.line) == (
        Kind.ANSWERED,
        "101",
        "380671112233",
        "380441112233",
    )
    # Kyiv is two hours ahead of UTC in winter.
    assert result.started_at == NOON - timedelta(seconds=6)


@pytest.mark.parametrize(
    ("moment", "kind", "direction", "final"),
    [
        ("before_call", Kind.RINGING, Direction.IN, False),
        ("forwarding", Kind.RINGING, Direction.IN, False),
        ("taken", Kind.ANSWERED, Direction.IN, False),
        ("after_call", Kind.ENDED, Direction.IN, True),
        ("before_outgoing", Kind.RINGING, Direction.OUT, False),
        ("after_outgoing", Kind.ENDED, Direction.OUT, True),
    ],
)
def test_each_moment_sets_kind_and_direction(moment: str, kind: Kind, direction: Direction, final: bool) -> None:
    result = event(moment, **ANSWERED, disposition="ANSWERED", billsec="5")
    assert (result.kind, result.direction, result.final) == (kind, direction, final)
    assert result.outcome is (Outcome.SUCCESS if final else None)


@pytest.mark.parametrize(
    ("disposition", "incoming", "outgoing"),
    [
        ("ANSWERED", Outcome.SUCCESS, Outcome.SUCCESS),
        ("PROPER", Outcome.SUCCESS, Outcome.SUCCESS),
        ("REPEATED", Outcome.SUCCESS, Outcome.SUCCESS),
        ("repeated", Outcome.SUCCESS, Outcome.SUCCESS),
        ("NO ANSWER", Outcome.MISSED, Outcome.NO_ANSWER),
        ("NO_ANSWER", Outcome.MISSED, Outcome.NO_ANSWER),
        ("NO+ANSWER", Outcome.MISSED, Outcome.NO_ANSWER),
        ("CLIENT NO ANSWER", Outcome.MISSED, Outcome.NO_ANSWER),
        ("BUSY", Outcome.MISSED, Outcome.BUSY),
        ("VOICEMAIL", Outcome.MISSED, Outcome.FAILED),
        ("NO-FORWARD", Outcome.MISSED, Outcome.FAILED),
        ("WRONG EXTENSION", Outcome.MISSED, Outcome.FAILED),
        ("FAILED FORBIDDEN DESTINATION", Outcome.MISSED, Outcome.NOT_ALLOWED),
        ("SOMETHING NEW", Outcome.MISSED, Outcome.FAILED),
    ],
)
def test_disposition_sets_the_outcome(disposition: str, incoming: Outcome, outgoing: Outcome) -> None:
    result = event("after_call", **ANSWERED, disposition=disposition, billsec="7")
    assert result.outcome is incoming
    assert result.talk_seconds == (7 if incoming is Outcome.SUCCESS else 0)
    assert event("after_outgoing", **ANSWERED, disposition=disposition).outcome is outgoing


def test_sip_account_is_reported_as_its_login() -> None:
    assert event("taken", **ANSWERED | {"connected_with": "SIP/anna"}).extension == "anna"
    outgoing = event("before_outgoing", uniqueid="1", caller="SIP/anna", dst="380671112233")
    assert (outgoing.extension, outgoing.external, outgoing.line) == ("anna", "380671112233", None)


@pytest.mark.parametrize(
    ("caller", "extension"),
    [
        ('"itrix_Contact" <itrix_Contact>', "itrix_Contact"),
        ('"Anna" <SIP/anna>', "anna"),
        ('"Support PhonerLite" <380441112233>', "Support PhonerLite"),
        ("<anna>", "anna"),
        ("380441112233", "380441112233"),
        ("", None),
        ("<>", None),
    ],
)
def test_caller_is_the_account_rather_than_the_line(caller: str, extension: str | None) -> None:
    fields = {"uniqueid": "1", "caller": caller, "dst": "380671112233", "outbound_number": "380441112233"}
    result = event("before_outgoing", **fields)
    assert (result.extension, result.external, result.line) == (extension, "380671112233", "380441112233")


def test_address_without_a_recording_is_ignored() -> None:
    address = "https://app.ringostat.com/recordings/1700000000.1.wav?token=x"
    for has_recording, recording in (("1", address), ("", address), ("0", None)):
        result = event(
            "after_call", **ANSWERED, disposition="NO ANSWER", recording=address, has_recording=has_recording
        )
        assert result.recording == recording
    assert event("taken", **ANSWERED, recording=address).recording is None


def test_recordings_are_downloaded_from_ringostat_only() -> None:
    check_host("https://app.ringostat.com/recordings/1.wav?token=x", RINGOSTAT.media_hosts)
    for elsewhere in ("https://app.ringostat.com.evil.example/1.wav", "https://evil.example/1.wav"):
        with pytest.raises(BadInputError):
            check_host(elsewhere, RINGOSTAT.media_hosts)


def test_withheld_number_is_empty() -> None:
    for caller in ("", "anonymous", "Unknown", "0"):
        assert event("before_call", **ANSWERED | {"caller": caller}).external == ""
    named = event("before_call", **ANSWERED | {"caller": '"Shop 24" <380671112233>'})
    assert named.external == "380671112233"


def test_times_without_a_time_zone_are_ignored() -> None:
    request = webhook("taken", {**ANSWERED, "calldate": "2026-03-01 13:59:54"})
    (result,) = RINGOSTAT.parse(request, {}).events
    assert result.started_at is None
    assert event("taken", **ANSWERED, calldate="2026-02-01 13:59:54").started_at is None
    assert event("taken", **ANSWERED, calldate="yesterday").started_at is None


def test_webhook_without_event_or_call_is_rejected() -> None:
    with pytest.raises(PayloadError, match="event is missing"):
        RINGOSTAT.parse(webhook("", ANSWERED), SETTINGS)
    with pytest.raises(PayloadError, match="uniqueid is missing"):
        event("taken", caller="1")
    assert RINGOSTAT.parse(webhook("after_rating", ANSWERED), SETTINGS).unknown
