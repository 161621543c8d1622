"""HTTP client for one integration's PBX: domain check, rate limits, access tokens, retries.

Functions share the request counts and tokens through a `Limiter` and a `TokenStore`. `hangtag.store` implements both;
this module depends on neither AWS nor the table.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

from hangtag.errors import BadInputError, TooManyError, UnreachableError
from hangtag.limits import PAUSE_SECONDS, Limit, Token
from hangtag.outbound.address import host_of, on_loopback
from hangtag.outbound.http import HttpResponse, send

__all__ = ["Limiter", "RateLimitedClient", "TokenStore", "check_host"]

# An invocation behind API Gateway has 30 seconds in all.
DEFAULT_SECONDS = 20.0
REQUEST_SECONDS = 8.0
# The pause between attempts: doubled each time, with jitter.
_FIRST_PAUSE = 0.2
_MAX_ATTEMPTS = 3
_RETRY_STATUSES = (502, 503, 504)
# For a provider without a limit of its own.
DEFAULT_LIMIT = Limit(120, 60)
_MAX_HOLD_SECONDS = 3600.0
# A token is not used in its last minute.
TOKEN_MARGIN_SECONDS = 60.0


class Limiter(Protocol):
    """Counts requests for all functions together."""

    def take(self, name: str, limit: Limit) -> float:
        """Count one request and return 0; if the limit is reached, return the seconds until it is not."""
        ...

    def hold(self, name: str, seconds: float) -> None:
        """Block all requests for `seconds`, for example after a 429."""
        ...


class TokenStore(Protocol):
    """Stores access tokens, encrypted."""

    def read(self, name: str) -> tuple[str, float] | None:
        """Return the token and its expiry (epoch seconds), or None."""
        ...

    def write(self, name: str, token: str, ends_at: float) -> None:
        """Store a token."""
        ...

    def delete(self, name: str) -> None:
        """Delete a token."""
        ...


def check_host(url: str, hosts: Sequence[str]) -> None:
    """Raise BadInputError unless the URL's host is in one of these domains; without domains, every host passes.

    Credentials then go to the PBX's own hosts only.
    """
    host = host_of(url)
    if not hosts or any(host == domain or host.endswith("." + domain) for domain in hosts):
        return
    if on_loopback() and host in ("127.0.0.1", "localhost", "::1"):
        return
    raise BadInputError("The address is not in one of this PBX's domains.")


@dataclass(slots=True, kw_only=True)
class RateLimitedClient:
    """HTTP client for one integration's PBX, rate-limited; implements `hangtag.providers.base.PbxClient`.

    All requests together have `seconds`, including the wait for a limit. `deadline` can replace it, in the time of
    `time.monotonic()`.
    """

    limiter: Limiter
    tokens: TokenStore
    limits: Mapping[str, Limit] = field(default_factory=dict)
    hosts: Sequence[str] = ()
    seconds: float = DEFAULT_SECONDS
    max_bytes: int = 8 * 1024 * 1024
    deadline: float = 0.0

    def __post_init__(self) -> None:
        self.deadline = self.deadline or time.monotonic() + self.seconds

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: str = "",
        safe: bool | None = None,
    ) -> HttpResponse:
        """Send one request; see `PbxClient.send`."""
        check_host(url, self.hosts)
        attempts = _MAX_ATTEMPTS if (method == "GET" if safe is None else safe) else 1
        for number in range(1, attempts + 1):
            try:
                response = self._send_once(method, url, headers, body, limit)
            except UnreachableError:
                if number == attempts or not self._pause(number):
                    raise
                continue
            if response.status == 429:
                self._raise_too_many(limit, response)
            if response.status not in _RETRY_STATUSES or number == attempts or not self._pause(number):
                return response
        raise AssertionError("the last attempt returns or raises")

    def token(self, name: str, ask: Callable[[], Token]) -> str:
        """Return the PBX's access token; see `PbxClient.token`."""
        stored = self.tokens.read(name)
        if stored is not None and stored[1] - TOKEN_MARGIN_SECONDS > time.time():
            return stored[0]
        fresh = ask()
        self.tokens.write(name, fresh.value, time.time() + fresh.seconds)
        return fresh.value

    def forget(self, name: str) -> None:
        """Delete a token that the PBX rejected."""
        self.tokens.delete(name)

    def hold(self, limit: str, seconds: float) -> None:
        """Block requests under that limit for `seconds`; see `PbxClient.hold`."""
        self.limiter.hold(limit if limit in self.limits else "", min(seconds, _MAX_HOLD_SECONDS))

    def _send_once(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: bytes | None, limit: str
    ) -> HttpResponse:
        while (wait := self._take(limit)) > 0:
            if wait > self._left():
                raise TooManyError(f"The PBX's rate limit is reached. Try again in {round(wait) or 1} seconds.")
            time.sleep(wait)
        left = self._left()
        if left <= 0:
            raise UnreachableError("The time for this request ran out before the PBX was called.")
        seconds = min(REQUEST_SECONDS, left)
        return send(method, url, headers=headers, body=body, seconds=seconds, max_bytes=self.max_bytes)

    def _take(self, limit: str) -> float:
        """Count a request under the general limit and the named one; return the seconds to wait if one is reached."""
        limits = {"": self.limits.get("", DEFAULT_LIMIT)}
        limits |= {limit: self.limits[limit]} if limit in self.limits else {}
        return max(self.limiter.take(name, value) for name, value in limits.items())

    def _raise_too_many(self, limit: str, response: HttpResponse) -> None:
        """Block requests for the time that a 429 names. Raises TooManyError."""
        seconds = min(_retry_after(response.headers.get("retry-after", "")), _MAX_HOLD_SECONDS)
        self.hold(limit, seconds)
        raise TooManyError(f"The PBX limits requests (HTTP 429). Try again in {round(seconds) or 1} seconds.")

    def _pause(self, number: int) -> bool:
        """Wait before the next attempt; return False if there is not enough time."""
        pause = _FIRST_PAUSE * 2.0 ** (number - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - not a secret
        if pause >= self._left():
            return False
        time.sleep(pause)
        return True

    def _left(self) -> float:
        return self.deadline - time.monotonic()


def _retry_after(value: str) -> float:
    """Return the seconds of a Retry-After header: a number, or an HTTP date."""
    if value.isascii() and value.isdigit() and len(value) < 7:
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return PAUSE_SECONDS
