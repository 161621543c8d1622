"""Routes of the reconciliation with the PBX's call log."""

from datetime import timedelta
from typing import Any

from hangtag.api.integrations.detail import progress_of
from hangtag.api.integrations.models import ReconciliationProgress, RecoveredCallPage, StartReconciliationRequest
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.models import Cursor, Limit
from hangtag.api.kernel.paging import children, found_id
from hangtag.api.kernel.service import Routes
from hangtag.errors import BadInputError, ErrorCode, FieldError, FieldErrorCode
from hangtag.services.integrations import reconciliation as service
from hangtag.store.db import audit
from hangtag.store.integrations import integrations
from hangtag.store.integrations import reconciliation as stored

__all__ = ["routes"]

routes = Routes(Role.ADMIN)


@routes.get(
    "/v1/integrations/<integration_id>/recovered",
    operation_id="listRecoveredCalls",
    tags=["Integrations"],
    summary="List recovered calls",
    description=(
        "List the calls of the last 30 days that webhook requests left incomplete and reconciliation completed from the"
        " PBX's call log, newest first."
    ),
)
def list_recovered_calls(
    integration_id: str, limit: Limit | None = None, cursor: Cursor | None = None
) -> RecoveredCallPage:
    """List the recovered calls of an integration."""
    integration = integrations.get_integration(routes.tenant_id, found_id(integration_id))
    return children(
        "recovered",
        RecoveredCallPage,
        limit,
        cursor,
        lambda count, before: stored.list_recovered(routes.tenant_id, integration.id, count, before),
        _public,
    )


@routes.post(
    "/v1/integrations/<integration_id>/recover",
    operation_id="startReconciliation",
    tags=["Integrations"],
    summary="Reconcile with the PBX's call log",
    description=(
        "Compare the calls of a period of at most 7 days with the PBX's call log, in the background, and add what they"
        " lack. Recent calls are reconciled every quarter of an hour without a request. The response has the progress"
        " before the run. A PBX without a call log is a 409."
    ),
    errors=[ErrorCode.HISTORY_UNSUPPORTED, ErrorCode.RANGE_INVALID],
    example={"from": "2026-11-29T00:00:00Z", "to": "2026-11-30T00:00:00Z"},
    status_code=202,
)
def start_reconciliation(integration_id: str, request: StartReconciliationRequest) -> ReconciliationProgress:
    """Start a reconciliation of a period."""
    if not timedelta(0) < request.until - request.since <= service.FARTHEST:
        reason = f"The end must be after the start, by at most {service.FARTHEST.days} days."
        field = FieldError("to", FieldErrorCode.OUT_OF_RANGE, reason)
        raise BadInputError("The period is not valid.", (field,), code=ErrorCode.RANGE_INVALID)
    integration = integrations.get_integration(routes.tenant_id, found_id(integration_id))
    service.queue_span(routes.tenant_id, integration, service.Span(request.since, request.until))
    audit.record(routes.tenant_id, routes.caller.name, "integration.recovering", integration.id)
    return progress_of(stored.load(routes.tenant_id, integration.id))


def _public(recovered: dict[str, Any]) -> dict[str, Any]:
    """Map the stored names to those of the API."""
    return {**recovered, "recovered_at": recovered["at"]}
