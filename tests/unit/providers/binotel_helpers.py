"""Helpers for the tests of Binotel: requests and accounts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from hangtag.domain.calls.event import CallEvent
from hangtag.providers.base import (
    Account,
    Click,
    VerificationKeys,
    WebhookRequest,
)
from hangtag.providers.binotel import Binotel
from local.simulator.providers.binotel import pbx as simulator
from local.simulator.providers.binotel.api import Api
from local.simulator.rest import Server, serving
from provider_stories import NOON

BINOTEL = Binotel()
CLICK = Click(extension="901", number="+380671112233", reference="r")
KEYS = VerificationKeys(credentials={"company_id": ("41234567",)})
RINGING = {"requestType": "receivedTheCall", "generalCallID": "1", "callType": "0", "externalNumber": "0671112233"}


def webhook(fields: dict[str, Any], *, as_json: bool = False, source: str = "194.88.218.114") -> WebhookRequest:
    body = json.dumps(fields) if as_json else urlencode(fields)
    return WebhookRequest(
        method="POST",
        path="/hooks/binotel/***",
        query="",
        headers={"content-type": "application/json" if as_json else "application/x-www-form-urlencoded"},
        body=body.encode(),
        arrived_at=NOON,
        source_ip=source,
    )


def event(at: datetime = NOON, **fields: str) -> CallEvent:
    request = webhook(fields)
    (result,) = BINOTEL.parse(
        WebhookRequest(
            method="POST", path=request.path, query="", headers=request.headers, body=request.body, arrived_at=at
        ),
        {},
    ).events
    return result


@contextmanager
def api_account() -> Iterator[tuple[Api, Server, Account]]:
    api = Api(simulator.CREDENTIALS)
    with serving(api) as server:
        yield (
            api,
            server,
            Account(provider="binotel", credentials=api.credentials(server.url), settings=api.settings(server.url)),
        )
