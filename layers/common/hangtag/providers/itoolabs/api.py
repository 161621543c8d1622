"""The VATS's REST APIs: makecall, users, recordings."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers.base import Account, Check, Click, KnownExtension, Media, PbxClient, PlacedCall, Response
from hangtag.providers.reading import json_of, words
from hangtag.providers.rest import Api, Refusal

__all__ = ["extensions", "is_legacy", "legacy_request", "originate", "ping", "recording", "request", "rows"]

# The admin enters the address.
_API = Api("The VATS", "", ("api_key",), (401, 403))


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Send makecall: the user's phone rings first. The number is digits only, because some VATS reject a plus."""
    number = click.number.removeprefix("+")
    if is_legacy(account):
        response = legacy_request(
            account, client, {"cmd": "makeCall", "user": click.extension, "phone": number}, safe=False
        )
        return PlacedCall(_call_id(response.body))
    response = request(account, client, "POST", "/makecall", content={"user": click.extension, "phone": number})
    return PlacedCall(_call_id(response.body))


def _call_id(body: bytes) -> str | None:
    """Return the call id: the bare body of the older API, or a field of the JSON object."""
    content = body[:1024].decode("utf-8", "replace").strip()
    value = json_of(content)
    if isinstance(value, dict):
        value = value.get("callid")
    elif value is None and content != "null":
        value = content
    if value is None or value == "":
        return None
    if isinstance(value, int) or (isinstance(value, str) and _is_id(value)):
        return str(value)
    raise UnreachableError("The VATS returned an unreadable response.")


def _is_id(value: str) -> bool:
    return value.isascii() and value.isprintable() and " " not in value and "<" not in value and len(value) <= 512


def recording(account: Account, reference: str) -> Media:
    """Return the link of the history. The key is sent to the VATS's own host only."""
    key = account.credentials.get("api_key", "")
    own = urlsplit(account.credentials.get("pbx_url", "")).hostname
    if key and own and urlsplit(reference).hostname == own:
        return Media(reference, {"x-api-key": key})
    return Media(reference)


def extensions(account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
    """Return the users with their extensions; a user without one has the login instead."""
    if is_legacy(account):
        users = rows(legacy_request(account, client, {"cmd": "accounts"}, safe=True))
    else:
        users = rows(request(account, client, "GET", "/users"))
    result = []
    for row in users:
        login = str(row.get("login") or row.get("name") or "")[:128]
        extension = str(row.get("ext") or login)[:32]
        name = str(row.get("realName") or (row.get("name") if row.get("login") else "") or "")[:200]
        if extension:
            result.append(KnownExtension(extension, name))
    return tuple(result)


def ping(account: Account, client: PbxClient) -> Check:
    """Check the key by listing the users."""
    if not account.credentials.get("pbx_url"):
        return Check("pbx", True, "Calls are received, but click-to-call is not available, because pbx_url is empty.")
    return Check("pbx", True, f"The VATS responds and has {len(extensions(account, client))} users.")


def is_legacy(account: Account) -> bool:
    """Return whether the address is the older API's."""
    return urlsplit(account.credentials.get("pbx_url", "")).path.rstrip("/").endswith("crm_api.wcgp")


def _credentials(account: Account) -> tuple[str, str]:
    url, key = account.credentials.get("pbx_url", ""), account.credentials.get("api_key", "")
    if not url or not key:
        raise BadInputError("Enter pbx_url and api_key to use the API of the VATS.")
    return url.rstrip("/"), key


def request(
    account: Account, client: PbxClient, method: str, path: str, *, content: Mapping[str, Any] | None = None
) -> Response:
    """Send a request to the API under /crmapi/v1."""
    url, key = _credentials(account)
    api = _API._replace(base=url if url.endswith("/crmapi/v1") else f"{url}/crmapi/v1")
    return _checked(api.send(account, client, method, path, headers={"x-api-key": key}, content=content), key)


def legacy_request(account: Account, client: PbxClient, fields: Mapping[str, str], *, safe: bool) -> Response:
    """Send a request to the older API."""
    url, key = _credentials(account)
    api = _API._replace(base=url)
    return _checked(api.send(account, client, "POST", "", headers={}, form={**fields, "token": key}, safe=safe), key)


def _checked(response: Response, key: str) -> Response:
    """Return a successful response. Raises as `Api.raise_for_status`."""
    if 300 <= response.status < 400:
        raise BadInputError(f"pbx_url redirects (HTTP {response.status}). Check the name of the company in it.")
    if response.status == 404:
        raise BadInputError("The VATS was not found at pbx_url (HTTP 404). Check the address.")
    return _API.raise_for_status(response, lambda content, _: Refusal(words(content.get("error"), key)))


def rows(response: Response) -> list[Mapping[str, Any]]:
    """Return the objects of a list, which can be in `items` or `data`."""
    content = json_of(response.body)
    return _API.rows(content.get("items", content.get("data")) if isinstance(content, dict) else content)
