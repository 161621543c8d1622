"""Clients for tests of outgoing requests: they reach a fake API on this machine over real HTTP."""

from collections.abc import Callable, Mapping

from hangtag import outbound
from hangtag.errors import TooManyError
from hangtag.limits import Limit, Token
from hangtag.providers.base import Response


class PlainClient:
    """Sends each request once, stores tokens, has no limits except a 429, and records calls of `hold`."""

    def __init__(self, seconds: float = 5.0) -> None:
        self.tokens: dict[str, str] = {}
        self.held: dict[str, float] = {}
        self._seconds = seconds

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: str = "",
        safe: bool | None = None,
    ) -> Response:
        response = outbound.send(
            method,
            url,
            headers=headers,
            body=body,
            seconds=self._seconds,
            plain=True,
            allowed=lambda address: address.is_loopback,
        )
        if response.status == 429:
            raise TooManyError("The PBX limits requests (HTTP 429).")
        return response

    def token(self, name: str, ask: Callable[[], Token]) -> str:
        if name not in self.tokens:
            self.tokens[name] = ask().value
        return self.tokens[name]

    def forget(self, name: str) -> None:
        self.tokens.pop(name, None)

    def hold(self, limit: str, seconds: float) -> None:
        self.held[limit] = seconds


class NoLimits:
    """A limiter without limits that records calls of `hold`."""

    def __init__(self) -> None:
        self.held: dict[str, float] = {}

    def take(self, name: str, limit: Limit) -> float:
        return 0.0

    def hold(self, name: str, seconds: float) -> None:
        self.held[name] = seconds


class NoTokens:
    """A token store in memory."""

    def __init__(self) -> None:
        self.stored: dict[str, tuple[str, float]] = {}

    def read(self, name: str) -> tuple[str, float] | None:
        return self.stored.get(name)

    def write(self, name: str, token: str, ends_at: float) -> None:
        self.stored[name] = (token, ends_at)

    def delete(self, name: str) -> None:
        self.stored.pop(name, None)
