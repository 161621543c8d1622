"""Webhook requests during outages: without the table and the queue, and without outage of the table."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ConnectionClosedError

from api_client import Caller
from hangtag.auth import make_token
from hangtag.providers.base import WebhookRequest
from hangtag.runtime import Settings
from hangtag.services.webhooks.handler import QUEUED, handle
from hangtag.store.db import client
from local.simulator import Api, load_office_plan
from local.simulator.office import build_office
from local.simulator.pbx import Request
from local.simulator.story import load_story, message
from local.stack import Stack

KEY = "0" * 64
PORT = 4683


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set an AWS endpoint that refuses connections."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client.make.cache_clear()
    client._session.cache_clear()


@pytest.mark.usefixtures("unreachable")
def test_webhook_returns_503_without_table_or_queue() -> None:
    settings = Settings(
        table="table",
        public_url="https://hooks.example.com",
        token_keys=KEY,
        fallback_queue_url=os.environ["AWS_ENDPOINT_URL"] + "/queue",
        originate_queue_url=os.environ["AWS_ENDPOINT_URL"] + "/originate",
        sweep_after=timedelta(minutes=5),
    )
    token = make_token("hook", KEY)
    request = WebhookRequest(
        method="POST",
        path=f"/tel/api/{token}",
        query="",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=b"cmd=event",
        arrived_at=datetime(2026, 3, 1, tzinfo=UTC),
    )
    assert handle(settings, "telephony_api", token, request).status == 503
    assert handle(settings, "telephony_api", "junk", request).status == 404


# ------------------------------------------------------------------ outage of the table


@contextmanager
def table_refuses_writes() -> Iterator[None]:
    """Fail each UpdateItem of this process; reads succeed."""

    def refuse(**_: Any) -> None:
        raise ConnectionClosedError(endpoint_url="the table")

    events, name = client.dynamodb().meta.events, "before-send.dynamodb.UpdateItem"
    events.register(name, refuse)
    try:
        yield
    finally:
        events.unregister(name, refuse)


def settings_of(stack: Stack) -> Settings:
    """Return the settings of the stack's webhook function."""
    function = stack.client("lambda").get_function_configuration(FunctionName=stack.functions["WebhookFunction"])
    variables = function["Environment"]["Variables"]
    return Settings(
        table=variables["TABLE_NAME"],
        public_url=variables["PUBLIC_URL"],
        token_keys=variables["TOKEN_KEY"],
        fallback_queue_url=variables["FALLBACK_QUEUE_URL"],
        originate_queue_url=variables["ORIGINATE_QUEUE_URL"],
        sweep_after=timedelta(seconds=int(variables["SWEEP_AFTER_SECONDS"])),
    )


def webhook_request(sent: Request, url: str, at: datetime) -> tuple[str, WebhookRequest]:
    """Return the request as the function receives it, and the token of its URL."""
    parts = urlsplit(sent.url)
    request = WebhookRequest(
        method=sent.method,
        path=parts.path.removeprefix(urlsplit(url).path.partition("/hooks/")[0]),
        query=parts.query,
        headers={name.lower(): value for name, value in sent.headers.items()},
        body=sent.body,
        arrived_at=at,
    )
    return urlsplit(url).path.rsplit("/", 1)[1], request


@pytest.mark.stack
@pytest.mark.parametrize("provider", ["plivo", "sipgate"])
def test_steering_response_survives_a_table_outage(
    stack: Stack, environment: pytest.MonkeyPatch, provider: str
) -> None:
    """Any other response would end the call or its events; the request itself is stored later."""
    office = build_office(Api(stack.api, stack.operator_token), load_office_plan(), providers=(provider,))
    line, now = office.lines[provider], datetime.now(UTC)
    call_id = f"queued-{provider}"
    sent = message(load_story("answered_incoming", provider).events[0], {"call": call_id}, now, now)
    signed = line.pbx.request(line.webhook_url, sent, line.secrets, now)
    token, request = webhook_request(signed, line.webhook_url, now)
    with table_refuses_writes():
        response = handle(settings_of(stack), provider, token, request)
    assert response.status == 200
    assert response != QUEUED
    assert line.webhook_url in response.body
    owner, clock = Caller(stack.api, office.owner_token), threading.Event()
    for _ in range(600):
        calls = owner.get("/v1/calls", integration_id=line.integration_id, pbx_call_id=call_id).json["items"]
        if calls:
            break
        # The API does not push changes.
        clock.wait(0.1)
    assert [call["state"] for call in calls] == ["open"]
    # Without the outage, the response would have been equal.
    assert handle(settings_of(stack), provider, token, request) == response
