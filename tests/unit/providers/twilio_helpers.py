"""Helpers and examples shared by the tests of Twilio."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from hangtag.domain.calls.event import CallEvent
from hangtag.providers import load as load_provider
from hangtag.providers.base import (
    Account,
    Click,
    ParseResult,
    VerificationKeys,
    WebhookRequest,
)
from local.simulator.pbx.base import FORM
from local.simulator.providers.twilio import pbx as simulated
from local.simulator.providers.twilio.api import Api
from local.simulator.rest import Server, serving
from local.simulator.story import Message, Story, load_stories, message
from provider_stories import IDS, NOON, line

TOKEN = simulated.CREDENTIALS["auth_token"]
ACCOUNT = simulated.CREDENTIALS["account_sid"]
HOOK = "https://hooks.example.com/hooks/twilio/" + "T" * 40
twilio = load_provider("twilio")
OURS = line("twilio")
STORIES = load_stories("twilio")
each_story = pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
PARENT, CHILD = "CA" + "1" * 32, "CA" + "2" * 32
CONTACT, OWN = "+79101234567", "+74951230001"
DEVICE = "sip:101@acme.sip.twilio.com"
INCOMING = {"CallSid": CHILD, "ParentCallSid": PARENT, "Direction": "outbound-dial", "From": CONTACT, "To": DEVICE}
CLICKED = {"CallSid": PARENT, "Direction": "outbound-api", "From": OWN, "To": DEVICE}
DIALLED = {"CallSid": CHILD, "ParentCallSid": PARENT, "Direction": "outbound-dial", "From": OWN, "To": CONTACT}


def webhook_request(
    url: str, fields: Mapping[str, str] | bytes, headers: Mapping[str, str] | None = None, method: str = "POST"
) -> WebhookRequest:
    return WebhookRequest(
        method=method,
        path=urlsplit(url).path,
        query=urlsplit(url).query,
        headers={"content-type": FORM} | {name.lower(): value for name, value in (headers or {}).items()},
        body=fields if isinstance(fields, bytes) else urlencode(fields).encode(),
        arrived_at=NOON,
        url=url,
    )


def parse(fields: Mapping[str, str], **hints: str) -> ParseResult:
    return twilio.parse(webhook_request(f"{HOOK}?{urlencode(hints)}" if hints else HOOK, fields), {})


def single_event(fields: Mapping[str, str], status: str, **hints: str) -> CallEvent:
    (one,) = parse({**fields, "CallStatus": status}, **hints).events
    return one


def verification_keys(**more: tuple[str, ...]) -> VerificationKeys:
    return VerificationKeys(credentials={"auth_token": (TOKEN,), "account_sid": (ACCOUNT,), **more})


def story_messages(story: Story) -> Iterator[Message]:
    at = NOON
    for event in story.events:
        at += timedelta(seconds=event.after)
        yield message(event, IDS, NOON, at)


RECORDED = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/RE{'5' * 32}"


@contextmanager
def fake_account(**settings: Any) -> Iterator[tuple[Account, Api, Server]]:
    """Serve the fake API; yield an account there. A setting of None is left out."""
    api = Api({name: value for name, value in simulated.CREDENTIALS.items() if not name.startswith("api_key")})
    with serving(api) as server:
        chosen = {name: value for name, value in {**api.settings(server.url), **settings}.items() if value is not None}
        yield account_of(api.credentials(server.url), chosen), api, server


def account_of(credentials: Mapping[str, str], settings: Mapping[str, Any]) -> Account:
    return Account(provider="twilio", credentials=credentials, settings=settings, webhook_url=HOOK)


CLICK = Click(extension="101", number=CONTACT, reference="r-1")


def webhook(story: Story) -> list[CallEvent]:
    """Return all events of a story's webhooks."""
    events: list[CallEvent] = []
    at = NOON
    for event, sent in zip(story.events, story_messages(story), strict=True):
        at += timedelta(seconds=event.after)
        events += OURS.accepted(OURS.signed(sent, at), at).events
    return events
