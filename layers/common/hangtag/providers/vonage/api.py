"""Vonage's REST API of calls: clicks, recordings, the call log and the connection check."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import BadInputError
from hangtag.providers import call_control_api as voice
from hangtag.providers.base import Account, Check, Click, Media, PbxClient, PlacedCall
from hangtag.providers.call_control import Leg, nonzero_digits
from hangtag.providers.reading import moment, need, text
from hangtag.providers.rest import Api, Refusal
from hangtag.providers.vonage import ncco
from hangtag.providers.vonage.webhook import OUTCOMES, direction_of, leg_events, read_leg, rings_device

_NAME = "Vonage"
_RECORDING = re.compile(r"https://((?:[a-z0-9-]+\.)*(?:nexmo|vonage)\.com)(/v[1-9]/files/[\w-]{1,64})", re.ASCII)
_TOKEN_SECONDS = 300
_PAGE = 100
_MAX_PAGES = 100
# Maximum length of a call: its last leg can begin this much later than its first.
_LONGEST = timedelta(hours=2)


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Ring the employee's phone; when it is picked up, the NCCO connects the contact. Both legs are reported."""
    number, line, extension = voice.click_parts(account, click, _NAME, nonzero_digits)
    url = voice.webhook_url(account, _NAME)
    hints = urlencode({"direction": "out", "leg": "employee", "extension": extension})
    body = {
        "to": [ncco.endpoint(account.settings, extension)],
        "from": {"type": "phone", "number": line},
        "ncco": ncco.recorded(account.settings, url, [ncco.connect_contact(url, extension, number, line)]),
        "event_url": [f"{url}?{hints}"],
        "event_method": "POST",
        "ringing_timer": ncco.RING_SECONDS,
    }
    response = _API.send(account, client, "POST", "/v1/calls", body, limit="calls")
    return voice.placed_call(response, "conversation_uuid", _NAME)


def recording(account: Account, reference: str, client: PbxClient) -> Media:  # noqa: ARG001 - the interface
    """Return the recording in its own format: MP3 unless an NCCO requests another. The token goes to Vonage only."""
    return _API.stored_media(account, reference, _RECORDING)


def ping(account: Account, client: PbxClient) -> Check:
    """Check the application's key."""
    if not all(account.credentials.get(name) for name in _API.api.logins):
        return Check("pbx", True, "Calls are received. To place calls, enter application_id and private_key.")
    _rows(_API.send(account, client, "GET", "/v1/calls?page_size=1"))
    return Check("pbx", True, "Vonage responds, and the application is known.")


# ------------------------------------------------------------------ the call log


def history(account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
    """Yield the ends of all legs of the calls that began in the period. Recordings are in no list."""
    calls: dict[str, list[Leg]] = defaultdict(list)
    # Without the earlier legs of its call, a leg would look like a separate call.
    for leg in voice.readable(_list(account, client, since - _LONGEST, until + _LONGEST), _leg):
        calls[leg.call_id].append(leg)
    for legs in calls.values():
        if since <= min(leg.begun or leg.at for leg in legs) < until:
            yield from _call_events(legs)


def _list(account: Account, client: PbxClient, since: datetime, until: datetime) -> Iterator[voice.Row]:
    """Yield all rows of the list of calls, page by page."""
    period = {"date_start": voice.timestamp(since), "date_end": voice.timestamp(until), "order": "asc"}
    index = 0
    for _ in range(_MAX_PAGES):
        query = urlencode({**period, "page_size": _PAGE, "record_index": index})
        page = _API.send(account, client, "GET", f"/v1/calls?{query}")
        rows = _rows(page)
        yield from rows
        index += len(rows)
        count = page.get("count")
        if not rows or (type(count) is int and index >= count):
            return
    raise _API.api.too_long(_MAX_PAGES)


def _rows(page: voice.Row) -> list[voice.Row]:
    """Return the rows of a page of the list of calls. Raises UnreachableError if it is not one."""
    embedded = page.get("_embedded")
    return _API.api.rows(embedded.get("calls") if isinstance(embedded, dict) else None)


def _leg(row: voice.Row) -> Leg | None:
    """Return the leg of a row; None if it has not ended."""
    end = moment(text(row, "end_time"))
    if end is None or text(row, "status") not in OUTCOMES:
        return None
    ends = (_address(row.get("from")), _address(row.get("to")))
    begun = moment(text(row, "start_time"))
    return read_leg(row, need(row, "uuid"), ends, kind=Kind.ENDED, at=end, begun=begun)


def _address(endpoint: object) -> str:
    """Return the address of an endpoint of any type."""
    if not isinstance(endpoint, dict):
        return ""
    names = ("number", "uri", "user", "extension")
    return next((address for name in names if (address := text(endpoint, name))), "")


def _call_events(legs: Sequence[Leg]) -> Iterator[CallEvent]:
    """Yield the events of one call. Rows have no hints, so a leg from outside states the direction."""
    inbound = next((leg for leg in legs if leg.way == "inbound"), None)
    direction = direction_of(inbound) if inbound is not None else Direction.OUT
    only_devices = inbound is None and all(rings_device(leg) for leg in legs)
    line = inbound.called if inbound is not None and direction is Direction.IN else ""
    for leg in legs:
        if only_devices and leg.outcome is Outcome.SUCCESS:
            # The other leg continued in another call, so neither its party nor the direction is known.
            continue
        hints = {"direction": str(direction), "line": line}
        if inbound is None and rings_device(leg):
            hints["leg"] = "employee"
        for event in leg_events(replace(leg, hints=hints)):
            yield replace(event, started_at=leg.begun) if leg is inbound else event


# ------------------------------------------------------------------ requests


def token(account: Account) -> str:
    """Return a token of the application, valid for five minutes: a JWT by RS256 under its private key."""
    from time import time
    from uuid import uuid4

    import jwt

    application, key = _API.api.login(account)
    now = int(time())
    claims = {"application_id": application, "iat": now, "exp": now + _TOKEN_SECONDS, "jti": str(uuid4())}
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError):
        raise BadInputError("private_key is invalid. Enter the whole RSA key in PEM format.") from None


# Vonage's own messages repeat numbers.
_REFUSALS = {
    400: "The number, the line or the employee's phone cannot be called. Check caller_id and sip_domain.",
    402: "The account has no credit.",
    403: "The application is not allowed to do that.",
    404: "The address does not exist.",
}


def _refusal(error: voice.Row, status: int) -> Refusal:
    """Return the reason; of Vonage's own words only the name of an invalid parameter."""
    parameters = error.get("invalid_parameters")
    first = parameters[0] if isinstance(parameters, list) and parameters else None
    name = first.get("name") if isinstance(first, dict) else None
    if isinstance(name, str) and re.fullmatch(r"[a-z_.\[\]0-9]{1,40}", name):
        return Refusal(f"The parameter {name} is invalid.")
    return Refusal(_REFUSALS.get(status, "See Vonage's list of errors."))


_API = voice.VoiceApi(
    Api(_NAME, "https://api.nexmo.com", ("application_id", "private_key")),
    _refusal,
    lambda _, account: f"Bearer {token(account)}",
)
