"""Recordings: copies them, deletes those whose time is up, and lets them be heard."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hangtag.batches import work_off
from hangtag.http.routes import recordings
from hangtag.http.service import Api
from hangtag.observability import logger

app = Api(recordings.routes, recordings.admin_routes)
# What a look at the copies leaves of its time for the one at hand.
MARGIN_MS = 10_000


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A request of the HTTP API, a message of the recordings queue, or the schedule's look at the copies."""
    if event.get("source") == "hangtag.recordings":
        return expire(context)
    if "Records" in event:
        return work_off(event["Records"], work)
    return app.handle(event, context)


def work(record: Mapping[str, Any]) -> None:
    """One message: a recording that was named, or is to be tried again."""
    # The API's answer does not wait for what talks to PBXs to be loaded.
    from hangtag.flow import recording
    from hangtag.flow.recorded import ask_for
    from hangtag.store.calls import CallKey

    message = json.loads(record["body"])
    call = CallKey(message["pk"], message["sk"])
    again = recording.work(call, message["recording"], datetime.now(UTC))
    if again is not None:
        ask_for(call, message["recording"], again)
    logger.info("recording.processed", extra={"retry_after": again})


def expire(context: Any) -> dict[str, Any]:
    """Delete the copies whose time is up. What there is no time for is left to the next look."""
    from hangtag.flow import recording
    from hangtag.store.recordings import due

    now, looked_at, gone = datetime.now(UTC), 0, 0
    for pointer in due(now):
        if context.get_remaining_time_in_millis() < MARGIN_MS:
            break
        looked_at += 1
        gone += recording.review(pointer, now)
    logger.info("recording.expiry_checked", extra={"copies": looked_at, "expired": gone})
    return {"looked_at": looked_at, "expired": gone}
