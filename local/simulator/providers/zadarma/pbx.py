"""A PBX of Zadarma: forms whose header Signature covers two or three fields."""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from local.simulator.pbx.base import FORM, Request, address, flipped, flipped_fields, form_body, with_header
from local.simulator.story import Message

CREDENTIALS: Mapping[str, str] = {"api_key": "zadarma-user-key", "api_secret": "zadarma_api_secret"}
OTHER_CREDENTIALS: Mapping[str, str] = {"api_key": "other-user-key", "api_secret": "another_api_secret"}
SETTINGS: Mapping[str, Any] = {"time_zone": "Europe/Moscow"}
SIGNATURE_HEADER = "Signature"
SECRET_FIELD = ""
TOLERANCE_SECONDS = None
UNKNOWN = Message(post={"event": "NOTIFY_PARKED", "pbx_call_id": "in_1", "call_start": "2026-03-01 12:00:00"})
# The signed fields of an unknown event are unknown too, so its signature cannot be verified.
UNKNOWN_STATUS = 401
HANDSHAKES = ((Message(method="GET", query={"zd_echo": "a1b2c3"}), "a1b2c3"),)
NOT_SIGNED = ("duration", "disposition", "is_recorded")

_SIGNED = {
    "NOTIFY_ANSWER": ("caller_id", "destination", "call_start"),
    "NOTIFY_OUT_START": ("internal", "destination", "call_start"),
    "NOTIFY_OUT_END": ("internal", "destination", "call_start"),
    "NOTIFY_RECORD": ("pbx_call_id", "call_id_with_rec"),
}
_DEFAULT = ("caller_id", "called_did", "call_start")


def request(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:  # noqa: ARG001
    """Return a form with the signature of its signed fields."""
    if message.method == "GET":
        return Request(method="GET", url=address(url, message), headers={})
    return Request(
        method="POST",
        url=address(url, message),
        headers={"Content-Type": FORM, SIGNATURE_HEADER: _signature(_signed(message.post), secrets["api_secret"])},
        body=form_body(message),
    )


def tampered(request: Request) -> Iterator[Request]:
    """Yield requests with another signed field or signature."""
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    yield from flipped_fields(request, _SIGNED.get(fields["event"], _DEFAULT))
    for other in flipped(request.headers[SIGNATURE_HEADER]):
        yield with_header(request, SIGNATURE_HEADER, other)


def forged(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Iterator[tuple[str, Request]]:
    """Yield requests signed as Zadarma's text describes it, unlike its code."""
    good = request(url, message, secrets, at)
    raw = hmac.digest(secrets["api_secret"].encode(), _signed(message.post).encode(), hashlib.sha1)
    yield "base64 of the raw digest", with_header(good, SIGNATURE_HEADER, base64.b64encode(raw).decode())
    yield "the hexadecimal digest", with_header(good, SIGNATURE_HEADER, raw.hex())
    yield (
        "SHA-256",
        with_header(
            good,
            SIGNATURE_HEADER,
            base64.b64encode(
                hmac.new(secrets["api_secret"].encode(), _signed(message.post).encode(), "sha256").hexdigest().encode()
            ).decode(),
        ),
    )
    yield "no event", replace(good, body=form_body(replace(message, post={**message.post, "event": ""})))


def _signed(fields: Mapping[str, str]) -> str:
    return "".join(fields.get(name, "") for name in _SIGNED.get(fields.get("event", ""), _DEFAULT))


def _signature(signed: str, secret: str) -> str:
    """Return base64 of the hexadecimal digest, as the vendor's clients do it."""
    return base64.b64encode(hmac.new(secret.encode(), signed.encode(), "sha1").hexdigest().encode()).decode()
