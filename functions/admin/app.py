"""The admin API: who is who, which PBXs and CRM there are, and the rules."""

from typing import Any

from hangtag.http.routes import (
    audit,
    crm,
    employees,
    extensions,
    groups,
    imports,
    integrations,
    leaving,
    lines,
    masks,
    settings,
    tenants,
    tokens,
)
from hangtag.http.service import Api

app = Api(
    tenants.routes,
    tenants.me_routes,
    audit.routes,
    integrations.routes,
    extensions.routes,
    employees.routes,
    groups.routes,
    tokens.routes,
    tokens.owner_routes,
    settings.routes,
    lines.routes,
    masks.routes,
    imports.routes,
    crm.routes,
    leaving.routes,
    leaving.owner_routes,
)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request of the HTTP API."""
    return app.handle(event, context)
