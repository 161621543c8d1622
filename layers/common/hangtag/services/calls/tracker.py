"""Tracker: actions after a change of a call's item (start or resume its execution, settle it, amend its tag).

`decide` is pure. It depends on the item alone, never on the change. A stream record that arrives twice, late or not at
all does no harm: the next change, or the sweeper, leads to the same decision.
"""

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from hangtag.domain.calls.event import Direction
from hangtag.domain.calls.fold import Call
from hangtag.runtime import logger
from hangtag.services.recordings.queue import enqueue
from hangtag.store.calls.items import CallItem
from hangtag.store.db import client

FILL_AFTER_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """Actions that a call needs now."""

    start: bool = False
    lookup_caller: bool = False
    succeed: bool = False
    settle: bool = False
    amend: bool = False
    recordings: tuple[str, ...] = ()


def decide(item: CallItem, call: Call, create_unknown: str) -> Actions:
    """Return the actions that a call needs. `create_unknown` is the tenant's setting: always, answered_only or never.

    An execution tags the call for the first time; once a tag was written, differences are amendments. A task token
    on the item means that an execution waits for it; it resumes as soon as the call is closed.
    """
    current = call.closed and item.emitted == call.digest() and not item.is_misplaced
    waiting = item.execution == item.execution_name
    return Actions(
        start=not waiting and not current,
        lookup_caller=_needs_caller_lookup(item, call, create_unknown, waiting=waiting),
        succeed=call.closed and item.task_token is not None,
        settle=call.quiet_since is not None,
        # A current tag on a live call: an event changed nothing, so the emission only takes the call off the live list.
        amend=call.closed and item.emitted is not None and (not current or item.live_due is not None),
        # Recordings already processed are listed on the item.
        recordings=tuple(recording.id for recording in call.recordings if recording.id not in item.recordings),
    )


def _needs_caller_lookup(item: CallItem, call: Call, create_unknown: str, *, waiting: bool) -> bool:
    """Return True when the phone rings, and again when a contact can be created.

    A lost lookup is harmless: the emission looks the caller up itself.
    """
    if call.closed or not call.legs or call.direction is Direction.INTERNAL:
        return False
    if item.met is None:
        return not waiting
    waits = create_unknown == "answered_only" and item.met.contact_id is None and not item.met.answered
    return waits and call.answered_by is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machinery:
    """State machine and queues that carry out the tracker's actions."""

    state_machine_arn: str
    settle_queue_url: str
    amend_queue_url: str
    crm_queue_url: str


def act(machinery: Machinery, item: CallItem, actions: Actions, settle_seconds: int) -> None:
    """Carry out the actions; each can be repeated safely. Raises botocore's errors."""
    if actions.start:
        _start(machinery, item)
    if actions.lookup_caller:
        _send(machinery.amend_queue_url, {**_key(item), "task": "lookup_caller"}, delay=0)
    if actions.succeed and item.task_token is not None:
        _succeed(item, item.task_token)
    if actions.settle:
        message = {**_key(item), "count": item.count}
        _send(machinery.settle_queue_url, message, delay=settle_seconds)
    if actions.amend:
        _send(machinery.amend_queue_url, _key(item), delay=0)
    for recording_id in actions.recordings:
        enqueue(item.key, recording_id)


def fill_later(machinery: Machinery, tenant_id: str, number: str) -> None:
    """Queue the search for tags without a contact, for a number that now has one.

    The message is delayed because the index does not yet list tags that were written at the same moment.
    """
    message = {"task": "fill", "tenant": tenant_id, "number": number}
    _send(machinery.amend_queue_url, message, delay=FILL_AFTER_SECONDS)


def deliver(machinery: Machinery, tenant_id: str, outbox_id: str) -> None:
    """Queue a message for an external CRM."""
    _send(machinery.crm_queue_url, {"tenant": tenant_id, "outbox": outbox_id}, delay=0)


def _key(item: CallItem) -> dict[str, Any]:
    return {"pk": item.key.pk, "sk": item.key.sk}


def _start(machinery: Machinery, item: CallItem) -> None:
    try:
        client.make("stepfunctions").start_execution(
            stateMachineArn=machinery.state_machine_arn,
            name=item.execution_name,
            # Always the same input: AWS rejects a repeated start with another input as a conflict.
            input=json.dumps(_key(item)),
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise


# The execution continued, timed out or no longer exists: the sweeper finds out which.
_EXPIRED_TOKEN_CODES = ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")


def _succeed(item: CallItem, token: str) -> None:
    try:
        client.make("stepfunctions").send_task_success(taskToken=token, output=json.dumps(_key(item)))
    except ClientError as error:
        if error.response["Error"]["Code"] not in _EXPIRED_TOKEN_CODES:
            raise
        logger.info("call.task_token_expired", extra={"execution": item.execution})


def _send(queue_url: str, message: dict[str, Any], *, delay: int) -> None:
    client.make("sqs").send_message(QueueUrl=queue_url, MessageBody=json.dumps(message), DelaySeconds=delay)
