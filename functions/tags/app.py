"""The state machine's tasks, amendments of tags, and what an outside CRM is told."""

import json
import os
from datetime import UTC, datetime
from typing import Any

from hangtag import runtime
from hangtag.batches import process_batch
from hangtag.observability import logger
from hangtag.runtime import Settings
from hangtag.services.tags.caller import lookup_caller
from hangtag.services.tags.emit import emit
from hangtag.services.tags.fill import fill
from hangtag.store.calls.items import CallKey
from hangtag.store.db import client

SETTINGS = runtime.bind(
    Settings.read(
        os.environ,
        "TABLE_NAME",
        "HANGUP_TIMEOUT_SECONDS",
        "SWEEP_AFTER_SECONDS",
        "CREDENTIALS_KEY_ID",
        "PUBLIC_URL",
        "CRM_QUEUE_URL",
    )
)

# The longest that a queue holds a message back.
LONGEST_DELAY_SECONDS = 900
HANGUP_TIMEOUT = SETTINGS.hangup_timeout


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """A task of the state machine (`emit`, `reconcile`), or a batch of the amend or the delivery queue."""
    if "Records" in event:
        return process_batch(event["Records"], lambda record: work(json.loads(record["body"])))
    key = CallKey(event["pk"], event["sk"])
    if event["task"] == "reconcile":
        # Loaded by the few calls that need it: it brings what talks to PBXs.
        from hangtag.services.calls.reconcile import reconcile

        is_open = reconcile(key, HANGUP_TIMEOUT)
        logger.info("call.reconciled", extra={"open": is_open})
        return {"open": is_open}
    return {"done": emit(key, first=True)}


def work(message: dict[str, Any]) -> None:
    """One message: a call to be amended or met, a number to be filled in, or a message for an outside CRM."""
    if "outbox" in message:
        deliver(message["tenant"], message["outbox"])
    elif message.get("task") == "fill":
        fill(message["tenant"], message["number"])
    elif message.get("task") == "lookup_caller":
        lookup_caller(CallKey(message["pk"], message["sk"]))
    else:
        # An event changed the call after its tag was written.
        emit(CallKey(message["pk"], message["sk"]), first=False)


def deliver(tenant_id: str, outbox_id: str) -> None:
    """Tell an outside CRM; what it does not take is told again later, by another message."""
    # Loaded by those who have one.
    from hangtag.services.crm.outbox_worker import deliver as tell

    again = tell(tenant_id, outbox_id, datetime.now(UTC))
    if again is not None:
        body = json.dumps({"tenant": tenant_id, "outbox": outbox_id})
        client.make("sqs").send_message(
            QueueUrl=SETTINGS.crm_queue_url, MessageBody=body, DelaySeconds=min(again, LONGEST_DELAY_SECONDS)
        )
