"""Webhook requests of RingCentral: one notification per step of each party of a telephony session.

Fields follow the vendor's guides (account-telephony-sessions, telephony-session-notifications) and the sessions that
it published as recorded. A notification contains the internal id of a party's extension, which is not a number that
can be dialled: the setting `extensions` maps ids to numbers.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind
from hangtag.providers.base import (
    ParseResult,
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
    WebhookResponse,
)
from hangtag.providers.reading import json_object, moment, need, plausible, same, text, whole
from hangtag.providers.ringcentral.parties import VOICE_MAIL, Party, Session, party_event
from hangtag.providers.ringcentral.wire import extension_numbers, inner

__all__ = ["handshake", "parse", "verify"]

_ECHO = re.compile(r"[!-~]{1,256}")


def handshake(request: WebhookRequest) -> WebhookResponse | None:
    """Return the response to an empty request with a Validation-Token: the same token.

    A request with a body is a notification, regardless of its headers.
    """
    token = request.headers.get("validation-token", "")
    if request.method != "POST" or request.body or not _ECHO.fullmatch(token):
        return None
    return WebhookResponse(200, "{}", headers={"Validation-Token": token})


def verify(request: WebhookRequest, keys: VerificationKeys) -> None:
    """Verify the subscription's token in the header Verification-Token or Validation-Token. Raises SignatureError."""
    tokens = [token for token in keys.credentials.get("verification_token", ()) if token]
    is_valid = same(request.headers.get("verification-token", ""), tokens)
    is_valid |= same(request.headers.get("validation-token", ""), tokens)
    if not is_valid:
        raise SignatureError(
            "The header Verification-Token is missing or wrong. Check that Hangtag created the subscription."
        )


_SESSIONS = "/telephony/sessions"
_MAX_PARTIES = 50
# Sessions that RingCentral starts with an employee on its own; they are not calls.
_NO_CALLS = ("GreetingsRecording", "VerificationCall", "TestCall")
# Kinds by status code; None: the call goes on, nothing to report.
_KINDS = {
    "Setup": Kind.RINGING,
    "Proceeding": Kind.RINGING,
    "Answered": Kind.ANSWERED,
    "Disconnected": Kind.ENDED,
    "Gone": Kind.ENDED,
    # The caller talks to a machine; for the employee the call has ended.
    **dict.fromkeys(VOICE_MAIL, Kind.ENDED),
    "FaxReceive": None,
    "Hold": None,
    "Parked": None,
}


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
    """Return the events of one notification, which reports one or more parties of a session. Raises PayloadError."""
    fields = json_object(request)
    if _SESSIONS not in text(fields, "event", 2048):
        return ParseResult(unknown=True)
    body = inner(fields, "body")
    rows = body.get("parties", [])
    if not isinstance(rows, list) or len(rows) > _MAX_PARTIES or not all(isinstance(row, dict) for row in rows):
        raise PayloadError(f"Field parties is not a list of at most {_MAX_PARTIES} objects.")
    session = _session(body, request, settings)
    if session.origin in _NO_CALLS:
        return ParseResult()
    parties = [_party(row) for row in rows]
    events = tuple(event for party in parties if party.code in _KINDS for event in _events(session, party))
    return ParseResult(events, unknown=any(party.code not in _KINDS for party in parties))


def _session(body: Mapping[str, Any], request: WebhookRequest, settings: Mapping[str, Any]) -> Session:
    at = plausible(moment(text(body, "eventTime")), request.arrived_at)
    # Times are in milliseconds; the sequence number orders events within one.
    order = timedelta(microseconds=min(whole(body, "sequence") or 0, 999)) if at is not None else timedelta()
    return Session(
        call_id=need(body, "telephonySessionId"),
        at=(at or request.arrived_at) + order,
        at_is_arrival=at is None,
        origin=text(inner(body, "origin"), "type"),
        numbers=extension_numbers(settings),
    )


def _party(row: Mapping[str, Any]) -> Party:
    status, caller, called = inner(row, "status"), inner(row, "from"), inner(row, "to")
    recordings = row.get("recordings")
    return Party(
        code=text(status, "code"),
        reason=text(status, "reason"),
        own=text(row, "extensionId", 64),
        direction=text(row, "direction"),
        role=text(row, "ringOutRole") or text(row, "ringMeRole"),
        from_id=text(caller, "extensionId", 64),
        from_number=text(caller, "phoneNumber", 64),
        to_id=text(called, "extensionId", 64),
        to_number=text(called, "phoneNumber", 64),
        linked=text(inner(status, "peerId"), "telephonySessionId"),
        missed=row.get("missedCall") is True,
        recorded=isinstance(recordings, list) and bool(recordings),
    )


# A party left, and the call goes on: with another party, on another phone, or parked. The party had answered.
_TRANSFERS = (
    *("BlindTransfer", "AttendedTransfer", "RccTransfer", "DtmfTransfer"),
    *("CallFlip", "CallSwitch", "CallPark", "ParkLocation"),
)
# A supervisor starts to listen; the call goes on.
_SUPERVISED = "Supervising"


def _events(session: Session, party: Party) -> Iterator[CallEvent]:
    """Yield the events of one step of a party."""
    kind = _KINDS[party.code]
    if kind is Kind.ENDED and party.reason in _TRANSFERS and party.code not in VOICE_MAIL:
        kind = Kind.TRANSFERRED
    if kind is not None and not (party.code == "Gone" and party.reason == _SUPERVISED):
        event = party_event(session, party, kind)
        if event is not None:
            continues_elsewhere = party.code == "Gone" and party.linked not in ("", session.call_id)
            yield replace(event, linked_call_id=party.linked) if continues_elsewhere else event
    if party.recorded and party.code in ("Disconnected", "Gone"):
        # Recordings are looked up by the session.
        yield replace(session.event(Kind.RECORDED, Direction.IN), direction=None, recording=session.call_id)
