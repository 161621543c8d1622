"""Messages of the webhook fallback queue: complete after decoding, and without a readable token."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hangtag.auth import make_token, token_hash
from hangtag.providers.base import WebhookRequest
from hangtag.runtime import Settings
from hangtag.services.webhooks.fallback import seal, unseal
from hangtag.services.webhooks.handler import QueuedWebhook, with_public_url

KEYS = "k" * 32
SETTINGS = Settings(
    table="t", public_url="https://hooks.example.com/", token_keys=KEYS, fallback_queue_url="q",
    originate_queue_url="o", sweep_after=timedelta(minutes=5),
)  # fmt: skip
TOKEN = make_token("hook", KEYS)


def request(provider: str = "twilio", rest: str = "", query: str = "", **more: str) -> WebhookRequest:
    received = WebhookRequest(
        method="POST",
        path=f"/hooks/{provider}/{TOKEN}{rest}",
        query=query,
        headers={"content-type": "text/plain", **more},
        body=b"\x00\xff body",
        arrived_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        source_ip="192.0.2.7",
    )
    return with_public_url(SETTINGS, provider, TOKEN, received)


def test_public_url_is_the_configured_base_with_the_received_path() -> None:
    plain = request()
    assert plain.url == f"https://hooks.example.com/hooks/twilio/{TOKEN}"
    assert (plain.path, plain.rest) == ("/hooks/twilio/***", "")
    more = request(rest="/events/call", query="leg=contact&x=%2B1", host="evil.example.com")
    assert more.url == f"https://hooks.example.com/hooks/twilio/{TOKEN}/events/call?leg=contact&x=%2B1"
    assert (more.path, more.rest) == ("/hooks/twilio/***/events/call", "events/call")
    assert TOKEN not in repr(more)


def test_queue_message_restores_the_request_without_containing_its_token() -> None:
    webhook = QueuedWebhook(provider="twilio", token_hash=token_hash(TOKEN), request=request(rest="/a", query="b=1"))
    message = webhook.to_message(KEYS)
    assert TOKEN not in message
    assert QueuedWebhook.from_message(message, KEYS) == webhook


def test_queued_request_is_decrypted_after_a_key_rotation() -> None:
    message = QueuedWebhook(provider="twilio", token_hash="h", request=request()).to_message(KEYS)
    assert QueuedWebhook.from_message(message, f"new-key-of-the-stack,{KEYS}").request.url == request().url
    # With neither key, only the encrypted URL is lost.
    lost = QueuedWebhook.from_message(message, "another key").request
    assert lost == replace(request(), url="")


def test_message_of_an_earlier_version_is_decoded() -> None:
    message = json.loads(QueuedWebhook(provider="zadarma", token_hash="h", request=request()).to_message(KEYS))
    for name in ("rest", "url", "source_ip"):
        del message[name]
    assert QueuedWebhook.from_message(json.dumps(message), KEYS).request.body == request().body


@given(st.text(max_size=50))
def test_unseal_restores_only_text_that_was_sealed(text: str) -> None:
    assert unseal(seal(text, KEYS), KEYS) == text
    assert unseal(text, KEYS) == ""
