"""Binotel's webhook sender: PHP-style forms or JSON, from published IP addresses; nothing is signed."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from local.simulator.pbx.base import FORM, JSON, Request, address, flipped, form_body, json_body, with_fields
from local.simulator.story import Message

SECRET_FIELD = "companyID"  # noqa: S105 - a field name
# The simulator posts from loopback.
CREDENTIALS: Mapping[str, str] = {
    "company_id": "41234567",
    "source_addresses": "194.88.218.114, 194.88.219.64/26, 127.0.0.0/8, ::1",
    "key": "binotel-key",
    "secret": "binotel-secret",
}
OTHER_CREDENTIALS: Mapping[str, str] = {**CREDENTIALS, "company_id": "50987654", "key": "x-key", "secret": "x-secret"}
SETTINGS: Mapping[str, Any] = {}
SIGNATURE_HEADER = ""
TOLERANCE_SECONDS = None
UNKNOWN = Message(post={"requestType": "parkedTheCall", "generalCallID": "1", "callType": "0"})
UNKNOWN_STATUS = 200
HANDSHAKES: tuple[tuple[Message, str], ...] = ()
NOT_SIGNED = ("externalNumber", "internalNumber", "generalCallID", "billsec")

_SOURCE = "194.88.218.114"
# Close to Binotel's addresses, or imitating one.
_ELSEWHERE = (
    "", "194.88.218.113", "194.88.218.115", "194.88.218.14", "194.88.219.63", "194.88.219.128", "194.88.21.8",
    "185.100.66.145", "128.0.0.1", "0.0.0.1", "::ffff:194.88.218.115", "2a00::1", "194.88.218.114, 1.1.1.1",
    "194.88.218.0114", "0xc258da72", "unknown",
)  # fmt: skip
# Requests without the company's id, or with it in another field.
_COMPANY_IN = {"hangupTheCall": "", "apiCallCompleted": f"callDetails[{SECRET_FIELD}]"}


def request(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:  # noqa: ARG001
    """Return a form, or JSON if the story has a body, with the company's id in Binotel's place."""
    payload: Mapping[str, Any] = message.body or message.post
    name = _COMPANY_IN.get(payload.get("requestType", ""), SECRET_FIELD)
    company = {name: secrets["company_id"]} if name else {}
    if message.body is not None:
        body, content_type = json_body(replace(message, body={**company, **message.body})), JSON
    else:
        body, content_type = form_body(message, company), FORM
    return Request(
        method="POST",
        url=address(url, message),
        headers={"content-type": content_type},
        body=body,
        source_ip=_SOURCE,
    )


def tampered(request: Request) -> Iterator[Request]:
    """Change the company's id and the sender's address."""
    if request.headers["content-type"] == JSON:
        payload = json.loads(request.body)
        for other in flipped(payload.get(SECRET_FIELD, "")):
            yield replace(request, body=json.dumps({**payload, SECRET_FIELD: other}).encode())
    elif SECRET_FIELD.encode() in request.body:
        for place in range(8):
            yield with_fields(request, lambda fields, at=place: _with_other(fields, at))  # type: ignore[misc]
    for elsewhere in _ELSEWHERE:
        yield replace(request, source_ip=elsewhere)


def _with_other(fields: dict[str, str], place: int) -> Mapping[str, str]:
    name = next(name for name in fields if SECRET_FIELD in name)
    value = fields[name]
    return {**fields, name: value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :]}


def forged(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Iterator[tuple[str, Request]]:
    """Yield requests of another company, and one with a spoofed address in its headers."""
    good = request(url, message, secrets, at)
    yield "no company", with_fields(good, lambda fields: {k: v for k, v in fields.items() if k != SECRET_FIELD})
    yield "a longer id", with_fields(good, lambda fields: {**fields, SECRET_FIELD: fields[SECRET_FIELD] + "1"})
    spoofed = {**good.headers, "x-forwarded-for": _SOURCE, "x-real-ip": _SOURCE, "forwarded": f"for={_SOURCE}"}
    yield "an address in headers", replace(good, source_ip="203.0.113.7", headers=spoofed)
