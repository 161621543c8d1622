"""Reconciliation: comparison of a PBX's call log with the stored calls, and recovery of events that webhooks lost.

The job also renews webhook subscriptions that a PBX would let expire (`renew_subscription`).

The call log's rows are events of the same fold, so nothing is duplicated: they are added only to calls that they would
change, by the same conditional write as a webhook's events, and the tracker does the rest.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hangtag import runtime
from hangtag.domain.calls.event import CallEvent, Kind
from hangtag.domain.calls.fold import Call, fold
from hangtag.errors import ConflictError, HangtagError, NotFoundError
from hangtag.observability import logger
from hangtag.providers import load
from hangtag.providers.base import Check
from hangtag.services.integrations.client import Pbx, in_words, open_pbx, run_check
from hangtag.services.webhooks.ingest import ingest
from hangtag.store.calls import items as calls
from hangtag.store.calls.events import SEAL_AFTER, AppendStatus, Source
from hangtag.store.calls.items import CallItem
from hangtag.store.db import client, tenant_list
from hangtag.store.db.clock import iso
from hangtag.store.integrations import reconciliation
from hangtag.store.integrations.integrations import Integration, get_integration, list_integrations
from hangtag.store.integrations.reconciliation import Progress, RecoveredCall

__all__ = ["Span", "ask_all", "ask_for", "compare", "lacks", "tell_one", "work"]

# Events of younger calls can still be on their way, and some call logs list a call half a minute late.
MARGIN = timedelta(minutes=10)
# Overlap with the last comparison: some PBXs log calls only when they have ended.
OVERLAP = timedelta(hours=3)
# Once a day the last days are compared, because the PBX can have been unreachable.
WHOLE = timedelta(days=3)
WHOLE_EVERY = timedelta(days=1)
# Longest period of one comparison, after a PBX was unreachable for longer.
FARTHEST = timedelta(days=7)
LEASE = timedelta(minutes=20)
ASKING_SECONDS = 240.0
# Tolerance in seconds: PBXs round times, and an arrival is slightly later than the event.
ROUNDING = 1.0
ARRIVING = 3.0
# Time for one call, of the function's 30 seconds: Zadarma needs two requests, 20 seconds apart.
ONE_SECONDS = 24.0
# Margin around a call's start: the PBX's clock can be wrong.
_AROUND = timedelta(hours=2)
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Span:
    """Period of calls that began from `since` (included) to `until` (excluded), UTC."""

    since: datetime
    until: datetime


# ------------------------------------------------------------------ one call


def lacks(known: Sequence[CallEvent], told: Sequence[CallEvent]) -> str | None:
    """Return the part of a call that only the call log has: call, end, answer, recording or details; or None. Pure."""
    before, after = fold(known), fold((*known, *told))
    arrived = any(event.at_is_arrival for event in known if event.kind is not Kind.RECORDED)
    rounding = ARRIVING if arrived else ROUNDING
    kinds = (
        ("call", not before.legs and bool(after.legs)),
        ("end", not before.closed and after.closed),
        ("answer", (before.outcome, before.answered_by) != (after.outcome, after.answered_by)),
        ("recording", {one.id for one in before.recordings} != {one.id for one in after.recordings}),
        ("details", _details(before) != _details(after) or _differ(before, after, rounding)),
    )
    return next((kind for kind, so in kinds if so), None)


def _details(call: Call) -> tuple[Any, ...]:
    """Return the other values of a tag; for numbers only their presence, because their formats differ."""
    parts = [(leg.extension, leg.outcome, leg.answered) for leg in call.legs]
    known = (call.direction, bool(call.external), bool(call.line), call.linked_call_id, call.end_unknown)
    return (*known, parts, dict(call.data))


def _differ(before: Call, after: Call, rounding: float) -> bool:
    """Return True if a time or a duration differs by more than the rounding."""
    pairs = [(before.started_at, after.started_at), (before.ended_at, after.ended_at)]
    pairs.append((before.answered_at, after.answered_at))
    if any((one is None) is not (other is None) for one, other in pairs):
        return True
    apart = [abs((one - other).total_seconds()) for one, other in pairs if one and other]
    talked = abs((before.talk_seconds or 0) - (after.talk_seconds or 0))
    return talked > rounding or any(seconds > rounding for seconds in apart)


def _recover(source: Source, call_id: str, told: Sequence[CallEvent], now: datetime) -> RecoveredCall | None:
    """Add the missing events to a call. Return the recovered call; None if complete. Raises botocore's errors."""
    item = calls.read_newest(source.tenant_id, source.integration_id, call_id)
    begun = _begun(told)
    if item is not None and _is_another(item, begun):
        # The PBX reused the id, and the call log contains the other call.
        return None
    known = item.events if item is not None else ()
    missing = lacks(known, told)
    if missing is None:
        return None
    sweep_after = runtime.settings().sweep_after
    # Ingested with the time of the call: otherwise a call of days ago would look like a reused id.
    taken = ingest(source, told, min(begun, now), sweep_after)
    if all(one.joined.verdict is not AppendStatus.STORED for one in taken):
        return None
    place = calls.call_key(source.tenant_id, source.integration_id, call_id, taken[-1].joined.generation)
    found = RecoveredCall(calls.public_id(source.integration_id, place), missing, iso(begun), iso(now))
    reconciliation.add_recovered(source.tenant_id, source.integration_id, found, place.digest)
    return found


def _begun(told: Iterable[CallEvent]) -> datetime:
    return min(min(event.at, event.started_at or event.at) for event in told)


def _is_another(item: CallItem, begun: datetime) -> bool:
    known = _begun(item.events) if item.events else begun
    return abs(known - begun) >= SEAL_AFTER


def tell_one(item: CallItem) -> bool:
    """Request one call from the PBX's call log. Return True if it added events. PBX errors are logged, not raised."""
    if not load(item.provider).supports("history") or not item.events:
        return False
    begun = _begun(item.events)
    try:
        integration = get_integration(item.tenant_id, item.integration_id)
        pbx = open_pbx(item.tenant_id, integration, seconds=ONE_SECONDS)
        history = pbx.history(begun - _AROUND, begun + _AROUND)
        told = [event for event in history if event.call_id == item.call_id]
    except HangtagError as error:
        logger.info(
            "reconciliation.unsupported",
            extra={"tenant": item.tenant_id, "integration": item.integration_id, "error": type(error).__name__},
        )
        return False
    source = Source(item.tenant_id, item.integration_id, item.provider)
    return bool(told) and _recover(source, item.call_id, told, datetime.now(UTC)) is not None


# ------------------------------------------------------------------ one integration


def compare(
    pbx: Pbx, source: Source, span: Span, now: datetime, has_time: Callable[[], bool]
) -> tuple[list[RecoveredCall], datetime]:
    """Compare the calls of a period. Return the recovered calls, and the start up to which the comparison came.

    Raises the PBX client's errors, and botocore's errors.
    """
    told: dict[str, list[CallEvent]] = defaultdict(list)
    for event in pbx.history(span.since, span.until):
        told[event.call_id].append(event)
    found: list[RecoveredCall] = []
    for call_id in sorted(told, key=lambda one: _begun(told[one])):
        begun = _begun(told[call_id])
        if not has_time():
            return found, max(begun, span.since)
        if begun < now - MARGIN:
            recovered = _recover(source, call_id, told[call_id], now)
            if recovered is not None:
                found.append(recovered)
    return found, span.until


def work(message: Mapping[str, Any], has_time: Callable[[], bool]) -> None:
    """Reconcile one integration (`tenant`, `integration`; `since` and `until` if an admin chose them).

    Raises botocore's errors.
    """
    tenant_id, integration_id = message["tenant"], message["integration"]
    now = datetime.now(UTC)
    try:
        integration = get_integration(tenant_id, integration_id)
        stands = reconciliation.begin(tenant_id, integration_id, now, LEASE)
    except NotFoundError:
        # Disconnected or erased in the meantime.
        return
    if stands is None:
        logger.info("reconciliation.locked", extra={"tenant": tenant_id, "integration": integration_id})
        if "since" in message:
            _again(message, 60)
        return
    chosen = "since" in message
    span = _chosen(message) if chosen else _next(stands, integration, now)
    # A failed run stores no progress: the next run repeats it.
    after, recovered = stands, 0
    try:
        pbx = open_pbx(tenant_id, integration, seconds=ASKING_SECONDS)
        if pbx.can("renew_subscription"):
            stands = after = replace(stands, subscription=_looked_after(pbx, tenant_id, integration_id))
        if pbx.can("history"):
            source = Source(tenant_id, integration_id, integration.provider)
            found, came = compare(pbx, source, span, now, has_time)
            recovered = len(found)
            after = replace(stands if chosen else _after(stands, came, now), error=None)
            if came < span.until:
                _again({**message, "since": iso(came), "until": iso(span.until)}, 0)
    except NotFoundError:
        # Erased in the meantime.
        return
    except HangtagError as problem:
        after = replace(stands, error=in_words(problem))
    finally:
        reconciliation.finish(tenant_id, integration_id, replace(after, at=iso(datetime.now(UTC))))
    logger.info(
        "reconciliation.done",
        extra={
            "tenant": tenant_id,
            "integration": integration_id,
            "recovered": recovered,
            "ok": after.error is None,
        },
    )


def _looked_after(pbx: Pbx, tenant_id: str, integration_id: str) -> Check:
    """Renew the PBX's webhook subscription. Return the result for the admin. Raises botocore's errors."""
    found = run_check(pbx.renew_subscription, "look_after")
    if not found.ok:
        logger.warning("integration.silent", extra={"tenant": tenant_id, "integration": integration_id})
    return found


def _chosen(message: Mapping[str, Any]) -> Span:
    return Span(datetime.fromisoformat(message["since"]), datetime.fromisoformat(message["until"]))


def _next(stands: Progress, integration: Integration, now: datetime) -> Span:
    """Return the period to compare now: the hours since the last comparison; once a day the last days."""
    until = now - MARGIN
    since = datetime.fromisoformat(stands.until) - OVERLAP if stands.until else until - OVERLAP
    if _whole_is_due(stands, now):
        since = min(since, until - WHOLE)
    earliest = max(until - FARTHEST, datetime.fromisoformat(integration.created_at) - MARGIN)
    return Span(min(max(since, earliest), until), until)


def _whole_is_due(stands: Progress, now: datetime) -> bool:
    return stands.whole_at is None or now - datetime.fromisoformat(stands.whole_at) >= WHOLE_EVERY


def _after(stands: Progress, came: datetime, now: datetime) -> Progress:
    """Return the progress after a comparison that came up to a start."""
    whole = iso(now) if _whole_is_due(stands, now) else stands.whole_at
    return replace(stands, until=max(iso(came), stands.until or ""), whole_at=whole)


# ------------------------------------------------------------------ all of them


def ask_all(has_time: Callable[[], bool]) -> int:
    """Queue every integration with a call log or a subscription to renew. Return their number.

    Raises botocore's errors.
    """
    sent, before = 0, None
    while has_time():
        tenants = tenant_list.list_ids(_PAGE, before)
        for tenant_id in tenants.items:
            sent += _ask(tenant_id)
        if tenants.next is None:
            break
        before = tenants.next
    return sent


def _ask(tenant_id: str) -> int:
    sent, after = 0, None
    while True:
        page = list_integrations(tenant_id, _PAGE, after)
        for one in page.items:
            if _needs_reconciliation(one.provider):
                _again({"job": "compare", "tenant": tenant_id, "integration": one.id}, 0)
                sent += 1
        if page.next is None:
            return sent
        after = page.next


def _needs_reconciliation(key: str) -> bool:
    try:
        provider = load(key)
    except KeyError:
        return False
    return provider.supports("history") or provider.supports("renew_subscription")


def ask_for(tenant_id: str, integration: Integration, span: Span) -> None:
    """Queue the comparison of a period. Raises ConflictError without a call log, and botocore's errors."""
    if not load(integration.provider).supports("history"):
        raise ConflictError("This PBX does not provide a call log.")
    message = {"job": "compare", "tenant": tenant_id, "integration": integration.id}
    _again({**message, "since": iso(span.since), "until": iso(span.until)}, 0)


def _again(message: Mapping[str, Any], seconds: int) -> None:
    client.make("sqs").send_message(
        QueueUrl=runtime.settings().reconciliation_queue_url,
        MessageBody=json.dumps(dict(message)),
        DelaySeconds=seconds,
    )
