"""Who changed what."""

from hangtag.http import shapes as api
from hangtag.http.access_shapes import ChangeOut
from hangtag.http.caller import Role
from hangtag.http.paged import children
from hangtag.http.service import Routes
from hangtag.store import audit

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


@routes.get("/v1/audit")
def get_audit(limit: api.Limit | None = None, cursor: str | None = None) -> api.Listed[ChangeOut]:
    """Changes of integrations, rules, tokens and roles, the newest first. They are kept for 400 days."""
    tenant_id = routes.tenant_id
    return children(
        "audit",
        ChangeOut,
        limit,
        cursor,
        lambda count, before: audit.list_changes(tenant_id, count, before),
    )
