"""What is wrong with an integration, in words: its credentials, what came of it lately, and whether the PBX answers."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from hangtag import outbound
from hangtag.errors import BadInputError, HangtagError, UnreachableError
from hangtag.http.integration_shapes import FindingOut, FindingsOut
from hangtag.http.setup import credentials_of, info_of
from hangtag.providers.base import Finding
from hangtag.providers.registry import pinger
from hangtag.store import deliveries, integrations
from hangtag.store.client import dynamodb, table
from hangtag.store.deliveries import ADDRESS, Delivery
from hangtag.store.integrations import Integration
from hangtag.store.listing import Span, by_day

__all__ = ["ask_pbx", "examine", "last_delivery_at"]

# A request may take 30 seconds in all.
PING_SECONDS = 8.0
PING_BYTES = 64 * 1024
# How far back the newest call is looked for: each day costs a few reads.
CALLS_BACK = timedelta(days=1)
# How many of the kept deliveries are looked through for one over the old address.
_LATEST = 50


def examine(tenant_id: str, integration: Integration) -> FindingsOut:
    """Look at all there is to an integration. Raises botocore's errors, but none for what is wrong with the PBX."""
    credentials = integrations.load_credentials(tenant_id, integration.id)
    kept, _ = deliveries.recent(dynamodb(), table(), tenant_id, integration.id, _LATEST, None)
    findings = [_credentials(integration.provider, credentials), _deliveries(tenant_id, integration, kept)]
    if integration.previous_url_until is not None:
        findings.append(_previous_url(tenant_id, integration, kept))
    findings.append(_extensions(tenant_id, integration.id))
    findings += ask_pbx(integration.provider, credentials)
    return FindingsOut(
        ok=all(finding.ok for finding in findings),
        findings=[FindingOut.model_validate(finding, from_attributes=True) for finding in findings],
    )


def last_delivery_at(tenant_id: str, integration_id: str) -> datetime | None:
    """When something came last, as far as is known: the newest delivery that was kept, or the newest call."""
    kept, _ = deliveries.recent(dynamodb(), table(), tenant_id, integration_id, 1, None)
    times = [datetime.fromisoformat(one.received_at) for one in kept]
    call_at = _newest_call_at(tenant_id, integration_id)
    return max(times + ([call_at] if call_at else []), default=None)


def _credentials(provider: str, credentials: Mapping[str, str]) -> Finding:
    info = info_of(provider)
    try:
        credentials_of(info, credentials)
    except BadInputError as error:
        faults = "; ".join(f"{fault.field.removeprefix('credentials.')}: {fault.reason}" for fault in error.fields)
        return Finding("credentials", False, f"they are not complete: {faults}")
    absent = [name for name in info.credentials.model_fields if name not in credentials]
    if absent:
        return Finding("credentials", True, "enough to receive calls; not entered: " + ", ".join(absent))
    return Finding("credentials", True, "complete")


def _deliveries(tenant_id: str, integration: Integration, kept: list[Delivery]) -> Finding:
    call_at = _newest_call_at(tenant_id, integration.id)
    last = kept[0] if kept else None
    if last is None and call_at is None:
        return Finding(
            "deliveries", False, "nothing came lately: is webhook_url entered at the PBX, and was there a call?"
        )
    if last is None or (call_at is not None and call_at > datetime.fromisoformat(last.received_at)):
        return Finding("deliveries", True, f"the last that is known of came for a call at {_shown(call_at)}")
    came = f"the last that was kept came at {_shown(datetime.fromisoformat(last.received_at))}"
    if last.status >= 400:
        return Finding("deliveries", False, f"{came} and was refused with {last.status}: {last.reason}")
    return Finding("deliveries", True, f"{came}: {last.reason}")


def _previous_url(tenant_id: str, integration: Integration, kept: list[Delivery]) -> Finding:
    """Whether the PBX was told the new address: the first deliveries over it are kept."""
    until = _shown(datetime.fromisoformat(integration.previous_url_until or ""))
    newest = integrations.current_address(tenant_id, integration.id)[:ADDRESS]
    if any(one.address == newest for one in kept):
        return Finding("previous_url", True, f"the new webhook_url is in use; the one before stops at {until}")
    return Finding("previous_url", False, f"nothing came over the new webhook_url yet; the one before stops at {until}")


def _extensions(tenant_id: str, integration_id: str) -> Finding:
    if integrations.has_extensions(tenant_id, integration_id):
        return Finding("extensions", True, "there are employees with an extension on this PBX")
    return Finding("extensions", False, "no employee has an extension on this PBX: its calls leave no tag")


def ask_pbx(provider: str, credentials: Mapping[str, str]) -> list[Finding]:
    """What the PBX itself says, where it can be asked; in words, also why it was not reached."""
    asking = pinger(provider)
    if asking is None:
        return []
    try:
        return [asking.ping(credentials, partial(outbound.send, seconds=PING_SECONDS, max_bytes=PING_BYTES))]
    except (BadInputError, UnreachableError) as error:
        return [Finding("pbx", False, _in_words(error))]


def _in_words(error: HangtagError) -> str:
    """Why a PBX was not reached."""
    causes = list(_causes(error, set()))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "its name does not resolve: is it typed rightly?"
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid (TLS): {cause.verify_message}"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "it makes no secure connection (TLS) at this port"
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return "it did not answer in time"
    if isinstance(error, UnreachableError) and error.__cause__ is not None:
        return "nothing answers there: is the port right, and does a firewall let us through?"
    return error.message


def _causes(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    """An error and all that led to it; libraries hide it as a cause, as a context or as an argument."""
    if id(error) in seen:
        return
    seen.add(id(error))
    yield error
    for other in (error.__cause__, error.__context__, getattr(error, "reason", None), *error.args):
        if isinstance(other, BaseException):
            yield from _causes(other, seen)


def _newest_call_at(tenant_id: str, integration_id: str) -> datetime | None:
    """When the integration's newest call of the last days was over, or began."""
    today = datetime.now(UTC).date()
    span = Span(today - CALLS_BACK, today)
    found, _ = by_day(
        table(), tenant_id, "CALLS", span, None, 1, lambda body: body.get("integration_id") == integration_id
    )
    if not found:
        return None
    at = found[0].get("ended_at") or found[0].get("started_at")
    return datetime.fromisoformat(at) if at else None


def _shown(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if moment else "an unknown time"
