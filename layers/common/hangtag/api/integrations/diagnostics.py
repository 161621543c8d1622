"""What is wrong with an integration, in words: its credentials, what came of it lately, and whether the PBX answers."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from hangtag.api.integrations.models import DiagnosticCheck, DiagnosticReport
from hangtag.api.integrations.setup import credentials_of, info_of
from hangtag.errors import BadInputError, TooManyError, UnreachableError
from hangtag.providers.base import Check
from hangtag.services.integrations.client import Pbx, in_words, open_pbx, run_check
from hangtag.store.db.listing import Span, by_day
from hangtag.store.integrations import integrations, reconciliation, request_log
from hangtag.store.integrations.integrations import Integration
from hangtag.store.integrations.request_log import ADDRESS, RequestLogEntry
from hangtag.store.office.employees import by_extension

__all__ = ["ask_pbx", "examine", "last_delivery_at"]

# A request may take 30 seconds in all.
ASK_SECONDS = 12.0
# So many extensions that the PBX does not know are named.
NAMED = 10
# How far back the newest call is looked for: each day costs a few reads.
CALLS_BACK = timedelta(days=1)
# How many of the kept deliveries are looked through for one over the old address.
_LATEST = 50


def examine(tenant_id: str, integration: Integration) -> DiagnosticReport:
    """Look at all there is to an integration. Raises botocore's errors, but none for what is wrong with the PBX."""
    credentials = integrations.load_credentials(tenant_id, integration.id)
    kept, _ = request_log.list_entries(tenant_id, integration.id, _LATEST, None)
    findings = [_credentials(integration.provider, credentials), _deliveries(tenant_id, integration, kept)]
    if integration.previous_url_until is not None:
        findings.append(_previous_url(tenant_id, integration, kept))
    findings.append(_extensions(tenant_id, integration.id))
    looked_after = reconciliation.load(tenant_id, integration.id).subscription
    findings += [looked_after] if looked_after is not None else []
    pbx = open_pbx(tenant_id, integration, seconds=ASK_SECONDS)
    answers = ask_pbx(pbx)
    findings += answers
    if all(finding.ok for finding in answers):
        findings += _unmapped(tenant_id, integration.id, pbx)
    return DiagnosticReport(
        ok=all(finding.ok for finding in findings),
        findings=[DiagnosticCheck.model_validate(finding, from_attributes=True) for finding in findings],
    )


def last_delivery_at(tenant_id: str, integration_id: str) -> datetime | None:
    """When something came last, as far as is known: the newest delivery that was kept, or the newest call."""
    kept, _ = request_log.list_entries(tenant_id, integration_id, 1, None)
    times = [datetime.fromisoformat(one.received_at) for one in kept]
    call_at = _newest_call_at(tenant_id, integration_id)
    return max(times + ([call_at] if call_at else []), default=None)


def _credentials(provider: str, credentials: Mapping[str, str]) -> Check:
    info = info_of(provider)
    try:
        credentials_of(info, credentials)
    except BadInputError as error:
        faults = "; ".join(f"{fault.field.removeprefix('credentials.')}: {fault.reason}" for fault in error.fields)
        return Check("credentials", False, f"they are not complete: {faults}")
    absent = [name for name in info.credentials.model_fields if name not in credentials]
    if absent:
        return Check("credentials", True, "enough to receive calls; not entered: " + ", ".join(absent))
    return Check("credentials", True, "complete")


def _deliveries(tenant_id: str, integration: Integration, kept: list[RequestLogEntry]) -> Check:
    call_at = _newest_call_at(tenant_id, integration.id)
    last = kept[0] if kept else None
    if last is None and call_at is None:
        return Check(
            "deliveries", False, "nothing came lately: is webhook_url entered at the PBX, and was there a call?"
        )
    if last is None or (call_at is not None and call_at > datetime.fromisoformat(last.received_at)):
        return Check("deliveries", True, f"the last that is known of came for a call at {_shown(call_at)}")
    came = f"the last that was kept came at {_shown(datetime.fromisoformat(last.received_at))}"
    if last.status >= 400:
        return Check("deliveries", False, f"{came} and was refused with {last.status}: {last.reason}")
    return Check("deliveries", True, f"{came}: {last.reason}")


def _previous_url(tenant_id: str, integration: Integration, kept: list[RequestLogEntry]) -> Check:
    """Whether the PBX was told the new address: the first deliveries over it are kept."""
    until = _shown(datetime.fromisoformat(integration.previous_url_until or ""))
    newest = integrations.current_token_hash(tenant_id, integration.id)[:ADDRESS]
    if any(one.address == newest for one in kept):
        return Check("previous_url", True, f"the new webhook_url is in use; the one before stops at {until}")
    return Check("previous_url", False, f"nothing came over the new webhook_url yet; the one before stops at {until}")


def _extensions(tenant_id: str, integration_id: str) -> Check:
    if by_extension(tenant_id, integration_id):
        return Check("extensions", True, "there are employees with an extension on this PBX")
    return Check("extensions", False, "no employee has an extension on this PBX: its calls leave no tag")


def ask_pbx(pbx: Pbx) -> list[Check]:
    """What the PBX itself says, where it can be asked; in words, also why it was not reached."""
    if not pbx.can("ping"):
        return []
    return [run_check(pbx.ping, "pbx")]


def _unmapped(tenant_id: str, integration_id: str, pbx: Pbx) -> list[Check]:
    """Whether the extensions of our employees are those that the PBX knows, where it can be asked."""
    held = by_extension(tenant_id, integration_id).keys()
    if not pbx.can("extensions") or not held:
        return []
    try:
        known = {one.extension for one in pbx.extensions()}
    except (BadInputError, UnreachableError, TooManyError) as error:
        return [Check("extensions", False, f"the PBX did not tell its extensions: {in_words(error)}")]
    strangers = sorted(held - known)
    if not strangers:
        return [Check("extensions", True, "the PBX knows every extension of our employees")]
    return [Check("extensions", False, "the PBX does not know: " + ", ".join(strangers[:NAMED]))]


def _newest_call_at(tenant_id: str, integration_id: str) -> datetime | None:
    """When the integration's newest call of the last days was over, or began."""
    today = datetime.now(UTC).date()
    span = Span(today - CALLS_BACK, today)
    found, _ = by_day(tenant_id, "CALLS", span, None, 1, lambda body: body.get("integration_id") == integration_id)
    if not found:
        return None
    at = found[0].get("ended_at") or found[0].get("started_at")
    return datetime.fromisoformat(at) if at else None


def _shown(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if moment else "an unknown time"
