"""Ringostat's webhook sender: forms, JSON or GET, to a secret address; nothing is signed."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from local.simulator.pbx.base import FORM, JSON, Request, address, form_body, json_body
from local.simulator.story import Message

CREDENTIALS: Mapping[str, str] = {"auth_key": "ringostat-auth-key"}
OTHER_CREDENTIALS: Mapping[str, str] = {"auth_key": "another-auth-key"}
SETTINGS: Mapping[str, Any] = {"time_zone": "Europe/Kyiv"}
SIGNATURE_HEADER = ""
SECRET_FIELD = ""
TOLERANCE_SECONDS = None
UNKNOWN = Message(query={"event": "after_rating"}, post={"uniqueid": "1700000000.1", "rating": "5"})
UNKNOWN_STATUS = 200
HANDSHAKES: tuple[tuple[Message, str], ...] = ()
NOT_SIGNED = ("caller", "dst", "connected_with", "billsec", "uniqueid")


def request(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:  # noqa: ARG001
    """Return the webhook in the method and format of the story."""
    if message.method == "GET":
        return Request(method="GET", url=address(url, message), headers={})
    if message.body is not None:
        return Request(
            method="POST", url=address(url, message), headers={"content-type": JSON}, body=json_body(message)
        )
    return Request(method="POST", url=address(url, message), headers={"content-type": FORM}, body=form_body(message))


def tampered(request: Request) -> Iterator[Request]:  # noqa: ARG001 - nothing is signed
    """Yield nothing: no part of a request is verified."""
    yield from ()


def forged(
    url: str,  # noqa: ARG001
    message: Message,  # noqa: ARG001
    secrets: Mapping[str, str],  # noqa: ARG001
    at: datetime,  # noqa: ARG001
) -> Iterator[tuple[str, Request]]:
    """Yield nothing: every request to the address is accepted."""
    yield from ()
