"""REST API of RingCentral: RingOut, users, and the authorised request that all calls use."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from hangtag.errors import BadInputError, UnreachableError
from hangtag.limits import Token
from hangtag.providers.base import (
    Account,
    Check,
    Click,
    KnownExtension,
    PayloadError,
    PbxClient,
    PlacedCall,
    Response,
)
from hangtag.providers.reading import need, text, words
from hangtag.providers.rest import Api, Refusal, basic
from hangtag.providers.ringcentral.wire import extension_numbers

__all__ = ["ACCOUNT", "extensions", "originate", "pages", "ping", "records", "request", "token"]

ACCOUNT = "/restapi/v1.0/account/~"
_API = Api("RingCentral", "https://platform.ringcentral.com", ("client_id", "client_secret", "jwt"))


# ------------------------------------------------------------------ calls


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Place a call with RingOut: it rings a phone of the employee, then the contact. The response names no session."""
    extension_id = _extension_id(account, click.extension)
    body: dict[str, Any] = {
        "from": {"phoneNumber": _ring_out_phone(account, client, extension_id)},
        "to": {"phoneNumber": click.number},
        "playPrompt": False,
    }
    if click.line:
        body["callerId"] = {"phoneNumber": click.line}
    request(account, client, "POST", f"{ACCOUNT}/extension/{extension_id}/ring-out", body=body, limit="heavy")
    return PlacedCall()


def _extension_id(account: Account, extension: str) -> str:
    """Return an extension's internal id, from the setting or because the extension already is one."""
    numbers = extension_numbers(account.settings)
    extension_id = next((key for key, number in numbers.items() if number and number == extension), extension)
    if not re.fullmatch(r"[0-9]{1,20}", extension_id) or (extension_id == extension and len(extension_id) < 7):
        raise BadInputError("RingCentral's id of this extension is unknown. Enter it in the setting extensions.")
    return extension_id


def _ring_out_phone(account: Account, client: PbxClient, extension_id: str) -> str:
    """Return the phone that RingOut rings: the extension's own, otherwise the first of its forwarding numbers."""
    rows = records(request(account, client, "GET", f"{ACCOUNT}/extension/{extension_id}/forwarding-number"))
    phones = [(row.get("type") != "PhoneLine", row.get("phoneNumber")) for row in rows]
    ordered = sorted((is_forwarding, number) for is_forwarding, number in phones if isinstance(number, str) and number)
    if not ordered:
        raise BadInputError(
            "The extension has no phone that RingOut could ring. Add a phone or a forwarding number at RingCentral."
        )
    return ordered[0][1]


# ------------------------------------------------------------------ account

_EXTENSIONS_PAGE_SIZE = 1000


def extensions(account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
    """Return the users, by the number entered for them, otherwise by their internal id."""
    numbers = extension_numbers(account.settings)
    users = (row for row in _extensions(account, client) if row[1])
    rows = (KnownExtension(numbers.get(key, key), f"{name} ({number})") for key, number, name in users)
    return tuple(row for row in rows if row.extension)


def _extensions(account: Account, client: PbxClient) -> Iterator[tuple[str, str, str]]:
    """Yield internal id, number and name of each extension; the number is "" for a queue or a menu."""
    path = f"{ACCOUNT}/extension"
    for row in pages(account, client, path, {"status": "Enabled"}, _EXTENSIONS_PAGE_SIZE, "medium"):
        try:
            kind = text(row, "type")
            is_user = kind.endswith("User") or kind == "Limited"
            yield need(row, "id", 64), text(row, "extensionNumber", 64) if is_user else "", text(row, "name")
        except PayloadError:
            continue


# Maximum number of ids in the result of a check.
_MAX_LISTED = 40


def ping(account: Account, client: PbxClient) -> Check:
    """Check the credentials. The detail lists what the setting `extensions` lacks, ready to be copied."""
    numbers = extension_numbers(account.settings)
    # Users first: a long list is cut.
    rows = sorted(_extensions(account, client), key=lambda row: not row[1])
    missing = [f"{extension_id}={number}" for extension_id, number, _ in rows if extension_id not in numbers]
    detail = f"RingCentral responded. The account has {sum(1 for _, number, _ in rows if number)} users."
    if missing:
        detail += f" Add these to the setting extensions: {', '.join(missing[:_MAX_LISTED])}"
    return Check("pbx", True, detail)


# ------------------------------------------------------------------ requests

_MAX_PAGES = 100


def pages(
    account: Account, client: PbxClient, path: str, query: Mapping[str, str], size: int, limit: str
) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of all pages of a list."""
    for page in range(1, _MAX_PAGES + 1):
        parameters = urlencode({**query, "perPage": str(size), "page": str(page)})
        response = request(account, client, "GET", f"{path}?{parameters}", limit=limit)
        yield from records(response)
        navigation = response.get("navigation")
        if not (isinstance(navigation, dict) and navigation.get("nextPage")):
            return
    raise _API.too_long(_MAX_PAGES)


def records(response: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the rows of a list's response. Raises UnreachableError if it has none."""
    return _API.rows(response.get("records"))


def request(
    account: Account,
    client: PbxClient,
    method: str,
    path: str,
    *,
    body: Mapping[str, Any] | None = None,
    limit: str = "light",
    safe: bool | None = None,
) -> Mapping[str, Any]:
    """Send one request and return the response's JSON. A rejected access token is replaced once.

    Raises as `Api.json` does.
    """

    def send() -> Response:
        headers = {"authorization": f"Bearer {token(account, client)}"}
        return _API.send(account, client, method, path, headers=headers, content=body, limit=limit, safe=safe)

    response = send()
    if response.status == 401:
        client.forget(_token_name(account))
        response = send()
    return _API.json(response, _refusal)


def _refusal(content: Mapping[str, Any], status: int) -> Refusal:  # noqa: ARG001
    """Return RingCentral's own message."""
    return Refusal(words(content.get("message") or content.get("error_description")))


def token(account: Account, client: PbxClient) -> str:
    """Return the access token, valid for an hour or two. RingCentral issues at most five per minute."""
    return client.token(_token_name(account), lambda: _new_token(account, client))


def _token_name(account: Account) -> str:
    """Return a name that changes with the credentials."""
    credentials = "|".join(account.credentials.get(name, "") for name in _API.logins)
    return f"access-{hashlib.sha256(credentials.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _new_token(account: Account, client: PbxClient) -> Token:
    client_id, client_secret, jwt = _API.login(account)
    headers = {"authorization": basic(client_id, client_secret)}
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": jwt}
    response = _API.send(
        account, client, "POST", "/restapi/oauth/token", headers=headers, form=form, limit="auth", safe=True
    )
    # The token endpoint also rejects a login with 400.
    content = _API._replace(login_statuses=(400, 401)).json(response, _refusal)
    access_token, seconds = content.get("access_token"), content.get("expires_in")
    if not isinstance(access_token, str) or not access_token or type(seconds) is not int:
        raise UnreachableError("RingCentral's response contains no access token.")
    return Token(access_token, float(seconds))
