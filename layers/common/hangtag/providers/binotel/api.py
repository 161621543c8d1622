"""REST API 4.0 of Binotel: JSON in both directions, key and secret in each body, errors with status 200."""

from collections.abc import Mapping
from typing import Any

from hangtag.errors import UnreachableError
from hangtag.providers.base import Account, Check, Click, KnownExtension, Media, PbxClient, PlacedCall
from hangtag.providers.binotel.calls import CALL_ID
from hangtag.providers.reading import words
from hangtag.providers.rest import Api, Refusal

__all__ = ["extensions", "originate", "ping", "recording", "request", "rows"]

# A rejected login has status 200 and a code, like any other error.
_API = Api("Binotel", "https://api.binotel.com", ("key", "secret"), ())


def originate(account: Account, click: Click, client: PbxClient) -> PlacedCall:
    """Place a call, which rings the employee's internal line first.

    The request is asynchronous: waiting for the employee to answer can take half a minute.
    """
    body: dict[str, Any] = {
        "internalNumber": click.extension,
        "externalNumber": _dialled_number(click.number),
        "async": True,
    }
    if click.line:
        body["pbxNumber"] = _dialled_number(click.line)
    response = request(account, client, "calls/internal-number-to-external-number", body, safe=False)
    call_id = response.get(CALL_ID)
    return PlacedCall(str(call_id) if isinstance(call_id, str | int) and call_id else None)


_UKRAINE = "+380"


def _dialled_number(number: str) -> str:
    """Return a number as Binotel dials it: ten digits from 0 within Ukraine, others without the plus sign."""
    return f"0{number.removeprefix(_UKRAINE)}" if number.startswith(_UKRAINE) else number.removeprefix("+")


def recording(account: Account, reference: str, client: PbxClient) -> Media:
    """Return a link to a call's recording, valid for fifteen minutes."""
    link = request(account, client, "stats/call-record", {CALL_ID: reference}).get("url")
    if not isinstance(link, str) or not link:
        raise UnreachableError("Binotel's response contains no link to the recording.")
    return Media(link)


def extensions(account: Account, client: PbxClient) -> tuple[KnownExtension, ...]:
    """Return the employees that have an internal number."""
    employees = []
    for row in rows(request(account, client, "settings/list-of-employees", {}).get("listOfEmployees")):
        endpoint = row.get("endpointData")
        number = endpoint.get("internalNumber") if isinstance(endpoint, dict) else row.get("internalNumber")
        if isinstance(number, str | int) and number:
            employees.append(KnownExtension(str(number)[:32], str(row.get("name") or "")[:200]))
    return tuple(employees)


def ping(account: Account, client: PbxClient) -> Check:
    """Check key and secret by listing the employees, which changes nothing."""
    count = len(extensions(account, client))
    return Check("pbx", True, f"Binotel responded. {count} employees have a number.")


def rows(value: Any) -> list[Mapping[str, Any]]:
    """Return the rows of a list. PHP writes one as an object by id, and an empty one as a list."""
    return _API.rows(list(value.values()) if isinstance(value, dict) else value)


_TOO_FREQUENT = "106"


def request(
    account: Account, client: PbxClient, method: str, body: Mapping[str, Any], *, safe: bool = True
) -> Mapping[str, Any]:
    """Call a method and return its response. Raises as `Api.json` does, and TooManyError."""
    key, secret = _API.login(account)
    credentials = {"key": key, "secret": secret}
    response = _API.send(
        account, client, "POST", f"/api/4.0/{method}.json", headers={}, content={**body, **credentials}, safe=safe
    )

    def refusal(error: Mapping[str, Any], status: int) -> Refusal:
        code = str(error.get("code", status))
        if code == _TOO_FREQUENT:
            raise _API.too_many(client)
        is_code = len(code) <= 4 and code.isascii() and code.isalnum()
        return Refusal(words(error.get("message"), secret), code if is_code else "")

    result = _API.json(response, refusal)
    if "status" not in result:
        raise _API.unreadable(response.status)
    if result["status"] != "success":
        raise _API.rejection(refusal(result, response.status), response.status)
    return result
