"""Vonage's REST API of calls: clicks, recordings and the connection check."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from hangtag.errors import BadInputError
from hangtag.providers.base import Account, Check, Click, Media, PbxClient, PlacedCall
from hangtag.providers.call_control_api import check_extension, click_numbers, placed_call, webhook_url
from hangtag.providers.rest import Api, Refusal
from hangtag.providers.vonage import ncco

API = Api("Vonage", "https://api.nexmo.com", ("application_id", "private_key"))
_RECORDING = re.compile(r"https://((?:[a-z0-9-]+\.)*(?:nexmo|vonage)\.com)(/v[1-9]/files/[\w-]{1,64})", re.ASCII)
_TOKEN_SECONDS = 300


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Ring the employee's phone; when it is picked up, the NCCO connects the contact. Both legs are reported."""
    number, line = click_numbers(account, click, API.name)
    extension, url = check_extension(click.extension), webhook_url(account, API.name)
    hints = urlencode({"direction": "out", "leg": "employee", "extension": extension})
    body = {
        "to": [ncco.endpoint(account.settings, extension)],
        "from": {"type": "phone", "number": line},
        "ncco": ncco.recorded(account.settings, url, [ncco.connect_contact(url, extension, number, line)]),
        "event_url": [f"{url}?{hints}"],
        "event_method": "POST",
        "ringing_timer": ncco.RING_SECONDS,
    }
    response = send(account, client, "POST", "/v1/calls", body=body, limit="calls")
    return placed_call(response, "conversation_uuid", API.name)


def recording(account: Account, reference: str) -> Media:
    """Return the recording in its own format: MP3 unless an NCCO requests another. The token goes to Vonage only."""
    match = _RECORDING.fullmatch(reference)
    if match is None:
        raise BadInputError("The recording is not stored at Vonage.")
    url = API._replace(base=f"https://{match[1]}").url(account, match[2])
    return Media(url, {"authorization": f"Bearer {token(account)}"})


def ping(account: Account, client: PbxClient) -> Check:
    """Check the application's key."""
    if not all(account.credentials.get(name) for name in API.logins):
        return Check("pbx", True, "Calls are received. To place calls, enter application_id and private_key.")
    call_rows(send(account, client, "GET", "/v1/calls?page_size=1"))
    return Check("pbx", True, "Vonage responds, and the application is known.")


# ------------------------------------------------------------------ requests


def call_rows(page: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the rows of a page of the list of calls. Raises UnreachableError if it is not one."""
    embedded = page.get("_embedded")
    return API.rows(embedded.get("calls") if isinstance(embedded, dict) else None)


def token(account: Account) -> str:
    """Return a token of the application, valid for five minutes: a JWT by RS256 under its private key."""
    from time import time
    from uuid import uuid4

    import jwt

    application, key = API.login(account)
    now = int(time())
    claims = {"application_id": application, "iat": now, "exp": now + _TOKEN_SECONDS, "jti": str(uuid4())}
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError):
        raise BadInputError("private_key is invalid. Enter the whole RSA key in PEM format.") from None


def send(
    account: Account,
    client: PbxClient,
    method: str,
    path: str,
    *,
    body: Mapping[str, Any] | None = None,
    limit: str = "",
) -> Mapping[str, Any]:
    """Send one request and return its JSON. Raises as `Api.json`; Vonage's own messages are not shown."""
    headers = {"authorization": f"Bearer {token(account)}"}
    return API.json(API.send(account, client, method, path, headers=headers, content=body, limit=limit), _refusal)


# Vonage's own messages repeat numbers.
_REFUSALS = {
    400: "The number, the line or the employee's phone cannot be called. Check caller_id and sip_domain.",
    402: "The account has no credit.",
    403: "The application is not allowed to do that.",
    404: "The address does not exist.",
}


def _refusal(error: Mapping[str, Any], status: int) -> Refusal:
    """Return the reason; of Vonage's own words only the name of an invalid parameter."""
    parameters = error.get("invalid_parameters")
    first = parameters[0] if isinstance(parameters, list) and parameters else None
    name = first.get("name") if isinstance(first, dict) else None
    if isinstance(name, str) and re.fullmatch(r"[a-z_.\[\]0-9]{1,40}", name):
        return Refusal(f"The parameter {name} is invalid.")
    return Refusal(_REFUSALS.get(status, "See Vonage's list of errors."))
