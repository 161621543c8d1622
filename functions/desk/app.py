"""Desk API function for employees: contacts, calls, tags, tasks, comments, missed calls."""

import os
from typing import Any

from hangtag import runtime
from hangtag.api.calls import routes as calls
from hangtag.api.comments import routes as comments
from hangtag.api.contacts import routes as contacts
from hangtag.api.kernel.service import Api
from hangtag.api.live import routes as live
from hangtag.api.missed_calls import routes as missed_calls
from hangtag.api.tags import routes as tags
from hangtag.api.tasks import routes as tasks
from hangtag.runtime import Settings

SETTINGS = runtime.bind(
    Settings.read(
        os.environ,
        "TABLE_NAME",
        "TOKEN_KEY",
        "LIVE_URL",
    )
)

app = Api(
    contacts.routes,
    contacts.admin_routes,
    calls.routes,
    tags.routes,
    tasks.routes,
    comments.routes,
    missed_calls.routes,
    live.routes,
)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle a request of the HTTP API."""
    return app.handle(event, context)
