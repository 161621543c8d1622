"""What a parked delivery must keep secret: its address holds the webhook's token.

Off the webhook's usual path: it loads `cryptography`, and only when the table refuses.
"""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

__all__ = ["seal", "unseal"]


def seal(text: str, token_keys: str) -> str:
    """The text encrypted under the stack's newest key. `token_keys` are the stack's keys, separated by commas."""
    return _fernet(token_keys).encrypt(text.encode("utf-8", "surrogatepass")).decode("ascii")


def unseal(sealed: str, token_keys: str) -> str:
    """The inverse of `seal`; "" if none of the keys opens it. What needs the text then fails to verify."""
    try:
        return _fernet(token_keys).decrypt(sealed.encode()).decode("utf-8", "surrogatepass")
    except InvalidToken:
        return ""


def _fernet(token_keys: str) -> MultiFernet:
    keys = [part.strip() for part in token_keys.split(",") if part.strip()]
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str) -> bytes:
    # The stack's keys are random; a purpose of its own keeps this use apart from the tokens' MAC.
    return base64.urlsafe_b64encode(hashlib.sha256(b"hangtag parked delivery\0" + key.encode()).digest())
