"""Tickets: the API gives one to the employee's token, and it lets in one connection."""

import asyncio
import ipaddress
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from hangtag.errors import BadInputError, ConflictError, ForbiddenError, HangtagError, UnauthorizedError

if TYPE_CHECKING:
    from hangtag.outbound import HttpResponse

T = TypeVar("T")

__all__ = ["ApiTickets", "TryLaterError", "check_api", "check_live", "retry_after"]

PATH = "/v1/live-tickets"
TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 * 1024
# Who names a longer time means something else than a pause.
_LONGEST_RETRY_AFTER = 3600.0
_LATER = (408, 425, 429)
_REFUSED: dict[int, HangtagError] = {
    401: UnauthorizedError("the token is not good, or not any more"),
    403: ForbiddenError("the token's role may not listen: an employee's token is needed"),
    409: ConflictError("the token is no employee's, so that no calls are its own"),
}


class TryLaterError(HangtagError):
    """There is no ticket for now. `seconds` is how long the server wants to be left alone, None if it did not say."""

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class ApiTickets:
    """Asks the API for tickets with a token. The constructor raises BadInputError for what can be neither."""

    def __init__(self, api_url: str, token: str) -> None:
        self.url = check_api(api_url) + PATH
        if not token or not all("!" <= character <= "~" for character in token):
            raise BadInputError("the token can't be one: it is empty, or has blanks or other strange characters")
        self._token = token

    async def __call__(self) -> str:
        """The address to connect to, once and within 30 seconds.

        Raises UnauthorizedError, ForbiddenError or ConflictError for a token that lets nobody in, BadInputError if this
        is not the API's address, TryLaterError and UnreachableError for what may pass.
        """
        return _address(await _in_thread(self._ask))

    def _ask(self) -> "HttpResponse":
        from hangtag import outbound

        return outbound.send(
            "POST",
            self.url,
            headers={
                "authorization": f"Bearer {self._token}",
                "content-type": "application/json",
                "user-agent": "hangtag-live",
            },
            body=b"{}",
            seconds=TIMEOUT_SECONDS,
            max_bytes=MAX_ANSWER_BYTES,
            plain=_is_here(self.url),
            # The address is the program's own, not a tenant's: it may be in the office's network.
            allowed=lambda _: True,
        )


def _address(answer: "HttpResponse") -> str:
    """What the API's answer says. Pure."""
    status = answer.status
    if status in _REFUSED:
        refused = _REFUSED[status]
        raise type(refused)(refused.message)
    if status >= 500 or status in _LATER:
        raise TryLaterError(f"the API answered {status}", retry_after(answer.headers.get("retry-after")))
    try:
        said = json.loads(answer.body) if 200 <= status < 300 else None
    except (ValueError, RecursionError):
        said = None
    url = said.get("url") if isinstance(said, dict) else None
    if not isinstance(url, str):
        raise BadInputError(f"no ticket was given (the answer was {status}): is this the API's address?")
    return url


def check_api(url: str) -> str:
    """The API's address without a slash at its end. Raises BadInputError for one that a token must not go to."""
    parts = _parts(url)
    if parts not in (("https", False), ("https", True), ("http", True)):
        raise BadInputError("the API's address must be like https://api.example (http only on this machine)")
    if any(sign in url for sign in "?#@"):
        raise BadInputError("the API's address must have no password, no query and no fragment")
    return url.rstrip("/")


def check_live(url: str) -> str:
    """The address that a ticket names. Raises BadInputError for one that an employee's calls must not come from."""
    if _parts(url) not in (("wss", False), ("wss", True), ("ws", True)):
        raise BadInputError("the ticket's address must begin with wss:// (ws:// only on this machine)")
    return url


def _parts(url: str) -> tuple[str, bool] | None:
    """The scheme, and whether the host is this machine; None for what is no address."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    if not parts.hostname or not url.isprintable() or " " in url:
        return None
    return parts.scheme, _is_here(url)


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def retry_after(value: str | None) -> float | None:
    """The seconds that a Retry-After header asks for, at most an hour; None if it says nothing that can be read."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        # More digits than a time has are not worth reading.
        seconds = float(text[:10])
    else:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


async def _in_thread(work: Callable[[], T]) -> T:
    """What `work` returns or raises, in a thread of its own.

    Not asyncio.to_thread: at its end a program waits for those threads, so that Ctrl-C would seem to do nothing while
    a name server is silent.
    """
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(result)

    threading.Thread(target=run, daemon=True, name="hangtag ticket").start()
    return await asyncio.wrap_future(done)
