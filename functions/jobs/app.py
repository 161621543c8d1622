"""What takes longer than a request: imports, exports, erasures."""

import importlib
import json
from collections.abc import Callable
from typing import Any, cast

from hangtag.observability import logger

# Which module works off a job. Each saves how far it came, and sends itself the job again when time is up.
WORKERS = {
    "import": "hangtag.flow.importing",
    "export": "hangtag.flow.exporting",
    "erase": "hangtag.flow.erasing",
}
# What a job leaves of its function's time to save how far it came.
MARGIN_MS = 30_000

Work = Callable[[dict[str, Any], Callable[[], bool]], None]


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A batch of the jobs queue."""

    def has_time() -> bool:
        return bool(context.get_remaining_time_in_millis() > MARGIN_MS)

    failed = []
    for record in event["Records"]:
        message = json.loads(record["body"])
        try:
            _worker(message["job"])(message, has_time)
        except Exception:
            logger.exception("job failed", extra={"job": message.get("job")})
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _worker(job: str) -> Work:
    return cast("Work", importlib.import_module(WORKERS[job]).work)
