"""A kept delivery is run again: harmless where it was understood before, a second chance where it was not.

It is read with the parser of today and as of its own arrival, so that the events of a delivery that was taken in
before have the digests they had, and change nothing; any other is left out. It is not verified again: its secrets
were masked when it was kept. Whoever may replay is an admin, who sees what it says. The PBX gets no answer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hangtag.domain.calls.event import CallEvent
from hangtag.providers import load
from hangtag.providers.base import WebhookRejectedError, WebhookRequest
from hangtag.services.webhooks import ingest
from hangtag.store.calls.events import Source
from hangtag.store.integrations.request_log import MASK, UNREADABLE, EventResult, RequestLogEntry

if TYPE_CHECKING:
    pass

_CUT = "only its beginning was kept, so it can't be run again; the PBX has to send it once more"
_MASKED = (
    "a part of it was masked as a secret, or is no text, so it can't be run again; the PBX has to send it once more"
)
_OTHER = "it would be read as something else than when it was taken in, so it was left out"


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it, and why in words. `events` as of any delivery; some may have been left out."""

    understood: bool
    reason: str
    events: tuple[EventResult, ...] = ()


def replay(
    source: Source,
    settings: Mapping[str, Any],
    delivery: RequestLogEntry,
    sweep_after: timedelta,
) -> Replayed:
    """Run a delivery of this integration again; `settings` are its own. Raises botocore's errors.

    Calling again is safe.
    """
    if delivery.truncated:
        return Replayed(False, _CUT)
    request = _request(delivery)
    try:
        result = load(source.provider).parse(request, settings)
    except WebhookRejectedError as refused:
        return Replayed(False, refused.reason)
    left_out = [event for event in result.events if _is_masked(event) or _is_other(event, delivery)]
    whole = [event for event in result.events if event not in left_out]
    taken = ingest.ingest(source, whole, request.arrived_at, sweep_after)
    told = tuple(EventResult(str(one.kind), one.extension, None, "left_out", one.digest()) for one in left_out)
    return Replayed(
        understood=not left_out,
        reason=_why(left_out) if left_out else ingest.describe(taken),
        events=ingest.event_results(source, taken) + told,
    )


def _why(left_out: list[CallEvent]) -> str:
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
    """Whether an event holds what was not kept as it came: it would be another event than the PBX meant."""
    return any(MASK in text or UNREADABLE in text for text in _texts(event))


def _is_other(event: CallEvent, delivery: RequestLogEntry) -> bool:
    """Whether a delivery that was taken in did not say this then: a mask may have swallowed what stood beside it."""
    return bool(delivery.events) and event.digest() not in {led.digest for led in delivery.events}


def _texts(event: CallEvent) -> Iterator[str]:
    yield from (event.call_id, event.leg)
    others = (event.external, event.line, event.extension, event.recording, event.linked_call_id, event.event_id)
    yield from (text for text in others if text is not None)
    for name, value in event.data.items():
        yield from (name, value)
