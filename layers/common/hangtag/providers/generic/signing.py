"""Standard Webhooks, the signature of both directions."""

import base64
import hmac

__all__ = ["key_of", "signature"]


def key_of(secret: str) -> bytes:
    """Return the key of a secret: base64, optionally after "whsec_". Empty if it is not base64."""
    encoded = secret.strip().removeprefix("whsec_")
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        return b""


def signature(key: bytes, message_id: str, sent_at: str, body: bytes) -> str:
    """Return the base64 HMAC-SHA256 of "id.timestamp.body"."""
    content = f"{message_id}.{sent_at}.".encode() + body
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode("ascii")
