"""Records of Binotel's completed calls, which webhook and history share."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import PayloadError
from hangtag.providers.reading import moment, need, outcome_of, plausible, text, whole

__all__ = ["CALL_ID", "DIRECTIONS", "FIELD_LIMITS", "completed_events", "is_unfinished", "outcome_of_disposition"]

CALL_ID = "generalCallID"
# Maximum characters per field.
FIELD_LIMITS = {CALL_ID: 64, "externalNumber": 64, "internalNumber": 32, "pbxNumber": 64}
DIRECTIONS = {"0": Direction.IN, "1": Direction.OUT}
# recordingStatus of a call without a recording.
_NOT_RECORDED = ("", "0", "none", "no", "false", "disabled")


def completed_events(details: Mapping[str, Any], arrived_at: datetime | None) -> tuple[CallEvent, ...]:
    """Return the events of a completed call. `arrived_at` is None for a row of the history. Raises PayloadError."""
    call_id = need(details, CALL_ID, FIELD_LIMITS[CALL_ID])
    disposition = text(details, "disposition")
    if is_unfinished(disposition):
        return ()
    direction = DIRECTIONS.get(text(details, "callType"))
    outcome = outcome_of_disposition(disposition, direction)
    talk_seconds = (whole(details, "billsec") or 0) if outcome is Outcome.SUCCESS else 0
    started_at = moment(text(details, "startTime"))
    if arrived_at is not None:
        started_at = plausible(started_at, arrived_at)
    at = arrived_at
    if started_at is not None:
        at = started_at + timedelta(seconds=(whole(details, "waitsec") or 0) + talk_seconds)
    if at is None:
        raise PayloadError("Field startTime is missing or not a time.")
    extension = text(details, "internalNumber", FIELD_LIMITS["internalNumber"]) or None
    line = details.get("pbxNumberData")
    end = CallEvent(
        call_id=call_id,
        kind=Kind.ENDED,
        at=at,
        at_is_arrival=started_at is None,
        leg=extension or "",
        direction=direction,
        external=text(details, "externalNumber", FIELD_LIMITS["externalNumber"]),
        line=(text(line, "number", FIELD_LIMITS["pbxNumber"]) or None) if isinstance(line, dict) else None,
        extension=extension,
        outcome=outcome,
        talk_seconds=talk_seconds,
        # Recordings are requested by the call's id.
        recording=None if text(details, "recordingStatus").lower() in _NOT_RECORDED else call_id,
        final=True,
        started_at=started_at,
    )
    return (*_unanswered_legs(details.get("historyData"), end), end)


# A message is not a call: the history lists both.
_UNFINISHED = ("ONLINE", "CALLING", "SMS-SENDING", "SMS-SUCCESS", "SMS-FAILED")


def is_unfinished(disposition: str) -> bool:
    """Return True for a call in progress and for a text message."""
    return disposition.upper() in _UNFINISHED


_OUTCOMES = {
    "ANSWER": Outcome.SUCCESS,
    "TRANSFER": Outcome.SUCCESS,
    "BUSY": Outcome.BUSY,
    "NOANSWER": Outcome.NO_ANSWER,
    "CANCEL": Outcome.CANCELLED,
    "CHANUNAVAIL": Outcome.UNAVAILABLE,
    "VM": Outcome.NO_ANSWER,
    "VM-SUCCESS": Outcome.NO_ANSWER,
}


def outcome_of_disposition(disposition: str, direction: Direction | None) -> Outcome | None:
    """Map a disposition to an Outcome; None if it is empty. An incoming call without an answer is missed."""
    return outcome_of(_OUTCOMES, disposition.upper(), direction)


def _unanswered_legs(history_data: Any, end: CallEvent) -> Iterator[CallEvent]:
    """Yield the phones that rang without an answer: a missed call has no other record of them."""
    rows = history_data.values() if isinstance(history_data, dict) else history_data
    if end.direction is not Direction.IN or not isinstance(rows, Iterable) or isinstance(rows, str):
        return
    outcome = Outcome.CANCELLED if end.outcome is Outcome.SUCCESS else Outcome.MISSED
    numbers = [text(row, "internalNumber", FIELD_LIMITS["internalNumber"]) for row in rows if isinstance(row, dict)]
    for extension in dict.fromkeys(numbers):
        if extension and extension != end.extension:
            yield replace(
                end, leg=extension, extension=extension, outcome=outcome, talk_seconds=0, recording=None, final=False
            )
