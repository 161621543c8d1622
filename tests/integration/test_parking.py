"""What the webhook says when AWS does not answer it, tried against a closed port."""

import os
import socket
from datetime import UTC, datetime, timedelta

import pytest

from hangtag.auth import make_token
from hangtag.flow.receive import Settings, receive
from hangtag.providers.base import WebhookRequest
from hangtag.store import client

KEY = "0" * 64


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS at an address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client.make.cache_clear()
    client._session.cache_clear()


@pytest.mark.usefixtures("unreachable")
def test_with_neither_table_nor_queue_the_pbx_is_told_to_send_again() -> None:
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
    assert receive(settings, "telephony_api", token, request).status == 503
    assert receive(settings, "telephony_api", "junk", request).status == 404
