"""Reconciliation with a PBX's call log: adds the parts of calls that webhook requests did not report.

The same job renews the event subscriptions of PBXs that need one (`look_after`).

The call log is read as events of the same fold. They are added only to calls whose record they change, by the same
conditional write as the events of a webhook request; the tracker does the rest.
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
from hangtag.errors import ConflictError, ErrorCode, HangtagError, NotFoundError
from hangtag.providers import load
from hangtag.providers.base import Check
from hangtag.runtime import logger
from hangtag.services.integrations.client import Pbx, in_words, open_pbx, run_check
from hangtag.store.calls import items as calls
from hangtag.store.calls.events import SEAL_AFTER, AppendStatus, Source, append_all
from hangtag.store.calls.items import CallItem
from hangtag.store.db import client, tenant_list
from hangtag.store.db.clock import iso
from hangtag.store.integrations import reconciliation
from hangtag.store.integrations.integrations import Integration, get_integration, list_integrations
from hangtag.store.integrations.reconciliation import Progress, RecoveredCall

__all__ = ["Span", "compare", "lacks", "queue_all", "queue_span", "recover_end", "work"]

# Events of younger calls can still arrive, and some call logs list a call half a minute late.
MARGIN = timedelta(minutes=10)
# Progress calls are compared again for this long, because some PBXs log a call when it ends.
OVERLAP = timedelta(hours=3)
# Once a day the last days are compared, because a PBX can have been unreachable.
WHOLE = timedelta(days=3)
WHOLE_EVERY = timedelta(days=1)
# Maximum period of one comparison, after a long outage.
FARTHEST = timedelta(days=7)
LEASE = timedelta(minutes=20)
ASKING_SECONDS = 240.0
# Tolerances in seconds: PBXs round times, and times known only by arrival are late.
ROUNDING = 1.0
ARRIVING = 3.0
# Time for one call, of the function's 30 seconds: Zadarma needs two requests, 20 seconds apart.
ONE_SECONDS = 24.0
# Period around a call's start, because the PBX's clock can be off.
_AROUND = timedelta(hours=2)
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Span:
    """Period of calls that began from `since` (included) to `until` (excluded), UTC."""

    since: datetime
    until: datetime


# ------------------------------------------------------------------ one call


def lacks(stored: Sequence[CallEvent], logged: Sequence[CallEvent]) -> str | None:
    """Return the part of a call that only the call log has: call, end, answer, recording, details, or None. Pure."""
    before, after = fold(stored), fold((*stored, *logged))
    arrived = any(event.at_is_arrival for event in stored if event.kind is not Kind.RECORDED)
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
    """Return the other facts of a tag; of numbers only their presence, because notations differ."""
    parts = [(leg.extension, leg.outcome, leg.answered) for leg in call.legs]
    facts = (call.direction, bool(call.external), bool(call.line), call.linked_call_id, call.end_unknown)
    return (*facts, parts, dict(call.data))


def _differ(before: Call, after: Call, rounding: float) -> bool:
    """Return True if a time or a duration differs by more than the rounding, in seconds."""
    pairs = [(before.started_at, after.started_at), (before.ended_at, after.ended_at)]
    pairs.append((before.answered_at, after.answered_at))
    if any((one is None) is not (other is None) for one, other in pairs):
        return True
    apart = [abs((one - other).total_seconds()) for one, other in pairs if one and other]
    talked = abs((before.talk_seconds or 0) - (after.talk_seconds or 0))
    return talked > rounding or any(seconds > rounding for seconds in apart)


def _recover(source: Source, call_id: str, logged: Sequence[CallEvent], now: datetime) -> RecoveredCall | None:
    """Add the missing part of a call and return it; None if nothing is missing. Raises botocore's errors."""
    item = calls.read_newest(source.tenant_id, source.integration_id, call_id)
    begun = _begun(logged)
    if item is not None and _is_another(item, begun):
        # The PBX reused the id, and this log entry belongs to the other call.
        return None
    stored = item.events if item is not None else ()
    missing = lacks(stored, logged)
    if missing is None:
        return None
    sweep_after = runtime.settings().sweep_after
    # The events' own time, so that a call of days ago does not look like a reused id.
    ingested = append_all(source, logged, min(begun, now), sweep_after)
    if all(one.result.verdict is not AppendStatus.STORED for one in ingested):
        return None
    place = calls.call_key(source.tenant_id, source.integration_id, call_id, ingested[-1].result.generation)
    recovered = RecoveredCall(calls.public_id(source.integration_id, place), missing, iso(begun), iso(now))
    reconciliation.add_recovered(source.tenant_id, source.integration_id, recovered, place.digest)
    return recovered


def _begun(logged: Iterable[CallEvent]) -> datetime:
    return min(min(event.at, event.started_at or event.at) for event in logged)


def _is_another(item: CallItem, begun: datetime) -> bool:
    stored_start = _begun(item.events) if item.events else begun
    return abs(stored_start - begun) >= SEAL_AFTER


def recover_end(item: CallItem) -> bool:
    """Look up one call's end in the PBX's call log. Return True for new events. Errors of the PBX are logged."""
    if not load(item.provider).supports("history") or not item.events:
        return False
    begun = _begun(item.events)
    try:
        integration = get_integration(item.tenant_id, item.integration_id)
        pbx = open_pbx(item.tenant_id, integration, seconds=ONE_SECONDS)
        history = pbx.history(begun - _AROUND, begun + _AROUND)
        logged = [event for event in history if event.call_id == item.call_id]
    except HangtagError as error:
        logger.info(
            "reconciliation.unsupported",
            extra={"tenant": item.tenant_id, "integration": item.integration_id, "error": type(error).__name__},
        )
        return False
    source = Source(item.tenant_id, item.integration_id, item.provider)
    return bool(logged) and _recover(source, item.call_id, logged, datetime.now(UTC)) is not None


# ------------------------------------------------------------------ one integration


def compare(
    pbx: Pbx, source: Source, span: Span, now: datetime, has_time: Callable[[], bool]
) -> tuple[list[RecoveredCall], datetime]:
    """Compare the calls of a period. Return the recovered calls and the start up to which calls were compared.

    Raises the errors of the PBX's client and botocore's errors.
    """
    logged: dict[str, list[CallEvent]] = defaultdict(list)
    for event in pbx.history(span.since, span.until):
        logged[event.call_id].append(event)
    completed: list[RecoveredCall] = []
    for call_id in sorted(logged, key=lambda one: _begun(logged[one])):
        begun = _begun(logged[call_id])
        if not has_time():
            return completed, max(begun, span.since)
        if begun < now - MARGIN:
            recovered = _recover(source, call_id, logged[call_id], now)
            if recovered is not None:
                completed.append(recovered)
    return completed, span.until


def work(message: Mapping[str, Any], has_time: Callable[[], bool]) -> None:
    """Compare one integration (`tenant`, `integration`; `since` and `until` for a period requested by an admin).

    Raises botocore's errors.
    """
    tenant_id, integration_id = message["tenant"], message["integration"]
    now = datetime.now(UTC)
    try:
        integration = get_integration(tenant_id, integration_id)
        stands = reconciliation.begin(tenant_id, integration_id, now, LEASE)
    except NotFoundError:
        # The integration was deleted in the meantime.
        return
    if stands is None:
        logger.info("reconciliation.locked", extra={"tenant": tenant_id, "integration": integration_id})
        if "since" in message:
            _again(message, 60)
        return
    chosen = "since" in message
    span = _chosen(message) if chosen else _next(stands, integration, now)
    # After an error the next run compares the same period again.
    after, recovered = stands, 0
    try:
        pbx = open_pbx(tenant_id, integration, seconds=ASKING_SECONDS)
        if pbx.can("renew_subscription"):
            stands = after = replace(stands, subscription=_renew_subscription(pbx, tenant_id, integration_id))
        if pbx.can("history"):
            source = Source(tenant_id, integration_id, integration.provider)
            completed, came = compare(pbx, source, span, now, has_time)
            recovered = len(completed)
            after = replace(stands if chosen else _after(stands, came, now), error=None)
            if came < span.until:
                _again({**message, "since": iso(came), "until": iso(span.until)}, 0)
    except NotFoundError:
        # The tenant was erased in the meantime.
        return
    except HangtagError as problem:
        after = replace(stands, error=in_words(problem))
    finally:
        reconciliation.finish(tenant_id, integration_id, replace(after, at=iso(datetime.now(UTC))))
    ok = after.error is None
    logger.info(
        "reconciliation.done",
        extra={"tenant": tenant_id, "integration": integration_id, "recovered": recovered, "ok": ok},
    )


def _renew_subscription(pbx: Pbx, tenant_id: str, integration_id: str) -> Check:
    """Renew the PBX's event subscription and return the result for the admin. Raises botocore's errors."""
    check = run_check(pbx.renew_subscription, "subscription")
    if not check.ok:
        logger.warning("integration.silent", extra={"tenant": tenant_id, "integration": integration_id})
    return check


def _chosen(message: Mapping[str, Any]) -> Span:
    return Span(datetime.fromisoformat(message["since"]), datetime.fromisoformat(message["until"]))


def _next(stands: Progress, integration: Integration, now: datetime) -> Span:
    """Return the next period: the hours since the last comparison; once a day the last days."""
    until = now - MARGIN
    since = datetime.fromisoformat(stands.until) - OVERLAP if stands.until else until - OVERLAP
    if _whole_is_due(stands, now):
        since = min(since, until - WHOLE)
    earliest = max(until - FARTHEST, datetime.fromisoformat(integration.created_at) - MARGIN)
    return Span(min(max(since, earliest), until), until)


def _whole_is_due(stands: Progress, now: datetime) -> bool:
    return stands.whole_at is None or now - datetime.fromisoformat(stands.whole_at) >= WHOLE_EVERY


def _after(stands: Progress, came: datetime, now: datetime) -> Progress:
    """Return the progress after a comparison up to `came`."""
    whole = iso(now) if _whole_is_due(stands, now) else stands.whole_at
    return replace(stands, until=max(iso(came), stands.until or ""), whole_at=whole)


# ------------------------------------------------------------------ all of them


def queue_all(has_time: Callable[[], bool]) -> int:
    """Queue every integration whose PBX has a call log or needs renewal. Return their number.

    Raises botocore's errors.
    """
    sent, before = 0, None
    while has_time():
        tenants = tenant_list.list_ids(_PAGE, before)
        for tenant_id in tenants.items:
            sent += _queue_tenant(tenant_id)
        if tenants.next is None:
            break
        before = tenants.next
    return sent


def _queue_tenant(tenant_id: str) -> int:
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


def queue_span(tenant_id: str, integration: Integration, span: Span) -> None:
    """Queue a period requested by an admin. Raises ConflictError for a PBX without a call log, botocore's errors."""
    if not load(integration.provider).supports("history"):
        raise ConflictError("This PBX has no call log to compare with.", code=ErrorCode.HISTORY_UNSUPPORTED)
    message = {"job": "compare", "tenant": tenant_id, "integration": integration.id}
    _again({**message, "since": iso(span.since), "until": iso(span.until)}, 0)


def _again(message: Mapping[str, Any], seconds: int) -> None:
    client.make("sqs").send_message(
        QueueUrl=runtime.settings().reconciliation_queue_url,
        MessageBody=json.dumps(dict(message)),
        DelaySeconds=seconds,
    )
