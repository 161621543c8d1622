"""Mango Office's virtual PBX: signed forms with JSON in them, sent to paths that Mango appends to our address.

Fields, paths and codes are those of the vendor's "API Mango Office" 1.9. A call is an `entry_id`, a leg of it a
`call_id`. Events overtake each other, and their clock counts whole seconds, so that `seq` is added as milliseconds:
what has a smaller one comes before. The summary has the last word. Types vary (`"29"`, 29), and some of the vendor's
words are spelt with Cyrillic letters.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urljoin

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import BadInputError, TooManyError, UnreachableError
from hangtag.limits import Limit
from hangtag.providers.asking import Api, Refusal
from hangtag.providers.base import (
    Account,
    Check,
    Click,
    KnownExtension,
    Media,
    ParseResult,
    PayloadError,
    PbxClient,
    PlacedCall,
    Response,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
)
from hangtag.providers.reading import believed, flag, form, json_of, moment, need, same, text, whole

HOSTS = ("mango-office.ru",)
MEDIA_HOSTS = HOSTS
# It takes a while until a recording that was told of can be had, and to ask too early is a wrong request (below).
RECORDING_AFTER = 60.0
# How it tells, in a click, that the employee picked up.
PICK_UP = "told"
ORIGINATES_WITH = ("vpbx_api_key", "vpbx_api_salt")
# By the vendor's table, but for `result`: so often it is asked whether statistics are ready.
LIMITS = {
    "": Limit(10, 1),
    "callback": Limit(4, 1),
    "recording": Limit(10, 1),
    "stats": Limit(1, 2),
    "users": Limit(1, 2),
    "result": Limit(1, 2),
}

_API = Api("Mango", "https://app.mango-office.ru/vpbx", ORIGINATES_WITH)
# Two wrong requests in that time, and all are refused until it is over.
_BLOCK_SECONDS = 120
_BLOCKED = (
    f"Mango takes no request for up to {_BLOCK_SECONDS} seconds after wrong ones (401): try again in {_BLOCK_SECONDS} "
    "seconds, and if that goes on, see whether vpbx_api_key and vpbx_api_salt are right and our address is allowed"
)
# A key or a sign that is not the account's.
_NOT_OURS = ("3102", "3105")
# So often it is asked whether statistics are ready, before they are given up.
_POLLS = 30
_PAGE = 500
_MOST_PAGES = 100
# A month at most may be asked for, and the shortest has 28 days.
_SPAN = timedelta(days=27)
# Mango writes its times in this zone; is it another, what was asked for is still within.
_ZONE = timezone(timedelta(hours=3))
_UNSURE = timedelta(hours=3)

_KINDS = {"appeared": Kind.RINGING, "connected": Kind.ANSWERED, "disconnected": Kind.ENDED}
_DIRECTIONS = {"0": Direction.INTERNAL, "1": Direction.IN, "2": Direction.OUT}
# Of the history, which counts otherwise.
_CONTEXTS = {"1": Direction.IN, "2": Direction.OUT, "3": Direction.INTERNAL}
# Both ends of a call that Mango begins are one leg, the employee's; of a group it may ring several.
_CALLBACK = "callback:{}"
# The kinds of calls in the history that Mango began.
_CALLBACKS = ("4", "5", "6")
# What a menu and a queue are to the office: the call before it rings anybody.
_NOBODY = ""
# Why nobody answered, by code, or by the class of it: the vendor adds codes to classes.
_REASONS = {
    "1110": Outcome.CANCELLED,
    "1111": Outcome.NO_ANSWER,
    "112": Outcome.BUSY,
    "113": Outcome.UNAVAILABLE,
    "114": Outcome.NOT_ALLOWED,
    "115": Outcome.NOT_ALLOWED,
    "118": Outcome.CANCELLED,
    "119": Outcome.UNAVAILABLE,
    "1193": Outcome.BUSY,
    "2": Outcome.NOT_ALLOWED,
    "32": Outcome.UNAVAILABLE,
    "42": Outcome.UNAVAILABLE,
    "45": Outcome.NOT_ALLOWED,
    "5": Outcome.FAILED,
}
# Those that end a leg only if nobody had answered; after any other somebody may have talked.
_UNANSWERED = ("1111", "1121", "1122", "1123", "1124", "113", "114", "115", "1182", "1183", "119", "32", "42")
# What ends the employee's own leg of a callback when the contact's begins.
_WENT_ON = "10"
_LOOKALIKES = str.maketrans("АВЕКМНОРСТХаеорсух", "ABEKMHOPCTXaeopcyx")
# The vendor's samples are base64, digits, and such as r100:777:500:256; an address is none.
_RECORDING = re.compile(r"(?!https?:)[\w+/=.:-]{1,128}", re.ASCII)
_EXTENSION = re.compile(r"[0-9]{1,10}", re.ASCII)
_NUMBER = re.compile(r"\+?([0-9]{3,18})", re.ASCII)
_REFERENCE = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
# An employee's device, sip:anna@acme.mangosip.ru.
_ACCOUNT = re.compile(r"sips?:([\w.*-]{1,64})@[\w.-]*mangosip\.ru(?:[:;].*)?", re.ASCII | re.DOTALL | re.IGNORECASE)
# sip:74951234567@acme.mangosip.ru, and a plain number.
_ADDRESS = re.compile(r"(?:(?:sips?|tel):)?(\+?[0-9]{2,20})(?:[@;].*)?", re.ASCII | re.DOTALL | re.IGNORECASE)


# ------------------------------------------------------------------ from Mango


def verify(request: WebhookRequest, trust: VerificationKeys) -> None:
    """The sign of the json exactly as it came, under a key and a salt of ours, and the key itself."""
    fields = form(request)
    key, said = fields.get("vpbx_api_key", ""), fields.get("json", "")
    is_ours = same(key, [known for known in trust.credentials.get("vpbx_api_key", ()) if known])
    salts = [salt for salt in trust.credentials.get("vpbx_api_salt", ()) if salt]
    is_signed = same(fields.get("sign", ""), [signature(key, said, salt) for salt in salts])
    if not (is_ours and is_signed):
        raise SignatureError("wrong or missing vpbx_api_key or sign: are key and salt those of this PBX?")


def signature(key: str, said: str, salt: str) -> str:
    """What both sides sign with: SHA-256 of key, JSON and salt, in hexadecimal."""
    return hashlib.sha256(f"{key}{said}{salt}".encode("utf-8", "surrogatepass")).hexdigest()


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:  # noqa: ARG001 - nothing is set
    """One notification; the path says of what."""
    path = request.rest.strip("/").removeprefix("vpbx/")
    read = _READERS.get(path)
    if read is not None:
        return ParseResult(tuple(read(_said(request), request.arrived_at)))
    return ParseResult(unknown=path not in _IGNORED and not path.startswith("result/"))


def _said(request: WebhookRequest) -> Mapping[str, Any]:
    said = json_of(form(request).get("json", ""))
    if not isinstance(said, dict):
        raise PayloadError("json holds no JSON object")
    return said


def _of_call(said: Mapping[str, Any], arrived_at: datetime) -> Iterator[CallEvent]:
    """A state of a leg. That it is on hold, or a state unknown, changes nothing."""
    call_id, kind = need(said, "entry_id"), _KINDS.get(_word(said, "call_state"))
    caller, called = _party(said, "from"), _party(said, "to")
    own, other = text(caller, "extension"), _short(text(called, "extension"), called)
    if not text(called, "line_number"):
        # Nobody of the office comes in by a line.
        own = _short(own, caller)
    taken = text(caller, "taken_from_call_id")
    command = text(said, "command_id")
    is_callback = bool(command or text(said, "callback_initiator"))
    at, at_is_arrival = _when(said, arrived_at)
    event = CallEvent(
        call_id=call_id,
        kind=kind or Kind.RINGING,
        at=at,
        at_is_arrival=at_is_arrival,
        leg=need(said, "call_id"),
        line=_line(called),
        reference=command if _REFERENCE.fullmatch(command) else None,
    )
    if kind is None:
        return
    if _word(said, "location") in ("ivr", "queue"):
        if kind is Kind.RINGING and not is_callback:
            # Its end is no end: it goes on to somebody's phone, or the summary says that it did not.
            line = event.line or _number(called) or None
            yield replace(event, leg=_NOBODY, direction=Direction.IN, external=_number(caller), line=line)
    elif is_callback and not own and not taken and not other:
        yield from _ended(replace(event, direction=Direction.OUT, external=_number(called) or None), said)
    elif is_callback and other and not taken:
        yield from _of_own_phone(event, said, other, own or _number(caller), bool(own))
    elif own and other and (text(said, "transfer") or (taken and not is_callback)):
        # A word between colleagues before one of them hands the call over; if it is, the leg then has the caller.
        return
    elif own:
        yield from _of_caller(event, said, own, other, is_callback)
    else:
        is_blind = _word(said, "transfer") == "blind" and kind is not Kind.ENDED
        # Of a callback the leg before has another name here; its own end tells that it was handed over.
        if taken and is_blind and not text(said, "callback_initiator"):
            yield replace(event, kind=Kind.TRANSFERRED, leg=taken)
        incoming = replace(event, direction=Direction.IN, external=_number(caller), extension=other or None)
        yield from _ended(incoming, said)


def _of_own_phone(
    event: CallEvent, said: Mapping[str, Any], extension: str, external: str, is_internal: bool
) -> Iterator[CallEvent]:
    """The phone of who asked for the call, which rings first: `from` is who will be called."""
    if event.kind is Kind.ENDED and text(said, "disconnect_reason").startswith(_WENT_ON):
        return
    direction = Direction.INTERNAL if is_internal else Direction.OUT
    kind = Kind.PICKED_UP if event.kind is Kind.ANSWERED else event.kind
    event = replace(event, kind=kind, direction=direction, external=external or None, line=None)
    yield from _ended(replace(event, leg=_CALLBACK.format(extension), extension=extension), said)


def _of_caller(
    event: CallEvent, said: Mapping[str, Any], own: str, other: str, is_callback: bool
) -> Iterator[CallEvent]:
    """A leg that an employee began, or that Mango began in the employee's name."""
    if other and not is_callback:
        # Among colleagues: it rings who is called.
        event = replace(event, direction=Direction.INTERNAL, external=own, extension=other)
    else:
        direction = Direction.INTERNAL if other else Direction.OUT
        external = other or _number(_party(said, "to")) or None
        event = replace(event, direction=direction, external=external, extension=own)
    if is_callback:
        # The employee's leg before may have ended in the same second, with a higher `seq`.
        event = replace(event, leg=_CALLBACK.format(own), at=event.at + timedelta(milliseconds=500))
    yield from _ended(replace(event, line=None), said)


def _ended(event: CallEvent, said: Mapping[str, Any]) -> Iterator[CallEvent]:
    """The event; if it is an end, why, and whether one side was handed on to somebody else."""
    if event.kind is not Kind.ENDED:
        yield event
        return
    if any(flag(_party(said, side), "was_transferred") for side in ("from", "to")):
        yield replace(event, kind=Kind.TRANSFERRED)
    yield replace(event, outcome=_outcome_of_leg(text(said, "disconnect_reason"), event.direction))


def _of_summary(said: Mapping[str, Any], arrived_at: datetime) -> Iterator[CallEvent]:
    """How the whole call ended. entry_result says 1 also of calls that ended in the menu; only talk_time can be had on.

    How long was talked follows from the legs: from the first answer to the end somebody else may have been rung.
    """
    ended = believed(moment(text(said, "end_time")), arrived_at)
    direction = _DIRECTIONS.get(text(said, "call_direction"))
    answered = (whole(said, "talk_time") or 0) > 0
    line = _number(said, "line_number") or None
    event = CallEvent(
        call_id=need(said, "entry_id"),
        kind=Kind.SUMMARY,
        at=ended or arrived_at,
        at_is_arrival=ended is None,
        direction=direction,
        external=_other_side(direction, _party(said, "from"), _party(said, "to")),
        line=None if direction is Direction.INTERNAL else line,
        outcome=_outcome(answered, text(said, "disconnect_reason"), direction),
        final=True,
        started_at=believed(moment(text(said, "create_time")), arrived_at),
    )
    yield from _last(event, answered, event.at)


def _last(event: CallEvent, answered: bool, ended_at: datetime) -> Iterator[CallEvent]:
    """A last word, and of a call that nobody answered the end of the menu and the queue."""
    yield event
    if event.direction is Direction.IN and not answered:
        yield CallEvent(
            call_id=event.call_id,
            kind=Kind.ENDED,
            at=ended_at,
            at_is_arrival=event.at_is_arrival,
            leg=_NOBODY,
            direction=event.direction,
            outcome=Outcome.MISSED,
        )


def _of_recording(said: Mapping[str, Any], arrived_at: datetime) -> Iterator[CallEvent]:
    """How a recording goes on: it is one once it is complete, long enough, and kept where it can be fetched."""
    done = _word(said, "recording_state") == "completed" and text(said, "completion_code") in ("", "1000")
    if done and _word(said, "recipient") in ("", "cloud", "cloudandmail"):
        yield from _of_added(said, arrived_at)


def _of_added(said: Mapping[str, Any], arrived_at: datetime) -> Iterator[CallEvent]:
    """A recording is where it can be fetched from."""
    at, at_is_arrival = _when(said, arrived_at)
    yield CallEvent(
        call_id=need(said, "entry_id"),
        kind=Kind.RECORDED,
        at=at,
        at_is_arrival=at_is_arrival,
        recording=need(said, "recording_id"),
    )


def _of_result(said: Mapping[str, Any], arrived_at: datetime) -> Iterator[CallEvent]:
    """What came of a click. If nothing did there is no call of it at Mango: it is one of ours, that failed."""
    command, result = text(said, "command_id"), text(said, "result")
    if not _REFERENCE.fullmatch(command) or not result or result.startswith("1"):
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
    "events/call": _of_call,
    "events/summary": _of_summary,
    "events/recording": _of_recording,
    "events/record/added": _of_added,
    "result/callback": _of_result,
}
# Besides the results of other commands: nothing of a call, or that statistics are ready, which are asked for anyway.
_IGNORED = ("events/record/tagged", "events/dtmf", "events/sms", "stats/calls/result")


# ------------------------------------------------------------------ what Mango writes, read leniently


def _word(fields: Mapping[str, Any], name: str) -> str:
    """One of the vendor's words, in lower case, with its Cyrillic letters as the Latin ones that they look like."""
    return text(fields, name).translate(_LOOKALIKES).lower()


def _party(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Who is at one side of a leg; an empty one may be written as a list."""
    said = fields.get(name)
    if isinstance(said, dict):
        return said
    if said is None or said == []:
        return {}
    raise PayloadError(f"{name} is no object")


def _short(known: str, fields: Mapping[str, Any], name: str = "number") -> str:
    """Who an employee is: the short number if it is known, else the name of the SIP account; "" for anybody else."""
    found = None if known else _ACCOUNT.fullmatch(text(fields, name))
    return found[1] if found is not None else known


def _number(fields: Mapping[str, Any], name: str = "number") -> str:
    """A number, also of a SIP address; "" for a name, and for a caller who withholds it."""
    found = _ADDRESS.fullmatch(text(fields, name))
    return found[1] if found is not None else ""


def _line(called: Mapping[str, Any]) -> str | None:
    """The own number that was called; of a SIP line the summary tells it."""
    return _number(called, "line_number") or None


def _when(said: Mapping[str, Any], arrived_at: datetime) -> tuple[datetime, bool]:
    """When it happened, with `seq` as milliseconds; and whether that is only when it arrived."""
    told = believed(moment(text(said, "timestamp")), arrived_at)
    if told is None:
        return arrived_at, True
    return told + timedelta(milliseconds=min(whole(said, "seq") or 0, 499)), False


def _other_side(direction: Direction | None, caller: Mapping[str, Any], called: Mapping[str, Any]) -> str | None:
    """The number of who is no employee; of a call among employees the caller's short one."""
    if direction is Direction.INTERNAL:
        return _short(text(caller, "extension"), caller) or None
    if direction is Direction.OUT:
        return _number(called) or None
    return _number(caller) if direction is Direction.IN else None


def _outcome_of_leg(reason: str, direction: Direction | None) -> Outcome | None:
    """Why nobody answered a leg, where the reason says that nobody did."""
    return _why(reason, direction) if reason.startswith(_UNANSWERED) else None


def _outcome(answered: bool, reason: str, direction: Direction | None) -> Outcome:
    if answered:
        return Outcome.SUCCESS
    return _why(reason, direction) if direction is Direction.OUT else Outcome.MISSED


def _why(reason: str, direction: Direction | None) -> Outcome:
    """Why nobody answered."""
    found = next((_REASONS[reason[:size]] for size in (4, 3, 2, 1) if reason[:size] in _REASONS), Outcome.NO_ANSWER)
    return Outcome.MISSED if found is Outcome.NO_ANSWER and direction is Direction.IN else found


# ------------------------------------------------------------------ to Mango


def originate(account: Account, click: Click, door: PbxClient) -> PlacedCall:
    """The callback: it rings the employee first. Its events give our reference back, so that it names no call."""
    number, line = _NUMBER.fullmatch(click.number), _NUMBER.fullmatch(click.line or "")
    # What is wrong would keep everybody from calling for two minutes.
    if not _EXTENSION.fullmatch(click.extension):
        raise BadInputError("Mango calls only extensions of digits")
    if number is None or (click.line and line is None) or not _REFERENCE.fullmatch(click.reference):
        raise BadInputError("Mango calls only numbers of digits, and shows only such")
    asked: dict[str, Any] = {"command_id": click.reference, "from": {"extension": click.extension}}
    asked["to_number"] = number[1]
    if line is not None:
        asked["line_number"] = line[1]
    answer = _ask(account, door, "/commands/callback", asked, limit="callback", safe=False)
    # Whether it can be done is told later, at /result/callback.
    if answer.body.strip() and not isinstance(json_of(answer.body), dict):
        raise UnreachableError("Mango's answer can't be read")
    return PlacedCall()


def recording(account: Account, reference: str, door: PbxClient) -> Media:
    """Where the recording is this time: an address that is good for one download, and so is never kept."""
    if not _RECORDING.fullmatch(reference):
        raise BadInputError("that is no recording of Mango's")
    asked = {"recording_id": reference, "action": "download"}
    answer = _ask(account, door, "/queries/recording/post", asked, limit="recording", safe=True)
    location = answer.headers.get("location", "")
    if answer.status not in (301, 302, 303, 307) or not location:
        raise UnreachableError("Mango named no address of the recording")
    try:
        return Media(urljoin(_API.url(account, "/queries/recording/post"), location))
    except ValueError:
        raise UnreachableError("Mango named no address of the recording") from None


def extensions(account: Account, door: PbxClient) -> tuple[KnownExtension, ...]:
    """The employees that have a short number."""
    known = []
    for general, telephony in _users(account, door, {}):
        extension = _told_text(telephony, "extension")
        if extension:
            known.append(KnownExtension(extension, _told_text(general, "name")))
    return tuple(known)


def ping(account: Account, door: PbxClient) -> Check:
    """Whether the API takes key and salt: the employees are asked for, which changes nothing."""
    known = extensions(account, door)
    return Check("pbx", True, f"it answers, and has {len(known)} extensions")


def _users(
    account: Account, door: PbxClient, asked: Mapping[str, Any]
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """What is general of each employee, and what has to do with phones."""
    users = _API.read(_ask(account, door, "/config/users/request", asked, limit="users", safe=True)).get("users")
    for user in _API.rows(users):
        general, telephony = (
            part if isinstance(part, dict) else {} for part in map(user.get, ("general", "telephony"))
        )
        yield general, telephony


def _told_text(fields: Mapping[str, Any], name: str) -> str:
    try:
        return text(fields, name)
    except PayloadError:
        return ""


def history(account: Account, since: datetime, until: datetime, door: PbxClient) -> Iterator[CallEvent]:
    """The extended statistics: asked for, then fetched once they are ready; legs name employees by their ids."""
    asked = {"ext_fields": ["general.user_id"]}
    names = {
        _told_text(general, "user_id"): _told_text(telephony, "extension")
        for general, telephony in _users(account, door, asked)
    }
    begin = since
    while begin < until:
        end = min(until, begin + _SPAN)
        for row in _rows(account, door, begin - _UNSURE, end + _UNSURE):
            try:
                started = moment(need(row, "context_start_time"))
                if started is not None and begin <= started < end:
                    yield from _told(row, started, names)
            except PayloadError:
                # A row that can't be read is left out.
                continue
        begin = end


def _rows(account: Account, door: PbxClient, begin: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
    """All calls of that time, page by page."""
    form_of_time = "%d.%m.%Y %H:%M:%S"
    span = {
        "start_date": begin.astimezone(_ZONE).strftime(form_of_time),
        "end_date": end.astimezone(_ZONE).strftime(form_of_time),
    }
    for page in range(_MOST_PAGES):
        asked = {**span, "limit": _PAGE, "offset": page * _PAGE}
        key = _API.read(_ask(account, door, "/stats/calls/request/", asked, limit="stats", safe=True)).get("key")
        if not isinstance(key, str) or not key:
            raise UnreachableError("Mango's answer names no key of the statistics")
        rows = _result(account, door, key)
        yield from rows
        if len(rows) < _PAGE:
            return
    raise _API.too_long(_MOST_PAGES)


def _result(account: Account, door: PbxClient, key: str) -> Sequence[Mapping[str, Any]]:
    """The statistics of that key, once they are ready. The door waits between two questions, as LIMITS says."""
    for _ in range(_POLLS):
        answer = _ask(account, door, "/stats/calls/result/", {"key": key}, limit="result", safe=True)
        if answer.status == 204:
            continue
        said = _API.read(answer)
        status = _told_text(said, "status")
        if status == "complete":
            return _listed(said.get("data"))
        if status not in ("request", "work"):
            raise UnreachableError("Mango did not make the statistics")
    raise UnreachableError(f"Mango's statistics were not ready after {_POLLS} questions")


def _listed(data: object) -> Sequence[Mapping[str, Any]]:
    """The calls, which come in lists by day."""
    return [row for day in _API.rows(data) for row in _objects(day.get("list"))]


def _objects(said: object) -> list[Mapping[str, Any]]:
    return [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []


def _told(row: Mapping[str, Any], started: datetime, names: Mapping[str, str]) -> Iterator[CallEvent]:
    """One call of the statistics as events. Raises UnreadableError."""
    direction = _CONTEXTS.get(text(row, "context_type"))
    answered = (whole(row, "talk_duration") or 0) > 0
    is_out = direction is Direction.OUT
    caller = _short(names.get(text(row, "caller_id"), ""), row, "caller_number")
    other = _number(row, "called_number" if is_out else "caller_number")
    legs = [leg for leg in _legs(row) if text(leg, "call_end_time")]
    reason = text(legs[-1], "call_end_reason") if legs else ""
    summary = CallEvent(
        call_id=need(row, "entry_id"),
        kind=Kind.SUMMARY,
        # Before the one that was sent, which knows better.
        at=started,
        direction=direction,
        external=caller if direction is Direction.INTERNAL else other,
        line=_number(row, "called_number") or None if direction is Direction.IN else None,
        outcome=_outcome(answered, reason, direction),
        final=True,
        started_at=started,
    )
    answers = sorted((text(leg, "call_answer_time"), text(leg, "external_call_id")) for leg in legs)
    talked = [key for at, key in answers if at]
    handed_on = any(flag(leg, name) for leg in legs for name in ("BlindTransfer", "ConsultTransfer"))
    events = []
    for leg in legs:
        # Of a call that went out a leg is the caller's, unless it was handed on to an employee.
        is_callers = is_out and text(leg, "call_type") != "user"
        known = names.get(text(leg, "call_abonent_id"), "")
        extension = caller if is_callers else _short(known, leg, "call_abonent_number")
        is_callback = is_out and text(row, "context_init_type") in _CALLBACKS
        # Older statistics name no legs.
        key = _CALLBACK.format(extension) if is_callback else text(leg, "external_call_id") or extension
        events += _of_leg(replace(summary, leg=key, extension=extension or None), leg)
        if handed_on and key in talked[:-1]:
            events.append(replace(events[-1], kind=Kind.TRANSFERRED, outcome=None, talk_seconds=None))
        events += _recordings(summary, leg)
    ended_at = started + timedelta(seconds=whole(row, "duration") or 0)
    yield from _last(summary, answered, ended_at)
    yield from events


def _legs(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The legs of a call: of a group, those of its members."""
    for leg in _objects(row.get("context_calls")):
        if text(leg, "call_type") == "group":
            yield from _objects(leg.get("members"))
        else:
            yield leg


def _of_leg(event: CallEvent, leg: Mapping[str, Any]) -> list[CallEvent]:
    """One leg from its ring to its end, at times that fit the webhook's: a ring is its first word, an end its last."""
    begun, answered, ended = (moment(text(leg, f"call_{name}_time")) for name in ("start", "answer", "end"))
    event = replace(event, outcome=None, final=False, started_at=None, line=None)
    events = []
    if begun is not None:
        events.append(replace(event, kind=Kind.RINGING, at=begun + timedelta(milliseconds=1)))
    if answered is not None:
        events.append(replace(event, kind=Kind.ANSWERED, at=answered + timedelta(milliseconds=2)))
    if ended is not None:
        reason = text(leg, "call_end_reason")
        outcome = Outcome.SUCCESS if answered is not None else _outcome_of_leg(reason, event.direction)
        talked = whole(leg, "talk_duration") if answered is not None else 0
        at = ended + timedelta(milliseconds=499)
        events.append(replace(event, kind=Kind.ENDED, at=at, outcome=outcome, talk_seconds=talked))
    return events


def _recordings(event: CallEvent, leg: Mapping[str, Any]) -> Iterator[CallEvent]:
    named = leg.get("recording_id")
    for reference in named if isinstance(named, list) else []:
        if isinstance(reference, str) and _RECORDING.fullmatch(reference):
            yield CallEvent(call_id=event.call_id, kind=Kind.RECORDED, at=event.at, recording=reference)


def _ask(
    account: Account, door: PbxClient, path: str, asked: Mapping[str, Any], *, safe: bool, limit: str = ""
) -> Response:
    """One request, signed; its answer unless that is a refusal.

    Raises BadInputError in words of our own, TooManyError while Mango takes no requests, UnreachableError if it fails.
    """
    key, salt = _API.login(account)
    said = json.dumps(asked, ensure_ascii=False, separators=(",", ":"))
    form = {"vpbx_api_key": key, "sign": signature(key, said, salt), "json": said}
    answer = _API.send(account, door, "POST", path, headers={}, form=form, limit=limit, safe=safe)
    told = json_of(answer.body)
    _check(answer, told if isinstance(told, dict) else {}, door)
    return answer


def _check(answer: Response, said: Mapping[str, Any], door: PbxClient) -> None:
    """Raises what an answer says that went wrong; the codes outweigh the status, which the vendor mixes up."""
    code = _code(said)
    if code.startswith("3"):
        # A recording that is still not there would be the second wrong request, and nobody could call any more.
        door.hold("recording", _BLOCK_SECONDS)
    if answer.status == 401:
        raise TooManyError(_BLOCKED)
    if _told_text(said, "status") == "429" or code == "4290":
        raise _API.too_many(door)
    if code in _NOT_OURS:
        raise BadInputError(f"Mango does not take vpbx_api_key and vpbx_api_salt ({code})")
    if code.startswith("5") or (answer.status >= 500 and not code):
        raise UnreachableError(f"Mango answers that it fails itself ({code or answer.status})")
    if answer.status >= 400 or code.startswith(("2", "3", "4")):
        raise _API.refused(Refusal(_in_words(code), code), answer.status)


def _code(said: Mapping[str, Any]) -> str:
    """The code of a result, of four digits; "" if there is none."""
    found = (_told_text(said, name) for name in ("result", "code"))
    return next((code for code in found if re.fullmatch(r"[1-9][0-9]{3}", code, re.ASCII)), "")


def _in_words(code: str) -> str:
    known = {
        "2": "the account or its tariff does not allow it",
        "3124": "calls can't be made from that line",
        "332": "it has no such recording yet, or none any more",
        "333": "no employee has that extension",
        "3": "it takes the request for wrong",
        "4": "it can't be done now",
    }
    return next((known[code[:size]] for size in (4, 3, 1) if code[:size] in known), "see its list of codes")
