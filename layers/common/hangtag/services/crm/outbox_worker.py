"""The outbox's worker: tells a tenant's outside CRM, or employees by e-mail, and tries again until they took it.

A message is tried for 30 hours with growing, scattered pauses, then it is dead: listed for the admin, who may have it
tried again. Every try of a message carries the same id and revision, so that a CRM which took it while its answer was
lost can tell. Neither addresses nor bodies are ever logged.
"""

import json
import math
import random
from datetime import datetime, timedelta

from hangtag.crm import webhook
from hangtag.crm.webhook import Outcome, Verdict
from hangtag.errors import NotFoundError
from hangtag.observability import logger
from hangtag.services.tags import notifications
from hangtag.store.calls.missed_calls import MissedCall
from hangtag.store.crm import breaker, outbox
from hangtag.store.crm import config as crm
from hangtag.store.crm.breaker import Draw
from hangtag.store.crm.config import CrmConfig
from hangtag.store.crm.outbox import Fault, Message

__all__ = ["backoff", "deliver"]

# From the first try on. A day's outage is survived, with something to spare for the last pause.
GIVE_UP_AFTER = timedelta(hours=30)
FIRST_BACKOFF_SECONDS = 5.0
LONGEST_BACKOFF_SECONDS = 3600.0
# A queue holds a message back no longer.
LONGEST_DELAY_SECONDS = 900
# It asks to be left alone as a whole, not just with this message.
_BUSY = frozenset({429, 503})


def deliver(tenant_id: str, outbox_id: str, now: datetime, draw: Draw = random.random) -> int | None:
    """One try, if the message is due. Returns after how many seconds (1 to 900) to ask again; None when it is done.

    `draw` returns numbers in [0, 1). Raises botocore's errors; asking again does no harm.
    """
    message = outbox.load(tenant_id, outbox_id)
    if message is None or message.state == outbox.DEAD:
        # Done, given up, or erased with its tenant; a pointer that comes late brings nothing back.
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
    # Before anything is given up for it, what is remembered is looked up again.
    config = crm.load(tenant_id) or crm.read(tenant_id)
    if config is None:
        outbox.move_to_dead_letters(message, now, Fault(None, "no outside CRM is set any more"))
        return None
    return _tell(message, config, now, draw)


def _tell(message: Message, config: CrmConfig, now: datetime, draw: Draw) -> int | None:
    entered = breaker.acquire(message.tenant_id, now, draw)
    if isinstance(entered, breaker.Wait):
        if entered.paused and _is_old(message, now):
            outbox.move_to_dead_letters(message, now, Fault(None, "the CRM failed for more than 30 hours"))
            return None
        return _delay(entered.seconds)
    taken = outbox.claim(message, now)
    if taken is None:
        # Another worker has it.
        breaker.release(entered)
        return None
    outcome = webhook.attempt(taken.tenant_id, config, taken.id, taken.text, now)
    _log(taken, outcome)
    if outcome.verdict is Verdict.FAILED:
        asked = outcome.wait if outcome.fault.status in _BUSY else None
        breaker.record_failure(entered, now, outcome.fault, now + timedelta(seconds=asked) if asked else None)
        return _again(taken, outcome, now, draw)
    breaker.record_success(entered)
    if outcome.verdict is Verdict.REFUSED:
        outbox.move_to_dead_letters(taken, now, outcome.fault)
    else:
        outbox.finish(taken, now)
    return None


def _again(message: Message, outcome: Outcome, now: datetime, draw: Draw) -> int | None:
    """When a failed message is tried again; None if it is given up."""
    if _is_old(message, now):
        outbox.move_to_dead_letters(message, now, outcome.fault)
        return None
    wait = max(backoff(message.attempt, draw), outcome.wait or 0.0)
    outbox.schedule_retry(message, now + timedelta(seconds=math.ceil(wait)), outcome.fault)
    return _delay(wait)


def backoff(attempt: int, draw: Draw = random.random) -> float:
    """Seconds until the next try after so many: anything up to a limit that doubles from 5 s to an hour."""
    limit = min(FIRST_BACKOFF_SECONDS * 2.0 ** min(attempt - 1, 20), LONGEST_BACKOFF_SECONDS)
    return max(1.0, draw() * limit)


def _mail(message: Message, now: datetime, draw: Draw) -> int | None:
    """Tell those employees who were not told yet."""
    taken = outbox.claim(message, now)
    if taken is None:
        return None
    missed = MissedCall.from_json(json.loads(taken.text)["data"]["missed_call"])
    fault: Fault | None = None
    for employee_id in missed.recipients:
        if employee_id in taken.recipients:
            continue
        try:
            fault = _mail_one(taken, employee_id, missed)
        except NotFoundError:
            # The tenant was erased meanwhile.
            outbox.drop(taken)
            return None
        if fault is not None:
            break
    if fault is not None:
        return _again(taken, Outcome(Verdict.FAILED, fault), now, draw)
    outbox.finish(taken, now)
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
