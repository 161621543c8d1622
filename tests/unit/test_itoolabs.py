"""The family of ITooLabs: its commands in both forms, its statuses, and its two APIs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from doors import PlainDoor
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers import itoolabs, load
from hangtag.providers.base import (
    Account,
    Click,
    ContactCard,
    OfficeLookups,
    PayloadError,
    VerificationKeys,
    WebhookRequest,
)
from hangtag.providers.catalog import catalog
from local.simulator.rest import Fault, Reply, Server, serving
from local.simulator.rest.itoolabs import Api
from local.simulator.story import load_stories, message
from provider_stories import IDS, NOON, comparable, line

CLICK = Click(extension="101", number="+74957654321", reference="r")
EVENT = {"cmd": "event", "type": "INCOMING", "callid": "c1", "phone": "79101234567", "user": "anna", "ext": "101"}
HISTORY = {
    "cmd": "history", "type": "in", "status": "Success", "callid": "c1", "phone": "79101234567", "user": "anna",
    "ext": "101", "start": "20260301T115900Z", "duration": "42",
}  # fmt: skip


def delivered(fields: dict[str, str], method: str = "POST") -> WebhookRequest:
    encoded = urlencode(fields)
    return WebhookRequest(
        method=method,
        path="/hooks/itoolabs/***",
        query=encoded if method == "GET" else "",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=encoded.encode() if method == "POST" else b"",
        arrived_at=NOON,
    )


def told(**fields: str) -> CallEvent:
    (one,) = itoolabs.parse(delivered(fields), {}).events
    return one


# ------------------------------------------------------------------ what comes in


def test_presets_are_one_module_with_forms_of_their_own_names() -> None:
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
def test_events_are_read(name: str, kind: Kind, outcome: Outcome | None) -> None:
    event = told(**EVENT | {"type": name, "direction": "in"})
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
def test_the_oldest_version_names_no_direction(type_: str, direction: str, expected: Direction | None) -> None:
    assert told(**EVENT | {"type": type_, "direction": direction}).direction is expected


@pytest.mark.parametrize(
    ("user", "ext", "leg", "extension"),
    [
        ("anna", "101", "101", "101"),
        ("anna", "", "anna", "anna"),
        ("g_7f21@company", "", "g_7f21@company", None),
        ("", "", "", None),
    ],
)
def test_a_leg_is_the_short_number_else_the_login_and_a_department_is_nobodys(
    user: str, ext: str, leg: str, extension: str | None
) -> None:
    event = told(**EVENT | {"user": user, "ext": ext})
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
def test_the_history_decides_by_its_status_alone(status: str, incoming: Outcome, outgoing: Outcome) -> None:
    """That a user is named does not mean that the user answered."""
    event = told(**HISTORY | {"status": status})
    assert (event.outcome, event.final) == (incoming, True)
    assert event.talk_seconds == (42 if incoming is Outcome.SUCCESS else 0)
    assert told(**HISTORY | {"status": status, "type": "out"}).outcome is outgoing


def test_the_history_tells_when_the_call_began_and_is_never_later_than_its_end() -> None:
    event = told(**HISTORY)
    assert event.started_at == NOON - timedelta(minutes=1)
    assert event.at == NOON - timedelta(seconds=18)
    # A clock that is off by a week is not believed.
    assert told(**HISTORY | {"start": "20260308T115900Z"}).at_is_arrival


def test_the_history_may_come_by_get() -> None:
    request = delivered({**HISTORY, "crm_token": "x"}, "GET")
    (event,) = itoolabs.parse(request, {}).events
    assert event.outcome is Outcome.SUCCESS
    with pytest.raises(PayloadError):
        itoolabs.parse(delivered({"cmd": "unknown"}, "GET"), {})
    hashed = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    itoolabs.verify(request, VerificationKeys(hashes={"crm_token": (hashed,)}))


def test_who_asks_for_a_caller_is_told_the_name_and_who_is_responsible() -> None:
    def asked(card: ContactCard | None) -> Any:
        accepted = itoolabs.parse(delivered({"cmd": "contact", "phone": "79101234567", "callid": "c1"}), {})
        assert accepted.respond is not None
        office = OfficeLookups(contact=lambda _: card, credentials=dict)
        return json.loads(accepted.respond(office).body)

    assert asked(ContactCard("Ольга", "102")) == {"contact_name": "Ольга", "responsible": "102"}
    assert asked(ContactCard("Ольга", None)) == {"contact_name": "Ольга"}
    assert asked(None) == {}


def test_a_rating_is_taken_and_changes_nothing() -> None:
    accepted = itoolabs.parse(delivered({"cmd": "rating", "callid": "c1", "rating": "5"}), {})
    assert (accepted.events, accepted.unknown, accepted.reply.status) == ((), False, 200)


# ------------------------------------------------------------------ what goes out


@contextmanager
def asking(path: str = "", **credentials: str) -> Iterator[tuple[Account, Api, Server]]:
    """An account at a VATS; `path` follows its address."""
    api = Api({})
    with serving(api) as server:
        typed = {**api.credentials(server.url + path), **credentials}
        yield Account(provider="kcell", credentials=typed), api, server


LEGACY = "/sys/crm_api.wcgp"


@pytest.mark.parametrize("path", ["", "/", "/crmapi/v1", LEGACY])
def test_a_click_names_the_user_and_digits_only_in_both_apis(path: str) -> None:
    with asking(path) as (account, api, _):
        assert itoolabs.originate(account, CLICK, PlainDoor()).call_id == "call-1"
    assert (api.calls[0]["user"], api.calls[0]["phone"]) == ("101", "74957654321")


@pytest.mark.parametrize(
    ("body", "call_id"),
    [("c-9", "c-9"), ('{"callid":"c-9"}', "c-9"), ('"c-9"', "c-9"), ("", None), ("{}", None)],
)
def test_the_calls_id_is_read_as_bare_text_and_as_an_object(body: str, call_id: str | None) -> None:
    with asking(LEGACY) as (account, _, server):
        server.faults.append(Fault(Reply(200, body)))
        assert itoolabs.originate(account, CLICK, PlainDoor()).call_id == call_id


def test_a_page_in_place_of_an_id_is_no_answer() -> None:
    with asking(LEGACY) as (account, _, server):
        server.faults.append(Fault(Reply(200, "<html>log in</html>")))
        with pytest.raises(UnreachableError):
            itoolabs.originate(account, CLICK, PlainDoor())


@pytest.mark.parametrize("path", ["", LEGACY])
def test_the_users_are_the_extensions(path: str) -> None:
    with asking(path) as (account, _, _):
        known = itoolabs.extensions(account, PlainDoor())
    assert [(one.extension, one.name) for one in known] == [("101", "Anna Petrova"), ("102", "Boris Orlov")]


def test_the_key_goes_with_a_recording_to_the_vatss_own_host_only() -> None:
    account = Account(provider="kcell", credentials={"pbx_url": "https://a.kcell.example", "api_key": "k"})
    own = itoolabs.recording(account, "https://a.kcell.example/rec/1.mp3", PlainDoor())
    assert own.headers == {"x-api-key": "k"}
    for elsewhere in ("https://evil.example/a.kcell.example", "https://a.kcell.example.evil.example/1", "junk"):
        assert itoolabs.recording(account, elsewhere, PlainDoor()).headers == {}


@pytest.mark.parametrize(
    ("status", "words"),
    [(301, "name of the company"), (401, "does not take api_key"), (403, "api_key"), (404, "nothing at pbx_url")],
)
def test_the_admin_is_told_why_in_words(status: int, words: str) -> None:
    with asking() as (account, _, server):
        server.faults.append(Fault(Reply(status, "")))
        with pytest.raises(BadInputError, match=words):
            itoolabs.extensions(account, PlainDoor())


def test_the_vatss_own_words_are_told_without_numbers_and_without_the_key() -> None:
    with asking() as (account, _, server):
        key = account.credentials["api_key"]
        server.faults.append(Fault(Reply(400, {"error": f"no such user 74957654321 for {key}"})))
        with pytest.raises(BadInputError, match=r"refused it \(400\): no such user for \*\*\*$"):
            itoolabs.originate(account, CLICK, PlainDoor())


def row(**more: Any) -> dict[str, Any]:
    return {
        "uid": "A1", "type": "in", "status": "success", "client": "79101234567", "user": "anna", "ext": "101",
        "diversion": "74951230001", "start": "2026-03-01T12:00:00Z", "duration": 62, "record": None, **more,
    }  # fmt: skip


@pytest.mark.parametrize("name", [story.name for story in load_stories("itoolabs")])
def test_the_history_of_the_api_adds_nothing_to_what_the_webhook_told(name: str) -> None:
    """Each story's own `cmd=history`, as a row of the API."""
    ours = line("itoolabs")
    (story,) = [one for one in load_stories("itoolabs") if one.name == name]
    calls = ours.folded(story.events)
    rows = []
    for one in story.events:
        sent = message(one, IDS, NOON, NOON)
        said: dict[str, Any] = {**sent.post, **(sent.body or {})}
        if said.get("cmd") == "history":
            more = {"status": said["status"], "duration": said["duration"], "record": said.get("link")}
            who = {"client": said["phone"], "user": said.get("user"), "ext": said.get("ext"), "type": said["type"]}
            where = {"diversion": said["diversion"], "start": said["start"], "uid": said["callid"]}
            rows.append(row(**more, **who, **where))
    assert rows
    with asking() as (account, api, _):
        api.rows = rows
        span = (NOON - timedelta(hours=1), NOON + timedelta(hours=1))
        known = list(itoolabs.history(account, *span, PlainDoor()))
    for event in known:
        call = calls["main", event.call_id]
        events = [*_events(ours, story.events, event.call_id), event]
        assert comparable(fold(events)) | {"recording": None} == comparable(call) | {"recording": None}


def _events(ours: Any, events: Any, call_id: str) -> list[CallEvent]:
    at = NOON
    found: list[CallEvent] = []
    for number, event in enumerate(events):
        at += timedelta(seconds=event.after, microseconds=number)
        found += ours.accepted(ours.signed(message(event, IDS, NOON, at), at), at).events
    return [one for one in found if one.call_id == call_id]


def test_the_older_apis_history_is_a_table() -> None:
    with asking(LEGACY) as (account, api, _):
        api.csv = [
            "A1,in,79101234567,anna,74951230001,20260301T120000Z,6,62,https://vats.example/1.mp3",
            "A2,missed,79101234567,anna,74951230001,20260301T121500Z,20,0,",
            "A3,out,74957654321,vera,74951230002,20260301T122500Z,35,0,",
            "broken",
            "A4,in,7,anna,7,not a time,1,1,",
        ]
        known = list(itoolabs.history(account, NOON, NOON + timedelta(hours=1), PlainDoor()))
    assert [(one.call_id, one.outcome, one.talk_seconds) for one in known] == [
        ("A1", Outcome.SUCCESS, 62),
        ("A2", Outcome.MISSED, 0),
        ("A3", Outcome.NO_ANSWER, 0),
    ]
    assert known[0].recording == "https://vats.example/1.mp3"


def test_nothing_is_asked_without_address_and_key() -> None:
    account = Account(provider="kcell", credentials={})
    assert itoolabs.ping(account, PlainDoor()).ok
    with pytest.raises(BadInputError, match="are needed"):
        itoolabs.originate(account, CLICK, PlainDoor())
