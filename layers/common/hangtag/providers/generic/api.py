"""Signed commands to the bridge."""

import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from hangtag.domain.calls.event import CallEvent
from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers.base import (
    Account,
    Check,
    Click,
    KnownExtension,
    Media,
    PayloadError,
    PbxClient,
    PlacedCall,
    Response,
)
from hangtag.providers.generic.event import read_event
from hangtag.providers.generic.signing import key_of, signature
from hangtag.providers.reading import json_of, text

__all__ = ["extensions", "history", "originate", "ping", "recording"]

# Upper bounds for the bridge's responses.
_MAX_PAGES = 200
_MAX_EXTENSIONS = 5000
_MAX_WORDS = 300
# Phone numbers are removed from the bridge's messages, which are shown and logged.
_NUMBER = re.compile(r"\+?[0-9][0-9 ().-]{3,}[0-9]")


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Send `call`: ring the extension, then the number. The response can contain the call's id."""
    command = {"command": "call", "extension": click.extension, "number": click.number, "reference": click.reference}
    if click.line is not None:
        command["line"] = click.line
    # Every attempt of a click has its id, so that the bridge can ignore a repetition.
    response = _send(account, client, command, message_id=click.reference, safe=False)
    return PlacedCall(_field(response, "call_id") or None)


def recording(account: Account, reference: str, client: PbxClient) -> Media:
    """Return an event's address, or the address that the bridge returns for a reference."""
    if reference.startswith(("https://", "http://")):
        return Media(reference)
    url = _field(_send(account, client, {"command": "recording", "reference": reference}), "url", 2048)
    if not url.startswith(("https://", "http://")):
        raise UnreachableError("The bridge's response does not contain an address of the recording.")
    return Media(url)


def history(account: Account, since: datetime, until: datetime, client: PbxClient) -> Iterator[CallEvent]:
    """Send `history` and yield the events of all pages. Events of an unknown type are skipped."""
    command = {"command": "history", "since": _iso(since), "until": _iso(until)}
    cursor = ""
    for _ in range(_MAX_PAGES):
        response = _send(account, client, command | ({"cursor": cursor} if cursor else {}))
        for number, payload in enumerate(_list(response, "events")):
            try:
                event = read_event(payload, None, None, f"events[{number}]: ")
            except PayloadError as error:
                raise UnreachableError(f"The bridge's history is unreadable: {error.reason}") from None
            if event is not None:
                yield event
        cursor = _field(response, "next_cursor")
        if not cursor:
            return
    raise UnreachableError("The bridge's history does not end.")


def extensions(account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
    """Send `extensions` and return them."""
    rows = _list(_send(account, client, {"command": "extensions"}), "extensions")[:_MAX_EXTENSIONS]
    if not all(isinstance(row, dict) and _field(row, "extension") for row in rows):
        raise UnreachableError("The bridge's list of extensions is unreadable.")
    return tuple(KnownExtension(_field(row, "extension"), _field(row, "name")) for row in rows)


def ping(account: Account, client: PbxClient) -> Check:
    """Send `ping`, which checks bridge_key."""
    if not account.credentials.get("bridge_url"):
        return Check(
            "pbx", True, "Calls are received, but click-to-call is not available, because bridge_url is empty."
        )
    try:
        _send(account, client, {"command": "ping"})
    except BadInputError as error:
        return Check("pbx", False, error.message)
    return Check("pbx", True, "The bridge responds and accepts bridge_key.")


def _send(
    account: Account, client: PbxClient, command: Mapping[str, str], *, message_id: str = "", safe: bool = True
) -> Mapping[str, Any]:
    """Send one signed command and return the JSON object of the response, {} for an empty body.

    Raises BadInputError with the bridge's own message if it rejects the command, UnreachableError for a bad response.
    """
    url, secret = account.credentials.get("bridge_url"), account.credentials.get("bridge_key", "")
    if not url:
        raise BadInputError("Enter bridge_url to send commands to this bridge.")
    key = key_of(secret)
    if not key:
        raise BadInputError("Enter bridge_key as base64. Commands are always signed.")
    body = json.dumps(command).encode()
    message_id, sent_at = message_id or secrets.token_hex(16), str(int(time.time()))
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": sent_at,
        "webhook-signature": "v1," + signature(key, message_id, sent_at, body),
    }
    response = client.send("POST", url, headers=headers, body=body, safe=safe)
    if response.status >= 500 and response.status != 501:
        raise UnreachableError(f"The bridge returned a server error (HTTP {response.status}).")
    if not 200 <= response.status < 300:
        raise BadInputError(_rejection(response, secret))
    return _object(response.body) if response.body.strip() else {}


def _object(body: bytes) -> dict[str, Any]:
    content = json_of(body)
    if not isinstance(content, dict):
        raise UnreachableError("The bridge's response is not a JSON object.")
    return content


def _rejection(response: Response, secret: str) -> str:
    """Return a sentence for the admin, with the bridge's own message but without secrets and phone numbers."""
    status = response.status
    if 300 <= status < 400:
        return f"bridge_url redirects (HTTP {status}). Enter the address that it redirects to."
    if status in (401, 403):
        return f"The bridge rejected the signature (HTTP {status}). Check that bridge_key is the key that it expects."
    if status in (404, 410):
        return f"The bridge has nothing at bridge_url (HTTP {status})."
    try:
        message = str(_object(response.body).get("error", ""))
    except UnreachableError:
        message = response.body[:4096].decode("utf-8", "replace")
    message = "".join(character if character.isprintable() else " " for character in message.replace(secret, "***"))
    message = " ".join(_NUMBER.sub("***", message).split())[:_MAX_WORDS]
    title = f"The bridge rejected the command (HTTP {status})"
    return f"{title}: {message}" if message else f"{title}."


def _field(response: Mapping[str, Any], name: str, limit: int = 512) -> str:
    try:
        return text(response, name, limit)
    except PayloadError as error:
        raise UnreachableError(f"The bridge's response is unreadable: {error.reason}") from None


def _list(response: Mapping[str, Any], name: str) -> list[Any]:
    rows = response.get(name)
    if not isinstance(rows, list):
        raise UnreachableError(f"The bridge's response does not contain a list of {name}.")
    return rows


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
