"""A VATS's REST API: JSON under /crmapi/v1 with X-API-KEY, and the older form API at /sys/crm_api.wcgp."""

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from local.simulator.past import Sent
from local.simulator.rest.base import Request, Response

_KEY = "vats-key-0123456789abcdef"
_STAMP = re.compile(r"\d{8}T\d{6}Z")
_LEGACY = "/sys/crm_api.wcgp"


class Api:
    """One VATS. `rows` is its history, `users` its people, `calls` the requested calls."""

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
        """Return the account's credentials."""
        return {"pbx_url": url, "api_key": self._key}

    def settings(self, url: str) -> Mapping[str, Any]:  # noqa: ARG002 - the address is typed
        """Return the integration's settings."""
        return {}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:  # noqa: ARG002 - the events have the times
        """Add the calls of a story that began at `started` to the history."""
        ended: dict[str, datetime] = {}
        for one in sent:
            payload: dict[str, Any] = {**one.message.post, **(one.message.body or {})}
            if payload.get("type") in ("COMPLETED", "TRANSFERRED"):
                ended[payload["callid"]] = one.at
            if payload.get("cmd") != "history":
                continue
            row = {
                "uid": payload["callid"],
                "type": payload["type"],
                "status": payload["status"],
                "client": payload["phone"],
            }
            row |= {"user": payload.get("user"), "ext": payload.get("ext"), "diversion": payload["diversion"]}
            row |= {"start": payload["start"], "duration": payload["duration"], "record": payload.get("link")}
            if payload["callid"] in ended:
                # Missed calls have no `wait`.
                begun = datetime.strptime(payload["start"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                row["wait"] = round((ended[payload["callid"]] - begun).total_seconds()) - int(payload["duration"])
            self.rows.append(row)

    def placed_call_id(self, request: Request, response: Response) -> str | None:
        """See `ClickToCallRest`."""
        if request.path.endswith("/makecall"):
            return str(response.body["callid"])
        return str(response.body) if request.path == _LEGACY and request.form.get("cmd") == "makeCall" else None

    def respond(self, request: Request) -> Response:
        """Return the response to a request of either API."""
        if request.path == _LEGACY:
            return self._legacy(request)
        if not hmac.compare_digest(request.headers.get("x-api-key", "").encode(), self._key.encode()):
            return Response(401, {"error": "Invalid token"})
        if (request.method, request.path) == ("POST", "/crmapi/v1/makecall"):
            return self._make_call(request.json)
        if (request.method, request.path) == ("GET", "/crmapi/v1/history/json"):
            return self._history(request.parameters)
        if (request.method, request.path) == ("GET", "/crmapi/v1/users"):
            return Response(200, {"items": self.users})
        return Response(404, {"error": "Not found"})

    def _make_call(self, payload: Mapping[str, str]) -> Response:
        if not payload.get("user") or not str(payload.get("phone", "")).isdigit():
            return Response(400, {"error": "Invalid parameters"})
        self.calls.append(payload)
        return Response(200, {"callid": f"call-{len(self.calls)}"})

    def _history(self, parameters: Mapping[str, str]) -> Response:
        if not (_STAMP.fullmatch(parameters.get("start", "")) and _STAMP.fullmatch(parameters.get("end", ""))):
            return Response(400, {"error": "Invalid parameters"})
        return Response(
            200, [row for row in self.rows if parameters["start"] <= _compact(row["start"]) < parameters["end"]]
        )

    def _legacy(self, request: Request) -> Response:
        fields = request.form if request.method == "POST" else {}
        if not hmac.compare_digest(fields.get("token", "").encode(), self._key.encode()):
            return Response(401, {"error": "Invalid token"})
        if fields.get("cmd") == "makeCall" and fields.get("user") and fields.get("phone", "").isdigit():
            self.calls.append(fields)
            # Bare text, as the specification has it.
            return Response(200, f"call-{len(self.calls)}")
        if fields.get("cmd") == "history" and _STAMP.fullmatch(fields.get("start", "")):
            return Response(200, "\r\n".join(["UID,type,client,account,via,start,wait,duration,record", *self.csv]))
        if fields.get("cmd") == "accounts":
            return Response(
                200, [{"name": one["login"], "realName": one["name"], "ext": one["ext"]} for one in self.users]
            )
        return Response(400, {"error": "Invalid parameters"})


def _compact(time: str) -> str:
    return time.replace("-", "").replace(":", "")
