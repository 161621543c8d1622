"""sipgate's REST API, v2: HTTP Basic with a personal access token, JSON both ways, lists by offset."""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from local.simulator.past import Sent, iso
from local.simulator.rest.base import Request, Response

_USERS = {"w0": "101", "w1": "102", "w2": "103"}
# Statuses of unanswered calls.
_STATUSES = {"normalClearing": "VOICEMAIL_NO_MESSAGE", "busy": "BUSY", "noAnswer": "MISSED", "cancel": "MISSED"}
_STATUSES |= {"forwarded": "MISSED"}
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")


class Api:
    """One account. `rows` are its history, `placed` the requested sessions, `push` the settings of push."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._typed = dict(credentials)
        self.rows: list[dict[str, Any]] = []
        self.placed: list[Mapping[str, Any]] = []
        self.push: dict[str, Any] = {"incomingUrl": "", "outgoingUrl": "", "log": True, "whitelist": ["p0"]}

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """Return the account's credentials."""
        return dict(self._typed)

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the integration's settings."""
        users = ", ".join(f"{user}={extension}" for user, extension in _USERS.items())
        return {"api_url": url, "users": users, "devices": "102=e7"}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:
        """Add the calls of a story that began at `started` to the history."""
        begun: dict[str, datetime] = {}
        users: dict[str, list[str]] = {}
        answered: dict[str, tuple[str, datetime]] = {}
        for one in sent:
            payload, call_id = one.message.post, one.message.post["callId"]
            begun.setdefault(call_id, one.at if begun else started)
            if payload["event"] == "newCall":
                users[call_id] = payload.get("userId[]", "").split(" ")
            elif payload["event"] == "answer" and payload.get("user") != "voicemail":
                answered[call_id] = (payload.get("userId", ""), one.at)
            elif payload["event"] == "hangup":
                self.rows.append(_row(one, begun[call_id], users[call_id], answered.get(call_id)))

    def placed_call_id(self, request: Request, response: Response) -> str | None:
        """See `ClickToCallRest`."""
        return str(response.body["sessionId"]) if request.path == "/v2/sessions/calls" else None

    def respond(self, request: Request) -> Response:
        """Return the response to one request."""
        typed = f"{self._typed['token_id']}:{self._typed['token']}"
        if request.headers.get("authorization") != f"Basic {base64.b64encode(typed.encode()).decode()}":
            return Response(401)
        routes = {
            ("POST", "/v2/sessions/calls"): self._call,
            ("GET", "/v2/history"): self._history,
            ("GET", "/v2/account"): lambda _: Response(200, {"company": "Acme", "verified": True}),
            ("GET", "/v2/users"): self._users,
            ("GET", "/v2/settings/sipgateio"): lambda _: Response(200, self.push),
            ("PUT", "/v2/settings/sipgateio"): self._set_up,
        }
        route = routes.get((request.method, request.path))
        return route(request) if route is not None else Response(404)

    def _call(self, request: Request) -> Response:
        payload = request.json
        if not re.fullmatch(r"[epx]\d+", payload.get("deviceId", "")) or not _NUMBER.fullmatch(
            payload.get("callee", "")
        ):
            return Response(400)
        self.placed.append(payload)
        return Response(200, {"sessionId": f"session-{len(self.placed)}-{id(self)}"})

    def _history(self, request: Request) -> Response:
        payload = request.parameters
        if payload.get("types") != "CALL" or not payload.get("from") or not payload.get("to"):
            return Response(400)
        rows = [row for row in self.rows if payload["from"] <= row["created"] <= payload["to"]]
        offset, limit = int(payload.get("offset", "0")), int(payload.get("limit", "10"))
        return Response(200, {"items": rows[offset : offset + limit], "totalCount": len(rows)})

    def _users(self, _: Request) -> Response:
        people = (("w0", "Anna", "Petrova"), ("w1", "Boris", "Orlov"), ("w9", "", ""))
        return Response(200, {"items": [{"id": id_, "firstname": one, "lastname": two} for id_, one, two in people]})

    def _set_up(self, request: Request) -> Response:
        if set(request.json) != set(self.push):
            return Response(400)
        self.push = request.json
        return Response(204)


def _row(one: Sent, begun: datetime, users: list[str], answered: tuple[str, datetime] | None) -> dict[str, Any]:
    payload = one.message.post
    out, was_answered = payload["direction"] == "out", answered is not None
    endpoints = [
        {"type": "ANSWERED" if answered and answered[0] == user else "ROUTED", "endpoint": {"extension": user}}
        for user in users
    ]
    return {
        "id": f"h-{payload['callId']}",
        "callId": payload["callId"],
        "type": "CALL",
        "created": iso(begun.replace(microsecond=0)),
        "lastModified": iso(one.at),
        "direction": f"{'' if was_answered else 'MISSED_'}{'OUTGOING' if out else 'INCOMING'}",
        "incoming": not out,
        "source": payload["from"],
        "target": payload["to"],
        "duration": round((one.at - answered[1]).total_seconds()) if answered else 0,
        "callStatus": "SUCCESS" if was_answered else _STATUSES.get(payload["cause"], "FAILURE"),
        "recordings": [],
        "endpoints": endpoints,
    }
