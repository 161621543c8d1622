"""sipgate's webhook: the signature, and requests as events."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers.base import (
    ParseResult,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
    WebhookResponse,
)
from hangtag.providers.reading import (
    LIST_SEPARATOR,
    form,
    need,
    text,
)
from hangtag.providers.sipgate.signature import PUBLISHED_KEY, is_signed

__all__ = ["LIMITS", "OUTGOING_LEG", "VOICEMAIL", "number", "parse", "users_of", "verify"]

LIMITS = {"callId": 128, "origCallId": 128, "originalCallId": 128, "from": 128, "to": 128, "user[]": 2048}
LIMITS |= {"userId[]": 512, "userId": 64, "answeringNumber": 128, "cause": 32}
# Only the first request of an outgoing call contains the employee, so the whole call is one leg.
OUTGOING_LEG = "out"
VOICEMAIL = "voicemail"
_FORWARDED = "forwarded"
_XML = "application/xml"
_NOTHING = WebhookResponse(200, "<Response/>", _XML)
_DIRECTIONS = {"in": Direction.IN, "out": Direction.OUT}


def verify(request: WebhookRequest, keys: VerificationKeys) -> None:
    """Check X-Sipgate-Signature: base64 of RSA-SHA256 over the raw body, by sipgate's key or the entered one."""
    try:
        signature = base64.b64decode(request.headers.get("x-sipgate-signature", ""), validate=True)
    except ValueError:
        raise SignatureError("The header X-Sipgate-Signature is not base64.") from None
    entered = [key for key in keys.credentials.get("public_key", ()) if key]
    if not any(is_signed(key, signature, request.body) for key in entered or (PUBLISHED_KEY,)):
        raise SignatureError(
            "The header X-Sipgate-Signature is missing or wrong. If sipgate has a new key, enter it as public_key."
        )


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
    """Return the events and the response of one request: newCall, answer, hangup or dtmf."""
    fields = form(request, LIMITS)
    name = need(fields, "event").lower()
    if name == "dtmf":
        return ParseResult(reply=_NOTHING)
    readers = {"newcall": _new_call, "answer": _answer, "hangup": _hang_up}
    reader = readers.get(name)
    if reader is None:
        return ParseResult(reply=_NOTHING, unknown=True)
    event = CallEvent(
        call_id=need(fields, "callId", LIMITS["callId"]),
        kind=Kind.RINGING,
        at=request.arrived_at,
        at_is_arrival=True,
        direction=_DIRECTIONS.get(text(fields, "direction")),
    )
    is_outgoing = event.direction is Direction.OUT
    event = replace(
        event,
        external=number(fields, "to" if is_outgoing else "from"),
        line=number(fields, "from" if is_outgoing else "to") or None,
    )
    events = (*reader(fields, event, users_of(settings)), *_linked(fields, event))
    return ParseResult(events, _subscription(request.url) if name == "newcall" else _NOTHING)


def _subscription(url: str) -> WebhookResponse:
    """Return the response that subscribes to the answer and the hang-up; without it sipgate sends neither."""
    from html import escape

    address = escape(url)
    return WebhookResponse(200, f'<Response onAnswer="{address}" onHangup="{address}"/>', _XML)


def number(fields: Mapping[str, Any], name: str) -> str:
    """Return a number; a withheld one, sent as a word, becomes ""."""
    value = text(fields, name, 128)
    return value if any(character in "123456789" for character in value) else ""


def users_of(settings: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the extensions by the ids of their users at sipgate, from the setting "w0=101, w1=102"."""
    pairs = (pair.partition("=") for pair in str(settings.get("users") or "").replace(",", " ").split())
    return {user: extension for user, _, extension in pairs if user and extension}


def _new_call(fields: Mapping[str, str], event: CallEvent, users: Mapping[str, str]) -> tuple[CallEvent, ...]:
    """Return an event for each phone that rings, or for the caller. A mailbox is not an employee."""
    # Requests signed by sipgate contain userId[] repeatedly, or userId[][0] and so on.
    lists = (text(fields, name, LIMITS["userId[]"]) for name in fields if name.startswith("userId[]"))
    names = [user for value in lists for user in value.split(LIST_SEPARATOR) if user]
    phones = [users.get(user, user) for user in dict.fromkeys(names)]
    if event.direction is Direction.OUT:
        events: tuple[CallEvent, ...] = (replace(event, leg=OUTGOING_LEG, extension=phones[0] if phones else None),)
    else:
        events = tuple(replace(event, leg=phone, extension=phone) for phone in phones) or (event,)
        if text(fields, "user[]", LIMITS["user[]"]).lower() == VOICEMAIL:
            events += (replace(event, kind=Kind.SUMMARY, outcome=Outcome.MISSED),)
    return events


def _linked(fields: Mapping[str, str], event: CallEvent) -> tuple[CallEvent, ...]:
    """Return the link from the previous call, which every request of a forwarded call contains."""
    before = text(fields, "origCallId", 128) or text(fields, "originalCallId", 128)
    if before in ("", event.call_id):
        return ()
    return (
        CallEvent(call_id=before, kind=Kind.SUMMARY, at=event.at, at_is_arrival=True, linked_call_id=event.call_id),
    )


def _answer(fields: Mapping[str, str], event: CallEvent, users: Mapping[str, str]) -> tuple[CallEvent, ...]:
    """Return the answer by an employee. A mailbox is not an employee."""
    if event.direction is Direction.OUT:
        return (replace(event, kind=Kind.ANSWERED, leg=OUTGOING_LEG),)
    user = text(fields, "userId", LIMITS["userId"])
    if not user or VOICEMAIL in text(fields, "answeringNumber", 128).lower():
        return ()
    extension = users.get(user, user)
    return (replace(event, kind=Kind.ANSWERED, leg=extension, extension=extension),)


_CAUSES = {
    "normalclearing": Outcome.SUCCESS,
    "busy": Outcome.BUSY,
    "cancel": Outcome.CANCELLED,
    "noanswer": Outcome.NO_ANSWER,
    "notfound": Outcome.UNAVAILABLE,
    "congestion": Outcome.FAILED,
}


def _hang_up(fields: Mapping[str, str], event: CallEvent, users: Mapping[str, str]) -> tuple[CallEvent, ...]:  # noqa: ARG001
    """Return the end of the whole call. Without a known cause the outcome comes from the legs.

    A forwarded call continues as another call, whose request follows.
    """
    cause = text(fields, "cause", LIMITS["cause"]).lower()
    outcome = _CAUSES.get(cause)
    if event.direction is not Direction.OUT and outcome is not None:
        is_mailbox = VOICEMAIL in text(fields, "answeringNumber", 128).lower()
        outcome = Outcome.SUCCESS if outcome is Outcome.SUCCESS and not is_mailbox else Outcome.MISSED
    leg = OUTGOING_LEG if event.direction is Direction.OUT else ""
    talked = None if outcome in (Outcome.SUCCESS, None) else 0
    final = cause != _FORWARDED
    return (replace(event, kind=Kind.ENDED, leg=leg, outcome=outcome, talk_seconds=talked, final=final),)
