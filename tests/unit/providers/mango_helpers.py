"""Helpers for the tests of Mango Office: payloads, accounts and documented examples."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from fake_clients import PlainClient
from hangtag.domain.calls.event import CallEvent
from hangtag.domain.calls.fold import Call
from hangtag.providers.base import (
    Account,
    Click,
    ParseResult,
    VerificationKeys,
    WebhookRequest,
)
from hangtag.providers.mango import Mango
from local.simulator.providers.mango import pbx as simulator
from local.simulator.providers.mango.api import Api
from local.simulator.rest import Server, serving
from local.simulator.story import load_story
from provider_stories import NOON, line

KEY, SALT = "1234567890qwerty", "mango_salt_example"
KEYS = VerificationKeys(credentials={"vpbx_api_key": (KEY,), "vpbx_api_salt": (SALT,)})
# Computed independently of this code; the first matches the hash() of Python-Mango-Office-API 3.7.4.
CALLBACK = '{"command_id":"cbk1","from":{"extension":"101"},"to_number":"74955404444"}'
DISCONNECTED = (
    '{"entry_id":"1MN0Q1MDOQ==","call_id":"MIxEyNTzTo6NDxkzNMMOzNQ==","timestamp":1558422128,"seq":2,'
    '"call_state":"Disconnected","location":"abonent","from":{"number":"79001234567"},"to":{"extension":"29",'
    '"number":"sip:user00000@tech.mangosip.ru","line_number":"74951234567"},"disconnect_reason":1131}'
)
DOCUMENTED = [
    (CALLBACK, "92786fbe1b71c744f3f884aebf1bf5fc3c48e95aa85938ef7785363bfd71f941"),
    (DISCONNECTED, "d2468b5d6671c19f5ef47edd04b353c881b0b136b466e3852ae65089240becd1"),
]
# The same recipe for a public link: key, time and recording.
LINK = ("1795392000MToxMDA=", "f16eea7977c3f5ad256c5034045e5497591c5197d2758c569d0077967afc645e")
MANGO = Mango()
SENT_AT = datetime(2019, 5, 21, 7, 2, 8, tzinfo=UTC)
RECORDING = "MToxMDAwNjA4NTo1MDA5NDExMDIyOjE="
CLICK = Click(extension="101", number="+74955404444", reference="cbk1")


def webhook(rest: str, payload: str, sign: str = "", key: str = KEY, at: datetime = NOON) -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        path=f"/hooks/mango/***/{rest}",
        query="",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=urlencode({"vpbx_api_key": key, "sign": sign, "json": payload}).encode(),
        arrived_at=at,
        rest=rest,
    )


def parsed(rest: str, /, **payload: Any) -> ParseResult:
    fields = {"entry_id": "e1", **payload}
    return MANGO.parse(webhook(rest, json.dumps(fields)), {})


def leg(state: str = "Appeared", /, **payload: Any) -> tuple[CallEvent, ...]:
    """Return the events of one leg notification."""
    fields = {"call_id": "c1", "timestamp": int(NOON.timestamp()), "seq": 1, "call_state": state, **payload}
    return parsed("events/call", **{"location": "abonent", **fields}).events


def single(events: tuple[CallEvent, ...]) -> CallEvent:
    (event,) = events
    return event


def story(name: str) -> Call:
    (call,) = line("mango").folded(load_story(name, "mango").events).values()
    return call


INCOMING: Mapping[str, Any] = {
    "from": {"number": "79001234567"},
    "to": {"extension": "101", "number": "sip:a@x.ru", "line_number": "74951234567"},
}
OUTGOING: Mapping[str, Any] = {"from": {"extension": "101", "number": "sip:a@x.ru"}, "to": {"number": "79001234567"}}


def summary(**payload: Any) -> tuple[CallEvent, ...]:
    begun = int(NOON.timestamp()) - 14
    fields = {"create_time": begun, "forward_time": begun + 2, "end_time": begun + 14, "line_number": "78001234567"}
    return parsed("events/summary", **{"from": {"number": "79000000000"}, "to": {}, **fields, **payload}).events


@contextmanager
def api_account(**credentials: str) -> Iterator[tuple[Account, Api, Server]]:
    """Serve the API and yield an account at it."""
    api = Api(simulator.CREDENTIALS)
    with serving(api) as server:
        typed = {**api.credentials(server.url), **credentials}
        yield Account(provider="mango", credentials=typed, settings=api.settings(server.url)), api, server


def context(entry: str, started: datetime, **more: Any) -> dict[str, Any]:
    """Return a call of the statistics in the documented format, in which legs have no id."""
    begun = int(started.timestamp())
    member = {
        "call_type": "user", "call_abonent_id": 300000101, "call_abonent_info": "Anna", "call_start_time": begun,
        "call_answer_time": begun + 5, "call_end_time": begun + 14, "call_duration": 14, "talk_duration": 9,
        "call_end_reason": 110, "recording_id": [RECORDING], "members": None,
    }  # fmt: skip
    group = {**member, "call_type": "group", "call_abonent_id": 10051192, "members": [member]}
    return {
        "entry_id": entry, "context_type": 1, "context_status": 1, "caller_id": None, "caller_number": "74956496674",
        "called_number": "74952233567", "context_start_time": begun, "duration": 14, "talk_duration": 9,
        "context_init_type": 0, "context_calls": [group], **more,
    }  # fmt: skip


def moment_of(payload: str) -> datetime:
    return datetime.strptime(payload + " +0300", "%d.%m.%Y %H:%M:%S %z")


def history_events(account: Account, since: datetime = NOON - timedelta(hours=1)) -> list[CallEvent]:
    return list(MANGO.history(account, since, NOON + timedelta(hours=1), PlainClient()))
