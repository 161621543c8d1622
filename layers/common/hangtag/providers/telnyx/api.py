"""Telnyx's REST API: the two steps of a click, recordings, extensions and the connection check.

Requests are those of the vendor's own library (telnyx 4.189.0: resources) and of developers.telnyx.com.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from hangtag.errors import BadInputError, HangtagError, UnreachableError
from hangtag.providers.base import (
    Account,
    Check,
    Click,
    KnownExtension,
    Media,
    NextStep,
    PayloadError,
    PbxClient,
    PlacedCall,
)
from hangtag.providers.call_control import records_calls
from hangtag.providers.call_control_api import Row, check_extension, click_numbers, placed_call, readable
from hangtag.providers.reading import text
from hangtag.providers.rest import Api, Refusal
from hangtag.providers.telnyx.webhook import media_address, pack_state

_API = Api("Telnyx", "https://api.telnyx.com", ("api_key",))
_RING_SECONDS = 45
_PAGE = 250
_MAX_PAGES = 50


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Ring the employee. A webhook reports the pick-up, and `connect` calls the contact."""
    number, line = click_numbers(account, click, _API.name)
    domain = account.settings.get("sip_domain") or "sip.telnyx.com"
    hints = {"leg": "employee", "extension": click.extension, "number": f"+{number}", "line": f"+{line}"}
    dial = {"to": f"sip:{check_extension(click.extension)}@{domain}", "from": f"+{line}"}
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
    dial: dict[str, Any] = {
        "to": step["number"],
        "from": step["line"],
        "link_to": control_id,
        "bridge_on_answer": True,
        "bridge_intent": True,
    }
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
    return placed_call(_data(account, client, "POST", "/v2/calls", body=body), "call_session_id", _API.name)


def _hang_up(account: Account, client: PbxClient, control_id: str) -> None:
    """Hang up a leg. An error is ignored: the leg has usually ended already."""
    path = f"/v2/calls/{quote(control_id, safe='')}/actions/hangup"
    try:
        _data(account, client, "POST", path, body={"command_id": _command_id(f"end:{control_id}")})
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
    try:
        address = media_address(row, "download_urls")
    except PayloadError:
        address = ""
    if not address:
        raise UnreachableError("Telnyx's response does not contain the address of the recording.")
    return Media(address)


def extensions(account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
    """Return the user names of SIP connections, and of their further credentials."""
    users: dict[str, KnownExtension] = {}
    for path, user_name, label in (
        ("credential_connections", "user_name", "connection_name"),
        ("telephony_credentials", "sip_username", "name"),
    ):

        def read(row: Row, user_name: str = user_name, label: str = label) -> KnownExtension | None:
            user = text(row, user_name, 64)
            return KnownExtension(user, text(row, label)) if user and row.get("expired") is not True else None

        for user in readable(rows(account, client, path, {}), read):
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


# ------------------------------------------------------------------ requests


def rows(account: Account, client: PbxClient, name: str, filters: Mapping[str, str]) -> Iterator[Row]:
    """Yield all rows of a list, page by page, until the last page of `meta`, or an empty page."""
    for page in range(1, _MAX_PAGES + 1):
        query = urlencode({**filters, "page[number]": page, "page[size]": _PAGE})
        response = _send(account, client, "GET", f"/v2/{name}?{query}")
        listed, meta = response.get("data"), response.get("meta")
        yield from _API.rows(listed)
        pages = meta.get("total_pages") if isinstance(meta, dict) else None
        if not listed or (type(pages) is int and page >= pages):
            return
    raise _API.too_long(_MAX_PAGES)


def _data(
    account: Account, client: PbxClient, method: str, path: str, *, body: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    """Send one request and return the object in its response. Raises as `_send`."""
    data = _send(account, client, method, path, body=body).get("data")
    if not isinstance(data, dict):
        raise UnreachableError("Telnyx's response is unreadable.")
    return data


def _send(
    account: Account, client: PbxClient, method: str, path: str, *, body: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    """Send one request and return its JSON. Raises as `Api.json`. Every command has an id, so all are safe to retry."""
    (key,) = _API.login(account)
    headers = {"authorization": f"Bearer {key}"}
    response = _API.send(account, client, method, path, headers=headers, content=body, safe=True)
    return _API.json(response, _refusal)


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


def _refusal(error: Mapping[str, Any], status: int) -> Refusal:
    code = _error_code(error)
    by_status = {403: "The API key is not allowed to do that, or to call that number.", 404: _REFUSALS["10005"]}
    return Refusal(_REFUSALS.get(code) or by_status.get(status, "See Telnyx's list of errors."), code)


def _error_code(error: Mapping[str, Any]) -> str:
    """Return the code of the first error; "" if it is missing or malformed."""
    errors = error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    code = str(first.get("code", "")) if isinstance(first, dict) else ""
    return code if re.fullmatch(r"[A-Z]?\d{1,6}", code, re.ASCII) else ""
