"""The schema and the page docs/generic.md, compared with the provider."""

import inspect
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from fake_clients import PlainClient
from generic_helpers import EVENT, GENERIC, KEY, NOW, account_of, keys_of, parse, webhook_request
from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.domain.calls.fold import fold
from hangtag.providers.base import (
    Click,
    PayloadError,
)
from hangtag.providers.generic.webhook import MAX_EVENTS, TOLERANCE_SECONDS
from local.simulator.providers.generic import pbx
from local.simulator.providers.generic.api import Api
from local.simulator.rest import base as rest
from local.simulator.story import load_stories, message

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "generic.md").read_text(encoding="utf-8")
SCHEMA = json.loads((DOCS / "generic-event.schema.json").read_text(encoding="utf-8"))
VALID = jsonschema.Draft202012Validator(SCHEMA)
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
    """Assert that the schema and `parse` accept the same bodies, except for events of unknown types."""
    text = json.dumps(body)
    try:
        # JSON has no NaN and no infinity, so the schema does not cover them.
        accepted = VALID.is_valid(json.loads(text, parse_constant=_no_constant))
    except ValueError:
        accepted = False
    try:
        result = GENERIC.parse(webhook_request(text.encode(), {"webhook-id": "m"}), {})
    except PayloadError as refused:
        assert not accepted, (refused.reason, body)
    else:
        assert accepted != result.unknown, body
        for event in result.events:
            assert fold([event]).call_id == event.call_id


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", VALUES)
def test_schema_agrees_on_each_value_of_each_field(kind: str, name: str) -> None:
    for value in (*VALUES[name], *ODD):
        agree({**GOOD, "type": kind, name: value})
    agree({other: value for other, value in GOOD.items() if other != name})


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=events() | st.fixed_dictionaries({"events": st.lists(events(), max_size=3)}) | st.sampled_from(ODD))
def test_schema_agrees_on_any_body(body: Any) -> None:
    agree(body)


def _no_constant(_: str) -> float:
    raise ValueError


def test_schema_is_valid_with_every_event_type() -> None:
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


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def defined(code: str) -> Callable[..., Any]:
    """Return the only function that a block of the page defines."""
    names: dict[str, Any] = {}
    exec(compile(code, "docs/generic.md", "exec"), names)  # noqa: S102
    function: Callable[..., Any]
    (function,) = (value for value in names.values() if inspect.isfunction(value))
    return function


SIGNED, IS_GENUINE = map(defined, blocks("python"))
SHOWN: list[dict[str, Any]] = [json.loads(block) for block in blocks("json")]


def test_signature_code_on_the_page_is_valid() -> None:
    headers, body = SIGNED(KEY, [dict(EVENT)])
    GENERIC.verify(webhook_request(body, headers, datetime.now(UTC)), keys_of(KEY))
    assert Webhook(KEY).verify(body, headers) == {"events": [EVENT]}
    again, same = SIGNED(KEY, [dict(EVENT)], headers["webhook-id"])
    assert (again["webhook-id"], same) == (headers["webhook-id"], body)
    assert (
        GENERIC.parse(webhook_request(same, again), {}).events
        == GENERIC.parse(webhook_request(body, headers), {}).events
    )
    assert SIGNED(KEY, [])[0]["webhook-id"] != headers["webhook-id"]


def test_page_shows_every_event_as_parsed() -> None:
    shown = [body for body in SHOWN if "command" not in body]
    read_kinds = []
    for body in shown:
        VALID.validate(body)
        read_kinds += [event.kind for event in parse(body)]
        assert all(not event.at_is_arrival for event in parse(body) if "at" in body)
    assert set(read_kinds) == set(Kind) - {Kind.SETTLED}


def test_page_shows_every_command_as_sent() -> None:
    bridge_api = Api(pbx.CREDENTIALS)
    with rest.serving(bridge_api) as bridge_server:
        bridge_account, client = account_of(bridge_api, bridge_server), PlainClient()
        click = Click(extension="101", number="+79101234567", reference="6f1c2a", line="+74951230001")
        day = datetime(2026, 3, 2, tzinfo=UTC)
        GENERIC.ping(bridge_account, client)
        GENERIC.originate(bridge_account, click, client)
        GENERIC.recording(bridge_account, "2026/03/02/17.wav", client)
        list(GENERIC.history(bridge_account, day, day + timedelta(days=1), client))
        GENERIC.extensions(bridge_account, client)
        sent = bridge_server.requests
    assert [request.json for request in sent] == [body for body in SHOWN if "command" in body]
    for request in sent:
        # Both what the page shows, and the library, take it for genuine.
        assert IS_GENUINE(pbx.CREDENTIALS["bridge_key"], request.headers, request.body)
        assert Webhook(pbx.CREDENTIALS["bridge_key"]).verify(request.body, dict(request.headers)) == request.json
        assert not IS_GENUINE(KEY, request.headers, request.body)
        assert not IS_GENUINE(pbx.CREDENTIALS["bridge_key"], request.headers, request.body + b" ")
        old = {**request.headers, "webhook-timestamp": str(int(request.headers["webhook-timestamp"]) - 301)}
        assert not IS_GENUINE(pbx.CREDENTIALS["bridge_key"], old, request.body)
        assert not IS_GENUINE(pbx.CREDENTIALS["bridge_key"], {}, request.body)
    assert sent[1].headers["webhook-id"] == "6f1c2a"


def test_page_has_the_limits_of_the_code() -> None:
    for name in (field for field in SCHEMA["$defs"]["event"]["properties"] if field != "type"):
        assert f"`{name}`" in PAGE
    assert (MAX_EVENTS, TOLERANCE_SECONDS) == (50, 300)
    assert "up to fifty" in PAGE
    assert "five minutes off" in PAGE
