"""Zadarma: its double encoding, its words, its API."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from doors import PlainDoor
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers import zadarma
from hangtag.providers.base import Account, Click, SignatureError, VerificationKeys, WebhookRequest
from local.simulator.pbx import zadarma as simulated
from local.simulator.rest import Fault, Reply, Server, serving
from local.simulator.rest.zadarma import Api
from local.simulator.story import load_story
from provider_stories import NOON, comparable, line

SECRET = "zadarma_api_secret"
TRUST = VerificationKeys(credentials={"api_secret": (SECRET,)})
CALL = {"caller_id": "442037691880", "called_did": "442037691881", "call_start": "2026-11-23 10:00:00"}
ANSWER = {"caller_id": "442037691880", "destination": "100", "call_start": "2026-11-23 10:00:00"}
OUT = {"internal": "100", "destination": "442037691882", "call_start": "2026-11-23 10:05:00"}
RECORD = {"pbx_call_id": "in_ae6b03b3b0765d127ec0b739209346bbc4f0d52d", "call_id_with_rec": "1458313316.343456"}
# Computed with the vendor's primitive over the strings of its PHP classes, apart from this code.
WORKED = [
    ("NOTIFY_START", CALL, "OTdkNTc3ODYwNjZjZDQ5OTI2MWNjZWI0ZDk3MzQ3ZDdlYWRmYzIzMg=="),
    ("NOTIFY_INTERNAL", CALL, "OTdkNTc3ODYwNjZjZDQ5OTI2MWNjZWI0ZDk3MzQ3ZDdlYWRmYzIzMg=="),
    ("NOTIFY_END", CALL, "OTdkNTc3ODYwNjZjZDQ5OTI2MWNjZWI0ZDk3MzQ3ZDdlYWRmYzIzMg=="),
    ("NOTIFY_ANSWER", ANSWER, "YzRhMWI0MWYxZjQ4YTY1MDRhNjNmNzc2MDBiNTE1YzgyZGVhMmM5OA=="),
    ("NOTIFY_OUT_START", OUT, "ODY4M2RmNTUxYWQ0Njg2ZDc3ODk1MDA1MmU0N2E2YmZlN2I0ZjIxYw=="),
    ("NOTIFY_OUT_END", OUT, "ODY4M2RmNTUxYWQ0Njg2ZDc3ODk1MDA1MmU0N2E2YmZlN2I0ZjIxYw=="),
    ("NOTIFY_RECORD", RECORD, "MDkyNTEwNjE3MWU4NGM1NzhmMDVlNGEzN2QyZTg3NzE1ZDU2MjdkYw=="),
]


def delivered(event: str, fields: dict[str, str], signature: str = "") -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        path="/hooks/zadarma/***",
        query="",
        headers={"content-type": "application/x-www-form-urlencoded", "signature": signature},
        body=urlencode({"event": event, **fields}).encode(),
        arrived_at=NOON,
    )


def told(event: str, **fields: str) -> CallEvent:
    (one,) = zadarma.parse(delivered(event, {"pbx_call_id": "in_1", **fields}), simulated.SETTINGS).events
    return one


# ------------------------------------------------------------------ what comes in


@pytest.mark.parametrize(("event", "fields", "signature"), WORKED, ids=[event for event, _, _ in WORKED])
def test_the_worked_signatures_are_taken(event: str, fields: dict[str, str], signature: str) -> None:
    zadarma.verify(delivered(event, fields, signature), TRUST)
    assert simulated._signature(simulated._signed({"event": event, **fields}), SECRET) == signature


def test_the_raw_digest_of_the_vendors_prose_is_refused() -> None:
    with pytest.raises(SignatureError):
        zadarma.verify(delivered("NOTIFY_START", CALL, "l9V3hgZs1JkmHM602XNH1+rfwjI="), TRUST)


@pytest.mark.parametrize(
    ("disposition", "incoming", "outgoing"),
    [
        ("answered", Outcome.SUCCESS, Outcome.SUCCESS),
        ("busy", Outcome.MISSED, Outcome.BUSY),
        ("cancel", Outcome.MISSED, Outcome.CANCELLED),
        ("no answer", Outcome.MISSED, Outcome.NO_ANSWER),
        ("failed", Outcome.MISSED, Outcome.FAILED),
        ("call failed", Outcome.MISSED, Outcome.FAILED),
        ("unallocated number", Outcome.MISSED, Outcome.UNAVAILABLE),
        ("no money", Outcome.MISSED, Outcome.NOT_ALLOWED),
        ("no money, no limit", Outcome.MISSED, Outcome.NOT_ALLOWED),
        ("something new", Outcome.MISSED, Outcome.NOT_ALLOWED),
        ("", None, None),
    ],
)
def test_dispositions_are_read(disposition: str, incoming: Outcome | None, outgoing: Outcome | None) -> None:
    assert told("NOTIFY_END", disposition=disposition).outcome is incoming
    assert told("NOTIFY_OUT_END", disposition=disposition).outcome is outgoing


@pytest.mark.parametrize(("said", "number"), [("anonymous", ""), ("0", ""), ("", ""), ("74957654321", "74957654321")])
def test_a_withheld_number_is_an_empty_one(said: str, number: str) -> None:
    assert told("NOTIFY_START", caller_id=said).external == number


def test_the_start_is_read_in_the_accounts_time_zone_and_left_out_without_one() -> None:
    begun = "2026-03-01 14:59:00"
    assert told("NOTIFY_START", call_start=begun).started_at == NOON - timedelta(minutes=1)
    plain = delivered("NOTIFY_START", {"pbx_call_id": "in_1", "call_start": begun})
    assert zadarma.parse(plain, {}).events[0].started_at is None
    # A clock that is a week off is not believed.
    assert told("NOTIFY_START", call_start="2026-03-08 15:00:00").started_at is None


def test_the_end_is_final_and_names_the_recording_if_there_is_one() -> None:
    end = told(
        "NOTIFY_END", internal="101", disposition="answered", duration="5", is_recorded="1", call_id_with_rec="r1"
    )
    assert (end.kind, end.final, end.talk_seconds, end.recording) == (Kind.ENDED, True, 5, "r1")
    assert told("NOTIFY_END", disposition="answered", is_recorded="0", call_id_with_rec="r1").recording is None


# ------------------------------------------------------------------ what goes out


@contextmanager
def asking(**credentials: str) -> Iterator[tuple[Account, Api, Server]]:
    """An account at the vendor's API."""
    api = Api(simulated.CREDENTIALS)
    with serving(api) as server:
        typed = {**api.credentials(server.url), **credentials}
        yield Account(provider="zadarma", credentials=typed, settings=api.settings(server.url)), api, server


def test_a_request_is_signed_as_the_vendors_python_client_signs_it() -> None:
    """The worked example, which that client makes with the same parameters."""
    with asking(api_key="user_key") as (account, _, server):
        server.faults.append(Fault(Reply(200, {"status": "success"})))
        click = Click(extension="100", number="+442037691882", reference="r")
        zadarma.originate(account, click, PlainDoor())
        (asked,) = server.asked
    assert (asked.path, asked.query) == ("/v1/request/callback/", "format=json&from=100&sip=100&to=442037691882")
    expected = "user_key:YWJkNjVlNjllNTJmZWNiYTU5NzYyYTEyMjNkOWJmNTgwNTE2ODFmZA=="
    assert asked.headers["authorization"] == expected


def test_a_click_rings_the_extension_first_and_names_no_call() -> None:
    with asking() as (account, _, server):
        placed = zadarma.originate(account, Click(extension="101", number="+74957654321", reference="r"), PlainDoor())
        assert placed.call_id is None
        assert server.asked[0].parameters["from"] == "101"
        # That would ring the contact first.
        assert "predicted" not in server.asked[0].parameters


def test_a_recordings_link_is_asked_for_anew() -> None:
    with asking() as (account, _, server):
        media = zadarma.recording(account, "1458313316.343456", PlainDoor())
        assert media.url == "https://api.zadarma.com/v1/pbx/record/download/1458313316.343456.mp3"
        assert media.headers == {}
        links = {"status": "success", "links": ["https://api.zadarma.com/1.mp3", "https://api.zadarma.com/2.mp3"]}
        server.faults.append(Fault(Reply(200, links)))
        assert zadarma.recording(account, "x", PlainDoor()).url == "https://api.zadarma.com/1.mp3"


def test_the_admin_is_told_what_the_vendor_says() -> None:
    with asking() as (account, _, server):
        server.faults.append(Fault(Reply(400, {"status": "error", "message": "Wrong caller ID"})))
        with pytest.raises(BadInputError, match=r"refused it \(400\): Wrong caller ID"):
            zadarma.extensions(account, PlainDoor())
    with asking(api_secret="wrong") as (account, _, _), pytest.raises(BadInputError, match="does not take api_key"):
        zadarma.extensions(account, PlainDoor())
    with pytest.raises(BadInputError, match="are needed"):
        zadarma.extensions(Account(provider="zadarma", credentials={"api_secret": "x"}), PlainDoor())


def test_set_up_enters_the_address_and_switches_all_notifications_on() -> None:
    with asking() as (account, api, _):
        here = Account(
            provider="zadarma", credentials=account.credentials, settings=account.settings, webhook_url="https://h/1"
        )
        assert zadarma.set_up(here, {}, PlainDoor()).ok
        assert api.set_up.pop("url") == "https://h/1"
        assert set(api.set_up.values()) == {"true"}
        assert len(api.set_up) == 6


def row(call_id: str, started: datetime, **more: Any) -> dict[str, Any]:
    """One row of the statistics, in the account's clock."""
    local = (started + timedelta(hours=3)).strftime("%Y-%m-%d %H:%M:%S")
    return {
        "call_type": "in", "call_id": "1458313316.1", "sip": "", "callstart": local, "clid": "79101234567",
        "destination": "101", "disposition": "answered", "seconds": 62, "is_recorded": "false", "pbx_call_id": call_id,
        **more,
    }  # fmt: skip


def test_history_pages_through_all_rows_of_both_directions() -> None:
    with asking() as (account, api, server):
        api.rows = [row(f"in_{n}", NOON) for n in range(1500)]
        api.rows += [row("out_1", NOON, call_type="out", sip="102", destination="74957654321")]
        found = list(zadarma.history(account, NOON - timedelta(hours=1), NOON + timedelta(hours=1), PlainDoor()))
        pages = [asked.parameters["skip"] for asked in server.asked]
    assert len({event.call_id for event in found}) == 1501
    assert pages == ["0", "1000", "0"]
    assert [event.extension for event in found if event.direction is Direction.OUT] == ["102"]


def test_history_asks_for_a_month_at_most_at_once() -> None:
    with asking() as (account, _, server):
        list(zadarma.history(account, NOON - timedelta(days=70), NOON, PlainDoor()))
        assert len(server.asked) == 6
        for asked in server.asked:
            spans = [datetime.fromisoformat(asked.parameters[name]) for name in ("start", "end")]
            assert spans[1] - spans[0] <= timedelta(days=30)


@pytest.mark.parametrize("name", ["answered_incoming", "outgoing_answered", "outgoing_no_answer", "missed_incoming"])
def test_history_adds_nothing_to_what_the_webhook_told_and_replaces_it_if_it_was_lost(name: str) -> None:
    ours = line("zadarma")
    events = load_story(name, "zadarma").events
    (call,) = ours.folded(events).values()
    rows = {
        "answered_incoming": row("A1", NOON),
        "missed_incoming": row("A1", NOON, disposition="no answer", seconds=0),
        "outgoing_answered": row(
            "A1", NOON, call_type="out", sip="102", clid="74951230001", destination="79101234567", seconds=124,
            is_recorded="true",
        ),
        "outgoing_no_answer": row(
            "A1", NOON, call_type="out", sip="103", clid="74951230002", destination="74957654321", seconds=0,
            disposition="no answer",
        ),
    }  # fmt: skip
    with asking() as (account, api, _):
        api.rows = [rows[name]]
        known = list(zadarma.history(account, NOON - timedelta(hours=1), NOON + timedelta(hours=1), PlainDoor()))
    webhook = [
        one
        for number, event in enumerate(events)
        for one in ours.accepted(ours.signed(_message(event)), NOON + timedelta(seconds=number)).events
    ]
    assert comparable(fold([*webhook, *known])) | _times() == comparable(fold(webhook)) | _times()
    lost = fold(known)
    assert (lost.outcome, lost.talk_seconds or None) == (call.outcome, call.talk_seconds or None)
    assert (lost.direction, lost.answered_by) == (call.direction, call.answered_by)


def _message(event: Any) -> Any:
    from local.simulator.story import message
    from provider_stories import IDS

    return message(event, IDS, NOON, NOON)


def _times() -> dict[str, None]:
    """Fields that the history's clock may tell otherwise; the extension of a missed call is only the history's."""
    return dict.fromkeys(("ended_at", "answered_at", "extensions"))


def test_a_row_that_can_not_be_read_is_left_out() -> None:
    rows = [{"pbx_call_id": "x"}, "junk", None, row("good", NOON), {**row("bad", NOON), "seconds": [1]}]
    with asking() as (account, _, server):
        server.faults += [Fault(Reply(200, {"status": "success", "stats": rows}))]
        found = list(zadarma.history(account, NOON - timedelta(hours=1), NOON, PlainDoor()))
    assert {event.call_id for event in found} == {"good"}


def test_an_answer_without_a_list_is_no_answer() -> None:
    with asking() as (account, _, server):
        server.faults += [Fault(Reply(200, json.dumps({"status": "success"})))] * 2
        with pytest.raises(UnreachableError):
            list(zadarma.history(account, NOON - timedelta(hours=1), NOON, PlainDoor()))
        with pytest.raises(UnreachableError):
            zadarma.extensions(account, PlainDoor())


def test_times_are_utc() -> None:
    with asking() as (account, api, _):
        api.rows = [row("in_1", NOON)]
        (event,) = zadarma.history(account, NOON - timedelta(hours=1), NOON + timedelta(hours=1), PlainDoor())
    assert event.started_at == NOON
    assert event.at.tzinfo is UTC
