"""Ringostat: webhooks whose parameters the admin chooses, after the template that the set-up guide gives.

The moments of a call, the API's paths and the names of the call log's fields are from the vendor's help
(help.ringostat.com, articles 6313229, 6559993, 6312685, 6312678 and 6313081), how the fields are filled from clients in
the field. Nothing is signed, and what fails is not sent again: the address is the secret, the call log fills the gaps.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import UnreachableError
from hangtag.limits import Limit
from hangtag.providers.asking import Api, in_its_words
from hangtag.providers.base import (
    Account,
    Check,
    Click,
    Media,
    ParseResult,
    PayloadError,
    PbxClient,
    PlacedCall,
    VerificationKeys,
    WebhookRequest,
)
from hangtag.providers.reading import (
    believed,
    form,
    is_json,
    json_object,
    json_of,
    moment,
    need,
    query,
    text,
    whole,
    zone,
)

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

HOSTS = ("ringostat.net", "ringostat.com")
# Nothing says that a webhook is Ringostat's: what it names as a recording is fetched from there alone.
MEDIA_HOSTS = HOSTS
# Without it the project can't be asked to call.
ORIGINATES_WITH = ("auth_key",)
# The vendor names no limit.
LIMITS = {"": Limit(60, 60)}

_API = Api("Ringostat", "https://api.ringostat.net", ORIGINATES_WITH, (401, 403))
_LIMITS = {"uniqueid": 256, "caller": 128, "dst": 128, "connected_with": 128, "outbound_number": 64}
_LIMITS |= {"disposition": 64, "calldate": 40, "billsec": 10, "waittime": 10, "recording": 2048, "event": 32}
_LIMITS |= {"has_recording": 8}
# What the address of each webhook says after `event=`: the direction, and what happened.
_MOMENTS = {
    "before_call": (Direction.IN, Kind.RINGING),
    "forwarding": (Direction.IN, Kind.RINGING),
    "taken": (Direction.IN, Kind.ANSWERED),
    "after_call": (Direction.IN, Kind.ENDED),
    "before_outgoing": (Direction.OUT, Kind.RINGING),
    "after_outgoing": (Direction.OUT, Kind.ENDED),
}
# In upper case, with spaces. Two of them say besides that a call which was answered counts, or counts no more, as a
# lead.
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
_FIELDS = (
    "uniqueid,calldate,call_type,caller,dst,outbound_number,connected_with,disposition,billsec,waittime,recording,"
    "has_recording"
)
_STAMP = "%Y-%m-%d %H:%M:%S"
# The call log gives no more rows at once, and says nothing if there are more.
MAX_ROWS = 6500
_SHORTEST_SPAN = timedelta(minutes=1)


# ------------------------------------------------------------------ from the PBX


def verify(request: WebhookRequest, trust: VerificationKeys) -> None:
    """Nothing of a delivery proves where it is from: whoever has the address is believed."""


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
    """One webhook; `event` in the query says which, whatever method and format the admin chose."""
    fields = {**_body(request), **query(request, _LIMITS)}
    known = _MOMENTS.get(text(fields, "event"))
    if known is None:
        need(fields, "event")
        return ParseResult(unknown=True)
    direction, kind = known
    clock = zone(str(settings.get("time_zone") or ""))
    return ParseResult((_event(fields, direction, kind, request.arrived_at, clock),))


def _body(request: WebhookRequest) -> Mapping[str, Any]:
    if request.method == "GET" or not request.body:
        return {}
    return json_object(request) if is_json(request) else form(request, _LIMITS)


def _event(
    fields: Mapping[str, Any], direction: Direction, kind: Kind, arrived_at: datetime, clock: "ZoneInfo | None"
) -> CallEvent:
    """What the fields say. An end is timed by the call log's own clock, if it says when the call began."""
    ended = kind is Kind.ENDED
    extension = _extension(fields, direction)
    found = _outcome(text(fields, "disposition"), direction) if ended else None
    talked = (whole(fields, "billsec") or 0) if found is Outcome.SUCCESS else 0
    began = believed(moment(text(fields, "calldate"), clock), arrived_at)
    known = began + timedelta(seconds=(whole(fields, "waittime") or 0) + talked) if began and ended else None
    return CallEvent(
        call_id=need(fields, "uniqueid", _LIMITS["uniqueid"]),
        kind=kind,
        at=known or arrived_at,
        at_is_arrival=known is None,
        leg=extension or "",
        direction=direction,
        external=_number(fields, "dst" if direction is Direction.OUT else "caller"),
        line=_line(fields, direction),
        extension=extension,
        outcome=found,
        talk_seconds=talked if ended else None,
        recording=_recording(fields) if ended else None,
        final=ended,
        started_at=began,
    )


def _extension(fields: Mapping[str, Any], direction: Direction) -> str | None:
    """Whose phone: of an incoming call what it was connected with, of an outgoing one the caller. SIP logins alike.

    The caller may be "name" <login>; or <number>, if it is the line that is shown: then the name is the account's.
    """
    said = text(fields, "caller" if direction is Direction.OUT else "connected_with", _LIMITS["caller"])
    name, opened, login = said.removesuffix(">").rpartition("<")
    account = name.strip(' "') if opened and login == _line(fields, direction) else login
    return account.removeprefix("SIP/") or None


def _recording(fields: Mapping[str, Any]) -> str | None:
    """Its address; the log has one of calls too that have none."""
    return None if text(fields, "has_recording") == "0" else text(fields, "recording", _LIMITS["recording"]) or None


def _line(fields: Mapping[str, Any], direction: Direction) -> str | None:
    name = "outbound_number" if direction is Direction.OUT else "dst"
    return text(fields, name, _LIMITS[name]) or None


def _number(fields: Mapping[str, Any], name: str) -> str:
    """A number, which may be in "name" <number>; "" where the caller withholds it."""
    said = text(fields, name, _LIMITS[name]).removesuffix(">").rpartition("<")[2]
    return said if any(character in "123456789" for character in said) else ""


def _outcome(disposition: str, direction: Direction) -> Outcome | None:
    """What the call log's status says; what it has no word for in Hangtag did not come about."""
    if not disposition:
        return None
    word = " ".join(disposition.upper().replace("_", " ").replace("+", " ").split())
    found = _DISPOSITIONS.get(word, Outcome.FAILED)
    return Outcome.MISSED if direction is Direction.IN and found is not Outcome.SUCCESS else found


# ------------------------------------------------------------------ to the PBX


def originate(account: Account, click: Click, door: PbxClient) -> PlacedCall:
    """The simple callback: it rings `extension` first, then `destination`. Its answer names no call."""
    numbers = {"extension": click.extension, "destination": click.number.removeprefix("+")}
    said = _ask(account, door, "/callback/outward_call", numbers)
    if isinstance(said, dict) and said.get("error"):
        raise _API.refused(in_its_words(said, 200), 200)
    return PlacedCall()


def recording(account: Account, reference: str, door: PbxClient) -> Media:  # noqa: ARG001 - the address is known
    """The address that the call log has; it needs no key."""
    return Media(reference)


def history(account: Account, since: datetime, until: datetime, door: PbxClient) -> Iterator[CallEvent]:
    """The call log of that time, in the project's clock; rows that can't be read are left out."""
    clock = zone(str(account.settings.get("time_zone") or account.time_zone)) or zone("UTC")
    for row in _rows(account, door, since.astimezone(clock), until.astimezone(clock)):
        told = _told(row, clock)
        if told is not None:
            yield told


def _rows(account: Account, door: PbxClient, begin: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
    """The rows of that time; where there may be more than the log gives at once, of each half of it."""
    asked = urlencode(
        {"export_type": "json", "from": begin.strftime(_STAMP), "to": end.strftime(_STAMP), "fields": _FIELDS}
    )
    rows = _API.rows(_ask(account, door, f"/calls/list?{asked}"))
    if len(rows) < MAX_ROWS or end - begin <= _SHORTEST_SPAN:
        yield from rows
        return
    middle = begin + (end - begin) / 2
    yield from _rows(account, door, begin, middle)
    # Both ends of a span belong to it, to the second.
    yield from _rows(account, door, middle + timedelta(seconds=1), end)


def _told(row: Mapping[str, Any], clock: "ZoneInfo | None") -> CallEvent | None:
    """One row as the last word on its call; None if it can't be read."""
    try:
        direction = Direction.OUT if text(row, "call_type").lower().endswith("out") else Direction.IN
        began = moment(need(row, "calldate"), clock)
        return _event(row, direction, Kind.ENDED, began, clock) if began is not None else None
    except PayloadError:
        return None


def ping(account: Account, door: PbxClient) -> Check:
    """Whether the API takes the key: the SIP accounts that are online are asked for, which changes nothing."""
    online = _ask(account, door, "/sipstatus/online")
    if not isinstance(online, list):
        raise UnreachableError("Ringostat's answer holds no list of SIP accounts")
    return Check("pbx", True, f"it answers, and {len(online)} of its SIP accounts are online")


def _ask(account: Account, door: PbxClient, path: str, form: Mapping[str, str] | None = None) -> Any:
    """What is answered, as JSON; None if it is none. Raises as `Api.success` does, with Ringostat's own words."""
    (key,) = _API.login(account)
    # A click is the one thing that is posted: it is sent once.
    method, safe = ("GET", True) if form is None else ("POST", False)
    answer = _API.send(account, door, method, path, headers={"auth-key": key}, form=form, safe=safe)
    return json_of(_API.success(answer, in_its_words).body)
