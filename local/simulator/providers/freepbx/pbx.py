"""A FreePBX: the telephony API's forms with the CRM's key, and JSON requests.

The real one's JSON requests have no key, so that there is nothing to forge. This one is set up to send it there too;
given no secret, it leaves it out.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from local.simulator.pbx.base import FORM, JSON, Request, address, flipped, flipped_fields, form_body, json_body
from local.simulator.story import Message

CREDENTIALS: Mapping[str, str] = {}
OTHER_CREDENTIALS: Mapping[str, str] = {}
SETTINGS: Mapping[str, Any] = {"missed_by_request": True}
SECRET_FIELD = "planfix_token"  # noqa: S105 - its name
SIGNATURE_HEADER = ""
TOLERANCE_SECONDS = None
UNKNOWN = Message(body={"event": "callParkedNotify", "uniqueId": "c1", "intNum": "101", "extNum": "79101234567"})
UNKNOWN_STATUS = 200
HANDSHAKES: tuple[tuple[Message, str], ...] = ()
NOT_SIGNED = ("phone", "ext", "callid", "duration", "status")


def request(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Request:  # noqa: ARG001
    """Return a form, or JSON, with the key."""
    key = {SECRET_FIELD: secrets[SECRET_FIELD]} if SECRET_FIELD in secrets else {}
    if message.body is None:
        body, content_type = form_body(message, key), FORM
    else:
        body, content_type = json_body(replace(message, body={**key, **message.body})), JSON
    return Request(method=message.method, url=address(url, message), headers={"content-type": content_type}, body=body)


def tampered(request: Request) -> Iterator[Request]:
    """Yield requests with another key; only the key is protected."""
    if request.headers["content-type"] == FORM:
        yield from flipped_fields(request, [SECRET_FIELD])
        return
    payload = json.loads(request.body)
    for other in flipped(payload.get(SECRET_FIELD, "")):
        yield replace(request, body=json.dumps({**payload, SECRET_FIELD: other}).encode())


def forged(url: str, message: Message, secrets: Mapping[str, str], at: datetime) -> Iterator[tuple[str, Request]]:
    """Yield requests with plausible but wrong keys, in a form and in JSON."""
    question = Message(body={"event": "callInfoRespNum", "uniqueId": "c1", "intNum": "101", "extNum": "79101234567"})
    wrong = {"empty": "", "upper case": secrets[SECRET_FIELD].upper() + "A", "longer": "0" * 64}
    for name, key in wrong.items():
        yield name, request(url, message, {**secrets, SECRET_FIELD: key}, at)
        yield f"{name}, in JSON", request(url, question, {**secrets, SECRET_FIELD: key}, at)
    for name, value in {"null": None, "a number": 0, "true": True, "a list of it": [secrets[SECRET_FIELD]]}.items():
        # A field of the message outweighs the key.
        sent = replace(question, body={**(question.body or {}), SECRET_FIELD: value})
        yield f"{name}, in JSON", request(url, sent, secrets, at)
