"""Step 2: a call's item changed; start or resume its execution, settle it, or have its tag amended.

`decide` is pure. It looks at the item alone, never at the change, so that a record seen twice, late, or not at all
does no harm: the next change, or the sweeper, leads to the same decision.
"""

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from hangtag.domain.calls.event import Direction
from hangtag.domain.calls.fold import Call
from hangtag.observability import logger
from hangtag.services.recordings.queue import ask_for
from hangtag.store.calls.items import CallItem
from hangtag.store.db import client

FILL_AFTER_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """What a call needs now."""

    start: bool = False
    meet: bool = False
    succeed: bool = False
    settle: bool = False
    amend: bool = False
    recordings: tuple[str, ...] = ()


def decide(item: CallItem, call: Call, create_unknown: str) -> Actions:
    """What to do about a call. `create_unknown` is the tenant's setting: always, answered_only or never.

    An execution tags the call for the first time; once a tag was written, differences are amendments. A task token
    on the item means that an execution waits there; it is let go as soon as the call is closed.
    """
    current = call.closed and item.emitted == call.digest() and not item.is_misplaced
    waiting = item.execution == item.execution_name
    return Actions(
        start=not waiting and not current,
        meet=_is_to_be_met(item, call, create_unknown, waiting=waiting),
        succeed=call.closed and item.task_token is not None,
        settle=call.quiet_since is not None,
        # A current tag on a live call: an event that changed nothing came, the emission has to say so.
        amend=call.closed and item.emitted is not None and (not current or item.live_due is not None),
        # Once looked at, the item says what became of it.
        recordings=tuple(one.id for one in call.recordings if one.id not in item.recordings),
    )


def _is_to_be_met(item: CallItem, call: Call, create_unknown: str, *, waiting: bool) -> bool:
    """Whether somebody has to find out who is calling: when the phone rings, and again when a contact may be made.

    Should that be lost, nothing else is: the emission looks for itself.
    """
    if call.closed or not call.legs or call.direction is Direction.INTERNAL:
        return False
    if item.met is None:
        return not waiting
    waits = create_unknown == "answered_only" and item.met.contact_id is None and not item.met.answered
    return waits and call.answered_by is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machinery:
    """Where the tracker's actions go."""

    state_machine_arn: str
    settle_queue_url: str
    amend_queue_url: str
    delivery_queue_url: str


def act(machinery: Machinery, item: CallItem, actions: Actions, settle_seconds: int) -> None:
    """Carry out what was decided; each action may be repeated safely. Raises botocore's errors."""
    if actions.start:
        _start(machinery, item)
    if actions.meet:
        _send(machinery.amend_queue_url, {**_key(item), "task": "lookup_caller"}, delay=0)
    if actions.succeed and item.task_token is not None:
        _succeed(item, item.task_token)
    if actions.settle:
        message = {**_key(item), "count": item.count}
        _send(machinery.settle_queue_url, message, delay=settle_seconds)
    if actions.amend:
        _send(machinery.amend_queue_url, _key(item), delay=0)
    for recording_id in actions.recordings:
        ask_for(item.key, recording_id)


def fill_later(machinery: Machinery, tenant_id: str, number: str) -> None:
    """A number has a contact from now on: tags that lack one are looked at.

    A little later, so that the index shows the tags that were written at the same moment.
    """
    message = {"task": "fill", "tenant": tenant_id, "number": number}
    _send(machinery.amend_queue_url, message, delay=FILL_AFTER_SECONDS)


def deliver(machinery: Machinery, tenant_id: str, outbox_id: str) -> None:
    """A message for an outside CRM waits."""
    _send(machinery.delivery_queue_url, {"tenant": tenant_id, "outbox": outbox_id}, delay=0)


def _key(item: CallItem) -> dict[str, Any]:
    return {"pk": item.key.pk, "sk": item.key.sk}


def _start(machinery: Machinery, item: CallItem) -> None:
    try:
        client.make("stepfunctions").start_execution(
            stateMachineArn=machinery.state_machine_arn,
            name=item.execution_name,
            # The same for every start of it: with another input, AWS takes a repeated start for a conflict.
            input=json.dumps(_key(item)),
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise


# The execution went on, timed out or is gone: the sweeper finds out which.
_TOKEN_IS_SPENT = ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")


def _succeed(item: CallItem, token: str) -> None:
    try:
        client.make("stepfunctions").send_task_success(taskToken=token, output=json.dumps(_key(item)))
    except ClientError as error:
        if error.response["Error"]["Code"] not in _TOKEN_IS_SPENT:
            raise
        logger.info("task token is spent", extra={"execution": item.execution})


def _send(queue_url: str, message: dict[str, Any], *, delay: int) -> None:
    client.make("sqs").send_message(QueueUrl=queue_url, MessageBody=json.dumps(message), DelaySeconds=delay)
