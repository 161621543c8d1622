"""REST API of Mango Office: clicks, recordings, employees, and the signed request that all of them use."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin

from hangtag.errors import BadInputError, TooManyError, UnreachableError
from hangtag.providers.base import (
    Account,
    Check,
    Click,
    KnownExtension,
    Media,
    PayloadError,
    PbxClient,
    PlacedCall,
    Response,
)
from hangtag.providers.mango.legs import REFERENCE
from hangtag.providers.mango.wire import RECORDING_ID, signature
from hangtag.providers.reading import json_of, text
from hangtag.providers.rest import Api, Refusal

__all__ = ["API", "extensions", "lenient_text", "originate", "ping", "post", "recording", "users"]

API = Api("Mango", "https://app.mango-office.ru/vpbx", ("vpbx_api_key", "vpbx_api_salt"))
_EXTENSION = re.compile(r"[0-9]{1,10}", re.ASCII)
_NUMBER = re.compile(r"\+?([0-9]{3,18})", re.ASCII)


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Request a callback, which rings the employee first.

    The response contains no call id; events of the call carry the click's reference. Mango reports a callback that it
    can't place later, at /result/callback. Raises BadInputError for anything that Mango would count as a wrong request:
    two of them block every employee's calls for two minutes.
    """
    number, line = _NUMBER.fullmatch(click.number), _NUMBER.fullmatch(click.line or "")
    if not _EXTENSION.fullmatch(click.extension):
        raise BadInputError("Mango only calls extensions that consist of digits. Give the employee a short number.")
    if number is None or (click.line and line is None) or not REFERENCE.fullmatch(click.reference):
        raise BadInputError("Mango only calls numbers of digits, from lines of digits. Correct the number or the line.")
    body: dict[str, Any] = {"command_id": click.reference, "from": {"extension": click.extension}}
    body["to_number"] = number[1]
    if line is not None:
        body["line_number"] = line[1]
    response = post(account, client, "/commands/callback", body, limit="callback", safe=False)
    if response.body.strip() and not isinstance(json_of(response.body), dict):
        raise API.unreadable(response.status)
    return PlacedCall()


def recording(account: Account, reference: str, client: PbxClient) -> Media:
    """Return the recording's address, which is valid for one download and therefore never stored."""
    if not RECORDING_ID.fullmatch(reference):
        raise BadInputError("This is not the id of a Mango recording.")
    path, body = "/queries/recording/post", {"recording_id": reference, "action": "download"}
    response = post(account, client, path, body, limit="recording", safe=True)
    location = response.headers.get("location", "")
    no_address = UnreachableError("Mango's response contains no address of the recording.")
    if response.status not in (301, 302, 303, 307) or not location:
        raise no_address
    try:
        return Media(urljoin(API.url(account, path), location))
    except ValueError:
        raise no_address from None


def extensions(account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
    """Return the employees that have a short number."""
    numbered = (
        (lenient_text(phone, "extension"), lenient_text(user, "name")) for user, phone in users(account, client)
    )
    return tuple(KnownExtension(extension, name) for extension, name in numbered if extension)


def ping(account: Account, client: PbxClient) -> Check:
    """Check the API key and salt by listing the employees, which changes nothing."""
    count = len(extensions(account, client))
    return Check("pbx", True, f"Mango responded. The account has {count} extensions.")


def users(
    account: Account, client: PbxClient, ext_fields: tuple[str, ...] = ()
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield the `general` and `telephony` fields of each employee."""
    body = {"ext_fields": list(ext_fields)} if ext_fields else {}
    response = post(account, client, "/config/users/request", body, limit="users", safe=True)
    for user in API.rows(API.read(response).get("users")):
        general, telephony = (
            part if isinstance(part, dict) else {} for part in map(user.get, ("general", "telephony"))
        )
        yield general, telephony


def lenient_text(fields: Mapping[str, Any], name: str) -> str:
    """Like `text`, but return "" for a value that is not text."""
    try:
        return text(fields, name)
    except PayloadError:
        return ""


def post(
    account: Account, client: PbxClient, path: str, body: Mapping[str, Any], *, safe: bool, limit: str = ""
) -> Response:
    """Send one signed request and return its response.

    Raises BadInputError if Mango rejects it, TooManyError while Mango blocks all requests, UnreachableError on failure.
    """
    key, salt = API.login(account)
    payload = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    form = {"vpbx_api_key": key, "sign": signature(key, payload, salt), "json": payload}
    response = API.send(account, client, "POST", path, headers={}, form=form, limit=limit, safe=safe)
    content = json_of(response.body)
    _raise_for_code(response, content if isinstance(content, dict) else {}, client)
    return response


# After two wrong requests within this time Mango rejects all requests until it has passed.
_BLOCK_SECONDS = 120
_BLOCKED = (
    f"Mango rejects all requests for up to {_BLOCK_SECONDS} seconds after wrong ones (401). Try again in "
    f"{_BLOCK_SECONDS} seconds. If this continues, check that vpbx_api_key and vpbx_api_salt are correct and that "
    "Mango allows our IP address."
)
# The key or the signature is not the account's.
_LOGIN_CODES = ("3102", "3105")


def _raise_for_code(response: Response, content: Mapping[str, Any], client: PbxClient) -> None:
    """Raise the error of a failed response. The code has priority over the status, which the vendor mixes up."""
    code = _code(content)
    if code.startswith("3"):
        # A request for a recording that is still missing would be the second wrong one and block all calls.
        client.hold("recording", _BLOCK_SECONDS)
    if response.status == 401:
        raise TooManyError(_BLOCKED)
    if lenient_text(content, "status") == "429" or code == "4290":
        raise API.too_many(client)
    if code in _LOGIN_CODES:
        raise BadInputError(f"Mango rejects vpbx_api_key and vpbx_api_salt (code {code}). Check both.")
    if code.startswith("5") or (response.status >= 500 and not code):
        raise UnreachableError(f"Mango returned a server error ({code or response.status}). Try again later.")
    if response.status >= 400 or code.startswith(("2", "3", "4")):
        raise API.rejection(Refusal(_explanation(code), code), response.status)


def _code(content: Mapping[str, Any]) -> str:
    """Return the four-digit result code; "" if the response has none."""
    values = (lenient_text(content, name) for name in ("result", "code"))
    return next((value for value in values if re.fullmatch(r"[1-9][0-9]{3}", value, re.ASCII)), "")


def _explanation(code: str) -> str:
    texts = {
        "2": "the account or its tariff does not allow it",
        "3124": "calls can't be made from that line",
        "332": "there is no such recording yet, or it has been deleted",
        "333": "no employee has that extension",
        "3": "the request is wrong",
        "4": "it can't be done now",
    }
    return next((texts[code[:size]] for size in (4, 3, 1) if code[:size] in texts), "see Mango's list of codes")
