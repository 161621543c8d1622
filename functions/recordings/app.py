"""Recordings: copies them, deletes those whose time is up, and lets them be heard."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hangtag import runtime
from hangtag.api.kernel.service import Api
from hangtag.api.recordings import routes as recordings
from hangtag.batches import process_batch
from hangtag.observability import logger
from hangtag.runtime import Settings

SETTINGS = runtime.bind(
    Settings.read(
        os.environ,
        "TABLE_NAME",
        "TOKEN_KEY",
        "CREDENTIALS_KEY_ID",
        "RECORDINGS_QUEUE_URL",
        "RECORDINGS_BUCKET",
        "RECORDING_MAX_BYTES",
        "PUBLIC_URL",
    )
)

app = Api(recordings.routes, recordings.admin_routes)
# What a look at the copies leaves of its time for the one at hand.
MARGIN_MS = 10_000


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A request of the HTTP API, a message of the recordings queue, or the schedule's look at the copies."""
    if event.get("source") == "hangtag.recordings":
        return expire(context)
    if "Records" in event:
        return process_batch(event["Records"], work)
    return app.handle(event, context)


def work(record: Mapping[str, Any]) -> None:
    """One message: a recording that was named, or is to be tried again."""
    # The API's answer does not wait for what talks to PBXs to be loaded.
    from hangtag.services.recordings import fetch
    from hangtag.services.recordings.queue import ask_for
    from hangtag.store.calls.items import CallKey

    message = json.loads(record["body"])
    call = CallKey(message["pk"], message["sk"])
    again = fetch.work(call, message["recording"], datetime.now(UTC))
    if again is not None:
        ask_for(call, message["recording"], again)
    logger.info("recording.processed", extra={"retry_after": again})


def expire(context: Any) -> dict[str, Any]:
    """Delete the copies whose time is up. What there is no time for is left to the next look."""
    from hangtag.services.recordings import fetch
    from hangtag.store.calls.recordings import due

    now, looked_at, gone = datetime.now(UTC), 0, 0
    for pointer in due(now):
        if context.get_remaining_time_in_millis() < MARGIN_MS:
            break
        looked_at += 1
        gone += fetch.review(pointer, now)
    logger.info("recording.expiry_checked", extra={"copies": looked_at, "expired": gone})
    return {"looked_at": looked_at, "expired": gone}
