"""Outbox worker: sends messages to a tenant's external CRM, or to employees by e-mail, with retries.

A message is retried for 30 hours with growing, jittered pauses. It then becomes a dead letter, which the admin can
redrive. Every attempt carries the same id and revision, so a CRM whose response was lost can detect the repetition.
Neither addresses nor bodies are ever logged.
"""

import json
import math
import random
from datetime import datetime, timedelta

from hangtag.crm import webhook
from hangtag.crm.webhook import Outcome, Verdict
from hangtag.errors import NotFoundError
from hangtag.runtime import logger
from hangtag.services.tags import notifications
from hangtag.store.calls.missed_calls import MissedCall
from hangtag.store.crm import breaker, outbox
from hangtag.store.crm import config as crm
from hangtag.store.crm.breaker import Draw
from hangtag.store.crm.config import CrmConfig
from hangtag.store.crm.outbox import Fault, Message

__all__ = ["backoff", "deliver"]

# Counted from the first attempt: a day's outage, and a margin for the last pause.
GIVE_UP_AFTER = timedelta(hours=30)
FIRST_BACKOFF_SECONDS = 5.0
LONGEST_BACKOFF_SECONDS = 3600.0
# Longest message delay of SQS.
LONGEST_DELAY_SECONDS = 900
# The CRM limits all requests, not only this message.
_BUSY = frozenset({429, 503})


def deliver(tenant_id: str, outbox_id: str, now: datetime, draw: Draw = random.random) -> int | None:
    """Send a message once if it is due. Return the seconds (1 to 900) until the next call; None when it is done.

    `draw` returns numbers in [0, 1). Raises botocore's errors; repeats are safe.
    """
    message = outbox.load(tenant_id, outbox_id)
    if message is None or message.state == outbox.DEAD:
        # Finished, dead or erased with its tenant: a late queue message must not send it again.
        logger.info("crm.message_skipped", extra={"tenant": tenant_id, "outbox": outbox_id, "reason": "gone_or_dead"})
        return None
    if message.superseded:
        outbox.drop(message)
        return None
    early = (message.due_at - now).total_seconds()
    if early > 0:
        return _delay(early)
    if message.kind == outbox.EMAIL:
        return _mail(message, now, draw)
    # The cached absence of a CRM is read again before the message becomes a dead letter.
    config = crm.load(tenant_id) or crm.read(tenant_id)
    if config is None:
        outbox.move_to_dead_letters(message, now, Fault(None, "The external CRM was disconnected."))
        return None
    return _send(message, config, now, draw)


def _send(message: Message, config: CrmConfig, now: datetime, draw: Draw) -> int | None:
    passage = breaker.acquire(message.tenant_id, now, draw)
    if isinstance(passage, breaker.Wait):
        if passage.paused and _is_old(message, now):
            outbox.move_to_dead_letters(message, now, Fault(None, "The CRM failed for more than 30 hours."))
            return None
        return _delay(passage.seconds)
    claimed = outbox.claim(message, now)
    if claimed is None:
        # Another worker claimed the message.
        breaker.release(passage)
        return None
    outcome = webhook.attempt(claimed.tenant_id, config, claimed.id, claimed.text, now)
    _log(claimed, outcome)
    if outcome.verdict is Verdict.FAILED:
        pause = outcome.wait if outcome.fault.status in _BUSY else None
        breaker.record_failure(passage, now, outcome.fault, now + timedelta(seconds=pause) if pause else None)
        return _retry(claimed, outcome, now, draw)
    breaker.record_success(passage)
    if outcome.verdict is Verdict.REFUSED:
        outbox.move_to_dead_letters(claimed, now, outcome.fault)
    else:
        outbox.finish(claimed, now)
    return None


def _retry(message: Message, outcome: Outcome, now: datetime, draw: Draw) -> int | None:
    """Schedule the next attempt of a failed message. Return its delay; None if the message became a dead letter."""
    if _is_old(message, now):
        outbox.move_to_dead_letters(message, now, outcome.fault)
        return None
    wait = max(backoff(message.attempt, draw), outcome.wait or 0.0)
    outbox.schedule_retry(message, now + timedelta(seconds=math.ceil(wait)), outcome.fault)
    return _delay(wait)


def backoff(attempt: int, draw: Draw = random.random) -> float:
    """Return a random pause in seconds after an attempt: up to a limit that doubles from 5 seconds to an hour."""
    limit = min(FIRST_BACKOFF_SECONDS * 2.0 ** min(attempt - 1, 20), LONGEST_BACKOFF_SECONDS)
    return max(1.0, draw() * limit)


def _mail(message: Message, now: datetime, draw: Draw) -> int | None:
    """Send the e-mail to the recipients that have not received it yet."""
    claimed = outbox.claim(message, now)
    if claimed is None:
        return None
    missed = MissedCall.from_json(json.loads(claimed.text)["data"]["missed_call"])
    fault: Fault | None = None
    for employee_id in missed.recipients:
        if employee_id in claimed.recipients:
            continue
        try:
            fault = _mail_one(claimed, employee_id, missed)
        except NotFoundError:
            # The tenant was erased in the meantime.
            outbox.drop(claimed)
            return None
        if fault is not None:
            break
    if fault is not None:
        return _retry(claimed, Outcome(Verdict.FAILED, fault), now, draw)
    outbox.finish(claimed, now)
    return None


def _mail_one(message: Message, employee_id: str, missed: MissedCall) -> Fault | None:
    try:
        fault = notifications.email(message.tenant_id, employee_id, missed)
    except notifications.RefusedMailError as error:
        logger.warning(
            "notification.email_rejected",
            extra={"outbox": message.id, "employee": employee_id, "reason": str(error)},
        )
        fault = None
    if fault is None:
        outbox.add_recipient(message, employee_id)
    return fault


def _log(message: Message, outcome: Outcome) -> None:
    logger.info(
        "crm.message_attempted",
        extra={
            "tenant": message.tenant_id,
            "outbox": message.id,
            "kind": message.kind,
            "revision": message.revision,
            "attempt": message.attempt,
            "outcome": outcome.verdict.value,
            "status": outcome.fault.status,
        },
    )


def _is_old(message: Message, now: datetime) -> bool:
    return now - message.since >= GIVE_UP_AFTER


def _delay(seconds: float) -> int:
    return max(1, min(math.ceil(seconds), LONGEST_DELAY_SECONDS))
