"""How a PBX's REST API is asked, and how its answers are read: alike for all, so that admins read the same of each.

A module has an `Api`; its own are how a request proves who asks, and what the PBX's refusals mean. Standard library
only: it lies on the webhook's path.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from hangtag.errors import BadInputError, TooManyError, UnreachableError
from hangtag.limits import PAUSE_SECONDS
from hangtag.providers.base import Account, PbxClient, Response
from hangtag.providers.reading import json_of, words

__all__ = ["Api", "Refusal", "basic", "in_its_words"]


class Refusal(NamedTuple):
    """Why a PBX refused: in words for the admin that hold nothing of the request, and by its own code, if any."""

    told: str = ""
    code: str = ""


class Api(NamedTuple):
    """A PBX's REST API. `name` is the PBX's, `base` its usual address, which the setting `api_url` outweighs.

    `logins` are the credentials that it is asked with, `login_statuses` what it answers if it does not take them.
    """

    name: str
    base: str
    logins: tuple[str, ...]
    login_statuses: tuple[int, ...] = (401,)

    def login(self, account: Account) -> tuple[str, ...]:
        """The values of `logins`. Raises BadInputError if one is not entered."""
        values = tuple(account.credentials.get(name, "") for name in self.logins)
        if not all(values):
            verb = "are" if len(values) > 1 else "is"
            raise BadInputError(f"{self._logins} {verb} needed to ask {self.name}")
        return values

    def url(self, account: Account, path: str) -> str:
        """The address of a path, which begins with a slash."""
        return str(account.settings.get("api_url") or self.base).rstrip("/") + path

    def send(
        self,
        account: Account,
        door: PbxClient,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        asked: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | list[tuple[str, str]] | None = None,
        limit: str = "",
        safe: bool | None = None,
    ) -> Response:
        """One request, with `asked` as JSON or with a form; its answer, whatever it is. Raises as `Door.send` does."""
        body = None
        sent = {"accept": "application/json", **headers}
        if asked is not None:
            body, sent["content-type"] = json.dumps(asked).encode(), "application/json"
        elif form is not None:
            body, sent["content-type"] = urlencode(form).encode(), "application/x-www-form-urlencoded"
        return door.send(method, self.url(account, path), headers=sent, body=body, limit=limit, safe=safe)

    def success(self, answer: Response, why: Callable[[Mapping[str, Any], int], Refusal]) -> Response:
        """The answer, if it is a success; `why` reads a refusal from its JSON object ({} if it is none) and status.

        Raises BadInputError in words for the admin, UnreachableError if the PBX fails itself, or another answers.
        """
        status = answer.status
        if status in self.login_statuses:
            raise BadInputError(f"{self.name} does not take {self._logins} ({status})")
        if status >= 500:
            raise UnreachableError(f"{self.name} answers that it fails itself ({status})")
        is_refusal = status >= 400 and not answer.body.lstrip().startswith(b"<")
        if is_refusal:
            said = json_of(answer.body)
            raise self.refused(why(said if isinstance(said, dict) else {}, status), status)
        if not 200 <= status < 300:
            # A page is not the API's: another server stands in between, or the address is another's.
            raise self.unreadable(status)
        return answer

    def said(self, answer: Response, why: Callable[[Mapping[str, Any], int], Refusal]) -> Mapping[str, Any]:
        """The JSON object of a success, {} of one without content. Raises as `success` does."""
        return {} if self.success(answer, why).status == 204 else self.read(answer)

    def read(self, answer: Response) -> Mapping[str, Any]:
        """The JSON object of an answer, whatever its status. Raises UnreachableError if it is none."""
        said = json_of(answer.body)
        if not isinstance(said, dict):
            raise self.unreadable(answer.status)
        return said

    def refused(self, refusal: Refusal, status: int) -> BadInputError:
        """The error of a refusal, to be raised."""
        known = f"{self.name} refused it ({refusal.code or status})"
        return BadInputError(f"{known}: {refusal.told}" if refusal.told else known)

    def too_many(self, door: PbxClient) -> TooManyError:
        """The error of a PBX that asks to slow down by a code of its own, to be raised: nobody asks it for a while.

        What says it with the status 429 is seen to by the door.
        """
        door.hold("", PAUSE_SECONDS)
        return TooManyError(f"{self.name} asks to slow down; try again in {PAUSE_SECONDS} seconds")

    def rows(self, said: object) -> list[Mapping[str, Any]]:
        """The objects of a list, whatever else is in it. Raises UnreachableError if it is none."""
        if not isinstance(said, list):
            raise UnreachableError(f"{self.name}'s answer holds no list")
        return [row for row in said if isinstance(row, dict)]

    def too_long(self, pages: int) -> UnreachableError:
        """The error of a list that has no end, to be raised."""
        return UnreachableError(f"{self.name}'s list has more than {pages} pages: ask for a shorter time")

    def unreadable(self, status: int) -> UnreachableError:
        """The error of an answer that is none of the API's, to be raised."""
        return UnreachableError(f"{self.name} answered {status}, and nothing that can be read")

    @property
    def _logins(self) -> str:
        *first, last = self.logins
        return f"{', '.join(first)} and {last}" if first else last


def in_its_words(said: Mapping[str, Any], status: int) -> Refusal:  # noqa: ARG001 - as `success` asks for it
    """What a PBX says itself, in `error` or in `message`: on one line, and without digits."""
    told = said.get("error") or said.get("message")
    return Refusal(words(told.get("message") if isinstance(told, dict) else told))


def basic(user: str, password: str) -> str:
    """The header Authorization of HTTP Basic."""
    # Few PBXs want it.
    import base64

    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
