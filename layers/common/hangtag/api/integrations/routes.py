"""Routes of integrations: the tenant's connections to PBXs."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from hangtag.api.integrations import diagnostics, setup
from hangtag.api.integrations.detail import detail
from hangtag.api.integrations.models import (
    CreatedIntegration,
    CreateIntegrationRequest,
    DiagnosticReport,
    IntegrationDetail,
    IntegrationPage,
    ProviderPage,
    RotatedWebhookEndpoint,
    RotateWebhookEndpointRequest,
    UpdateIntegrationRequest,
)
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Cursor, DeletionProgress, Limit
from hangtag.api.kernel.paging import children, found_id
from hangtag.api.kernel.service import Routes
from hangtag.errors import ErrorCode
from hangtag.store.integrations import integrations

__all__ = ["routes"]

# Time left of the invocation when a deletion stops to send its response.
DELETE_MARGIN_MS = 4000

_DELETED: dict[int, Any] = {
    204: {"description": "The integration is deleted"},
    202: {
        "description": "Part of the integration remains; send the request again",
        "content": {"application/json": {"model": DeletionProgress}},
    },
}

routes = Routes(Role.ADMIN)


@routes.get(
    "/v1/providers",
    operation_id="listProviders",
    tags=["Integrations"],
    summary="List PBX providers",
    description=(
        "List all PBX providers in one page, in a fixed order, with the credentials and settings that an integration"
        " takes and the abilities of the PBX."
    ),
)
def list_providers() -> ProviderPage:
    """List all PBX providers."""
    return ProviderPage(items=setup.providers())


@routes.post(
    "/v1/integrations",
    operation_id="createIntegration",
    tags=["Integrations"],
    summary="Connect a PBX",
    description=(
        "Connect a PBX. The response contains the webhook URL and the PBX's secrets, which are shown only once, and the"
        " steps to take at the PBX. A PBX with the ability `setup` is set up within the request; `setup` has the"
        " result, and a failure there does not undo the connection."
    ),
    errors=[ErrorCode.CREDENTIALS_TOO_LARGE],
    example={"provider": "telephony_api", "name": "Office", "credentials": {}},
    status_code=201,
)
def create_integration(integration: CreateIntegrationRequest) -> CreatedIntegration:
    """Connect a PBX."""
    tenant_id, who = routes.tenant_id, routes.caller.name
    created = routes.idempotent("integrations", lambda: setup.connect(tenant_id, who, integration), sealed=True)
    return CreatedIntegration.model_validate(created)


@routes.get(
    "/v1/integrations",
    operation_id="listIntegrations",
    tags=["Integrations"],
    summary="List integrations",
    description="List the tenant's integrations in the order of their ids, without their secrets.",
)
def list_integrations(limit: Limit | None = None, cursor: Cursor | None = None) -> IntegrationPage:
    """List the tenant's integrations."""
    tenant_id = routes.tenant_id
    return children(
        "integrations",
        IntegrationPage,
        limit,
        cursor,
        lambda count, after: integrations.list_integrations(tenant_id, count, after),
    )


@routes.get(
    "/v1/integrations/<integration_id>",
    operation_id="getIntegration",
    tags=["Integrations"],
    summary="Get an integration",
    description="Return one integration with its activity, without its secrets.",
)
def get_integration(integration_id: str) -> IntegrationDetail:
    """Return one integration."""
    return detail(routes.tenant_id, integrations.get_integration(routes.tenant_id, found_id(integration_id)))


@routes.patch(
    "/v1/integrations/<integration_id>",
    operation_id="updateIntegration",
    tags=["Integrations"],
    summary="Update an integration",
    description=(
        "Change the name, settings or credentials of an integration. Credentials are merged by name and never shown."
        " Webhook requests signed with the previous credentials are accepted for `overlap_hours`."
    ),
    errors=[ErrorCode.OPERATION_RUNNING, ErrorCode.CREDENTIALS_TOO_LARGE],
    example={"credentials": {"api_key": "Zm9vYmFyYmF6cXV4"}},
)
def update_integration(integration_id: str, integration: UpdateIntegrationRequest) -> IntegrationDetail:
    """Change an integration."""
    changed = setup.change(routes.tenant_id, found_id(integration_id), routes.caller.name, integration)
    return detail(routes.tenant_id, changed)


@routes.delete(
    "/v1/integrations/<integration_id>",
    operation_id="deleteIntegration",
    tags=["Integrations"],
    summary="Disconnect a PBX",
    description=(
        "Delete an integration with its request log. Its calls and tags stay. If employees still have extensions at the"
        " PBX, the response is a 409 that names them. A 202 means that a part remains: repeat the request until the"
        " response is a 204."
    ),
    errors=[ErrorCode.RESOURCE_IN_USE, ErrorCode.OPERATION_RUNNING],
    status_code=204,
    responses=_DELETED,
)
def delete_integration(integration_id: str) -> Response[Any]:
    """Delete an integration as far as the invocation's time allows."""
    done = integrations.delete_integration(
        routes.tenant_id,
        found_id(integration_id),
        routes.caller.name,
        lambda: bool(routes.lambda_context.get_remaining_time_in_millis() > DELETE_MARGIN_MS),
    )
    if done:
        return Response(status_code=204, body="")
    return Response(status_code=202, content_type="application/json", body={"done": False})


@routes.post(
    "/v1/integrations/<integration_id>/test",
    operation_id="testIntegration",
    tags=["Integrations"],
    summary="Run integration diagnostics",
    description=(
        "Check the credentials, the latest webhook requests, the extensions, and the PBX's API where it has one. Failed"
        " checks are a 200 with `ok: false`. The request takes up to 20 seconds."
    ),
)
def test_integration(integration_id: str) -> DiagnosticReport:
    """Run the diagnostics of an integration."""
    integration = integrations.get_integration(routes.tenant_id, found_id(integration_id))
    return diagnostics.examine(routes.tenant_id, integration)


@routes.post(
    "/v1/integrations/<integration_id>/rotate",
    operation_id="rotateWebhookEndpoint",
    tags=["Integrations"],
    summary="Rotate the webhook URL and secrets",
    description=(
        "Create a new webhook URL, and new secrets with `secrets: true`. They are shown only once. The previous URL and"
        " secrets stay valid for `overlap_hours`; URLs before the previous one end at once. A PBX with the ability"
        " `setup` receives the new URL within the request."
    ),
    errors=[ErrorCode.OPERATION_RUNNING],
    example={"overlap_hours": 24, "secrets": False},
)
def rotate_webhook_endpoint(integration_id: str, rotation: RotateWebhookEndpointRequest) -> RotatedWebhookEndpoint:
    """Replace the webhook URL, and the secrets if requested."""
    tenant_id, who, integration = routes.tenant_id, routes.caller.name, found_id(integration_id)
    rotated = routes.idempotent(
        f"rotate {integration}", lambda: setup.rotate(tenant_id, integration, who, rotation), sealed=True
    )
    return RotatedWebhookEndpoint.model_validate(rotated)
