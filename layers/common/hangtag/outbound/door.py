"""The door to one integration's PBX: its hosts, its limits, its tokens, and a second try where that is safe.

What functions share (how often the PBX was asked, its access tokens) is kept by a `Limiter` and a `TokenStore`, which
`hangtag.store` has; this module knows neither AWS nor the table.
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

# A whole invocation has 30 seconds where somebody waits for it.
DEFAULT_SECONDS = 20.0
REQUEST_SECONDS = 8.0
# Between two tries: doubling from the first, with jitter.
_FIRST_PAUSE = 0.2
_MOST_TRIES = 3
_PASSING = (502, 503, 504)
# Of a PBX that names no limit of its own.
DEFAULT_LIMIT = Limit(120, 60)
_LONGEST_PENALTY = 3600.0
# A token is not used in its last minute.
TOKEN_MARGIN_SECONDS = 60.0


class Limiter(Protocol):
    """How often something was done, by whatever function."""

    def take(self, name: str, limit: Limit) -> float:
        """Take one of the places, and return 0; or return for how many seconds there is none."""
        ...

    def hold(self, name: str, seconds: float) -> None:
        """Let nobody take a place for so long."""
        ...


class TokenStore(Protocol):
    """Access tokens, kept encrypted."""

    def read(self, name: str) -> tuple[str, float] | None:
        """The token and when it ends (epoch seconds); None if there is none."""
        ...

    def write(self, name: str, token: str, ends_at: float) -> None:
        """Keep a token."""
        ...

    def delete(self, name: str) -> None:
        """Forget a token."""
        ...


def check_host(url: str, hosts: Sequence[str]) -> None:
    """Whether an address is of one of these domains; any is, if there are none. Raises BadInputError.

    So credentials go to the PBX's own hosts only.
    """
    host = host_of(url)
    if not hosts or any(host == known or host.endswith("." + known) for known in hosts):
        return
    if on_loopback() and host in ("127.0.0.1", "localhost", "::1"):
        return
    raise BadInputError("the address is not one of this PBX's")


@dataclass(slots=True, kw_only=True)
class RateLimitedClient:
    """The way to one integration's PBX, as `hangtag.providers.base.Door` says.

    All that goes through it has `seconds` together, waiting for a limit included; `deadline` may be given instead, as
    `time.monotonic()` counts.
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
        """One request; see `hangtag.providers.base.Door`."""
        check_host(url, self.hosts)
        tries = _MOST_TRIES if (method == "GET" if safe is None else safe) else 1
        for number in range(1, tries + 1):
            try:
                answer = self._try(method, url, headers, body, limit)
            except UnreachableError:
                if number == tries or not self._pause(number):
                    raise
                continue
            if answer.status == 429:
                self._slow_down(limit, answer)
            if answer.status not in _PASSING or number == tries or not self._pause(number):
                return answer
        raise AssertionError("the last try returns or raises")

    def token(self, name: str, ask: Callable[[], Token]) -> str:
        """The PBX's access token; see `hangtag.providers.base.Door`."""
        kept = self.tokens.read(name)
        if kept is not None and kept[1] - TOKEN_MARGIN_SECONDS > time.time():
            return kept[0]
        fresh = ask()
        self.tokens.write(name, fresh.value, time.time() + fresh.seconds)
        return fresh.value

    def forget(self, name: str) -> None:
        """A token that the PBX refuses is not used again."""
        self.tokens.delete(name)

    def hold(self, limit: str, seconds: float) -> None:
        """Nobody asks under that limit for so long; see `hangtag.providers.base.Door`."""
        self.limiter.hold(limit if limit in self.limits else "", min(seconds, _LONGEST_PENALTY))

    def _try(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: bytes | None, limit: str
    ) -> HttpResponse:
        while (wait := self._wait_for(limit)) > 0:
            if wait > self._left():
                raise TooManyError(f"the PBX's limit is reached; try again in {round(wait) or 1} seconds")
            time.sleep(wait)
        left = self._left()
        if left <= 0:
            raise UnreachableError("there was no time left to ask the PBX")
        seconds = min(REQUEST_SECONDS, left)
        return send(method, url, headers=headers, body=body, seconds=seconds, max_bytes=self.max_bytes)

    def _wait_for(self, limit: str) -> float:
        """Take a place under the general limit and the named one; how long to wait if there is none."""
        wanted = {"": self.limits.get("", DEFAULT_LIMIT)}
        wanted |= {limit: self.limits[limit]} if limit in self.limits else {}
        return max(self.limiter.take(name, one) for name, one in wanted.items())

    def _slow_down(self, limit: str, answer: HttpResponse) -> None:
        """The PBX said 429: nobody asks it for as long as it says. Raises TooManyError."""
        seconds = min(_retry_after(answer.headers.get("retry-after", "")), _LONGEST_PENALTY)
        self.hold(limit, seconds)
        raise TooManyError(f"the PBX asks to slow down; try again in {round(seconds) or 1} seconds")

    def _pause(self, number: int) -> bool:
        """Wait before the next try; false if there is no time for it."""
        pause = _FIRST_PAUSE * 2.0 ** (number - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
        if pause >= self._left():
            return False
        time.sleep(pause)
        return True

    def _left(self) -> float:
        return self.deadline - time.monotonic()


def _retry_after(said: str) -> float:
    """Seconds, from a number of them or from an HTTP date."""
    if said.isascii() and said.isdigit() and len(said) < 7:
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return PAUSE_SECONDS
