"""Twilio's REST API: clicks, recordings and the connection check. Calls are those of twilio.com/docs/voice."""

import re
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import urlencode

from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers.base import Account, Check, Click, Media, PbxClient, PlacedCall
from hangtag.providers.call_control import records_calls
from hangtag.providers.call_control_api import check_extension, click_numbers, placed_call, webhook_url
from hangtag.providers.rest import Api, Refusal, basic

API = Api("Twilio", "https://api.twilio.com", ("account_sid", "auth_token"))
ACCOUNTS = "/2010-04-01/Accounts/"
_RECORDING = re.compile(
    r"https://((?:[a-z0-9-]+\.)*twilio\.com)(/2010-04-01/Accounts/\w{1,64}/Recordings/\w{1,64})(?:\.\w{3,4})?", re.ASCII
)


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Ring the employee's phone; when it is picked up, the inline TwiML dials the contact. Both legs are reported."""
    number, line = click_numbers(account, click, API.name)
    url = webhook_url(account, API.name)
    form = [
        ("To", _phone(account, click.extension)),
        ("From", f"+{line}"),
        ("Twiml", _twiml(account, click.extension, number, line)),
        ("StatusCallback", _callback(url, "employee", click.extension)),
        *(("StatusCallbackEvent", name) for name in ("ringing", "answered", "completed")),
    ]
    response = send(account, client, "POST", f"{account_path(account)}/Calls.json", form=form, limit="calls")
    return placed_call(response, "sid", API.name)


def _phone(account: Account, extension: str) -> str:
    """Return the employee's address: at the SIP domain, or at Twilio Client if none is entered."""
    check_extension(extension)
    domain = str(account.settings.get("sip_domain", ""))
    return f"sip:{extension}@{domain}" if domain else f"client:{extension}"


def _callback(url: str, leg: str, extension: str) -> str:
    return f"{url}?{urlencode({'direction': 'out', 'leg': leg, 'extension': extension})}"


def _twiml(account: Account, extension: str, number: str, line: str) -> str:
    record = ""
    if records_calls(account.settings):
        record = f' record="record-from-answer-dual" recordingStatusCallback="{escape(account.webhook_url)}"'
    callback = escape(_callback(account.webhook_url, "contact", extension))
    return (
        f'<Response><Dial callerId="+{line}"{record}>'
        f'<Number statusCallback="{callback}" statusCallbackEvent="ringing answered completed">+{number}</Number>'
        "</Dial></Response>"
    )


def recording(account: Account, reference: str) -> Media:
    """Return the recording as MP3. The account can require its credentials, which go to Twilio's hosts only."""
    match = _RECORDING.fullmatch(reference)
    if match is None:
        raise BadInputError("The recording is not stored at Twilio.")
    url = API._replace(base=f"https://{match[1]}").url(account, f"{match[2]}.mp3")
    return Media(url, {"authorization": _authorization(account)})


def ping(account: Account, client: PbxClient) -> Check:
    """Check the Auth Token and the API key, and that the account is active."""
    status = send(account, client, "GET", f"{account_path(account)}.json", as_owner=True).get("status")
    if not isinstance(status, str):
        raise UnreachableError("Twilio's response does not describe an account.")
    if status != "active":
        return Check("pbx", False, "The account is suspended or closed. Reactivate it at Twilio.")
    if _has_api_key(account):
        send(account, client, "GET", f"{account_path(account)}/Calls.json?PageSize=1")
    return Check("pbx", True, "Twilio responds, and the account is active.")


# ------------------------------------------------------------------ requests


def account_path(account: Account) -> str:
    """Return the path of the account. Raises BadInputError if its credentials are not entered."""
    sid = account.credentials.get("account_sid", "")
    if not re.fullmatch(r"\w{1,64}", sid, re.ASCII) or not account.credentials.get("auth_token"):
        raise BadInputError("Twilio needs credentials. Enter account_sid and auth_token.")
    return ACCOUNTS + sid


def _has_api_key(account: Account) -> bool:
    return bool(account.credentials.get("api_key_sid") and account.credentials.get("api_key_secret"))


def _authorization(account: Account, *, as_owner: bool = False) -> str:
    """Return HTTP Basic with the API key, or with the account's Auth Token if no key is entered."""
    names = ("account_sid", "auth_token")
    if _has_api_key(account) and not as_owner:
        names = ("api_key_sid", "api_key_secret")
    return basic(*(account.credentials.get(name, "") for name in names))


def send(
    account: Account,
    client: PbxClient,
    method: str,
    path: str,
    *,
    form: list[tuple[str, str]] | None = None,
    limit: str = "",
    as_owner: bool = False,
) -> Mapping[str, Any]:
    """Send one request and return its JSON. Raises as `Api.json`; Twilio's own messages are not shown."""
    headers = {"authorization": _authorization(account, as_owner=as_owner)}
    api = API
    if _has_api_key(account) and not as_owner:
        api = API._replace(logins=("api_key_sid", "api_key_secret"))
    response = api.send(account, client, method, path, headers=headers, form=form, limit=limit)

    def refusal(error: Mapping[str, Any], status: int) -> Refusal:
        code = error.get("code")
        if code == _TOO_MANY:
            raise api.too_many(client)
        number = code if type(code) is int and 0 < code < 1_000_000 else status
        return Refusal(_REFUSALS.get(number, "See Twilio's list of errors."), str(number))

    return api.json(response, refusal)


# "Too many requests", if it does not come with the status 429.
_TOO_MANY = 20429
# Twilio's own messages repeat numbers.
_REFUSALS = {
    10001: "The account is not active.",
    10004: "The account has too many calls at once.",
    20003: "The account or its key is not allowed to do that.",
    20005: "The account is not active.",
    20404: "The account or the address does not exist.",
    21205: "Twilio cannot reach the webhook's address.",
    21210: "The number to show is not verified at Twilio. Check caller_id and the lines.",
    21211: "Twilio cannot call the employee's phone. Check the extension and sip_domain.",
    21212: "The number to show is invalid. Check caller_id and the lines.",
    21214: "Twilio cannot reach the employee's phone.",
    21215: "The account is not allowed to call that country. Check its geographic permissions.",
    21216: "The account is not allowed to call that number.",
    21219: "A trial account calls verified numbers only.",
}
