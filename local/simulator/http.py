"""HTTP as a decent PBX does it: what is refused for the moment is sent again, later and later."""

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
    """How often to try, and how long to wait between tries: doubling, with jitter, never above `longest_seconds`.

    A Retry-After in seconds is honoured up to the same limit.
    """

    attempts: int = 10
    first_seconds: float = 0.2
    longest_seconds: float = 5.0

    def wait(self, attempt: int, retry_after: str | None) -> float:
        """Seconds to wait after the attempt of that number, counted from 1."""
        if retry_after is not None and retry_after.isdigit():
            return min(float(retry_after), self.longest_seconds)
        longest = min(self.first_seconds * 2.0 ** (attempt - 1), self.longest_seconds)
        return longest * random.uniform(0.5, 1.0)


ONCE = Backoff(attempts=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request came to. `status` is None, and `error` says why, if no attempt was answered."""

    status: int | None
    text: str = ""
    error: str | None = None
    attempts: int = 1


class Sender:
    """Sends requests and keeps connections, one set a thread. `stop`, once set, ends all waiting."""

    def __init__(self, backoff: Backoff, stop: threading.Event | None = None) -> None:
        self._backoff = backoff
        self._stop = stop or threading.Event()
        self._mine = threading.local()

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
    ) -> Answer:
        """Send until it is answered with anything but 429 and 5xx, or the attempts are used up. Never raises.

        One of `form`, `body` and `json` at most.
        """
        session = self._session(url)
        attempt = 1
        while True:
            answer, retry_after = _try(
                session,
                attempt,
                method,
                url,
                headers=headers,
                data=body if form is None else form,
                json=json,
                params=query,
            )
            passing = answer.status is None or answer.status == 429 or answer.status >= 500
            if not passing or attempt >= self._backoff.attempts:
                return answer
            if self._stop.wait(self._backoff.wait(attempt, retry_after)):
                return answer
            attempt += 1

    def _session(self, url: str) -> requests.Session:
        session: requests.Session | None = getattr(self._mine, "session", None)
        if session is None:
            session = requests.Session()
            # A proxy from the environment is not for loopback.
            session.trust_env = urlsplit(url).hostname not in _LOOPBACK
            self._mine.session = session
        return session


def _try(session: requests.Session, attempt: int, method: str, url: str, **request: Any) -> tuple[Answer, str | None]:
    try:
        response = session.request(method, url, timeout=TIMEOUT_SECONDS, allow_redirects=False, **request)
    except requests.RequestException as error:
        # The error's text may hold the URL, and the URL is a secret.
        return Answer(status=None, error=type(error).__name__, attempts=attempt), None
    answer = Answer(status=response.status_code, text=response.text, attempts=attempt)
    return answer, response.headers.get("retry-after")
