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
from hangtag.providers import load as load_provider
from hangtag.providers import provider_keys
from hangtag.services.reports import sums
from hangtag.store.calls.items import call_key
from local.simulator import Api, load_office_plan
from local.simulator.lines import Line
from local.simulator.office import Office, build_office
from local.simulator.past import Sent
from local.simulator.pbx import load
from local.simulator.player import fresh_id
from local.simulator.providers.generic import api as generic
from local.simulator.rest import Fault, Response, Server, serving
from local.simulator.rest import load as load_rest
from local.simulator.story import Story, load_stories, load_story, message
from local.stack import Stack

PORT = 4672
# Zadarma allows three requests per minute, and each reconciliation sends two.
WITHIN_SECONDS = 150.0
SEED = 20261123
LOST = 0.1
# Number of times that each story is played.
TIMES = 2
# Fields missing from the call logs; `tests/unit/test_history.py` has the reasons.
MISSING_FIELDS: Mapping[str, frozenset[str]] = {
    "zadarma": frozenset({"legs", "line", "External line", "External line name", "Time"}),
    "itoolabs": frozenset({"legs", "linked_call_id", "Time"}),
    # Only webhooks contain transfers within a call, and so the talk time of both employees.
    "twilio": frozenset({"legs", "talk_seconds", "Duration", "Time"}),
    "telnyx": frozenset(),
    # Only webhooks contain transfers and recordings.
    "vonage": frozenset({"legs", "talk_seconds", "Duration", "Time", "recordings"}),
    "plivo": frozenset({"legs", "Time"}),
    # Webhooks contain no times; their arrival is used.
    "sipgate": frozenset({"legs", "linked_call_id", "talk_seconds", "Duration", "Time"}),
    # Only webhooks contain the line of an outgoing call.
    "mango": frozenset({"legs", "line", "External line", "External line name"}),
    "ringostat": frozenset({"legs"}),
    # Only the arrival of the hang-up is available, except for the separate end time.
    "binotel": frozenset({"legs", "Time"}),
    "generic": frozenset(),
    # The call log has no response times, so talk times are not available.
    "ringcentral": frozenset({"legs", "talk_seconds", "Duration", "Time"}),
}
# Numbers of reports that depend on fields missing from the call logs.
MISSING_NUMBERS: Mapping[str, frozenset[str]] = {
    "zadarma": frozenset({"timed_calls", "answer_ms_total", "seconds_to_answer"}),
    "itoolabs": frozenset({"timed_calls", "answer_ms_total", "seconds_to_answer"}),
    "twilio": frozenset({"answer_ms_total", "seconds_to_answer", "talk_seconds", "talk_minutes"}),
    "telnyx": frozenset(),
    "vonage": frozenset({"timed_calls", "answer_ms_total", "seconds_to_answer", "talk_seconds", "talk_minutes"}),
    "plivo": frozenset({"timed_calls", "answer_ms_total", "seconds_to_answer"}),
    "sipgate": frozenset({"timed_calls", "answer_ms_total", "seconds_to_answer", "talk_seconds", "talk_minutes"}),
    # Milliseconds of webhooks come from their order; the call log has whole seconds.
    "mango": frozenset({"answer_ms_total"}),
    "ringostat": frozenset({"timed_calls", "answer_ms_total", "seconds_to_answer"}),
    "binotel": frozenset({"timed_calls", "answer_ms_total", "seconds_to_answer"}),
    "generic": frozenset(),
    "ringcentral": frozenset({"timed_calls", "answer_ms_total", "seconds_to_answer", "talk_seconds", "talk_minutes"}),
}
REPORTS = ("calls-by-contact", "calls-by-employee", "missed-calls", "calls-by-line", "calls-by-hour")

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600), pytest.mark.usefixtures("environment")]

ABLE = [key for key in provider_keys() if load_provider(key).supports("history")]
each_provider = pytest.mark.parametrize("provider", ABLE)


@dataclass(frozen=True, slots=True)
class Pbx:
    """A PBX of an office: its webhook and a fake of its REST API."""

    line: Line
    api: Any
    server: Server

    def post(self, sent: Sent) -> None:
        """Send one webhook request."""
        signed = self.line.pbx.request(self.line.webhook_url, sent.message, self.line.secrets, datetime.now(UTC))
        response = requests.request(
            signed.method, signed.url, headers=dict(signed.headers), data=signed.body, timeout=60
        )
        assert response.status_code == 200, response.text


@dataclass(frozen=True, slots=True)
class ConnectedOffice:
    """An office and its PBXs by provider."""

    stack: Stack
    office: Office
    owner: Caller
    pbxs: Mapping[str, Pbx]

    def integration(self, provider: str) -> str:
        return self.office.lines[provider].integration_id

    def recover(self, provider: str, since: datetime, until: datetime) -> None:
        """Reconcile a period and wait for the end of the run."""
        path = f"/v1/integrations/{self.integration(provider)}"
        before = self.owner.get(path).json["reconciliation"]["last_run_at"]
        started = self.owner.post(f"{path}/recover", {"from": since.isoformat(), "to": until.isoformat()})
        assert started.status == 202, started
        deadline = time.monotonic() + WITHIN_SECONDS
        clock = threading.Event()
        while self.owner.get(path).json["reconciliation"]["last_run_at"] == before:
            assert time.monotonic() < deadline
            # The API has no notification for this change.
            clock.wait(0.1)

    def reports(self, provider: str, first: str, last: str) -> dict[str, Any]:
        """Return all reports of a PBX's calls, with groups by names that do not depend on the office."""
        # Run the refresh ahead of its time.
        sums.refresh(datetime.now(UTC) + timedelta(hours=2), lambda: True)
        query = {"from": first, "to": last, "integration_id": self.integration(provider)}
        reports = {}
        for kind in REPORTS:
            report = self.owner.get(f"/v1/reports/{kind}", **query).json
            groups = {(group["name"], group["name"] or group["key"]): group["numbers"] for group in report["groups"]}
            reports[kind] = {name: available(provider, numbers) for name, numbers in groups.items()}
        if "line" in MISSING_FIELDS[provider]:
            del reports["calls-by-line"]
        return reports

    def recovered(self, provider: str) -> list[dict[str, Any]]:
        path = f"/v1/integrations/{self.integration(provider)}/recovered"
        return list(self.owner.get(path, limit=100).json["items"])

    def call(self, provider: str, call_id: str) -> dict[str, Any] | None:
        """Return the call with this PBX id and its tag, with names instead of ids; None if it does not exist."""
        place = {"integration_id": self.integration(provider), "pbx_call_id": call_id}
        items = self.owner.get("/v1/calls", **place).json["items"]
        if not items:
            return None
        (call,) = items
        tags = self.owner.get("/v1/tags", call_id=call["id"]).json["items"]
        return comparable(provider, call, tags)


def available(provider: str, numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of a report without those that need fields missing from the call log."""
    return {name: value for name, value in numbers.items() if name not in MISSING_NUMBERS[provider]}


def comparable(provider: str, call: Mapping[str, Any], tags: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the fields to compare: a call and its tags without generated ids, arrival times and fields that are
    missing from the provider's call log.
    """
    fields = {
        name: call[name]
        for name in ("direction", "state", "outcome", "talk_seconds", "answered_by_extension", "line", "linked_call_id",
                     "skip_reason", "tag_type", "legs", "end_unknown", "data")
    }  # fmt: skip
    fields["recordings"] = sorted(one["id"] for one in call["recordings"])
    for tag in tags:
        fields |= {"type": tag["type"], "tag direction": tag["direction"]}
        for field in tag["fields"]:
            value = field["value"]
            fields[field["name"]] = value["name"] if isinstance(value, dict) and "name" in value else value
    return {name: value for name, value in fields.items() if name not in MISSING_FIELDS[provider]}


@pytest.fixture(scope="module")
def offices(stack: Stack) -> Iterator[tuple[ConnectedOffice, ConnectedOffice]]:
    """Yield two offices with equal employees: one for all webhook requests, one for a part of them."""
    with ExitStack() as contexts:
        yield open_place(contexts, stack), open_place(contexts, stack)


def open_place(contexts: ExitStack, stack: Stack) -> ConnectedOffice:
    office = build_office(Api(stack.api, stack.operator_token), load_office_plan(), providers=ABLE)
    owner = Caller(stack.api, office.owner_token)
    pbxs = {provider: contexts.enter_context(connected(owner, office.lines[provider])) for provider in ABLE}
    return ConnectedOffice(stack, office, owner, pbxs)


class connected:  # noqa: N801 - reads as a statement
    """Fake of a PBX's REST API with an integration connected to it."""

    def __init__(self, owner: Caller, line: Line) -> None:
        self._owner = owner
        self._line = line
        self._api: Any = load_rest(line.provider)(load(line.provider).CREDENTIALS)
        if isinstance(self._api, generic.Api):
            # Large pages, because each page is a slow request.
            self._api.page = 100
        self._serving = serving(self._api)

    def __enter__(self) -> Pbx:
        server = self._serving.__enter__()
        credentials = dict(self._api.credentials(server.url))
        body = {"credentials": credentials, "settings": dict(self._api.settings(server.url)), "overlap_hours": 0}
        changed = self._owner.patch(f"/v1/integrations/{self._line.integration_id}", body)
        assert changed.status == 200, changed
        line = replace(self._line, secrets={**self._line.secrets, **credentials})
        return Pbx(line, self._api, server)

    def __exit__(self, *error: Any) -> None:
        self._serving.__exit__(*error)


def requests_of(story: Story, started: datetime) -> tuple[dict[str, str], list[Sent]]:
    """Return the ids of a story's calls and its webhook requests, for a story that began at `started`."""
    ids = {name: fresh_id() for name in story.placeholders}
    at, sent = started, []
    for event in story.events:
        at += timedelta(seconds=event.after)
        sent.append(Sent(message(event, ids, started, at), at))
    return ids, sent


def stories_of(provider: str) -> list[Story]:
    """Return the provider's stories without click-to-calls."""
    return [story for story in load_stories(provider) if not story.name.startswith("click_")]


def hours() -> tuple[datetime, datetime]:
    """Return a past period. Calls of the last minutes are not reconciled yet."""
    now = datetime.now(UTC)
    return now - timedelta(hours=5), now - timedelta(minutes=11)


def wait_until_same(provider: str, complete: ConnectedOffice, lost: ConnectedOffice, call_ids: Sequence[str]) -> None:
    clock, deadline = threading.Event(), time.monotonic() + WITHIN_SECONDS
    left = list(call_ids)
    differing: dict[str, Any] = {}
    while left:
        differing = {}
        for call_id in left:
            ours, theirs = complete.call(provider, call_id), lost.call(provider, call_id)
            if ours is None or ours != theirs or ours["state"] != "closed":
                differing[call_id] = difference(ours, theirs)
        left = list(differing)
        if left and time.monotonic() >= deadline:
            stands = lost.owner.get(f"/v1/integrations/{lost.integration(provider)}").json["reconciliation"]
            pytest.fail(pprint.pformat((stands, lost.recovered(provider), differing), width=200))
        # The API has no notification for this change.
        clock.wait(0.2)


def wait_until_reports_are_same(
    provider: str, complete: ConnectedOffice, lost: ConnectedOffice, days: tuple[str, str]
) -> None:
    clock, deadline = threading.Event(), time.monotonic() + WITHIN_SECONDS
    while (ours := complete.reports(provider, *days)) != (theirs := lost.reports(provider, *days)):
        if time.monotonic() >= deadline:
            pytest.fail(pprint.pformat(difference(ours, theirs), width=200))
        # The stream has no notification for marked hours.
        clock.wait(0.5)
    assert all(ours.values())


def difference(ours: dict[str, Any] | None, theirs: dict[str, Any] | None) -> Any:
    if ours is None or theirs is None:
        return ours, theirs
    names = sorted(ours.keys() | theirs.keys())
    return {name: (ours.get(name), theirs.get(name)) for name in names if ours.get(name) != theirs.get(name)}


@each_provider
def test_call_timeout_reads_the_end_from_the_pbx(
    offices: tuple[ConnectedOffice, ConnectedOffice], provider: str
) -> None:
    complete, lost = offices
    # Too recent for the reconciliation of the tests below.
    started = datetime.now(UTC) - timedelta(minutes=3)
    story = load_story("outgoing_answered", provider)
    ids, sent = requests_of(story, started)
    lost.pbxs[provider].api.remember(started, sent)
    for one in sent:
        complete.pbxs[provider].post(one)
    # The hang-up and later requests are lost.
    for event, one in zip(story.events, sent, strict=True):
        if event.hangup:
            break
        lost.pbxs[provider].post(one)
    integration_id = lost.integration(provider)
    place = call_key(lost.office.tenant_id, integration_id, ids["call"], 0)
    # Like the state machine after its timeout.
    response = lost.stack.invoke("TagsFunction", {"task": "reconcile", "pk": place.pk, "sk": place.sk})
    assert response == {"open": False}
    wait_until_same(provider, complete, lost, [ids["call"]])
    call = lost.call(provider, ids["call"])
    assert call is not None
    assert not call["end_unknown"]
    assert lost.recovered(provider)[0]["missing"] == "end"


@each_provider
def test_reconciliation_recovers_a_day_with_lost_webhooks(
    offices: tuple[ConnectedOffice, ConnectedOffice], provider: str
) -> None:
    complete, lost = offices
    chance = random.Random(f"{SEED}-{provider}")  # noqa: S311 - no secret
    since, until = hours()
    before = lost.recovered(provider)
    call_ids: list[str] = []
    dropped = 0
    for number, story in enumerate(stories_of(provider) * TIMES):
        started = since + timedelta(minutes=2 + 3 * number)
        ids, sent = requests_of(story, started)
        call_ids += [name for label, name in ids.items() if label in ("call", "call2")]
        for one in sent:
            complete.pbxs[provider].post(one)
            # The first call loses all its requests.
            if number == 0 or chance.random() < LOST:
                dropped += 1
            else:
                lost.pbxs[provider].post(one)
        for place in offices:
            place.pbxs[provider].api.remember(started, sent)
    assert dropped > 5
    for place in offices:
        place.recover(provider, since, until)
    wait_until_same(provider, complete, lost, call_ids)
    days = (since - timedelta(days=1)).date().isoformat(), (until + timedelta(days=1)).date().isoformat()
    wait_until_reports_are_same(provider, complete, lost, days)
    recovered = lost.recovered(provider)[: -len(before) or None]
    assert "call" in {one["missing"] for one in recovered}
    # A second run recovers nothing.
    calls = [lost.call(provider, one) for one in call_ids]
    lost.recover(provider, since, until)
    assert lost.recovered(provider) == [*recovered, *before]
    assert [lost.call(provider, one) for one in call_ids] == calls


def test_schedule_recovers_calls_since_the_connection(offices: tuple[ConnectedOffice, ConnectedOffice]) -> None:
    complete, lost = offices
    connected_at = lost.owner.get(f"/v1/integrations/{lost.integration('generic')}").json["created_at"]
    # A PBX can report a call up to ten minutes late.
    started = datetime.fromisoformat(connected_at) - timedelta(minutes=10) + timedelta(seconds=1)
    ids, sent = requests_of(load_story("missed_incoming", "generic"), started)
    for one in sent:
        complete.pbxs["generic"].post(one)
    lost.pbxs["generic"].api.remember(started, sent)
    response = lost.stack.invoke("JobsFunction", {"source": "hangtag.compare"})
    assert response["asked"] >= 2 * len(ABLE)
    wait_until_same("generic", complete, lost, [ids["call"]])
    history = lost.owner.get(f"/v1/integrations/{lost.integration('generic')}").json["reconciliation"]
    assert datetime.fromisoformat(history["reconciled_until"]) > started


def test_failed_reconciliation_shows_the_error_until_it_succeeds(
    offices: tuple[ConnectedOffice, ConnectedOffice],
) -> None:
    _, lost = offices
    pbx = lost.pbxs["generic"]
    since, until = hours()
    pbx.server.faults.append(Fault(Response(422, {"error": "the archive is being moved"})))
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


def test_invalid_reconciliation_period_is_rejected(offices: tuple[ConnectedOffice, ConnectedOffice]) -> None:
    complete, _ = offices
    path = f"/v1/integrations/{complete.integration('generic')}/recover"
    now = datetime.now(UTC)
    for since, until in ((now, now), (now, now - timedelta(days=1)), (now - timedelta(days=8), now)):
        response = complete.owner.post(path, {"from": since.isoformat(), "to": until.isoformat()})
        assert response.status == 400, response
    assert complete.owner.post(path, {"from": "yesterday", "to": now.isoformat()}).status == 400
