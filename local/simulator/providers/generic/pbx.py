"""A bridge: JSON, signed after Standard Webhooks with the key that Hangtag made."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from local.simulator.pbx.base import JSON, Request, address, flipped, flipped_body, json_body, with_header
from local.simulator.story import Message

KEY = "signing_key"
BRIDGE_URL = "https://bridge.example.com/hangtag"
CREDENTIALS: Mapping[str, str] = {
    "bridge_url": BRIDGE_URL,
    "bridge_key": "whsec_" + base64.b64encode(b"the key of the first bridge, ok.").decode(),
}
OTHER_CREDENTIALS: Mapping[str, str] = {
    "bridge_url": BRIDGE_URL,
    "bridge_key": "whsec_" + base64.b64encode(b"the key of a bridge elsewhere ok").decode(),
}
SETTINGS: Mapping[str, Any] = {}
SIGNATURE_HEADER = "webhook-signature"
SECRET_FIELD = ""
TOLERANCE_SECONDS = 300
UNKNOWN = Message(body={"type": "parked", "call_id": "c1", "direction": "in", "extension": "101"})
UNKNOWN_STATUS = 200
HANDSHAKES: tuple[tuple[Message, str], ...] = ()
NOT_SIGNED: tuple[str, ...] = ()


def request(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:
    """Return the JSON with its three headers; a story can set the id."""
    body = json_body(message)
    message_id = message.headers.get("webhook-id") or _id(message.body or {})
    sent_at = str(int(at.timestamp()))
    headers = {
        "content-type": JSON,
        "webhook-id": message_id,
        "webhook-timestamp": sent_at,
        SIGNATURE_HEADER: "v1," + sign(key_of(secrets[KEY]), message_id, sent_at, body),
    }
    return Request(method=message.method, url=address(url, message), headers={**message.headers, **headers}, body=body)


def _id(payload: Mapping[str, Any]) -> str:
    """Return the message's id, which stays the same if the message is sent again."""
    same = json.dumps(
        [payload.get(name) for name in ("type", "call_id", "leg", "extension", "at", "recording", "events")]
    )
    return f"msg_{hashlib.sha256(same.encode()).hexdigest()[:24]}"


def key_of(secret: str) -> bytes:
    """Return the bytes of a key in the form "whsec_…"."""
    return base64.b64decode(secret.removeprefix("whsec_"))


def sign(key: bytes, message_id: str, sent_at: str, body: bytes, algorithm: str = "sha256") -> str:
    """Return a signature in base64."""
    signed = b".".join((message_id.encode(), sent_at.encode(), body))
    return base64.b64encode(hmac.new(key, signed, algorithm).digest()).decode()


def tampered(request: Request) -> Iterator[Request]:
    """Yield requests with a changed byte of the body or of the three headers."""
    yield from flipped_body(request)
    for name in ("webhook-id", "webhook-timestamp", SIGNATURE_HEADER):
        for other in flipped(request.headers[name]):
            yield with_header(request, name, other)


def forged(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Iterator[tuple[str, Request]]:
    """Yield requests with other schemes, keys, signed contents and spellings."""
    good = request(url, message, secrets, at)
    key = key_of(secrets[KEY])
    message_id, sent_at = good.headers["webhook-id"], good.headers["webhook-timestamp"]
    right = sign(key, message_id, sent_at, good.body)
    signatures = {
        "no version": right,
        "another version": f"v2,{right}",
        "the asymmetric version": f"v1a,{right}",
        "an empty signature": "v1,",
        "no padding": "v1," + right.rstrip("="),
        "more padding": f"v1,{right}=",
        "hexadecimal": "v1," + base64.b64decode(right).hex(),
        "an equals sign for the comma": f"v1={right}",
        "two joined by a comma": f"v1,{right},v1,{right}",
        "not ASCII": f"v1,{right[:-1]}\u00b2",
        "SHA-1": "v1," + sign(key, message_id, sent_at, good.body, "sha1"),
        "SHA-512": "v1," + sign(key, message_id, sent_at, good.body, "sha512"),
        "an empty key": "v1," + sign(b"", message_id, sent_at, good.body),
        "the key as it is written": "v1," + sign(secrets[KEY].encode(), message_id, sent_at, good.body),
        "the bridge's own key": "v1," + sign(key_of(CREDENTIALS["bridge_key"]), message_id, sent_at, good.body),
        "the body alone": "v1," + base64.b64encode(hmac.digest(key, good.body, "sha256")).decode(),
        "no id": "v1," + sign(key, "", sent_at, good.body),
        "no time": "v1," + sign(key, message_id, "", good.body),
    }
    for name, value in signatures.items():
        yield name, with_header(good, SIGNATURE_HEADER, value)
    later = str(int((at + timedelta(seconds=1)).timestamp()))
    yield "a later time", with_header(good, "webhook-timestamp", later)
    yield "another id", with_header(good, "webhook-id", message_id + "1")
    yield (
        "the id's end before the time",
        replace(
            good, headers={**good.headers, "webhook-id": message_id[:-2], "webhook-timestamp": message_id[-1] + sent_at}
        ),
    )
    # Each of these is signed as it is written, and no number of seconds in ASCII digits.
    for name, written in {
        "milliseconds": f"{sent_at}000",
        "a fraction": f"{sent_at}.0",
        "a sign": f"+{sent_at}",
        "an underscore": f"{sent_at[:1]}_{sent_at[1:]}",
        "hexadecimal seconds": hex(int(sent_at)),
        # To Python, a superscript is a digit.
        "a superscript": f"{sent_at[:-1]}\u00b2",
    }.items():
        signature = "v1," + sign(key, message_id, written, good.body)
        headers = {**good.headers, "webhook-timestamp": written, SIGNATURE_HEADER: signature}
        yield f"the time with {name}", replace(good, headers=headers)
