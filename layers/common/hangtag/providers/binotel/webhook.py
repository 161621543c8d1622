"""Webhook requests of Binotel: forms named by requestType, posted from published addresses, not signed.

Requests and fields follow clients that Binotel's customers published (sashalenz/binotel-api, denostr/binotel-api), the
addresses developers.binotel.ua.
"""

import ipaddress
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hangtag.domain.calls.event import CallEvent, Kind, Outcome
from hangtag.providers.base import (
    OfficeLookups,
    ParseResult,
    SignatureError,
    VerificationKeys,
    WebhookRequest,
    WebhookResponse,
)
from hangtag.providers.binotel.calls import (
    CALL_ID,
    DIRECTIONS,
    FIELD_LIMITS,
    completed_events,
    is_unfinished,
    outcome_of_disposition,
)
from hangtag.providers.reading import form, is_json, json_object, need, same, text, whole

__all__ = ["ADDRESSES", "parse", "verify"]

# Servers that the vendor publishes; requests from any other address are rejected.
ADDRESSES = (
    *(f"194.88.218.{number}" for number in (114, 116, 117, 118, 119, 120)),
    *(f"194.88.219.{number}" for number in (67, 70, 71, 72, *range(78, 90), 92)),
    *(f"185.100.66.{number}" for number in (145, 146, 147)),
)
# Requests without the company's id, or with it in callDetails.
_WITHOUT_COMPANY = ("hangupTheCall", "apiCallCompleted")


def verify(request: WebhookRequest, keys: VerificationKeys) -> None:
    """Verify the sender's IP address, and the company's id where the request has one. Raises SignatureError."""
    companies = [company for company in keys.credentials.get("company_id", ()) if company]
    if not companies:
        raise SignatureError("The credential company_id is missing. Enter it.")
    if not _is_sender(request.source_ip, keys.credentials.get("source_addresses", ())):
        raise SignatureError(
            "The request is not from one of Binotel's addresses. If Binotel has new ones, enter them as "
            "source_addresses."
        )
    fields = _fields(request)
    ids = [text(fields, "companyID"), text(_details(fields), "companyID")]
    is_missing = not ids[0] and text(fields, "requestType") not in _WITHOUT_COMPANY
    if is_missing or not all(same(company, companies) for company in ids if company):
        raise SignatureError("companyID is missing or wrong. Check that company_id is the id of this account.")


def _is_sender(address: str, lists: tuple[str, ...]) -> bool:
    """Return True if an address is in one of these lists of addresses and networks; without any, in the vendor's."""
    try:
        ip_address = ipaddress.ip_address(address)
    except ValueError:
        return False
    networks = [network for listed in lists for network in listed.replace(",", " ").split()]
    return any(ip_address in ipaddress.ip_network(network, strict=False) for network in networks or ADDRESSES)


_OK = WebhookResponse(200, '{"status":"success"}')
_LOOKUPS = ("apiCallSettings", "gettingCallSettings")
_KINDS = {
    "receivedTheCall": Kind.RINGING,
    "answeredTheCall": Kind.ANSWERED,
    # It names the employee that the call goes to.
    "transferredTheCall": Kind.RINGING,
    "hangupTheCall": Kind.ENDED,
}


def parse(request: WebhookRequest) -> ParseResult:
    """Return the events of one request, or the response to a caller lookup. Raises PayloadError."""
    fields = _fields(request)
    name = need(fields, "requestType")
    if name in _LOOKUPS:
        return _caller_lookup(fields)
    if name == "apiCallCompleted":
        return ParseResult(completed_events(_details(fields), request.arrived_at), _OK)
    kind = _KINDS.get(name)
    if kind is None:
        return ParseResult(reply=_OK, unknown=True)
    return ParseResult(_live_events(fields, kind, request.arrived_at), _OK)


# A completed call has about twenty fields, forty with call tracking, and seven per phone that rang in a queue.
_MAX_FIELDS = 1000


def _fields(request: WebhookRequest) -> Mapping[str, Any]:
    return json_object(request) if is_json(request) else form(request, FIELD_LIMITS, _MAX_FIELDS)


def _live_events(fields: Mapping[str, Any], kind: Kind, arrived_at: datetime) -> tuple[CallEvent, ...]:
    """Return the event of a call in progress. A hang-up names no employee and ends the whole call."""
    is_end = kind is Kind.ENDED
    disposition = text(fields, "disposition")
    if is_end and is_unfinished(disposition):
        return ()
    direction = DIRECTIONS.get(text(fields, "callType"))
    outcome = outcome_of_disposition(disposition, direction) if is_end else None
    extension = _field(fields, "internalNumber") or None
    event = CallEvent(
        call_id=need(fields, CALL_ID, FIELD_LIMITS[CALL_ID]),
        kind=kind,
        at=arrived_at,
        at_is_arrival=True,
        leg=extension or "",
        direction=direction,
        external=_field(fields, "externalNumber"),
        line=_field(fields, "pbxNumber") or None,
        extension=extension,
        outcome=outcome,
        talk_seconds=((whole(fields, "billsec") or 0) if outcome is Outcome.SUCCESS else 0) if is_end else None,
        final=is_end,
    )
    return (event,)


# Names in API 2, which are still sent in addition to or instead of the new ones.
_OLD_NAMES = {
    "externalNumber": ("dstNumber", "srcNumber"),
    "internalNumber": ("extNumber",),
    "pbxNumber": ("didNumber",),
}


def _field(fields: Mapping[str, Any], name: str) -> str | None:
    """Return a field by its new or old name; None if it is absent, "" if it is empty."""
    names = (name, *_OLD_NAMES[name])
    values = [text(fields, alias, FIELD_LIMITS[name]) for alias in names if alias in fields]
    return next((value for value in values if value), "" if values else None)


def _details(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return callDetails, from JSON or a PHP form: callDetails[startTime], callDetails[pbxNumberData][number]."""
    details = fields.get("callDetails")
    if isinstance(details, dict):
        return details
    prefix = "callDetails["
    tree: dict[str, Any] = {}
    for name, value in fields.items():
        if name.startswith(prefix) and name.endswith("]"):
            _insert(tree, name[len(prefix) : -1].split("]["), value)
    return tree


def _insert(tree: dict[str, Any], names: list[str], value: str) -> None:
    """Insert a value at the path where PHP would; if it conflicts with an earlier one, the earlier one stays."""
    for name in names[:-1]:
        branch = tree.setdefault(name, {})
        if not isinstance(branch, dict):
            return
        tree = branch
    tree.setdefault(names[-1], value)


def _caller_lookup(fields: Mapping[str, Any]) -> ParseResult:
    """Respond with the caller's name and the responsible employee, who is then rung first."""
    number = _field(fields, "externalNumber")

    def respond(office: OfficeLookups) -> WebhookResponse:
        card = office.contact(number) if number else None
        if card is None:
            return WebhookResponse(200, "{}")
        customer = {"name": card.name}
        if card.responsible:
            customer["assignedToEmployeeNumber"] = card.responsible
        return WebhookResponse(200, json.dumps({"customerData": customer}, ensure_ascii=False))

    return ParseResult(reply=WebhookResponse(200, "{}"), respond=respond)
