"""Binotel's REST API 4.0: POST, JSON with key and secret, and errors that have status 200."""

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from local.simulator.past import Sent
from local.simulator.rest.base import Asked, Reply

_PREFIX = "/api/4.0/"


class Api:
    """One company. `rows` are its calls by id, `employees` its people, `placed` the calls that were asked for."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._typed = dict(credentials)
        self.rows: dict[str, dict[str, Any]] = {}
        self.employees: dict[str, dict[str, Any]] = {
            "1": {"employeeID": "1", "name": "Anna Petrova", "endpointData": {"internalNumber": "101"}},
            "2": {"employeeID": "2", "name": "Boris Orlov", "endpointData": {"internalNumber": "102"}},
            "3": {"employeeID": "3", "name": "No phone"},
        }
        self.placed: list[Mapping[str, Any]] = []

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """The account's credentials."""
        return dict(self._typed)

    def settings(self, url: str) -> Mapping[str, Any]:
        """The integration's settings."""
        return {"api_url": url}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:  # noqa: ARG002 - the events say it
        """Have its history know the calls of a story that began then."""
        for one in sent:
            if (one.message.body or one.message.post).get("requestType") == "apiCallCompleted":
                row = _details(one)
                self.rows[row["generalCallID"]] = row

    def clicked(self, asked: Asked, reply: Reply) -> str | None:
        """See `TakesClicks`."""
        is_click = asked.path.endswith("internal-number-to-external-number.json") and reply.body["status"] == "success"
        return str(reply.body["generalCallID"]) if is_click else None

    def answer(self, asked: Asked) -> Reply:
        """One method."""
        if asked.method != "POST" or not asked.path.startswith(_PREFIX):
            return Reply(404, "Not found")
        said = asked.json
        for name in ("key", "secret"):
            if not hmac.compare_digest(str(said.get(name, "")).encode(), self._typed[name].encode()):
                return _error("121", "Wrong key or secret")
        methods = {
            "calls/internal-number-to-external-number.json": self._call,
            "stats/call-record.json": self._record,
            "stats/list-of-calls-for-period.json": self._list,
            "settings/list-of-employees.json": self._employees,
        }
        method = methods.get(asked.path.removeprefix(_PREFIX))
        return method(said) if method is not None else _error("103", "No such method")

    def _call(self, said: Mapping[str, Any]) -> Reply:
        number = str(said.get("externalNumber", ""))
        if not isinstance(said.get("async", False), bool) or not str(said.get("pbxNumber", "0")).isdigit():
            return _error("150", "Wrong parameters")
        if not str(said.get("internalNumber", "")).isdigit() or not number.isdigit() or number.startswith("380"):
            return _error("150", f"Wrong parameters: {number}")
        self.placed.append(said)
        return _success({"generalCallID": 1700000000 + len(self.placed)})

    def _record(self, said: Mapping[str, Any]) -> Reply:
        if not said.get("generalCallID"):
            return _error("150", "Wrong parameters")
        return _success({"url": f"https://my.binotel.ua/records/{said['generalCallID']}.mp3?signature=x"})

    def _list(self, said: Mapping[str, Any]) -> Reply:
        begin, end = said.get("startTime"), said.get("stopTime")
        if not isinstance(begin, int) or not isinstance(end, int) or not begin <= end <= begin + 86400:
            return _error("150", "Wrong parameters")
        found = {id_: row for id_, row in self.rows.items() if begin <= int(row["startTime"]) < end}
        # PHP: an object without members is a list.
        return _success({"callDetails": found or []})

    def _employees(self, _: Mapping[str, Any]) -> Reply:
        return _success({"listOfEmployees": self.employees})


def _details(sent: Sent) -> dict[str, Any]:
    if sent.message.body is not None:
        return dict(sent.message.body["callDetails"])
    found: dict[str, Any] = {}
    for name, value in sent.message.post.items():
        *outer, last = name.removeprefix("callDetails[").removesuffix("]").split("][")
        into = found
        for part in outer:
            into = into.setdefault(part, {})
        into[last] = value
    return found


def _success(more: Mapping[str, Any]) -> Reply:
    return Reply(200, {"status": "success", **more})


def _error(code: str, message: str) -> Reply:
    return Reply(200, {"status": "error", "code": code, "message": message})
