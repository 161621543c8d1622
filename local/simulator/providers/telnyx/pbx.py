"""Telnyx: JSON, signed with Ed25519 over the time and the body. The private keys are derived from fixed seeds."""

import base64
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from local.simulator.pbx.base import JSON, Request, address, flipped, flipped_body, json_body, with_header
from local.simulator.story import Message


def _public(seed: bytes) -> str:
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


# Bytes 0 to 31 are the seed of the worked example.
_SEEDS = {_public(seed): seed for seed in (bytes(range(32)), bytes(range(1, 33)))}
_OURS, _OTHERS = _SEEDS

CREDENTIALS: Mapping[str, str] = {
    "public_key": _OURS,
    "api_key": "KEY0191A1B2C3D4E5F60718293A4B5C6D7E_first",
    "connection_id": "1684641123236054244",
}
OTHER_CREDENTIALS: Mapping[str, str] = {
    "public_key": _OTHERS,
    "api_key": "KEY0191F0E1D2C3B4A5968778695A4B3C2D_other",
    "connection_id": "2811212257810187875",
}
SETTINGS: Mapping[str, Any] = {
    "sip_domain": "acme.sip.telnyx.com",
    "caller_id": "+74951230001",
    "lines": "+74951230001, +74951230002",
}
SIGNATURE_HEADER = "Telnyx-Signature-Ed25519"
TIME_HEADER = "Telnyx-Timestamp"
SECRET_FIELD = ""
TOLERANCE_SECONDS = 300
UNKNOWN = Message(
    body={
        "data": {
            "record_type": "event",
            "event_type": "call.teleported",
            "id": "5e9a1c4e-0000-4000-8000-000000000001",
            "occurred_at": "2026-03-01T12:00:00.000000Z",
            "payload": {"call_session_id": "s1", "call_leg_id": "l1", "from": "+79101234567", "to": "+74951230001"},
        }
    }
)
UNKNOWN_STATUS = 200
HANDSHAKES: tuple[tuple[Message, str], ...] = ()
NOT_SIGNED: tuple[str, ...] = ()
# The order of the group: a careless verifier treats S and S + this as equal.
_ORDER = 2**252 + 27742317777372353535851937790883648493


def request(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:
    """Return the message, signed at that time for the owner of the public key."""
    body, stamp = json_body(message), str(int(at.timestamp()))
    return Request(
        method=message.method,
        url=address(url, message),
        headers={
            **message.headers,
            "Content-Type": JSON,
            TIME_HEADER: stamp,
            SIGNATURE_HEADER: encoded(sign(secrets["public_key"], stamp.encode() + b"|" + body)),
        },
        body=body,
    )


def sign(public_key: str, signed: bytes) -> bytes:
    """Return the signature for one of the two public keys. Raises KeyError for any other."""
    return Ed25519PrivateKey.from_private_bytes(_SEEDS[public_key]).sign(signed)


def encoded(signature: bytes) -> str:
    """Return base64 of a signature."""
    return base64.b64encode(signature).decode()


def tampered(request: Request) -> Iterator[Request]:
    """Yield copies with one changed byte of the body, the time or the signature."""
    yield from flipped_body(request)
    for name in (TIME_HEADER, SIGNATURE_HEADER):
        for other in flipped(request.headers[name]):
            yield with_header(request, name, other)


def forged(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Iterator[tuple[str, Request]]:
    """Yield signatures over other bytes, with another time, or in another encoding."""
    good, key = request(url, message, secrets, at), secrets["public_key"]
    body, stamp = good.body, good.headers[TIME_HEADER].encode()
    right = sign(key, stamp + b"|" + body)
    digest = hmac.digest(base64.b64decode(key), stamp + b"|" + body, "sha512")
    wrong = {
        "the body only": encoded(sign(key, body)),
        "no bar": encoded(sign(key, stamp + body)),
        "a dot for the bar": encoded(sign(key, stamp + b"." + body)),
        "the body first": encoded(sign(key, body + b"|" + stamp)),
        "HMAC under the public key": encoded(digest),
        "hexadecimal": right.hex(),
        "base64 of hexadecimal": encoded(right.hex().encode()),
        "no padding": encoded(right).rstrip("="),
        "a version before it": f"v1,{encoded(right)}",
        "one byte too many": encoded(right + b"\0"),
        "one byte too few": encoded(right[:-1]),
        "nothing but zeros": encoded(bytes(64)),
        "S and the order of the group": encoded(
            right[:32] + (int.from_bytes(right[32:], "little") + _ORDER).to_bytes(32, "little")
        ),
    }
    for name, signature in wrong.items():
        yield name, with_header(good, SIGNATURE_HEADER, signature)
    yield "a space after the body", replace(good, body=body + b" ")
    yield "a byte order mark before the body", replace(good, body=b"\xef\xbb\xbf" + body)
    old = request(url, message, secrets, at - timedelta(hours=1))
    yield "an old one with a new time", with_header(old, TIME_HEADER, stamp.decode())
    for name, value in {
        "no time": None,
        "an empty time": "",
        "a time with a sign": f"+{stamp.decode()}",
        "a time in milliseconds": f"{stamp.decode()}000",
        "a time with a fraction": f"{stamp.decode()}.0",
        "a time in other digits": stamp.decode().translate({ord("0") + digit: 0x660 + digit for digit in range(10)}),
    }.items():
        signed = with_header(good, SIGNATURE_HEADER, encoded(sign(key, (value or "").encode() + b"|" + body)))
        yield name, with_header(signed, TIME_HEADER, value)
