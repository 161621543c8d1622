"""What webhooks lost is found again in the PBX's history.

A day of calls is posted twice, to two offices: to one all of it, to the other without a random tenth of the webhooks.
Once both PBXs were asked for their histories, calls and tags are the same in all that a history carries.
"""

import pprint
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from api_client import Caller
from hangtag.providers import PROVIDERS, optional
from local.simulator import Api, load_office_plan
from local.simulator.lines import Line
from local.simulator.office import Office, build_office
from local.simulator.past import Sent, remember
from local.simulator.pbx import load
from local.simulator.player import fresh_id
from local.simulator.rest import Fault, Reply, Server, serving
from local.simulator.rest import load as load_rest
from local.simulator.story import Story, load_stories, load_story, message
from local.stack import Stack, running

PORT = 4672
WITHIN_SECONDS = 60.0
SEED = 20261123
LOST = 0.1
# Each story of a provider is told so often.
TIMES = 3
# What the histories do not carry, and why.
NOT_CARRIED: Mapping[str, frozenset[str]] = {
    # Neither the own line, nor who rang first; an end is the begin and the talk, the ringing left out.
    "zadarma": frozenset({"External line", "External line name", "line", "Time", "Date and time", "legs"}),
    # Who handed a call on is said by addresses only.
    "twilio": frozenset({"legs", "Duration", "talk_seconds", "Time"}),
    # Only whoever talked, or rang last; the ringing before is not in a row.
    "itoolabs": frozenset({"legs", "Time", "linked_call_id"}),
    "telnyx": frozenset(),
    "generic": frozenset(),
}

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]

ABLE = sorted({module: key for key, module in reversed(PROVIDERS.items()) if optional(key, "history")}.values())
each_provider = pytest.mark.parametrize("provider", ABLE)


@dataclass(frozen=True, slots=True)
class Pbx:
    """A PBX of an office: its webhook, and the fake of its REST API."""

    line: Line
    api: Any
    server: Server

    def post(self, sent: Sent) -> None:
        """One delivery."""
        signed = self.line.pbx.request(self.line.webhook_url, sent.message, self.line.secrets, datetime.now(UTC))
        answer = requests.request(signed.method, signed.url, headers=dict(signed.headers), data=signed.body, timeout=60)
        assert answer.status_code == 200, answer.text


@dataclass(frozen=True, slots=True)
class Place:
    """An office, and its PBXs by provider."""

    office: Office
    owner: Caller
    pbxs: Mapping[str, Pbx]

    def integration(self, provider: str) -> str:
        return self.office.lines[provider].integration_id

    def recover(self, provider: str, since: datetime, until: datetime) -> None:
        """Have a time compared, and wait for it."""
        path = f"/v1/integrations/{self.integration(provider)}"
        before = self.owner.get(path).json["history"]["compared_at"]
        asked = self.owner.post(f"{path}/recover", {"from": since.isoformat(), "to": until.isoformat()})
        assert asked.status == 202, asked
        deadline = time.monotonic() + WITHIN_SECONDS
        clock = threading.Event()
        while self.owner.get(path).json["history"]["compared_at"] == before:
            assert time.monotonic() < deadline
            # Nothing tells a client of the API that something changed; it asks again.
            clock.wait(0.1)

    def recovered(self, provider: str) -> list[dict[str, Any]]:
        path = f"/v1/integrations/{self.integration(provider)}/recovered"
        return list(self.owner.get(path, limit=100).json["items"])

    def call(self, provider: str, call_id: str) -> dict[str, Any] | None:
        """The call that the PBX calls so, with its tag, in words that are the same in every office."""
        place = {"integration_id": self.integration(provider), "call_id": call_id}
        items = self.owner.get("/v1/calls", **place).json["items"]
        if not items:
            return None
        (call,) = items
        tags = self.owner.get("/v1/tags", call_id=call["id"]).json["items"]
        return comparable(provider, call, tags)


def comparable(provider: str, call: Mapping[str, Any], tags: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is compared: all of a call and its tags but ids that an office makes, times of arrival, and what the
    provider's history does not carry.
    """
    said = {
        name: call[name]
        for name in ("direction", "state", "outcome", "talk_seconds", "answered_by", "line", "linked_call_id",
                     "skip_reason", "tag_type", "legs", "end_unknown", "data")
    }  # fmt: skip
    said["recordings"] = sorted(one["id"] for one in call["recordings"])
    for tag in tags:
        said |= {"type": tag["type"], "tag direction": tag["direction"]}
        for field in tag["fields"]:
            value = field["value"]
            said[field["name"]] = value["name"] if isinstance(value, dict) and "name" in value else value
    return {name: value for name, value in said.items() if name not in NOT_CARRIED[provider]}


@pytest.fixture(scope="module")
def places() -> Iterator[tuple[Place, Place]]:
    """Two offices with the same people: the one that hears all, and the one that does not."""
    with ExitStack() as contexts:
        # Calls without an end are looked for soon.
        stack = contexts.enter_context(running(port=PORT, parameters={"HangupTimeoutSeconds": "20"}))
        yield opened(contexts, stack), opened(contexts, stack)


def opened(contexts: ExitStack, stack: Stack) -> Place:
    office = build_office(Api(stack.api, stack.operator_token), load_office_plan(), providers=ABLE)
    owner = Caller(stack.api, office.owner_token)
    pbxs = {provider: contexts.enter_context(connected(owner, office.lines[provider])) for provider in ABLE}
    return Place(office, owner, pbxs)


class connected:  # noqa: N801 - reads as a statement
    """The fake of a PBX's REST API, with the integration pointed at it."""

    def __init__(self, owner: Caller, line: Line) -> None:
        self._owner = owner
        self._line = line
        self._api: Any = load_rest(line.provider)(load(line.provider).CREDENTIALS)
        if line.provider == "generic":
            # How many pages of a history may be asked for in a second is limited, and tested elsewhere.
            self._api.page = 100
        self._serving = serving(self._api)

    def __enter__(self) -> Pbx:
        server = self._serving.__enter__()
        credentials = dict(self._api.credentials(server.url))
        wanted = {"credentials": credentials, "settings": dict(self._api.settings(server.url)), "overlap_hours": 0}
        changed = self._owner.patch(f"/v1/integrations/{self._line.integration_id}", wanted)
        assert changed.status == 200, changed
        line = replace(self._line, secrets={**self._line.secrets, **credentials})
        return Pbx(line, self._api, server)

    def __exit__(self, *error: Any) -> None:
        self._serving.__exit__(*error)


def told(story: Story, started: datetime) -> tuple[dict[str, str], list[Sent]]:
    """The deliveries of a story that began then, and the ids of its calls."""
    ids = {name: fresh_id() for name in story.placeholders}
    at, sent = started, []
    for event in story.events:
        at += timedelta(seconds=event.after)
        sent.append(Sent(message(event, ids, started, at), at))
    return ids, sent


def stories_of(provider: str) -> list[Story]:
    """Those of calls that were not begun by a click."""
    return [story for story in load_stories(provider) if not story.name.startswith("click_")]


def hour() -> tuple[datetime, datetime]:
    """A time that is over: calls that began within the last minutes are not compared yet."""
    now = datetime.now(UTC)
    return now - timedelta(hours=5), now - timedelta(minutes=11)


def wait_until_same(provider: str, heard: Place, lost: Place, call_ids: Sequence[str]) -> None:
    clock, deadline = threading.Event(), time.monotonic() + WITHIN_SECONDS
    left = list(call_ids)
    differing: dict[str, Any] = {}
    while left:
        differing = {}
        for call_id in left:
            ours, theirs = heard.call(provider, call_id), lost.call(provider, call_id)
            if ours is None or ours != theirs or ours["state"] != "closed":
                differing[call_id] = difference(ours, theirs)
        left = list(differing)
        if left and time.monotonic() >= deadline:
            stands = lost.owner.get(f"/v1/integrations/{lost.integration(provider)}").json["history"]
            pytest.fail(pprint.pformat((stands, lost.recovered(provider), differing), width=200))
        # Nothing tells a client of the API that something changed; it asks again.
        clock.wait(0.2)


def difference(ours: dict[str, Any] | None, theirs: dict[str, Any] | None) -> Any:
    if ours is None or theirs is None:
        return ours, theirs
    names = sorted(ours.keys() | theirs.keys())
    return {name: (ours.get(name), theirs.get(name)) for name in names if ours.get(name) != theirs.get(name)}


@each_provider
def test_a_day_that_lost_a_tenth_of_its_webhooks_is_as_if_it_had_lost_none(
    places: tuple[Place, Place], provider: str
) -> None:
    heard, lost = places
    chance = random.Random(f"{SEED}-{provider}")  # noqa: S311 - no secret
    since, until = hour()
    call_ids: list[str] = []
    dropped = 0
    for number, story in enumerate(stories_of(provider) * TIMES):
        # A minute apart: the histories are asked in the order in which calls began.
        started = since + timedelta(minutes=2 + 3 * number)
        ids, sent = told(story, started)
        call_ids += [name for label, name in ids.items() if label in ("call", "call2")]
        for one in sent:
            heard.pbxs[provider].post(one)
            if chance.random() < LOST:
                dropped += 1
            else:
                lost.pbxs[provider].post(one)
        for place in places:
            remember(provider, place.pbxs[provider].api, started, sent)
    assert dropped > 5
    for place in places:
        place.recover(provider, since, until)
    wait_until_same(provider, heard, lost, call_ids)
    found = lost.recovered(provider)
    assert found
    assert {one["missing"] for one in found} <= {"call", "end", "answer", "recording", "details"}
    # What was recovered once is not again.
    before = [heard.call(provider, one) for one in call_ids]
    lost.recover(provider, since, until)
    assert lost.recovered(provider) == found
    assert [lost.call(provider, one) for one in call_ids] == before


@each_provider
def test_a_call_of_which_nothing_arrived_is_there_once_the_pbx_was_asked(
    places: tuple[Place, Place], provider: str
) -> None:
    heard, lost = places
    _, until = hour()
    started = until - timedelta(minutes=30)
    story = load_story("outgoing_answered", provider)
    ids, sent = told(story, started)
    for one in sent:
        heard.pbxs[provider].post(one)
    for place in places:
        remember(provider, place.pbxs[provider].api, started, sent)
    lost.recover(provider, started - timedelta(minutes=5), until)
    wait_until_same(provider, heard, lost, [ids["call"]])
    assert [one["missing"] for one in lost.recovered(provider)][:1] == ["call"]
    # Nobody else has it.
    assert heard.recovered(provider) == [] or heard.recovered(provider)[0]["call_id"] != lost.recovered(provider)[0]


@each_provider
def test_the_time_limit_of_a_call_asks_the_pbx_how_it_ended(places: tuple[Place, Place], provider: str) -> None:
    heard, lost = places
    started = datetime.now(UTC) - timedelta(minutes=3)
    story = load_story("outgoing_answered", provider)
    ids, sent = told(story, started)
    remember(provider, lost.pbxs[provider].api, started, sent)
    for one in sent:
        heard.pbxs[provider].post(one)
    # The hang-up, and all after it, is lost.
    for event, one in zip(story.events, sent, strict=True):
        if event.hangup:
            break
        lost.pbxs[provider].post(one)
    wait_until_same(provider, heard, lost, [ids["call"]])
    found = lost.call(provider, ids["call"])
    assert found is not None
    assert not found["end_unknown"]


def test_a_pbx_that_says_no_is_asked_again_and_the_admin_reads_why(places: tuple[Place, Place]) -> None:
    _, lost = places
    pbx = lost.pbxs["generic"]
    since, until = hour()
    pbx.server.faults.append(Fault(Reply(403, {"error": "the key is not good any more"})))
    lost.recover("generic", since, until)
    path = f"/v1/integrations/{lost.integration('generic')}"
    deadline, clock = time.monotonic() + WITHIN_SECONDS, threading.Event()
    while not (error := lost.owner.get(path).json["history"]["error"]):
        assert time.monotonic() < deadline
        clock.wait(0.1)
    assert "the key is not good any more" in error
    lost.recover("generic", since, until)
    while lost.owner.get(path).json["history"]["error"]:
        assert time.monotonic() < deadline
        clock.wait(0.1)


def test_only_a_time_that_makes_sense_can_be_asked_for(places: tuple[Place, Place]) -> None:
    heard, _ = places
    path = f"/v1/integrations/{heard.integration('generic')}/recover"
    now = datetime.now(UTC)
    for since, until in ((now, now), (now, now - timedelta(days=1)), (now - timedelta(days=8), now)):
        answer = heard.owner.post(path, {"from": since.isoformat(), "to": until.isoformat()})
        assert answer.status == 400, answer
    assert heard.owner.post(path, {"from": "yesterday", "to": now.isoformat()}).status == 400
