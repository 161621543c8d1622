"""Questions to a tenant's outside CRM that somebody waits for: who has this number, which task is the last.

They have 2 seconds, their answers are remembered for a minute, and they share the breaker with the messages. Whatever
goes wrong is no answer: a call is never held up, nor lost, for a CRM.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from hangtag.crm import webhook
from hangtag.errors import BadInputError, UnreachableError
from hangtag.observability import logger
from hangtag.outbound import HttpResponse
from hangtag.settings import PlacementCondition
from hangtag.store.crm import breaker
from hangtag.store.crm import config as crm
from hangtag.store.crm.outbox import Fault, compose
from hangtag.store.db.cache import TtlCache
from hangtag.store.db.clock import now

__all__ = ["FoundContact", "FoundTask", "find_contact", "last_task"]

BUDGET_SECONDS = 2.0
CACHED_SECONDS = 60.0

Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class _Given(BaseModel):
    """What a CRM answers; fields that are not known pass."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class FoundContact(_Given):
    """A contact of the outside CRM. `supervisor_external` is its id of the employee responsible."""

    external_id: Said
    name: Said
    supervisor_external: Said | None = None


class FoundTask(_Given):
    """A task of the outside CRM."""

    external_id: Said
    title: Said


class _ContactAnswer(_Given):
    contact: FoundContact | None


class _TaskAnswer(_Given):
    task: FoundTask | None


class _NoAnswerError(Exception):
    """The CRM was not asked, or did not answer as it should; the message says why."""


_answers: TtlCache[tuple[str, str, str], Mapping[str, Any]] = TtlCache(2000, CACHED_SECONDS)


def find_contact(tenant_id: str, number: str) -> FoundContact | None:
    """The contact that the outside CRM knows by this number (E.164); None if none, or in doubt. Never raises."""
    said = _ask(tenant_id, "contact.find", {"external_number": number}, _ContactAnswer)
    return said.contact if isinstance(said, _ContactAnswer) else None


def last_task(
    tenant_id: str, external_id: str, conditions: Sequence[PlacementCondition], logic: str | None
) -> FoundTask | None:
    """The newest open task of a contact that meets the conditions, by the outside CRM; None in doubt. Never raises."""
    data = {
        "contact": {"external_id": external_id},
        "conditions": [row.model_dump(mode="json") for row in conditions],
        "logic": logic,
    }
    said = _ask(tenant_id, "task.last", data, _TaskAnswer)
    return said.task if isinstance(said, _TaskAnswer) else None


def _ask(tenant_id: str, kind: str, data: Mapping[str, Any], shape: type[BaseModel]) -> BaseModel | None:
    question = (tenant_id, kind, json.dumps(data, sort_keys=True))
    try:
        if crm.load(tenant_id) is None:
            return None
        return shape.model_validate(_answers.get_or(question, lambda: _send(tenant_id, kind, data)))
    except ValidationError:
        why = "not as it should"
    except _NoAnswerError as error:
        why = str(error)
    except (BotoCoreError, ClientError):
        why = "our own trouble"
    logger.info("the CRM did not answer", extra={"tenant": tenant_id, "what": kind, "why": why})
    return None


def _send(tenant_id: str, kind: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The CRM's answer, a JSON object. Raises _NoAnswerError, botocore's errors."""
    config = crm.load(tenant_id)
    if config is None:
        raise _NoAnswerError("there is none")
    at = now()
    passed = breaker.admit(tenant_id, at)
    if passed is None:
        raise _NoAnswerError("it is left alone")
    message_id = secrets.token_hex(16)
    text = compose(kind, message_id, 1, tenant_id, at, data)
    try:
        answer = webhook.post(tenant_id, config, message_id, text, at, BUDGET_SECONDS)
    except (UnreachableError, BadInputError) as error:
        breaker.failed(passed, at, Fault(None, error.message))
        raise _NoAnswerError("not reached") from error
    if answer.status >= 500 or answer.status == 429:
        breaker.failed(passed, at, Fault(answer.status, "the CRM failed when it was asked"))
        raise _NoAnswerError(f"status {answer.status}")
    breaker.succeeded(passed)
    return _read(answer)


def _read(answer: HttpResponse) -> Mapping[str, Any]:
    if not 200 <= answer.status < 300:
        # A CRM that can't be asked says so with a 404 or the like, and still takes messages.
        raise _NoAnswerError(f"status {answer.status}")
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise _NoAnswerError("not JSON") from None
    if not isinstance(said, dict):
        raise _NoAnswerError("not a JSON object")
    return said
