"""Telnyx's REST API: the two steps of a click, recordings, call logs, extensions and the connection check.

Requests are those of the vendor's own library (telnyx 4.189.0: resources) and of developers.telnyx.com.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from hangtag.domain.calls.event import CallEvent
from hangtag.errors import BadInputError, HangtagError, UnreachableError
from hangtag.providers import call_control_api as voice
from hangtag.providers.base import Account, Check, Click, KnownExtension, Media, NextStep, PbxClient, PlacedCall
from hangtag.providers.call_control import Leg, nonzero_digits, records_calls
from hangtag.providers.reading import moment, need, text
from hangtag.providers.rest import Api, Refusal
from hangtag.providers.telnyx.legs import leg_events, own_numbers
from hangtag.providers.telnyx.webhook import KINDS, media_address, pack_state, payload_of, read_leg

_NAME = "Telnyx"
_RING_SECONDS = 45
_PAGE = 250
_MAX_PAGES = 50
# Maximum length of a call at Telnyx, and of the delay of the webhook of its end.
_LONGEST = timedelta(hours=4, minutes=30)


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Ring the employee. A webhook reports the pick-up, and `connect` calls the contact."""
    number, line, extension = voice.click_parts(account, click, _NAME, nonzero_digits)
    domain = account.settings.get("sip_domain") or "sip.telnyx.com"
    hints = {"leg": "employee", "extension": extension, "number": f"+{number}", "line": f"+{line}"}
    dial = {"to": f"sip:{extension}@{domain}", "from": f"+{line}"}
    return _dial(account, client, dial, hints, f"click:{click.reference}")


def connect(account: Account, step: NextStep, client: PbxClient) -> PlacedCall:
    """Perform the next step of a click. Raises as `originate`.

    The contact's leg is linked to the employee's, and bridged when it answers. If Telnyx rejects the call, the
    employee's leg is hung up first.
    """
    control_id = step["control_id"]
    if step["do"] == "hang_up":
        _hang_up(account, client, control_id)
        return PlacedCall(step["call_id"])
    hints = {name: step.get(name, "") for name in ("extension", "number", "line", "control_id")}
    dial: dict[str, Any] = {"to": step["number"], "from": step["line"], "link_to": control_id}
    dial |= {"bridge_on_answer": True, "bridge_intent": True}
    if records_calls(account.settings):
        dial |= {"record": "record-from-answer", "record_channels": "dual", "record_format": "mp3"}
    try:
        return _dial(account, client, dial, {"leg": "contact", **hints}, f"contact:{control_id}")
    except BadInputError:
        _hang_up(account, client, control_id)
        raise


def _dial(
    account: Account, client: PbxClient, dial: Mapping[str, Any], hints: Mapping[str, str], command: str
) -> PlacedCall:
    """Call a leg. Telnyx ignores a repeated command id for a minute, so the request is safe to retry."""
    connection = account.credentials.get("connection_id")
    if not connection:
        raise BadInputError("connection_id is not entered. Enter the id of the application that places calls.")
    body = {
        "connection_id": connection,
        **dial,
        "timeout_secs": _RING_SECONDS,
        "client_state": pack_state({"direction": "out", **hints}),
        "command_id": _command_id(command),
    }
    return voice.placed_call(_data(account, client, "POST", "/v2/calls", body), "call_session_id", _NAME)


def _hang_up(account: Account, client: PbxClient, control_id: str) -> None:
    """Hang up a leg. An error is ignored: the leg has usually ended already."""
    path = f"/v2/calls/{quote(control_id, safe='')}/actions/hangup"
    try:
        _data(account, client, "POST", path, {"command_id": _command_id(f"end:{control_id}")})
    except HangtagError:
        return


def _command_id(command: str) -> str:
    """Return a UUID that is equal for equal commands."""
    from uuid import NAMESPACE_URL, uuid5

    return str(uuid5(NAMESPACE_URL, f"hangtag:telnyx:{command}"))


def recording(account: Account, reference: str, client: PbxClient) -> Media:
    """Return a new address of a recording, valid for some minutes; an address from an event is used unchanged."""
    if reference.startswith("https://"):
        return Media(reference)
    if not re.fullmatch(r"[\w-]{1,64}", reference, re.ASCII):
        raise BadInputError("The recording is not stored at Telnyx.")
    row = _data(account, client, "GET", f"/v2/recordings/{reference}")
    addresses = list(voice.readable([row], lambda fields: media_address(fields, "download_urls") or None))
    if not addresses:
        raise UnreachableError("Telnyx's response does not contain the address of the recording.")
    return Media(addresses[0])


def extensions(account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
    """Return the user names of SIP connections, and of their further credentials."""
    users: dict[str, KnownExtension] = {}
    for path, user_name, label in (
        ("credential_connections", "user_name", "connection_name"),
        ("telephony_credentials", "sip_username", "name"),
    ):

        def read(row: voice.Row, user_name: str = user_name, label: str = label) -> KnownExtension | None:
            user = text(row, user_name, 64)
            return KnownExtension(user, text(row, label)) if user and row.get("expired") is not True else None

        for user in voice.readable(_rows(account, client, path, {}), read):
            users.setdefault(user.extension, user)
    return tuple(users.values())


def ping(account: Account, client: PbxClient) -> Check:
    """Check the API key, and that the application is active and sends webhooks of API v2."""
    if not account.credentials.get("api_key"):
        return Check("pbx", True, "Calls are received. To place calls, enter api_key.")
    connection = account.credentials.get("connection_id")
    if not connection:
        if not isinstance(_data(account, client, "GET", "/v2/balance").get("balance"), str):
            raise UnreachableError("Telnyx's response does not describe an account.")
        return Check("pbx", True, "Telnyx responds. To place calls, enter connection_id.")
    application = _data(account, client, "GET", f"/v2/call_control_applications/{quote(connection, safe='')}")
    if not isinstance(application.get("active"), bool):
        raise UnreachableError("Telnyx's response does not describe an application.")
    if not application["active"]:
        return Check("pbx", False, "The application of connection_id is switched off. Activate it at Telnyx.")
    if application.get("webhook_api_version") == "1":
        return Check("pbx", False, "The application sends webhooks of API v1. Set them to API v2 at Telnyx.")
    return Check("pbx", True, "Telnyx responds, and the application is active.")


# ------------------------------------------------------------------ call logs


def history(account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
    """Yield the events of the webhooks of the calls that began in the period, delivered or not, and the recordings.

    Telnyx stores the webhooks as they were sent, so the events are equal to those of the webhook. If `connection_id`
    is entered, only the calls of that application are included.
    """
    late = until + _LONGEST
    own, connection = own_numbers(account.settings), account.credentials.get("connection_id")

    def read(row: voice.Row) -> tuple[Leg, tuple[CallEvent, ...]] | None:
        webhook = row.get("webhook")
        if not isinstance(webhook, dict) or text(webhook, "event_type") not in KINDS:
            return None
        at = moment(text(webhook, "occurred_at"))
        if at is None or (connection and text(payload_of(webhook), "connection_id") not in ("", connection)):
            return None
        leg = read_leg(webhook, at)
        return leg, leg_events(need(webhook, "event_type"), leg, own)

    events: dict[str, list[CallEvent]] = {}
    begun: dict[str, datetime] = {}
    filters = {"filter[event_type]": ",".join(KINDS), **_between("started_at", since, late)}
    for leg, of_leg in voice.readable(_rows(account, client, "webhook_deliveries", filters), read):
        events.setdefault(leg.call_id, []).extend(of_leg)
        begun[leg.call_id] = min(begun.get(leg.call_id, leg.at), leg.at, leg.begun or leg.at)
    calls = {call_id for call_id, at in begun.items() if since <= at < until and events[call_id]}
    for call_id in calls:
        yield from events[call_id]
    listed = _rows(account, client, "recordings", _between("created_at", since, late))
    columns = {"call_id": "call_session_id", "created": "created_at"}
    yield from voice.recording_events(listed, calls, **columns, reference=lambda row: need(row, "id", 64))


def _between(name: str, since: datetime, until: datetime) -> dict[str, str]:
    return {f"filter[{name}][gte]": voice.timestamp(since), f"filter[{name}][lte]": voice.timestamp(until)}


# ------------------------------------------------------------------ requests


def _rows(account: Account, client: PbxClient, name: str, filters: Mapping[str, str]) -> Iterator[voice.Row]:
    """Yield all rows of a list, page by page, until the last page of `meta`, or an empty page."""
    for page in range(1, _MAX_PAGES + 1):
        query = urlencode({**filters, "page[number]": page, "page[size]": _PAGE})
        response = _API.send(account, client, "GET", f"/v2/{name}?{query}")
        listed, meta = response.get("data"), response.get("meta")
        yield from _API.api.rows(listed)
        pages = meta.get("total_pages") if isinstance(meta, dict) else None
        if not listed or (type(pages) is int and page >= pages):
            return
    raise _API.api.too_long(_MAX_PAGES)


def _data(account: Account, client: PbxClient, method: str, path: str, body: voice.Row | None = None) -> voice.Row:
    """Send one request and return the object in its response. Raises as `VoiceApi.send`."""
    data = _API.send(account, client, method, path, body).get("data")
    if not isinstance(data, dict):
        raise UnreachableError("Telnyx's response is unreadable.")
    return data


# Telnyx's own messages repeat numbers.
_REFUSALS = {
    "10001": "A number is not active at Telnyx.",
    "10002": "A number is not valid. Check the contact's number and caller_id.",
    "10005": "Telnyx has nothing with that id.",
    "10010": "The API key is not allowed to do that.",
    "10016": "A number is not in E.164 format. Write it with a plus and the country code.",
    "10017": "The account has no application with that connection_id.",
    "90018": "The call has already ended.",
}


def _refusal(error: voice.Row, status: int) -> Refusal:
    errors = error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    code = str(first.get("code", "")) if isinstance(first, dict) else ""
    code = code if re.fullmatch(r"[A-Z]?\d{1,6}", code, re.ASCII) else ""
    by_status = {403: "The API key is not allowed to do that, or to call that number.", 404: _REFUSALS["10005"]}
    return Refusal(_REFUSALS.get(code) or by_status.get(status, "See Telnyx's list of errors."), code)


def _authorization(api: Api, account: Account) -> str:
    (key,) = api.login(account)
    return f"Bearer {key}"


# Every command has an id, so all requests are safe to retry.
_API = voice.VoiceApi(Api(_NAME, "https://api.telnyx.com", ("api_key",)), _refusal, _authorization, safe=True)
