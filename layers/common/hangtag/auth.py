"""Tokens that the stack can tell from junk without a read, and secrets that it keeps as hashes only.

A token is base64url(18 random bytes + 12 bytes of HMAC-SHA256 under the stack's key over purpose and random
bytes): 40 characters, 144 random bits. The MAC only spares reads; what a token may do stands in the table, under the
token's hash. Standard library only: it lies on the webhook's path.
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Literal

__all__ = ["Purpose", "is_ours", "make_token", "secret_hash", "secrets_match", "token_hash"]

Purpose = Literal["hook", "api", "live"]

_RANDOM_BYTES = 18
_MAC_BYTES = 12
# 30 bytes are 40 characters without padding; one spelling only, so that a token has one hash.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{40}", re.ASCII)


def make_token(purpose: Purpose, keys: str) -> str:
    """A fresh token. `keys` are the stack's keys, separated by commas; the first one signs.

    Raises ValueError if there is no key.
    """
    signing = _split(keys)
    if not signing:
        raise ValueError("no key to sign tokens with")
    random = secrets.token_bytes(_RANDOM_BYTES)
    return urlsafe_b64encode(random + _mac(signing[0], purpose, random)).decode("ascii")


def is_ours(token: str, purpose: Purpose, keys: str) -> bool:
    """Whether one of the stack's keys made this token for this purpose. Never raises, whatever the token is."""
    if not _TOKEN.fullmatch(token):
        return False
    raw = urlsafe_b64decode(token)
    random, mac = raw[:_RANDOM_BYTES], raw[_RANDOM_BYTES:]
    found = False
    for key in _split(keys):
        # No early exit: the time does not tell which key it was.
        found |= hmac.compare_digest(_mac(key, purpose, random), mac)
    return found


def token_hash(token: str) -> str:
    """What is kept of a token: SHA-256 in hexadecimal."""
    return secret_hash(token)


def secret_hash(secret: str) -> str:
    """What is kept of a secret that Hangtag made: SHA-256 in hexadecimal (it has 128 random bits or more)."""
    return hashlib.sha256(_bytes(secret)).hexdigest()


def secrets_match(given: str, expected_hash: str) -> bool:
    """Whether a secret has that hash; in constant time, and false for an empty hash."""
    return hmac.compare_digest(secret_hash(given).encode(), _bytes(expected_hash))


def _split(keys: str) -> list[bytes]:
    return [_bytes(key) for part in keys.split(",") if (key := part.strip())]


def _mac(key: bytes, purpose: str, random: bytes) -> bytes:
    message = purpose.encode() + b"\0" + random
    return hmac.digest(key, message, "sha256")[:_MAC_BYTES]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
