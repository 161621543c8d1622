"""Vonage: JSON, with a JWT by HS256 over the hash of the body. The answer webhook is a GET without one."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, uuid5

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from local.simulator.pbx.base import JSON, Request, address, flipped, flipped_body, json_body, with_header
from local.simulator.story import Message


def _private_key() -> str:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


CREDENTIALS: Mapping[str, str] = {
    "api_key": "a1b2c3d",
    # The secret of the worked example.
    "signature_secret": "vonage-signature-secret-0123456789abcdef",
    "application_id": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
    "private_key": _private_key(),
}
OTHER_CREDENTIALS: Mapping[str, str] = {
    "api_key": "d3c2b1a",
    "signature_secret": "vonage-signature-secret-of-another-tenant",
    "application_id": "bbbbbbbb-cccc-dddd-eeee-0123456789ab",
    "private_key": _private_key(),
}
SETTINGS: Mapping[str, Any] = {
    "sip_domain": "acme.sip.example.com",
    "caller_id": "+74951230001",
    "ring": "101, 102",
}
SIGNATURE_HEADER = "Authorization"
SECRET_FIELD = ""
UNSIGNED_STATUS = 503
TOLERANCE_SECONDS = 300
UNKNOWN = Message(
    body={
        "from": "79101234567",
        "to": "74951230001",
        "uuid": "u1",
        "conversation_uuid": "CON-1",
        "status": "teleported",
        "direction": "inbound",
        "timestamp": "2026-03-01T12:00:00.000Z",
    }
)
UNKNOWN_STATUS = 200
HANDSHAKES: tuple[tuple[Message, str], ...] = ()
NOT_SIGNED: tuple[str, ...] = ()
# Fields that identify a webhook.
_IDENTITY = ("status", "uuid", "conversation_uuid", "conversation_uuid_to", "recording_uuid", "timestamp")


def request(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:
    """Return the message, signed at that time."""
    content = claims(message, secrets, at)
    if message.method == "GET":
        parameters = {**message.query, **message.post}
        del content["payload_hash"]
        headers = {**message.headers, SIGNATURE_HEADER: bearer(secrets["signature_secret"], content)}
        return Request(method="GET", url=f"{url}?{urlencode(parameters)}", headers=headers)
    headers = {
        **message.headers,
        "Content-Type": JSON,
        SIGNATURE_HEADER: bearer(secrets["signature_secret"], content),
    }
    return Request(method="POST", url=address(url, message), headers=headers, body=json_body(message))


def claims(message: Message, secrets: Mapping[str, str], at: datetime) -> dict[str, Any]:
    """Return the claims of a message's token."""
    body = message.body or message.post
    identity = "|".join(str(body.get(name, "")) for name in _IDENTITY)
    return {
        "iat": int(at.timestamp()),
        "jti": str(uuid5(NAMESPACE_URL, f"{secrets['api_key']}|{identity}")),
        "iss": "Vonage",
        "payload_hash": hashlib.sha256(json_body(message)).hexdigest(),
        "api_key": secrets["api_key"],
        "application_id": secrets["application_id"],
    }


def bearer(secret: str, content: Mapping[str, Any], head: Mapping[str, Any] | None = None, how: str = "sha256") -> str:
    """Return the value of the header."""
    signed = f"{part(head or {'alg': 'HS256', 'typ': 'JWT'})}.{part(content)}"
    return f"Bearer {signed}.{encoded(hmac.digest(secret.encode(), signed.encode(), how))}"


def part(content: Mapping[str, Any]) -> str:
    """Return one encoded part of a token."""
    return encoded(json.dumps(content, separators=(",", ":")).encode())


def encoded(raw: bytes) -> str:
    """Return base64 in the variant of tokens."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def tampered(request: Request) -> Iterator[Request]:
    """Yield copies with one changed byte of the body or the token."""
    yield from flipped_body(request)
    for other in flipped(request.headers[SIGNATURE_HEADER]):
        yield with_header(request, SIGNATURE_HEADER, other)


def forged(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Iterator[tuple[str, Request]]:
    """Yield tokens with another algorithm, other claims, or another encoding."""
    good, key, content = request(url, message, secrets, at), secrets["signature_secret"], claims(message, secrets, at)
    signed = good.headers[SIGNATURE_HEADER]
    token = signed.removeprefix("Bearer ")
    head, middle, signature = token.split(".")
    raw = base64.urlsafe_b64decode(signature + "=")
    wrong = {
        "no algorithm and no signature": f"Bearer {part({'alg': 'none', 'typ': 'JWT'})}.{middle}.",
        "no algorithm, signed": bearer(key, content, {"alg": "none", "typ": "JWT"}),
        "another algorithm's name": bearer(key, content, {"alg": "HS512", "typ": "JWT"}),
        "its name in lower case": bearer(key, content, {"alg": "hs256", "typ": "JWT"}),
        "RS256": bearer(key, content, {"alg": "RS256", "typ": "JWT"}),
        "no name": bearer(key, content, {"typ": "JWT"}),
        "HMAC-SHA512": bearer(key, content, {"alg": "HS512", "typ": "JWT"}, "sha512"),
        "HMAC-SHA512 under the other name": bearer(key, content, how="sha512"),
        "the API key for the secret": bearer(secrets["api_key"], content),
        "an empty secret": bearer("", content),
        "no signature": f"Bearer {head}.{middle}.",
        "two parts": f"Bearer {head}.{middle}",
        "four parts": f"{signed}.{signature}",
        "no scheme": token,
        "another scheme": f"Basic {token}",
        "two spaces": f"Bearer  {token}",
        "a space after it": f"{signed} ",
        "padding": f"{signed}=",
        "plain base64": f"Bearer {head}.{middle}.{base64.b64encode(raw).decode()}",
        "hexadecimal": f"Bearer {head}.{middle}.{raw.hex()}",
        "half of it": f"Bearer {head}.{middle}.{encoded(raw[:16])}",
        "claims that are a list": f"Bearer {_signed(key, head, encoded(b'[]'))}",
        "claims that are no JSON": f"Bearer {_signed(key, head, 'AAAA')}",
        "a head that is no JSON": f"Bearer {_signed(key, 'AAAA', middle)}",
    }
    for name in content:
        if name != "application_id":
            remaining = {key_left: value for key_left, value in content.items() if key_left != name}
            wrong[f"no {name}"] = bearer(key, remaining)
            wrong[f"an empty {name}"] = bearer(key, {**content, name: ""})
            wrong[f"a {name} that is none"] = bearer(key, {**content, name: None})
    others = {
        "iss": ("vonage", "Nexmo", ["Vonage"]),
        "iat": (str(content["iat"]), content["iat"] * 1000, True, 10**400, -content["iat"], content["iat"] + 0.5),
        "payload_hash": (content["payload_hash"].upper(), hashlib.sha256(b"").hexdigest(), "0" * 64),
        "api_key": ("d3c2b1a", content["api_key"].upper(), content["api_key"] + " "),
        "jti": (1, ["a"]),
    }
    for name, values in others.items():
        for number, value in enumerate(values):
            wrong[f"another {name}, {number}"] = bearer(key, {**content, name: value})
    for name, value in wrong.items():
        yield name, with_header(good, SIGNATURE_HEADER, value)
    yield "a space after the body", replace(good, body=good.body + b" ")
    yield "a byte order mark before the body", replace(good, body=b"\xef\xbb\xbf" + good.body)
    yield "no body", replace(good, body=b"")
    yield "its token on a GET", replace(good, method="GET", body=b"", url=f"{url}?uuid=1&conversation_uuid=2")


def _signed(key: str, head: str, middle: str) -> str:
    return f"{head}.{middle}.{encoded(hmac.digest(key.encode(), f'{head}.{middle}'.encode(), 'sha256'))}"
