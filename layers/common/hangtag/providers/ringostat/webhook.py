"""Webhook requests of Ringostat, one per moment of a call.

The moments of a call, the API's paths and the call log's field names follow the vendor's help (help.ringostat.com,
articles 6313229, 6559993, 6312685, 6312678 and 6313081); the fields' contents follow published clients.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import ParseResult, WebhookRequest
from hangtag.providers.reading import (
    form,
    is_json,
    json_object,
    moment,
    need,
    outcome_of,
    plausible,
    query,
    text,
    whole,
    zone,
)

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["call_event", "parse"]

# Maximum characters per field.
_LIMITS = {"uniqueid": 256, "caller": 128, "dst": 128, "connected_with": 128, "outbound_number": 64}
_LIMITS |= {"disposition": 64, "calldate": 40, "billsec": 10, "waittime": 10, "recording": 2048, "event": 32}
_LIMITS |= {"has_recording": 8}
# Values of `event` in the address of each webhook.
_MOMENTS = {
    "before_call": (Direction.IN, Kind.RINGING),
    "forwarding": (Direction.IN, Kind.RINGING),
    "taken": (Direction.IN, Kind.ANSWERED),
    "after_call": (Direction.IN, Kind.ENDED),
    "before_outgoing": (Direction.OUT, Kind.RINGING),
    "after_outgoing": (Direction.OUT, Kind.ENDED),
}


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
    """Return the event of one request, in any method and format that the admin chose. Raises PayloadError."""
    fields = {**_body(request), **query(request, _LIMITS)}
    call_moment = _MOMENTS.get(text(fields, "event"))
    if call_moment is None:
        need(fields, "event")
        return ParseResult(unknown=True)
    direction, kind = call_moment
    clock = zone(str(settings.get("time_zone") or ""))
    return ParseResult((call_event(fields, direction, kind, request.arrived_at, clock),))


def _body(request: WebhookRequest) -> Mapping[str, Any]:
    if request.method == "GET" or not request.body:
        return {}
    return json_object(request) if is_json(request) else form(request, _LIMITS)


def call_event(
    fields: Mapping[str, Any], direction: Direction, kind: Kind, arrived_at: datetime, clock: "ZoneInfo | None"
) -> CallEvent:
    """Return the event of a webhook's or a call log row's fields. Raises PayloadError.

    `clock` is the time zone of the project; an end with a readable `calldate` is timed by it.
    """
    is_end = kind is Kind.ENDED
    extension = _extension(fields, direction)
    outcome = _outcome(text(fields, "disposition"), direction) if is_end else None
    talk_seconds = (whole(fields, "billsec") or 0) if outcome is Outcome.SUCCESS else 0
    started_at = plausible(moment(text(fields, "calldate"), clock), arrived_at)
    ended_at = None
    if started_at and is_end:
        ended_at = started_at + timedelta(seconds=(whole(fields, "waittime") or 0) + talk_seconds)
    return CallEvent(
        call_id=need(fields, "uniqueid", _LIMITS["uniqueid"]),
        kind=kind,
        at=ended_at or arrived_at,
        at_is_arrival=ended_at is None,
        leg=extension or "",
        direction=direction,
        external=_number(fields, "dst" if direction is Direction.OUT else "caller"),
        line=_line(fields, direction),
        extension=extension,
        outcome=outcome,
        talk_seconds=talk_seconds if is_end else None,
        recording=_recording(fields) if is_end else None,
        final=is_end,
        started_at=started_at,
    )


def _extension(fields: Mapping[str, Any], direction: Direction) -> str | None:
    """Return the SIP login of the phone: `connected_with` of an incoming call, `caller` of an outgoing one.

    The caller can be written "name" <login>, or "login" <number> if the line is shown.
    """
    value = text(fields, "caller" if direction is Direction.OUT else "connected_with", _LIMITS["caller"])
    name, bracket, login = value.removesuffix(">").rpartition("<")
    account = name.strip(' "') if bracket and login == _line(fields, direction) else login
    return account.removeprefix("SIP/") or None


def _recording(fields: Mapping[str, Any]) -> str | None:
    """Return the recording's address. The call log also contains one for calls without a recording."""
    return None if text(fields, "has_recording") == "0" else text(fields, "recording", _LIMITS["recording"]) or None


def _line(fields: Mapping[str, Any], direction: Direction) -> str | None:
    name = "outbound_number" if direction is Direction.OUT else "dst"
    return text(fields, name, _LIMITS[name]) or None


def _number(fields: Mapping[str, Any], name: str) -> str:
    """Return a number, also from "name" <number>; "" if it is withheld."""
    value = text(fields, name, _LIMITS[name]).removesuffix(">").rpartition("<")[2]
    return value if any(character in "123456789" for character in value) else ""


# In upper case, with spaces. PROPER and REPEATED are answered calls with the state of the lead.
_DISPOSITIONS = {
    "ANSWERED": Outcome.SUCCESS,
    "PROPER": Outcome.SUCCESS,
    "REPEATED": Outcome.SUCCESS,
    "NO ANSWER": Outcome.NO_ANSWER,
    "CLIENT NO ANSWER": Outcome.NO_ANSWER,
    "BUSY": Outcome.BUSY,
    "DECLINE": Outcome.BUSY,
    "FAILED": Outcome.FAILED,
    "FAILED FORBIDDEN DESTINATION": Outcome.NOT_ALLOWED,
}


def _outcome(disposition: str, direction: Direction) -> Outcome | None:
    """Map a call-log status to an Outcome; unknown statuses become FAILED, an unanswered incoming call MISSED."""
    status = " ".join(disposition.upper().replace("_", " ").replace("+", " ").split())
    return outcome_of(_DISPOSITIONS, status, direction)
