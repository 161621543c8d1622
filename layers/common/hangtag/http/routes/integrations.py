"""Integrations: the tenant's PBXs."""

from hangtag.http import setup
from hangtag.http import shapes as api
from hangtag.http.caller import Role
from hangtag.http.cursor import read_cursor, write_cursor
from hangtag.http.paged import children, found_id
from hangtag.http.service import Routes
from hangtag.store import deliveries, integrations
from hangtag.store.client import dynamodb, table

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


@routes.get("/v1/providers")
def get_providers() -> api.Listed[api.ProviderOut]:
    """What each PBX needs, and can do."""
    return api.Listed[api.ProviderOut](items=setup.providers())


@routes.post("/v1/integrations", status_code=201)
def post_integration(integration: api.IntegrationIn) -> api.NewIntegrationOut:
    """Connect a PBX; the webhook's address and the PBX's secrets are shown this once."""
    tenant_id = routes.tenant_id
    made = routes.once("integrations", lambda: setup.connect(tenant_id, integration), sealed=True)
    return api.NewIntegrationOut.model_validate(made)


@routes.get("/v1/integrations")
def get_integrations(limit: api.Limit | None = None, cursor: str | None = None) -> api.Listed[api.IntegrationOut]:
    """The tenant's PBXs."""
    tenant_id = routes.tenant_id
    return children(
        "integrations",
        api.IntegrationOut,
        limit,
        cursor,
        lambda count, after: integrations.list_integrations(tenant_id, count, after),
    )


@routes.get("/v1/integrations/<integration_id>")
def get_integration(integration_id: str) -> api.IntegrationOut:
    """One PBX, without its secrets."""
    found = integrations.get_integration(routes.tenant_id, found_id(integration_id))
    return api.IntegrationOut.model_validate(found.to_json())


@routes.get("/v1/integrations/<integration_id>/deliveries")
def get_deliveries(
    integration_id: str, limit: api.Limit | None = None, cursor: str | None = None
) -> api.Listed[api.DeliveryOut]:
    """The requests of a PBX that led to nothing, the newest first."""
    found = integrations.get_integration(routes.tenant_id, found_id(integration_id))
    start = read_cursor("deliveries", 1, cursor)
    recent, following = deliveries.recent(
        dynamodb(),
        table(),
        routes.tenant_id,
        found.id,
        limit or api.DEFAULT_LIMIT,
        start[0] if start else None,
    )
    return api.Listed[api.DeliveryOut](
        items=[api.DeliveryOut.model_validate(one.to_json()) for one in recent],
        next_cursor=write_cursor("deliveries", following) if following else None,
    )
