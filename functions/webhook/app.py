"""The webhook: what PBXs post, and what the fallback queue holds of it."""

import base64
import binascii
import os
from datetime import UTC, datetime
from typing import Any

from hangtag import runtime
from hangtag.observability import logger
from hangtag.providers.base import WebhookRequest, WebhookResponse
from hangtag.runtime import Settings
from hangtag.services.webhooks.handler import (
    AWS_ERRORS,
    QueuedWebhook,
    handle,
    process,
)

SETTINGS = runtime.bind(
    Settings.read(
        os.environ,
        "TABLE_NAME",
        "TOKEN_KEY",
        "FALLBACK_QUEUE_URL",
        "ORIGINATE_QUEUE_URL",
        "CREDENTIALS_KEY_ID",
        "SWEEP_AFTER_SECONDS",
        "PUBLIC_URL",
    )
)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer an HTTP API request (payload 2.0), or drain a batch of the fallback queue."""
    if "Records" in event:
        return drain(event["Records"])
    parameters = event.get("pathParameters") or {}
    # The telephony API's route names no provider: it is one.
    provider = parameters.get("provider", "telephony_api")
    reply = handle(SETTINGS, provider, parameters.get("token", ""), _request(event))
    return _response(reply)


def _request(event: dict[str, Any]) -> WebhookRequest:
    http = event["requestContext"]["http"]
    return WebhookRequest(
        method=http["method"],
        path=event.get("rawPath", ""),
        query=event.get("rawQueryString", ""),
        headers={name.lower(): value for name, value in event.get("headers", {}).items()},
        body=_body(event),
        arrived_at=datetime.fromtimestamp(event["requestContext"]["timeEpoch"] / 1000, UTC),
        source_ip=http.get("sourceIp", ""),
    )


def _body(event: dict[str, Any]) -> bytes:
    text: str = event.get("body") or ""
    if event.get("isBase64Encoded"):
        try:
            return base64.b64decode(text)
        except binascii.Error:
            return b""
    return text.encode("utf-8", "surrogatepass")


def _response(reply: WebhookResponse) -> dict[str, Any]:
    headers = {
        "content-type": reply.content_type,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        **reply.headers,
    }
    return {"statusCode": reply.status, "headers": headers, "body": reply.body}


def drain(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Take in parked deliveries. What the table still refuses goes back to the queue."""
    failed = []
    for record in records:
        try:
            process(SETTINGS, QueuedWebhook.from_message(record["body"], SETTINGS.token_keys))
        except Exception as error:
            kind = "the table refuses" if isinstance(error, AWS_ERRORS) else "broken"
            logger.exception("webhook.retry_failed", extra={"reason": kind})
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
