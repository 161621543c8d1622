"""Helpers of the FreePBX tests."""

import json
from datetime import UTC, datetime

from hangtag.providers import load
from hangtag.providers.base import (
    WebhookRequest,
)

FREEPBX = load("freepbx")
TOKEN = "0123456789abcdef0123456789abcdef"
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def json_request(body: bytes, content_type: str = "application/json") -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        path="/hooks/freepbx/***",
        query="",
        headers={"content-type": content_type},
        body=body,
        arrived_at=NOW,
    )


def request(payload: object, content_type: str = "application/json") -> WebhookRequest:
    return json_request(json.dumps(payload).encode(), content_type)
