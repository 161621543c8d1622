"""Hangtag's own telephony API, wire-compatible with Planfix's: docs/telephony-api.md.

Commands, parameters, replies and error bodies follow Planfix's help page on its telephony API (part 1 of the facts
on Planfix). `start`, `event_id`, `final` and TRANSFERRED with `second_callid` are compatible extras of ours.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from hangtag.domain.calls.event import CallEvent, Direction, Kind
from hangtag.errors import BadInputError
from hangtag.providers.base import (
    Account,
    Check,
    Click,
    OfficeLookups,
    ParseResult,
    PayloadError,
    PbxClient,
    PlacedCall,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
    WebhookResponse,
)
from hangtag.providers.reading import believed, flag, form, is_one_of, moment, need, outcome, text, whole

SECRET = "planfix_token"  # noqa: S105 - the name of the parameter
# How it tells, in a click, that the employee picked up.
PICK_UP = "accepted"
# Without these it can't be asked to call.
ORIGINATES_WITH = ("pbx_url",)
# No number, name or id that a PBX means to send is longer; a link may be.
_LIMITS = {"phone": 64, "ext": 32, "diversion": 64, "callid": 512, "second_callid": 512}
_LIMITS |= {"event_id": 128, "start": 40, "duration": 10, "record_link": 2048}
# How much of a PBX's own words is shown to the admin.
_MAX_WORDS = 300

_KINDS = {
    "INCOMING": Kind.RINGING,
    "OUTGOING": Kind.RINGING,
    "ACCEPTED": Kind.ANSWERED,
    "TRANSFERRED": Kind.TRANSFERRED,
    "COMPLETED": Kind.ENDED,
}


# ------------------------------------------------------------------ from the PBX


def verify(request: WebhookRequest, trust: VerificationKeys) -> None:
    """The documented token in the body."""
    if not is_one_of(_fields(request).get(SECRET, ""), trust.hashes.get(SECRET, ())):
        raise SignatureError("wrong or missing planfix_token", _error(401, "Invalid token"))


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:  # noqa: ARG001 - all is in the request
    """One command of the PBX."""
    try:
        return _command(_fields(request), request.arrived_at)
    except PayloadError as error:
        raise _invalid(error) from None


def _fields(request: WebhookRequest) -> dict[str, str]:
    try:
        return form(request, _LIMITS)
    except PayloadError as error:
        raise _invalid(error) from None


def _invalid(error: PayloadError) -> PayloadError:
    """The same, answered as the documented errors are."""
    return PayloadError(error.reason, _error(400, "Invalid parameters"))


def _command(fields: Mapping[str, str], arrived_at: datetime) -> ParseResult:
    command = need(fields, "cmd")
    if command == "event":
        return ParseResult((_event(fields, arrived_at),))
    if command == "record":
        return ParseResult((_record(fields, arrived_at),))
    if command == "contact":
        return _contact(fields)
    if command == "ping":
        return ParseResult(respond=_ping)
    raise PayloadError("cmd is none of event, record, contact, ping")


def _event(fields: Mapping[str, str], arrived_at: datetime) -> CallEvent:
    name = need(fields, "event").upper()
    kind = _KINDS.get(name)
    if kind is None:
        raise PayloadError("event is none of " + ", ".join(_KINDS))
    extension = fields.get("ext", "").strip()
    ended = kind is Kind.ENDED
    return CallEvent(
        call_id=need(fields, "callid"),
        kind=kind,
        at=arrived_at,
        at_is_arrival=True,
        leg=extension,
        direction=_direction(need(fields, "type")),
        external=_present(fields, "phone").strip(),
        line=fields.get("diversion", "").strip() or None,
        extension=extension or None,
        outcome=outcome(text(fields, "status")) if ended else None,
        talk_seconds=whole(fields, "duration") if ended else None,
        recording=(fields.get("record_link") or None) if ended else None,
        final=flag(fields, "final"),
        linked_call_id=fields.get("second_callid") or None,
        started_at=believed(moment(text(fields, "start")), arrived_at),
        event_id=fields.get("event_id") or None,
        data=_data(fields) if ended else {},
    )


def _record(fields: Mapping[str, str], arrived_at: datetime) -> CallEvent:
    return CallEvent(
        call_id=need(fields, "callid"),
        kind=Kind.RECORDED,
        at=arrived_at,
        at_is_arrival=True,
        recording=need(fields, "record_link", _LIMITS["record_link"]),
        recording_is_temporary=flag(fields, "is_temp"),
        event_id=fields.get("event_id") or None,
    )


def _contact(fields: Mapping[str, str]) -> ParseResult:
    phone = _present(fields, "phone").strip()

    def respond(office: OfficeLookups) -> WebhookResponse:
        card = office.contact(phone)
        if card is None:
            return WebhookResponse(200, "{}")
        found: dict[str, str | int] = {"contact_name": card.name}
        if card.responsible:
            # The documented reply holds a number; a short number with a leading zero stays text.
            short = card.responsible
            plain = short.isascii() and short.isdigit() and str(int(short)) == short
            found["responsible"] = int(short) if plain else short
        return WebhookResponse(200, json.dumps(found, ensure_ascii=False))

    return ParseResult(reply=WebhookResponse(200, "{}"), respond=respond)


def _ping(office: OfficeLookups) -> WebhookResponse:
    """What the admin typed. It holds the PBX's own key, and goes only to who knows ours."""
    typed = office.credentials()
    answer = {"pbxToken": typed.get("pbx_token", ""), "pbxUrl": typed.get("pbx_url", "")}
    return WebhookResponse(200, json.dumps(answer))


def _present(fields: Mapping[str, str], name: str) -> str:
    """A parameter that must be sent but may be empty: the number of a withheld caller."""
    if name not in fields:
        raise PayloadError(f"{name} is missing")
    return fields[name]


def _direction(text: str) -> Direction:
    try:
        return {"in": Direction.IN, "out": Direction.OUT}[text.lower()]
    except KeyError:
        raise PayloadError("type is neither in nor out") from None


def _data(fields: Mapping[str, str]) -> dict[str, str]:
    prefix = "data_"
    return {
        name.removeprefix(prefix): value
        for name, value in sorted(fields.items())
        if name.startswith(prefix) and len(name) > len(prefix)
    }


def _error(status: int, message: str) -> WebhookResponse:
    return WebhookResponse(status, json.dumps({"error": message}))


# ------------------------------------------------------------------ to the PBX


def originate(account: Account, click: Click, door: PbxClient) -> PlacedCall:
    """The documented makeCall; its reply names no call."""
    number = click.number.removeprefix("+")
    if not (number.isascii() and number.isdigit()):
        raise BadInputError("the number to call must be digits only")
    _command_pbx(account, door, {"cmd": "makeCall", "from": click.extension, "to": number})
    return PlacedCall()


def set_up(account: Account, secrets: Mapping[str, str], door: PbxClient) -> Check:
    """The documented setup, with which a PBX configures itself; what it answers is for the admin to read."""
    if not account.credentials.get("pbx_url"):
        return Check("set_up", True, "pbx_url is not entered: tell the PBX the address and the key yourself")
    given = {"cmd": "setup", "planfix_token": secrets[SECRET], "planfix_url": account.webhook_url}
    try:
        _command_pbx(account, door, given)
    except BadInputError as error:
        return Check("set_up", False, error.message)
    return Check("set_up", True, "the PBX took the address and the key")


def ping(account: Account, door: PbxClient) -> Check:
    """Whether the PBX's address answers and takes the PBX's key.

    The documented commands to a PBX are makeCall and setup, each of which does something. This one is unknown to it:
    a PBX that follows the page answers 400 to who has its key, and 401 to who has not.
    """
    if not account.credentials.get("pbx_url"):
        return Check("pbx", True, "pbx_url is not entered: calls are received, but can't be clicked")
    status, _ = _post(account, door, {"cmd": "ping"}, safe=True)
    return Check("pbx", *_judged(status, has_key=bool(account.credentials.get("pbx_token"))))


def _command_pbx(account: Account, door: PbxClient, fields: Mapping[str, str]) -> None:
    """Raises BadInputError with the PBX's own words if it answers anything but 200."""
    if not account.credentials.get("pbx_url"):
        raise BadInputError("pbx_url is not entered, so that this PBX can't be asked to do anything")
    status, said = _post(account, door, fields)
    if status != 200:
        raise BadInputError(f"the PBX answered {status}: {said}" if said else f"the PBX answered {status}")


def _post(account: Account, door: PbxClient, fields: Mapping[str, str], *, safe: bool = False) -> tuple[int, str]:
    """The PBX's status, and its words without what could disturb who reads them, the key included."""
    key = account.credentials.get("pbx_token", "")
    sent = dict(fields) | ({"token": key} if key else {})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = door.send(
        "POST", account.credentials["pbx_url"], headers=headers, body=urlencode(sent).encode(), safe=safe
    )
    said = "".join(c if c.isprintable() else " " for c in answer.body[:4096].decode("utf-8", "replace"))
    for secret in (key, fields.get(SECRET, "")):
        said = said.replace(secret, "***") if secret else said
    return answer.status, " ".join(said.split())[:_MAX_WORDS]


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
