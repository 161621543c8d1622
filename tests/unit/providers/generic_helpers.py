"""Helpers of the tests of a bridge."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hangtag.domain.calls.event import CallEvent
from hangtag.providers import load
from hangtag.providers.base import (
    Account,
    VerificationKeys,
    WebhookRequest,
)
from local.simulator.providers.generic.api import Api
from local.simulator.rest import base as rest

GENERIC = load("generic")
KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
EVENT: Mapping[str, Any] = {"type": "ringing", "call_id": "c-1", "direction": "in", "extension": "101"}


def webhook_request(body: bytes, headers: Mapping[str, str], arrived_at: datetime = NOW) -> WebhookRequest:
    return WebhookRequest(
        method="POST", path="/hooks/generic/***", query="", headers=headers, body=body, arrived_at=arrived_at
    )


def keys_of(*keys: str) -> VerificationKeys:
    return VerificationKeys(credentials={"signing_key": keys})


def parse(body: object, message_id: str = "m-1") -> tuple[CallEvent, ...]:
    return GENERIC.parse(webhook_request(json.dumps(body).encode(), {"webhook-id": message_id}), {}).events


def parse_one(**fields: Any) -> CallEvent:
    (event,) = parse({**EVENT, **fields})
    return event


def account_of(api: Api, server: rest.Server) -> Account:
    """Return the account that uses the fake API at `server`."""
    return Account(provider="generic", credentials=api.credentials(server.url), settings=api.settings(server.url))
