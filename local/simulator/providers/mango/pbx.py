"""Mango Office's webhook sender: a form of key, signature and JSON, to a path after the webhook's URL."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from local.simulator.pbx.base import FORM, Request, address, flipped_fields, json_body, with_fields
from local.simulator.story import Message

# From the documented examples.
CREDENTIALS: Mapping[str, str] = {"vpbx_api_key": "1234567890qwerty", "vpbx_api_salt": "mango_salt_example"}
OTHER_CREDENTIALS: Mapping[str, str] = {"vpbx_api_key": "0987654321ytrewq", "vpbx_api_salt": "mango_salt_of_another"}
SETTINGS: Mapping[str, Any] = {}
SIGNATURE_HEADER = ""
SECRET_FIELD = "vpbx_api_key"  # noqa: S105 - a field name
TOLERANCE_SECONDS = None
UNKNOWN = Message(rest="events/hologram", body={"entry_id": "e1", "call_id": "c1", "timestamp": 1772366400, "seq": 1})
UNKNOWN_STATUS = 200
HANDSHAKES: tuple[tuple[Message, str], ...] = ()
NOT_SIGNED: tuple[str, ...] = ()


def sign(key: str, payload: str, salt: str) -> str:
    """Return the signature of key, JSON and salt."""
    digest = hashlib.sha256()
    for part in (key, payload, salt):
        digest.update(part.encode())
    return digest.hexdigest()


def request(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:  # noqa: ARG001
    """Return the message as a signed form."""
    payload = json_body(message).decode("utf-8", "replace")
    key = secrets["vpbx_api_key"]
    fields = {"vpbx_api_key": key, "sign": sign(key, payload, secrets["vpbx_api_salt"]), "json": payload}
    return Request(
        method="POST",
        url=address(url, message),
        headers={**message.headers, "Content-Type": FORM},
        body=urlencode(fields).encode(),
        source_ip="81.88.80.132",
    )


def tampered(request: Request) -> Iterator[Request]:
    """Change each character of all three fields."""
    yield from flipped_fields(request, ("vpbx_api_key", "sign", "json"))


def forged(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Iterator[tuple[str, Request]]:
    """Yield other signatures of the message, and the right signature of an equivalent message."""
    good = request(url, message, secrets, at)
    fields = dict(parse_qsl(good.body.decode()))
    key, payload, salt = fields["vpbx_api_key"], fields["json"], secrets["vpbx_api_salt"]
    signs = {
        "no sign": "",
        "two signs": f"{fields['sign']},{fields['sign']}",
        "in capitals": fields["sign"].upper(),
        "no salt": sign(key, payload, ""),
        "the key for the salt": sign(key, payload, key),
        "no key": sign("", payload, salt),
        "another order": sign(salt, payload, key),
        "HMAC": hmac.new(salt.encode(), (key + payload).encode(), "sha256").hexdigest(),
        "MD5": hashlib.md5((key + payload + salt).encode(), usedforsecurity=False).hexdigest(),
    }
    for name, other in signs.items():
        yield name, with_fields(good, lambda all_fields, other=other: {**all_fields, "sign": other})  # type: ignore[misc]
    yield "the sign left out", with_fields(good, lambda all_fields: {**all_fields, "sign": "", "signature": "x"})
    spaced = json.dumps(json.loads(payload), ensure_ascii=False)
    yield "the same JSON with spaces", with_fields(good, lambda all_fields: {**all_fields, "json": spaced})
    # For an attacker who knows only the salt.
    yield (
        "an empty key",
        with_fields(good, lambda _: {"vpbx_api_key": "", "sign": sign("", payload, salt), "json": payload}),
    )
    other_key = OTHER_CREDENTIALS["vpbx_api_key"]
    body = {"vpbx_api_key": other_key, "sign": sign(other_key, payload, salt), "json": payload}
    yield "another key", replace(good, body=urlencode(body).encode())
