"""Integration with its activity, as several operations return it."""

from hangtag.api.integrations import diagnostics
from hangtag.api.integrations.models import DiagnosticCheck, IntegrationDetail, ReconciliationProgress
from hangtag.providers import load
from hangtag.store.integrations import reconciliation
from hangtag.store.integrations.integrations import Integration

__all__ = ["detail", "progress_of"]


def detail(tenant_id: str, integration: Integration) -> IntegrationDetail:
    """Return an integration with its last webhook request, reconciliation and subscription.

    It costs three reads, and more for a quiet integration, whose latest call is looked up in the calls of two days.
    """
    progress = reconciliation.load(tenant_id, integration.id)
    return IntegrationDetail.model_validate(
        {
            **integration.to_json(),
            "last_webhook_at": diagnostics.last_webhook_at(tenant_id, integration.id),
            "reconciliation": progress_of(progress) if load(integration.provider).supports("history") else None,
            "subscription": _subscription(progress),
        }
    )


def progress_of(progress: reconciliation.Progress) -> ReconciliationProgress:
    """Return the progress of a reconciliation."""
    return ReconciliationProgress.model_validate(
        {"reconciled_until": progress.until, "last_run_at": progress.at, "error": progress.error}
    )


def _subscription(progress: reconciliation.Progress) -> DiagnosticCheck | None:
    renewed = progress.subscription
    return diagnostics.check_of(renewed) if renewed is not None else None
