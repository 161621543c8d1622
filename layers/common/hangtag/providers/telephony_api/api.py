"""Commands to the PBX: makeCall, setup."""

from collections.abc import Mapping
from urllib.parse import urlencode

from hangtag.errors import BadInputError
from hangtag.providers.base import Account, Check, Click, PbxClient, PlacedCall
from hangtag.providers.telephony_api.webhook import SECRET

__all__ = ["originate", "ping", "setup"]

# Upper bound for a PBX's own message in an error shown to an admin.
_MAX_WORDS = 300


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Send the documented makeCall. Its response does not contain a call id."""
    number = click.number.removeprefix("+")
    if not (number.isascii() and number.isdigit()):
        raise BadInputError("The number to call can contain digits only.")
    _command_pbx(account, client, {"cmd": "makeCall", "from": click.extension, "to": number})
    return PlacedCall()


def setup(account: Account, secrets: Mapping[str, str], client: PbxClient) -> Check:
    """Send the documented command `setup`, with which a PBX configures itself."""
    if not account.credentials.get("pbx_url"):
        return Check("setup", True, "Enter the address and the key at the PBX yourself, because pbx_url is empty.")
    fields = {"cmd": "setup", "planfix_token": secrets[SECRET], "planfix_url": account.webhook_url}
    try:
        _command_pbx(account, client, fields)
    except BadInputError as error:
        return Check("setup", False, error.message)
    return Check("setup", True, "The PBX accepted the address and the key.")


def ping(account: Account, client: PbxClient) -> Check:
    """Check that the PBX's address responds and accepts the PBX's key.

    The documented commands, makeCall and setup, have side effects, so an unknown command is sent: a PBX that follows
    the documentation returns 400 for the right key and 401 for a wrong one.
    """
    if not account.credentials.get("pbx_url"):
        return Check("pbx", True, "Calls are received, but click-to-call is not available, because pbx_url is empty.")
    status, _ = _post(account, client, {"cmd": "ping"}, safe=True)
    return Check("pbx", *_explain(status, has_key=bool(account.credentials.get("pbx_token"))))


def _command_pbx(account: Account, client: PbxClient, fields: Mapping[str, str]) -> None:
    """Send a command. Raises BadInputError with the PBX's own message if the status is not 200."""
    if not account.credentials.get("pbx_url"):
        raise BadInputError("Enter pbx_url to send commands to this PBX.")
    status, message = _post(account, client, fields)
    if status != 200:
        raise BadInputError(
            f"The PBX returned HTTP {status}: {message}" if message else f"The PBX returned HTTP {status}."
        )


def _post(account: Account, client: PbxClient, fields: Mapping[str, str], *, safe: bool = False) -> tuple[int, str]:
    """Return the status, and the PBX's message without secrets and control characters."""
    key = account.credentials.get("pbx_token", "")
    form = dict(fields) | ({"token": key} if key else {})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    response = client.send(
        "POST", account.credentials["pbx_url"], headers=headers, body=urlencode(form).encode(), safe=safe
    )
    message = "".join(c if c.isprintable() else " " for c in response.body[:4096].decode("utf-8", "replace"))
    for secret in (key, fields.get(SECRET, "")):
        message = message.replace(secret, "***") if secret else message
    return response.status, " ".join(message.split())[:_MAX_WORDS]


def _explain(status: int, *, has_key: bool) -> tuple[bool, str]:
    """Return whether the status of a ping is good, and a sentence for the admin."""
    if 300 <= status < 400:
        return False, f"pbx_url redirects (HTTP {status}). Enter the address that it redirects to."
    if status in (401, 403):
        if has_key:
            return False, f"The PBX rejected pbx_token (HTTP {status}). Enter the key that it expects."
        return False, f"The PBX requires its key (HTTP {status}). Enter it as pbx_token."
    if status in (404, 410):
        return False, f"The PBX has nothing at pbx_url (HTTP {status}). Compare it with the PBX's own settings."
    if status >= 500:
        return False, f"The PBX returned a server error (HTTP {status})."
    return True, f"The PBX responds (HTTP {status})."
