"""A client of Hangtag's own API, as much as setting up and judging need."""

import json
import secrets
import threading
from collections.abc import Mapping
from typing import Any

from local.simulator.http import Answer, Backoff, Sender


class ApiError(Exception):
    """The API refused a request, or did not answer: the message says which request and what it said."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """The API at a base URL, with one bearer token; may be used by many threads."""

    def __init__(
        self,
        base: str,
        token: str,
        *,
        backoff: Backoff | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self.base = base.rstrip("/")
        self._token = token
        self._stop = stop
        self._sender = Sender(backoff or Backoff(), stop)

    def as_token(self, token: str) -> "Api":
        """The same API with another token."""
        return Api(self.base, token, stop=self._stop)

    def get(self, path: str, **query: str) -> Any:
        """The JSON at a path. Raises ApiError."""
        return self._call("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Make something. Sent again, it carries the same idempotency key. Raises ApiError."""
        headers = {"idempotency-key": secrets.token_hex(16)}
        return self._call("POST", path, json=body, headers=headers)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Replace something. Raises ApiError."""
        return self._call("PUT", path, json=body)

    def _call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **request: Any) -> Any:
        sent = {"authorization": f"Bearer {self._token}", **(headers or {})}
        answer = self._sender.send(method, self.base + path, headers=sent, **request)
        if answer.status is None or not 200 <= answer.status < 300:
            raise ApiError(f"{method} {path}: {_reason(answer)}", answer.status)
        if not answer.text:
            return None
        try:
            return json.loads(answer.text)
        except ValueError:
            raise ApiError(f"{method} {path}: the answer is no JSON", answer.status) from None


def _reason(answer: Answer) -> str:
    if answer.status is None:
        return f"no answer ({answer.error})"
    try:
        problem = json.loads(answer.text)
        said = problem.get("detail") or problem.get("title") or ""
    except (ValueError, AttributeError):
        said = answer.text[:200]
    return f"{answer.status} {said}".rstrip()
