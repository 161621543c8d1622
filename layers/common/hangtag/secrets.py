"""Credentials of integrations, encrypted with the stack's KMS key. Nothing here is ever logged.

On the webhook's path for PBXs that sign with such a credential: no boto3.

Tenant and integration are the encryption context: a ciphertext moved to another tenant's item cannot be decrypted.
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

# Limit of the KMS Encrypt operation.
MAX_PLAIN_BYTES = 4096


def encrypt(tenant_id: str, integration_id: str, credentials: Mapping[str, str]) -> str:
    """Return the credentials as base64 text.

    Raises TooLargeError if they exceed 4 KB in total, and botocore's errors.
    """
    plain = json.dumps(dict(credentials), ensure_ascii=False).encode()
    if len(plain) > MAX_PLAIN_BYTES:
        raise TooLargeError("The credentials exceed 4 KB in total.", code=ErrorCode.CREDENTIALS_TOO_LARGE)
    response = make("kms").encrypt(
        KeyId=runtime.settings().credentials_key_id,
        Plaintext=plain,
        EncryptionContext=_context(tenant_id, integration_id),
    )
    return base64.b64encode(response["CiphertextBlob"]).decode("ascii")


def decrypt(tenant_id: str, integration_id: str, sealed: str) -> dict[str, str]:
    """Decrypt the result of `encrypt`. Raises botocore's errors, also if the encryption context differs."""
    response = make("kms").decrypt(
        KeyId=runtime.settings().credentials_key_id,
        CiphertextBlob=base64.b64decode(sealed),
        EncryptionContext=_context(tenant_id, integration_id),
    )
    plain: dict[str, str] = json.loads(response["Plaintext"])
    return plain


@lru_cache(maxsize=2048)
def opened(tenant_id: str, integration_id: str, sealed: str) -> Mapping[str, str]:
    """Decrypt like `decrypt`, cached for the life of the process: the content of a ciphertext never changes."""
    return MappingProxyType(decrypt(tenant_id, integration_id, sealed))


def _context(tenant_id: str, integration_id: str) -> dict[str, str]:
    return {"tenant": tenant_id, "integration": integration_id}
