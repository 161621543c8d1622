"""Commands to the bridge, sent as Hangtag sends them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from hangtag import outbound
from hangtag.errors import HangtagError
from hangtag_client.check.finding import Finding, Section, expected, passed

__all__ = ["Bridge", "BridgeResponse", "check_rejection"]

TIMEOUT_SECONDS = 15.0
MAX_RESPONSE_BYTES = 64 * 1024
HEADERS = {"content-type": "application/x-www-form-urlencoded", "user-agent": "hangtag-check"}


@dataclass(frozen=True, slots=True)
class BridgeResponse:
    """The response of the bridge. If there is none, `status` is None and `text` contains the reason."""

    status: int | None
    text: str

    def __str__(self) -> str:
        if self.status is None:
            return f"no response ({self.text})"
        return (
            f"{self.status} {self.text.strip()}".strip() if self.text.strip() else f"{self.status} with an empty body"
        )


class Bridge:
    """The bridge's side of the telephony API: its address and the key that it expects."""

    def __init__(self, url: str, token: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.url = url
        self._token = token
        self._timeout = timeout_seconds

    def send(self, command: str, *, token: str | None = None, **fields: str) -> BridgeResponse:
        """Post one command with the PBX's key, or with `token`. Network errors do not raise."""
        key = self._token if token is None else token
        return post_form(self.url, {"cmd": command, **fields, "token": key}, self._timeout)


def post_form(url: str, fields: Mapping[str, str], timeout_seconds: float) -> BridgeResponse:
    """Post a form without following redirects. Read at most 64 KB within the time limit."""
    try:
        response = outbound.send(
            "POST",
            url,
            headers=HEADERS,
            body=urlencode(fields).encode(),
            seconds=timeout_seconds,
            max_bytes=MAX_RESPONSE_BYTES,
            plain=True,
            # Bridges are checked on the maker's own machine.
            allowed=lambda _: True,
        )
    except HangtagError as error:
        # The cause is hidden from tenants, but useful to the maker of a bridge.
        return BridgeResponse(None, type(error.__cause__).__name__ if error.__cause__ else str(error))
    return BridgeResponse(response.status, response.body.decode("utf-8", "replace"))


def check_rejection(request: str, response: BridgeResponse, status: int, error: str) -> Finding:
    """Return whether the bridge rejected a request as documented. Pure."""
    body = json.dumps({"error": error}, separators=(",", ":"))
    if response.status == status and _error(response.text) == error:
        return passed(f"{request} was rejected with {status}.", Section.MAKE_CALL)
    return expected(f"{status} {body} for {request}", str(response), Section.MAKE_CALL)


def _error(text: str) -> str | None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content.get("error") if isinstance(content, dict) else None
