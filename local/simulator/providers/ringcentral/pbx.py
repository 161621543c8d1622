"""RingCentral's webhook sender: JSON with the subscription's token in a header. A handshake has no body."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from local.simulator.pbx.base import JSON, Request, address, flipped, json_body, with_header
from local.simulator.story import Message

CREDENTIALS: Mapping[str, str] = {
    "client_id": "vQ0ExampleClientId012",
    "client_secret": "ringcentral-client-secret",
    "jwt": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiI2MjI2NDQyNTAxNiJ9.c2lnbmF0dXJl",
}
OTHER_CREDENTIALS: Mapping[str, str] = {
    "client_id": "vQ0AnotherClientId012",
    "client_secret": "client-secret-of-another-tenant",
    "jwt": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiI2MjI2NDQyOTk5OSJ9.YW5vdGhlcg",
}
# Extensions by internal id, and the id of a menu.
EXTENSIONS = {"62264425101": "101", "62264425102": "102", "62264425103": "103", "62264425104": "104"}
MENU = "62242421016"
SETTINGS: Mapping[str, Any] = {
    "extensions": ", ".join(f"{extension_id}={number}" for extension_id, number in {**EXTENSIONS, MENU: ""}.items())
}
SIGNATURE_HEADER = "Verification-Token"
OLDER_HEADER = "Validation-Token"
SECRET_FIELD = ""
TOLERANCE_SECONDS = None
UNKNOWN = Message(
    body={
        "uuid": "902644045286934626",
        "event": "/restapi/v1.0/account/809646016/extension/62264425101/presence",
        "timestamp": "2026-03-01T12:00:00.000Z",
        "subscriptionId": "8b15306f-0386-4f40-a560-0264a28a7225",
        "ownerId": "62264425101",
        "body": {"extensionId": "62264425101", "telephonyStatus": "Ringing"},
    }
)
UNKNOWN_STATUS = 200
# As documented: with the subscription's token and without a body.
HANDSHAKES = (
    (Message(headers={OLDER_HEADER: "a3b1-5c2d-handshake"}), "{}"),
    (Message(headers={OLDER_HEADER: "a3b1-5c2d-handshake", SIGNATURE_HEADER: "new", "Content-Type": JSON}), "{}"),
)
NOT_SIGNED: tuple[str, ...] = ()


def request(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:  # noqa: ARG001
    """Return the message with the token."""
    if message.body is None:
        return Request(method="POST", url=address(url, message), headers=dict(message.headers))
    return Request(
        method="POST",
        url=address(url, message),
        headers={
            "User-Agent": "RingCentral-Webhook/8.3",
            "Content-Type": f"{JSON}; charset=UTF-8",
            **message.headers,
            SIGNATURE_HEADER: secrets["verification_token"],
        },
        body=json_body(message),
    )


def tampered(request: Request) -> Iterator[Request]:
    """Change each character of the token: nothing is signed."""
    for other in flipped(request.headers[SIGNATURE_HEADER]):
        yield with_header(request, SIGNATURE_HEADER, other)


def forged(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Iterator[tuple[str, Request]]:
    """Yield events that look like a handshake, and the token in other places and spellings."""
    good = request(url, message, secrets, at)
    token, bare = secrets["verification_token"], with_header(good, SIGNATURE_HEADER, None)
    yield "an event with a handshake's header", with_header(bare, OLDER_HEADER, "anything")
    yield "an event with a handshake's empty header", with_header(bare, OLDER_HEADER, "")
    yield (
        "a handshake's header next to a wrong token",
        with_header(with_header(good, SIGNATURE_HEADER, "wrong"), OLDER_HEADER, "anything"),
    )
    yield "no body, and no token", replace(bare, body=b"")
    yield "the token in the address", replace(bare, url=f"{bare.url}?verificationToken={token}")
    yield "the token as a bearer's", with_header(bare, "Authorization", f"Bearer {token}")
    for name, value in {
        "its first half": token[: len(token) // 2],
        "more after it": token + "x",
        "other case": token.swapcase(),
        "without whsec_": token.removeprefix("whsec_"),
        "the client secret": secrets["client_secret"],
        "quotes": f'"{token}"',
    }.items():
        yield name, with_header(good, SIGNATURE_HEADER, value)
