"""Plivo: forms, or queries, signed over the whole address, all parameters and a nonce."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from local.simulator.pbx.base import FORM, Request, address, flipped, flipped_body, form_body, with_header
from local.simulator.story import Message

CREDENTIALS: Mapping[str, str] = {"auth_id": "MAXXXXXXXXXXXXXXXXX1", "auth_token": "plivo-auth-token-of-the-first"}
OTHER_CREDENTIALS: Mapping[str, str] = {"auth_id": "MAYYYYYYYYYYYYYYYYY2", "auth_token": "plivo-token-of-another"}
SETTINGS: Mapping[str, Any] = {"caller_id": "+74951230001"}
SIGNATURE_HEADER = "X-Plivo-Signature-V3"
MAIN_HEADER = "X-Plivo-Signature-Ma-V3"
NONCE_HEADER = "X-Plivo-Signature-V3-Nonce"
SECRET_FIELD = ""
TOLERANCE_SECONDS = None
UNKNOWN = Message(post={"CallUUID": "c1", "Event": "Parked", "Direction": "inbound", "From": "79101234567"})
UNKNOWN_STATUS = 200
HANDSHAKES: tuple[tuple[Message, str], ...] = ()
NOT_SIGNED: tuple[str, ...] = ()


def request(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:
    """Return the message with a nonce, signed."""
    get = message.method == "GET"
    whole = address(url, replace(message, query={**message.query, **message.post}) if get else message)
    body = b"" if get else form_body(message)
    nonce = _nonce(message, at)
    signature = sign(secrets["auth_token"], f"{signed(message.method, whole, body)}.{nonce}")
    headers = {**message.headers, "Content-Type": FORM, NONCE_HEADER: nonce, SIGNATURE_HEADER: signature}
    return Request(method=message.method, url=whole, headers=headers, body=body)


def _nonce(message: Message, at: datetime) -> str:
    """Return a nonce that is unique for each event of a call, and equal for a repeated message."""
    value = [message.post.get(name, "") for name in ("CallUUID", "Event", "DialBLegUUID", "DialAction", "RecordUrl")]
    digest = hashlib.sha256(f"{at.isoformat()} {value}".encode()).digest()
    return str(int.from_bytes(digest[:8], "big"))


def signed(method: str, url: str, body: bytes) -> str:
    """Return the signed text without the nonce."""
    parts = urlsplit(url)
    bare = f"{parts.scheme}://{parts.netloc}{parts.path}"
    parameters = "&".join(f"{name}={value}" for name, value in _in_order(parts.query))
    posted = "".join(name + value for name, value in _in_order(body.decode()))
    if method == "GET" or not posted:
        return f"{bare}?{parameters}" if parameters else bare
    return f"{bare}?{parameters}.{posted}" if parameters else f"{bare}?{posted}"


def _in_order(encoded: str) -> Iterable[tuple[str, str]]:
    return sorted(parse_qsl(encoded, keep_blank_values=True))


def sign(token: str, text: str) -> str:
    """Return base64 of the digest."""
    return base64.b64encode(hmac.new(token.encode(), text.encode(), "sha256").digest()).decode()


def tampered(request: Request) -> Iterator[Request]:
    """Yield copies with one changed byte of the body, the query, the nonce or the signature."""
    yield from flipped_body(request)
    path, mark, query = request.url.partition("?")
    for other in flipped(query):
        yield replace(request, url=path + mark + other)
    for name in (SIGNATURE_HEADER, NONCE_HEADER):
        for other in flipped(request.headers[name]):
            yield with_header(request, name, other)


def forged(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Iterator[tuple[str, Request]]:
    """Yield signatures over incomplete texts, with other hashes, and of other hosts."""
    good = request(url, message, secrets, at)
    token, nonce = secrets["auth_token"], good.headers[NONCE_HEADER]
    text = signed("POST", good.url, good.body)
    bare, host = good.url.partition("?")[0], urlsplit(good.url).netloc
    form = "".join(name + value for name, value in _in_order(good.body.decode()))
    wrong = {
        "without the nonce": sign(token, text),
        "the address only": sign(token, f"{good.url}.{nonce}"),
        "a dot where there is no query": sign(token, f"{bare}?.{form}.{nonce}"),
        "no question mark where there is no query": sign(token, f"{bare}{form}.{nonce}"),
        "the raw body": sign(token, f"{good.url}.{good.body.decode()}.{nonce}"),
        "as a GET": sign(token, f"{bare}?{urlencode(list(_in_order(good.body.decode())))}.{nonce}"),
        "another host": sign(token, f"{text.replace(host, 'evil.example.com', 1)}.{nonce}"),
        "plain http": sign(token, f"{text.replace('https:', 'http:', 1)}.{nonce}"),
        "SHA-1": base64.b64encode(hmac.new(token.encode(), f"{text}.{nonce}".encode(), "sha1").digest()).decode(),
        "hexadecimal": hmac.new(token.encode(), f"{text}.{nonce}".encode(), "sha256").hexdigest(),
        "the account for a key": sign(secrets["auth_id"], f"{text}.{nonce}"),
        "an empty key": sign("", f"{text}.{nonce}"),
    }
    for name, signature in wrong.items():
        yield name, with_header(good, SIGNATURE_HEADER, signature)
        yield f"{name}, in a list", with_header(good, SIGNATURE_HEADER, f"{signature},AAAA")
    yield "no nonce", with_header(good, NONCE_HEADER, None)
    yield (
        "an empty nonce that is signed",
        with_header(with_header(good, NONCE_HEADER, ""), SIGNATURE_HEADER, sign(token, f"{text}.")),
    )
    yield (
        "a wrong one of the main account",
        with_header(with_header(good, SIGNATURE_HEADER, None), MAIN_HEADER, sign("", text)),
    )
