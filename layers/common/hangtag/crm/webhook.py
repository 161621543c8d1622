"""Requests to a tenant's external CRM, signed by Standard Webhooks (https://www.standardwebhooks.com).

All attempts of a message have the same `webhook-id`; `webhook-timestamp` is the time of the attempt.
`webhook-signature` contains one signature for each valid secret: HMAC-SHA256 of "id.timestamp.body" in base64.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

from hangtag import outbound
from hangtag.crm import config as crm_config
from hangtag.errors import BadInputError, UnreachableError
from hangtag.outbound import HttpResponse
from hangtag.store.crm.config import CrmConfig
from hangtag.store.crm.outbox import Fault, compose

__all__ = ["Outcome", "Verdict", "attempt", "outcome_of", "post", "retry_after", "sign", "test"]

MAX_RESPONSE_BYTES = 64 * 1024
# Time limit of an attempt.
ATTEMPT_SECONDS = 10.0
LONGEST_RETRY_AFTER_SECONDS = 3600.0
# The CRM would reject the same message again.
_REFUSED = frozenset({400, 413, 422})


class Verdict(Enum):
    """Verdict on an attempt."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of an attempt, and its reason. `wait` is the pause in seconds that the CRM requested, if any."""

    verdict: Verdict
    fault: Fault
    wait: float | None = None


def sign(keys: Sequence[str], message_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers of a message. `keys` are `whsec_` and base64."""
    timestamp = str(int(now.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{_signature(secret, signed)}" for secret in keys),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")


def post(tenant_id: str, config: CrmConfig, message_id: str, text: str, now: datetime, seconds: float) -> HttpResponse:
    """Send a message and return the response with any status, within `seconds` in all.

    Raises UnreachableError (no response), BadInputError (the URL is not allowed), and botocore's errors.
    """
    body = text.encode()
    headers = {
        "content-type": "application/json",
        "user-agent": "Hangtag",
        # The response is short and does not need compression.
        "accept-encoding": "identity",
        **sign(crm_config.signing_secrets(tenant_id, config, now), message_id, now, body),
    }
    return outbound.send("POST", config.url, headers=headers, body=body, seconds=seconds, max_bytes=MAX_RESPONSE_BYTES)


def test(tenant_id: str, now: datetime) -> Outcome:
    """Send a test message now. Raises ConflictError without an external CRM, and botocore's errors."""
    config = crm_config.require(tenant_id)
    message_id = secrets.token_hex(16)
    data = {"text": "A test message from Hangtag. No action is needed."}
    return attempt(tenant_id, config, message_id, compose("test", message_id, 1, tenant_id, now, data), now)


def attempt(tenant_id: str, config: CrmConfig, message_id: str, text: str, now: datetime) -> Outcome:
    """Send a message and return the outcome. Raises botocore's errors."""
    try:
        response = post(tenant_id, config, message_id, text, now, ATTEMPT_SECONDS)
    except (UnreachableError, BadInputError) as error:
        return Outcome(Verdict.FAILED, Fault(None, error.message))
    return outcome_of(response, now)


def outcome_of(response: HttpResponse, now: datetime) -> Outcome:
    """Return the outcome of an attempt from its response."""
    fault = Fault(response.status, _words(response.status))
    if 200 <= response.status < 300:
        return Outcome(Verdict.ACCEPTED, fault)
    if response.status in _REFUSED:
        return Outcome(Verdict.REFUSED, fault)
    return Outcome(Verdict.FAILED, fault, retry_after(response.headers.get("retry-after"), now))


def _words(status: int) -> str:
    """Return a sentence on a status for the admin."""
    if 200 <= status < 300:
        return "The CRM accepted the message."
    if 300 <= status < 400:
        return "The CRM redirects, which is not followed. Enter the final URL."
    advice = {
        401: "The CRM rejected the signature. Check the secret there.",
        403: "The CRM denied access. Check the secret and the permissions there.",
        404: "The CRM does not know this URL.",
        410: "The CRM reports that this URL no longer exists.",
        413: "The CRM rejected the message as too large.",
        429: "The CRM limits the rate of requests.",
    }
    if status in advice:
        return advice[status]
    return "The CRM returned a server error." if status >= 500 else "The CRM rejected the message."


def retry_after(text: str | None, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110: a number or a date), at most an hour; None if invalid."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:10]), LONGEST_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)
