"""A bridge of somebody's own: its signature both ways, its schema, its page, its commands."""

import base64
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from doors import PlainDoor
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers import generic
from hangtag.providers.base import (
    Account,
    Click,
    KnownExtension,
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRejectedError,
    WebhookRequest,
)
from hangtag.providers.forms.generic import INFOS, GenericCredentials
from local.simulator.pbx import generic as pbx
from local.simulator.rest import base as rest
from local.simulator.rest.generic import PATH, Api
from local.simulator.story import Message, load_stories, message

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "generic.md").read_text(encoding="utf-8")
SCHEMA = json.loads((DOCS / "generic-event.schema.json").read_text(encoding="utf-8"))
VALID = jsonschema.Draft202012Validator(SCHEMA)
KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLDER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
EVENT: Mapping[str, Any] = {"type": "ringing", "call_id": "c-1", "direction": "in", "extension": "101"}


def delivery(body: bytes, headers: Mapping[str, str], arrived_at: datetime = NOW) -> WebhookRequest:
    return WebhookRequest(
        method="POST", path="/hooks/generic/***", query="", headers=headers, body=body, arrived_at=arrived_at
    )


def trust(*keys: str) -> VerificationKeys:
    return VerificationKeys(credentials={"signing_key": keys})


def read(body: object, message_id: str = "m-1") -> tuple[CallEvent, ...]:
    return generic.parse(delivery(json.dumps(body).encode(), {"webhook-id": message_id}), {}).events


def one(**fields: Any) -> CallEvent:
    (event,) = read({**EVENT, **fields})
    return event


# ------------------------------------------------------------------ the signature


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
def test_what_the_library_signs_is_genuine(key: bytes, message_id: str, body: str) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    generic.verify(delivery(body.encode(), library_headers(secret, message_id, NOW, body)), trust(secret))


def test_what_the_simulated_bridge_signs_the_library_takes_for_genuine() -> None:
    now = datetime.now(UTC)
    for story in load_stories("generic"):
        for event in story.events:
            sent = message(event, {"call": "A", "call2": "B"}, now, now)
            signed = pbx.request("https://hangtag.example.com", sent, {"signing_key": KEY}, now)
            said = Webhook(KEY).verify(signed.body, dict(signed.headers))
            assert said == sent.body
            generic.verify(delivery(signed.body, signed.headers, now), trust(KEY))
            with pytest.raises(WebhookVerificationError):
                Webhook(OLDER).verify(signed.body, dict(signed.headers))


def test_one_of_several_signatures_and_keys_is_enough() -> None:
    good = library_headers(KEY, "m-1", NOW, "{}")
    older = library_headers(OLDER, "m-1", NOW, "{}")["webhook-signature"]
    both = {**good, "webhook-signature": f"v1a,x {older} v2, {good['webhook-signature']}"}
    assert both["webhook-signature"].count("v1,") == 2
    for keys in ((KEY,), (OLDER,), ("", "no base64!", KEY)):
        generic.verify(delivery(b"{}", both), trust(*keys))
    generic.verify(delivery(b"{}", good), trust(OLDER, KEY))
    with pytest.raises(SignatureError):
        generic.verify(delivery(b"{}", good), trust(OLDER))


@pytest.mark.parametrize("keys", [(), ("",), ("whsec_",), ("whsec_!!!",), ("é",)])
def test_a_key_that_is_none_verifies_nothing(keys: tuple[str, ...]) -> None:
    signed = pbx.sign(b"", "m-1", str(int(NOW.timestamp())), b"{}")
    headers = {**library_headers(KEY, "m-1", NOW, "{}"), "webhook-signature": f"v1,{signed}"}
    with pytest.raises(SignatureError, match="no signing_key"):
        generic.verify(delivery(b"{}", headers), trust(*keys))


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_header_of_the_signature_is_needed(missing: str) -> None:
    headers = library_headers(KEY, "m-1", NOW, "{}")
    for other in ({name: value for name, value in headers.items() if name != missing}, {**headers, missing: ""}):
        with pytest.raises(SignatureError, match="is missing"):
            generic.verify(delivery(b"{}", other), trust(KEY))


@settings(max_examples=200, deadline=None)
@given(
    headers=st.fixed_dictionaries(
        {name: st.text(max_size=60) for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
    )
)
@example({"webhook-id": "m", "webhook-timestamp": str(int(NOW.timestamp())), "webhook-signature": "v1,a,b v1 ,, v1,é"})
@example({"webhook-id": "m", "webhook-timestamp": "9" * 5000, "webhook-signature": "v1,a"})
@example({"webhook-id": "m", "webhook-timestamp": "²", "webhook-signature": "v1,a"})
def test_a_wrong_header_is_unverified_and_never_another_error(headers: dict[str, str]) -> None:
    """The library lets ValueError out for some of these."""
    with pytest.raises(SignatureError) as refused:
        generic.verify(delivery(b"{}", headers), trust(KEY))
    assert refused.value.reply.status == 401


# ------------------------------------------------------------------ what is read


def test_every_field_reaches_its_event() -> None:
    event = one(
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


def test_what_is_not_said_is_not_made_up() -> None:
    event = one(external=None, line="", extension=None, leg=None, at=None)
    assert event == CallEvent(
        call_id="c-1", kind=Kind.RINGING, at=NOW, at_is_arrival=True, direction=Direction.IN, event_id="m-1.0"
    )
    assert one(external="").external == ""
    assert one().leg == "101"


@pytest.mark.parametrize("word", list(Outcome))
@pytest.mark.parametrize("direction", list(Direction))
def test_an_outcome_is_what_the_bridge_says_but_nobody_answering_from_outside_is_missed(
    word: Outcome, direction: Direction
) -> None:
    said = one(type="ended", outcome=str(word), direction=str(direction)).outcome
    missed = (word, direction) == (Outcome.NO_ANSWER, Direction.IN)
    assert said is (Outcome.MISSED if missed else word)


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
def test_a_time_that_cannot_be_believed_is_the_arrivals(at: str, believed: bool) -> None:
    event = one(at=at, started_at=at)
    assert event.at_is_arrival is not believed
    assert (event.started_at is not None) is believed
    assert believed or event.at == NOW


def test_an_event_has_the_same_id_on_every_try_of_its_message_and_another_in_any_other() -> None:
    twice = {"events": [EVENT, EVENT]}
    first, second = read(twice, "m-1"), read(twice, "m-2")
    assert [event.event_id for event in (*first, *second)] == ["m-1.0", "m-1.1", "m-2.0", "m-2.1"]
    assert read(twice, "m-1") == first
    assert len({event.digest() for event in (*first, *second)}) == 4
    with pytest.raises(PayloadError, match="webhook-id is longer than 128 characters"):
        read(EVENT, "m" * 129)
    (without,) = generic.parse(delivery(json.dumps(EVENT).encode(), {}), {}).events
    assert without.event_id is None


def test_events_of_unknown_types_are_passed_over_and_the_others_taken() -> None:
    body = {"events": [{"type": "parked", "whatever": 1}, EVENT, {"type": "settled", "call_id": "c-1"}]}
    accepted = generic.parse(delivery(json.dumps(body).encode(), {"webhook-id": "m"}), {})
    assert [(event.kind, event.event_id) for event in accepted.events] == [(Kind.RINGING, "m.1")]
    assert accepted.unknown
    assert not generic.parse(delivery(b'{"events": []}', {}), {}).unknown


def test_a_refusal_says_what_is_wrong_and_where_but_repeats_nothing() -> None:
    body = {"events": [EVENT, {**EVENT, "outcome": "79101234567"}]}
    with pytest.raises(PayloadError) as refused:
        read(body)
    assert refused.value.reason.startswith("events[1]: outcome is none of success, missed,")
    problem = json.loads(refused.value.reply.body)
    assert (refused.value.reply.status, problem["status"], problem["detail"]) == (400, 400, refused.value.reason)
    assert "7910" not in refused.value.reply.body


# ------------------------------------------------------------------ the schema

ODD: list[Any] = [None, True, False, 0, -1, 0.5, "", "x", "\0", "a\0b", "a\n", "\ud800", [], ["x"], {}, {"x": "y"}]
TIMES = [
    "2026-03-02T09:30:00Z",
    "2026-03-02 09:30:00.123456789+03:00",
    "2026-02-30T99:30:00Z",
    "2026-03-02T09:30:00",
    "2026-03-02T09:30:00Z\n",
    " 2026-03-02T09:30:00Z",
    "2026-03-02T09:30:00z",
    "2026-03-02T09:30:00.1234567891Z",
    "2026-03-02T09:30Z",
    "٢٠٢٦-03-02T09:30:00Z",
]
URLS = ["https://a", "http://", "ftp://a", "HTTPS://a", " https://a", "https://a\0"]


def sized(*sizes: int) -> list[str]:
    return ["x" * size for size in sizes]


# For each field what is just good, just not good any more, and what bridges get wrong.
VALUES: Mapping[str, list[Any]] = {
    "type": [*map(str, Kind), "parked", "RINGING"],
    "call_id": sized(1, 512, 513),
    "leg": sized(128, 129),
    "direction": [*map(str, Direction), "IN"],
    "external": sized(64, 65),
    "line": sized(64, 65),
    "extension": sized(32, 33),
    "at": TIMES,
    "started_at": TIMES,
    "outcome": [*map(str, Outcome), "exploded", "Success"],
    "talk_seconds": [62, 5.0, -0.0, 604800, 604801, 604800.5, 1e308, 10**400, "62"],
    "recording": [
        *({"url": url} for url in (*URLS, *("https://" + more for more in sized(2040, 2041)), *ODD)),
        *({"reference": reference} for reference in (*sized(512, 513), *ODD)),
        *({"url": "https://a", "temporary": temporary} for temporary in ODD),
        *({"url": "https://a", "reference": reference} for reference in ODD),
        *({"url": url, "reference": "r"} for url in ODD),
    ],
    "final": [1],
    "linked_call_id": sized(512, 513),
    "data": [
        *({name: "x"} for name in (*sized(128, 129), "", "a\0")),
        *({"x": value} for value in (*sized(1024, 1025), *ODD)),
        *({f"f{number}": "" for number in range(size)} for size in (50, 51)),
    ],
    "x_new": [],
    "events": [[EVENT], [EVENT] * 50, [EVENT] * 51, [EVENT, {}], [{"type": "ended"}], [None]],
}
TYPES = [str(kind) for kind in Kind if kind is not Kind.SETTLED]
# Fields that are right, but for at most two.
GOOD: Mapping[str, Any] = {
    **EVENT,
    "at": "2026-03-02T09:30:00Z",
    "outcome": "success",
    "talk_seconds": 62,
    "recording": {"url": "https://pbx.example.com/1.mp3"},
    "final": True,
    "data": {"utm_source": "site.io"},
}


@st.composite
def events(draw: st.DrawFn) -> Any:
    event: dict[str, Any] = {**GOOD, "type": draw(st.sampled_from(TYPES))}
    for name in draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=3, unique=True)):
        event[name] = draw(st.sampled_from([*VALUES[name], *ODD]) | st.text() | st.integers() | st.floats())
    for name in draw(st.lists(st.sampled_from(sorted(event)), max_size=2, unique=True)):
        del event[name]
    return event


def agree(body: Any) -> None:
    """What the schema accepts is read; what it refuses is refused, but for types that a later version may know."""
    text = json.dumps(body)
    try:
        # What JSON itself can't hold, such as NaN, is no matter of the schema's.
        accepted = VALID.is_valid(json.loads(text, parse_constant=_no_constant))
    except ValueError:
        accepted = False
    try:
        found = generic.parse(delivery(text.encode(), {"webhook-id": "m"}), {})
    except PayloadError as refused:
        assert not accepted, (refused.reason, body)
    else:
        assert accepted != found.unknown, body
        for event in found.events:
            assert fold([event]).call_id == event.call_id


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", VALUES)
def test_the_schema_and_the_adapter_agree_on_each_value_of_each_field(kind: str, name: str) -> None:
    for value in (*VALUES[name], *ODD):
        agree({**GOOD, "type": kind, name: value})
    agree({known: value for known, value in GOOD.items() if known != name})


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=events() | st.fixed_dictionaries({"events": st.lists(events(), max_size=3)}) | st.sampled_from(ODD))
def test_the_schema_and_the_adapter_agree_on_any_body(body: Any) -> None:
    agree(body)


def _no_constant(_: str) -> float:
    raise ValueError


def test_the_schema_is_one_itself_and_knows_each_type_that_a_bridge_may_send() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    fields = SCHEMA["$defs"]["event"]["properties"]
    assert set(fields["type"]["enum"]) == set(Kind) - {Kind.SETTLED}
    assert set(fields["outcome"]["enum"]) == {*Outcome, None}
    ours = {"legs", "forced", "kind", "at_is_arrival", "recording_is_temporary", "event_id"}
    assert set(fields) == {*CallEvent.__dataclass_fields__, "type"} - ours


def test_every_message_of_the_stories_is_valid() -> None:
    for story in load_stories("generic"):
        for event in story.events:
            VALID.validate(message(event, {"call": "A", "call2": "B"}, NOW, NOW).body)


# ------------------------------------------------------------------ the page


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def defined(code: str) -> Callable[..., Any]:
    """The one function that a block of the page defines."""
    names: dict[str, Any] = {}
    exec(compile(code, "docs/generic.md", "exec"), names)  # noqa: S102
    made: Callable[..., Any]
    (made,) = (value for value in names.values() if inspect.isfunction(value))
    return made


SIGNED, IS_GENUINE = map(defined, blocks("python"))
SHOWN: list[dict[str, Any]] = [json.loads(block) for block in blocks("json")]


def test_what_the_page_signs_is_genuine_to_us_and_to_the_library() -> None:
    headers, body = SIGNED(KEY, [dict(EVENT)])
    generic.verify(delivery(body, headers, datetime.now(UTC)), trust(KEY))
    assert Webhook(KEY).verify(body, headers) == {"events": [EVENT]}
    again, same = SIGNED(KEY, [dict(EVENT)], headers["webhook-id"])
    assert (again["webhook-id"], same) == (headers["webhook-id"], body)
    assert generic.parse(delivery(same, again), {}).events == generic.parse(delivery(body, headers), {}).events
    assert SIGNED(KEY, [])[0]["webhook-id"] != headers["webhook-id"]


def test_the_page_shows_every_event_as_it_is_read() -> None:
    shown = [body for body in SHOWN if "command" not in body]
    read_kinds = []
    for body in shown:
        VALID.validate(body)
        read_kinds += [event.kind for event in read(body)]
        assert all(not event.at_is_arrival for event in read(body) if "at" in body)
    assert set(read_kinds) == set(Kind) - {Kind.SETTLED}


def test_the_page_shows_every_command_as_it_is_sent() -> None:
    api = Api(pbx.CREDENTIALS)
    with rest.serving(api) as server:
        account, door = of(api, server), PlainDoor()
        click = Click(extension="101", number="+79101234567", reference="6f1c2a", line="+74951230001")
        day = datetime(2026, 3, 2, tzinfo=UTC)
        generic.ping(account, door)
        generic.originate(account, click, door)
        generic.recording(account, "2026/03/02/17.wav", door)
        list(generic.history(account, day, day + timedelta(days=1), door))
        generic.extensions(account, door)
        sent = server.asked
    assert [asked.json for asked in sent] == [body for body in SHOWN if "command" in body]
    for asked in sent:
        # Both what the page shows, and the library, take it for genuine.
        assert IS_GENUINE(pbx.CREDENTIALS["bridge_key"], asked.headers, asked.body)
        assert Webhook(pbx.CREDENTIALS["bridge_key"]).verify(asked.body, dict(asked.headers)) == asked.json
        assert not IS_GENUINE(KEY, asked.headers, asked.body)
        assert not IS_GENUINE(pbx.CREDENTIALS["bridge_key"], asked.headers, asked.body + b" ")
        old = {**asked.headers, "webhook-timestamp": str(int(asked.headers["webhook-timestamp"]) - 301)}
        assert not IS_GENUINE(pbx.CREDENTIALS["bridge_key"], old, asked.body)
        assert not IS_GENUINE(pbx.CREDENTIALS["bridge_key"], {}, asked.body)
    assert sent[1].headers["webhook-id"] == "6f1c2a"


def test_the_page_names_the_limits_that_hold() -> None:
    for name in (field for field in SCHEMA["$defs"]["event"]["properties"] if field != "type"):
        assert f"`{name}`" in PAGE
    assert (generic.MAX_EVENTS, generic.TOLERANCE_SECONDS) == (50, 300)
    assert "up to fifty" in PAGE
    assert "five minutes off" in PAGE


# ------------------------------------------------------------------ commands


def of(api: Api, server: rest.Server) -> Account:
    return Account(provider="generic", credentials=api.credentials(server.url), settings=api.settings(server.url))


@pytest.fixture
def api() -> Api:
    return Api(pbx.CREDENTIALS)


@pytest.fixture
def server(api: Api) -> Iterator[rest.Server]:
    with rest.serving(api) as running:
        yield running


@pytest.fixture
def account(api: Api, server: rest.Server) -> Account:
    return of(api, server)


CLICK = Click(extension="101", number="+79101234567", reference="abc-1")
EVERY: Mapping[str, Callable[[Account, PlainDoor], object]] = {
    "originate": lambda account, door: generic.originate(account, CLICK, door),
    "recording": lambda account, door: generic.recording(account, "r-1", door),
    "history": lambda account, door: list(generic.history(account, NOW, NOW, door)),
    "extensions": generic.extensions,
}


def test_a_click_is_a_signed_command_whose_call_id_is_kept(account: Account, server: rest.Server, api: Api) -> None:
    assert generic.originate(account, CLICK, PlainDoor()).call_id == "call-abc-1"
    assert generic.originate(account, CLICK, PlainDoor()).call_id == "call-abc-1"
    assert list(api.placed) == ["abc-1"]
    assert "line" not in api.placed["abc-1"]
    assert {asked.path for asked in server.asked} == {PATH}


@pytest.mark.parametrize(("body", "call_id"), [("", None), ("{}", None), ('{"call_id": 17}', "17")])
def test_a_bridge_need_not_name_the_call(account: Account, server: rest.Server, body: str, call_id: str | None) -> None:
    server.faults.append(rest.Fault(rest.Reply(200, body)))
    assert generic.originate(account, CLICK, PlainDoor()).call_id == call_id


def test_what_the_bridge_refuses_is_told_in_its_words_without_numbers_or_keys(
    account: Account, server: rest.Server
) -> None:
    with pytest.raises(BadInputError) as refused:
        generic.originate(account, replace(CLICK, extension="199"), PlainDoor())
    assert refused.value.message == "the bridge refused it (422): 199 can't call ***"
    key = account.credentials["bridge_key"]
    server.faults.append(rest.Fault(rest.Reply(409, f"busy\r\n\x1b[31m {key} +7 (910) 123-45-67 " + "x" * 900)))
    with pytest.raises(BadInputError) as refused:
        generic.originate(account, CLICK, PlainDoor())
    assert refused.value.message.startswith("the bridge refused it (409): busy [31m *** *** x")
    assert len(refused.value.message) < 350


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "refuses the signature"),
        (403, "refuses the signature"),
        (404, "nothing at bridge_url"),
        (302, "redirects"),
        (400, "the bridge refused it"),
        (501, "the bridge refused it"),
    ],
)
def test_each_refusal_is_an_error_in_words(account: Account, server: rest.Server, status: int, said: str) -> None:
    for function in EVERY.values():
        server.faults.append(rest.Fault(rest.Reply(status, "")))
        with pytest.raises(BadInputError, match=said):
            function(account, PlainDoor())
    server.faults.append(rest.Fault(rest.Reply(status, "")))
    finding = generic.ping(account, PlainDoor())
    assert not finding.ok
    assert said in finding.detail


@pytest.mark.parametrize(
    "junk", ["<html>", "[1]", "null", '{"a":', "[" * 5000, b"\xff\xfe\x00", '{"events": 1, "url": 5}']
)
def test_what_is_no_answer_is_unreachable(account: Account, server: rest.Server, junk: str | bytes) -> None:
    for name, function in EVERY.items():
        if name == "originate" and "url" in str(junk):
            continue
        server.faults.append(rest.Fault(rest.Reply(200, junk)))
        with pytest.raises(UnreachableError):
            function(account, PlainDoor())


def test_nothing_is_sent_without_an_address_or_unsigned(account: Account, server: rest.Server) -> None:
    door = PlainDoor()
    for credentials in ({}, {"bridge_key": KEY}):
        nowhere = replace(account, credentials=credentials)
        assert generic.ping(nowhere, door).ok
        for function in EVERY.values():
            with pytest.raises(BadInputError, match="bridge_url is not entered"):
                function(nowhere, door)
    for key in ("", "whsec_", "whsec_!"):
        keyless = replace(account, credentials={"bridge_url": account.credentials["bridge_url"], "bridge_key": key})
        assert not generic.ping(keyless, door).ok
        for function in EVERY.values():
            with pytest.raises(BadInputError, match="bridge_key is not entered"):
                function(keyless, door)
    assert server.asked == []


def test_a_wrong_key_is_refused_by_the_bridge(account: Account) -> None:
    wrong = replace(account, credentials={**account.credentials, "bridge_key": KEY})
    with pytest.raises(BadInputError, match="is bridge_key the key that it expects"):
        generic.originate(wrong, CLICK, PlainDoor())
    assert generic.ping(account, PlainDoor()).ok


def test_a_recording_is_its_address_or_what_the_bridge_makes_of_the_reference(
    account: Account, server: rest.Server
) -> None:
    door = PlainDoor()
    assert generic.recording(account, "https://pbx.example.com/1.mp3", door).url == "https://pbx.example.com/1.mp3"
    assert server.asked == []
    (event,) = read({"type": "recorded", "call_id": "c", "recording": {"reference": "r-1"}})
    assert event.recording == "r-1"
    assert generic.recording(account, "r-1", door).url == "https://bridge.example.com/once/r-1.wav"
    server.faults.append(rest.Fault(rest.Reply(200, {"url": "file:///etc/passwd"})))
    with pytest.raises(UnreachableError, match="no address"):
        generic.recording(account, "r-1", door)


def test_the_extensions_of_the_bridge_are_listed(account: Account, server: rest.Server) -> None:
    assert generic.extensions(account, PlainDoor()) == (
        KnownExtension("101", "Anna Petrova"),
        KnownExtension("102", "Boris Orlov"),
        KnownExtension("103"),
    )
    for wrong in ([{"name": "x"}], ["101"], [{"extension": ["101"]}], {"101": "Anna"}):
        server.faults.append(rest.Fault(rest.Reply(200, {"extensions": wrong})))
        with pytest.raises(UnreachableError):
            generic.extensions(account, PlainDoor())


@pytest.mark.parametrize("name", [story.name for story in load_stories("generic")])
def test_history_and_webhook_fold_to_the_same_record_together_and_each_alone(
    name: str, account: Account, api: Api, server: rest.Server
) -> None:
    (story,) = (one for one in load_stories("generic") if one.name == name)
    at = NOW
    posted: list[CallEvent] = []
    for event in story.events:
        at += timedelta(seconds=event.after)
        sent = message(event, {"call": "A", "call2": "B"}, NOW, at)
        # A bridge whose clock tells the time of all events, as the page asks it to.
        api.events += [{"at": _iso(at), **inner, "started_at": _iso(NOW)} for inner in _events(sent)]
        for inner in api.events[-len(_events(sent)) :]:
            posted += read(inner, f"m-{len(posted)}")
    told = list(generic.history(account, NOW - timedelta(hours=1), NOW + timedelta(hours=1), PlainDoor()))
    assert len(told) == len(posted)
    assert len(server.asked) == -(-len(told) // api.page)
    for call_id in {event.call_id for event in told}:
        ours = [event for event in posted if event.call_id == call_id]
        theirs = [event for event in told if event.call_id == call_id]
        assert fold(ours).digest() == fold(theirs).digest() == fold([*ours, *theirs]).digest()
    assert list(generic.history(account, NOW - timedelta(days=9), NOW - timedelta(days=8), PlainDoor())) == []


def _events(sent: Message) -> list[Mapping[str, Any]]:
    body: Mapping[str, Any] = sent.body or {}
    inner: list[Mapping[str, Any]] = body.get("events", [body])
    return inner


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_a_history_of_long_ago_keeps_its_times_and_passes_over_unknown_types(
    account: Account, server: rest.Server
) -> None:
    rows = [{**EVENT, "at": "2020-01-02T03:04:05Z"}, {"type": "parked"}]
    server.faults.append(rest.Fault(rest.Reply(200, {"events": rows})))
    (event,) = generic.history(account, NOW, NOW, PlainDoor())
    assert (event.at, event.at_is_arrival) == (datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), False)


def test_a_history_that_does_not_end_or_tells_no_time_is_no_answer(account: Account, server: rest.Server) -> None:
    for wrong in ({**EVENT}, {**EVENT, "at": "2026-02-30T00:00:00Z"}, "x", {"call_id": "c"}):
        server.faults.append(rest.Fault(rest.Reply(200, {"events": [wrong]})))
        with pytest.raises(UnreachableError, match=r"can't be read: events\[0\]"):
            list(generic.history(account, NOW, NOW, PlainDoor()))
    server.asked.clear()
    server.faults += [rest.Fault(rest.Reply(200, {"events": [], "next_cursor": "again"}))] * 500
    with pytest.raises(UnreachableError, match="does not end"):
        list(generic.history(account, NOW, NOW, PlainDoor()))
    assert len(server.asked) == 200
    assert server.asked[1].json["cursor"] == "again"


# ------------------------------------------------------------------ the form


def test_the_form_takes_a_key_of_the_bridge_and_nothing_that_is_none() -> None:
    for typed in (pbx.CREDENTIALS, {}, {"bridge_url": None, "bridge_key": None}):
        GenericCredentials.model_validate(typed)
    for wrong in ("secret", "whsec_", "whsec_!!!!", "whsec_" + base64.b64encode(b"short").decode()):
        with pytest.raises(ValueError, match="a key is written whsec_ and base64"):
            GenericCredentials.model_validate({"bridge_key": wrong})
    (info,) = INFOS
    assert "https://hook" in info.instructions("https://hook")[0]
    assert info.verified_with == info.made_keys == ("signing_key",)


def test_every_refusal_has_the_status_of_its_kind() -> None:
    for wrong in (b"", b"[]", b"\xff", b'{"type": 5}', b'{"type":"ringing","type":"ended"}', b"{}"):
        with pytest.raises(WebhookRejectedError) as refused:
            generic.parse(delivery(wrong, {}), {})
        assert refused.value.reply.status == 400
