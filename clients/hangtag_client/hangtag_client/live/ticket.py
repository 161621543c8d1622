"""Tickets: the API issues one for an employee's token, and each opens one connection."""

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
MAX_RESPONSE_BYTES = 64 * 1024
# Upper bound for Retry-After, in seconds.
_LONGEST_RETRY_AFTER = 3600.0
_TEMPORARY_STATUSES = (408, 425, 429)
_PERMANENT_ERRORS: dict[int, HangtagError] = {
    401: UnauthorizedError("The token is invalid or has expired. Create another one."),
    403: ForbiddenError("The token's role has no access to the live channel. Use an employee's token."),
    409: ConflictError("The token does not belong to an employee. Use an employee's token."),
}


class TryLaterError(HangtagError):
    """A temporary failure. `seconds` is the pause that the server requests; None if it requests none."""

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class ApiTickets:
    """Source of tickets for a token. The constructor raises BadInputError for an invalid address or token."""

    def __init__(self, api_url: str, token: str) -> None:
        self.url = check_api(api_url) + PATH
        if not token or not all("!" <= character <= "~" for character in token):
            raise BadInputError("The token is empty or contains blanks or other invalid characters. Copy it again.")
        self._token = token

    async def __call__(self) -> str:
        """Return the address to connect to, valid once and for 30 seconds.

        Raises UnauthorizedError, ForbiddenError or ConflictError for a token without access, BadInputError if this is
        not the API's address, TryLaterError and UnreachableError for temporary errors.
        """
        return _address(await _in_thread(self._request))

    def _request(self) -> "HttpResponse":
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
            max_bytes=MAX_RESPONSE_BYTES,
            plain=_is_here(self.url),
            # The program chose the address, not a tenant, so a private network is allowed.
            allowed=lambda _: True,
        )


def _address(response: "HttpResponse") -> str:
    """Return the address in the API's response. Pure."""
    status = response.status
    if status in _PERMANENT_ERRORS:
        error = _PERMANENT_ERRORS[status]
        raise type(error)(error.message)
    if status >= 500 or status in _TEMPORARY_STATUSES:
        raise TryLaterError(f"the API returned HTTP {status}", retry_after(response.headers.get("retry-after")))
    try:
        content = json.loads(response.body) if 200 <= status < 300 else None
    except (ValueError, RecursionError):
        content = None
    url = content.get("url") if isinstance(content, dict) else None
    if not isinstance(url, str):
        raise BadInputError(f"The response contains no ticket (HTTP {status}). Check the address of the API.")
    return url


def check_api(url: str) -> str:
    """Return the API's address without a trailing slash. Raises BadInputError if a token must not be sent to it."""
    parts = _parts(url)
    if parts not in (("https", False), ("https", True), ("http", True)):
        raise BadInputError("Enter the API's address, such as https://api.example (http on this machine only).")
    if any(sign in url for sign in "?#@"):
        raise BadInputError("Enter the API's address without a password, query or fragment.")
    return url.rstrip("/")


def check_live(url: str) -> str:
    """Return the address of a ticket. Raises BadInputError if the connection would not be encrypted."""
    if _parts(url) not in (("wss", False), ("wss", True), ("ws", True)):
        raise BadInputError("The ticket's address must begin with wss:// (ws:// on this machine only).")
    return url


def _parts(url: str) -> tuple[str, bool] | None:
    """Return the scheme and whether the host is this machine; None for an invalid address."""
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
    """Return the seconds of a Retry-After header, at most an hour; None if it is missing or unreadable."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        # Ten digits exceed any valid time.
        seconds = float(text[:10])
    else:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


async def _in_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread of its own and return its result.

    asyncio.to_thread is unsuitable: a program waits for its threads on exit, so Ctrl-C would hang while a name server
    does not respond.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, daemon=True, name="hangtag ticket").start()
    return await asyncio.wrap_future(future)
