"""Tokens that the stack can recognize without a read, and secrets that it stores as hashes only.

A token is base64url(18 random bytes + 12 bytes of HMAC-SHA256 under the stack's key over purpose and random
bytes): 40 characters, 144 random bits. The MAC only saves reads; the table stores a token's permissions under its
hash. Standard library only, because the webhook imports this module.
"""

import hashlib
import hmac
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Literal

__all__ = ["Purpose", "is_ours", "make_token", "secret_hash", "secrets_match", "token_hash"]

Purpose = Literal["hook", "api", "live"]

_RANDOM_BYTES = 18
_MAC_BYTES = 12
# 30 bytes are 40 characters without padding; one spelling only, so that a token has one hash.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{40}", re.ASCII)


def make_token(purpose: Purpose, keys: str) -> str:
    """Return a new token. `keys` are the stack's keys, separated by commas; the first one signs.

    Raises ValueError without a key.
    """
    signing = _split(keys)
    if not signing:
        raise ValueError("no key to sign tokens with")
    # The source of `secrets.token_bytes`, without another import on the webhook's path.
    random = os.urandom(_RANDOM_BYTES)
    return urlsafe_b64encode(random + _mac(signing[0], purpose, random)).decode("ascii")


def is_ours(token: str, purpose: Purpose, keys: str) -> bool:
    """Return True if one of the stack's keys signed this token for this purpose. Never raises."""
    if not _TOKEN.fullmatch(token):
        return False
    raw = urlsafe_b64decode(token)
    random, mac = raw[:_RANDOM_BYTES], raw[_RANDOM_BYTES:]
    matches = False
    for key in _split(keys):
        # No early exit: the time must not reveal which key matched.
        matches |= hmac.compare_digest(_mac(key, purpose, random), mac)
    return matches


def token_hash(token: str) -> str:
    """Return the stored form of a token: SHA-256 in hexadecimal."""
    return secret_hash(token)


def secret_hash(secret: str) -> str:
    """Return the stored form of a generated secret (128 random bits or more): SHA-256 in hexadecimal."""
    return hashlib.sha256(_bytes(secret)).hexdigest()


def secrets_match(secret: str, expected_hash: str) -> bool:
    """Compare a secret with a hash in constant time. Return False for an empty hash."""
    return hmac.compare_digest(secret_hash(secret).encode(), _bytes(expected_hash))


def _split(keys: str) -> list[bytes]:
    return [_bytes(key) for part in keys.split(",") if (key := part.strip())]


def _mac(key: bytes, purpose: str, random: bytes) -> bytes:
    message = purpose.encode() + b"\0" + random
    return hmac.digest(key, message, "sha256")[:_MAC_BYTES]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
