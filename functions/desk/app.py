"""What an employee uses: contacts, calls, tags, tasks, comments, missed calls."""

from typing import Any

from hangtag.http.routes import calls, comments, contacts, live, missed_calls, tasks
from hangtag.http.service import Api

app = Api(
    contacts.routes,
    contacts.admin_routes,
    calls.routes,
    tasks.routes,
    comments.routes,
    missed_calls.routes,
    live.routes,
)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request of the HTTP API."""
    return app.handle(event, context)
