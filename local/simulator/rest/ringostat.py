"""Ringostat's REST API: the simple callback, the call log, and the SIP accounts that are online."""

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from local.simulator.past import Sent
from local.simulator.rest.base import Asked, Reply

_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_FORMAT = "%Y-%m-%d %H:%M:%S"
ZONE = "Europe/Kyiv"


class Api:
    """One project. `rows` is its call log, `online` its SIP accounts, `max_rows` what it gives of the log at once."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._key = credentials["auth_key"]
        self.rows: list[dict[str, Any]] = []
        self.online = ["101", "102"]
        self.max_rows = 6500

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """The account's credentials."""
        return {"auth_key": self._key}

    def settings(self, url: str) -> Mapping[str, Any]:
        """The integration's settings."""
        return {"api_url": url, "time_zone": ZONE}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:
        """Have its call log know the calls of a story that began then."""
        for one in sent:
            said = {**one.message.query, **one.message.post}
            event = said.pop("event")
            if event not in ("after_call", "after_outgoing"):
                continue
            row = {"call_type": "out" if event == "after_outgoing" else "in", **said}
            row["calldate"] = started.astimezone(ZoneInfo(ZONE)).strftime(_FORMAT)
            self.rows.append(row)

    def clicked(self, asked: Asked, reply: Reply) -> str | None:  # noqa: ARG002 - it names no call
        """See `TakesClicks`."""
        return "" if asked.path == "/callback/outward_call" else None

    def answer(self, asked: Asked) -> Reply:
        """One request."""
        if not hmac.compare_digest(asked.headers.get("auth-key", "").encode(), self._key.encode()):
            return Reply(401, {"error": "Unauthorized"})
        if (asked.method, asked.path) == ("POST", "/callback/outward_call"):
            return self._callback(asked)
        if (asked.method, asked.path) == ("GET", "/calls/list"):
            return self._list(asked.parameters)
        if (asked.method, asked.path) == ("GET", "/sipstatus/online"):
            return Reply(200, self.online)
        return Reply(404, {"error": "Not found"})

    def _callback(self, asked: Asked) -> Reply:
        if not asked.form.get("extension") or not asked.form.get("destination", "").isdigit():
            return Reply(400, {"error": "Wrong parameters"})
        return Reply(200, {"status": "ok"})

    def _list(self, asked: Mapping[str, str]) -> Reply:
        begin, end = asked.get("from", ""), asked.get("to", "")
        if asked.get("export_type") != "json" or not (_STAMP.fullmatch(begin) and _STAMP.fullmatch(end)):
            return Reply(400, {"error": "Wrong parameters"})
        names = asked.get("fields", "").split(",")
        found = [{name: row.get(name) for name in names} for row in self.rows if begin <= str(row["calldate"]) <= end]
        return Reply(200, found[: self.max_rows])
