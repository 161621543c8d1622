"""Tags function: tasks of the state machine, amendments of tags, and messages to external CRMs."""

import json
import os
from datetime import UTC, datetime
from typing import Any

from hangtag import runtime
from hangtag.batches import process_batch
from hangtag.runtime import Settings, logger
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

# Longest message delay of SQS.
LONGEST_DELAY_SECONDS = 900
HANGUP_TIMEOUT = SETTINGS.hangup_timeout


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Run a task of the state machine (`emit`, `reconcile`), or a batch of the amend queue or the CRM queue."""
    if "Records" in event:
        return process_batch(event["Records"], lambda record: work(json.loads(record["body"])))
    key = CallKey(event["pk"], event["sk"])
    if event["task"] == "reconcile":
        # Imported here because few calls need it, and it loads the PBX modules.
        from hangtag.services.calls.reconcile import reconcile

        is_open = reconcile(key, HANGUP_TIMEOUT)
        logger.info("call.reconciled", extra={"open": is_open})
        return {"open": is_open}
    return {"done": emit(key, first=True)}


def work(message: dict[str, Any]) -> None:
    """Process one message: an amendment, a caller lookup, a number with a new contact, or a CRM message."""
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
    """Send a message to an external CRM, and queue the retry of a failed one."""
    # Imported here because only tenants with an external CRM need it.
    from hangtag.services.crm.outbox_worker import deliver as send

    delay = send(tenant_id, outbox_id, datetime.now(UTC))
    if delay is not None:
        body = json.dumps({"tenant": tenant_id, "outbox": outbox_id})
        client.make("sqs").send_message(
            QueueUrl=SETTINGS.crm_queue_url, MessageBody=body, DelaySeconds=min(delay, LONGEST_DELAY_SECONDS)
        )
