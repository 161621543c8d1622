"""Zadarma's REST API: callback, recordings, extensions, set-up."""

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from hangtag.errors import UnreachableError
from hangtag.providers.base import Account, Check, Click, KnownExtension, Media, PbxClient, PlacedCall
from hangtag.providers.rest import Api, error_of
from hangtag.providers.zadarma.webhook import signature

__all__ = ["API", "extensions", "originate", "ping", "recording", "request", "setup"]

API = Api("Zadarma", "https://api.zadarma.com", ("api_key", "api_secret"))
# Presets with another address.
_BASES = {"novofon": "https://api.novofon.com"}
_LINK_SECONDS = 3600
_NOTIFICATIONS = (
    "notify_start",
    "notify_internal",
    "notify_answer",
    "notify_end",
    "notify_out_start",
    "notify_out_end",
)


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Request a callback: it rings `from` first, then `to`. The response does not contain a call id."""
    numbers = {"from": click.extension, "sip": click.extension, "to": click.number.removeprefix("+")}
    request(account, client, "GET", "/v1/request/callback/", numbers, safe=False)
    return PlacedCall()


def recording(account: Account, reference: str, client: PbxClient) -> Media:
    """Request a link to a recording, valid for an hour. The link works without a key."""
    parameters = {"call_id": reference, "lifetime": str(_LINK_SECONDS)}
    response = request(account, client, "GET", "/v1/pbx/record/request/", parameters)
    links = response.get("links")
    link = response.get("link") or (links[0] if isinstance(links, list) and links else None)
    if not isinstance(link, str):
        raise UnreachableError("Zadarma's response does not contain a link to the recording.")
    return Media(link)


def extensions(account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
    """Return the internal numbers of the PBX. The API does not return names."""
    numbers = request(account, client, "GET", "/v1/pbx/internal/", {}).get("numbers")
    if not isinstance(numbers, list):
        raise UnreachableError("Zadarma's response does not contain a list of extensions.")
    return tuple(KnownExtension(str(number)) for number in numbers if isinstance(number, str | int))


def ping(account: Account, client: PbxClient) -> Check:
    """Check key and secret by listing the extensions."""
    count = len(extensions(account, client))
    return Check("pbx", True, f"The PBX responds and has {count} extensions.")


def setup(account: Account, client: PbxClient) -> Check:
    """Enter the webhook's address at the PBX and enable its notifications."""
    if not account.credentials.get("api_key"):
        return Check("setup", True, "Enter the address at the PBX yourself, because api_key is empty.")
    request(account, client, "POST", "/v1/pbx/callinfo/url/", {"url": account.webhook_url})
    request(account, client, "POST", "/v1/pbx/callinfo/notifications/", dict.fromkeys(_NOTIFICATIONS, "true"))
    return Check("setup", True, "The PBX accepted the address and sends all its notifications there.")


def request(
    account: Account,
    client: PbxClient,
    method: str,
    path: str,
    parameters: Mapping[str, str],
    *,
    limit: str = "",
    safe: bool = True,
) -> Mapping[str, Any]:
    """Send one signed request and return its JSON. Raises as `Api.json`, with the PBX's own message."""
    key, secret = API.login(account)
    fields = sorted({**parameters, "format": "json"}.items())
    encoded = urlencode(fields)
    digest = hashlib.md5(encoded.encode(), usedforsecurity=False).hexdigest()
    headers = {"authorization": f"{key}:{signature(secret, path + encoded + digest)}"}
    api = API._replace(base=_BASES.get(account.provider, API.base))
    if method == "GET":
        response = api.send(account, client, method, f"{path}?{encoded}", headers=headers, limit=limit, safe=safe)
    else:
        response = api.send(account, client, method, path, headers=headers, form=fields, limit=limit, safe=safe)
    content = api.json(response, error_of)
    if content.get("status") != "success":
        raise api.rejection(error_of(content, response.status), response.status)
    return content
