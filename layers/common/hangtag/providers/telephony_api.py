"""Hangtag's own telephony API, wire-compatible with Planfix's: docs/telephony-api.md.

Commands, parameters, replies and error bodies follow Planfix's help page on its telephony API (part 1 of the facts
on Planfix). `start`, `event_id`, `final` and TRANSFERRED with `second_callid` are compatible extras of ours.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode

from hangtag.auth import secrets_match
from hangtag.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import Accepted, Finding, Office, Refused, Reply, Secrets, Send, WebhookRequest

SECRET = "planfix_token"  # noqa: S105 - the name of the parameter
MAX_FIELDS = 200
MAX_CLOCK_SKEW = timedelta(days=2)
# No number, name or id that a PBX means to send is longer; a link may be.
_LIMITS = {"phone": 64, "ext": 32, "diversion": 64, "callid": 512, "second_callid": 512}
_LIMITS |= {"event_id": 128, "start": 40, "duration": 10, "record_link": 2048}

_KINDS = {
    "INCOMING": Kind.RINGING,
    "OUTGOING": Kind.RINGING,
    "ACCEPTED": Kind.ANSWERED,
    "TRANSFERRED": Kind.TRANSFERRED,
    "COMPLETED": Kind.ENDED,
}
# Keys are compared in lower case and without separators. "NotAvaliable" is sent by a client in the field.
_OUTCOMES = {
    "success": Outcome.SUCCESS,
    "answered": Outcome.SUCCESS,
    "missed": Outcome.MISSED,
    "cancelled": Outcome.CANCELLED,
    "canceled": Outcome.CANCELLED,
    "cancel": Outcome.CANCELLED,
    "busy": Outcome.BUSY,
    "noanswer": Outcome.NO_ANSWER,
    "notavailable": Outcome.UNAVAILABLE,
    "notavaliable": Outcome.UNAVAILABLE,
    "unavailable": Outcome.UNAVAILABLE,
    "notfound": Outcome.UNAVAILABLE,
    "notallowed": Outcome.NOT_ALLOWED,
}


class _InvalidError(Exception):
    """A parameter is missing or can't be read; the message names it, never its value."""


def receive(request: WebhookRequest, secrets: Secrets) -> Accepted | Refused:
    """Verify and parse one delivery of the telephony API."""
    return _read(request, secrets)


def parse(request: WebhookRequest) -> Accepted | Refused:
    """Parse one delivery whose secret is not known any more."""
    return _read(request, None)


def _read(request: WebhookRequest, secrets: Secrets | None) -> Accepted | Refused:
    try:
        fields = _fields(request)
        if secrets is not None and not _is_known(fields.get(SECRET, ""), secrets.get(SECRET, ())):
            return Refused(_error(401, "Invalid token"), "wrong or missing planfix_token")
        return _command(fields, request.arrived_at)
    except _InvalidError as error:
        return _invalid(str(error))


def _is_known(given: str, hashes: tuple[str, ...]) -> bool:
    return any(secrets_match(given, expected) for expected in hashes)


def ping(credentials: Mapping[str, str], send: Send) -> Finding:
    """Whether the PBX's address answers and takes the PBX's key.

    The documented commands to a PBX are makeCall and setup, each of which does something. This one is unknown to it:
    a PBX that follows the page answers 400 to who has its key, and 401 to who has not.
    """
    url = credentials.get("pbx_url", "")
    if not url:
        return Finding("pbx", True, "pbx_url is not entered: calls are received, but can't be clicked")
    form = {"cmd": "ping"} | ({"token": credentials["pbx_token"]} if credentials.get("pbx_token") else {})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    status = send("POST", url, headers=headers, body=urlencode(form).encode()).status
    return Finding("pbx", *_judged(status, has_key="token" in form))


def _judged(status: int, *, has_key: bool) -> tuple[bool, str]:
    """What the status of a ping's answer says."""
    if 300 <= status < 400:
        return False, f"pbx_url redirects ({status}), which is not followed: enter the address that it leads to"
    if status in (401, 403):
        if has_key:
            return False, f"the PBX answers, but refuses pbx_token ({status}): enter the key that it expects"
        return False, f"the PBX answers, but asks for its key ({status}): enter it as pbx_token"
    if status in (404, 410):
        return False, f"there is nothing at pbx_url ({status}): compare it with the PBX's own settings"
    if status >= 500:
        return False, f"the PBX answers that it fails itself ({status})"
    return True, f"the PBX answers ({status})"


def _fields(request: WebhookRequest) -> dict[str, str]:
    """The form's fields, each at most once. Raises _InvalidError for anything that is no such form."""
    if "json" in request.headers.get("content-type", "").lower():
        raise _InvalidError("the body must be form-encoded, not JSON")
    try:
        text = request.body.decode("utf-8-sig")
        if _has_broken_escape(text):
            raise _InvalidError("the form encoding is broken")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise _InvalidError("the body is no form in UTF-8") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _InvalidError("a parameter is given twice")
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise _InvalidError("a parameter holds a NUL")
    for name, limit in _LIMITS.items():
        if len(fields.get(name, "")) > limit:
            raise _InvalidError(f"{name} is longer than {limit} characters")
    return fields


def _has_broken_escape(text: str) -> bool:
    """A percent sign that two hexadecimal digits do not follow; the parser would let it pass."""
    for piece in text.split("%")[1:]:
        if len(piece) < 2 or any(c not in "0123456789abcdefABCDEF" for c in piece[:2]):
            return True
    return False


def _command(fields: Mapping[str, str], arrived_at: datetime) -> Accepted:
    command = _need(fields, "cmd")
    if command == "event":
        return Accepted((_event(fields, arrived_at),))
    if command == "record":
        return Accepted((_record(fields, arrived_at),))
    if command == "contact":
        return _contact(fields)
    if command == "ping":
        return Accepted(respond=_ping)
    raise _InvalidError("cmd is none of event, record, contact, ping")


def _event(fields: Mapping[str, str], arrived_at: datetime) -> CallEvent:
    name = _need(fields, "event").upper()
    kind = _KINDS.get(name)
    if kind is None:
        raise _InvalidError("event is none of " + ", ".join(_KINDS))
    extension = fields.get("ext", "").strip()
    ended = kind is Kind.ENDED
    return CallEvent(
        call_id=_need(fields, "callid"),
        kind=kind,
        at=arrived_at,
        at_is_arrival=True,
        leg=extension,
        direction=_direction(_need(fields, "type")),
        external=_present(fields, "phone").strip(),
        line=fields.get("diversion", "").strip() or None,
        extension=extension or None,
        outcome=_outcome(fields.get("status", "")) if ended else None,
        talk_seconds=_seconds(fields, "duration") if ended else None,
        recording=(fields.get("record_link") or None) if ended else None,
        final=_flag(fields, "final"),
        linked_call_id=fields.get("second_callid") or None,
        started_at=_start(fields.get("start", ""), arrived_at),
        event_id=fields.get("event_id") or None,
        data=_data(fields) if ended else {},
    )


def _record(fields: Mapping[str, str], arrived_at: datetime) -> CallEvent:
    return CallEvent(
        call_id=_need(fields, "callid"),
        kind=Kind.RECORDED,
        at=arrived_at,
        at_is_arrival=True,
        recording=_need(fields, "record_link"),
        recording_is_temporary=_flag(fields, "is_temp"),
        event_id=fields.get("event_id") or None,
    )


def _contact(fields: Mapping[str, str]) -> Accepted:
    phone = _present(fields, "phone").strip()

    def respond(office: Office) -> Reply:
        card = office.contact(phone)
        if card is None:
            return Reply(200, "{}")
        found: dict[str, str | int] = {"contact_name": card.name}
        if card.responsible:
            # The documented reply holds a number; a short number with a leading zero stays text.
            short = card.responsible
            plain = short.isascii() and short.isdigit() and str(int(short)) == short
            found["responsible"] = int(short) if plain else short
        return Reply(200, json.dumps(found, ensure_ascii=False))

    return Accepted(reply=Reply(200, "{}"), respond=respond)


def _ping(office: Office) -> Reply:
    """What the admin typed. It holds the PBX's own key, and goes only to who knows ours."""
    typed = office.credentials()
    answer = {"pbxToken": typed.get("pbx_token", ""), "pbxUrl": typed.get("pbx_url", "")}
    return Reply(200, json.dumps(answer))


def _need(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name, "").strip()
    if not value:
        raise _InvalidError(f"{name} is missing")
    return value


def _present(fields: Mapping[str, str], name: str) -> str:
    """A parameter that must be sent but may be empty: the number of a withheld caller."""
    if name not in fields:
        raise _InvalidError(f"{name} is missing")
    return fields[name]


def _direction(text: str) -> Direction:
    try:
        return {"in": Direction.IN, "out": Direction.OUT}[text.lower()]
    except KeyError:
        raise _InvalidError("type is neither in nor out") from None


def _outcome(status: str) -> Outcome | None:
    """Lenient: no status says nothing, and an unknown one is a failure."""
    word = "".join(character for character in status.lower() if character.isalpha())
    return _OUTCOMES.get(word, Outcome.FAILED) if word else None


def _seconds(fields: Mapping[str, str], name: str) -> int | None:
    text = fields.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise _InvalidError(f"{name} is no whole number of seconds")
    return int(text)


def _flag(fields: Mapping[str, str], name: str) -> bool:
    return fields.get(name, "").strip().lower() in ("1", "true", "yes")


def _start(text: str, arrived_at: datetime) -> datetime | None:
    """When the call began: ISO 8601 with an offset, YYYYmmddTHHMMSSZ, or seconds since 1970; else ignored.

    A clock that is off by more than two days is not believed.
    """
    started = _time(text.strip())
    if started is None or abs(arrived_at - started) > MAX_CLOCK_SKEW:
        return None
    return started


def _time(text: str) -> datetime | None:
    try:
        if text.isascii() and text.isdigit() and len(text) <= 10:
            return datetime.fromtimestamp(int(text), UTC)
        parsed = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return parsed.astimezone(UTC) if parsed.tzinfo else None


def _data(fields: Mapping[str, str]) -> dict[str, str]:
    prefix = "data_"
    return {
        name.removeprefix(prefix): value
        for name, value in sorted(fields.items())
        if name.startswith(prefix) and len(name) > len(prefix)
    }


def _invalid(reason: str) -> Refused:
    return Refused(_error(400, "Invalid parameters"), reason)


def _error(status: int, message: str) -> Reply:
    return Reply(status, json.dumps({"error": message}))
