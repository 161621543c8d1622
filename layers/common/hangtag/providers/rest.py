"""Requests to a PBX's REST API, with equal error messages for every PBX. Not imported by the webhook.

A provider's `api` module has one `Api`; its own code is how a request is authenticated and what an error body means.
"""

from collections.abc import Callable, Mapping
from json import dumps
from typing import Any, NamedTuple
from urllib.parse import urlencode

from hangtag.errors import BadInputError, TooManyError, UnreachableError
from hangtag.limits import PAUSE_SECONDS
from hangtag.providers.base import Account, PbxClient, Response
from hangtag.providers.reading import json_of, words

__all__ = ["Api", "Refusal", "basic", "error_of"]


class Refusal(NamedTuple):
    """The error that a PBX returned: a message for the admin, without data of the request, and the PBX's own code."""

    message: str = ""
    code: str = ""


class Api(NamedTuple):
    """A PBX's REST API. `name` is the PBX's, `base` its usual address; the setting `api_url` overrides it.

    `logins` names the credentials of a request, `login_statuses` the statuses that mean they are wrong.
    """

    name: str
    base: str
    logins: tuple[str, ...]
    login_statuses: tuple[int, ...] = (401,)

    def login(self, account: Account) -> tuple[str, ...]:
        """Return the values of `logins`. Raises BadInputError if one is empty."""
        values = tuple(account.credentials.get(name, "") for name in self.logins)
        if not all(values):
            raise BadInputError(f"Enter {self._logins} to use the API of {self.name}.")
        return values

    def url(self, account: Account, path: str) -> str:
        """Return the URL of a path, which begins with a slash."""
        return str(account.settings.get("api_url") or self.base).rstrip("/") + path

    def send(
        self,
        account: Account,
        client: PbxClient,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        content: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | list[tuple[str, str]] | None = None,
        limit: str = "",
        safe: bool | None = None,
    ) -> Response:
        """Send one request, with `content` as JSON or with a form; return any response. Raises as `PbxClient.send`."""
        body = None
        fields = {"accept": "application/json", **headers}
        if content is not None:
            body, fields["content-type"] = dumps(content).encode(), "application/json"
        elif form is not None:
            body, fields["content-type"] = urlencode(form).encode(), "application/x-www-form-urlencoded"
        return client.send(method, self.url(account, path), headers=fields, body=body, limit=limit, safe=safe)

    def raise_for_status(self, response: Response, error: Callable[[Mapping[str, Any], int], Refusal]) -> Response:
        """Return a successful response. `error` reads the JSON object of a 4xx ({} without one) and its status.

        Raises BadInputError with a message for the admin; UnreachableError for a 5xx or the response of another server.
        """
        status = response.status
        if status in self.login_statuses:
            raise BadInputError(f"{self.name} rejected {self._logins} (HTTP {status}).")
        if status >= 500:
            raise UnreachableError(f"{self.name} returned a server error (HTTP {status}).")
        is_page = response.body.lstrip().startswith(b"<")
        if status >= 400 and not is_page:
            content = json_of(response.body)
            raise self.rejection(error(content if isinstance(content, dict) else {}, status), status)
        if not 200 <= status < 300:
            # A page or a redirect comes from a proxy, or the address is not the API's.
            raise self.unreadable(status)
        return response

    def json(self, response: Response, error: Callable[[Mapping[str, Any], int], Refusal]) -> Mapping[str, Any]:
        """Return the JSON object of a successful response, {} for a 204. Raises as `raise_for_status`."""
        return {} if self.raise_for_status(response, error).status == 204 else self.read(response)

    def read(self, response: Response) -> Mapping[str, Any]:
        """Return the JSON object of a response with any status. Raises UnreachableError for other content."""
        content = json_of(response.body)
        if not isinstance(content, dict):
            raise self.unreadable(response.status)
        return content

    def rejection(self, refusal: Refusal, status: int) -> BadInputError:
        """Return the exception for an error that the PBX returned."""
        title = f"{self.name} rejected the request ({refusal.code or f'HTTP {status}'})"
        return BadInputError(f"{title}: {refusal.message}" if refusal.message else f"{title}.")

    def too_many(self, client: PbxClient) -> TooManyError:
        """Block requests for a while, and return the exception for a rate limit signalled without the status 429.

        `PbxClient` handles a 429 itself.
        """
        client.hold("", PAUSE_SECONDS)
        return TooManyError(f"The rate limit of {self.name} is reached. Try again in {PAUSE_SECONDS} seconds.")

    def rows(self, value: object) -> list[Mapping[str, Any]]:
        """Return the objects of a list and drop other values. Raises UnreachableError if `value` is not a list."""
        if not isinstance(value, list):
            raise UnreachableError(f"The response of {self.name} does not contain the expected list.")
        return [row for row in value if isinstance(row, dict)]

    def too_long(self, pages: int) -> UnreachableError:
        """Return the exception for a list that does not end."""
        return UnreachableError(f"The list of {self.name} has more than {pages} pages. Choose a shorter period.")

    def unreadable(self, status: int) -> UnreachableError:
        """Return the exception for a response that is not the API's."""
        return UnreachableError(f"{self.name} returned an unreadable response (HTTP {status}).")

    @property
    def _logins(self) -> str:
        *first, last = self.logins
        return f"{', '.join(first)} and {last}" if first else last


def error_of(content: Mapping[str, Any], status: int) -> Refusal:  # noqa: ARG001 - the signature of `error`
    """Return the PBX's own message, in `error` or `message`: on one line and without digits."""
    message = content.get("error") or content.get("message")
    return Refusal(words(message.get("message") if isinstance(message, dict) else message))


def basic(user: str, password: str) -> str:
    """Return the Authorization header of HTTP Basic."""
    # Few PBXs need it.
    import base64

    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
