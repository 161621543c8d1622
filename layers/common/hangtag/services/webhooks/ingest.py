"""What becomes of the events of a delivery: each joins its call, and it is told in words what that came to.

Shared by the webhook and by the replay of a kept delivery. On the webhook's path: what is needed only for a delivery
that is kept is imported there.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from hangtag.domain.calls.event import CallEvent
from hangtag.store.calls.events import AppendResult, AppendStatus, Source, append

if TYPE_CHECKING:
    from hangtag.store.integrations.request_log import EventResult


class IngestedEvent(NamedTuple):
    """One event, and where it went."""

    event: CallEvent
    joined: AppendResult


def ingest(
    source: Source,
    events: Iterable[CallEvent],
    arrived_at: datetime,
    sweep_after: timedelta,
) -> tuple[IngestedEvent, ...]:
    """Add events to their calls, in order. Raises botocore's errors; calling again is safe."""
    return tuple(IngestedEvent(event, append(source, event, arrived_at, sweep_after)) for event in events)


def warning(taken: Sequence[IngestedEvent]) -> str | None:
    """What the admin should know of an accepted delivery; None if all is well."""
    if any(one.joined.verdict is AppendStatus.FULL for one in taken):
        return "the call has its 200 events already"
    if any(one.joined.cut for one in taken):
        return "over 1 KB: extra fields or the recording's link were cut"
    return None


def describe(taken: Sequence[IngestedEvent]) -> str:
    """What an accepted delivery led to, in words."""
    if not taken:
        return "understood; it brought no event of a call"
    if all(one.joined.verdict is AppendStatus.DUPLICATE for one in taken):
        return "a double of what came before; nothing changed"
    return warning(taken) or "understood and stored"


def event_results(source: Source, taken: Sequence[IngestedEvent]) -> tuple["EventResult", ...]:
    """The same for each event, with its call's id in the API."""
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
        for one in taken
    )
