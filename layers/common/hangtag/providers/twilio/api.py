"""Twilio's REST API: clicks, recordings, call logs and the connection check, as in twilio.com/docs/voice."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from html import escape
from typing import Any
from urllib.parse import urlencode

from hangtag.domain.calls.event import CallEvent, Direction
from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers import call_control_api as voice
from hangtag.providers.base import Account, Check, Click, Media, PbxClient, PlacedCall
from hangtag.providers.call_control import Leg, records_calls
from hangtag.providers.reading import moment, need, text
from hangtag.providers.rest import Api, Refusal
from hangtag.providers.twilio.webhook import OUTCOMES, direction_of, leg_events, read_leg

_NAME = "Twilio"
_ACCOUNTS = "/2010-04-01/Accounts/"
_KEY = ("api_key_sid", "api_key_secret")
_RECORDING = re.compile(
    r"https://((?:[a-z0-9-]+\.)*twilio\.com)(/2010-04-01/Accounts/\w{1,64}/Recordings/\w{1,64})(?:\.\w{3,4})?", re.ASCII
)
_PAGE = 1000
_MAX_PAGES = 50
# Legs and recordings of a call can begin this much later than the call.
_LATER = timedelta(hours=1)


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Ring the employee's phone; when it is picked up, the inline TwiML dials the contact. Both legs are reported."""
    number, line, extension = voice.click_parts(account, click, _NAME)
    domain = str(account.settings.get("sip_domain", ""))

    def callback(leg: str) -> str:
        hints = {"direction": "out", "leg": leg, "extension": extension}
        return f"{voice.webhook_url(account, _NAME)}?{urlencode(hints)}"

    record = ""
    if records_calls(account.settings):
        record = f' record="record-from-answer-dual" recordingStatusCallback="{escape(account.webhook_url)}"'
    twiml = (
        f'<Response><Dial callerId="+{line}"{record}><Number statusCallback="{escape(callback("contact"))}" '
        f'statusCallbackEvent="ringing answered completed">+{number}</Number></Dial></Response>'
    )
    form = [
        # Without a SIP domain, phones are at Twilio Client.
        ("To", f"sip:{extension}@{domain}" if domain else f"client:{extension}"),
        ("From", f"+{line}"),
        ("Twiml", twiml),
        ("StatusCallback", callback("employee")),
        *(("StatusCallbackEvent", name) for name in ("ringing", "answered", "completed")),
    ]
    path = f"{_account_path(account)}/Calls.json"
    return voice.placed_call(_api(account).send(account, client, "POST", path, form=form, limit="calls"), "sid", _NAME)


def recording(account: Account, reference: str, client: PbxClient) -> Media:  # noqa: ARG001 - the interface
    """Return the recording as MP3. The account can require its credentials, which go to Twilio's hosts only."""
    return _api(account).stored_media(account, reference, _RECORDING, ".mp3")


def ping(account: Account, client: PbxClient) -> Check:
    """Check the Auth Token and the API key, and that the account is active."""
    path = _account_path(account)
    status = _OWNER.send(account, client, "GET", f"{path}.json").get("status")
    if not isinstance(status, str):
        raise UnreachableError("Twilio's response does not describe an account.")
    if status != "active":
        return Check("pbx", False, "The account is suspended or closed. Reactivate it at Twilio.")
    if (api := _api(account)) is not _OWNER:
        api.send(account, client, "GET", f"{path}/Calls.json?PageSize=1")
    return Check("pbx", True, "Twilio responds, and the account is active.")


# ------------------------------------------------------------------ call logs


def history(account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
    """Yield the ends of all legs of the calls that began in the period, and their recordings."""

    def rows(name: str, key: str, by: str) -> Iterator[voice.Row]:
        query = {f"{by}>": voice.timestamp(since), f"{by}<": voice.timestamp(until + _LATER), "PageSize": _PAGE}
        path: Any = f"{_account_path(account)}/{name}.json?{urlencode(query)}"
        for _ in range(_MAX_PAGES):
            page = _api(account).send(account, client, "GET", path)
            yield from _OWNER.api.rows(page.get(key))
            path = page.get("next_page_uri")
            if not path:
                return
            if not isinstance(path, str) or not path.startswith(_ACCOUNTS):
                raise UnreachableError("Twilio's list continues at an address outside its API.")
        raise _OWNER.api.too_long(_MAX_PAGES)

    # The StartTime of an answered leg is the time of the answer.
    calls = voice.call_legs(voice.readable(rows("Calls", "calls", "StartTime"), _leg), since, until)
    for parent, children in calls:
        yield from _call_events(parent, children)
    listed, ids = rows("Recordings", "recordings", "DateCreated"), {parent.id for parent, _ in calls}
    yield from voice.recording_events(listed, ids, call_id="call_sid", created="date_created", reference=_recording)


def _leg(row: voice.Row) -> Leg | None:
    """Return the leg of a row; None if it has not ended."""
    end = moment(text(row, "end_time")) or moment(text(row, "date_updated"))
    begun = moment(text(row, "date_created")) or moment(text(row, "start_time"))
    if end is None or begun is None or need(row, "status") not in OUTCOMES or not need(row, "sid"):
        return None
    # Columns have the names of the callback's fields, in another notation.
    short = ("sid", "status", "duration")
    fields = {("Call" if name in short else "") + name.title().replace("_", ""): row[name] for name in row}
    return replace(read_leg(fields, end), begun=begun)


def _call_events(parent: Leg, children: list[Leg]) -> Iterator[CallEvent]:
    """Yield the events of one call: its own leg states the direction; an incoming call begins with the first ring."""
    direction = direction_of(parent)
    if direction is None:
        return
    incoming = direction is Direction.IN
    begun = min((leg.begun for leg in (children if incoming and children else [parent]) if leg.begun), default=None)
    hints = {"direction": str(direction), "line": parent.called if incoming else ""}
    for leg in (*children, parent):
        for event in leg_events(replace(leg, hints=hints), direction):
            yield replace(event, started_at=begun)


def _recording(row: voice.Row) -> str:
    return text(row, "media_url", 2048) or _OWNER.api.base + need(row, "uri", 2048).removesuffix(".json")


# ------------------------------------------------------------------ requests


def _account_path(account: Account) -> str:
    """Return the path of the account. Raises BadInputError if its credentials are not entered."""
    sid = account.credentials.get("account_sid", "")
    if not re.fullmatch(r"\w{1,64}", sid, re.ASCII) or not account.credentials.get("auth_token"):
        raise BadInputError("Twilio needs credentials. Enter account_sid and auth_token.")
    return _ACCOUNTS + sid


def _api(account: Account) -> voice.VoiceApi:
    """Return the API with the API key, or with the account's Auth Token if no key is entered."""
    has_key = all(account.credentials.get(name) for name in _KEY)
    return _OWNER._replace(api=_OWNER.api._replace(logins=_KEY)) if has_key else _OWNER


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


def _refusal(error: voice.Row, status: int) -> Refusal:
    code = error.get("code")
    number = code if type(code) is int and 0 < code < 1_000_000 else status
    return Refusal(_REFUSALS.get(number, "See Twilio's list of errors."), str(number))


# The code 20429 is "Too many requests", if it does not come with the status 429.
_OWNER = voice.VoiceApi(Api(_NAME, "https://api.twilio.com", ("account_sid", "auth_token")), _refusal, too_many="20429")
