"""Summary of an accepted webhook request for the request log.

Loaded only for a request that is logged: most requests are not.
"""

from collections.abc import Sequence

from hangtag.store.calls.events import AppendedEvent, AppendStatus, Source
from hangtag.store.calls.items import call_key, public_id
from hangtag.store.integrations.request_log import EventResult


def warning(results: Sequence[AppendedEvent]) -> str | None:
    """Return the warning about an accepted webhook request for the admin; None without one."""
    if any(one.result.verdict is AppendStatus.FULL for one in results):
        return "Not stored: the call already has 200 events."
    if any(one.result.cut for one in results):
        return "The event is over 1 KB. Extra fields or the recording's link were cut."
    return None


def describe(results: Sequence[AppendedEvent]) -> str:
    """Return the outcome of an accepted webhook request, in one sentence."""
    if not results:
        return "Parsed. The request contains no call event."
    if all(one.result.verdict is AppendStatus.DUPLICATE for one in results):
        return "Duplicate of earlier events. Nothing changed."
    return warning(results) or "Parsed and stored."


def event_results(source: Source, results: Sequence[AppendedEvent]) -> tuple[EventResult, ...]:
    """Return the result of each event, with its call's id in the API."""

    def call_id(one: AppendedEvent) -> str:
        place = call_key(source.tenant_id, source.integration_id, one.event.call_id, one.result.generation)
        return public_id(source.integration_id, place)

    return tuple(
        EventResult(
            str(one.event.kind),
            one.event.extension,
            call_id(one),
            one.result.verdict.name.lower(),
            one.event.digest(),
        )
        for one in results
    )
