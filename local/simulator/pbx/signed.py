"""`SignedPbx`: the webhook sender of a provider that is an `HmacWebhookProvider`."""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from hangtag import providers
from hangtag.providers.signing import HmacWebhookProvider
from local.simulator.pbx.base import (
    FORM,
    JSON,
    Request,
    address,
    flipped,
    flipped_body,
    form_body,
    json_body,
    with_header,
)
from local.simulator.story import Message

__all__ = ["SignedPbx"]


@dataclass(slots=True, kw_only=True)
class SignedPbx:
    """Signs messages by the class attributes of the provider `key`; `unknown` is an event with an unknown name.

    The signature comes from the attributes, not from the provider's code. A worked example of the vendor in the
    provider's own test is still needed: it is the only independent check of the scheme.
    """

    key: str
    unknown: Message
    # Other credentials that the admin must enter.
    credentials: Mapping[str, str] = field(default_factory=dict)
    SETTINGS: Mapping[str, Any] = field(default_factory=dict)
    UNKNOWN_STATUS: int = 200
    SECRET_FIELD: str = ""
    HANDSHAKES: tuple[tuple[Message, str], ...] = ()
    NOT_SIGNED: tuple[str, ...] = ()

    @property
    def scheme(self) -> HmacWebhookProvider:
        """The provider, whose class attributes describe the signature."""
        return cast("HmacWebhookProvider", providers.load(self.key))

    @property
    def CREDENTIALS(self) -> Mapping[str, str]:  # noqa: N802 - see `Pbx`
        """The credentials of the simulated account."""
        return {**self.credentials, self.scheme.secret: f"{self.key}-webhook-secret-a"}

    @property
    def OTHER_CREDENTIALS(self) -> Mapping[str, str]:  # noqa: N802 - see `Pbx`
        """The credentials of another account."""
        return {**self.credentials, self.scheme.secret: f"{self.key}-webhook-secret-b"}

    @property
    def SIGNATURE_HEADER(self) -> str:  # noqa: N802 - see `Pbx`
        """The header with the signature."""
        return self.scheme.header

    @property
    def TOLERANCE_SECONDS(self) -> int | None:  # noqa: N802 - see `Pbx`
        """The tolerance of the signed time, or None."""
        return self.scheme.tolerance if self.scheme.timestamp_header else None

    @property
    def UNKNOWN(self) -> Message:  # noqa: N802 - see `Pbx`
        """An event with an unknown name."""
        return self.unknown

    def request(self, url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:
        """Return the message, signed at that time."""
        scheme = self.scheme
        body = json_body(message) if message.body is not None else form_body(message)
        times = {scheme.timestamp_header: str(int(at.timestamp()))} if scheme.timestamp_header else {}
        content = b"".join(f"{value}.".encode() for value in times.values()) + body
        signature = hmac.new(secrets[scheme.secret].encode(), content, hashlib.sha256).hexdigest()
        return Request(
            method=message.method,
            url=address(url, message),
            headers={
                "Content-Type": JSON if message.body is not None else FORM,
                **message.headers,
                **times,
                scheme.header: signature,
            },
            body=body,
        )

    def tampered(self, request: Request) -> Iterator[Request]:
        """Yield copies with another byte in the body, the signature or the time."""
        yield from flipped_body(request)
        for name in filter(None, (self.scheme.header, self.scheme.timestamp_header)):
            for value in flipped(request.headers[name]):
                yield with_header(request, name, value)

    def forged(
        self, url: str, message: Message, secrets: Mapping[str, str], at: datetime
    ) -> Iterator[tuple[str, Request]]:
        """Yield requests with another hash, encoding, content or key."""
        scheme, valid = self.scheme, self.request(url, message, secrets, at)
        key, header = secrets[scheme.secret].encode(), scheme.header
        content = b"".join([f"{valid.headers[scheme.timestamp_header]}.".encode()] if scheme.timestamp_header else [])
        content += valid.body
        digest = hmac.digest(key, content, "sha256")
        yield "base64", with_header(valid, header, base64.b64encode(digest).decode())
        yield "SHA-1", with_header(valid, header, hmac.digest(key, content, "sha1").hex())
        yield "SHA-512", with_header(valid, header, hmac.digest(key, content, "sha512").hex())
        yield "a hash without a key", with_header(valid, header, hashlib.sha256(content).hexdigest())
        yield "an empty key", with_header(valid, header, hmac.digest(b"", content, "sha256").hex())
        yield "another body", replace(valid, body=valid.body + b" ")
        if scheme.timestamp_header:
            yield "the body without the time", with_header(valid, header, hmac.digest(key, valid.body, "sha256").hex())
