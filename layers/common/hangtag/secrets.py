"""What an admin typed to reach a PBX, encrypted with the stack's KMS key. Nothing here is ever logged.

On the webhook's path where a PBX signs with such a secret: no boto3.

Tenant and integration are the encryption context: a ciphertext moved to another tenant's item can't be opened.
"""

import base64
import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from hangtag import runtime
from hangtag.errors import ErrorCode, TooLargeError
from hangtag.store.db.client import make

__all__ = ["decrypt", "encrypt", "opened"]

# What KMS encrypts in one piece.
MAX_PLAIN_BYTES = 4096


def encrypt(tenant_id: str, integration_id: str, credentials: Mapping[str, str]) -> str:
    """The credentials as base64 text.

    Raises TooLargeError if they exceed 4 KB in total, and botocore's errors.
    """
    plain = json.dumps(dict(credentials), ensure_ascii=False).encode()
    if len(plain) > MAX_PLAIN_BYTES:
        raise TooLargeError("The credentials exceed 4 KB in total.", code=ErrorCode.CREDENTIALS_TOO_LARGE)
    answer = make("kms").encrypt(
        KeyId=runtime.settings().credentials_key_id,
        Plaintext=plain,
        EncryptionContext=_context(tenant_id, integration_id),
    )
    return base64.b64encode(answer["CiphertextBlob"]).decode("ascii")


def decrypt(tenant_id: str, integration_id: str, sealed: str) -> dict[str, str]:
    """The inverse of `encrypt`. Raises botocore's errors, also when the context is not the one of `encrypt`."""
    answer = make("kms").decrypt(
        KeyId=runtime.settings().credentials_key_id,
        CiphertextBlob=base64.b64decode(sealed),
        EncryptionContext=_context(tenant_id, integration_id),
    )
    plain: dict[str, str] = json.loads(answer["Plaintext"])
    return plain


@lru_cache(maxsize=2048)
def opened(tenant_id: str, integration_id: str, sealed: str) -> Mapping[str, str]:
    """The same, remembered for the life of the process: what a ciphertext holds never changes."""
    return MappingProxyType(decrypt(tenant_id, integration_id, sealed))


def _context(tenant_id: str, integration_id: str) -> dict[str, str]:
    return {"tenant": tenant_id, "integration": integration_id}
