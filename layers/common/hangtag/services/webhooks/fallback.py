"""Encryption of the URL of a queued webhook request, because the URL contains the endpoint's token.

Off the webhook's usual path: loads `cryptography`, and only when the table rejects a write.
"""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

__all__ = ["seal", "unseal"]


def seal(text: str, token_keys: str) -> str:
    """Encrypt text under the stack's newest key. `token_keys` are the stack's keys, separated by commas."""
    return _fernet(token_keys).encrypt(text.encode("utf-8", "surrogatepass")).decode("ascii")


def unseal(sealed: str, token_keys: str) -> str:
    """Decrypt the result of `seal`; "" if none of the keys fits. A signature over the text then fails to verify."""
    try:
        return _fernet(token_keys).decrypt(sealed.encode()).decode("utf-8", "surrogatepass")
    except InvalidToken:
        return ""


def _fernet(token_keys: str) -> MultiFernet:
    keys = [part.strip() for part in token_keys.split(",") if part.strip()]
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str) -> bytes:
    # The stack's keys are random; the purpose separates this use from the tokens' MAC.
    return base64.urlsafe_b64encode(hashlib.sha256(b"hangtag parked delivery\0" + key.encode()).digest())
