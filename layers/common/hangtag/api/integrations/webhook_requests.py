"""Routes of the log of webhook requests: list, get, replay, and logging all requests for a while."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hangtag import runtime
from hangtag.api.integrations.detail import detail
from hangtag.api.integrations.models import (
    IntegrationDetail,
    ReplayResult,
    WatchWebhookRequestsRequest,
    WebhookEventResult,
    WebhookRequestLogEntry,
    WebhookRequestLogEntryPage,
)
from hangtag.api.kernel.caller import Role
from hangtag.api.kernel.cursor import read_cursor, write_cursor
from hangtag.api.kernel.models import Cursor, Limit, is_id
from hangtag.api.kernel.paging import found_id
from hangtag.api.kernel.service import Routes
from hangtag.errors import BadInputError, ErrorCode, FieldError, FieldErrorCode
from hangtag.services.webhooks.replay import replay
from hangtag.store.calls.events import Source
from hangtag.store.db import audit
from hangtag.store.db.clock import now
from hangtag.store.integrations import integrations, request_log
from hangtag.store.integrations.request_log import EventResult, RequestLogEntry

__all__ = ["routes"]

# Entries can be 16 KB long, and a response has 6 MB.
MAX_PAGE = 50
# Stored values that have another name in the API.
_LOG_REASONS: Mapping[str, str] = {"set_up": "setup", "watched": "watch"}
_RESULTS: Mapping[str, str] = {"full": "event_limit_reached", "left_out": "skipped"}

routes = Routes(Role.ADMIN)


@routes.post(
    "/v1/integrations/<integration_id>/watch",
    operation_id="watchWebhookRequests",
    tags=["Webhooks"],
    summary="Log all webhook requests for a while",
    description=(
        "Log all webhook requests of an integration for some minutes, at most one a second and ten at once. It takes"
        " effect within a minute."
    ),
    errors=[ErrorCode.OPERATION_RUNNING],
    example={"minutes": 30},
)
def watch_webhook_requests(integration_id: str, watch: WatchWebhookRequestsRequest) -> IntegrationDetail:
    """Log all webhook requests of an integration for some minutes."""
    until = now() + timedelta(minutes=watch.minutes)
    watched = integrations.watch_integration(routes.tenant_id, found_id(integration_id), routes.caller.name, until)
    return detail(routes.tenant_id, watched)


@routes.get(
    "/v1/integrations/<integration_id>/deliveries",
    operation_id="listWebhookRequests",
    tags=["Webhooks"],
    summary="List logged webhook requests",
    description=(
        "List the logged webhook requests of the last 7 days, newest first, with secrets masked. A page has at most 50"
        " entries. Logged are failed requests, the first 20 of a new webhook URL, and all while an admin watches."
    ),
)
def list_webhook_requests(
    integration_id: str, limit: Limit | None = None, cursor: Cursor | None = None
) -> WebhookRequestLogEntryPage:
    """List the logged webhook requests of an integration."""
    integration = integrations.get_integration(routes.tenant_id, found_id(integration_id))
    recent, following = request_log.list_entries(
        routes.tenant_id, integration.id, min(limit or MAX_PAGE, MAX_PAGE), _before(cursor)
    )
    return WebhookRequestLogEntryPage(
        items=[_response(one) for one in recent],
        next_cursor=write_cursor("deliveries", following) if following else None,
    )


@routes.get(
    "/v1/integrations/<integration_id>/deliveries/<delivery_id>",
    operation_id="getWebhookRequest",
    tags=["Webhooks"],
    summary="Get a logged webhook request",
    description="Return one logged webhook request with its result.",
)
def get_webhook_request(integration_id: str, delivery_id: str) -> WebhookRequestLogEntry:
    """Return one logged webhook request."""
    integration = integrations.get_integration(routes.tenant_id, found_id(integration_id))
    return _response(request_log.find(routes.tenant_id, integration.id, found_id(delivery_id)))


@routes.post(
    "/v1/integrations/<integration_id>/deliveries/<delivery_id>/replay",
    operation_id="replayWebhookRequest",
    tags=["Webhooks"],
    summary="Replay a logged webhook request",
    description=(
        "Process a logged webhook request again, as of its arrival. Events that are stored already are duplicates and"
        " change nothing. Secrets are not verified, because they are not logged: replay only requests that you know to"
        " be from your PBX. Truncated requests cannot be replayed, and events with a masked part are skipped."
    ),
)
def replay_webhook_request(integration_id: str, delivery_id: str) -> ReplayResult:
    """Process a logged webhook request again."""
    tenant_id = routes.tenant_id
    integration = integrations.get_integration(tenant_id, found_id(integration_id))
    entry = request_log.find(tenant_id, integration.id, found_id(delivery_id))
    source = Source(tenant_id, integration.id, integration.provider)
    outcome = replay(source, integration.settings, entry, runtime.settings().sweep_after)
    if any(one.result == "stored" for one in outcome.events):
        audit.record(tenant_id, routes.caller.name, "integration.replayed", integration.id)
    return ReplayResult(
        webhook_request_id=entry.id,
        parsed=outcome.understood,
        reason=outcome.reason,
        events=[_event(one) for one in outcome.events],
    )


def _response(entry: RequestLogEntry) -> WebhookRequestLogEntry:
    """Map an entry's stored names to those of the API."""
    stored: dict[str, Any] = entry.to_json()
    return WebhookRequestLogEntry.model_validate(
        {
            **stored,
            "http_status": stored["status"],
            "result": stored["reason"],
            "log_reason": _LOG_REASONS.get(stored["kept"], stored["kept"]),
            "events": [_event(one) for one in entry.events],
        }
    )


def _event(result: EventResult) -> WebhookEventResult:
    return WebhookEventResult.model_validate(
        {
            "event": result.kind,
            "extension": result.extension,
            "call_id": result.call_id,
            "result": _RESULTS.get(result.result, result.result),
        }
    )


def _before(cursor: str | None) -> str | None:
    """Return the id of the entry before the page. Raises BadInputError for a cursor of another list."""
    start = read_cursor("deliveries", 1, cursor)
    if start is None:
        return None
    if start[0] is None or not is_id(start[0]):
        field = FieldError("cursor", FieldErrorCode.INVALID_FORMAT, "Use next_cursor of a page of this list.")
        raise BadInputError("The cursor does not belong to this list.", (field,), code=ErrorCode.CURSOR_INVALID)
    return start[0]
