"""Simulated PBX of the telephony API. Every form contains the CRM's key."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from local.simulator.pbx.base import FORM, Request, address, flipped_fields, form_body
from local.simulator.story import Message

CREDENTIALS: Mapping[str, str] = {}
OTHER_CREDENTIALS: Mapping[str, str] = {}
SETTINGS: Mapping[str, Any] = {}
SECRET_FIELD = "planfix_token"  # noqa: S105 - its name
SIGNATURE_HEADER = ""
TOLERANCE_SECONDS = None
UNKNOWN = Message(post={"cmd": "event", "event": "PARKED", "type": "in", "phone": "79101234567", "callid": "c1"})
# The documented answer to wrong parameters.
UNKNOWN_STATUS = 400
HANDSHAKES: tuple[tuple[Message, str], ...] = ()
NOT_SIGNED = ("phone", "ext", "callid", "duration", "status")


def request(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:  # noqa: ARG001
    """Return a form with the key."""
    return Request(
        method=message.method,
        url=address(url, message),
        headers={"content-type": FORM},
        body=form_body(message, {SECRET_FIELD: secrets[SECRET_FIELD]}),
    )


def tampered(request: Request) -> Iterator[Request]:
    """Yield requests with another key; only the key is protected."""
    return flipped_fields(request, [SECRET_FIELD])


def forged(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Iterator[tuple[str, Request]]:
    """Yield requests with plausible but wrong keys."""
    for name, key in {"empty": "", "upper case": secrets[SECRET_FIELD].upper() + "A", "longer": "0" * 64}.items():
        yield name, request(url, message, {**secrets, SECRET_FIELD: key}, at)
