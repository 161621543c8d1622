"""Plivo's REST API: clicks, recordings, call logs, endpoints and the connection check."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers import call_control_api as voice
from hangtag.providers.base import Account, Check, Click, KnownExtension, Media, PbxClient, PlacedCall
from hangtag.providers.call_control import Leg, digits, talked
from hangtag.providers.plivo import webhook
from hangtag.providers.reading import moment, need, text, whole, words
from hangtag.providers.rest import Api, Refusal, error_of

_NAME = "Plivo"
# Page size of every list.
_PAGE = 20
_MAX_PAGES = 500
# A call can end, or its recording appear, this much later than it began.
_LATER = timedelta(hours=4)


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Ring the employee's phone; when it is picked up, the XML dials the contact.

    The response names a request instead of a call; every callback contains our reference.
    """
    number, line, extension = voice.click_parts(account, click, _NAME)
    hints = {"direction": "out", "extension": extension, "line": line, "number": number}
    callback = f"{voice.webhook_url(account, _NAME)}?{urlencode({**hints, 'reference': click.reference})}"
    body = {"from": line, "to": webhook.sip_address(extension, account.settings), "ring_timeout": webhook.RING_SECONDS}
    for name in ("answer", "ring", "hangup"):
        body |= {f"{name}_url": callback, f"{name}_method": "POST"}
    if not _send(account, client, "POST", "Call/", body, limit="calls").get("request_uuid"):
        raise UnreachableError("Plivo's response does not contain the id of the request.")
    return PlacedCall()


def recording(account: Account, reference: str, client: PbxClient) -> Media:  # noqa: ARG001 - the interface
    """Return the recording. The account can require its credentials, which go to Plivo's hosts only."""
    return Media(reference, _API.headers(account))


def ping(account: Account, client: PbxClient) -> Check:
    """Check the Auth ID and the Auth Token by reading the account."""
    if not _send(account, client, "GET", "").get("auth_id"):
        raise UnreachableError("Plivo's response does not describe an account.")
    return Check("pbx", True, "Plivo responds, and accepts the Auth ID and the Auth Token.")


def extensions(account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
    """Return the endpoints, by the user names of their SIP addresses."""
    return tuple(
        KnownExtension(user[:64], str(row.get("alias") or "")[:200])
        for row in _rows(account, client, "Endpoint/", {})
        if isinstance(user := row.get("username"), str) and user
    )


# ------------------------------------------------------------------ call logs


def history(account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
    """Yield the ends of all legs of the calls that began in the period, and their recordings."""

    def rows(path: str, by: str) -> Iterator[voice.Row]:
        period = {"gte": since, "lt": until + _LATER}
        form = "%Y-%m-%d %H:%M:%S"
        filters = {f"{by}__{name}": voice.timestamp(at, form) for name, at in period.items()}
        return _rows(account, client, path, filters)

    calls = voice.call_legs(voice.readable(rows("Call/", "end_time"), _leg), since, until)
    for own, dialled in calls:
        yield from _call_events(own, dialled)
    listed, ids = rows("Recording/", "add_time"), {own.id for own, _ in calls}
    columns = {"call_id": "call_uuid", "created": "add_time"}
    yield from voice.recording_events(listed, ids, **columns, reference=lambda row: need(row, "recording_url", 2048))


def _leg(row: voice.Row) -> Leg | None:
    """Return the leg of a row; None if it has no end."""
    end, parent = moment(text(row, "end_time")), text(row, "parent_call_uuid")
    begun = moment(text(row, "initiation_time")) or end
    if end is None or begun is None:
        return None
    answered, cause, duration = text(row, "answer_time"), text(row, "hangup_cause_code"), whole(row, "call_duration")
    duration = duration if answered else 0
    outcome = webhook.outcome_of(cause, duration) if parent else None if duration else Outcome.NO_ANSWER
    return Leg(
        id=need(row, "call_uuid"),
        kind=Kind.ENDED,
        at=end,
        parent=parent,
        way=text(row, "call_direction"),
        caller=text(row, "from_number"),
        called=text(row, "to_number"),
        outcome=outcome,
        talk_seconds=talked(outcome, duration),
        begun=begun,
    )


def _call_events(own: Leg, dialled: list[Leg]) -> Iterator[CallEvent]:
    """Yield the events of one call: its own leg states the direction and the line."""
    direction, clicked = webhook.direction_of(own), own.way == "outbound"
    hints = {"direction": str(direction), "line": webhook.line_of(own) or ""}
    if clicked:
        hints["extension"] = webhook.extension_of(own, own.called) or ""
    elif direction is Direction.OUT and dialled:
        hints["line"] = digits(dialled[0].caller)
    # The contact of a click sees a number of the account.
    legs = [leg if clicked and direction is Direction.OUT else replace(leg, caller=own.caller) for leg in dialled]
    for leg in (*legs, own):
        for event in webhook.leg_events(replace(leg, hints=hints), {}):
            yield replace(event, started_at=own.begun)


# ------------------------------------------------------------------ requests


def _rows(account: Account, client: PbxClient, path: str, filters: Mapping[str, str]) -> Iterator[voice.Row]:
    """Yield all rows of a list, page by page."""
    for page in range(_MAX_PAGES):
        query = urlencode({**filters, "limit": _PAGE, "offset": page * _PAGE})
        listed = _API.api.rows(_send(account, client, "GET", f"{path}?{query}").get("objects"))
        yield from listed
        if len(listed) < _PAGE:
            return
    raise _API.api.too_long(_MAX_PAGES)


def _send(
    account: Account, client: PbxClient, method: str, path: str, content: voice.Row | None = None, *, limit: str = ""
) -> voice.Row:
    """Send one request of the account and return its JSON. Raises as `Api.json`, with Plivo's own message."""
    auth_id, _ = _API.api.login(account)
    if not re.fullmatch(r"\w{1,64}", auth_id, re.ASCII):
        raise BadInputError("auth_id is invalid. Use letters and digits only.")
    api = _API._replace(refusal=lambda error, _: Refusal(words(error.get("error"), auth_id)))
    return api.send(account, client, method, f"/v1/Account/{auth_id}/{path}", content, limit=limit)


_API = voice.VoiceApi(Api(_NAME, "https://api.plivo.com", ("auth_id", "auth_token"), (401, 403)), error_of)
