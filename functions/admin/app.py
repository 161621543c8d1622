"""Admin API: tenants, staff, integrations, CRM, settings; also unknown paths and the OpenAPI document."""

import os
from typing import Any

from hangtag import runtime
from hangtag.api.audit import routes as audit
from hangtag.api.crm import routes as crm
from hangtag.api.employees import routes as employees
from hangtag.api.erasures import routes as erasures
from hangtag.api.exports import routes as exports
from hangtag.api.groups import routes as groups
from hangtag.api.imports import routes as imports
from hangtag.api.integrations import extensions, reconciliation, webhook_requests
from hangtag.api.integrations import routes as integrations
from hangtag.api.kernel import document
from hangtag.api.kernel.service import Api
from hangtag.api.lines import routes as lines
from hangtag.api.settings import masks
from hangtag.api.settings import routes as settings
from hangtag.api.tenants import routes as tenants
from hangtag.api.tokens import routes as tokens
from hangtag.runtime import Settings

SETTINGS = runtime.bind(
    Settings.read(
        os.environ,
        "TABLE_NAME",
        "TOKEN_KEY",
        "OPERATOR_TOKEN",
        "CREDENTIALS_KEY_ID",
        "RECONCILIATION_QUEUE_URL",
        "JOBS_QUEUE_URL",
        "FILES_BUCKET",
        "RECORDINGS_BUCKET",
        "SWEEP_AFTER_SECONDS",
        "PUBLIC_URL",
    )
)

app = Api(
    document.routes,
    tenants.routes,
    tenants.me_routes,
    audit.routes,
    integrations.routes,
    webhook_requests.routes,
    reconciliation.routes,
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
    erasures.routes,
    exports.routes,
)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle a request of the HTTP API."""
    return app.handle(event, context)
