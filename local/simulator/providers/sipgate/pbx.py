"""sipgate: forms whose bodies are signed by RSA-SHA256 with a key of its own, another one than the real one's."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from local.simulator.pbx.base import FORM, Request, address, flipped, flipped_body, with_header
from local.simulator.story import Message

_PRIVATE: dict[str, RSAPrivateKey] = {}


def _public_key() -> str:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    _PRIVATE[public] = key
    return public


CREDENTIALS: Mapping[str, str] = {
    "token_id": "token-ABC123",
    "token": "aaaaaaaa-0000-4000-8000-000000000001",
    "public_key": _public_key(),
}
OTHER_CREDENTIALS: Mapping[str, str] = {
    "token_id": "token-XYZ789",
    "token": "bbbbbbbb-0000-4000-8000-000000000002",
    "public_key": _public_key(),
}
SETTINGS: Mapping[str, Any] = {"users": "w0=101, w1=102, w2=103"}
SIGNATURE_HEADER = "X-Sipgate-Signature"
SECRET_FIELD = ""
TOLERANCE_SECONDS = None
UNKNOWN = Message(post={"event": "parked", "callId": "c1", "direction": "in", "from": "79101234567", "to": "1"})
UNKNOWN_STATUS = 200
HANDSHAKES: tuple[tuple[Message, str], ...] = ()
NOT_SIGNED: tuple[str, ...] = ()


def request(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:  # noqa: ARG001
    """Return a form with its signature; each item of a list is a field."""
    pairs = [
        (name, one)
        for name, value in message.post.items()
        for one in (value.split(" ") if name.endswith("[]") else [value])
    ]
    body = urlencode(pairs).encode()
    headers = {"Content-Type": FORM, SIGNATURE_HEADER: sign(secrets["public_key"], body)}
    return Request(method="POST", url=address(url, message), headers=headers, body=body)


def sign(public_key: str, body: bytes) -> str:
    """Return the signature in base64, by the private key of this public key."""
    signature = _PRIVATE[public_key].sign(body, padding.PKCS1v15(), hashes.SHA256())
    return base64.b64encode(signature).decode()


def tampered(request: Request) -> Iterator[Request]:
    """Yield requests with another body or signature."""
    yield from flipped_body(request)
    # The last letters before the padding hold bits that no byte of the signature has.
    signature = request.headers[SIGNATURE_HEADER]
    letters, padded = signature.rstrip("=")[:-1], signature[len(signature.rstrip("=")) - 1 :]
    for other in flipped(letters):
        yield with_header(request, SIGNATURE_HEADER, other + padded)


def forged(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Iterator[tuple[str, Request]]:
    """Yield requests signed with other hashes, paddings and keys, and over another encoding of the form."""
    good = request(url, message, secrets, at)
    key = _PRIVATE[secrets["public_key"]]
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH)
    wrong = {
        "SHA-1": key.sign(good.body, padding.PKCS1v15(), hashes.SHA1()),  # noqa: S303 - that it is refused is seen
        "SHA-512": key.sign(good.body, padding.PKCS1v15(), hashes.SHA512()),
        "PSS": key.sign(good.body, pss, hashes.SHA256()),
        "of an empty body": key.sign(b"", padding.PKCS1v15(), hashes.SHA256()),
        "sorted": key.sign(
            urlencode(sorted(parse_qsl(good.body.decode()))).encode(), padding.PKCS1v15(), hashes.SHA256()
        ),
        "another key": generate_private_key(public_exponent=65537, key_size=2048).sign(
            good.body, padding.PKCS1v15(), hashes.SHA256()
        ),
        "no bytes": b"",
        "the hash alone": good.body[:32].ljust(256, b"\0"),
    }
    for name, signature in wrong.items():
        yield name, with_header(good, SIGNATURE_HEADER, base64.b64encode(signature).decode())
    yield "no base64", with_header(good, SIGNATURE_HEADER, "*" * 344)
    yield "another body", replace(good, body=good.body + b"&x=1")
