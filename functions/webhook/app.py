"""Webhook function: requests from PBXs, and the fallback queue behind them."""

import base64
import binascii
import os
from datetime import UTC, datetime
from typing import Any

from hangtag import runtime
from hangtag.providers.base import WebhookRequest, WebhookResponse
from hangtag.runtime import Settings, logger
from hangtag.services.webhooks.handler import AWS_ERRORS, QueuedWebhook, WebhookHandler, handle

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
    """Handle a request of the HTTP API (payload 2.0), or drain a batch of the fallback queue."""
    if "Records" in event:
        return drain(event["Records"])
    parameters = event.get("pathParameters") or {}
    # The route of the telephony API has no provider parameter.
    provider = parameters.get("provider", "telephony_api")
    return _response(handle(SETTINGS, provider, parameters.get("token", ""), _request(event)))


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


def _response(response: WebhookResponse) -> dict[str, Any]:
    headers = {
        "content-type": response.content_type,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        **response.headers,
    }
    return {"statusCode": response.status, "headers": headers, "body": response.body}


def drain(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Process queued webhook requests. Those that the table still rejects return to the queue."""
    failed = []
    for record in records:
        try:
            webhook = QueuedWebhook.from_message(record["body"], SETTINGS.token_keys)
            WebhookHandler(SETTINGS, webhook).process()
        except Exception as error:
            reason = "the table refuses" if isinstance(error, AWS_ERRORS) else "broken"
            logger.exception("webhook.retry_failed", extra={"reason": reason})
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
