"""Reconciliation with the PBX's call log.

A day of calls is posted to two offices: to one completely, to the other without a random tenth of the webhook requests.
After reconciliation, calls, tags and reports are equal in all facts that the call log contains. The facts of each call
log, and the loss of any one or two requests, are in `tests/unit/test_history.py`.
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
from hangtag.services.reports import sums
from hangtag.store.calls.items import call_key
from local.simulator import Api, load_office_plan
from local.simulator.lines import Line
from local.simulator.office import Office, build_office
from local.simulator.past import Sent
from local.simulator.pbx import load
from local.simulator.player import fresh_id
from local.simulator.rest import Fault, Reply, Server, generic, serving
from local.simulator.rest import load as load_rest
from local.simulator.story import Story, load_stories, load_story, message
from local.stack import Stack

PORT = 4672
# Zadarma may be asked three times a minute, and each comparison asks it twice.
WITHIN_SECONDS = 150.0
SEED = 20261123
LOST = 0.1
# Each story of a provider is told so often.
TIMES = 2
# What the histories do not carry; why says the table of `tests/unit/test_history.py`.
NOT_CARRIED: Mapping[str, frozenset[str]] = {
    "zadarma": frozenset({"legs", "line", "External line", "External line name", "Time"}),
    "itoolabs": frozenset({"legs", "linked_call_id", "Time"}),
    # A transfer within a call, and with it what both talked, is known by the webhook alone.
    "twilio": frozenset({"legs", "talk_seconds", "Duration", "Time"}),
    "telnyx": frozenset(),
    # The same; nor are recordings in a list.
    "vonage": frozenset({"legs", "talk_seconds", "Duration", "Time", "recordings"}),
    "plivo": frozenset({"legs", "Time"}),
    # Webhooks tell no times but those of their arrival.
    "sipgate": frozenset({"legs", "linked_call_id", "talk_seconds", "Duration", "Time"}),
    # By which line a call went out is in the webhook alone.
    "mango": frozenset({"legs", "line", "External line", "External line name"}),
    "ringostat": frozenset({"legs"}),
    # Of the hang-up only its arrival is known, but for the end that is told besides.
    "binotel": frozenset({"legs", "Time"}),
    "generic": frozenset(),
    # When a call was answered is not logged, and so not for how long was talked.
    "ringcentral": frozenset({"legs", "talk_seconds", "Duration", "Time"}),
}
# Of a report's numbers, likewise.
NUMBERS_NOT_CARRIED: Mapping[str, frozenset[str]] = {
    "zadarma": frozenset({"timed", "answer_ms", "seconds_to_answer"}),
    "itoolabs": frozenset({"timed", "answer_ms", "seconds_to_answer"}),
    "twilio": frozenset({"answer_ms", "seconds_to_answer", "talk_seconds", "talk_minutes"}),
    "telnyx": frozenset(),
    "vonage": frozenset({"timed", "answer_ms", "seconds_to_answer", "talk_seconds", "talk_minutes"}),
    "plivo": frozenset({"timed", "answer_ms", "seconds_to_answer"}),
    "sipgate": frozenset({"timed", "answer_ms", "seconds_to_answer", "talk_seconds", "talk_minutes"}),
    # Milliseconds: the webhooks' are those of their order, and the history counts whole seconds.
    "mango": frozenset({"answer_ms"}),
    "ringostat": frozenset({"timed", "answer_ms", "seconds_to_answer"}),
    "binotel": frozenset({"timed", "answer_ms", "seconds_to_answer"}),
    "generic": frozenset(),
    "ringcentral": frozenset({"timed", "answer_ms", "seconds_to_answer", "talk_seconds", "talk_minutes"}),
}
REPORTS = ("calls-by-contact", "calls-by-employee", "missed-calls", "calls-by-line", "calls-by-hour")

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600), pytest.mark.usefixtures("environment")]

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

    stack: Stack
    office: Office
    owner: Caller
    pbxs: Mapping[str, Pbx]

    def integration(self, provider: str) -> str:
        return self.office.lines[provider].integration_id

    def recover(self, provider: str, since: datetime, until: datetime) -> None:
        """Have a time compared, and wait for it."""
        path = f"/v1/integrations/{self.integration(provider)}"
        before = self.owner.get(path).json["reconciliation"]["last_run_at"]
        asked = self.owner.post(f"{path}/recover", {"from": since.isoformat(), "to": until.isoformat()})
        assert asked.status == 202, asked
        deadline = time.monotonic() + WITHIN_SECONDS
        clock = threading.Event()
        while self.owner.get(path).json["reconciliation"]["last_run_at"] == before:
            assert time.monotonic() < deadline
            # Nothing tells a client of the API that something changed; it asks again.
            clock.wait(0.1)

    def reports(self, provider: str, first: str, last: str) -> dict[str, Any]:
        """All reports on a PBX's calls: their groups by names that are the same in every office."""
        # As if their time had come.
        sums.refresh(datetime.now(UTC) + timedelta(hours=2), lambda: True)
        asked = {"from": first, "to": last, "integration_id": self.integration(provider)}
        found = {}
        for kind in REPORTS:
            said = self.owner.get(f"/v1/reports/{kind}", **asked).json
            groups = {(group["name"], group["name"] or group["key"]): group["numbers"] for group in said["groups"]}
            found[kind] = {name: carried(provider, numbers) for name, numbers in groups.items()}
        if "line" in NOT_CARRIED[provider]:
            del found["calls-by-line"]
        return found

    def recovered(self, provider: str) -> list[dict[str, Any]]:
        path = f"/v1/integrations/{self.integration(provider)}/recovered"
        return list(self.owner.get(path, limit=100).json["items"])

    def call(self, provider: str, call_id: str) -> dict[str, Any] | None:
        """The call that the PBX calls so, with its tag, in words that are the same in every office."""
        place = {"integration_id": self.integration(provider), "pbx_call_id": call_id}
        items = self.owner.get("/v1/calls", **place).json["items"]
        if not items:
            return None
        (call,) = items
        tags = self.owner.get("/v1/tags", call_id=call["id"]).json["items"]
        return comparable(provider, call, tags)


def carried(provider: str, numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a report that do not depend on what the history does not carry."""
    return {name: value for name, value in numbers.items() if name not in NUMBERS_NOT_CARRIED[provider]}


def comparable(provider: str, call: Mapping[str, Any], tags: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is compared: all of a call and its tags but ids that an office makes, times of arrival, and what the
    provider's history does not carry.
    """
    said = {
        name: call[name]
        for name in ("direction", "state", "outcome", "talk_seconds", "answered_by_extension", "line", "linked_call_id",
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
def places(stack: Stack) -> Iterator[tuple[Place, Place]]:
    """Two offices with the same people: the one that hears all, and the one that does not."""
    with ExitStack() as contexts:
        yield opened(contexts, stack), opened(contexts, stack)


def opened(contexts: ExitStack, stack: Stack) -> Place:
    office = build_office(Api(stack.api, stack.operator_token), load_office_plan(), providers=ABLE)
    owner = Caller(stack.api, office.owner_token)
    pbxs = {provider: contexts.enter_context(connected(owner, office.lines[provider])) for provider in ABLE}
    return Place(stack, office, owner, pbxs)


class connected:  # noqa: N801 - reads as a statement
    """The fake of a PBX's REST API, with the integration pointed at it."""

    def __init__(self, owner: Caller, line: Line) -> None:
        self._owner = owner
        self._line = line
        self._api: Any = load_rest(line.provider)(load(line.provider).CREDENTIALS)
        if isinstance(self._api, generic.Api):
            # So that not the pages' number but the calls' is what takes time.
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


def hours() -> tuple[datetime, datetime]:
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
            stands = lost.owner.get(f"/v1/integrations/{lost.integration(provider)}").json["reconciliation"]
            pytest.fail(pprint.pformat((stands, lost.recovered(provider), differing), width=200))
        # Nothing tells a client of the API that something changed; it asks again.
        clock.wait(0.2)


def wait_until_reports_are_same(provider: str, heard: Place, lost: Place, days: tuple[str, str]) -> None:
    clock, deadline = threading.Event(), time.monotonic() + WITHIN_SECONDS
    while (ours := heard.reports(provider, *days)) != (theirs := lost.reports(provider, *days)):
        if time.monotonic() >= deadline:
            pytest.fail(pprint.pformat(difference(ours, theirs), width=200))
        # The stream, which marks hours, tells nobody when it has.
        clock.wait(0.5)
    assert all(ours.values())


def difference(ours: dict[str, Any] | None, theirs: dict[str, Any] | None) -> Any:
    if ours is None or theirs is None:
        return ours, theirs
    names = sorted(ours.keys() | theirs.keys())
    return {name: (ours.get(name), theirs.get(name)) for name in names if ours.get(name) != theirs.get(name)}


@each_provider
def test_call_timeout_reads_the_end_from_the_pbx(places: tuple[Place, Place], provider: str) -> None:
    heard, lost = places
    # Too young to be compared below.
    started = datetime.now(UTC) - timedelta(minutes=3)
    story = load_story("outgoing_answered", provider)
    ids, sent = told(story, started)
    lost.pbxs[provider].api.remember(started, sent)
    for one in sent:
        heard.pbxs[provider].post(one)
    # The hang-up, and all after it, is lost.
    for event, one in zip(story.events, sent, strict=True):
        if event.hangup:
            break
        lost.pbxs[provider].post(one)
    integration_id = lost.integration(provider)
    place = call_key(lost.office.tenant_id, integration_id, ids["call"], 0)
    # As the state machine does when nothing came in all the time.
    answer = lost.stack.invoke("TagsFunction", {"task": "reconcile", "pk": place.pk, "sk": place.sk})
    assert answer == {"open": False}
    wait_until_same(provider, heard, lost, [ids["call"]])
    found = lost.call(provider, ids["call"])
    assert found is not None
    assert not found["end_unknown"]
    assert lost.recovered(provider)[0]["missing"] == "end"


@each_provider
def test_reconciliation_recovers_a_day_with_lost_webhooks(
    places: tuple[Place, Place], provider: str
) -> None:
    heard, lost = places
    chance = random.Random(f"{SEED}-{provider}")  # noqa: S311 - no secret
    since, until = hours()
    before = lost.recovered(provider)
    call_ids: list[str] = []
    dropped = 0
    for number, story in enumerate(stories_of(provider) * TIMES):
        started = since + timedelta(minutes=2 + 3 * number)
        ids, sent = told(story, started)
        call_ids += [name for label, name in ids.items() if label in ("call", "call2")]
        for one in sent:
            heard.pbxs[provider].post(one)
            # Of the first call nothing arrives at all.
            if number == 0 or chance.random() < LOST:
                dropped += 1
            else:
                lost.pbxs[provider].post(one)
        for place in places:
            place.pbxs[provider].api.remember(started, sent)
    assert dropped > 5
    for place in places:
        place.recover(provider, since, until)
    wait_until_same(provider, heard, lost, call_ids)
    days = (since - timedelta(days=1)).date().isoformat(), (until + timedelta(days=1)).date().isoformat()
    wait_until_reports_are_same(provider, heard, lost, days)
    found = lost.recovered(provider)[: -len(before) or None]
    assert "call" in {one["missing"] for one in found}
    # What was recovered once is not again.
    was = [lost.call(provider, one) for one in call_ids]
    lost.recover(provider, since, until)
    assert lost.recovered(provider) == [*found, *before]
    assert [lost.call(provider, one) for one in call_ids] == was


def test_schedule_recovers_calls_since_the_connection(places: tuple[Place, Place]) -> None:
    heard, lost = places
    connected_at = lost.owner.get(f"/v1/integrations/{lost.integration('generic')}").json["created_at"]
    # Ten minutes before: that is how long a PBX may take to tell of a call.
    started = datetime.fromisoformat(connected_at) - timedelta(minutes=10) + timedelta(seconds=1)
    ids, sent = told(load_story("missed_incoming", "generic"), started)
    for one in sent:
        heard.pbxs["generic"].post(one)
    lost.pbxs["generic"].api.remember(started, sent)
    answer = lost.stack.invoke("JobsFunction", {"source": "hangtag.compare"})
    assert answer["asked"] >= 2 * len(ABLE)
    wait_until_same("generic", heard, lost, [ids["call"]])
    history = lost.owner.get(f"/v1/integrations/{lost.integration('generic')}").json["reconciliation"]
    assert datetime.fromisoformat(history["reconciled_until"]) > started


def test_failed_reconciliation_shows_the_error_until_it_succeeds(places: tuple[Place, Place]) -> None:
    _, lost = places
    pbx = lost.pbxs["generic"]
    since, until = hours()
    pbx.server.faults.append(Fault(Reply(422, {"error": "the archive is being moved"})))
    lost.recover("generic", since, until)
    path = f"/v1/integrations/{lost.integration('generic')}"
    deadline, clock = time.monotonic() + WITHIN_SECONDS, threading.Event()
    while not (error := lost.owner.get(path).json["reconciliation"]["error"]):
        assert time.monotonic() < deadline
        clock.wait(0.1)
    assert "the archive is being moved" in error
    lost.recover("generic", since, until)
    while lost.owner.get(path).json["reconciliation"]["error"]:
        assert time.monotonic() < deadline
        clock.wait(0.1)


def test_invalid_reconciliation_period_is_rejected(places: tuple[Place, Place]) -> None:
    heard, _ = places
    path = f"/v1/integrations/{heard.integration('generic')}/recover"
    now = datetime.now(UTC)
    for since, until in ((now, now), (now, now - timedelta(days=1)), (now - timedelta(days=8), now)):
        answer = heard.owner.post(path, {"from": since.isoformat(), "to": until.isoformat()})
        assert answer.status == 400, answer
    assert heard.owner.post(path, {"from": "yesterday", "to": now.isoformat()}).status == 400
