"""Ingestion of the events of a webhook request: appending them to their calls, and a summary for the request log.

Shared by the webhook and by the replay of a request log entry. On the webhook's path: modules that only a logged
request needs are imported where they are used.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from hangtag.domain.calls.event import CallEvent
from hangtag.store.calls.events import AppendResult, AppendStatus, Source, append

if TYPE_CHECKING:
    from hangtag.store.integrations.request_log import EventResult


class IngestedEvent(NamedTuple):
    """One event and the result of appending it."""

    event: CallEvent
    joined: AppendResult


def ingest(
    source: Source,
    events: Iterable[CallEvent],
    arrived_at: datetime,
    sweep_after: timedelta,
) -> tuple[IngestedEvent, ...]:
    """Append events to their calls, in order. Raises botocore's errors; repeats are safe."""
    return tuple(IngestedEvent(event, append(source, event, arrived_at, sweep_after)) for event in events)


def warning(results: Sequence[IngestedEvent]) -> str | None:
    """Return the warning about an accepted webhook request for the admin; None without one."""
    if any(one.joined.verdict is AppendStatus.FULL for one in results):
        return "Not stored: the call already has 200 events."
    if any(one.joined.cut for one in results):
        return "The event is over 1 KB. Extra fields or the recording's link were cut."
    return None


def describe(results: Sequence[IngestedEvent]) -> str:
    """Return the outcome of an accepted webhook request, in one sentence."""
    if not results:
        return "Parsed. The request contains no call event."
    if all(one.joined.verdict is AppendStatus.DUPLICATE for one in results):
        return "Duplicate of earlier events. Nothing changed."
    return warning(results) or "Parsed and stored."


def event_results(source: Source, results: Sequence[IngestedEvent]) -> tuple["EventResult", ...]:
    """Return the result of each event, with its call's id in the API."""
    from hangtag.store.calls.items import call_key, public_id
    from hangtag.store.integrations.request_log import EventResult

    def call_id(one: IngestedEvent) -> str:
        place = call_key(source.tenant_id, source.integration_id, one.event.call_id, one.joined.generation)
        return public_id(source.integration_id, place)

    return tuple(
        EventResult(
            str(one.event.kind),
            one.event.extension,
            call_id(one),
            one.joined.verdict.name.lower(),
            one.event.digest(),
        )
        for one in results
    )
