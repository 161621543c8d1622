"""The state machine's tasks, amendments of tags, and what an outside CRM is told."""

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

from hangtag.batches import work_off
from hangtag.flow.emit import emit
from hangtag.flow.fill import fill
from hangtag.flow.meet import meet
from hangtag.observability import logger
from hangtag.store import client
from hangtag.store.calls import CallKey

TABLE = os.environ["TABLE_NAME"]
# The longest that a queue holds a message back.
LONGEST_DELAY_SECONDS = 900
HANGUP_TIMEOUT = timedelta(seconds=int(os.environ["HANGUP_TIMEOUT_SECONDS"]))


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """A task of the state machine (`emit`, `reconcile`), or a batch of the amend or the delivery queue."""
    if "Records" in event:
        return work_off(event["Records"], lambda record: work(json.loads(record["body"])))
    key = CallKey(event["pk"], event["sk"])
    if event["task"] == "reconcile":
        # Loaded by the few calls that need it: it brings what talks to PBXs.
        from hangtag.flow.reconcile import reconcile

        is_open = reconcile(TABLE, key, HANGUP_TIMEOUT)
        logger.info("call.reconciled", extra={"open": is_open})
        return {"open": is_open}
    return {"done": emit(TABLE, key, first=True)}


def work(message: dict[str, Any]) -> None:
    """One message: a call to be amended or met, a number to be filled in, or a message for an outside CRM."""
    if "outbox" in message:
        deliver(message["tenant"], message["outbox"])
    elif message.get("task") == "fill":
        fill(TABLE, message["tenant"], message["number"])
    elif message.get("task") == "meet":
        meet(TABLE, CallKey(message["pk"], message["sk"]))
    else:
        # An event changed the call after its tag was written.
        emit(TABLE, CallKey(message["pk"], message["sk"]), first=False)


def deliver(tenant_id: str, outbox_id: str) -> None:
    """Tell an outside CRM; what it does not take is told again later, by another message."""
    # Loaded by those who have one.
    from hangtag.flow.deliver import deliver as tell

    again = tell(tenant_id, outbox_id, datetime.now(UTC))
    if again is not None:
        body = json.dumps({"tenant": tenant_id, "outbox": outbox_id})
        client.make("sqs").send_message(
            QueueUrl=os.environ["CRM_QUEUE_URL"], MessageBody=body, DelaySeconds=min(again, LONGEST_DELAY_SECONDS)
        )
