"""Step 1: a delivery comes in, is verified, and its events join their calls.

The webhook's path: imports are counted here (tests/unit/test_import_budget.py). What is needed only now and then is
imported where it is used.
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
from hangtag.services.webhooks import ingest
from hangtag.store.calls.events import Source
from hangtag.store.db import client
from hangtag.store.integrations import endpoints

MAX_BODY_BYTES = 64 * 1024
AWS_ERRORS = (BotoCoreError, ClientError)
# The same for every token that leads nowhere, whatever the reason.
NOT_FOUND = WebhookResponse(404, '{"type":"about:blank","title":"Not Found","status":404}', "application/problem+json")
TOO_LARGE = WebhookResponse(
    413, '{"type":"about:blank","title":"Content Too Large","status":413}', "application/problem+json"
)
UNAVAILABLE = WebhookResponse(
    503, '{"type":"about:blank","title":"Service Unavailable","status":503}', "application/problem+json"
)
# Said when a delivery is parked before it could be understood: no data, and success.
QUEUED = WebhookResponse(200, "{}")
_UNKNOWN = "of a kind that is not known here; it was kept, and changed nothing"


class QueuedWebhook(NamedTuple):
    """One webhook request. Its token is held as a hash only, so that a parked delivery does not spread it."""

    provider: str
    token_hash: str
    request: WebhookRequest

    def to_message(self, token_keys: str) -> str:
        """The delivery as a message of the fallback queue. Its address, which holds the token, is sealed."""
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
        """The inverse of `to_message`."""
        from hangtag.services.webhooks.fallback import unseal

        said: Mapping[str, Any] = json.loads(text)
        return cls(
            provider=said["provider"],
            token_hash=said["token_hash"],
            request=WebhookRequest(
                method=said["method"],
                path=said["path"],
                query=said["query"],
                headers=said["headers"],
                body=base64.b64decode(said["body"]),
                arrived_at=datetime.fromtimestamp(said["arrived_at"], UTC),
                rest=said.get("rest", ""),
                url=unseal(said.get("url", ""), token_keys),
                source_ip=said.get("source_ip", ""),
            ),
        )


class ParsedWebhook(NamedTuple):
    """A delivery that is genuine and was read: whose it is, and what it says."""

    hook: endpoints.WebhookEndpoint
    source: Source
    result: ParseResult


def handle(settings: Settings, provider: str, token: str, request: WebhookRequest) -> WebhookResponse:
    """Answer one delivery. What it says is durable before the answer is a success.

    If the table refuses, the delivery is parked on the fallback queue and acknowledged, in the PBX's own words if it
    was understood before: some of them steer a call by it. If the queue refuses too, the answer is 503, and the PBX
    sends again.
    """
    if not is_ours(token, "hook", settings.token_keys):
        return NOT_FOUND
    delivery = QueuedWebhook(
        provider=provider, token_hash=token_hash(token), request=_addressed(settings, provider, token, request)
    )
    reply = QUEUED
    try:
        said = _parse(delivery)
        if isinstance(said, WebhookResponse):
            return said
        reply = said.result.reply
        return _ingest(settings, delivery, said)
    except AWS_ERRORS as error:
        return _enqueue_fallback(settings, delivery, type(error).__name__, reply)
    except Exception as error:
        # A bug of ours must not lose the event: parked, it is tried again and ends in the dead letters.
        logger.exception("webhook.failed", extra={"provider": provider, "error": type(error).__name__})
        return _enqueue_fallback(settings, delivery, type(error).__name__, reply)


def _addressed(settings: Settings, provider: str, token: str, request: WebhookRequest) -> WebhookRequest:
    """The request with the address that the PBX was given, and without the token where it is kept or parked."""
    after = request.path.partition(token)[2]
    query = f"?{request.query}" if request.query else ""
    before = "tel/api" if provider == "telephony_api" else f"hooks/{provider}"
    url = f"{settings.public_url.rstrip('/')}/{before}/{token}{after}{query}"
    return replace(request, path=request.path.replace(token, "***"), rest=after.strip("/"), url=url)


def process(settings: Settings, delivery: QueuedWebhook) -> WebhookResponse:
    """Take in one delivery from the fallback queue. Raises when the table refuses."""
    said = _parse(delivery)
    return said if isinstance(said, WebhookResponse) else _ingest(settings, delivery, said)


def _parse(delivery: QueuedWebhook) -> ParsedWebhook | WebhookResponse:
    """What a delivery says; the reply, if there is no more to it. Raises when the table refuses."""
    hook = endpoints.find_endpoint(delivery.token_hash)
    if hook is None or hook.provider != delivery.provider:
        return NOT_FOUND
    source = Source(hook.tenant_id, hook.integration_id, hook.provider)
    request = delivery.request
    if len(request.body) > MAX_BODY_BYTES:
        return _reject(source, delivery, WebhookRejectedError("the body is over 64 KB", TOO_LARGE))
    provider = load(hook.provider)
    greeting = provider.handshake(request)
    if greeting is not None:
        return _answer_handshake(source, delivery, hook, greeting)
    try:
        provider.verify(request, hook.verification_keys())
        return ParsedWebhook(hook, source, provider.parse(request, hook.settings))
    except WebhookRejectedError as refused:
        return _reject(source, delivery, refused)


def _ingest(settings: Settings, delivery: QueuedWebhook, said: ParsedWebhook) -> WebhookResponse:
    """Have what a delivery says join its calls. Raises when the table refuses."""
    hook, source, result = said
    request = delivery.request
    _enqueue_next_step(settings, source, request)
    taken = ingest.ingest(source, result.events, request.arrived_at, settings.sweep_after)
    logger.info(
        "webhook.accepted",
        extra={
            "tenant": source.tenant_id,
            "integration": source.integration_id,
            "events": [event.kind for event in result.events],
            "stored": [one.joined.verdict.name for one in taken],
        },
    )
    reply = _respond(source, hook.country, result)
    wrong = ingest.warning(taken)
    kept = "error" if wrong is not None else "unknown" if result.unknown else hook.log_reason(time.time())
    if kept is not None:
        told = _UNKNOWN if result.unknown else ingest.describe(taken)
        _log_request(source, delivery, reply.status, wrong or told, kept, taken)
    return reply


def _enqueue_next_step(settings: Settings, source: Source, request: WebhookRequest) -> None:
    """Have the next step of a click taken, where a PBX waits for it. Raises when the queue refuses.

    A delivery that comes twice is no harm: the adapter sees to it that its PBX does the same thing once.
    """
    step = load(source.provider).next_step(request)
    if step is None:
        return
    body = {"task": "connect", "tenant": source.tenant_id, "integration": source.integration_id}
    message = json.dumps(body | {"step": dict(step)})
    client.make("sqs").send_message(QueueUrl=settings.originate_queue_url, MessageBody=message)


def _answer_handshake(
    source: Source,
    delivery: QueuedWebhook,
    hook: endpoints.WebhookEndpoint,
    greeting: WebhookResponse,
) -> WebhookResponse:
    """Answer what a PBX asks of an address before it uses it."""
    kept = hook.log_reason(time.time())
    if kept is not None:
        _log_request(source, delivery, greeting.status, "the PBX asked whether this address is ours", kept)
    return greeting


def _respond(source: Source, country: str, result: ParseResult) -> WebhookResponse:
    if result.respond is None:
        return result.reply

    def contact(number: str) -> ContactCard | None:
        from hangtag.services.webhooks.caller_lookup import find_card

        return find_card(source, country, number)

    def credentials() -> Mapping[str, str]:
        from hangtag.services.webhooks.caller_lookup import read_credentials

        return read_credentials(source)

    try:
        return result.respond(OfficeLookups(contact=contact, credentials=credentials))
    except Exception as error:
        # A look-up fails open: the PBX goes on without its answer.
        logger.warning("webhook.lookup_failed", extra={"tenant": source.tenant_id, "error": type(error).__name__})
        return result.reply


def _reject(source: Source, delivery: QueuedWebhook, refused: WebhookRejectedError) -> WebhookResponse:
    logger.info(
        "webhook.rejected",
        extra={
            "tenant": source.tenant_id,
            "integration": source.integration_id,
            "provider": source.provider,
            "status": refused.reply.status,
            "reason": refused.reason,
        },
    )
    _log_request(source, delivery, refused.reply.status, refused.reason, "error")
    return refused.reply


def _log_request(
    source: Source,
    delivery: QueuedWebhook,
    status: int,
    reason: str,
    kept: endpoints.LogReason,
    taken: Sequence[ingest.IngestedEvent] = (),
) -> None:
    """Keep a delivery where an admin can see it; what became of it stands even if that fails."""
    from hangtag.store.integrations import request_log

    try:
        if kept == "set_up" and not endpoints.count_set_up(delivery.token_hash):
            return
        request_log.append(
            tenant_id=source.tenant_id,
            integration_id=source.integration_id,
            address=delivery.token_hash,
            request=delivery.request,
            status=status,
            reason=reason,
            log_reason=kept,
            events=ingest.event_results(source, taken),
        )
    except Exception as error:
        logger.warning("webhook.log_failed", extra={"error": type(error).__name__})


def _enqueue_fallback(
    settings: Settings, delivery: QueuedWebhook, error: str, reply: WebhookResponse
) -> WebhookResponse:
    if len(delivery.request.body) > MAX_BODY_BYTES:
        return TOO_LARGE
    try:
        client.make("sqs").send_message(
            QueueUrl=settings.fallback_queue_url, MessageBody=delivery.to_message(settings.token_keys)
        )
    except AWS_ERRORS as worse:
        logger.error(
            "webhook.queue_failed",
            extra={"provider": delivery.provider, "error": error, "queue_error": type(worse).__name__},
        )
        return UNAVAILABLE
    logger.warning("webhook.queued", extra={"provider": delivery.provider, "error": error})
    return reply
