"""RingCentral: a notification for each step of each party of a telephony session, with a token that we chose.

Fields are those of the vendor's guides (account-telephony-sessions, telephony-session-notifications) and of sessions
that it published as they came. A party is told with the internal id of its extension, which is no number that anybody
dials: the setting `extensions` says whose number it is. Legs are named by extension, not by party: the call log, which
tells again what was lost, need not name parties, and an outgoing call is told by both of its parties alike.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import BadInputError, UnreachableError
from hangtag.limits import Limit, Token
from hangtag.providers.asking import Api, Refusal, basic
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
    WebhookResponse,
)
from hangtag.providers.reading import believed, json_object, moment, need, same, text, whole, words

HOSTS = ("ringcentral.com",)
MEDIA_HOSTS = HOSTS
# It is in the call log half a minute after the call at the latest.
RECORDING_AFTER = 60.0
# How it tells, in a click, that the employee picked up.
PICK_UP = "told"
# What a user may ask in a minute, by the vendor's groups of requests.
LIMITS = {"heavy": Limit(10, 60), "medium": Limit(40, 60), "light": Limit(50, 60), "auth": Limit(5, 60)}

_API = Api("RingCentral", "https://platform.ringcentral.com", ("client_id", "client_secret", "jwt"))
_ACCOUNT = "/restapi/v1.0/account/~"
_SUBSCRIPTION = "/restapi/v1.0/subscription"
_SESSIONS = "/telephony/sessions"
_ECHO = re.compile(r"[!-~]{1,256}")
# What is dialled to have the PBX do something: *801 fetches a parked call. A number behind such a code is longer.
_FEATURE = re.compile(r"\*[0-9]{1,7}")
_MAX_PARTIES = 50
# Of an outgoing call both parties' events are of one leg; the caller of an incoming one has a leg of its own.
_OUT, _CALLER = "out", "caller"
# Subscriptions are made for a month, and renewed in its last week.
_SUBSCRIBED = 30 * 86400
_RENEWED = 7 * 86400
# Records with their legs. Ten such requests a minute are few: a busy account's days must come in time.
_PAGE = 250
_EXTENSIONS_PAGE = 1000
_MOST_PAGES = 100
# So long after a call its recording is looked for.
_KEPT = timedelta(days=90)
_NAMED = 40

_CODES = {
    "Setup": Kind.RINGING,
    "Proceeding": Kind.RINGING,
    "Answered": Kind.ANSWERED,
    "Disconnected": Kind.ENDED,
    "Gone": Kind.ENDED,
    # Whoever calls talks to a machine; for the employee it is over.
    "VoiceMail": Kind.ENDED,
    "VoiceMailScreening": Kind.ENDED,
    "Voicemail": Kind.ENDED,
    "VMScreening": Kind.ENDED,
    "FaxReceive": None,
    "Hold": None,
    "Parked": None,
}
_VOICE_MAIL = ("VoiceMail", "VoiceMailScreening", "Voicemail", "VMScreening")
# The party left, and the call goes on: with somebody else, on another phone, or parked. Each is of a party that talked.
_TRANSFERS = (
    *("BlindTransfer", "AttendedTransfer", "RccTransfer", "DtmfTransfer"),
    *("CallFlip", "CallSwitch", "CallPark", "ParkLocation"),
)
# Sessions that RingCentral makes of its own accord with an employee: nobody calls.
_NO_CALLS = ("GreetingsRecording", "VerificationCall", "TestCall")
# A supervisor listens; the call goes on.
_SUPERVISED = "Supervising"
# Why a party left. Where that depends on whether it had answered, nothing is said: CallFinished, CallDropped, Pickup.
_REASONS = {
    "TargetBusy": Outcome.BUSY,
    "Rejected": Outcome.BUSY,
    "NoAnswer": Outcome.NO_ANSWER,
    "Timeout": Outcome.NO_ANSWER,
    "Voicemail": Outcome.NO_ANSWER,
    "Cancelled": Outcome.CANCELLED,
    "InvalidNumber": Outcome.UNAVAILABLE,
    "NoSuchUser": Outcome.UNAVAILABLE,
    "InternationalDisabled": Outcome.NOT_ALLOWED,
    "DestinationBlocked": Outcome.NOT_ALLOWED,
    "NotEnoughFunds": Outcome.NOT_ALLOWED,
    "InternalError": Outcome.FAILED,
    # Somebody else, or something else, has the call now.
    "AgentAnswered": Outcome.CANCELLED,
    "CallRedirected": Outcome.CANCELLED,
    "CallReplied": Outcome.CANCELLED,
    "CallerInputRedirect": Outcome.CANCELLED,
}
# What the call log says of an outgoing call, where it can't be mistaken. In lower case.
_RESULTS = {
    "call connected": Outcome.SUCCESS,
    "accepted": Outcome.SUCCESS,
    "busy": Outcome.BUSY,
    "wrong number": Outcome.UNAVAILABLE,
    "international disabled": Outcome.NOT_ALLOWED,
    "international restricted": Outcome.NOT_ALLOWED,
    "restricted number": Outcome.NOT_ALLOWED,
    "not allowed": Outcome.NOT_ALLOWED,
    "no calling credit": Outcome.NOT_ALLOWED,
    "suspended account": Outcome.NOT_ALLOWED,
    "internal error": Outcome.FAILED,
    "call failed": Outcome.FAILED,
    "call failure": Outcome.FAILED,
}
_IN_PROGRESS = "in progress"


# ------------------------------------------------------------------ from RingCentral: is it genuine


def handshake(request: WebhookRequest) -> WebhookResponse | None:
    """An empty request whose Validation-Token is given back. With a body it is an event, whatever its headers are."""
    token = request.headers.get("validation-token", "")
    if request.method != "POST" or request.body or not _ECHO.fullmatch(token):
        return None
    return WebhookResponse(200, "{}", headers={"Validation-Token": token})


def verify(request: WebhookRequest, trust: VerificationKeys) -> None:
    """The token that the subscription was made with, in the header Verification-Token, or Validation-Token."""
    secrets = [secret for secret in trust.credentials.get("verification_token", ()) if secret]
    good = same(request.headers.get("verification-token", ""), secrets)
    good |= same(request.headers.get("validation-token", ""), secrets)
    if not good:
        raise SignatureError("wrong or missing Verification-Token: was the subscription made by Hangtag?")


# ------------------------------------------------------------------ from RingCentral: what it says


@dataclass(frozen=True, slots=True)
class _Session:
    """What all parties of a notification have in common. `numbers` are extensions by their internal ids."""

    call_id: str
    at: datetime
    at_is_arrival: bool
    origin: str
    numbers: Mapping[str, str]

    def event(self, kind: Kind, direction: Direction) -> CallEvent:
        """An event of this call."""
        return CallEvent(
            call_id=self.call_id, kind=kind, at=self.at, at_is_arrival=self.at_is_arrival, direction=direction
        )

    def extension(self, extension_id: str) -> str:
        """Whose number an id is; itself if that is not known, "" if it is a queue's or a menu's."""
        return self.numbers.get(extension_id, extension_id)


@dataclass(frozen=True, slots=True)
class _Party:
    """One party. `own` is the internal id of its extension, `linked` the session that it went to."""

    code: str
    reason: str
    own: str
    way: str
    role: str
    from_id: str
    from_number: str
    to_id: str
    to_number: str
    linked: str
    missed: bool
    recorded: bool


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
    """One notification: what became of one or more parties of a session."""
    fields = json_object(request)
    if _SESSIONS not in text(fields, "event", 2048):
        return ParseResult(unknown=True)
    body = _inner(fields, "body")
    parties = body.get("parties", [])
    if (
        not isinstance(parties, list)
        or len(parties) > _MAX_PARTIES
        or not all(isinstance(one, dict) for one in parties)
    ):
        raise PayloadError("parties is no list of objects")
    session = _session(body, request, settings)
    if session.origin in _NO_CALLS:
        return ParseResult()
    read = [_party(one) for one in parties]
    events = tuple(event for party in read if party.code in _CODES for event in _events(session, party))
    return ParseResult(events, unknown=any(party.code not in _CODES for party in read))


def _inner(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object within another; an absent one is empty."""
    found = fields.get(name)
    if found is not None and not isinstance(found, dict):
        raise PayloadError(f"{name} is no object")
    return found or {}


def _session(body: Mapping[str, Any], request: WebhookRequest, settings: Mapping[str, Any]) -> _Session:
    told = believed(moment(text(body, "eventTime")), request.arrived_at)
    # Times are milliseconds: what happened in the same one is put in order by its number.
    order = timedelta(microseconds=min(whole(body, "sequence") or 0, 999)) if told is not None else timedelta()
    return _Session(
        call_id=need(body, "telephonySessionId"),
        at=(told or request.arrived_at) + order,
        at_is_arrival=told is None,
        origin=text(_inner(body, "origin"), "type"),
        numbers=_numbers(str(settings.get("extensions") or "")),
    )


def _party(said: Mapping[str, Any]) -> _Party:
    status, caller, called = _inner(said, "status"), _inner(said, "from"), _inner(said, "to")
    recordings = said.get("recordings")
    return _Party(
        code=text(status, "code"),
        reason=text(status, "reason"),
        own=text(said, "extensionId", 64),
        way=text(said, "direction"),
        role=text(said, "ringOutRole") or text(said, "ringMeRole"),
        from_id=text(caller, "extensionId", 64),
        from_number=text(caller, "phoneNumber", 64),
        to_id=text(called, "extensionId", 64),
        to_number=text(called, "phoneNumber", 64),
        linked=text(_inner(status, "peerId"), "telephonySessionId"),
        missed=said.get("missedCall") is True,
        recorded=isinstance(recordings, list) and bool(recordings),
    )


@lru_cache(maxsize=64)
def _numbers(entered: str) -> Mapping[str, str]:
    """The setting `extensions`: "400144455008=101, 400144456008=" by id."""
    pairs = (one.partition("=") for one in entered.split(","))
    return {extension_id.strip(): number.strip() for extension_id, _, number in pairs if extension_id.strip()}


def _events(session: _Session, party: _Party) -> Iterator[CallEvent]:
    """What a step of a party says of the call, by what the party is to it."""
    told = _CODES[party.code]
    if told is Kind.ENDED and party.reason in _TRANSFERS and party.code not in _VOICE_MAIL:
        told = Kind.TRANSFERRED
    if told is not None and not (party.code == "Gone" and party.reason == _SUPERVISED):
        is_ring_out = session.origin in ("RingOut", "RingMe")
        event = _of_ring_out(session, party, told) if is_ring_out else _of_call(session, party, told)
        if event is not None:
            elsewhere = party.code == "Gone" and party.linked not in ("", session.call_id)
            yield replace(event, linked_call_id=party.linked) if elsewhere else event
    if party.recorded and party.code in ("Disconnected", "Gone"):
        # The call's recordings are looked up by the call.
        yield replace(session.event(Kind.RECORDED, Direction.IN), direction=None, recording=session.call_id)


def _of_call(session: _Session, party: _Party, kind: Kind) -> CallEvent | None:
    """A party of a call that somebody dialled."""
    if party.way == "Outbound":
        return _of_dialling(session, party, kind) if party.own else _of_caller(session, party, kind)
    if party.own:
        return _of_rung(session, party, kind)
    # A phone outside: an employee calls it, or it is one that a call is forwarded to.
    return _of_dialling(session, party, kind) if party.from_id else None


def _of_caller(session: _Session, party: _Party, kind: Kind) -> CallEvent | None:
    """Who calls from outside. That it is answered says only that a menu, a queue or an employee was reached."""
    if kind is Kind.ANSWERED or party.code in _VOICE_MAIL:
        return None
    event = replace(_from_outside(session, party, kind), leg=_CALLER)
    return event if kind is Kind.RINGING else replace(event, kind=Kind.ENDED, outcome=Outcome.CANCELLED, final=True)


def _of_rung(session: _Session, party: _Party, kind: Kind) -> CallEvent | None:
    """An employee's extension that an incoming call was led to; or a queue's, or a menu's, which nobody is."""
    extension = session.extension(party.own)
    if not extension or party.code == "Setup":
        # Rules are looked at; no phone rings yet.
        return None
    if party.from_id and party.from_id != party.own:
        event = session.event(kind, Direction.INTERNAL)
        event = replace(event, external=party.from_number or session.extension(party.from_id))
    else:
        event = _from_outside(session, party, kind)
    event = replace(event, leg=party.own)
    if kind is not Kind.ENDED:
        return replace(event, extension=extension)
    # A menu that was never rung has an end too: that it has an extension must not be known by it.
    outcome = Outcome.MISSED if party.missed or party.code in _VOICE_MAIL else _REASONS.get(party.reason)
    kept = Outcome.MISSED if outcome not in (None, Outcome.CANCELLED) else outcome
    return replace(event, outcome=kept)


def _from_outside(session: _Session, party: _Party, kind: Kind) -> CallEvent:
    event = session.event(kind, Direction.IN)
    return replace(event, external=_number(party.from_number), line=_line(party.to_number))


def _of_dialling(session: _Session, party: _Party, kind: Kind) -> CallEvent:
    """An employee who calls somebody, or whom one calls: both tell the same, and the employee's end is the call's."""
    # Who has the PBX do something calls nobody outside.
    internal = party.to_id or _FEATURE.fullmatch(party.to_number)
    event = replace(
        session.event(kind, Direction.INTERNAL if internal else Direction.OUT),
        leg=_OUT,
        external=party.to_number or session.extension(party.to_id),
        line=_line(party.from_number),
        extension=session.extension(party.own or party.from_id) or None,
    )
    ended = kind is Kind.ENDED
    return replace(event, outcome=_REASONS.get(party.reason), final=bool(party.own)) if ended else event


def _of_ring_out(session: _Session, party: _Party, kind: Kind) -> CallEvent | None:
    """RingOut, a click's too: it rings the employee's own phone as if the contact called, then the contact."""
    event = replace(session.event(kind, Direction.OUT), leg=_OUT)
    if party.role == "Target" or (not party.role and not party.own):
        event = replace(event, external=party.to_number, line=_line(party.from_number))
        return replace(event, outcome=_REASONS.get(party.reason)) if kind is Kind.ENDED else event
    turned = party.way == "Inbound"
    event = replace(
        event,
        external=party.from_number if turned else party.to_number,
        extension=session.extension(party.own) or None,
    )
    if kind is Kind.ANSWERED:
        return replace(event, kind=Kind.PICKED_UP)
    # How it went says the contact's party; without one, that nobody picked up.
    return replace(event, final=True) if kind is Kind.ENDED else event


def _number(said: str) -> str:
    """A caller's number; "" if it is withheld: a word, or nothing."""
    return said if any(character in "123456789" for character in said) else ""


def _line(said: str) -> str | None:
    """An own number; a short one is an extension's."""
    return said if len(said) > 6 and _number(said) else None


# ------------------------------------------------------------------ to RingCentral: calls


def originate(account: Account, click: Click, door: PbxClient) -> PlacedCall:
    """RingOut: it rings a phone of the employee's, then the contact. Its answer names no session."""
    extension_id = _id_of(account, click.extension)
    phone = _phone(account, door, extension_id)
    asked: dict[str, Any] = {
        "from": {"phoneNumber": phone},
        "to": {"phoneNumber": click.number},
        "playPrompt": False,
    }
    if click.line:
        asked["callerId"] = {"phoneNumber": click.line}
    path = f"{_ACCOUNT}/extension/{extension_id}/ring-out"
    _ask(account, door, "POST", path, asked=asked, limit="heavy")
    return PlacedCall()


def _id_of(account: Account, extension: str) -> str:
    """The internal id of an extension, from the setting, or because it is one."""
    numbers = _numbers(str(account.settings.get("extensions") or ""))
    found = next((one for one, number in numbers.items() if number and number == extension), extension)
    if not re.fullmatch(r"[0-9]{1,20}", found) or (found == extension and len(found) < 7):
        raise BadInputError("the id of this extension is not known: enter it in the setting extensions")
    return found


def _phone(account: Account, door: PbxClient, extension_id: str) -> str:
    """The phone that RingOut rings: the extension's own, else the first of its forwarding numbers."""
    rows = _records(_ask(account, door, "GET", f"{_ACCOUNT}/extension/{extension_id}/forwarding-number"))
    phones = [(row.get("type") != "PhoneLine", row.get("phoneNumber")) for row in rows]
    found = sorted((other, number) for other, number in phones if isinstance(number, str) and number)
    if not found:
        raise BadInputError("the extension has no phone at RingCentral that RingOut could ring")
    return found[0][1]


def recording(account: Account, reference: str, door: PbxClient) -> Media:
    """The recording of a session: the call log says where it is. It is fetched with the access token."""
    asked = {
        "telephonySessionId": reference,
        "recordingType": "All",
        "dateFrom": _iso(datetime.now(UTC) - _KEPT),
        "view": "Simple",
    }
    rows = _records(_ask(account, door, "GET", f"{_ACCOUNT}/call-log?{urlencode(asked)}", limit="heavy"))
    kept = [row.get("recording") for row in rows if row.get("telephonySessionId") == reference]
    found = next((one["contentUri"] for one in kept if isinstance(one, dict) and one.get("contentUri")), None)
    if not isinstance(found, str):
        raise UnreachableError("RingCentral's call log holds no recording of this call: short ones are not kept")
    return Media(found, {"authorization": f"Bearer {_token(account, door)}"})


def history(account: Account, since: datetime, until: datetime, door: PbxClient) -> Iterator[CallEvent]:
    """The call log. It tells who took a call and when it began and ended, but not when it was answered."""
    asked = {"view": "Detailed", "type": "Voice", "dateFrom": _iso(since), "dateTo": _iso(until)}
    numbers = _numbers(str(account.settings.get("extensions") or ""))
    for row in _pages(account, door, f"{_ACCOUNT}/call-log", asked, _PAGE, "heavy"):
        try:
            yield from _logged(row, since, until, numbers)
        except PayloadError:
            continue


def _logged(
    row: Mapping[str, Any], since: datetime, until: datetime, numbers: Mapping[str, str]
) -> Iterator[CallEvent]:
    """One record of the call log as events; nothing of a call that goes on, or is among employees."""
    span, result = _span(row), text(row, "result").lower()
    is_out = text(row, "direction") == "Outbound"
    caller, called = _inner(row, "from"), _inner(row, "to")
    other = called if is_out else caller
    if span is None or not since <= span[0] < until or result == _IN_PROGRESS or _is_own(other):
        return
    event = CallEvent(
        call_id=need(row, "telephonySessionId"),
        kind=Kind.ENDED,
        at=span[1],
        direction=Direction.OUT if is_out else Direction.IN,
        external=_number(text(other, "phoneNumber", 64)),
        line=_line(text(caller if is_out else called, "phoneNumber", 64)),
        started_at=span[0],
        final=True,
    )
    if is_out:
        extension_id = next((_extension_of(one) for one in (*_legs(row), row) if _extension_of(one)), "")
        extension_id = extension_id or text(caller, "extensionId", 64)
        extension = numbers.get(extension_id, extension_id) or None
        yield replace(event, leg=_OUT, extension=extension, outcome=_RESULTS.get(result))
    else:
        yield from _logged_legs(event, row, numbers)
    if isinstance(row.get("recording"), dict):
        yield CallEvent(call_id=event.call_id, kind=Kind.RECORDED, at=event.at, recording=event.call_id)


def _logged_legs(event: CallEvent, row: Mapping[str, Any], numbers: Mapping[str, str]) -> Iterator[CallEvent]:
    """An incoming call: who took it; if nobody did, whom it rang. A queue or a menu is nobody."""
    ends: dict[str, tuple[datetime, bool]] = {}
    for leg in _legs(row):
        span, extension_id = _span(leg), _extension_of(leg)
        # Once they are entered, only those that are entered are known for employees.
        if span is None or not extension_id or not (numbers.get(extension_id) if numbers else extension_id):
            continue
        before = ends.get(extension_id, (span[1], False))
        took = text(leg, "result").lower() in ("accepted", "call connected")
        ends[extension_id] = max(before[0], span[1]), before[1] or took
    answered = any(took for _, took in ends.values())
    for extension_id, (end, took) in ends.items():
        if took or not answered:
            yield replace(
                event,
                at=end,
                leg=extension_id,
                extension=numbers.get(extension_id, extension_id),
                outcome=Outcome.SUCCESS if took else None,
                final=False,
            )
    if ends:
        yield replace(event, kind=Kind.SUMMARY)
    else:
        yield replace(event, leg=_CALLER, outcome=Outcome.CANCELLED)


def _legs(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    legs = row.get("legs")
    return [leg for leg in legs if isinstance(leg, dict)] if isinstance(legs, list) else []


def _extension_of(row: Mapping[str, Any]) -> str:
    """On whose behalf a call, or a leg of it, was."""
    return text(_inner(row, "extension"), "id", 64)


def _span(row: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    """From when to when; the waiting is part of it."""
    begun, exact = moment(text(row, "startTime")), whole(row, "durationMs")
    seconds = whole(row, "duration") or 0 if exact is None else exact / 1000
    with suppress(OverflowError):
        return (begun, begun + timedelta(seconds=seconds)) if begun is not None else None
    return None


def _is_own(said: Mapping[str, Any]) -> bool:
    feature = _FEATURE.fullmatch(text(said, "phoneNumber", 64))
    return bool(feature or text(said, "extensionNumber", 64) or text(said, "extensionId", 64))


# ------------------------------------------------------------------ to RingCentral: the account


def extensions(account: Account, door: PbxClient) -> tuple[KnownExtension, ...]:
    """The users, by the number that is entered for them, else by their internal id."""
    numbers = _numbers(str(account.settings.get("extensions") or ""))
    named = ((numbers.get(one, one), f"{name} ({number})") for one, number, name in _listed(account, door) if number)
    return tuple(KnownExtension(known, name) for known, name in named if known)


def _listed(account: Account, door: PbxClient) -> Iterator[tuple[str, str, str]]:
    """Internal id, number and name of each extension; the number is "" if it is nobody's, but a queue's or a menu's."""
    for row in _pages(account, door, f"{_ACCOUNT}/extension", {"status": "Enabled"}, _EXTENSIONS_PAGE, "medium"):
        try:
            kind = text(row, "type")
            is_users = kind.endswith("User") or kind == "Limited"
            yield need(row, "id", 64), text(row, "extensionNumber", 64) if is_users else "", text(row, "name")
        except PayloadError:
            continue


def ping(account: Account, door: PbxClient) -> Check:
    """Whether the credentials are taken; and what is to be entered as `extensions`, ready to be copied."""
    numbers = _numbers(str(account.settings.get("extensions") or ""))
    # Users come first: of a long list a part is told.
    listed = sorted(_listed(account, door), key=lambda one: not one[1])
    absent = [f"{extension_id}={number}" for extension_id, number, _ in listed if extension_id not in numbers]
    known = f"it answers, and has {sum(1 for _, number, _ in listed if number)} users"
    if not absent:
        return Check("pbx", True, known)
    return Check("pbx", True, f"{known}; not entered in the setting extensions: {', '.join(absent[:_NAMED])}")


def set_up(account: Account, secrets: Mapping[str, str], door: PbxClient) -> Check:
    """Subscribe: RingCentral asks the address at once whether it is ours, and posts there from then on."""
    _subscribe(account, secrets.get("verification_token", ""), door)
    return Check("set_up", True, "RingCentral took the address, and posts all calls of the account there")


def look_after(account: Account, door: PbxClient) -> Check:
    """See to it that the account is subscribed to.

    A subscription ends by itself, and is stopped for good (Blacklisted) when the address failed; then it must be
    deleted and made anew. Those of other addresses are not ours to touch.
    """
    if not account.webhook_url:
        raise BadInputError("the webhook's address is not known: rotate it")
    ours = [one for one in _records(_ask(account, door, "GET", _SUBSCRIPTION)) if _address(one) == account.webhook_url]
    good = next((one for one in ours if one.get("status") == "Active" and _left(one) > 0 and not _is_deaf(one)), None)
    if good is not None:
        if _left(good) > _RENEWED:
            return Check("look_after", True, "RingCentral posts: the subscription is active")
        _ask(account, door, "POST", f"{_path(good)}/renew", safe=True)
        return Check("look_after", True, "the subscription was about to end, and was renewed")
    for one in ours:
        # One that ended may be listed, and be gone all the same.
        with suppress(BadInputError):
            _ask(account, door, "DELETE", _path(one), limit="medium", safe=True)
    _subscribe(account, account.credentials.get("verification_token", ""), door)
    why = f"was {str(ours[0].get('status', ''))[:40] or 'over'}" if ours else "was gone"
    return Check("look_after", True, f"the subscription {why}, and was made anew; calls since then come by the history")


def _subscribe(account: Account, token: str, door: PbxClient) -> None:
    if not token:
        raise BadInputError("verification_token is not known: rotate the webhook's address, with the secrets")
    mode = {"transportType": "WebHook", "address": account.webhook_url, "verificationToken": token}
    asked = {"eventFilters": [_ACCOUNT + _SESSIONS], "deliveryMode": mode, "expiresIn": _SUBSCRIBED}
    if _is_deaf(_ask(account, door, "POST", _SUBSCRIPTION, asked=asked, limit="medium")):
        raise BadInputError("RingCentral tells this user of no calls: has the app Call Control, is the user an admin?")


def _is_deaf(row: Mapping[str, Any]) -> bool:
    """Of what its user may not know an active subscription tells nothing."""
    return bool(row.get("disabledFilters"))


def _address(row: Mapping[str, Any]) -> object:
    mode = row.get("deliveryMode")
    return mode.get("address") if isinstance(mode, dict) else None


def _left(row: Mapping[str, Any]) -> float:
    """For how many seconds a subscription still stands."""
    seconds = row.get("expiresIn")
    return float(seconds) if type(seconds) is int else 0.0


def _path(row: Mapping[str, Any]) -> str:
    return f"{_SUBSCRIPTION}/{quote(str(row.get('id', '')), safe='')}"


# ------------------------------------------------------------------ to RingCentral: how it is asked


def _pages(
    account: Account, door: PbxClient, path: str, asked: Mapping[str, str], size: int, limit: str
) -> Iterator[Mapping[str, Any]]:
    """The rows of all pages of a list."""
    for page in range(1, _MOST_PAGES + 1):
        query = urlencode({**asked, "perPage": str(size), "page": str(page)})
        answer = _ask(account, door, "GET", f"{path}?{query}", limit=limit)
        yield from _records(answer)
        following = answer.get("navigation")
        if not (isinstance(following, dict) and following.get("nextPage")):
            return
    raise _API.too_long(_MOST_PAGES)


def _records(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return _API.rows(answer.get("records"))


def _ask(
    account: Account,
    door: PbxClient,
    method: str,
    path: str,
    *,
    asked: Mapping[str, Any] | None = None,
    limit: str = "light",
    safe: bool | None = None,
) -> Mapping[str, Any]:
    """One request with the access token; if that is refused, once more with a fresh one. Raises as `Api.said` does."""

    def send() -> Response:
        headers = {"authorization": f"Bearer {_token(account, door)}"}
        return _API.send(account, door, method, path, headers=headers, asked=asked, limit=limit, safe=safe)

    answer = send()
    if answer.status == 401:
        door.forget(_token_name(account))
        answer = send()
    return _API.said(answer, _why)


def _why(said: Mapping[str, Any], status: int) -> Refusal:  # noqa: ARG001
    """RingCentral's own words."""
    return Refusal(words(said.get("message") or said.get("error_description")))


def _token(account: Account, door: PbxClient) -> str:
    """The access token, good for an hour or two; five may be asked for a minute."""
    return door.token(_token_name(account), lambda: _fresh(account, door))


def _token_name(account: Account) -> str:
    """Other credentials have other tokens."""
    said = "|".join(account.credentials.get(name, "") for name in _API.logins)
    return f"access-{hashlib.sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _fresh(account: Account, door: PbxClient) -> Token:
    client_id, client_secret, jwt = _API.login(account)
    headers = {"authorization": basic(client_id, client_secret)}
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": jwt}
    answer = _API.send(
        account, door, "POST", "/restapi/oauth/token", headers=headers, form=form, limit="auth", safe=True
    )
    # Here 400 is what it says to a login that it does not take.
    said = _API._replace(login_statuses=(400, 401)).said(answer, _why)
    token, seconds = said.get("access_token"), said.get("expires_in")
    if not isinstance(token, str) or not token or type(seconds) is not int:
        raise UnreachableError("RingCentral's answer holds no access token")
    return Token(token, float(seconds))


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
