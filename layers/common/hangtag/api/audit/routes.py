"""Routes of the audit log."""

from hangtag.api.audit import service
from hangtag.api.audit.models import AuditEntryPage
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.cursor import read_cursor, write_cursor
from hangtag.api.kernel.models import DEFAULT_LIMIT, Cursor, Limit
from hangtag.api.kernel.service import Routes
from hangtag.store.db import audit

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


@routes.get(
    "/v1/audit",
    operation_id="listAuditEntries",
    tags=["Audit"],
    summary="List audit entries",
    description=(
        "List changes of integrations, settings, tokens and roles, playbacks of recordings and erasures, newest first."
        " Entries are stored for 400 days."
    ),
)
def list_audit_entries(limit: Limit | None = None, cursor: Cursor | None = None) -> AuditEntryPage:
    """List the tenant's audit entries."""
    start = read_cursor("audit", 1, cursor)
    page = audit.list_changes(routes.tenant_id, limit or DEFAULT_LIMIT, start[0] if start else None)
    return AuditEntryPage(
        items=service.entries(routes.tenant_id, page.items),
        next_cursor=write_cursor("audit", page.next) if page.next is not None else None,
    )
