"""Helpers and examples shared by the tests of Vonage."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from hangtag.providers import load as load_provider
from hangtag.providers.base import (
    Account,
    ParseResult,
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
)
from local.simulator.pbx.base import JSON
from local.simulator.providers.vonage import pbx as simulated
from local.simulator.providers.vonage.api import Api
from local.simulator.rest import Server, serving
from provider_stories import NOON, line

SECRET = simulated.CREDENTIALS["signature_secret"]
API_KEY = simulated.CREDENTIALS["api_key"]
vonage = load_provider("vonage")
OURS = line("vonage")
HOOK = OURS.url
CONTACT, OWN = "79101234567", "74951230001"
DEVICE = "sip:101@acme.sip.example.com"
CALLER = {"from": CONTACT, "to": OWN, "uuid": "u-a", "conversation_uuid": "CON-1", "direction": "inbound"}
EMPLOYEE = {"from": OWN, "to": DEVICE, "uuid": "u-101", "conversation_uuid": "CON-1", "direction": "outbound"}
DIALLED = {"from": OWN, "to": CONTACT, "uuid": "u-c", "conversation_uuid": "CON-1", "direction": "outbound"}
STAMP = "2026-03-01T12:00:00.000Z"


def webhook_request(
    body: bytes | Mapping[str, Any], authorization: str = "", at: datetime = NOON, method: str = "POST", query: str = ""
) -> WebhookRequest:
    return WebhookRequest(
        method=method,
        path="/hooks/vonage/***",
        query=query,
        headers={"content-type": JSON, "authorization": authorization},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        arrived_at=at,
        url=f"{HOOK}?{query}" if query else HOOK,
    )


def parse(fields: Mapping[str, Any], authorization: str = "", **hints: str) -> ParseResult:
    return vonage.parse(webhook_request({"timestamp": STAMP, **fields}, authorization, query=urlencode(hints)), {})


def verification_keys(*secrets: str, keys: tuple[str, ...] = (API_KEY,)) -> VerificationKeys:
    return VerificationKeys(credentials={"signature_secret": secrets or (SECRET,), "api_key": keys})


def is_accepted(request: WebhookRequest, keys: VerificationKeys) -> bool:
    try:
        vonage.verify(request, keys)
    except (SignatureError, PayloadError):
        return False
    return True


@contextmanager
def fake_account(**settings: Any) -> Iterator[tuple[Account, Api, Server]]:
    """Serve the fake API; yield an account there. A setting of None is left out."""
    api = Api(simulated.CREDENTIALS)
    with serving(api) as server:
        chosen = {name: value for name, value in {**api.settings(server.url), **settings}.items() if value is not None}
        yield (
            Account(provider="vonage", credentials=api.credentials(server.url), settings=chosen, webhook_url=HOOK),
            api,
            server,
        )
