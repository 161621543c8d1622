"""Client of Hangtag's API with the methods that the simulator needs."""

import json
import secrets
import threading
from collections.abc import Mapping
from typing import Any

from local.simulator.http import Backoff, Response, Sender


class ApiError(Exception):
    """The API rejected a request or did not respond; the message names the request and the reason."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """The API at a base URL, with one bearer token. Thread-safe."""

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
        """Return a client of this API with another token."""
        return Api(self.base, token, stop=self._stop)

    def get(self, path: str, **query: str) -> Any:
        """Return the JSON at a path. Raises ApiError."""
        return self._call("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Create a resource; retries carry one idempotency key. Raises ApiError."""
        headers = {"idempotency-key": secrets.token_hex(16)}
        return self._call("POST", path, json=body, headers=headers)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Replace a resource. Raises ApiError."""
        return self._call("PUT", path, json=body)

    def _call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **request: Any) -> Any:
        all_headers = {"authorization": f"Bearer {self._token}", **(headers or {})}
        response = self._sender.send(method, self.base + path, headers=all_headers, **request)
        if response.status is None or not 200 <= response.status < 300:
            raise ApiError(f"{method} {path}: {_reason(response)}", response.status)
        if not response.text:
            return None
        try:
            return json.loads(response.text)
        except ValueError:
            raise ApiError(f"{method} {path}: the response is not JSON", response.status) from None


def _reason(response: Response) -> str:
    if response.status is None:
        return f"no response ({response.error})"
    try:
        problem = json.loads(response.text)
        reason = problem.get("detail") or problem.get("title") or ""
    except (ValueError, AttributeError):
        reason = response.text[:200]
    return f"{response.status} {reason}".rstrip()
