"""Webhook requests: authentication, parsing, ingestion and the response, with the fallback queue behind them.

On the webhook's path: tests/unit/test_import_budget.py counts the imports. Rarely needed modules are imported where
they are used.
"""

import base64
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from hangtag.auth import is_ours, token_hash
from hangtag.observability import logger
from hangtag.providers import load
from hangtag.providers.base import (
    ContactCard,
    OfficeLookups,
    ParseResult,
    WebhookRejectedError,
    WebhookRequest,
    WebhookResponse,
)
from hangtag.runtime import Settings
from hangtag.store.calls.events import AppendedEvent, Source, append_all
from hangtag.store.db import client
from hangtag.store.integrations import endpoints
from hangtag.store.integrations.endpoints import LogReason, WebhookEndpoint

MAX_BODY_BYTES = 64 * 1024
AWS_ERRORS = (BotoCoreError, ClientError)
# Identical for every invalid token, so that the response does not reveal the reason.
NOT_FOUND = WebhookResponse(404, '{"type":"about:blank","title":"Not Found","status":404}', "application/problem+json")
TOO_LARGE = WebhookResponse(
    413, '{"type":"about:blank","title":"Content Too Large","status":413}', "application/problem+json"
)
UNAVAILABLE = WebhookResponse(
    503, '{"type":"about:blank","title":"Service Unavailable","status":503}', "application/problem+json"
)
# Response to a request that is queued before it was parsed: a success without data.
QUEUED = WebhookResponse(200, "{}")
_UNKNOWN = "Unknown event type. The request was logged and changed nothing."


class QueuedWebhook(NamedTuple):
    """One webhook request. Holds the token's hash only, so the fallback queue never contains a token."""

    provider: str
    token_hash: str
    request: WebhookRequest

    def to_message(self, token_keys: str) -> str:
        """Encode the request for the fallback queue. The URL contains the token and is encrypted."""
        from hangtag.services.webhooks.fallback import seal

        request = self.request
        return json.dumps(
            {
                "provider": self.provider,
                "token_hash": self.token_hash,
                "method": request.method,
                "path": request.path,
                "query": request.query,
                "headers": dict(request.headers),
                "body": base64.b64encode(request.body).decode("ascii"),
                "arrived_at": request.arrived_at.timestamp(),
                "rest": request.rest,
                "url": seal(request.url, token_keys),
                "source_ip": request.source_ip,
            }
        )

    @classmethod
    def from_message(cls, text: str, token_keys: str) -> "QueuedWebhook":
        """Decode a message of `to_message`."""
        from hangtag.services.webhooks.fallback import unseal

        message: Mapping[str, Any] = json.loads(text)
        return cls(
            provider=message["provider"],
            token_hash=message["token_hash"],
            request=WebhookRequest(
                method=message["method"],
                path=message["path"],
                query=message["query"],
                headers=message["headers"],
                body=base64.b64decode(message["body"]),
                arrived_at=datetime.fromtimestamp(message["arrived_at"], UTC),
                rest=message.get("rest", ""),
                url=unseal(message.get("url", ""), token_keys),
                source_ip=message.get("source_ip", ""),
            ),
        )


def handle(settings: Settings, provider: str, token: str, request: WebhookRequest) -> WebhookResponse:
    """Handle one webhook request. Return a 2xx only once its events are stored or queued."""
    if not is_ours(token, "hook", settings.token_keys):
        return NOT_FOUND
    request = with_public_url(settings, provider, token, request)
    return WebhookHandler(settings, QueuedWebhook(provider, token_hash(token), request)).handle()


def with_public_url(settings: Settings, provider: str, token: str, request: WebhookRequest) -> WebhookRequest:
    """Return the request with the URL configured at the PBX, and with the token masked in the path."""
    after = request.path.partition(token)[2]
    query = f"?{request.query}" if request.query else ""
    before = "tel/api" if provider == "telephony_api" else f"hooks/{provider}"
    url = f"{settings.public_url.rstrip('/')}/{before}/{token}{after}{query}"
    return replace(request, path=request.path.replace(token, "***"), rest=after.strip("/"), url=url)


class WebhookHandler:
    """Steps from one webhook request to its response. `webhook` comes from the PBX or from the fallback queue."""

    def __init__(self, settings: Settings, webhook: QueuedWebhook) -> None:
        self._settings = settings
        self._webhook = webhook
        self._request = webhook.request
        # A parsed request is acknowledged with the PBX's own response: some responses steer the call.
        self._acknowledgement = QUEUED

    def handle(self) -> WebhookResponse:
        """Process the request, or queue it if the table rejects the write. Return 503 if the queue rejects it too."""
        try:
            return self.process()
        except AWS_ERRORS as error:
            return self._enqueue_fallback(type(error).__name__)
        except Exception as error:
            # A bug must not lose the event: the queue retries the request, then moves it to the dead letters.
            name = type(error).__name__
            logger.exception("webhook.failed", extra={"provider": self._webhook.provider, "error": name})
            return self._enqueue_fallback(name)

    def process(self) -> WebhookResponse:
        """Process the request without the fallback queue. Raises botocore's errors."""
        endpoint = self.endpoint()
        if endpoint is None:
            return NOT_FOUND
        try:
            self.check_size()
            handshake = load(endpoint.provider).handshake(self._request)
            if handshake is not None:
                return self.respond_to_handshake(endpoint, handshake)
            self.authenticate(endpoint)
            result = self.parse(endpoint)
        except WebhookRejectedError as rejection:
            return self.reject(endpoint, rejection)
        self._acknowledgement = result.reply
        events = self.ingest(endpoint, result)
        response = self.respond(endpoint, result)
        self._log_result(endpoint, result, response, events)
        return response

    def endpoint(self) -> WebhookEndpoint | None:
        """Return the endpoint of the request's token; None if unknown. Raises botocore's errors."""
        endpoint = endpoints.find_endpoint(self._webhook.token_hash)
        return endpoint if endpoint is not None and endpoint.provider == self._webhook.provider else None

    def check_size(self) -> None:
        """Raise WebhookRejectedError for a body over 64 KB."""
        if len(self._request.body) > MAX_BODY_BYTES:
            raise WebhookRejectedError("The body is over 64 KB.", TOO_LARGE)

    def authenticate(self, endpoint: WebhookEndpoint) -> None:
        """Verify the signature. Raises WebhookRejectedError and botocore's errors."""
        load(endpoint.provider).verify(self._request, endpoint.verification_keys())

    def parse(self, endpoint: WebhookEndpoint) -> ParseResult:
        """Parse the payload into call events. Raises WebhookRejectedError."""
        return load(endpoint.provider).parse(self._request, endpoint.settings)

    def ingest(self, endpoint: WebhookEndpoint, result: ParseResult) -> tuple[AppendedEvent, ...]:
        """Append the events to their calls. Raises botocore's errors; repeats are safe."""
        source = _source(endpoint)
        self._enqueue_next_step(source)
        events = append_all(source, result.events, self._request.arrived_at, self._settings.sweep_after)
        logger.info(
            "webhook.accepted",
            extra={
                "tenant": source.tenant_id,
                "integration": source.integration_id,
                "events": [event.kind for event in result.events],
                "stored": [one.result.verdict.name for one in events],
            },
        )
        return events

    def _enqueue_next_step(self, source: Source) -> None:
        """Queue the next step of a click-to-call, if the PBX waits for one. Raises botocore's errors.

        A repeated request is harmless: the adapter makes its PBX carry out a step once.
        """
        step = load(source.provider).next_step(self._request)
        if step is None:
            return
        body = {"task": "connect", "tenant": source.tenant_id, "integration": source.integration_id}
        message = json.dumps(body | {"step": dict(step)})
        client.make("sqs").send_message(QueueUrl=self._settings.originate_queue_url, MessageBody=message)

    def respond(self, endpoint: WebhookEndpoint, result: ParseResult) -> WebhookResponse:
        """Build the response, with the tenant's contacts if the PBX needs them."""
        if result.respond is None:
            return result.reply
        source = _source(endpoint)

        def contact(number: str) -> ContactCard | None:
            from hangtag.services.webhooks.caller_lookup import find_card

            return find_card(source, endpoint.country, number)

        def credentials() -> Mapping[str, str]:
            from hangtag.services.webhooks.caller_lookup import read_credentials

            return read_credentials(source)

        try:
            return result.respond(OfficeLookups(contact=contact, credentials=credentials))
        except Exception as error:
            # A lookup fails open: the PBX continues without its result.
            logger.warning("webhook.lookup_failed", extra={"tenant": source.tenant_id, "error": type(error).__name__})
            return result.reply

    def respond_to_handshake(self, endpoint: WebhookEndpoint, handshake: WebhookResponse) -> WebhookResponse:
        """Log the PBX's check of a new webhook URL, and return the response to it."""
        log_reason = endpoint.log_reason(time.time())
        if log_reason is not None:
            reason = "The PBX checked this webhook URL."
            self._log_request(endpoint, handshake.status, reason, log_reason)
        return handshake

    def reject(self, endpoint: WebhookEndpoint, rejection: WebhookRejectedError) -> WebhookResponse:
        """Log a rejected request, and return its response."""
        logger.info(
            "webhook.rejected",
            extra={
                "tenant": endpoint.tenant_id,
                "integration": endpoint.integration_id,
                "provider": endpoint.provider,
                "status": rejection.reply.status,
                "reason": rejection.reason,
            },
        )
        self._log_request(endpoint, rejection.reply.status, rejection.reason, "error")
        return rejection.reply

    def _log_result(
        self,
        endpoint: WebhookEndpoint,
        result: ParseResult,
        response: WebhookResponse,
        events: Sequence[AppendedEvent],
    ) -> None:
        log_reason: LogReason | None = "unknown" if result.unknown else endpoint.log_reason(time.time())
        if any(one.result.is_incomplete for one in events):
            log_reason = "error"
        if log_reason is None:
            return
        from hangtag.services.webhooks.summary import describe, warning

        reason = warning(events) or (_UNKNOWN if result.unknown else describe(events))
        self._log_request(endpoint, response.status, reason, log_reason, events)

    def _log_request(
        self,
        endpoint: WebhookEndpoint,
        status: int,
        reason: str,
        log_reason: LogReason,
        events: Sequence[AppendedEvent] = (),
    ) -> None:
        """Append the request to the request log that admins read. Never raises, so the response does not change."""
        from hangtag.services.webhooks.summary import event_results
        from hangtag.store.integrations import request_log

        source = _source(endpoint)
        try:
            if log_reason == "set_up" and not endpoints.count_set_up(self._webhook.token_hash):
                return
            request_log.append(
                tenant_id=source.tenant_id,
                integration_id=source.integration_id,
                address=self._webhook.token_hash,
                request=self._request,
                status=status,
                reason=reason,
                log_reason=log_reason,
                events=event_results(source, events),
            )
        except Exception as error:
            logger.warning("webhook.log_failed", extra={"error": type(error).__name__})

    def _enqueue_fallback(self, error: str) -> WebhookResponse:
        """Send the request to the fallback queue, and acknowledge it. Return 503 if the queue rejects it."""
        if len(self._request.body) > MAX_BODY_BYTES:
            return TOO_LARGE
        provider = self._webhook.provider
        try:
            message = self._webhook.to_message(self._settings.token_keys)
            client.make("sqs").send_message(QueueUrl=self._settings.fallback_queue_url, MessageBody=message)
        except AWS_ERRORS as queue_error:
            logger.error(
                "webhook.queue_failed",
                extra={"provider": provider, "error": error, "queue_error": type(queue_error).__name__},
            )
            return UNAVAILABLE
        logger.warning("webhook.queued", extra={"provider": provider, "error": error})
        return self._acknowledgement


def _source(endpoint: WebhookEndpoint) -> Source:
    return Source(endpoint.tenant_id, endpoint.integration_id, endpoint.provider)
