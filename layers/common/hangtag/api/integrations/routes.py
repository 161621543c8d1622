"""Integrations: the tenant's PBXs, and what came from them."""

from datetime import timedelta
from typing import Any

from aws_lambda_powertools.event_handler import Response

from hangtag import runtime
from hangtag.api.integrations import diagnostics, setup
from hangtag.api.integrations import models as api
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.cursor import read_cursor, write_cursor
from hangtag.api.kernel.models import Limit, is_id
from hangtag.api.kernel.paging import children, found_id
from hangtag.api.kernel.service import Routes
from hangtag.errors import BadInputError, FieldError, FieldErrorCode
from hangtag.providers import optional
from hangtag.services.integrations import reconciliation
from hangtag.services.webhooks.replay import replay
from hangtag.store.calls.events import Source
from hangtag.store.db import audit
from hangtag.store.db.clock import now
from hangtag.store.integrations import integrations, request_log
from hangtag.store.integrations import reconciliation as compared

__all__ = ["routes"]

# What is left of an invocation when a deletion stops to answer.
DELETE_MARGIN_MS = 4000
SWEEP_AFTER_SECONDS = "300"
# Deliveries may be long, and an answer has 6 MB.
MAX_PAGE = 50

_DELETED: dict[int, Any] = {
    204: {"description": "It is gone"},
    202: {
        "description": "Time was up, and a part of it is left",
        "content": {"application/json": {"schema": {"type": "object", "properties": {"deleted": {"type": "boolean"}}}}},
    },
}

routes = Routes(Role.ADMIN)


@routes.get(
    "/v1/providers",
    operation_id="listProviders",
    tags=["Integrations"],
    summary="List PBX providers",
    description="What each PBX needs, and can do.",
)
def list_providers() -> api.ProviderPage:
    """What each PBX needs, and can do."""
    return api.ProviderPage(items=setup.providers())


@routes.post(
    "/v1/integrations",
    operation_id="createIntegration",
    tags=["Integrations"],
    summary="Connect a PBX",
    description="Connect a PBX; the webhook's address and the PBX's secrets are shown this once.",
    status_code=201,
)
def create_integration(integration: api.CreateIntegrationRequest) -> api.CreatedIntegration:
    """Connect a PBX; the webhook's address and the PBX's secrets are shown this once."""
    tenant_id, who = routes.tenant_id, routes.caller.name
    made = routes.once("integrations", lambda: setup.connect(tenant_id, who, integration), sealed=True)
    return api.CreatedIntegration.model_validate(made)


@routes.get(
    "/v1/integrations",
    operation_id="listIntegrations",
    tags=["Integrations"],
    summary="List integrations",
    description="The tenant's PBXs.",
)
def list_integrations(limit: Limit | None = None, cursor: str | None = None) -> api.IntegrationPage:
    """The tenant's PBXs."""
    tenant_id = routes.tenant_id
    return children(
        "integrations",
        api.IntegrationPage,
        limit,
        cursor,
        lambda count, after: integrations.list_integrations(tenant_id, count, after),
    )


@routes.get(
    "/v1/integrations/<integration_id>",
    operation_id="getIntegration",
    tags=["Integrations"],
    summary="Get an integration",
    description="One PBX, without its secrets.",
)
def get_integration(integration_id: str) -> api.IntegrationDetail:
    """One PBX, without its secrets."""
    found = integrations.get_integration(routes.tenant_id, found_id(integration_id))
    return _detail(found)


@routes.patch(
    "/v1/integrations/<integration_id>",
    operation_id="updateIntegration",
    tags=["Integrations"],
    summary="Update an integration",
    description="Change a PBX's name, settings or credentials; credentials are merged by their names, and never shown.",
)
def update_integration(integration_id: str, integration: api.UpdateIntegrationRequest) -> api.IntegrationDetail:
    """Change a PBX's name, settings or credentials; credentials are merged by their names, and never shown."""
    changed = setup.change(routes.tenant_id, found_id(integration_id), routes.caller.name, integration)
    return _detail(changed)


@routes.delete(
    "/v1/integrations/<integration_id>",
    operation_id="deleteIntegration",
    tags=["Integrations"],
    summary="Disconnect a PBX",
    description=(
        "Disconnect a PBX; its calls stay. 204: it is gone. 202: time was up, send it again until it answers 204."
    ),
    status_code=204,
    responses=_DELETED,
)
def delete_integration(integration_id: str) -> Response[Any]:
    """Disconnect a PBX; its calls stay. 204: it is gone. 202: time was up, send it again until it answers 204."""
    done = integrations.delete_integration(
        routes.tenant_id,
        found_id(integration_id),
        routes.caller.name,
        lambda: bool(routes.lambda_context.get_remaining_time_in_millis() > DELETE_MARGIN_MS),
    )
    if done:
        return Response(status_code=204, body="")
    return Response(status_code=202, content_type="application/json", body={"deleted": False})


@routes.post(
    "/v1/integrations/<integration_id>/test",
    operation_id="testIntegration",
    tags=["Integrations"],
    summary="Run integration diagnostics",
    description="Say what is wrong with a PBX, in words.",
)
def test_integration(integration_id: str) -> api.DiagnosticReport:
    """Say what is wrong with a PBX, in words."""
    found = integrations.get_integration(routes.tenant_id, found_id(integration_id))
    return diagnostics.examine(routes.tenant_id, found)


@routes.post(
    "/v1/integrations/<integration_id>/rotate",
    operation_id="rotateWebhookEndpoint",
    tags=["Integrations"],
    summary="Rotate the webhook URL and secrets",
    description="Give a PBX a new webhook's address, shown this once; the one before lives for the overlap.",
)
def rotate_webhook_endpoint(
    integration_id: str, rotation: api.RotateWebhookEndpointRequest
) -> api.RotatedWebhookEndpoint:
    """Give a PBX a new webhook's address, shown this once; the one before lives for the overlap."""
    tenant_id, who, found = routes.tenant_id, routes.caller.name, found_id(integration_id)
    made = routes.once(f"rotate {found}", lambda: setup.rotate(tenant_id, found, who, rotation), sealed=True)
    return api.RotatedWebhookEndpoint.model_validate(made)


@routes.post(
    "/v1/integrations/<integration_id>/watch",
    operation_id="watchWebhookRequests",
    tags=["Webhooks"],
    summary="Log all webhook requests for a while",
    description="Keep all that the PBX sends for some minutes, from within a minute on.",
)
def watch_webhook_requests(integration_id: str, watch: api.WatchWebhookRequestsRequest) -> api.IntegrationDetail:
    """Keep all that the PBX sends for some minutes, from within a minute on."""
    until = now() + timedelta(minutes=watch.minutes)
    watched = integrations.watch_integration(routes.tenant_id, found_id(integration_id), routes.caller.name, until)
    return _detail(watched)


@routes.get(
    "/v1/integrations/<integration_id>/deliveries",
    operation_id="listWebhookRequests",
    tags=["Webhooks"],
    summary="List logged webhook requests",
    description="The requests of a PBX that were kept, the newest first, with what each led to; at most 50 a page.",
)
def list_webhook_requests(
    integration_id: str, limit: Limit | None = None, cursor: str | None = None
) -> api.WebhookRequestLogEntryPage:
    """The requests of a PBX that were kept, the newest first, with what each led to; at most 50 a page."""
    found = integrations.get_integration(routes.tenant_id, found_id(integration_id))
    recent, following = request_log.recent(
        routes.tenant_id, found.id, min(limit or MAX_PAGE, MAX_PAGE), _before(cursor)
    )
    return api.WebhookRequestLogEntryPage(
        items=[api.WebhookRequestLogEntry.model_validate(one.to_json()) for one in recent],
        next_cursor=write_cursor("deliveries", following) if following else None,
    )


@routes.get(
    "/v1/integrations/<integration_id>/deliveries/<delivery_id>",
    operation_id="getWebhookRequest",
    tags=["Webhooks"],
    summary="Get a logged webhook request",
    description="One request of a PBX.",
)
def get_webhook_request(integration_id: str, delivery_id: str) -> api.WebhookRequestLogEntry:
    """One request of a PBX."""
    found = integrations.get_integration(routes.tenant_id, found_id(integration_id))
    kept = request_log.find(routes.tenant_id, found.id, found_id(delivery_id))
    return api.WebhookRequestLogEntry.model_validate(kept.to_json())


@routes.post(
    "/v1/integrations/<integration_id>/deliveries/<delivery_id>/replay",
    operation_id="replayWebhookRequest",
    tags=["Webhooks"],
    summary="Replay a logged webhook request",
    description="Run a kept request again. What was taken in before changes nothing; secrets are not verified again.",
)
def replay_webhook_request(integration_id: str, delivery_id: str) -> api.ReplayResult:
    """Run a kept request again. What was taken in before changes nothing; secrets are not verified again."""
    tenant_id = routes.tenant_id
    found = integrations.get_integration(tenant_id, found_id(integration_id))
    kept = request_log.find(tenant_id, found.id, found_id(delivery_id))
    sweep_after = runtime.settings().sweep_after
    source = Source(tenant_id, found.id, found.provider)
    done = replay(source, found.settings, kept, sweep_after)
    if any(one.result == "stored" for one in done.events):
        audit.note(tenant_id, routes.caller.name, "integration.replayed", found.id)
    return api.ReplayResult.model_validate(
        {
            "delivery_id": kept.id,
            "understood": done.understood,
            "verified": False,
            "reason": done.reason,
            "events": [one.to_json() for one in done.events],
        }
    )


@routes.get(
    "/v1/integrations/<integration_id>/recovered",
    operation_id="listRecoveredCalls",
    tags=["Integrations"],
    summary="List recovered calls",
    description=(
        "The calls of the last 30 days of which webhooks were lost, found again in the PBX's history, the newest first."
    ),
)
def list_recovered_calls(
    integration_id: str, limit: Limit | None = None, cursor: str | None = None
) -> api.RecoveredCallPage:
    """The calls of the last 30 days of which webhooks were lost, found again in the PBX's history, the newest first."""
    found = integrations.get_integration(routes.tenant_id, found_id(integration_id))
    return children(
        "recovered",
        api.RecoveredCallPage,
        limit,
        cursor,
        lambda count, before: compared.recent(routes.tenant_id, found.id, count, before),
    )


@routes.post(
    "/v1/integrations/<integration_id>/recover",
    operation_id="startReconciliation",
    tags=["Integrations"],
    summary="Reconcile with the PBX's call log",
    description="Compare a time with the PBX's history now; the last hours and days are compared without being asked.",
    status_code=202,
)
def start_reconciliation(integration_id: str, recover: api.StartReconciliationRequest) -> api.ReconciliationProgress:
    """Compare a time with the PBX's history now; the last hours and days are compared without being asked."""
    if not timedelta(0) < recover.until - recover.since <= reconciliation.FARTHEST:
        field = FieldError("to", FieldErrorCode.OUT_OF_RANGE, "it is not after from, or more than 7 days later")
        raise BadInputError("a time of at most 7 days is needed", (field,))
    found = integrations.get_integration(routes.tenant_id, found_id(integration_id))
    reconciliation.ask_for(routes.tenant_id, found, reconciliation.Span(recover.since, recover.until))
    audit.note(routes.tenant_id, routes.caller.name, "integration.recovering", found.id)
    return _history(compared.load(routes.tenant_id, found.id))


def _detail(found: integrations.Integration) -> api.IntegrationDetail:
    last = diagnostics.last_delivery_at(routes.tenant_id, found.id)
    stands = compared.load(routes.tenant_id, found.id)
    has_history = optional(found.provider, "history") is not None
    shown = {
        "last_delivery_at": last,
        "history": _history(stands) if has_history else None,
        "look_after": stands.looked_after._asdict() if stands.looked_after else None,
    }
    return api.IntegrationDetail.model_validate({**found.to_json(), **shown})


def _history(stands: compared.Compared) -> api.ReconciliationProgress:
    said = {"compared_until": stands.until, "compared_at": stands.at, "error": stands.error}
    return api.ReconciliationProgress.model_validate(said)


def _before(cursor: str | None) -> str | None:
    """The delivery that a page goes on after. Raises BadInputError."""
    start = read_cursor("deliveries", 1, cursor)
    if start is None:
        return None
    if start[0] is None or not is_id(start[0]):
        field = FieldError("cursor", FieldErrorCode.INVALID_FORMAT, "it is not a cursor of this list")
        raise BadInputError("the cursor is not one of this list", (field,))
    return start[0]
