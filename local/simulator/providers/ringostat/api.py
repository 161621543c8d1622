"""Ringostat's REST API: simple callback, call log, SIP accounts that are online."""

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from local.simulator.past import Sent
from local.simulator.rest.base import Request, Response

_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_FORMAT = "%Y-%m-%d %H:%M:%S"
ZONE = "Europe/Kyiv"


class Api:
    """One project. `rows` is its call log, `online` its SIP accounts, `max_rows` the rows per response."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._key = credentials["auth_key"]
        self.rows: list[dict[str, Any]] = []
        self.online = ["101", "102"]
        self.max_rows = 6500

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """Return the account's credentials."""
        return {"auth_key": self._key}

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the integration's settings."""
        return {"api_url": url, "time_zone": ZONE}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:
        """Add the calls of a story, which began at `started`, to the call log."""
        for item in sent:
            fields = {**item.message.query, **item.message.post}
            event = fields.pop("event")
            if event not in ("after_call", "after_outgoing"):
                continue
            row = {"call_type": "out" if event == "after_outgoing" else "in", **fields}
            row["calldate"] = started.astimezone(ZoneInfo(ZONE)).strftime(_FORMAT)
            self.rows.append(row)

    def placed_call_id(self, request: Request, response: Response) -> str | None:  # noqa: ARG002 - the response names no call
        """See `ClickToCallRest`."""
        return "" if request.path == "/callback/outward_call" else None

    def respond(self, request: Request) -> Response:
        """Respond to one request."""
        if not hmac.compare_digest(request.headers.get("auth-key", "").encode(), self._key.encode()):
            return Response(401, {"error": "Unauthorized"})
        if (request.method, request.path) == ("POST", "/callback/outward_call"):
            return self._callback(request)
        if (request.method, request.path) == ("GET", "/calls/list"):
            return self._list(request.parameters)
        if (request.method, request.path) == ("GET", "/sipstatus/online"):
            return Response(200, self.online)
        return Response(404, {"error": "Not found"})

    def _callback(self, request: Request) -> Response:
        if not request.form.get("extension") or not request.form.get("destination", "").isdigit():
            return Response(400, {"error": "Wrong parameters"})
        return Response(200, {"status": "ok"})

    def _list(self, parameters: Mapping[str, str]) -> Response:
        begin, end = parameters.get("from", ""), parameters.get("to", "")
        if parameters.get("export_type") != "json" or not (_STAMP.fullmatch(begin) and _STAMP.fullmatch(end)):
            return Response(400, {"error": "Wrong parameters"})
        names = parameters.get("fields", "").split(",")
        rows = [{name: row.get(name) for name in names} for row in self.rows if begin <= str(row["calldate"]) <= end]
        return Response(200, rows[: self.max_rows])
