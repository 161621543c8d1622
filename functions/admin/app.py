"""The admin API: tenants, providers, integrations, employees, lines, settings, tokens."""

from typing import Any

from hangtag.http.routes import employees, integrations, lines, settings, tenants, tokens
from hangtag.http.service import Api

app = Api(
    tenants.routes,
    integrations.routes,
    employees.routes,
    tokens.routes,
    settings.routes,
    lines.routes,
)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request of the HTTP API."""
    return app.handle(event, context)
