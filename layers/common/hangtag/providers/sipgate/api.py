"""sipgate's REST API: sessions, recordings, users, set-up."""

from collections.abc import Mapping
from typing import Any

from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers.base import Account, Check, Click, KnownExtension, Media, PbxClient, PlacedCall
from hangtag.providers.rest import Api, Refusal, basic
from hangtag.providers.sipgate.webhook import users_of

__all__ = ["API", "extensions", "originate", "ping", "recording", "request", "setup"]

API = Api("sipgate", "https://api.sipgate.com", ("token_id", "token"))


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Ring the employee's device, then the contact. The session id is the call id."""
    device = _device(account, click.extension)
    content = {"deviceId": device, "caller": device, "callee": click.number}
    if click.line:
        content["callerId"] = click.line
    session = request(account, client, "POST", "/sessions/calls", content).get("sessionId")
    if not isinstance(session, str) or not session:
        raise UnreachableError("sipgate's response does not contain a session id.")
    return PlacedCall(session)


def _device(account: Account, extension: str) -> str:
    """Return the entered device of an employee, or the first device of the user: e0 for w0."""
    devices = users_of({"users": account.settings.get("devices")})
    user = next((user for user, own in users_of(account.settings).items() if own == extension), extension)
    device = devices.get(extension) or ("e" + user[1:] if user.startswith("w") else user)
    if not (device[:1].isalpha() and device[1:].isdigit() and device.isascii() and len(device) <= 16):
        raise BadInputError("The employee's device is unknown. Enter it in devices, as in 101=e0.")
    return device


def recording(account: Account, reference: str) -> Media:
    """Return the address of the history. The token is sent to sipgate's own host only."""
    is_own = reference.startswith(API.base + "/")
    return Media(reference, {"authorization": _authorization(account)} if is_own else {})


def extensions(account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
    """Return the users, with their entered extensions or their ids at sipgate."""
    rows = API.rows(request(account, client, "GET", "/users").get("items"))
    users = users_of(account.settings)
    result = []
    for row in rows:
        user = row.get("id")
        if isinstance(user, str) and user:
            name = f"{row.get('firstname') or ''} {row.get('lastname') or ''}".strip()
            result.append(KnownExtension(users.get(user, user)[:64], name[:200]))
    return tuple(result)


def ping(account: Account, client: PbxClient) -> Check:
    """Check the token by reading the account."""
    if not request(account, client, "GET", "/account"):
        raise UnreachableError("sipgate's response does not contain the account.")
    return Check("pbx", True, "sipgate responds and accepts the token.")


def setup(account: Account, client: PbxClient) -> Check:
    """Enter the webhook's address for both directions; other settings there are unchanged."""
    if not account.credentials.get("token"):
        return Check("setup", True, "Enter the address at sipgate yourself, because token is empty.")
    settings = request(account, client, "GET", "/settings/sipgateio")
    request(
        account,
        client,
        "PUT",
        "/settings/sipgateio",
        {**settings, "incomingUrl": account.webhook_url, "outgoingUrl": account.webhook_url},
    )
    return Check("setup", True, "sipgate accepted the address for incoming and outgoing calls.")


def _authorization(account: Account) -> str:
    return basic(account.credentials.get("token_id", ""), account.credentials.get("token", ""))


def request(
    account: Account, client: PbxClient, method: str, path: str, content: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    """Send one request and return its JSON. Raises as `Api.json`, with messages of Hangtag's own."""
    API.login(account)
    headers = {"authorization": _authorization(account)}
    response = API.send(account, client, method, f"/v2{path}", headers=headers, content=content)
    return API.json(response, lambda _, status: Refusal(_REFUSALS.get(status, "")))


_REFUSALS = {
    400: "the device or the number is invalid",
    402: "the account has no credit",
    403: "the token lacks permission, or the device belongs to another user",
    404: "not found",
}
