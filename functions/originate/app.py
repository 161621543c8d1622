"""Click-to-call function: accepts clicks over the API, and places the calls one message at a time."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hangtag import runtime
from hangtag.api.clicks import routes as clicks
from hangtag.api.kernel.service import Api
from hangtag.batches import process_batch
from hangtag.runtime import Settings, logger

SETTINGS = runtime.bind(
    Settings.read(
        os.environ,
        "TABLE_NAME",
        "TOKEN_KEY",
        "CREDENTIALS_KEY_ID",
        "ORIGINATE_QUEUE_URL",
        "PUBLIC_URL",
    )
)

app = Api(clicks.routes)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle a request of the HTTP API, or a batch of the originate queue."""
    if "Records" in event:
        return process_batch(event["Records"], work)
    return app.handle(event, context)


def work(record: Mapping[str, Any]) -> None:
    """Process one message: place or close a click, or the second step of a PBX that has two."""
    # Imported here so that API requests do not wait for the PBX modules to load.
    from hangtag.services.clicks import originate

    message = json.loads(record["body"])
    if message["task"] == "place":
        state = originate.place(message["tenant"], message["click"], datetime.now(UTC))
        logger.info("click.processed", extra={"click": message["click"], "state": state})
    elif message["task"] == "close":
        originate.close(message["tenant"], message["click"], datetime.now(UTC))
    else:
        originate.connect(message)
