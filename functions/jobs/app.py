"""Jobs function for work longer than a request: imports, exports, erasures, report files, reconciliation."""

import importlib
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, cast

from hangtag import runtime
from hangtag.batches import process_batch
from hangtag.runtime import Settings, logger

SETTINGS = runtime.bind(
    Settings.read(
        os.environ,
        "TABLE_NAME",
        "JOBS_QUEUE_URL",
        "FILES_BUCKET",
        "RECORDINGS_BUCKET",
        "RECONCILIATION_QUEUE_URL",
        "CREDENTIALS_KEY_ID",
        "SWEEP_AFTER_SECONDS",
        "PUBLIC_URL",
    )
)

# Module that processes each job. Modules save their progress, and queue the job again when the time is up.
WORKERS = {
    "import": "hangtag.services.jobs.imports",
    "export": "hangtag.services.jobs.exports",
    "erase": "hangtag.services.jobs.erasures",
    "compare": "hangtag.services.integrations.reconciliation",
    "report": "hangtag.services.reports.job",
}
# Time that a job leaves to save its progress.
MARGIN_MS = 30_000

Work = Callable[[dict[str, Any], Callable[[], bool]], None]


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Process a batch of the jobs queue, or the scheduled reconciliation of all integrations."""

    def has_time() -> bool:
        return bool(context.get_remaining_time_in_millis() > MARGIN_MS)

    if event.get("source") == "hangtag.compare":
        count = importlib.import_module(WORKERS["compare"]).queue_all(has_time)
        logger.info("reconciliation.scheduled", extra={"integrations": count})
        return {"asked": count}

    def work(record: Mapping[str, Any]) -> None:
        message = json.loads(record["body"])
        _worker(message["job"])(message, has_time)

    return process_batch(event["Records"], work)


def _worker(job: str) -> Work:
    return cast("Work", importlib.import_module(WORKERS[job]).work)
