"""A company at Binotel: forms in PHP's style, or JSON, from its published addresses; nothing is signed."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from local.simulator.pbx.base import FORM, JSON, Request, address, flipped, form_body, json_body, with_fields
from local.simulator.story import Message

SECRET_FIELD = "companyID"  # noqa: S105 - its name
# What this machine's own simulator posts from is loopback.
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
# As near to Binotel's as can be, or meant to look like one of them.
_ELSEWHERE = (
    "", "194.88.218.113", "194.88.218.115", "194.88.218.14", "194.88.219.63", "194.88.219.128", "194.88.21.8",
    "185.100.66.145", "128.0.0.1", "0.0.0.1", "::ffff:194.88.218.115", "2a00::1", "194.88.218.114, 1.1.1.1",
    "194.88.218.0114", "0xc258da72", "unknown",
)  # fmt: skip
# Where the company's id is, if it is elsewhere, or nowhere.
_COMPANY_IN = {"hangupTheCall": "", "apiCallCompleted": f"callDetails[{SECRET_FIELD}]"}


def request(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:  # noqa: ARG001
    """A form, or JSON where a story has it, with the company's id where Binotel gives it."""
    said: Mapping[str, Any] = message.body or message.post
    name = _COMPANY_IN.get(said.get("requestType", ""), SECRET_FIELD)
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
    """The company's id, and where it is from."""
    if request.headers["content-type"] == JSON:
        said = json.loads(request.body)
        for other in flipped(said.get(SECRET_FIELD, "")):
            yield replace(request, body=json.dumps({**said, SECRET_FIELD: other}).encode())
    elif SECRET_FIELD.encode() in request.body:
        for place in range(8):
            yield with_fields(request, lambda fields, at=place: _with_other(fields, at))  # type: ignore[misc]
    for elsewhere in _ELSEWHERE:
        yield replace(request, source_ip=elsewhere)


def _with_other(fields: dict[str, str], place: int) -> Mapping[str, str]:
    name = next(name for name in fields if SECRET_FIELD in name)
    known = fields[name]
    return {**fields, name: known[:place] + chr(ord(known[place]) ^ 1) + known[place + 1 :]}


def forged(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Iterator[tuple[str, Request]]:
    """Another company's, and one that says by headers where it is from."""
    good = request(url, message, secrets, at)
    yield "no company", with_fields(good, lambda fields: {k: v for k, v in fields.items() if k != SECRET_FIELD})
    yield "a longer id", with_fields(good, lambda fields: {**fields, SECRET_FIELD: fields[SECRET_FIELD] + "1"})
    spoofed = {**good.headers, "x-forwarded-for": _SOURCE, "x-real-ip": _SOURCE, "forwarded": f"for={_SOURCE}"}
    yield "an address in headers", replace(good, source_ip="203.0.113.7", headers=spoofed)
