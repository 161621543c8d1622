"""What takes longer than a request: imports, exports, erasures, files of reports, asking PBXs for their histories."""

import importlib
import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from hangtag.batches import work_off
from hangtag.observability import logger

# Which module works off a job. Each saves how far it came, and sends itself the job again when time is up.
WORKERS = {
    "import": "hangtag.flow.importing",
    "export": "hangtag.flow.exporting",
    "erase": "hangtag.flow.erasing",
    "compare": "hangtag.flow.history",
    "report": "hangtag.flow.report_job",
}
# What a job leaves of its function's time to save how far it came.
MARGIN_MS = 30_000

Work = Callable[[dict[str, Any], Callable[[], bool]], None]


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A batch of the jobs queue, or the schedule's wish to have all PBXs' histories compared."""

    def has_time() -> bool:
        return bool(context.get_remaining_time_in_millis() > MARGIN_MS)

    if event.get("source") == "hangtag.compare":
        asked = importlib.import_module(WORKERS["compare"]).ask_all(has_time)
        logger.info("reconciliation.scheduled", extra={"integrations": asked})
        return {"asked": asked}

    def work(record: Mapping[str, Any]) -> None:
        message = json.loads(record["body"])
        _worker(message["job"])(message, has_time)

    return work_off(event["Records"], work)


def _worker(job: str) -> Work:
    return cast("Work", importlib.import_module(WORKERS[job]).work)
