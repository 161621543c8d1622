"""Helpers for the tests of Ringostat: requests and accounts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from hangtag.domain.calls.event import CallEvent
from hangtag.providers.base import Account, Click, WebhookRequest
from hangtag.providers.ringostat import Ringostat
from local.simulator.providers.ringostat.api import Api
from local.simulator.rest import Server, serving
from provider_stories import NOON

RINGOSTAT = Ringostat()
CLICK = Click(extension="101", number="+380671112233", reference="r")
ANSWERED = {"uniqueid": "1700000000.1", "caller": "380671112233", "dst": "380441112233", "connected_with": "101"}
SETTINGS = {"time_zone": "Europe/Kyiv"}


def webhook(moment: str, fields: dict[str, str], encoding: str = "form") -> WebhookRequest:
    """Return the webhook of a moment: POST with a form or JSON, or GET."""
    at_address = {"event": moment, **(fields if encoding == "get" else {})}
    body = {"form": urlencode(fields), "json": json.dumps(fields), "get": ""}[encoding]
    kinds = {"form": "application/x-www-form-urlencoded", "json": "application/json; charset=utf-8", "get": ""}
    return WebhookRequest(
        method="GET" if encoding == "get" else "POST",
        path="/hooks/ringostat/***",
        query=urlencode(at_address),
        headers={"content-type": kinds[encoding]},
        body=body.encode(),
        arrived_at=NOON,
    )


def event(moment: str, **fields: str) -> CallEvent:
    (result,) = RINGOSTAT.parse(webhook(moment, fields), SETTINGS).events
    return result


@contextmanager
def api_account() -> Iterator[tuple[Api, Server, Account]]:
    api = Api({"auth_key": "a-key-of-the-project"})
    with serving(api) as server:
        yield (
            api,
            server,
            Account(provider="ringostat", credentials=api.credentials(server.url), settings=api.settings(server.url)),
        )
