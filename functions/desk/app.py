"""What an employee uses: contacts, calls, tags."""

from typing import Any

from hangtag.http.routes import calls, contacts
from hangtag.http.service import Api

app = Api(contacts.routes, calls.routes)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request of the HTTP API."""
    return app.handle(event, context)
