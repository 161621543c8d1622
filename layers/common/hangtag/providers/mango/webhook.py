"""Webhook requests of Mango Office: signed forms, posted to paths that Mango appends to the webhook's URL.

Fields, paths and codes follow the vendor's "API Mango Office" 1.9. A call is an `entry_id`, a leg a `call_id`. Events
overtake each other and their clock counts whole seconds; `seq` gives their order. The summary overrides live events.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import ParseResult, PayloadError, SignatureError, VerificationKeys, WebhookRequest
from hangtag.providers.mango.legs import REFERENCE, leg_events
from hangtag.providers.mango.wire import (
    call_outcome,
    closing_events,
    employee,
    event_time,
    number,
    party,
    signature,
    word,
)
from hangtag.providers.reading import form, json_of, moment, need, plausible, same, text, whole

__all__ = ["parse", "verify"]


def verify(request: WebhookRequest, keys: VerificationKeys) -> None:
    """Verify the account's key and the signature of the JSON exactly as sent. Raises SignatureError."""
    fields = form(request)
    key, payload = fields.get("vpbx_api_key", ""), fields.get("json", "")
    is_our_key = same(key, [own for own in keys.credentials.get("vpbx_api_key", ()) if own])
    salts = [salt for salt in keys.credentials.get("vpbx_api_salt", ()) if salt]
    is_signed = same(fields.get("sign", ""), [signature(key, payload, salt) for salt in salts])
    if not (is_our_key and is_signed):
        raise SignatureError(
            "Field vpbx_api_key or sign is missing or wrong. Check that the key and the salt are those of this PBX."
        )


# Neither a call nor the outcome of a click. Statistics are polled, so their notification is not needed.
_IGNORED = ("events/record/tagged", "events/dtmf", "events/sms", "stats/calls/result")


def parse(request: WebhookRequest) -> ParseResult:
    """Return the events of one notification. The path names its kind. Raises PayloadError."""
    path = request.rest.strip("/").removeprefix("vpbx/")
    read_events = _READERS.get(path)
    if read_events is None:
        return ParseResult(unknown=path not in _IGNORED and not path.startswith("result/"))
    payload = json_of(form(request).get("json", ""))
    if not isinstance(payload, dict):
        raise PayloadError("Field json does not contain a JSON object.")
    return ParseResult(tuple(read_events(payload, request.arrived_at)))


_DIRECTIONS = {"0": Direction.INTERNAL, "1": Direction.IN, "2": Direction.OUT}


def _summary_events(payload: Mapping[str, Any], arrived_at: datetime) -> Iterator[CallEvent]:
    """Yield the end of the whole call.

    `entry_result` is 1 also for calls that ended in the menu, so `talk_time` decides. The talk time follows from the
    legs: between the first answer and the end another employee can have been rung.
    """
    ended_at = plausible(moment(text(payload, "end_time")), arrived_at)
    direction = _DIRECTIONS.get(text(payload, "call_direction"))
    answered = (whole(payload, "talk_time") or 0) > 0
    line = number(payload, "line_number") or None
    summary = CallEvent(
        call_id=need(payload, "entry_id"),
        kind=Kind.SUMMARY,
        at=ended_at or arrived_at,
        at_is_arrival=ended_at is None,
        direction=direction,
        external=_external(direction, party(payload, "from"), party(payload, "to")),
        line=None if direction is Direction.INTERNAL else line,
        outcome=call_outcome(answered, text(payload, "disconnect_reason"), direction),
        final=True,
        started_at=plausible(moment(text(payload, "create_time")), arrived_at),
    )
    yield from closing_events(summary, answered, summary.at)


def _external(direction: Direction | None, caller: Mapping[str, Any], called: Mapping[str, Any]) -> str | None:
    """Return the number of the outside party; for an internal call the caller's short number."""
    match direction:
        case Direction.INTERNAL:
            return employee(text(caller, "extension"), caller) or None
        case Direction.OUT:
            return number(called) or None
        case Direction.IN:
            return number(caller)
        case _:
            return None


def _recording_events(payload: Mapping[str, Any], arrived_at: datetime) -> Iterator[CallEvent]:
    """Yield a recording once it is complete and in cloud storage, where it can be downloaded."""
    is_complete = word(payload, "recording_state") == "completed" and text(payload, "completion_code") in ("", "1000")
    if is_complete and word(payload, "recipient") in ("", "cloud", "cloudandmail"):
        yield from _recording_added_events(payload, arrived_at)


def _recording_added_events(payload: Mapping[str, Any], arrived_at: datetime) -> Iterator[CallEvent]:
    """Yield the event of a recording that can be downloaded now."""
    at, at_is_arrival = event_time(payload, arrived_at)
    yield CallEvent(
        call_id=need(payload, "entry_id"),
        kind=Kind.RECORDED,
        at=at,
        at_is_arrival=at_is_arrival,
        recording=need(payload, "recording_id"),
    )


def _click_result_events(payload: Mapping[str, Any], arrived_at: datetime) -> Iterator[CallEvent]:
    """Yield a failed call for a click that Mango rejected: Mango has no call of it, so the reference is its id."""
    command, result = text(payload, "command_id"), text(payload, "result")
    if not REFERENCE.fullmatch(command) or not result or result.startswith("1"):
        return
    yield CallEvent(
        call_id=command,
        kind=Kind.ENDED,
        at=arrived_at,
        at_is_arrival=True,
        direction=Direction.OUT,
        outcome=Outcome.NOT_ALLOWED if result.startswith("2") else Outcome.FAILED,
        talk_seconds=0,
        final=True,
        reference=command,
    )


_READERS: Mapping[str, Callable[[Mapping[str, Any], datetime], Iterator[CallEvent]]] = {
    "events/call": leg_events,
    "events/summary": _summary_events,
    "events/recording": _recording_events,
    "events/record/added": _recording_added_events,
    "result/callback": _click_result_events,
}
