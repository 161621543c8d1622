"""FreePBX: the telephony API's forms, and two JSON requests of its own beside them.

`callInfoRespNum` asks who is responsible for a caller, `callMissedNotify` tells of a missed call. Both are of Planfix's
help page on FreePBX (part 1.6 of the facts on Planfix); what a call does comes as forms, see `telephony_api`.
"""

import json
from collections.abc import Mapping
from typing import Any

from hangtag.domain.calls.event import CallEvent, Direction, Kind, Outcome
from hangtag.providers import telephony_api
from hangtag.providers.base import (
    OfficeLookups,
    ParseResult,
    PayloadError,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
    WebhookResponse,
)
from hangtag.providers.reading import is_json, is_one_of, json_object, need, text
from hangtag.providers.telephony_api import ORIGINATES_WITH, PICK_UP, SECRET, originate, ping, set_up

__all__ = ["HOSTS", "ORIGINATES_WITH", "PICK_UP", "originate", "parse", "ping", "set_up", "verify"]

# The admin types the PBX's address, if it has one: plain FreePBX can't be asked to call.
HOSTS: tuple[str, ...] = ()

_MAX_NUMBER = 64
_MAX_EXTENSION = 32
_NOBODY = WebhookResponse(200, json.dumps({"error": "no persons responsible"}))


# ------------------------------------------------------------------ from the PBX


def verify(request: WebhookRequest, trust: VerificationKeys) -> None:
    """Forms by their planfix_token. The JSON requests have none, and only the address that nobody can guess.

    Whoever sends planfix_token with them must send the right one.
    """
    if not _is_own(request):
        telephony_api.verify(request, trust)
        return
    said, hashes = json_object(request), [one for one in trust.hashes.get(SECRET, ()) if one]
    given = said.get(SECRET)
    if not hashes or (SECRET in said and not (isinstance(given, str) and is_one_of(given, hashes))):
        raise SignatureError("wrong planfix_token", WebhookResponse(401, json.dumps({"error": "Invalid token"})))


def parse(request: WebhookRequest, settings: Mapping[str, Any]) -> ParseResult:
    """One request, in either dialect."""
    if not _is_own(request):
        return telephony_api.parse(request, settings)
    said = json_object(request)
    name = need(said, "event")
    if name == "callInfoRespNum":
        return _responsible(said)
    if name == "callMissedNotify":
        missed = _missed(said, request)
        return ParseResult((missed,) if settings.get("missed_by_request") is True else ())
    return ParseResult(unknown=True)


def _is_own(request: WebhookRequest) -> bool:
    """Whether it is one of the JSON requests, whatever it is declared as: no form begins with a brace."""
    return is_json(request) or request.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def _responsible(said: Mapping[str, Any]) -> ParseResult:
    """Who should get the call. The one that rings already is no answer, and neither is a withheld caller's."""
    if "extNum" not in said:
        raise PayloadError("extNum is missing")
    caller, called = text(said, "extNum", _MAX_NUMBER), text(said, "intNum", _MAX_EXTENSION)

    def respond(office: OfficeLookups) -> WebhookResponse:
        card = office.contact(caller) if caller else None
        if card is None or not card.responsible or card.responsible == called:
            return _NOBODY
        return WebhookResponse(200, json.dumps({"responsibleNumbers": [card.responsible]}))

    return ParseResult(reply=_NOBODY, respond=respond)


def _missed(said: Mapping[str, Any], request: WebhookRequest) -> CallEvent:
    """The end of the extension's part, of the call that the forms name by `callid`."""
    extension = text(said, "intNum", _MAX_EXTENSION)
    return CallEvent(
        call_id=need(said, "uniqueId"),
        kind=Kind.ENDED,
        at=request.arrived_at,
        at_is_arrival=True,
        leg=extension,
        direction=Direction.IN,
        external=text(said, "extNum", _MAX_NUMBER),
        extension=extension or None,
        outcome=Outcome.MISSED,
    )
