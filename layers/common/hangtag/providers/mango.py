"""Mango Office: JSON in a form, signed with a key and a salt, at paths that it appends to the address.

Paths, fields, limits and signatures as in the vendor's description of its VPBX API, 1.9; signatures besides as a client
in the field makes them (Python-Mango-Office-API 3.7.4). Both directions are signed alike. Events come in any order:
`seq` tells that of one leg. The summary is the last word on a call.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from hangtag.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers.base import (
    Accepted,
    Account,
    Click,
    Door,
    Finding,
    KnownExtension,
    Limit,
    Media,
    Placed,
    Response,
    Trust,
    UnreadableError,
    UnverifiedError,
    WebhookRequest,
)
from hangtag.providers.reading import believed, form, json_of, moment, need, same, text, whole, zone

HOSTS = ("mango-office.ru",)
MEDIA_HOSTS = HOSTS
# It is told of once it is there.
RECORDING_AFTER = 0.0
# How it tells, in a click, that the employee picked up.
PICK_UP = "told"
# Ten requests a second in all, four of them clicks; what is not ready yet is asked for again after a while.
LIMITS = {"": Limit(10, 1), "callback": Limit(4, 1), "report": Limit(1, 2)}

_BASE = "https://app.mango-office.ru/vpbx"
_CLOCK = "Europe/Moscow"
_LIMITS = {"json": 100_000}
_DIRECTIONS = {"0": Direction.INTERNAL, "1": Direction.IN, "2": Direction.OUT}
# Of the history, by context_type.
_CONTEXTS = {"1": Direction.IN, "2": Direction.OUT, "3": Direction.INTERNAL}
# The vendor's own words are written with letters of both alphabets.
_LATIN = str.maketrans("АВЕКМНОРСТХасеорху", "ABEKMHOPCTXaceopxy")
_BUSY = (1121, 1122, 1123)
_ACCEPTED = 1000
_EVENTS_AT_MOST = 999
# A report is made in the background, and asked for until it is there.
MOST_POLLS = 20
_HISTORY_SPAN = timedelta(days=30)
_PAGE = 1000
_DATE = "%d.%m.%Y %H:%M:%S"


# ------------------------------------------------------------------ from the PBX


def verify(request: WebhookRequest, trust: Trust) -> None:
    """`sign`: hexadecimal SHA-256 of the key, the text of `json` as it came, and the salt."""
    fields = form(request, _LIMITS)
    keys = [key for key in trust.credentials.get("vpbx_api_key", ()) if key]
    salts = [salt for salt in trust.credentials.get("vpbx_api_salt", ()) if salt]
    given, said = fields.get("vpbx_api_key", ""), fields.get("json", "")
    good = [signature(key, said, salt) for key in keys for salt in salts]
    # Not one after the other: how long it takes tells neither.
    if not (same(given, keys) & same(fields.get("sign", ""), good)):
        raise UnverifiedError("wrong or missing sign: are vpbx_api_key and vpbx_api_salt those of this PBX?")


def signature(key: str, said: str, salt: str) -> str:
    """The signature of a JSON text, of either direction."""
    return hashlib.sha256(f"{key}{said}{salt}".encode("utf-8", "surrogatepass")).hexdigest()


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> Accepted:  # noqa: ARG001 - all is in the request
    """One notification: what follows the address says of what."""
    said = json_of(need(form(request, _LIMITS), "json", _LIMITS["json"]))
    if not isinstance(said, dict):
        raise UnreadableError("json is no JSON object")
    readers = {
        "events/call": _call,
        "events/summary": _summary,
        "events/record/added": _recorded,
        "events/recording": _nothing,
        "events/record/tagged": _nothing,
        "events/dtmf": _nothing,
        "events/sms": _nothing,
        "result/callback": _answered,
    }
    reader = readers.get(request.rest.strip("/"))
    return Accepted(reader(said, request.arrived_at)) if reader is not None else Accepted(unknown=True)


def _nothing(said: Mapping[str, Any], arrived_at: datetime) -> tuple[CallEvent, ...]:  # noqa: ARG001
    """What changes no call."""
    return ()


def _call(said: Mapping[str, Any], arrived_at: datetime) -> tuple[CallEvent, ...]:
    """A step of one leg. One that rings no phone, a menu's or a queue's, says only that the call is there."""
    caller, called = _side(said, "from"), _side(said, "to")
    reference = text(said, "command_id", 128) or None
    direction, extension, external = _ends(caller, called, clicked=reference is not None)
    at = believed(moment(text(said, "timestamp")), arrived_at)
    # Within a second, a leg's own counter tells the order.
    after = timedelta(milliseconds=min(whole(said, "seq") or 0, _EVENTS_AT_MOST))
    state = _word(text(said, "call_state"))
    event = CallEvent(
        call_id=need(said, "entry_id"),
        kind=Kind.RINGING,
        at=at + after if at is not None else arrived_at,
        at_is_arrival=at is None,
        leg=extension or "",
        direction=direction,
        external=external,
        line=text(called, "line_number", 64) or text(caller, "line_number", 64) or None,
        extension=extension,
        reference=reference,
    )
    if state == "appeared":
        return (event,)
    if extension is None or state == "onhold":
        return ()
    own_phone = reference is not None and "extension" in called
    if state == "connected":
        return (replace(event, kind=Kind.PICKED_UP if own_phone else Kind.ANSWERED),)
    if state != "disconnected":
        raise UnreadableError("call_state is none that is known")
    if own_phone:
        return ()
    return (replace(event, kind=Kind.TRANSFERRED if text(said, "transfer") else Kind.ENDED),)


def _side(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    side = said.get(name)
    return side if isinstance(side, dict) else {}


def _ends(
    caller: Mapping[str, Any], called: Mapping[str, Any], *, clicked: bool
) -> tuple[Direction, str | None, str | None]:
    """Which way a leg goes, whose phone it is, and the other party's number: None if this leg does not know it.

    A click's first leg rings the employee.
    """
    calling, ringing = text(caller, "extension", 32), text(called, "extension", 32)
    if clicked:
        number = "" if ringing else text(called, "number", 128)
        return Direction.OUT, (ringing or calling) or None, _number(number) or None
    if calling and ringing:
        return Direction.INTERNAL, ringing, calling
    if calling:
        return Direction.OUT, calling, _number(text(called, "number", 128))
    return Direction.IN, ringing or None, _number(text(caller, "number", 128))


def _number(said: str) -> str:
    """A number; "" if it is withheld."""
    return said if any(character in "123456789" for character in said) else ""


def _word(said: str) -> str:
    return said.translate(_LATIN).lower()


def _summary(said: Mapping[str, Any], arrived_at: datetime) -> tuple[CallEvent, ...]:
    """The last word. Who was talked to is told by talk_time: entry_result is 1 of a call that ended in a menu too."""
    direction = _DIRECTIONS.get(text(said, "call_direction"))
    caller, called = _side(said, "from"), _side(said, "to")
    employees, others = (caller, called) if direction is Direction.OUT else (called, caller)
    extension = text(employees, "extension", 32) or None
    talked_from, end = moment(_of_time(said, "talk_time")), moment(_of_time(said, "end_time"))
    ended_at = believed(end, arrived_at)
    seconds = round((end - talked_from).total_seconds()) if end and talked_from else 0
    found = _outcome(whole(said, "disconnect_reason"), direction, talked=talked_from is not None)
    return (
        CallEvent(
            call_id=need(said, "entry_id"),
            kind=Kind.ENDED,
            at=ended_at or arrived_at,
            at_is_arrival=ended_at is None,
            leg=extension or "",
            direction=direction,
            external=text(others, "extension", 32) or _number(text(others, "number", 128)),
            line=text(said, "line_number", 64) or None,
            extension=extension,
            outcome=found,
            talk_seconds=max(0, seconds) if found is Outcome.SUCCESS else 0,
            final=True,
            started_at=believed(moment(_of_time(said, "create_time")), arrived_at),
        ),
    )


def _of_time(said: Mapping[str, Any], name: str) -> str:
    """Seconds since 1970; "" for 0, which means never."""
    return text(said, name, 16).strip("0") and text(said, name, 16)


def _outcome(reason: int | None, direction: Direction | None, *, talked: bool) -> Outcome:
    """By the classes of disconnect_reason; an incoming call that nobody took is missed, whatever the reason."""
    if talked:
        return Outcome.SUCCESS
    if direction is Direction.IN:
        return Outcome.MISSED
    if reason in _BUSY:
        return Outcome.BUSY
    kinds = {1: Outcome.NO_ANSWER, 2: Outcome.NOT_ALLOWED, 3: Outcome.UNAVAILABLE, 4: Outcome.UNAVAILABLE}
    return kinds.get((reason or 1000) // 1000, Outcome.FAILED)


def _recorded(said: Mapping[str, Any], arrived_at: datetime) -> tuple[CallEvent, ...]:
    event = CallEvent(
        call_id=need(said, "entry_id"),
        kind=Kind.RECORDED,
        at=arrived_at,
        at_is_arrival=True,
        recording=need(said, "recording_id"),
    )
    return (event,)


def _answered(said: Mapping[str, Any], arrived_at: datetime) -> tuple[CallEvent, ...]:
    """What became of a click's command: one that was not carried out has no call, and ends here."""
    reference = need(said, "command_id", 128)
    if whole(said, "result") == _ACCEPTED:
        return ()
    event = CallEvent(
        call_id=reference,
        kind=Kind.ENDED,
        at=arrived_at,
        at_is_arrival=True,
        direction=Direction.OUT,
        outcome=Outcome.FAILED,
        final=True,
        reference=reference,
    )
    return (event,)


# ------------------------------------------------------------------ to the PBX


def originate(account: Account, click: Click, door: Door) -> Placed:
    """The callback: the employee is rung first. All is looked at before: a wrong request blocks the rest for minutes.

    The answer names no call; events carry our reference as command_id.
    """
    number = click.number.removeprefix("+")
    if not (click.extension.isascii() and click.extension.isdigit() and len(click.extension) <= 10):
        raise BadInputError("the extension must be the short number of an employee at Mango Office")
    if not (number.isascii() and number.isdigit()):
        raise BadInputError("the number to call must be a plus and digits")
    asked: dict[str, Any] = {
        "command_id": click.reference,
        "from": {"extension": click.extension},
        "to_number": number,
    }
    line = (click.line or "").removeprefix("+")
    if line.isascii() and line.isdigit():
        asked["line_number"] = line
    answer = _ask(account, door, "commands/callback", asked, limit="callback", safe=False)
    said = json_of(_checked(answer).body)
    result = said.get("result") if isinstance(said, dict) else None
    if result is not None and str(result) != str(_ACCEPTED):
        raise BadInputError(f"Mango Office refused it ({str(result)[:16]})")
    return Placed()


def recording(account: Account, reference: str, door: Door) -> Media:
    """A link that is good for one download: it is asked for, and never followed here."""
    answer = _ask(account, door, "queries/recording/post", {"recording_id": reference, "action": "download"})
    if answer.status not in (301, 302, 303, 307):
        _checked(answer)
        raise UnreachableError("Mango Office named no link to the recording")
    link = answer.headers.get("location", "")
    if not link:
        raise UnreachableError("Mango Office named no link to the recording")
    return Media(link)


def history(account: Account, since: datetime, until: datetime, door: Door) -> Iterator[CallEvent]:
    """The calls of that time, a month at most a report, a thousand calls a page; rows that can't be read are left out.

    Raises UnreachableError if a report is not made in time.
    """
    clock = zone(str(account.settings.get("time_zone") or _CLOCK)) or zone("UTC")
    begin = since
    while begin < until:
        end = min(until, begin + _HISTORY_SPAN)
        asked = {
            "start_date": begin.astimezone(clock).strftime(_DATE),
            "end_date": end.astimezone(clock).strftime(_DATE),
        }
        for row in _reported(account, door, asked):
            try:
                yield from _told(row)
            except UnreadableError:
                continue
        begin = end


def _reported(account: Account, door: Door, asked: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    offset = 0
    while True:
        rows = _report(account, door, {**asked, "limit": str(_PAGE), "offset": str(offset)})
        yield from (row for row in rows if isinstance(row, dict))
        if len(rows) < _PAGE:
            return
        offset += len(rows)


def _report(account: Account, door: Door, asked: Mapping[str, Any]) -> list[Any]:
    """Have a report made, and wait for it: the limit of its name spaces the asking."""
    made = json_of(_checked(_ask(account, door, "stats/calls/request/", asked)).body)
    key = made.get("key") if isinstance(made, dict) else None
    if not isinstance(key, str) or not key:
        raise UnreachableError("Mango Office named no report")
    for _ in range(MOST_POLLS):
        said = json_of(_checked(_ask(account, door, "stats/calls/result/", {"key": key}, limit="report")).body)
        status = said.get("status") if isinstance(said, dict) else None
        if status == "complete":
            return _rows(said.get("data"))
        if status not in ("request", "work"):
            raise UnreachableError("Mango Office did not make the report")
    raise UnreachableError("Mango Office's report is not ready: it is asked for again later")


def _rows(data: Any) -> list[Any]:
    """The calls of a report: data is a list of objects that have a list each."""
    parts = data if isinstance(data, list) else [data]
    if not all(isinstance(part, dict) and isinstance(part.get("list"), list) for part in parts):
        raise UnreachableError("Mango Office's report holds no list")
    return [row for part in parts for row in part["list"]]


def _told(row: Mapping[str, Any]) -> Iterator[CallEvent]:
    """One call of a report as events: those who did not take it, then its end, then its recordings."""
    call_id, direction = need(row, "entry_id"), _CONTEXTS.get(text(row, "context_type"))
    started_at = moment(text(row, "context_start_time"))
    if started_at is None:
        raise UnreadableError("context_start_time is no time")
    talked = whole(row, "talk_duration") or 0
    at = started_at + timedelta(seconds=whole(row, "duration") or 0)
    legs = [leg for leg in row.get("context_calls") or [] if isinstance(leg, dict)]
    took = [leg for leg in legs if talked and _of_time(leg, "call_answer_time")]
    # Of a call that rang one phone in vain it is that one's; of an outgoing call it is who made it.
    alone = legs and (direction is not Direction.IN or len(_phones(legs)) == 1)
    last = took[-1] if took else legs[0] if alone else {}
    extension = text(last, "call_abonent_number", 32) or None
    end = CallEvent(
        call_id=call_id,
        kind=Kind.ENDED,
        at=at,
        leg=extension or "",
        direction=direction,
        external=_number(text(row, "called_number" if direction is Direction.OUT else "caller_number", 128)),
        line=(text(row, "called_number", 128) or None) if direction is Direction.IN else None,
        extension=extension,
        outcome=_outcome(whole(last or row, "call_end_reason"), direction, talked=bool(talked)),
        talk_seconds=talked,
        final=True,
        started_at=started_at,
    )
    vain = [leg for leg in legs if leg not in took] if direction is Direction.IN else []
    for other in _phones(vain):
        if other != extension:
            yield replace(end, leg=other, extension=other, outcome=None, talk_seconds=None, final=False)
    yield end
    for leg in legs:
        named = leg.get("recording_id")
        for reference in named if isinstance(named, list) else [named]:
            if isinstance(reference, str) and 0 < len(reference) <= 512:
                yield CallEvent(call_id=call_id, kind=Kind.RECORDED, at=at, recording=reference)


def _phones(legs: Iterable[Mapping[str, Any]]) -> list[str]:
    """The short numbers of these legs, each once."""
    return [said for said in dict.fromkeys(text(leg, "call_abonent_number", 32) for leg in legs) if said]


def extensions(account: Account, door: Door) -> tuple[KnownExtension, ...]:
    """The employees who have a short number."""
    said = json_of(_checked(_ask(account, door, "config/users/request", {})).body)
    users = said.get("users") if isinstance(said, dict) else None
    if not isinstance(users, list):
        raise UnreachableError("Mango Office's answer holds no list of employees")
    found = []
    for user in users:
        telephony = _side(user, "telephony") if isinstance(user, dict) else {}
        extension = telephony.get("extension")
        if isinstance(extension, str | int) and extension:
            found.append(KnownExtension(str(extension)[:32], str(_side(user, "general").get("name") or "")[:200]))
    return tuple(found)


def ping(account: Account, door: Door) -> Finding:
    """Whether the API takes key and salt: the employees are asked for, which changes nothing."""
    return Finding("pbx", True, f"it answers, and has {len(extensions(account, door))} employees with a short number")


def _ask(
    account: Account,
    door: Door,
    path: str,
    asked: Mapping[str, Any],
    *,
    limit: str = "",
    safe: bool = True,
) -> Response:
    """One request, signed as theirs are."""
    key, salt = account.credentials.get("vpbx_api_key", ""), account.credentials.get("vpbx_api_salt", "")
    if not key or not salt:
        raise BadInputError("vpbx_api_key and vpbx_api_salt are needed to ask Mango Office")
    said = json.dumps(asked, ensure_ascii=False, separators=(",", ":"))
    fields = {"vpbx_api_key": key, "sign": signature(key, said, salt), "json": said}
    base = str(account.settings.get("api_url") or _BASE).rstrip("/")
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return door.send("POST", f"{base}/{path}", headers=headers, body=urlencode(fields).encode(), limit=limit, safe=safe)


def _checked(answer: Response) -> Response:
    """The answer, if it is a success. Raises BadInputError in words for the admin, UnreachableError."""
    status = answer.status
    if status == 200:
        return answer
    if status >= 500:
        raise UnreachableError(f"Mango Office answers that it fails itself ({status})")
    if status in (401, 403):
        raise BadInputError(
            f"Mango Office does not take vpbx_api_key and vpbx_api_salt ({status}); for two minutes after a wrong "
            "request it takes none at all"
        )
    raise BadInputError(f"Mango Office refused it ({status})")
