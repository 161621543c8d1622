"""REST API of Ringostat: clicks, and the request with the project's key."""

from collections.abc import Mapping
from typing import Any

from hangtag.errors import UnreachableError
from hangtag.providers.base import Account, Check, Click, PbxClient, PlacedCall
from hangtag.providers.reading import json_of
from hangtag.providers.rest import Api, error_of

__all__ = ["API", "originate", "ping", "request"]

API = Api("Ringostat", "https://api.ringostat.net", ("auth_key",), (401, 403))


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Request a simple callback: it rings `extension`, then `destination`. The response names no call."""
    form = {"extension": click.extension, "destination": click.number.removeprefix("+")}
    content = request(account, client, "/callback/outward_call", form)
    if isinstance(content, dict) and content.get("error"):
        raise API.rejection(error_of(content, 200), 200)
    return PlacedCall()


def ping(account: Account, client: PbxClient) -> Check:
    """Check the key by listing the SIP accounts that are online, which changes nothing."""
    accounts = request(account, client, "/sipstatus/online")
    if not isinstance(accounts, list):
        raise UnreachableError("Ringostat's response contains no list of SIP accounts.")
    return Check("pbx", True, f"Ringostat responded. {len(accounts)} of its SIP accounts are online.")


def request(account: Account, client: PbxClient, path: str, form: Mapping[str, str] | None = None) -> Any:
    """Return the response's JSON; None if it is not JSON. Raises as `Api.raise_for_status` does."""
    (key,) = API.login(account)
    # Only clicks are posted; they are not retried.
    method, safe = ("GET", True) if form is None else ("POST", False)
    response = API.send(account, client, method, path, headers={"auth-key": key}, form=form, safe=safe)
    return json_of(API.raise_for_status(response, error_of).body)
