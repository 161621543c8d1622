"""Helpers and examples shared by the tests of Telnyx."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import telnyx as sdk

from fake_clients import PlainClient
from hangtag.domain.calls.event import CallEvent
from hangtag.providers import load as load_provider
from hangtag.providers.base import (
    Account,
    ParseResult,
    WebhookRequest,
)
from local.simulator.pbx.base import JSON
from local.simulator.providers.telnyx import pbx as simulated
from local.simulator.providers.telnyx.api import Api
from local.simulator.rest import Request, Server, serving
from local.simulator.story import Story, load_stories, message
from provider_stories import IDS, NOON, line

telnyx = load_provider("telnyx")
OURS = line("telnyx")
STORIES = load_stories("telnyx")
each_story = pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
CONTACT, OWN, SECOND_OWN, MOBILE = "+79101234567", "+74951230001", "+74951230002", "+79161112233"
ANNA, BORIS = "sip:101@acme.sip.telnyx.com", "sip:102@acme.sip.telnyx.com"
SETTINGS = simulated.SETTINGS
EMPLOYEE = {"d": "out", "leg": "employee", "ext": "101", "n": CONTACT, "l": OWN}
THE_CONTACT = {**EMPLOYEE, "leg": "contact", "c": "v3:employee"}


def packed_state(state: object) -> str:
    return base64.b64encode(json.dumps(state).encode()).decode()


def body_of(
    name: str,
    caller: str = CONTACT,
    called: str = OWN,
    *,
    leg: str = "L1",
    after: float = 0,
    state: Mapping[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a webhook as JSON, sent `after` seconds after noon."""
    at = (NOON + timedelta(seconds=after)).isoformat()
    payload = {
        "call_control_id": f"v3:{leg}",
        "call_leg_id": leg,
        "call_session_id": "S1",
        "connection_id": simulated.CREDENTIALS["connection_id"],
        "client_state": packed_state(state) if state is not None else None,
        "from": caller,
        "to": called,
        **more,
    }
    id_ = hashlib.sha256(json.dumps([name, leg, after, more], default=str).encode()).hexdigest()
    data = {"record_type": "event", "event_type": f"call.{name}", "id": id_, "occurred_at": at, "payload": payload}
    return {"data": data, "meta": {"attempt": 1}}


def webhook_request(body: object, headers: Mapping[str, str] | None = None, at: datetime = NOON) -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        path="/hooks/telnyx/***",
        query="",
        headers={"content-type": JSON} | {name.lower(): value for name, value in (headers or {}).items()},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        arrived_at=at,
    )


def parse(name: str, *arguments: Any, settings: Mapping[str, Any] | None = None, **more: Any) -> ParseResult:
    return telnyx.parse(webhook_request(body_of(name, *arguments, **more)), SETTINGS if settings is None else settings)


def single_event(name: str, *arguments: Any, **more: Any) -> CallEvent:
    (one,) = parse(name, *arguments, **more).events
    return one


def all_of(*bodies: Mapping[str, Any]) -> list[CallEvent]:
    return [event for body in bodies for event in telnyx.parse(webhook_request(body), SETTINGS).events]


WORKED_KEY = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
WORKED_BODY = (
    b'{"data":{"record_type":"event","event_type":"call.hangup","id":"0ccc7b54-4df3-4bca-a65a-3da1ecc777f0",'
    b'"occurred_at":"2026-11-23T00:00:00.000000Z","payload":{"call_control_id":"v3:abc",'
    b'"call_leg_id":"428c31b6-7af4-4bcb-b7f5-5013ef9657c1","call_session_id":"428c31b6-abf3-3bc1-b7f4-5013ef9657c1",'
    b'"connection_id":"7267","from":"+35319605860","to":"+13129457420","state":"hangup",'
    b'"hangup_cause":"normal_clearing","hangup_source":"caller","sip_hangup_cause":"200",'
    b'"start_time":"2026-11-22T23:59:00.000000Z"}},'
    b'"meta":{"attempt":1,"delivered_to":"https://hooks.example.com/telnyx"}}'
)
WORKED_HEADERS = {
    "telnyx-timestamp": "1795392000",
    "telnyx-signature-ed25519": (
        "1wnqauGNwBkicJdYgxO4m22CntaDfihqEpxU5c1tnm280/1cshvpa6lF19uXbSO5Er20XXjUOGkHN/OjjzTrBg=="
    ),
}
WORKED_AT = datetime.fromtimestamp(1795392000, UTC)


def worked_example(body: bytes = WORKED_BODY, later: float = 0, **headers: str) -> WebhookRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return webhook_request(body, {**WORKED_HEADERS, **named}, WORKED_AT + timedelta(seconds=later))


def deliveries(story: Story) -> list[tuple[bool, tuple[CallEvent, ...]]]:
    """Return whether each webhook of a story is a hang-up, and its events."""
    at, results = NOON, []
    for number, event in enumerate(story.events):
        at += timedelta(seconds=event.after, microseconds=number)
        signed = OURS.signed(message(event, IDS, NOON, at), at)
        results.append((event.hangup, OURS.accepted(signed, at).events))
    return results


def flat(groups: Sequence[tuple[CallEvent, ...]]) -> list[CallEvent]:
    return [event for events in groups for event in events]


class Line:
    """An account at the fake API, and a client for it."""

    def __init__(self, api: Api, server: Server, **settings: Any) -> None:
        self.api, self.server, self.client = api, server, PlainClient()
        self.account = Account(
            provider="telnyx",
            credentials=api.credentials(server.url),
            settings={**api.settings(server.url), **settings},
        )

    def without(self, *names: str) -> Account:
        left = {name: value for name, value in self.account.credentials.items() if name not in names}
        return replace(self.account, credentials=left)

    def last(self) -> Request:
        return self.server.requests[-1]


@contextmanager
def fake_account(**settings: Any) -> Iterator[Line]:
    api = Api(simulated.CREDENTIALS)
    with serving(api) as server:
        yield Line(api, server, **settings)


@contextmanager
def library(at: Line) -> Iterator[sdk.Telnyx]:
    with sdk.Telnyx(api_key=simulated.CREDENTIALS["api_key"], base_url=f"{at.server.url}/v2", max_retries=0) as client:
        yield client
