"""The base class of a provider whose webhook is signed with HMAC-SHA256 in a header."""

import hmac
from typing import ClassVar

from hangtag.providers.base import Provider, SignatureError, VerificationKeys, WebhookRequest
from hangtag.providers.reading import same

__all__ = ["HmacWebhookProvider"]


class HmacWebhookProvider(Provider):
    """A provider whose `header` is the hexadecimal HMAC-SHA256 of the body under the credential `secret`.

    With a `timestamp_header` (seconds since 1970) the signed content is "timestamp.body", and a request whose time is
    off by more than `tolerance` seconds is rejected. Override `signed_content` or `signature` for another scheme.
    """

    header: ClassVar[str]
    secret: ClassVar[str]
    timestamp_header: ClassVar[str] = ""
    tolerance: ClassVar[int] = 300

    def verify(self, request: WebhookRequest, keys: VerificationKeys) -> None:
        """Check the header against the signature under each valid secret."""
        content = self.signed_content(request)
        secrets = [value for value in keys.credentials.get(self.secret, ()) if value]
        valid = [self.signature(value, content) for value in secrets]
        if not same(request.headers.get(self.header.lower(), ""), valid):
            raise SignatureError(f"The header {self.header} is missing or wrong. Check {self.secret}.")

    def signed_content(self, request: WebhookRequest) -> bytes:
        """Return the bytes that the PBX signs. Raises SignatureError for a missing or wrong time."""
        if not self.timestamp_header:
            return request.body
        sent_at = request.headers.get(self.timestamp_header.lower(), "")
        if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= 12):
            raise SignatureError(f"The header {self.timestamp_header} is missing or not a number of seconds.")
        if abs(int(request.arrived_at.timestamp()) - int(sent_at)) > self.tolerance:
            raise SignatureError(f"The header {self.timestamp_header} is more than {self.tolerance} seconds off.")
        return f"{sent_at}.".encode() + request.body

    def signature(self, secret: str, content: bytes) -> str:
        """Return the signature of the content."""
        return hmac.digest(secret.encode("utf-8", "surrogatepass"), content, "sha256").hex()
