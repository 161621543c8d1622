"""Replay of a request log entry: harmless if the request was ingested before, a second chance if it was not.

The current parser reads the request, with the original time of arrival. Events that were ingested before have the
same digests and change nothing; other events of an ingested request are left out. The signature is not verified again,
because the secrets were masked when the request was logged. Only admins can replay. The PBX receives no response.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hangtag.domain.calls.event import CallEvent
from hangtag.providers import load
from hangtag.providers.base import WebhookRejectedError, WebhookRequest
from hangtag.services.webhooks import summary
from hangtag.store.calls.events import Source, append_all
from hangtag.store.integrations.request_log import MASK, UNREADABLE, EventResult, RequestLogEntry

if TYPE_CHECKING:
    pass

_CUT = "The log entry is truncated and cannot be replayed. The PBX has to send the request again."
_MASKED = (
    "A part of the request was masked as a secret or is not text, so it cannot be replayed."
    " The PBX has to send the request again."
)
_OTHER = "The request would be read differently than when it was ingested, so the event was left out."


@dataclass(frozen=True, slots=True)
class Replayed:
    """Result of a replay and its reason, one sentence. `events` are results like those of any request."""

    understood: bool
    reason: str
    events: tuple[EventResult, ...] = ()


def replay(
    source: Source,
    settings: Mapping[str, Any],
    delivery: RequestLogEntry,
    sweep_after: timedelta,
) -> Replayed:
    """Replay a request log entry of this integration with its `settings`. Raises botocore's errors.

    Repeats are safe.
    """
    if delivery.truncated:
        return Replayed(False, _CUT)
    request = _request(delivery)
    try:
        result = load(source.provider).parse(request, settings)
    except WebhookRejectedError as rejection:
        return Replayed(False, rejection.reason)
    left_out = [event for event in result.events if _is_masked(event) or _is_other(event, delivery)]
    whole = [event for event in result.events if event not in left_out]
    results = append_all(source, whole, request.arrived_at, sweep_after)
    skipped = tuple(EventResult(str(one.kind), one.extension, None, "left_out", one.digest()) for one in left_out)
    return Replayed(
        understood=not left_out,
        reason=_reason(left_out) if left_out else summary.describe(results),
        events=summary.event_results(source, results) + skipped,
    )


def _reason(left_out: list[CallEvent]) -> str:
    return _MASKED if any(_is_masked(event) for event in left_out) else _OTHER


def _request(delivery: RequestLogEntry) -> WebhookRequest:
    return WebhookRequest(
        method=delivery.method,
        path=delivery.path,
        query=delivery.query,
        headers=delivery.headers,
        body=delivery.body.encode(),
        arrived_at=datetime.fromisoformat(delivery.received_at),
        rest=delivery.path.partition("***")[2].strip("/"),
    )


def _is_masked(event: CallEvent) -> bool:
    """Return True if an event contains a masked or unreadable part and therefore differs from the PBX's event."""
    return any(MASK in text or UNREADABLE in text for text in _texts(event))


def _is_other(event: CallEvent, delivery: RequestLogEntry) -> bool:
    """Return True if an ingested request did not have this event: a mask can have hidden a neighbouring value."""
    return bool(delivery.events) and event.digest() not in {stored.digest for stored in delivery.events}


def _texts(event: CallEvent) -> Iterator[str]:
    yield from (event.call_id, event.leg)
    others = (event.external, event.line, event.extension, event.recording, event.linked_call_id, event.event_id)
    yield from (text for text in others if text is not None)
    for name, value in event.data.items():
        yield from (name, value)
