"""Requests, clicks and call logs of the voice APIs of `hangtag.providers.call_control`. Not imported by the webhook."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from hangtag.domain.calls.event import CallEvent
from hangtag.errors import BadInputError, UnreachableError
from hangtag.providers.base import Account, Click, Media, PayloadError, PbxClient, PlacedCall
from hangtag.providers.call_control import Leg, caller_id, digits, is_extension, recorded_event
from hangtag.providers.reading import moment, need, text
from hangtag.providers.rest import Api, Refusal, basic

Row = Mapping[str, Any]
T = TypeVar("T")


def _basic_login(api: Api, account: Account) -> str:
    return basic(*(account.credentials.get(name, "") for name in api.logins))


class VoiceApi(NamedTuple):
    """The REST API of a vendor.

    `refusal` reads the JSON of an error and its status; a refusal with the code `too_many` means the rate limit.
    `authorize` returns the Authorization header, usually HTTP Basic. `safe` is that of `PbxClient.send`.
    """

    api: Api
    refusal: Callable[[Row, int], Refusal]
    authorize: Callable[[Api, Account], str] = _basic_login
    too_many: str | None = None
    safe: bool | None = None

    def headers(self, account: Account) -> dict[str, str]:
        """Return the headers that authenticate a request."""
        return {"authorization": self.authorize(self.api, account)}

    def send(
        self,
        account: Account,
        client: PbxClient,
        method: str,
        path: str,
        content: Row | None = None,
        *,
        form: list[tuple[str, str]] | None = None,
        limit: str = "",
    ) -> Row:
        """Send one request, with `content` as JSON or with a form, and return its JSON. Raises as `Api.json`."""

        def refusal(error: Row, status: int) -> Refusal:
            result = self.refusal(error, status)
            if result.code == self.too_many:
                raise self.api.too_many(client)
            return result

        options: dict[str, Any] = {"content": content, "form": form, "limit": limit, "safe": self.safe}
        response = self.api.send(account, client, method, path, headers=self.headers(account), **options)
        return self.api.json(response, refusal)

    def stored_media(self, account: Account, reference: str, pattern: re.Pattern[str], suffix: str = "") -> Media:
        """Return a recording of the vendor, with the headers of a request.

        The pattern matches the host and the path. Raises BadInputError if the recording is stored elsewhere.
        """
        match = pattern.fullmatch(reference)
        if match is None:
            raise BadInputError(f"The recording is not stored at {self.api.name}.")
        url = self.api._replace(base=f"https://{match[1]}").url(account, match[2] + suffix)
        return Media(url, self.headers(account))


# ------------------------------------------------------------------ clicks


def click_parts(account: Account, click: Click, name: str, read: Callable[[str], str] = digits) -> tuple[str, str, str]:
    """Return the digits of the number to call and of the own number to show, and the extension, a SIP user.

    `read` reads the digits of a number. Raises BadInputError.
    """
    number = read(click.number)
    line = read(click.line or "") or caller_id(account.settings)
    if not number:
        raise BadInputError("The number to call is invalid. Enter a plus and digits only.")
    if not line:
        raise BadInputError(f"caller_id is not entered. Enter a number of the {name} account that contacts see.")
    if not is_extension(click.extension):
        raise BadInputError("The extension is invalid. Use letters, digits and the characters . * - _ only.")
    return number, line, click.extension


def webhook_url(account: Account, name: str) -> str:
    """Return the webhook's address, which the vendor calls back. Raises BadInputError if it is unknown."""
    if not account.webhook_url:
        raise BadInputError(f"The webhook's address is unknown. Rotate it, so that {name} can call it back.")
    return account.webhook_url


def placed_call(response: Row, field: str, name: str) -> PlacedCall:
    """Return the call of a response. Raises UnreachableError if the field of its id is missing."""
    call_id = response.get(field)
    if not isinstance(call_id, str) or not call_id:
        raise UnreachableError(f"The response of {name} does not contain the id of the call.")
    return PlacedCall(call_id)


# ------------------------------------------------------------------ call logs


def timestamp(at: datetime, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
    """Return a time in UTC as the list filters expect it."""
    return at.astimezone(UTC).strftime(form)


def readable(rows: Iterable[Row], read: Callable[[Row], T | None]) -> Iterator[T]:
    """Yield `read(row)` of each row; skip rows for which it returns None or raises PayloadError."""
    for row in rows:
        try:
            result = read(row)
        except PayloadError:
            continue
        if result is not None:
            yield result


def call_legs(legs: Iterable[Leg], since: datetime, until: datetime) -> list[tuple[Leg, list[Leg]]]:
    """Return the calls that began in the period [since, until), each as its own leg and the legs that it dialled."""
    parents: dict[str, Leg] = {}
    children: dict[str, list[Leg]] = defaultdict(list)
    for leg in legs:
        if leg.parent:
            children[leg.parent].append(leg)
        elif leg.begun is not None and since <= leg.begun < until:
            parents[leg.id] = leg
    return [(parent, children[call_id]) for call_id, parent in parents.items()]


def recording_events(
    rows: Iterable[Row], calls: Collection[str], *, call_id: str, created: str, reference: Callable[[Row], str]
) -> Iterator[CallEvent]:
    """Yield the events of the completed recordings of these calls; without calls, no row is requested.

    `call_id` and `created` name the columns of the call and of the time; `reference` reads the recording's address or
    id. Rows that are incomplete are skipped.
    """

    def read(row: Row) -> CallEvent | None:
        at = moment(text(row, created))
        if at is None or text(row, "status") not in ("", "completed"):
            return None
        return recorded_event(need(row, call_id), at, False, reference(row))

    return (event for event in readable(rows if calls else (), read) if event.call_id in calls)
