"""Who changed what."""

from hangtag.api.kernel import models as api
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.paging import children
from hangtag.api.kernel.service import Routes
from hangtag.api.tenants.models import AuditEntryPage
from hangtag.store.db import audit

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


@routes.get(
    "/v1/audit",
    operation_id="listAuditEntries",
    tags=["Audit"],
    summary="List audit entries",
    description="Changes of integrations, rules, tokens and roles, the newest first. They are kept for 400 days.",
)
def list_audit_entries(limit: api.Limit | None = None, cursor: str | None = None) -> AuditEntryPage:
    """Changes of integrations, rules, tokens and roles, the newest first. They are kept for 400 days."""
    tenant_id = routes.tenant_id
    return children(
        "audit",
        AuditEntryPage,
        limit,
        cursor,
        lambda count, before: audit.list_changes(tenant_id, count, before),
    )
