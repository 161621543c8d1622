"""A signed JSON API of our own, for who writes a bridge from a PBX to Hangtag: docs/generic.md.

Fields are CallEvent's own words. Both ways are signed after Standard Webhooks (https://www.standardwebhooks.com):
HMAC-SHA256 over "id.timestamp.body". What docs/generic-event.schema.json accepts is read here, and nothing else of the
types that it knows.
"""

import base64
import hmac
import json
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import BadInputError, UnreachableError
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
from hangtag.providers.reading import believed, json_object, json_of, moment, same, text

__all__ = [
    "HOSTS",
    "ORIGINATES_WITH",
    "PICK_UP",
    "extensions",
    "history",
    "key_of",
    "originate",
    "parse",
    "ping",
    "recording",
    "verify",
]

# The admin types the bridge's address.
HOSTS: tuple[str, ...] = ()
# How it tells, in a click, that the employee picked up.
PICK_UP = "told"
# Without these it can't be asked to call.
ORIGINATES_WITH = ("bridge_url", "bridge_key")

KEY = "signing_key"
TOLERANCE_SECONDS = 300
MAX_EVENTS = 50
MAX_TALK_SECONDS = 7 * 24 * 3600
MAX_DATA = 50

_MAX_ID = 128
_LIMITS = {"call_id": 512, "leg": 128, "external": 64, "line": 64, "extension": 32, "linked_call_id": 512}
_LIMITS |= {"url": 2048, "reference": 512, "data": 1024}
_KINDS = {kind.value: kind for kind in Kind if kind is not Kind.SETTLED}
# They speak of a call that other events told the direction of.
_WITHOUT_DIRECTION = (Kind.RECORDED, Kind.SUMMARY)
_TIME = re.compile(
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
)
# So many pages of a bridge's history are read, so many extensions, so much of its own words.
_MAX_PAGES = 200
_MAX_EXTENSIONS = 5000
_MAX_WORDS = 300
# What may be a number of somebody: the bridge's words are shown to the admin, and logged.
_NUMBER = re.compile(r"\+?[0-9][0-9 ().-]{3,}[0-9]")

WordT = TypeVar("WordT", bound=StrEnum)


# ------------------------------------------------------------------ from the bridge


def verify(request: WebhookRequest, trust: VerificationKeys) -> None:
    """The three headers of Standard Webhooks. One of several signatures has to fit one of the keys."""
    keys = [key for one in trust.credentials.get(KEY, ()) if (key := key_of(one))]
    if not keys:
        raise SignatureError("there is no signing_key to verify with")
    message_id, sent_at, given = (
        request.headers.get(name, "") for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    )
    if not (message_id and sent_at and given):
        raise SignatureError("webhook-id, webhook-timestamp or webhook-signature is missing")
    if not (message_id + sent_at + given).isascii():
        raise SignatureError("a header of the signature is not in ASCII")
    if not (sent_at.isdigit() and len(sent_at) <= 12):
        raise SignatureError("webhook-timestamp is no whole number of seconds since 1970")
    if abs(int(request.arrived_at.timestamp()) - int(sent_at)) > TOLERANCE_SECONDS:
        raise SignatureError("webhook-timestamp is more than five minutes off: is the bridge's clock right?")
    signatures = given.split()
    if any(one.count(",") != 1 for one in signatures):
        # So does a header that was sent twice look.
        raise SignatureError('webhook-signature is no list of "v1,…" with spaces between')
    expected = ["v1," + _signature(key, message_id, sent_at, request.body) for key in keys]
    if not _any_fits(signatures, expected):
        raise SignatureError("wrong webhook-signature: is signing_key the one of this integration?")


def _any_fits(given: Iterable[str], expected: Iterable[str]) -> bool:
    fits = False
    for one in given:
        fits |= same(one, expected)
    return fits


def key_of(secret: str) -> bytes:
    """The key that a secret is written for: base64, after "whsec_". Empty if it can't be read."""
    encoded = secret.strip().removeprefix("whsec_")
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        return b""


def _signature(key: bytes, message_id: str, sent_at: str, body: bytes) -> str:
    signed = f"{message_id}.{sent_at}.".encode() + body
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode("ascii")


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:  # noqa: ARG001 - all is in the request
    """One event, or up to fifty as {"events": […]}; those of a type that is not known are passed over."""
    try:
        return _accepted(request)
    except PayloadError as error:
        # The signature was right: who writes a bridge may be told what is wrong.
        problem = {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": error.reason}
        raise PayloadError(
            error.reason, WebhookResponse(400, json.dumps(problem), "application/problem+json")
        ) from None


def _accepted(request: WebhookRequest) -> ParseResult:
    message_id = request.headers.get("webhook-id", "")
    if len(message_id) > _MAX_ID:
        raise PayloadError(f"webhook-id is longer than {_MAX_ID} characters")
    body = json_object(request)
    said = [body]
    if "events" in body:
        said = body["events"]
        if not isinstance(said, list) or len(said) > MAX_EVENTS:
            raise PayloadError(f"events is no list of at most {MAX_EVENTS}")
    read = []
    for number, one in enumerate(said):
        # The id stands for the message on every try, and so does the place in it.
        event_id = f"{message_id}.{number}" if message_id else None
        read.append(_placed(one, request.arrived_at, event_id, f"events[{number}]: " if "events" in body else ""))
    return ParseResult(tuple(event for event in read if event is not None), unknown=None in read)


def _placed(one: object, arrived_at: datetime | None, event_id: str | None, place: str) -> CallEvent | None:
    """One event; if it can't be read, its place is named."""
    try:
        if not isinstance(one, dict):
            raise PayloadError("the event is no JSON object")
        return _event(one, arrived_at, event_id)
    except PayloadError as error:
        raise PayloadError(place + error.reason) from None


def _event(said: Mapping[str, Any], arrived_at: datetime | None, event_id: str | None) -> CallEvent | None:
    """One event; None if its type is not known. Without `arrived_at`, of the history, it must tell its time."""
    kind = _KINDS.get(_need(said, "type"))
    if kind is None:
        return None
    direction = _word(said, "direction", Direction)
    if direction is None and kind not in _WITHOUT_DIRECTION:
        raise PayloadError("direction is missing")
    told = _time(said, "at", arrived_at)
    at = told or arrived_at
    if at is None:
        raise PayloadError("at is missing, or no day of the calendar")
    extension = (_text(said, "extension") or "").strip()
    external = _text(said, "external")
    outcome = _word(said, "outcome", Outcome)
    if outcome is Outcome.NO_ANSWER and direction is Direction.IN:
        outcome = Outcome.MISSED
    recorded, temporary = _recording(said)
    if kind is Kind.RECORDED and recorded is None:
        raise PayloadError("recording is missing")
    return CallEvent(
        call_id=_need(said, "call_id"),
        kind=kind,
        at=at,
        at_is_arrival=told is None,
        leg=_text(said, "leg") or extension,
        direction=direction,
        external=external.strip() if external is not None else None,
        line=(_text(said, "line") or "").strip() or None,
        extension=extension or None,
        outcome=outcome,
        talk_seconds=_seconds(said, "talk_seconds"),
        recording=recorded,
        recording_is_temporary=temporary,
        final=_flag(said, "final"),
        linked_call_id=_text(said, "linked_call_id") or None,
        started_at=_time(said, "started_at", arrived_at),
        event_id=event_id,
        reference=_text(said, "reference") or None,
        data=_data(said),
    )


# Our own API: a text is a text and a number a number, so that a bridge's mistake is seen when it is made. null is
# nothing said.


def _text(said: Mapping[str, Any], name: str, limit: int = 0) -> str | None:
    value = said.get(name)
    if value is None:
        return None
    most = limit or _LIMITS.get(name, _MAX_ID)
    if not isinstance(value, str) or len(value) > most or "\0" in value:
        raise PayloadError(f"{name} is no text of at most {most} characters without NUL")
    return value


def _need(said: Mapping[str, Any], name: str) -> str:
    value = _text(said, name)
    if not value:
        raise PayloadError(f"{name} is missing")
    return value


def _word(said: Mapping[str, Any], name: str, words: type[WordT]) -> WordT | None:
    value = _text(said, name)
    try:
        return words(value) if value is not None else None
    except ValueError:
        raise PayloadError(f"{name} is none of {', '.join(words)}") from None


def _flag(said: Mapping[str, Any], name: str) -> bool:
    value = said.get(name)
    if value is not None and not isinstance(value, bool):
        raise PayloadError(f"{name} is neither true nor false")
    return bool(value)


def _seconds(said: Mapping[str, Any], name: str) -> int | None:
    """A whole number; to JSON, 5.0 is one."""
    value = said.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_TALK_SECONDS:
        raise PayloadError(f"{name} is no number from 0 to {MAX_TALK_SECONDS}")
    if value != int(value):
        raise PayloadError(f"{name} is no whole number")
    return int(value)


def _time(said: Mapping[str, Any], name: str, arrived_at: datetime | None) -> datetime | None:
    """A time with its offset; None if it is not told, not in the calendar, or too far from the arrival."""
    value = _text(said, name)
    if value is None:
        return None
    if not _TIME.match(value):
        raise PayloadError(f"{name} is no time such as 2026-03-02T12:30:00+03:00, with an offset or Z")
    read = moment(value)
    return believed(read, arrived_at) if arrived_at is not None else read


def _recording(said: Mapping[str, Any]) -> tuple[str | None, bool]:
    """Where the recording is: an address, or what the bridge can be asked for one with."""
    value = said.get("recording")
    if value is None:
        return None, False
    if not isinstance(value, dict):
        raise PayloadError("recording is no JSON object")
    url, reference, temporary = _text(value, "url"), _text(value, "reference"), _flag(value, "temporary")
    if url is not None and not url.startswith(("https://", "http://")):
        raise PayloadError("url of the recording is no address")
    if not (url or reference):
        raise PayloadError("recording has neither url nor reference")
    return url or reference, temporary


def _data(said: Mapping[str, Any]) -> dict[str, str]:
    value = said.get("data")
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > MAX_DATA:
        raise PayloadError(f"data is no JSON object of at most {MAX_DATA} fields")
    if not all(0 < len(name) <= _MAX_ID and "\0" not in name for name in value):
        raise PayloadError(f"a name in data is empty, longer than {_MAX_ID} characters, or holds a NUL")
    if None in value.values():
        raise PayloadError("a field of data is no text")
    # Its name is the bridge's, and is not repeated.
    return {name: _text({"data": one}, "data") or "" for name, one in value.items()}


# ------------------------------------------------------------------ to the bridge


def originate(account: Account, click: Click, door: PbxClient) -> PlacedCall:
    """`call`: ring the extension, then the number. The bridge may answer with the call's id."""
    command = {"command": "call", "extension": click.extension, "number": click.number, "reference": click.reference}
    if click.line is not None:
        command["line"] = click.line
    # The same click has the same id, so that a bridge which keeps the ids does not call twice.
    answer = _ask(account, door, command, message_id=click.reference, safe=False)
    return PlacedCall(_said(answer, "call_id") or None)


def recording(account: Account, reference: str, door: PbxClient) -> Media:
    """An event's address as it is; a reference is for the bridge to make an address of."""
    if reference.startswith(("https://", "http://")):
        return Media(reference)
    url = _said(_ask(account, door, {"command": "recording", "reference": reference}), "url", _LIMITS["url"])
    if not url.startswith(("https://", "http://")):
        raise UnreachableError("the bridge named no address of the recording")
    return Media(url)


def history(account: Account, since: datetime, until: datetime, door: PbxClient) -> Iterator[CallEvent]:
    """`history`: the events of the calls that began in that time, in pages; those of unknown types are passed over."""
    command = {"command": "history", "since": _written(since), "until": _written(until)}
    cursor = ""
    for _ in range(_MAX_PAGES):
        answer = _ask(account, door, command | ({"cursor": cursor} if cursor else {}))
        for number, one in enumerate(_list(answer, "events")):
            try:
                event = _placed(one, None, None, f"events[{number}]: ")
            except PayloadError as error:
                raise UnreachableError(f"the bridge's history can't be read: {error.reason}") from None
            if event is not None:
                yield event
        cursor = _said(answer, "next_cursor")
        if not cursor:
            return
    raise UnreachableError("the bridge's history does not end")


def extensions(account: Account, door: PbxClient) -> tuple[KnownExtension, ...]:
    """`extensions`: those that the bridge knows."""
    known = _list(_ask(account, door, {"command": "extensions"}), "extensions")[:_MAX_EXTENSIONS]
    if not all(isinstance(one, dict) and _said(one, "extension") for one in known):
        raise UnreachableError("the bridge named an extension that can't be read")
    return tuple(KnownExtension(_said(one, "extension"), _said(one, "name")) for one in known)


def ping(account: Account, door: PbxClient) -> Check:
    """`ping`: whether the bridge answers, and takes bridge_key."""
    if not account.credentials.get("bridge_url"):
        return Check("pbx", True, "bridge_url is not entered: calls are received, but can't be clicked")
    try:
        _ask(account, door, {"command": "ping"})
    except BadInputError as error:
        return Check("pbx", False, error.message)
    return Check("pbx", True, "the bridge answers, and takes bridge_key")


def _ask(
    account: Account, door: PbxClient, command: Mapping[str, str], *, message_id: str = "", safe: bool = True
) -> Mapping[str, Any]:
    """One command, signed; the JSON object that the bridge answers, {} for none.

    Raises BadInputError with the bridge's own words if it refuses, UnreachableError for what is no answer.
    """
    url, secret = account.credentials.get("bridge_url"), account.credentials.get("bridge_key", "")
    if not url:
        raise BadInputError("bridge_url is not entered, so that this bridge can't be asked to do anything")
    key = key_of(secret)
    if not key:
        raise BadInputError("bridge_key is not entered, or no base64: nothing is sent to a bridge unsigned")
    body = json.dumps(command).encode()
    message_id, sent_at = message_id or secrets.token_hex(16), str(int(time.time()))
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": sent_at,
        "webhook-signature": "v1," + _signature(key, message_id, sent_at, body),
    }
    answer = door.send("POST", url, headers=headers, body=body, safe=safe)
    if answer.status >= 500 and answer.status != 501:
        raise UnreachableError(f"the bridge answers that it fails itself ({answer.status})")
    if not 200 <= answer.status < 300:
        raise BadInputError(_refusal(answer, secret))
    return _object(answer.body) if answer.body.strip() else {}


def _object(body: bytes) -> dict[str, Any]:
    said = json_of(body)
    if not isinstance(said, dict):
        raise UnreachableError("the bridge's answer is no JSON object")
    return said


def _refusal(answer: Response, secret: str) -> str:
    """What the bridge refuses, in its own words without what is secret or could disturb who reads them."""
    status = answer.status
    if 300 <= status < 400:
        return f"bridge_url redirects ({status}), which is not followed: enter the address that it leads to"
    if status in (401, 403):
        return f"the bridge refuses the signature ({status}): is bridge_key the key that it expects?"
    if status in (404, 410):
        return f"there is nothing at bridge_url ({status})"
    try:
        said = str(_object(answer.body).get("error", ""))
    except UnreachableError:
        said = answer.body[:4096].decode("utf-8", "replace")
    said = "".join(character if character.isprintable() else " " for character in said.replace(secret, "***"))
    words = " ".join(_NUMBER.sub("***", said).split())[:_MAX_WORDS]
    return f"the bridge refused it ({status}): {words}" if words else f"the bridge refused it ({status})"


def _said(answer: Mapping[str, Any], name: str, limit: int = 512) -> str:
    try:
        return text(answer, name, limit)
    except PayloadError as error:
        raise UnreachableError(f"the bridge's answer can't be read: {error.reason}") from None


def _list(answer: Mapping[str, Any], name: str) -> list[Any]:
    found = answer.get(name)
    if not isinstance(found, list):
        raise UnreachableError(f"the bridge's answer holds no list of {name}")
    return found


def _written(time_utc: datetime) -> str:
    return time_utc.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
