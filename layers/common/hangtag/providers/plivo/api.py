"""Plivo's REST API: clicks, recordings, endpoints and the connection check."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers.base import Account, Check, Click, KnownExtension, Media, PbxClient, PlacedCall
from hangtag.providers.call_control_api import check_extension, click_numbers, webhook_url
from hangtag.providers.plivo import responses
from hangtag.providers.reading import words
from hangtag.providers.rest import Api, Refusal, basic

_API = Api("Plivo", "https://api.plivo.com", ("auth_id", "auth_token"), (401, 403))
# Page size of every list.
_PAGE = 20
_MAX_PAGES = 500


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Ring the employee's phone; when it is picked up, the XML dials the contact.

    The response names a request instead of a call; every callback contains our reference.
    """
    number, line = click_numbers(account, click, _API.name)
    url, extension = webhook_url(account, _API.name), check_extension(click.extension)
    hints = {"direction": "out", "extension": extension, "line": line, "number": number}
    callback = f"{url}?{urlencode({**hints, 'reference': click.reference})}"
    body = {
        "from": line,
        "to": responses.sip_address(extension, account.settings),
        **{f"{name}_url": callback for name in ("answer", "ring", "hangup")},
        **{f"{name}_method": "POST" for name in ("answer", "ring", "hangup")},
        "ring_timeout": responses.RING_SECONDS,
    }
    if not _send(account, client, "POST", "Call/", body, limit="calls").get("request_uuid"):
        raise UnreachableError("Plivo's response does not contain the id of the request.")
    return PlacedCall()


def recording(account: Account, reference: str) -> Media:
    """Return the recording. The account can require its credentials, which go to Plivo's hosts only."""
    return Media(reference, {"authorization": _authorization(account)})


def ping(account: Account, client: PbxClient) -> Check:
    """Check the Auth ID and the Auth Token by reading the account."""
    if not _send(account, client, "GET", "").get("auth_id"):
        raise UnreachableError("Plivo's response does not describe an account.")
    return Check("pbx", True, "Plivo responds, and accepts the Auth ID and the Auth Token.")


def extensions(account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
    """Return the endpoints, by the user names of their SIP addresses."""
    return tuple(
        KnownExtension(user[:64], str(row.get("alias") or "")[:200])
        for row in rows(account, client, "Endpoint/", {})
        if isinstance(user := row.get("username"), str) and user
    )


# ------------------------------------------------------------------ requests


def rows(account: Account, client: PbxClient, path: str, filters: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """Yield all rows of a list, page by page."""
    for page in range(_MAX_PAGES):
        query = urlencode({**filters, "limit": _PAGE, "offset": page * _PAGE})
        listed = _API.rows(_send(account, client, "GET", f"{path}?{query}").get("objects"))
        yield from listed
        if len(listed) < _PAGE:
            return
    raise _API.too_long(_MAX_PAGES)


def _authorization(account: Account) -> str:
    return basic(account.credentials.get("auth_id", ""), account.credentials.get("auth_token", ""))


def _send(
    account: Account,
    client: PbxClient,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    limit: str = "",
) -> Mapping[str, Any]:
    """Send one request of the account and return its JSON. Raises as `Api.json`, with Plivo's own message."""
    auth_id, _ = _API.login(account)
    if not re.fullmatch(r"\w{1,64}", auth_id, re.ASCII):
        raise BadInputError("auth_id is invalid. Use letters and digits only.")
    headers = {"authorization": _authorization(account)}
    path = f"/v1/Account/{auth_id}/{path}"
    response = _API.send(account, client, method, path, headers=headers, content=body, limit=limit)
    return _API.json(response, lambda error, _: Refusal(words(error.get("error"), auth_id)))
