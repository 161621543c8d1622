"""The way to the bridge: commands as Hangtag sends them, through the one door to HTTP."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from hangtag import outbound
from hangtag.errors import HangtagError
from hangtag_client.check.finding import Finding, Section, expected, passed

__all__ = ["Answer", "Bridge", "judge_refusal"]

TIMEOUT_SECONDS = 15.0
MAX_ANSWER_BYTES = 64 * 1024
HEADERS = {"content-type": "application/x-www-form-urlencoded", "user-agent": "hangtag-check"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the bridge answered. `status` is None, and `text` says why, if it did not answer."""

    status: int | None
    text: str

    def __str__(self) -> str:
        if self.status is None:
            return f"no answer ({self.text})"
        return (
            f"{self.status} {self.text.strip()}".strip() if self.text.strip() else f"{self.status} with nothing in it"
        )


class Bridge:
    """A PBX's side of the telephony API, at an address and with a key that the PBX made."""

    def __init__(self, url: str, token: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.url = url
        self._token = token
        self._timeout = timeout_seconds

    def send(self, command: str, *, token: str | None = None, **fields: str) -> Answer:
        """Post one command, with the PBX's key or another. Never raises for what the network does."""
        key = self._token if token is None else token
        return post_form(self.url, {"cmd": command, **fields, "token": key}, self._timeout)


def post_form(url: str, fields: Mapping[str, str], timeout_seconds: float) -> Answer:
    """Post a form, follow nothing, read at most 64 KB within the time."""
    try:
        answer = outbound.send(
            "POST",
            url,
            headers=HEADERS,
            body=urlencode(fields).encode(),
            seconds=timeout_seconds,
            max_bytes=MAX_ANSWER_BYTES,
            plain=True,
            # Whoever makes a bridge checks it on their own machine.
            allowed=lambda _: True,
        )
    except HangtagError as error:
        # The door says no more to others; who makes a bridge wants to know how it failed.
        return Answer(None, type(error.__cause__).__name__ if error.__cause__ else str(error))
    return Answer(answer.status, answer.body.decode("utf-8", "replace"))


def judge_refusal(asked: str, answer: Answer, status: int, error: str) -> Finding:
    """Whether the bridge refused as documented. Pure."""
    body = json.dumps({"error": error}, separators=(",", ":"))
    if answer.status == status and _error(answer.text) == error:
        return passed(f"{asked} was refused with {status}.", Section.MAKE_CALL)
    return expected(f"{status} {body} for {asked}", str(answer), Section.MAKE_CALL)


def _error(text: str) -> str | None:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return said.get("error") if isinstance(said, dict) else None
