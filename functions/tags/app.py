"""The state machine's tasks, and amendments."""

import json
import os
from datetime import timedelta
from typing import Any

from hangtag.flow.emit import emit
from hangtag.flow.reconcile import reconcile
from hangtag.observability import logger
from hangtag.store.calls import CallKey

TABLE = os.environ["TABLE_NAME"]
HANGUP_TIMEOUT = timedelta(seconds=int(os.environ["HANGUP_TIMEOUT_SECONDS"]))


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """A task of the state machine (`emit`, `reconcile`), or a batch of the amend queue."""
    if "Records" in event:
        return amend(event["Records"])
    key = CallKey(event["pk"], event["sk"])
    if event["task"] == "reconcile":
        is_open = reconcile(TABLE, key, HANGUP_TIMEOUT)
        logger.info("reconciled", extra={"open": is_open})
        return {"open": is_open}
    return {"done": emit(TABLE, key, first=True)}


def amend(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Bring tags up to date that an event changed after they were written."""
    failed = []
    for record in records:
        message = json.loads(record["body"])
        try:
            emit(TABLE, CallKey(message["pk"], message["sk"]), first=False)
        except Exception:
            logger.exception("amendment failed", extra={"message": record["messageId"]})
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
