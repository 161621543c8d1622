"""Reports function: sums of the hours that changed, and the reports API."""

import os
from datetime import UTC, datetime
from typing import Any

from hangtag import runtime
from hangtag.api.kernel.service import Api
from hangtag.api.reports import routes as reports
from hangtag.runtime import Settings, logger
from hangtag.services.reports.sums import mark_all, refresh

SETTINGS = runtime.bind(
    Settings.read(
        os.environ,
        "TABLE_NAME",
        "TOKEN_KEY",
        "FILES_BUCKET",
        "JOBS_QUEUE_URL",
    )
)

# Time that a refresh leaves for the hour in progress.
MARGIN_MS = 20_000

app = Api(reports.routes)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle a request of the HTTP API, the refresh of each minute, or a rebuild that marks a tenant's past hours."""
    source = event.get("source")
    if source == "hangtag.reports":
        hours = refresh(datetime.now(UTC), lambda: bool(context.get_remaining_time_in_millis() > MARGIN_MS))
        logger.info("report.refreshed", extra={"hours": hours})
        return {"hours": hours}
    if source == "hangtag.reports.rebuild":
        return {"marked": mark_all(event["tenant"], event["from"], event["to"])}
    return app.handle(event, context)
