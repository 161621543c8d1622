"""Synchronous lookups in a tenant's external CRM: the contact of a number, the last task of a contact.

A lookup has 2 seconds, its result is cached for a minute, and it shares the circuit breaker with the messages. A failed
lookup has no result: the CRM never delays or loses a call.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from hangtag.crm import webhook
from hangtag.errors import BadInputError, UnreachableError
from hangtag.outbound import HttpResponse
from hangtag.runtime import TtlCache, logger
from hangtag.settings import PlacementCondition
from hangtag.store.crm import breaker
from hangtag.store.crm import config as crm
from hangtag.store.crm.outbox import Fault, compose
from hangtag.store.db.clock import now

__all__ = ["FoundContact", "FoundTask", "find_contact", "last_task"]

BUDGET_SECONDS = 2.0
CACHED_SECONDS = 60.0

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class _Model(BaseModel):
    """Base of the CRM's responses. Ignores unknown fields."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class FoundContact(_Model):
    """A contact of the external CRM. `supervisor_external` is the CRM's id of the supervisor."""

    external_id: Text
    name: Text
    supervisor_external: Text | None = None


class FoundTask(_Model):
    """A task of the external CRM."""

    external_id: Text
    title: Text


class _ContactResponse(_Model):
    contact: FoundContact | None


class _TaskResponse(_Model):
    task: FoundTask | None


class _NoResultError(Exception):
    """A lookup without a result: not sent, failed or invalid. The message is the reason for the log."""


_responses: TtlCache[tuple[str, str, str], Mapping[str, Any]] = TtlCache(2000, CACHED_SECONDS)


def find_contact(tenant_id: str, number: str) -> FoundContact | None:
    """Return the contact with this number (E.164) in the external CRM; None if unknown or ambiguous. Never raises."""
    response = _request(tenant_id, "contact.find", {"external_number": number}, _ContactResponse)
    return response.contact if isinstance(response, _ContactResponse) else None


def last_task(
    tenant_id: str, external_id: str, conditions: Sequence[PlacementCondition], logic: str | None
) -> FoundTask | None:
    """Return a contact's newest open task in the external CRM that meets the conditions; None if none. Never raises."""
    data = {
        "contact": {"external_id": external_id},
        "conditions": [row.model_dump(mode="json") for row in conditions],
        "logic": logic,
    }
    response = _request(tenant_id, "task.last", data, _TaskResponse)
    return response.task if isinstance(response, _TaskResponse) else None


def _request(tenant_id: str, kind: str, data: Mapping[str, Any], model: type[BaseModel]) -> BaseModel | None:
    cache_key = (tenant_id, kind, json.dumps(data, sort_keys=True))
    try:
        if crm.load(tenant_id) is None:
            return None
        return model.model_validate(_responses.get_or(cache_key, lambda: _send(tenant_id, kind, data)))
    except ValidationError:
        reason = "invalid response"
    except _NoResultError as error:
        reason = str(error)
    except (BotoCoreError, ClientError):
        reason = "AWS error"
    logger.info("crm.lookup_failed", extra={"tenant": tenant_id, "kind": kind, "reason": reason})
    return None


def _send(tenant_id: str, kind: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the CRM's response, a JSON object. Raises _NoResultError and botocore's errors."""
    config = crm.load(tenant_id)
    if config is None:
        raise _NoResultError("not connected")
    at = now()
    passage = breaker.admit(tenant_id, at)
    if passage is None:
        raise _NoResultError("paused")
    message_id = secrets.token_hex(16)
    text = compose(kind, message_id, 1, tenant_id, at, data)
    try:
        response = webhook.post(tenant_id, config, message_id, text, at, BUDGET_SECONDS)
    except (UnreachableError, BadInputError) as error:
        breaker.record_failure(passage, at, Fault(None, error.message))
        raise _NoResultError("unreachable") from error
    if response.status >= 500 or response.status == 429:
        breaker.record_failure(passage, at, Fault(response.status, "The CRM failed during a lookup."))
        raise _NoResultError(f"status {response.status}")
    breaker.record_success(passage)
    return _read(response)


def _read(response: HttpResponse) -> Mapping[str, Any]:
    if not 200 <= response.status < 300:
        # A CRM without lookups returns 404 or the like, and still receives messages.
        raise _NoResultError(f"status {response.status}")
    try:
        body = json.loads(response.body)
    except (ValueError, RecursionError):
        raise _NoResultError("not JSON") from None
    if not isinstance(body, dict):
        raise _NoResultError("not a JSON object")
    return body
