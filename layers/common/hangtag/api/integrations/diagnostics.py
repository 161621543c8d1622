"""Diagnostics of an integration: credentials, webhook requests, extensions, subscription and the PBX's API."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from hangtag.api.integrations.models import DiagnosticCheck, DiagnosticReport
from hangtag.api.integrations.setup import credentials_of, info_of
from hangtag.api.kernel.enums import DiagnosticName
from hangtag.errors import BadInputError, TooManyError, UnreachableError
from hangtag.providers.base import Check
from hangtag.services.integrations.client import Pbx, in_words, open_pbx, run_check
from hangtag.store.db.listing import Span, by_day
from hangtag.store.integrations import integrations, reconciliation, request_log
from hangtag.store.integrations.integrations import Integration
from hangtag.store.integrations.request_log import ADDRESS, RequestLogEntry
from hangtag.store.office.employees import by_extension

__all__ = ["check_of", "check_pbx", "examine", "last_webhook_at"]

# A request has 30 seconds in total.
ASK_SECONDS = 12.0
# Maximum number of extensions in one sentence.
MAX_NAMED = 10
# Each day costs a few reads.
CALLS_BACK = timedelta(days=1)
# Log entries that are searched for a request to the new webhook URL.
MAX_ENTRIES = 50


def check_of(check: Check) -> DiagnosticCheck:
    """Return a check as the API's model."""
    return DiagnosticCheck(check=DiagnosticName(check.what), ok=check.ok, detail=check.detail)


def examine(tenant_id: str, integration: Integration) -> DiagnosticReport:
    """Run all checks of an integration. Problems at the PBX are failed checks. Raises botocore's errors."""
    credentials = integrations.load_credentials(tenant_id, integration.id)
    entries, _ = request_log.list_entries(tenant_id, integration.id, MAX_ENTRIES, None)
    checks = [_credentials(integration.provider, credentials), _webhook_requests(tenant_id, integration, entries)]
    if integration.previous_url_until is not None:
        checks.append(_previous_url(tenant_id, integration, entries))
    checks.append(_extensions(tenant_id, integration.id))
    renewed = reconciliation.load(tenant_id, integration.id).subscription
    checks += [renewed] if renewed is not None else []
    pbx = open_pbx(tenant_id, integration, seconds=ASK_SECONDS)
    responses = check_pbx(pbx)
    checks += responses
    if all(check.ok for check in responses):
        checks += _unmapped(tenant_id, integration.id, pbx)
    return DiagnosticReport(ok=all(check.ok for check in checks), checks=[check_of(check) for check in checks])


def last_webhook_at(tenant_id: str, integration_id: str) -> datetime | None:
    """Return the time of the latest known webhook request: the newest log entry or the newest call."""
    entries, _ = request_log.list_entries(tenant_id, integration_id, 1, None)
    times = [datetime.fromisoformat(one.received_at) for one in entries]
    call_at = _newest_call_at(tenant_id, integration_id)
    return max(times + ([call_at] if call_at else []), default=None)


def _credentials(provider: str, credentials: Mapping[str, str]) -> Check:
    info = info_of(provider)
    try:
        credentials_of(info, credentials)
    except BadInputError as error:
        reasons = " ".join(f"{field.field.removeprefix('credentials.')}: {field.reason}" for field in error.fields)
        return Check("credentials", False, f"The credentials are incomplete or not valid. {reasons}")
    absent = [name for name in info.credentials.model_fields if name not in credentials]
    if absent:
        return Check("credentials", True, f"Enough to receive calls. Not entered: {', '.join(absent)}.")
    return Check("credentials", True, "All credentials are entered.")


def _webhook_requests(tenant_id: str, integration: Integration, entries: list[RequestLogEntry]) -> Check:
    call_at = _newest_call_at(tenant_id, integration.id)
    last = entries[0] if entries else None
    if last is None and call_at is None:
        detail = "No webhook request arrived recently. Check that webhook_url is entered at the PBX, then make a call."
        return Check("webhook_requests", False, detail)
    if last is None or (call_at is not None and call_at > datetime.fromisoformat(last.received_at)):
        return Check("webhook_requests", True, f"The latest request was for a call at {_text(call_at)}.")
    arrival = f"The latest logged request arrived at {_text(datetime.fromisoformat(last.received_at))}"
    if last.status >= 400:
        return Check("webhook_requests", False, f"{arrival} and was rejected with HTTP {last.status}: {last.reason}")
    return Check("webhook_requests", True, f"{arrival}: {last.reason}")


def _previous_url(tenant_id: str, integration: Integration, entries: list[RequestLogEntry]) -> Check:
    """Check that the PBX uses the new webhook URL, whose first requests are logged."""
    until = _text(datetime.fromisoformat(integration.previous_url_until or ""))
    newest = integrations.current_token_hash(tenant_id, integration.id)[:ADDRESS]
    if any(one.address == newest for one in entries):
        return Check("previous_url", True, f"The PBX uses the new webhook_url. The previous one ends at {until}.")
    detail = f"No request arrived at the new webhook_url yet. The previous one ends at {until}."
    return Check("previous_url", False, detail)


def _extensions(tenant_id: str, integration_id: str) -> Check:
    if by_extension(tenant_id, integration_id):
        return Check("extensions", True, "At least one employee has an extension at this PBX.")
    detail = "No employee has an extension at this PBX, so its calls are not tagged. Add extensions to employees."
    return Check("extensions", False, detail)


def check_pbx(pbx: Pbx) -> list[Check]:
    """Return the result of the PBX's connection test; empty for a PBX without one."""
    if not pbx.can("ping"):
        return []
    return [run_check(pbx.ping, "pbx")]


def _unmapped(tenant_id: str, integration_id: str, pbx: Pbx) -> list[Check]:
    """Check that the employees' extensions exist at the PBX; empty for a PBX that does not list extensions."""
    mapped = by_extension(tenant_id, integration_id).keys()
    if not pbx.can("extensions") or not mapped:
        return []
    try:
        existing = {one.extension for one in pbx.extensions()}
    except (BadInputError, UnreachableError, TooManyError) as error:
        return [Check("extensions", False, f"The PBX did not list its extensions: {in_words(error)}")]
    missing = sorted(mapped - existing)
    if not missing:
        return [Check("extensions", True, "All extensions of employees exist at the PBX.")]
    return [Check("extensions", False, f"Extensions that do not exist at the PBX: {', '.join(missing[:MAX_NAMED])}.")]


def _newest_call_at(tenant_id: str, integration_id: str) -> datetime | None:
    """Return the end of the integration's newest call of the last two days, or its start."""
    today = datetime.now(UTC).date()
    span = Span(today - CALLS_BACK, today)
    calls, _ = by_day(tenant_id, "CALLS", span, None, 1, lambda body: body.get("integration_id") == integration_id)
    if not calls:
        return None
    at = calls[0].get("ended_at") or calls[0].get("started_at")
    return datetime.fromisoformat(at) if at else None


def _text(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if moment else "an unknown time"
