"""sipgate.io push: forms signed with sipgate's own RSA key, which it publishes; and its REST API, v2.

Fields, the key and the REST calls as in the vendor's library (sipgateio 2.15.1) and the description of its push API.
Only calls whose first request is answered with addresses for the answer and the hang-up are told of any further.
"""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import BadInputError, UnreachableError
from hangtag.limits import Limit
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
    SignatureError,
    VerificationKeys,
    WebhookRequest,
    WebhookResponse,
)
from hangtag.providers.reading import LIST_SEPARATOR, form, moment, need, text, whole

HOSTS = ("sipgate.com", "sipgate.de")
# Without these it can't be asked to call.
ORIGINATES_WITH = ("token_id", "token")
# The vendor names no limit.
LIMITS = {"": Limit(60, 60)}

# What sipgate signs with, of all its customers: 4096 bits, RSA, as its library has it.
PUBLISHED_KEY = """-----BEGIN PUBLIC KEY-----
MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAvFdlnqRfO5TmqzjtsFVC
qPz+oW+poi3lXQFvMJJMEAtlU4MbX+yuIkgnC+Qt3AQWIK+oWSEQiybg+p39wEMl
16PZxEzf9gONQvTg1XhyHnwqYUFQj/AoxPKGYC3jmdjZ224SrESiTN3CdxoOc3vk
cXiQstYE7SxnksPtzfk0aIOkicim5/tAP9izNQ18/zmX3ChjK2k72gf5dDlq+qZ8
pRiHAPZ64TySH6cLQDhaoh6Nbq8FEG3usXXPClbUMh2DZaTMPafpd+LNuTngJ/y+
KoZasVuFfXAeBqGA6l5d4Uedfr99Z6qjwDrJ8sU4z2Do9bJrbuqP+mOXEebhSI1K
vi8trEfrIt8hnDBGsBaB9NEO3kYxvDT2/PhC9fNYFocjEpZNd7/mUqTJDYlpa4UC
NDQaU+ATdXG8/P5sGAegks6MQTu+qe9XTO0CV48eswDkz6g3UbLOwmrJK59SjD3J
yAZ52sluwyDKRWw/PPTt8BTQLjvkdbiLUlc4ehJ4b1X7D7diYWHDPeFL47cAvaXh
dXVrZDeBJYibvD1jRx4ES0KlfhwzNXBYUoM/Movg9zMM2PzyHHKS//xIjwUC/FJ6
/6eykno0Hy2B1ev6s3hdY6VkN2zd7Wf+EK4DxRliwsg1U99szFE3ewLfexF+Uag5
M+TfPtOUumI/NHMTvsRW9+ECAwEAAQ==
-----END PUBLIC KEY-----"""
_API = Api("sipgate", "https://api.sipgate.com", ORIGINATES_WITH)
_LIMITS = {"callId": 128, "origCallId": 128, "originalCallId": 128, "from": 128, "to": 128, "user[]": 2048}
_LIMITS |= {"userId[]": 512, "userId": 64, "answeringNumber": 128, "cause": 32}
_DIRECTIONS = {"in": Direction.IN, "out": Direction.OUT}
_CAUSES = {
    "normalclearing": Outcome.SUCCESS,
    "busy": Outcome.BUSY,
    "cancel": Outcome.CANCELLED,
    "noanswer": Outcome.NO_ANSWER,
    "notfound": Outcome.UNAVAILABLE,
    "congestion": Outcome.FAILED,
}
_STATUSES = {
    "SUCCESS": Outcome.SUCCESS,
    "BUSY": Outcome.BUSY,
    "BUSY_ON_BUSY": Outcome.BUSY,
    "REJECTED": Outcome.BUSY,
    "REJECTED_DND": Outcome.BUSY,
    "MISSED": Outcome.NO_ANSWER,
    "FAILURE": Outcome.FAILED,
}
# Whoever made an outgoing call is told at its beginning only: all of it is one leg.
_OUT = "out"
_VOICEMAIL = "voicemail"
_FORWARDED = "forwarded"
_XML = "application/xml"
_NOTHING = WebhookResponse(200, "<Response/>", _XML)
_PAGE = 500
_MOST_PAGES = 100
# No call rings for longer: so much later than the talk is long it may have ended.
_RINGS_AT_MOST = timedelta(hours=1)


# ------------------------------------------------------------------ from the PBX


def verify(request: WebhookRequest, trust: VerificationKeys) -> None:
    """X-Sipgate-Signature: base64 of RSA-SHA256 over the body as it came, by sipgate's key or the one entered."""
    try:
        signature = base64.b64decode(request.headers.get("x-sipgate-signature", ""), validate=True)
    except ValueError:
        raise SignatureError("X-Sipgate-Signature is no base64") from None
    entered = [key for key in trust.credentials.get("public_key", ()) if key]
    if not any(_is_signed(key, signature, request.body) for key in entered or (PUBLISHED_KEY,)):
        raise SignatureError("wrong or missing X-Sipgate-Signature: if sipgate has a new key, enter it as public_key")


def _is_signed(key: str, signature: bytes, body: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    loaded = _loaded(key)
    if loaded is None or not signature:
        return False
    try:
        loaded.verify(signature, body, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=16)
def _loaded(key: str) -> Any:
    """The key of that PEM; None if it is none of RSA."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        loaded = load_pem_public_key(key.encode("utf-8", "surrogatepass"))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return loaded if isinstance(loaded, RSAPublicKey) else None


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
    """One request: newCall, answer, hangup, or the keys that were pressed."""
    fields = form(request, _LIMITS)
    name = need(fields, "event").lower()
    if name == "dtmf":
        return ParseResult(reply=_NOTHING)
    readers = {"newcall": _new_call, "answer": _answer, "hangup": _hang_up}
    reader = readers.get(name)
    if reader is None:
        return ParseResult(reply=_NOTHING, unknown=True)
    event = CallEvent(
        call_id=need(fields, "callId", _LIMITS["callId"]),
        kind=Kind.RINGING,
        at=request.arrived_at,
        at_is_arrival=True,
        direction=_DIRECTIONS.get(text(fields, "direction")),
    )
    outgoing = event.direction is Direction.OUT
    event = replace(
        event,
        external=_number(fields, "to" if outgoing else "from"),
        line=_number(fields, "from" if outgoing else "to") or None,
    )
    events = (*reader(fields, event, _users(settings)), *_linked(fields, event))
    return ParseResult(events, _go_on(request.url) if name == "newcall" else _NOTHING)


def _go_on(url: str) -> WebhookResponse:
    """Where to tell of the answer and the hang-up: where this came from. Without it, neither is told."""
    from html import escape

    where = escape(url)
    return WebhookResponse(200, f'<Response onAnswer="{where}" onHangup="{where}"/>', _XML)


def _number(fields: Mapping[str, Any], name: str) -> str:
    """A number; "" if it is withheld, which is written in letters."""
    said = text(fields, name, 128)
    return said if any(character in "123456789" for character in said) else ""


def _users(settings: Mapping[str, Any]) -> Mapping[str, str]:
    """The extensions by sipgate's ids of their users: w0=101, w1=102."""
    pairs = (pair.partition("=") for pair in str(settings.get("users") or "").replace(",", " ").split())
    return {user: extension for user, _, extension in pairs if user and extension}


def _new_call(fields: Mapping[str, str], event: CallEvent, users: Mapping[str, str]) -> tuple[CallEvent, ...]:
    """Whose phones ring, or who calls. A mailbox is nobody."""
    # As userId[], given for each, or as userId[][0] and so on: so it is in a request that sipgate itself has signed.
    lists = (text(fields, name, _LIMITS["userId[]"]) for name in fields if name.startswith("userId[]"))
    named = [user for said in lists for user in said.split(LIST_SEPARATOR) if user]
    found = [users.get(user, user) for user in dict.fromkeys(named)]
    if event.direction is Direction.OUT:
        begun: tuple[CallEvent, ...] = (replace(event, leg=_OUT, extension=found[0] if found else None),)
    else:
        begun = tuple(replace(event, leg=phone, extension=phone) for phone in found) or (event,)
        if text(fields, "user[]", _LIMITS["user[]"]).lower() == _VOICEMAIL:
            begun += (replace(event, kind=Kind.SUMMARY, outcome=Outcome.MISSED),)
    return begun


def _linked(fields: Mapping[str, str], event: CallEvent) -> tuple[CallEvent, ...]:
    """The call before, where this one goes on from another: each request of it says so."""
    before = text(fields, "origCallId", 128) or text(fields, "originalCallId", 128)
    if before in ("", event.call_id):
        return ()
    return (
        CallEvent(call_id=before, kind=Kind.SUMMARY, at=event.at, at_is_arrival=True, linked_call_id=event.call_id),
    )


def _answer(fields: Mapping[str, str], event: CallEvent, users: Mapping[str, str]) -> tuple[CallEvent, ...]:
    """Who took it. A mailbox is nobody."""
    if event.direction is Direction.OUT:
        return (replace(event, kind=Kind.ANSWERED, leg=_OUT),)
    user = text(fields, "userId", _LIMITS["userId"])
    if not user or _VOICEMAIL in text(fields, "answeringNumber", 128).lower():
        return ()
    extension = users.get(user, user)
    return (replace(event, kind=Kind.ANSWERED, leg=extension, extension=extension),)


def _hang_up(fields: Mapping[str, str], event: CallEvent, users: Mapping[str, str]) -> tuple[CallEvent, ...]:  # noqa: ARG001
    """The end of the whole call. Of one that was forwarded, and of no known cause, its legs say how it went.

    A forwarded one goes on as another call, which is told a moment later.
    """
    cause = text(fields, "cause", _LIMITS["cause"]).lower()
    found = _CAUSES.get(cause)
    if event.direction is not Direction.OUT and found is not None:
        mailbox = _VOICEMAIL in text(fields, "answeringNumber", 128).lower()
        found = Outcome.SUCCESS if found is Outcome.SUCCESS and not mailbox else Outcome.MISSED
    leg = _OUT if event.direction is Direction.OUT else ""
    talked = None if found in (Outcome.SUCCESS, None) else 0
    final = cause != _FORWARDED
    return (replace(event, kind=Kind.ENDED, leg=leg, outcome=found, talk_seconds=talked, final=final),)


# ------------------------------------------------------------------ to the PBX


def originate(account: Account, click: Click, door: PbxClient) -> PlacedCall:
    """Ring the employee's device, then the contact. The session's id is the call's."""
    device = _device(account, click.extension)
    asked = {"deviceId": device, "caller": device, "callee": click.number}
    if click.line:
        asked["callerId"] = click.line
    session = _ask(account, door, "POST", "/sessions/calls", asked).get("sessionId")
    if not isinstance(session, str) or not session:
        raise UnreachableError("sipgate's answer names no session")
    return PlacedCall(session)


def _device(account: Account, extension: str) -> str:
    """The device of an employee: as it is entered, else of user w0 the first, e0."""
    devices = _users({"users": account.settings.get("devices")})
    user = next((user for user, known in _users(account.settings).items() if known == extension), extension)
    found = devices.get(extension) or ("e" + user[1:] if user.startswith("w") else user)
    if not (found[:1].isalpha() and found[1:].isdigit() and found.isascii() and len(found) <= 16):
        raise BadInputError("the employee's device is not known: enter it in devices, as in 101=e0")
    return found


def recording(account: Account, reference: str, door: PbxClient) -> Media:  # noqa: ARG001 - the address is known
    """The address that the history has; sipgate's own host is shown the token."""
    own = reference.startswith(_API.base + "/")
    return Media(reference, {"authorization": _authorization(account)} if own else {})


def history(account: Account, since: datetime, until: datetime, door: PbxClient) -> Iterator[CallEvent]:
    """The calls of that time, and their recordings; rows that can't be read are left out."""
    users = _users(account.settings)
    asked = {"types": "CALL", "from": _stamp(since), "to": _stamp(until), "limit": str(_PAGE)}
    for page in range(_MOST_PAGES):
        path = f"/history?{urlencode({**asked, 'offset': page * _PAGE})}"
        rows = _API.rows(_ask(account, door, "GET", path).get("items"))
        for row in rows:
            yield from _told(row, users)
        if len(rows) < _PAGE:
            return
    raise _API.too_long(_MOST_PAGES)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _told(row: Mapping[str, Any], users: Mapping[str, str]) -> Iterator[CallEvent]:
    """One row as the end of its call, and its recordings; nothing if it can't be read."""
    try:
        began, call_id = moment(need(row, "created")), need(row, "callId", _LIMITS["callId"])
        talked, status = whole(row, "duration") or 0, text(row, "callStatus").upper()
        direction = Direction.OUT if text(row, "direction").upper().endswith("OUTGOING") else Direction.IN
        source, target = _number(row, "source"), _number(row, "target")
        changed = moment(text(row, "lastModified"))
    except PayloadError:
        return
    if began is None:
        return
    found = _STATUSES.get(status, Outcome.FAILED)
    if direction is Direction.IN and found is not Outcome.SUCCESS:
        found = Outcome.MISSED
    talked = talked if found is Outcome.SUCCESS else 0
    shortest = began + timedelta(seconds=talked)
    ended = changed if changed and shortest <= changed <= shortest + _RINGS_AT_MOST else shortest
    extension = _taken_by(row.get("endpoints"), users)
    yield CallEvent(
        call_id=call_id,
        kind=Kind.ENDED,
        at=ended,
        leg=_OUT if direction is Direction.OUT else extension or "",
        direction=direction,
        external=target if direction is Direction.OUT else source,
        line=(source if direction is Direction.OUT else target) or None,
        extension=extension,
        outcome=found,
        talk_seconds=talked,
        final=True,
        started_at=began,
    )
    if status.lower().startswith(_VOICEMAIL):
        # The webhook of its hang-up may have taken the mailbox for somebody.
        yield CallEvent(call_id=call_id, kind=Kind.SUMMARY, at=ended, outcome=Outcome.MISSED)
    recordings = row.get("recordings")
    for one in recordings if isinstance(recordings, list) else []:
        url = one.get("url") if isinstance(one, dict) else None
        if isinstance(url, str) and 0 < len(url) <= 2048:
            yield CallEvent(call_id=call_id, kind=Kind.RECORDED, at=ended, recording=url)


def _taken_by(endpoints: Any, users: Mapping[str, str]) -> str | None:
    """Whose call it was: of several endpoints the one that is said to have answered, else nobody's."""
    known = [one for one in endpoints if isinstance(one, dict)] if isinstance(endpoints, list) else []
    answered = [one for one in known if "answer" in str(one.get("type", "")).lower()]
    chosen = answered[:1] or (known if len(known) == 1 else [])
    inner = chosen[0].get("endpoint") if chosen else None
    user = inner.get("extension") if isinstance(inner, dict) else None
    return users.get(user, user)[:64] if isinstance(user, str) and user else None


def extensions(account: Account, door: PbxClient) -> tuple[KnownExtension, ...]:
    """The users, by their extensions where those are entered, else by sipgate's ids."""
    rows = _API.rows(_ask(account, door, "GET", "/users").get("items"))
    users = _users(account.settings)
    found = []
    for row in rows:
        user = row.get("id")
        if isinstance(user, str) and user:
            name = f"{row.get('firstname') or ''} {row.get('lastname') or ''}".strip()
            found.append(KnownExtension(users.get(user, user)[:64], name[:200]))
    return tuple(found)


def ping(account: Account, door: PbxClient) -> Check:
    """Whether the API takes the token: the account is asked for, which changes nothing."""
    if not _ask(account, door, "GET", "/account"):
        raise UnreachableError("sipgate's answer is of no account")
    return Check("pbx", True, "it answers, and takes the token")


def set_up(account: Account, secrets: Mapping[str, str], door: PbxClient) -> Check:  # noqa: ARG001 - none are made
    """Enter the webhook's address for calls of both directions; what else is set there stays."""
    if not account.credentials.get("token"):
        return Check("set_up", True, "token is not entered: enter the address at sipgate yourself")
    known = _ask(account, door, "GET", "/settings/sipgateio")
    _ask(
        account,
        door,
        "PUT",
        "/settings/sipgateio",
        {**known, "incomingUrl": account.webhook_url, "outgoingUrl": account.webhook_url},
    )
    return Check("set_up", True, "sipgate took the address, for incoming and outgoing calls")


def _authorization(account: Account) -> str:
    return basic(account.credentials.get("token_id", ""), account.credentials.get("token", ""))


def _ask(
    account: Account, door: PbxClient, method: str, path: str, asked: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    """One request; its JSON. Raises as `Api.said` does, in words of our own."""
    _API.login(account)
    headers = {"authorization": _authorization(account)}
    answer = _API.send(account, door, method, f"/v2{path}", headers=headers, asked=asked)
    return _API.said(answer, lambda _, status: Refusal(_REFUSALS.get(status, "")))


_REFUSALS = {
    400: "it takes the device, or the number, for none",
    402: "the account has no credit",
    403: "the token may not do that, or the device is another's",
    404: "there is nothing of that name",
}
