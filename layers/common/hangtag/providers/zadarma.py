"""Zadarma, and Novofon as its preset: forms named NOTIFY_…, signed over two or three of their fields.

Fields, signed strings and REST calls as in Zadarma's own PHP and Python clients (zadarma/user-api-v1 and
user-api-py-v1) and its OpenAPI file (zadarma/openapi). Where its prose differs from the clients, the clients are right.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import UnreachableError
from hangtag.limits import Limit
from hangtag.providers.asking import Api, in_its_words
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
from hangtag.providers.reading import believed, flag, form, moment, need, query, same, text, whole, zone

HOSTS = ("zadarma.com", "novofon.com")
MEDIA_HOSTS = HOSTS
# The vendor's client for PHP says 40 seconds after the end of the call.
RECORDING_AFTER = 40.0
# Without these it can't be asked to call.
ORIGINATES_WITH = ("api_key",)
LIMITS = {"": Limit(100, 60), "statistics": Limit(3, 60)}

_API = Api("Zadarma", "https://api.zadarma.com", ("api_key", "api_secret"))
# Of the presets that have other addresses.
_BASES = {"novofon": "https://api.novofon.com"}
_LIMITS = {"pbx_call_id": 256, "call_id_with_rec": 256, "caller_id": 64, "called_did": 64, "destination": 64}
_LIMITS |= {"internal": 32, "call_start": 40, "zd_echo": 256}
# The fields whose values, one after another, are signed.
_INCOMING = ("caller_id", "called_did", "call_start")
_OUTGOING = ("internal", "destination", "call_start")
_SIGNED = {
    "NOTIFY_START": _INCOMING,
    "NOTIFY_INTERNAL": _INCOMING,
    "NOTIFY_END": _INCOMING,
    "NOTIFY_ANSWER": ("caller_id", "destination", "call_start"),
    "NOTIFY_OUT_START": _OUTGOING,
    "NOTIFY_OUT_END": _OUTGOING,
    "NOTIFY_RECORD": ("pbx_call_id", "call_id_with_rec"),
}
# In lower case. The webhook says "failed" and the statistics "call failed"; what has to do with money or limits, and
# anything unknown, is a call that was not allowed.
_DISPOSITIONS = {
    "answered": Outcome.SUCCESS,
    "busy": Outcome.BUSY,
    "cancel": Outcome.CANCELLED,
    "no answer": Outcome.NO_ANSWER,
    "failed": Outcome.FAILED,
    "call failed": Outcome.FAILED,
    "unallocated number": Outcome.UNAVAILABLE,
}
# A recording may be fetched this long after the hang-up: it is made by then, by the vendor's own account.
RECORDING_DELAY = timedelta(seconds=40)
_LINK_SECONDS = 3600
_HISTORY_PAGE = 1000
_HISTORY_SPAN = timedelta(days=30)


# ------------------------------------------------------------------ from the PBX


def handshake(request: WebhookRequest) -> WebhookResponse | None:
    """The address is asked to give zd_echo back before it is used."""
    if request.method != "GET":
        return None
    try:
        echo = query(request, _LIMITS).get("zd_echo")
    except PayloadError:
        return None
    return WebhookResponse(200, echo, "text/plain; charset=utf-8") if echo is not None else None


def verify(request: WebhookRequest, trust: VerificationKeys) -> None:
    """The header Signature: base64 of the hexadecimal HMAC-SHA1 of the signed fields, under the API's secret."""
    fields = form(request, _LIMITS)
    names = _SIGNED.get(fields.get("event", ""))
    if names is None:
        # Nobody knows what of it would be signed.
        raise SignatureError("an event of this name can't be verified")
    message = "".join(fields.get(name, "") for name in names)
    good = [_signature(secret, message) for secret in trust.credentials.get("api_secret", ()) if secret]
    if not same(request.headers.get("signature", ""), good):
        raise SignatureError("wrong or missing Signature: is api_secret the one of this account?")


def _signature(secret: str, message: str) -> str:
    hexadecimal = hmac.digest(_bytes(secret), _bytes(message), "sha1").hex()
    return base64.b64encode(hexadecimal.encode()).decode()


def _bytes(said: str) -> bytes:
    return said.encode("utf-8", "surrogatepass")


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
    """One notification."""
    fields = form(request, _LIMITS)
    name = need(fields, "event")
    if name not in _SIGNED:
        return ParseResult(unknown=True)
    if name == "NOTIFY_RECORD":
        return ParseResult((_record(fields, request.arrived_at),))
    return ParseResult((_event(name, fields, request.arrived_at, str(settings.get("time_zone", ""))),))


def _event(name: str, fields: Mapping[str, str], arrived_at: datetime, time_zone: str) -> CallEvent:
    out = name.startswith("NOTIFY_OUT")
    ended = name.endswith("_END")
    direction = Direction.OUT if out else Direction.IN
    extension = text(fields, "internal") or None
    outcome = _outcome(text(fields, "disposition"), direction) if ended else None
    # The end of an incoming call that nobody took speaks of all legs; so does the beginning, which rings none yet.
    return CallEvent(
        call_id=need(fields, "pbx_call_id"),
        kind=Kind.ENDED if ended else Kind.ANSWERED if name == "NOTIFY_ANSWER" else Kind.RINGING,
        at=arrived_at,
        at_is_arrival=True,
        leg=extension or "",
        direction=direction,
        external=_number(fields, "destination" if out else "caller_id"),
        line=(text(fields, "caller_id" if out else "called_did") or None),
        extension=extension,
        outcome=outcome,
        talk_seconds=whole(fields, "duration") if outcome is Outcome.SUCCESS else 0 if ended else None,
        recording=(text(fields, "call_id_with_rec") or None) if ended and flag(fields, "is_recorded") else None,
        final=ended,
        started_at=believed(moment(text(fields, "call_start"), zone(time_zone)), arrived_at) if time_zone else None,
    )


def _record(fields: Mapping[str, str], arrived_at: datetime) -> CallEvent:
    return CallEvent(
        call_id=need(fields, "pbx_call_id"),
        kind=Kind.RECORDED,
        at=arrived_at,
        at_is_arrival=True,
        recording=need(fields, "call_id_with_rec"),
    )


def _number(fields: Mapping[str, str], name: str) -> str:
    """A number; a withheld one comes as a word, such as "anonymous" or "0"."""
    said = text(fields, name)
    return said if any(character in "123456789" for character in said) else ""


def _outcome(disposition: str, direction: Direction) -> Outcome | None:
    if not disposition:
        return None
    found = _DISPOSITIONS.get(disposition.lower(), Outcome.NOT_ALLOWED)
    if direction is Direction.IN and found is not Outcome.SUCCESS:
        return Outcome.MISSED
    return found


# ------------------------------------------------------------------ to the PBX


def originate(account: Account, click: Click, door: PbxClient) -> PlacedCall:
    """The callback: it rings `from` first, then `to`. Its answer names no call."""
    numbers = {"from": click.extension, "sip": click.extension, "to": click.number.removeprefix("+")}
    _ask(account, door, "GET", "/v1/request/callback/", numbers, safe=False)
    return PlacedCall()


def recording(account: Account, reference: str, door: PbxClient) -> Media:
    """A link that is good for an hour; the vendor's links need no key."""
    answer = _ask(
        account, door, "GET", "/v1/pbx/record/request/", {"call_id": reference, "lifetime": str(_LINK_SECONDS)}
    )
    links = answer.get("links")
    link = answer.get("link") or (links[0] if isinstance(links, list) and links else None)
    if not isinstance(link, str):
        raise UnreachableError("Zadarma named no link to the recording")
    return Media(link)


def history(account: Account, since: datetime, until: datetime, door: PbxClient) -> Iterator[CallEvent]:
    """The statistics of the PBX, a month at most a request, a thousand rows a page; its clock is the account's."""
    clock = zone(str(account.settings.get("time_zone") or account.time_zone)) or zone("UTC")
    begin = since
    while begin < until:
        end = min(until, begin + _HISTORY_SPAN)
        for direction in (Direction.IN, Direction.OUT):
            for row in _rows(account, door, begin.astimezone(clock), end.astimezone(clock), direction):
                yield from _told(row, direction, clock)
        begin = end


def _rows(
    account: Account, door: PbxClient, begin: datetime, end: datetime, direction: Direction
) -> Iterator[Mapping[str, Any]]:
    skip = 0
    while True:
        asked = {
            "start": begin.strftime("%Y-%m-%d %H:%M:%S"),
            "end": end.strftime("%Y-%m-%d %H:%M:%S"),
            "version": "2",
            "call_type": str(direction),
            "skip": str(skip),
            "limit": str(_HISTORY_PAGE),
        }
        answer = _ask(account, door, "GET", "/v1/statistics/pbx/", asked, limit="statistics")
        rows = _API.rows(answer.get("stats"))
        yield from rows
        if len(rows) < _HISTORY_PAGE:
            return
        skip += len(rows)


def _told(row: Mapping[str, Any], direction: Direction, clock: Any) -> Iterator[CallEvent]:
    """One row of the statistics as the events of its call; a row that can't be read is left out."""
    try:
        started_at = moment(need(row, "callstart"), clock)
        call_id = need(row, "pbx_call_id")
        disposition = text(row, "disposition")
        talked = whole(row, "seconds") or 0
        sip, destination = text(row, "sip"), text(row, "destination")
        caller = text(row, "clid")
    except PayloadError:
        return
    if started_at is None:
        return
    # Of an incoming call `destination` is who took it, of an outgoing one `sip` is who made it.
    extension = (sip if direction is Direction.OUT else destination) or None
    outcome = _outcome(disposition, direction)
    yield CallEvent(
        call_id=call_id,
        kind=Kind.ENDED,
        at=started_at + timedelta(seconds=talked),
        leg=extension or "",
        direction=direction,
        external=destination if direction is Direction.OUT else caller,
        extension=extension,
        outcome=outcome,
        talk_seconds=talked if outcome is Outcome.SUCCESS else 0,
        final=True,
        started_at=started_at,
    )
    if flag(row, "is_recorded"):
        yield CallEvent(call_id=call_id, kind=Kind.RECORDED, at=started_at, recording=text(row, "call_id"))


def extensions(account: Account, door: PbxClient) -> tuple[KnownExtension, ...]:
    """The internal numbers of the PBX; it tells no names."""
    numbers = _ask(account, door, "GET", "/v1/pbx/internal/", {}).get("numbers")
    if not isinstance(numbers, list):
        raise UnreachableError("Zadarma's answer holds no list of extensions")
    return tuple(KnownExtension(str(number)) for number in numbers if isinstance(number, str | int))


def ping(account: Account, door: PbxClient) -> Check:
    """Whether the API takes key and secret: the extensions are asked for, which changes nothing."""
    known = extensions(account, door)
    return Check("pbx", True, f"it answers, and has {len(known)} extensions")


def set_up(account: Account, secrets: Mapping[str, str], door: PbxClient) -> Check:  # noqa: ARG001 - none are made
    """Enter the webhook's address at the PBX, and switch its notifications on."""
    if not account.credentials.get("api_key"):
        return Check("set_up", True, "api_key is not entered: enter the address at the PBX yourself")
    _ask(account, door, "POST", "/v1/pbx/callinfo/url/", {"url": account.webhook_url}, safe=True)
    switches = dict.fromkeys(
        ("notify_start", "notify_internal", "notify_answer", "notify_end", "notify_out_start", "notify_out_end"), "true"
    )
    _ask(account, door, "POST", "/v1/pbx/callinfo/notifications/", switches, safe=True)
    return Check("set_up", True, "the PBX took the address, and sends all its notifications there")


def _ask(
    account: Account,
    door: PbxClient,
    method: str,
    path: str,
    parameters: Mapping[str, str],
    *,
    limit: str = "",
    safe: bool = True,
) -> Mapping[str, Any]:
    """One request, signed; its JSON. Raises as `Api.said` does, with the PBX's own words."""
    key, secret = _API.login(account)
    asked = sorted({**parameters, "format": "json"}.items())
    encoded = urlencode(asked)
    digest = hashlib.md5(encoded.encode(), usedforsecurity=False).hexdigest()
    headers = {"authorization": f"{key}:{_signature(secret, path + encoded + digest)}"}
    api = _API._replace(base=_BASES.get(account.provider, _API.base))
    if method == "GET":
        answer = api.send(account, door, method, f"{path}?{encoded}", headers=headers, limit=limit, safe=safe)
    else:
        answer = api.send(account, door, method, path, headers=headers, form=asked, limit=limit, safe=safe)
    said = api.said(answer, in_its_words)
    if said.get("status") != "success":
        raise api.refused(in_its_words(said, answer.status), answer.status)
    return said
