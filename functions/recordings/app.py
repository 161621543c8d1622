"""Recordings function: copies, deletion after the retention period, and playback."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hangtag import runtime
from hangtag.api.kernel.service import Api
from hangtag.api.recordings import routes as recordings
from hangtag.batches import process_batch
from hangtag.runtime import Settings, logger

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
# Time that a check of the copies leaves for the copy in progress.
MARGIN_MS = 10_000


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle a request of the HTTP API, a batch of the recordings queue, or the scheduled check of the copies."""
    if event.get("source") == "hangtag.recordings":
        return expire(context)
    if "Records" in event:
        return process_batch(event["Records"], work)
    return app.handle(event, context)


def work(record: Mapping[str, Any]) -> None:
    """Process one message: a new recording, or a retry."""
    # Imported here so that API requests do not wait for the PBX modules to load.
    from hangtag.services.recordings import fetch
    from hangtag.services.recordings.queue import enqueue
    from hangtag.store.calls.items import CallKey

    message = json.loads(record["body"])
    call = CallKey(message["pk"], message["sk"])
    retry_after = fetch.work(call, message["recording"], datetime.now(UTC))
    if retry_after is not None:
        enqueue(call, message["recording"], retry_after)
    logger.info("recording.processed", extra={"retry_after": retry_after})


def expire(context: Any) -> dict[str, Any]:
    """Delete the copies whose retention period is over. The next run continues after a lack of time."""
    from hangtag.services.recordings import fetch
    from hangtag.store.calls.recordings import due

    now, checked, expired = datetime.now(UTC), 0, 0
    for pointer in due(now):
        if context.get_remaining_time_in_millis() < MARGIN_MS:
            break
        checked += 1
        expired += fetch.review(pointer, now)
    logger.info("recording.expiry_checked", extra={"copies": checked, "expired": expired})
    return {"looked_at": checked, "expired": expired}
