"""Twilio: forms, JSON or queries, signed over the whole address and all parameters.

A message whose header X-Twilio-Webhooks-Signature-Settings names HMAC_SHA256 is signed with the shared key, any other
with the Auth Token.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

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

CREDENTIALS: Mapping[str, str] = {
    "account_sid": "AC" + "a1" * 16,
    "auth_token": "5f0c2b7d9e4a4c1f8b6d3a2e1c0f9b8a",
    "api_key_sid": "SK" + "b2" * 16,
    "api_key_secret": "api-key-secret-of-the-first",
    "shared_key_id": "webhooks_sharedkey_first",
    "shared_key_secret": "shared-key-secret-of-the-first",
}
OTHER_CREDENTIALS: Mapping[str, str] = {
    "account_sid": "AC" + "c3" * 16,
    "auth_token": "0123456789abcdef0123456789abcdef",
    "api_key_sid": "SK" + "d4" * 16,
    "api_key_secret": "api-key-secret-of-another",
    "shared_key_id": "webhooks_sharedkey_other",
    "shared_key_secret": "shared-key-secret-of-another",
}
SETTINGS: Mapping[str, Any] = {"sip_domain": "acme.sip.twilio.com", "caller_id": "+74951230001"}
SIGNATURE_HEADER = "X-Twilio-Signature"
SETTINGS_HEADER = "X-Twilio-Webhooks-Signature-Settings"
SECRET_FIELD = ""
TOLERANCE_SECONDS = None
UNKNOWN = Message(post={"CallSid": "CA1", "CallStatus": "parked", "Direction": "inbound", "From": "+79101234567"})
UNKNOWN_STATUS = 200
HANDSHAKES: tuple[tuple[Message, str], ...] = ()
NOT_SIGNED: tuple[str, ...] = ()


def request(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:  # noqa: ARG001
    """Return the message with the account's id, signed."""
    always = {"AccountSid": secrets["account_sid"], "ApiVersion": "2010-04-01"}
    whole, body, content_type = address(url, message), b"", FORM
    pairs: list[tuple[str, str]] = []
    if message.method == "GET":
        whole = _joined(whole, {**always, **message.post})
    elif message.body is not None:
        body, content_type = json_body(message), JSON
        whole = _joined(whole, {"bodySHA256": hashlib.sha256(body).hexdigest()})
    else:
        body = form_body(message, always)
        pairs = parse_qsl(body.decode(), keep_blank_values=True)
    sha256 = "HMAC_SHA256" in message.headers.get(SETTINGS_HEADER, "")
    key = secrets["shared_key_secret" if sha256 else "auth_token"]
    signature = sign(key, signed(whole, pairs), "sha256" if sha256 else "sha1")
    headers = {**message.headers, "Content-Type": content_type, SIGNATURE_HEADER: signature}
    return Request(method=message.method, url=whole, headers=headers, body=body)


def _joined(url: str, more: Mapping[str, str]) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(more)}"


def signed(url: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return the signed text: sorted names, each with its distinct values, sorted."""
    values: dict[str, set[str]] = {}
    for name, value in pairs:
        values.setdefault(name, set()).add(value)
    return url + "".join(name + value for name in sorted(values) for value in sorted(values[name]))


def sign(key: str, text: str, algorithm: str = "sha1") -> str:
    """Return base64 of the digest."""
    return base64.b64encode(hmac.new(key.encode(), text.encode(), algorithm).digest()).decode()


def tampered(request: Request) -> Iterator[Request]:
    """Yield copies with one changed byte of the body, the query or the signature."""
    yield from flipped_body(request)
    path, mark, query = request.url.partition("?")
    for other in flipped(query):
        yield replace(request, url=path + mark + other)
    for other in flipped(request.headers[SIGNATURE_HEADER]):
        yield with_header(request, SIGNATURE_HEADER, other)


def forged(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Iterator[tuple[str, Request]]:
    """Yield signatures over incomplete texts, with other hashes, and of other hosts and accounts."""
    good = request(url, message, secrets, at)
    token, account = secrets["auth_token"], secrets["account_sid"]
    pairs = parse_qsl(good.body.decode(), keep_blank_values=True)
    text = signed(good.url, pairs)
    bare = good.url.partition("?")[0]
    parts = urlsplit(good.url)
    wrong = {
        "the address only": sign(token, good.url),
        "the parameters only": sign(token, signed("", pairs)),
        "without the query": sign(token, signed(bare + "?", pairs)),
        "another host": sign(token, signed(good.url.replace(parts.netloc, "evil.example.com", 1), pairs)),
        "plain http": sign(token, signed(good.url.replace("https:", "http:", 1), pairs)),
        "another port": sign(token, signed(good.url.replace(parts.netloc, parts.netloc + ":8443", 1), pairs)),
        "as they came": sign(token, good.url + "".join(name + value for name, value in reversed(pairs))),
        "the raw body": sign(token, good.url + good.body.decode()),
        "SHA-256 under the Auth Token": sign(token, text, "sha256"),
        "hexadecimal": hmac.new(token.encode(), text.encode(), "sha1").hexdigest(),
        "the account for a key": sign(account, text),
        "an empty key": sign("", text),
    }
    for name, signature in wrong.items():
        yield name, with_header(good, SIGNATURE_HEADER, signature)
    by_token = with_header(good, SIGNATURE_HEADER, sign(token, text, "sha256"))
    for name, value in {
        "SHA-256 of a shared key that is the Auth Token": f"key={secrets['shared_key_id']},algorithm=HMAC_SHA256",
        "an unknown algorithm": f"key={secrets['shared_key_id']},algorithm=NONE",
        "two algorithms": "algorithm=HMAC_SHA1,algorithm=HMAC_SHA256",
    }.items():
        yield name, with_header(by_token, SETTINGS_HEADER, value)
    of_shared_key = sign(secrets["shared_key_secret"], text, "sha256")
    yield (
        "another shared key's id",
        with_header(
            with_header(good, SIGNATURE_HEADER, of_shared_key), SETTINGS_HEADER, "key=other,algorithm=HMAC_SHA256"
        ),
    )
    # With JSON only the address is signed, so it must contain the hash of the body.
    by_url = with_header(good, SIGNATURE_HEADER, sign(token, good.url))
    yield "JSON without its hash", replace(with_header(by_url, "Content-Type", JSON), body=b'{"CallSid":"CA1"}')
    hashed = _joined(good.url, {"bodySHA256": hashlib.sha256(b"{}").hexdigest()})
    yield (
        "JSON with the hash of another",
        replace(
            with_header(with_header(good, SIGNATURE_HEADER, sign(token, hashed)), "Content-Type", JSON), url=hashed
        ),
    )
    yield (
        "another account",
        request(url, replace(message, post={**message.post, "AccountSid": "AC" + "f" * 32}), secrets, at),
    )
