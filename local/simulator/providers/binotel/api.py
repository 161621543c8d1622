"""Binotel's REST API 4.0: POST, JSON with key and secret, errors with status 200."""

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from local.simulator.past import Sent
from local.simulator.rest.base import Request, Response

_PREFIX = "/api/4.0/"


class Api:
    """One company. `rows` are its calls by id, `employees` its employees, `placed` the requested calls."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._credentials = dict(credentials)
        self.rows: dict[str, dict[str, Any]] = {}
        self.employees: dict[str, dict[str, Any]] = {
            "1": {"employeeID": "1", "name": "Anna Petrova", "endpointData": {"internalNumber": "101"}},
            "2": {"employeeID": "2", "name": "Boris Orlov", "endpointData": {"internalNumber": "102"}},
            "3": {"employeeID": "3", "name": "No phone"},
        }
        self.placed: list[Mapping[str, Any]] = []

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """Return the account's credentials."""
        return dict(self._credentials)

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the integration's settings."""
        return {"api_url": url}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:  # noqa: ARG002 - the events contain it
        """Add the calls of a story to the history."""
        for item in sent:
            if (item.message.body or item.message.post).get("requestType") == "apiCallCompleted":
                row = _details(item)
                self.rows[row["generalCallID"]] = row

    def placed_call_id(self, request: Request, response: Response) -> str | None:
        """See `ClickToCallRest`."""
        is_click = (
            request.path.endswith("internal-number-to-external-number.json") and response.body["status"] == "success"
        )
        return str(response.body["generalCallID"]) if is_click else None

    def respond(self, request: Request) -> Response:
        """Respond to one method."""
        if request.method != "POST" or not request.path.startswith(_PREFIX):
            return Response(404, "Not found")
        parameters = request.json
        for name in ("key", "secret"):
            if not hmac.compare_digest(str(parameters.get(name, "")).encode(), self._credentials[name].encode()):
                return _error("121", "Wrong key or secret")
        methods = {
            "calls/internal-number-to-external-number.json": self._call,
            "stats/call-record.json": self._record,
            "stats/list-of-calls-for-period.json": self._list,
            "settings/list-of-employees.json": self._employees,
        }
        method = methods.get(request.path.removeprefix(_PREFIX))
        return method(parameters) if method is not None else _error("103", "No such method")

    def _call(self, parameters: Mapping[str, Any]) -> Response:
        number = str(parameters.get("externalNumber", ""))
        if not isinstance(parameters.get("async", False), bool) or not str(parameters.get("pbxNumber", "0")).isdigit():
            return _error("150", "Wrong parameters")
        if not str(parameters.get("internalNumber", "")).isdigit() or not number.isdigit() or number.startswith("380"):
            return _error("150", f"Wrong parameters: {number}")
        self.placed.append(parameters)
        return _success({"generalCallID": 1700000000 + len(self.placed)})

    def _record(self, parameters: Mapping[str, Any]) -> Response:
        if not parameters.get("generalCallID"):
            return _error("150", "Wrong parameters")
        return _success({"url": f"https://my.binotel.ua/records/{parameters['generalCallID']}.mp3?signature=x"})

    def _list(self, parameters: Mapping[str, Any]) -> Response:
        begin, end = parameters.get("startTime"), parameters.get("stopTime")
        if not isinstance(begin, int) or not isinstance(end, int) or not begin <= end <= begin + 86400:
            return _error("150", "Wrong parameters")
        rows = {id_: row for id_, row in self.rows.items() if begin <= int(row["startTime"]) < end}
        # PHP writes an empty object as a list.
        return _success({"callDetails": rows or []})

    def _employees(self, _: Mapping[str, Any]) -> Response:
        return _success({"listOfEmployees": self.employees})


def _details(sent: Sent) -> dict[str, Any]:
    if sent.message.body is not None:
        return dict(sent.message.body["callDetails"])
    details: dict[str, Any] = {}
    for name, value in sent.message.post.items():
        *outer, last = name.removeprefix("callDetails[").removesuffix("]").split("][")
        branch = details
        for part in outer:
            branch = branch.setdefault(part, {})
        branch[last] = value
    return details


def _success(more: Mapping[str, Any]) -> Response:
    return Response(200, {"status": "success", **more})


def _error(code: str, message: str) -> Response:
    return Response(200, {"status": "error", "code": code, "message": message})
