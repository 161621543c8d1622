"""Who changed what."""

from hangtag.api.kernel import models as api
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.paging import children
from hangtag.api.kernel.service import Routes
from hangtag.api.tenants.models import AuditEntry
from hangtag.store.db import audit

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


@routes.get("/v1/audit")
def get_audit(limit: api.Limit | None = None, cursor: str | None = None) -> api.PageModel[AuditEntry]:
    """Changes of integrations, rules, tokens and roles, the newest first. They are kept for 400 days."""
    tenant_id = routes.tenant_id
    return children(
        "audit",
        AuditEntry,
        limit,
        cursor,
        lambda count, before: audit.list_changes(tenant_id, count, before),
    )
