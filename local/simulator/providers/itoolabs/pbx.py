"""A VATS of ITooLabs' family: forms, or JSON where a story has it, with the CRM's key in each."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from local.simulator.pbx.base import FORM, JSON, Request, address, flipped, flipped_fields, form_body, json_body
from local.simulator.story import Message

SECRET_FIELD = "crm_token"  # noqa: S105 - its name
CREDENTIALS: Mapping[str, str] = {}
OTHER_CREDENTIALS: Mapping[str, str] = {}
SETTINGS: Mapping[str, Any] = {}
SIGNATURE_HEADER = ""
TOLERANCE_SECONDS = None
UNKNOWN = Message(post={"cmd": "event", "type": "PARKED", "phone": "79101234567", "user": "anna", "callid": "c1"})
UNKNOWN_STATUS = 200
HANDSHAKES: tuple[tuple[Message, str], ...] = ()
NOT_SIGNED = ("phone", "user", "ext", "callid", "duration", "status")


def request(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:  # noqa: ARG001
    """Return a form, JSON or a GET with the key."""
    key = {SECRET_FIELD: secrets[SECRET_FIELD]}
    if message.method == "GET":
        sent = replace(message, query={**message.query, **key})
        return Request(method="GET", url=address(url, sent), headers={})
    if message.body is not None:
        body, content_type = json_body(replace(message, body={**key, **message.body})), JSON
    else:
        body, content_type = form_body(message, key), FORM
    return Request(method="POST", url=address(url, message), headers={"content-type": content_type}, body=body)


def tampered(request: Request) -> Iterator[Request]:
    """Yield requests with another key; only the key is protected."""
    if request.method == "GET":
        before, _, key = request.url.rpartition("=")
        yield from (replace(request, url=f"{before}={other}") for other in flipped(key))
    elif request.headers["content-type"] == FORM:
        yield from flipped_fields(request, [SECRET_FIELD])
    else:
        payload = json.loads(request.body)
        for other in flipped(payload[SECRET_FIELD]):
            yield replace(request, body=json.dumps({**payload, SECRET_FIELD: other}).encode())


def forged(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Iterator[tuple[str, Request]]:
    """Yield requests with plausible but wrong keys, in a form and in JSON."""
    for name, key in {"empty": "", "upper case": secrets[SECRET_FIELD].upper() + "A", "longer": "0" * 64}.items():
        yield name, request(url, message, {**secrets, SECRET_FIELD: key}, at)
    lookup = Message(body={"cmd": "contact", "phone": "79101234567", "callid": "c1"})
    for name, value in {"null": None, "a number": 0, "true": True, "a list of it": [secrets[SECRET_FIELD]]}.items():
        yield name, request(url, replace(lookup, body={**(lookup.body or {}), SECRET_FIELD: value}), secrets, at)
    yield (
        "the VATS's own name for a key",
        request(url, Message(post={**message.post, SECRET_FIELD: "", "token": secrets[SECRET_FIELD]}), secrets, at),
    )
