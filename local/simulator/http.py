"""HTTP client of a simulated PBX: retries temporary failures with exponential backoff."""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

TIMEOUT_SECONDS = 15.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Retry policy: the number of attempts, and waits that double, with jitter, up to `longest_seconds`.

    A Retry-After header in seconds is honoured up to the same limit.
    """

    attempts: int = 10
    first_seconds: float = 0.2
    longest_seconds: float = 5.0

    def wait(self, attempt: int, retry_after: str | None) -> float:
        """Return the seconds to wait after the attempt of this number, counted from 1."""
        if retry_after is not None and retry_after.isdigit():
            return min(float(retry_after), self.longest_seconds)
        longest = min(self.first_seconds * 2.0 ** (attempt - 1), self.longest_seconds)
        return longest * random.uniform(0.5, 1.0)


ONCE = Backoff(attempts=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The last response to a request. If no attempt got one, `status` is None and `error` names the exception."""

    status: int | None
    text: str = ""
    error: str | None = None
    attempts: int = 1


class Sender:
    """HTTP client that reuses connections, with one session per thread. Setting `stop` ends all waiting."""

    def __init__(self, backoff: Backoff, stop: threading.Event | None = None) -> None:
        self._backoff = backoff
        self._stop = stop or threading.Event()
        self._local = threading.local()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        json: Any = None,
        query: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request, and retry it after 429, 5xx or no response until the attempts are used up. Never raises.

        At most one of `form`, `body` and `json` can be set.
        """
        session = self._session(url)
        attempt = 1
        while True:
            response, retry_after = _try(
                session,
                attempt,
                method,
                url,
                headers=headers,
                data=body if form is None else form,
                json=json,
                params=query,
            )
            temporary = response.status is None or response.status == 429 or response.status >= 500
            if not temporary or attempt >= self._backoff.attempts:
                return response
            if self._stop.wait(self._backoff.wait(attempt, retry_after)):
                return response
            attempt += 1

    def _session(self, url: str) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            # A proxy set in the environment must not get requests to loopback.
            session.trust_env = urlsplit(url).hostname not in _LOOPBACK
            self._local.session = session
        return session


def _try(session: requests.Session, attempt: int, method: str, url: str, **request: Any) -> tuple[Response, str | None]:
    try:
        reply = session.request(method, url, timeout=TIMEOUT_SECONDS, allow_redirects=False, **request)
    except requests.RequestException as error:
        # The exception's text can contain the URL, which is a secret.
        return Response(status=None, error=type(error).__name__, attempts=attempt), None
    response = Response(status=reply.status_code, text=reply.text, attempts=attempt)
    return response, reply.headers.get("retry-after")
