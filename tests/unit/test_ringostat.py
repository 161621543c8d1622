"""Ringostat: the template of its webhooks, its statuses, and its API with a call log that is cut off."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from doors import PlainDoor
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import BadInputError, UnreachableError
from hangtag.outbound import check_host
from hangtag.providers import ringostat
from hangtag.providers.base import Account, Click, PayloadError, VerificationKeys, WebhookRequest
from local.simulator.rest import Fault, Reply, Server, serving
from local.simulator.rest.ringostat import Api
from provider_stories import NOON

CLICK = Click(extension="101", number="+380671112233", reference="r")
TAKEN = {"uniqueid": "1700000000.1", "caller": "380671112233", "dst": "380441112233", "connected_with": "101"}
SETTINGS = {"time_zone": "Europe/Kyiv"}


def delivered(event: str, fields: dict[str, str], how: str = "form") -> WebhookRequest:
    """The webhook of that moment, by POST with a form or JSON, or by GET."""
    at_address = {"event": event, **(fields if how == "get" else {})}
    body = {"form": urlencode(fields), "json": json.dumps(fields), "get": ""}[how]
    kinds = {"form": "application/x-www-form-urlencoded", "json": "application/json; charset=utf-8", "get": ""}
    return WebhookRequest(
        method="GET" if how == "get" else "POST",
        path="/hooks/ringostat/***",
        query=urlencode(at_address),
        headers={"content-type": kinds[how]},
        body=body.encode(),
        arrived_at=NOON,
    )


def told(event: str, **fields: str) -> CallEvent:
    (one,) = ringostat.parse(delivered(event, fields), SETTINGS).events
    return one


@contextmanager
def project() -> Iterator[tuple[Api, Server, Account]]:
    api = Api({"auth_key": "a-key-of-the-project"})
    with serving(api) as server:
        yield (
            api,
            server,
            Account(provider="ringostat", credentials=api.credentials(server.url), settings=api.settings(server.url)),
        )


# ------------------------------------------------------------------ what comes in


@pytest.mark.parametrize("how", ["form", "json", "get"])
def test_whichever_way_the_admin_chose_says_the_same(how: str) -> None:
    fields = {**TAKEN, "calldate": "2026-03-01 13:59:54"}
    request = delivered("taken", fields, how)
    ringostat.verify(request, VerificationKeys())
    (event,) = ringostat.parse(request, SETTINGS).events
    assert (event.kind, event.extension, event.external, event.line) == (
        Kind.ANSWERED,
        "101",
        "380671112233",
        "380441112233",
    )
    # Kyiv is two hours ahead of UTC in winter.
    assert event.started_at == NOON - timedelta(seconds=6)


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
def test_each_moment_is_known(moment: str, kind: Kind, direction: Direction, final: bool) -> None:
    event = told(moment, **TAKEN, disposition="ANSWERED", billsec="5")
    assert (event.kind, event.direction, event.final) == (kind, direction, final)
    assert event.outcome is (Outcome.SUCCESS if final else None)


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
def test_the_status_decides(disposition: str, incoming: Outcome, outgoing: Outcome) -> None:
    event = told("after_call", **TAKEN, disposition=disposition, billsec="7")
    assert event.outcome is incoming
    assert event.talk_seconds == (7 if incoming is Outcome.SUCCESS else 0)
    assert told("after_outgoing", **TAKEN, disposition=disposition).outcome is outgoing


def test_a_sip_account_is_known_by_its_login() -> None:
    assert told("taken", **TAKEN | {"connected_with": "SIP/anna"}).extension == "anna"
    outgoing = told("before_outgoing", uniqueid="1", caller="SIP/anna", dst="380671112233")
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
def test_who_calls_is_the_account_and_not_the_line_that_is_shown(caller: str, extension: str | None) -> None:
    fields = {"uniqueid": "1", "caller": caller, "dst": "380671112233", "outbound_number": "380441112233"}
    event = told("before_outgoing", **fields)
    assert (event.extension, event.external, event.line) == (extension, "380671112233", "380441112233")


def test_an_address_of_a_recording_that_there_is_not_is_left_out() -> None:
    address = "https://app.ringostat.com/recordings/1700000000.1.wav?token=x"
    for said, recording in (("1", address), ("", address), ("0", None)):
        told_of = told("after_call", **TAKEN, disposition="NO ANSWER", recording=address, has_recording=said)
        assert told_of.recording == recording
    assert told("taken", **TAKEN, recording=address).recording is None


def test_what_an_unsigned_webhook_names_as_a_recording_is_fetched_from_ringostat_alone() -> None:
    check_host("https://app.ringostat.com/recordings/1.wav?token=x", ringostat.MEDIA_HOSTS)
    for elsewhere in ("https://app.ringostat.com.evil.example/1.wav", "https://evil.example/1.wav"):
        with pytest.raises(BadInputError):
            check_host(elsewhere, ringostat.MEDIA_HOSTS)


def test_a_withheld_number_is_none() -> None:
    for said in ("", "anonymous", "Unknown", "0"):
        assert told("before_call", **TAKEN | {"caller": said}).external == ""
    named = told("before_call", **TAKEN | {"caller": '"Shop 24" <380671112233>'})
    assert named.external == "380671112233"


def test_without_a_time_zone_or_with_a_clock_that_is_off_times_are_left_out() -> None:
    request = delivered("taken", {**TAKEN, "calldate": "2026-03-01 13:59:54"})
    (event,) = ringostat.parse(request, {}).events
    assert event.started_at is None
    assert told("taken", **TAKEN, calldate="2026-02-01 13:59:54").started_at is None
    assert told("taken", **TAKEN, calldate="yesterday").started_at is None


def test_a_webhook_without_its_moment_or_call_is_unreadable() -> None:
    with pytest.raises(PayloadError, match="event is missing"):
        ringostat.parse(delivered("", TAKEN), SETTINGS)
    with pytest.raises(PayloadError, match="uniqueid is missing"):
        told("taken", caller="1")
    assert ringostat.parse(delivered("after_rating", TAKEN), SETTINGS).unknown


# ------------------------------------------------------------------ what goes out


def test_a_click_rings_the_employee_first() -> None:
    with project() as (_, server, account):
        assert ringostat.originate(account, CLICK, PlainDoor()).call_id is None
        (asked,) = server.asked
        assert asked.form == {"extension": "101", "destination": "380671112233"}
        assert asked.headers["auth-key"] == "a-key-of-the-project"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, {"error": "extension 380441112233 is not connected"}),
        Reply(400, {"message": "extension 380441112233 is not connected"}),
        Reply(400, {"error": {"code": 1, "message": "extension 380441112233 is not connected"}}),
    ],
)
def test_a_refusal_is_told_in_ringostats_words_without_numbers(reply: Reply) -> None:
    with project() as (_, server, account):
        server.faults.append(Fault(reply))
        with pytest.raises(BadInputError, match="extension is not connected"):
            ringostat.originate(account, CLICK, PlainDoor())


def test_a_call_log_that_is_cut_off_is_asked_for_in_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives 6500 rows at once, and does not say that there are more: no call of a busy day may be missing."""
    monkeypatch.setattr(ringostat, "MAX_ROWS", 10)
    with project() as (api, server, account):
        api.max_rows = 10
        # 14:00:00 in Kyiv is noon in UTC; the calls are seven seconds apart.
        begun = NOON - timedelta(hours=1)
        for number in range(100):
            at = begun + timedelta(seconds=7 * number, hours=2)
            api.rows.append({
                "uniqueid": str(number), "calldate": at.strftime("%Y-%m-%d %H:%M:%S"), "call_type": "in",
                "caller": "380671112233", "disposition": "ANSWERED", "billsec": 3, "waittime": 2,
            })  # fmt: skip
        found = list(ringostat.history(account, begun, NOON, PlainDoor()))
        assert sorted(int(event.call_id) for event in found) == list(range(100))
        assert len(server.asked) > 10
    assert found[0].at == begun + timedelta(seconds=5)


def test_rows_that_cant_be_read_are_left_out() -> None:
    with project() as (_, server, account):
        good = {"calldate": "2026-03-01 13:00:00", "call_type": "transitout", "dst": "1"}
        rows = [None, {}, {"uniqueid": "1"}, {**good, "uniqueid": "2", "waittime": "x"}, {**good, "uniqueid": "3"}]
        server.faults.append(Fault(Reply(200, rows)))
        (event,) = ringostat.history(account, NOON - timedelta(hours=2), NOON, PlainDoor())
        assert (event.call_id, event.direction) == ("3", Direction.OUT)
        server.faults.append(Fault(Reply(200, {"rows": []})))
        with pytest.raises(UnreachableError):
            list(ringostat.history(account, NOON - timedelta(hours=2), NOON, PlainDoor()))


def test_the_clock_of_a_row_counts_where_it_is_told() -> None:
    """As in the vendor's description of the call log."""
    row = {"uniqueid": "1", "call_type": "in", "caller": "380441112233", "disposition": "ANSWERED", "billsec": 11,
           "waittime": "12", "calldate": "2026-03-01T13:13:43+0300", "connected_with": "380671112233"}  # fmt: skip
    with project() as (_, server, account):
        server.faults.append(Fault(Reply(200, [row])))
        (event,) = ringostat.history(account, NOON - timedelta(hours=2), NOON, PlainDoor())
        assert event.started_at == datetime(2026, 3, 1, 10, 13, 43, tzinfo=UTC)
        assert event.at == event.started_at + timedelta(seconds=23)


def test_without_a_key_nothing_is_asked() -> None:
    with project() as (_, server, account):
        bare = Account(provider="ringostat", credentials={}, settings=account.settings)
        with pytest.raises(BadInputError, match="auth_key"):
            ringostat.ping(bare, PlainDoor())
        assert not server.asked
        assert "2 of its SIP accounts" in ringostat.ping(account, PlainDoor()).detail
