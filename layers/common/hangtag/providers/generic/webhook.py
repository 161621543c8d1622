"""The bridge's webhook: the signature, and messages of one or several events."""

import json
from collections.abc import Iterable

from hangtag.providers.base import (
    ParseResult,
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
    WebhookResponse,
)
from hangtag.providers.generic.event import read_event
from hangtag.providers.generic.signing import key_of, signature
from hangtag.providers.reading import json_object, same

__all__ = ["KEY", "MAX_EVENTS", "TOLERANCE_SECONDS", "parse", "verify"]

KEY = "signing_key"
TOLERANCE_SECONDS = 300
MAX_EVENTS = 50
_MAX_ID = 128


def verify(request: WebhookRequest, keys: VerificationKeys) -> None:
    """Check the three headers of Standard Webhooks. One of the signatures must match one of the keys."""
    valid_keys = [key for secret in keys.credentials.get(KEY, ()) if (key := key_of(secret))]
    if not valid_keys:
        raise SignatureError("This integration has no signing_key.")
    message_id, sent_at, header = (
        request.headers.get(name, "") for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    )
    if not (message_id and sent_at and header):
        raise SignatureError("The header webhook-id, webhook-timestamp or webhook-signature is missing.")
    if not (message_id + sent_at + header).isascii():
        raise SignatureError("A header of the signature is not ASCII.")
    if not (sent_at.isdigit() and len(sent_at) <= 12):
        raise SignatureError("The header webhook-timestamp is not a whole number of seconds since 1970.")
    if abs(int(request.arrived_at.timestamp()) - int(sent_at)) > TOLERANCE_SECONDS:
        raise SignatureError("The webhook-timestamp is more than five minutes off. Check the bridge's clock.")
    signatures = header.split()
    if any(value.count(",") != 1 for value in signatures):
        # A header that was sent twice is joined by a comma.
        raise SignatureError('The header webhook-signature is not a list of "v1,…" separated by spaces.')
    expected = ["v1," + signature(key, message_id, sent_at, request.body) for key in valid_keys]
    if not _any_matches(signatures, expected):
        raise SignatureError("The webhook-signature is wrong. Check that signing_key belongs to this integration.")


def _any_matches(signatures: Iterable[str], expected: Iterable[str]) -> bool:
    match = False
    for value in signatures:
        match |= same(value, expected)
    return match


def parse(request: WebhookRequest) -> ParseResult:
    """Return one event, or up to fifty of {"events": […]}. Events of an unknown type are skipped."""
    try:
        return _events(request)
    except PayloadError as error:
        # The signature is valid, so the bridge's author can see the reason.
        problem = {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": error.reason}
        raise PayloadError(
            error.reason, WebhookResponse(400, json.dumps(problem), "application/problem+json")
        ) from None


def _events(request: WebhookRequest) -> ParseResult:
    message_id = request.headers.get("webhook-id", "")
    if len(message_id) > _MAX_ID:
        raise PayloadError(f"The webhook-id is longer than {_MAX_ID} characters.")
    body = json_object(request)
    payloads = [body]
    if "events" in body:
        payloads = body["events"]
        if not isinstance(payloads, list) or len(payloads) > MAX_EVENTS:
            raise PayloadError(f"Field events is not a list of at most {MAX_EVENTS}.")
    events = []
    for number, payload in enumerate(payloads):
        # Every attempt of a message has its id, so that id and position identify the event.
        event_id = f"{message_id}.{number}" if message_id else None
        place = f"events[{number}]: " if "events" in body else ""
        events.append(read_event(payload, request.arrived_at, event_id, place))
    return ParseResult(tuple(event for event in events if event is not None), unknown=None in events)
