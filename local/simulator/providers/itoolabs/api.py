"""A VATS's REST API: JSON under /crmapi/v1 with X-API-KEY, and the older form API at /sys/crm_api.wcgp."""

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from local.simulator.past import Sent
from local.simulator.rest.base import Asked, Reply

_KEY = "vats-key-0123456789abcdef"
_STAMP = re.compile(r"\d{8}T\d{6}Z")
_LEGACY = "/sys/crm_api.wcgp"


class Api:
    """One VATS. `rows` is its history, `users` its people, `calls` what it was asked to call."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._key = credentials.get("api_key", _KEY)
        self.rows: list[dict[str, Any]] = []
        self.csv: list[str] = []
        self.users: list[dict[str, Any]] = [
            {"login": "anna", "name": "Anna Petrova", "ext": "101", "telnum": "74951230001"},
            {"login": "boris", "name": "Boris Orlov", "ext": "102"},
        ]
        self.calls: list[Mapping[str, str]] = []

    def credentials(self, url: str) -> Mapping[str, str]:
        """The account's credentials."""
        return {"pbx_url": url, "api_key": self._key}

    def settings(self, url: str) -> Mapping[str, Any]:  # noqa: ARG002 - the address is typed
        """The integration's settings."""
        return {}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:  # noqa: ARG002 - the events say it
        """Have its history know the calls of a story that began then."""
        ended: dict[str, datetime] = {}
        for one in sent:
            said: dict[str, Any] = {**one.message.post, **(one.message.body or {})}
            if said.get("type") in ("COMPLETED", "TRANSFERRED"):
                ended[said["callid"]] = one.at
            if said.get("cmd") != "history":
                continue
            row = {"uid": said["callid"], "type": said["type"], "status": said["status"], "client": said["phone"]}
            row |= {"user": said.get("user"), "ext": said.get("ext"), "diversion": said["diversion"]}
            row |= {"start": said["start"], "duration": said["duration"], "record": said.get("link")}
            if said["callid"] in ended:
                # Of a missed call it tells no wait.
                begun = datetime.strptime(said["start"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                row["wait"] = round((ended[said["callid"]] - begun).total_seconds()) - int(said["duration"])
            self.rows.append(row)

    def clicked(self, asked: Asked, reply: Reply) -> str | None:
        """See `TakesClicks`."""
        if asked.path.endswith("/makecall"):
            return str(reply.body["callid"])
        return str(reply.body) if asked.path == _LEGACY and asked.form.get("cmd") == "makeCall" else None

    def answer(self, asked: Asked) -> Reply:
        """One request, of either API."""
        if asked.path == _LEGACY:
            return self._legacy(asked)
        if not hmac.compare_digest(asked.headers.get("x-api-key", "").encode(), self._key.encode()):
            return Reply(401, {"error": "Invalid token"})
        if (asked.method, asked.path) == ("POST", "/crmapi/v1/makecall"):
            return self._make_call(asked.json)
        if (asked.method, asked.path) == ("GET", "/crmapi/v1/history/json"):
            return self._history(asked.parameters)
        if (asked.method, asked.path) == ("GET", "/crmapi/v1/users"):
            return Reply(200, {"items": self.users})
        return Reply(404, {"error": "Not found"})

    def _make_call(self, said: Mapping[str, str]) -> Reply:
        if not said.get("user") or not str(said.get("phone", "")).isdigit():
            return Reply(400, {"error": "Invalid parameters"})
        self.calls.append(said)
        return Reply(200, {"callid": f"call-{len(self.calls)}"})

    def _history(self, asked: Mapping[str, str]) -> Reply:
        if not (_STAMP.fullmatch(asked.get("start", "")) and _STAMP.fullmatch(asked.get("end", ""))):
            return Reply(400, {"error": "Invalid parameters"})
        return Reply(200, [row for row in self.rows if asked["start"] <= _compact(row["start"]) < asked["end"]])

    def _legacy(self, asked: Asked) -> Reply:
        fields = asked.form if asked.method == "POST" else {}
        if not hmac.compare_digest(fields.get("token", "").encode(), self._key.encode()):
            return Reply(401, {"error": "Invalid token"})
        if fields.get("cmd") == "makeCall" and fields.get("user") and fields.get("phone", "").isdigit():
            self.calls.append(fields)
            # Bare text, as the specification has it.
            return Reply(200, f"call-{len(self.calls)}")
        if fields.get("cmd") == "history" and _STAMP.fullmatch(fields.get("start", "")):
            return Reply(200, "\r\n".join(["UID,type,client,account,via,start,wait,duration,record", *self.csv]))
        if fields.get("cmd") == "accounts":
            return Reply(
                200, [{"name": one["login"], "realName": one["name"], "ext": one["ext"]} for one in self.users]
            )
        return Reply(400, {"error": "Invalid parameters"})


def _compact(said: str) -> str:
    return said.replace("-", "").replace(":", "")
