"""Mango Office: JSON in a form, at paths of its own under the address, signed with key and salt."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from local.simulator.pbx.base import FORM, Request, address, flipped, json_body, with_fields
from local.simulator.story import Message

CREDENTIALS: Mapping[str, str] = {"vpbx_api_key": "1234567890qwerty", "vpbx_api_salt": "mango_salt_example"}
OTHER_CREDENTIALS: Mapping[str, str] = {"vpbx_api_key": "0987654321asdfgh", "vpbx_api_salt": "another_salt_example"}
SETTINGS: Mapping[str, Any] = {"time_zone": "Europe/Moscow"}
SIGNATURE_HEADER = ""
SECRET_FIELD = "sign"  # noqa: S105 - its name
TOLERANCE_SECONDS = None
UNKNOWN = Message(rest="events/parked", body={"entry_id": "e1", "call_id": "c1"})
UNKNOWN_STATUS = 200
HANDSHAKES: tuple[tuple[Message, str], ...] = ()
NOT_SIGNED: tuple[str, ...] = ()


def request(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:  # noqa: ARG001
    """The JSON in a form, with its signature."""
    return _sent(address(url, message), json_body(message).decode(), secrets)


def _sent(url: str, said: str, secrets: Mapping[str, str]) -> Request:
    key = secrets["vpbx_api_key"]
    fields = {"vpbx_api_key": key, "sign": sign(key, said, secrets["vpbx_api_salt"]), "json": said}
    return Request(method="POST", url=url, headers={"content-type": FORM}, body=urlencode(fields).encode())


def sign(key: str, said: str, salt: str) -> str:
    """Hexadecimal SHA-256 of the three."""
    return hashlib.sha256((key + said + salt).encode()).hexdigest()


def tampered(request: Request) -> Iterator[Request]:
    """Each character of each field."""
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    for name, value in fields.items():
        for other in flipped(value):
            yield replace(request, body=urlencode({**fields, name: other}).encode())


def forged(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Iterator[tuple[str, Request]]:
    """Signatures over another writing of the JSON, without the salt, in another order."""
    good = request(url, message, secrets, at)
    key, salt, said = secrets["vpbx_api_key"], secrets["vpbx_api_salt"], json_body(message).decode()
    wrong = {
        "the JSON written anew": sign(key, json.dumps(json.loads(said)), salt),
        "sorted": sign(key, json.dumps(json.loads(said), sort_keys=True, separators=(",", ": ")), salt),
        "without the salt": sign(key, said, ""),
        "without the key": sign("", said, salt),
        "the salt first": sign(salt, said, key),
        "MD5": hashlib.md5((key + said + salt).encode(), usedforsecurity=False).hexdigest(),
        "in capitals": sign(key, said, salt).upper(),
    }
    for name, signature in wrong.items():
        yield name, with_fields(good, lambda fields, sign=signature: {**fields, "sign": sign})  # type: ignore[misc]
    other = {**secrets, "vpbx_api_key": "another-key-altogether"}
    yield "another key that is signed", _sent(good.url, said, other)
    yield "no key that is signed", _sent(good.url, said, {**secrets, "vpbx_api_key": ""})
