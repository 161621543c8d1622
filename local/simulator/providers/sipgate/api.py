"""sipgate's REST API, v2: HTTP Basic with a personal access token, JSON both ways, lists by offset."""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from local.simulator.past import Sent, iso
from local.simulator.rest.base import Asked, Reply

_USERS = {"w0": "101", "w1": "102", "w2": "103"}
# Of calls that nobody took.
_STATUSES = {"normalClearing": "VOICEMAIL_NO_MESSAGE", "busy": "BUSY", "noAnswer": "MISSED", "cancel": "MISSED"}
_STATUSES |= {"forwarded": "MISSED"}
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")


class Api:
    """One account. `rows` are its history, `placed` the sessions that were asked for, `push` the settings of push."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._typed = dict(credentials)
        self.rows: list[dict[str, Any]] = []
        self.placed: list[Mapping[str, Any]] = []
        self.push: dict[str, Any] = {"incomingUrl": "", "outgoingUrl": "", "log": True, "whitelist": ["p0"]}

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """The account's credentials."""
        return dict(self._typed)

    def settings(self, url: str) -> Mapping[str, Any]:
        """The integration's settings."""
        users = ", ".join(f"{user}={extension}" for user, extension in _USERS.items())
        return {"api_url": url, "users": users, "devices": "102=e7"}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:
        """Have its history know the calls of a story that began then."""
        begun: dict[str, datetime] = {}
        users: dict[str, list[str]] = {}
        answered: dict[str, tuple[str, datetime]] = {}
        for one in sent:
            said, call_id = one.message.post, one.message.post["callId"]
            begun.setdefault(call_id, one.at if begun else started)
            if said["event"] == "newCall":
                users[call_id] = said.get("userId[]", "").split(" ")
            elif said["event"] == "answer" and said.get("user") != "voicemail":
                answered[call_id] = (said.get("userId", ""), one.at)
            elif said["event"] == "hangup":
                self.rows.append(_row(one, begun[call_id], users[call_id], answered.get(call_id)))

    def clicked(self, asked: Asked, reply: Reply) -> str | None:
        """See `TakesClicks`."""
        return str(reply.body["sessionId"]) if asked.path == "/v2/sessions/calls" else None

    def answer(self, asked: Asked) -> Reply:
        """One request."""
        typed = f"{self._typed['token_id']}:{self._typed['token']}"
        if asked.headers.get("authorization") != f"Basic {base64.b64encode(typed.encode()).decode()}":
            return Reply(401)
        routes = {
            ("POST", "/v2/sessions/calls"): self._call,
            ("GET", "/v2/history"): self._history,
            ("GET", "/v2/account"): lambda _: Reply(200, {"company": "Acme", "verified": True}),
            ("GET", "/v2/users"): self._users,
            ("GET", "/v2/settings/sipgateio"): lambda _: Reply(200, self.push),
            ("PUT", "/v2/settings/sipgateio"): self._set_up,
        }
        route = routes.get((asked.method, asked.path))
        return route(asked) if route is not None else Reply(404)

    def _call(self, asked: Asked) -> Reply:
        said = asked.json
        if not re.fullmatch(r"[epx]\d+", said.get("deviceId", "")) or not _NUMBER.fullmatch(said.get("callee", "")):
            return Reply(400)
        self.placed.append(said)
        return Reply(200, {"sessionId": f"session-{len(self.placed)}-{id(self)}"})

    def _history(self, asked: Asked) -> Reply:
        said = asked.parameters
        if said.get("types") != "CALL" or not said.get("from") or not said.get("to"):
            return Reply(400)
        found = [row for row in self.rows if said["from"] <= row["created"] <= said["to"]]
        offset, limit = int(said.get("offset", "0")), int(said.get("limit", "10"))
        return Reply(200, {"items": found[offset : offset + limit], "totalCount": len(found)})

    def _users(self, _: Asked) -> Reply:
        people = (("w0", "Anna", "Petrova"), ("w1", "Boris", "Orlov"), ("w9", "", ""))
        return Reply(200, {"items": [{"id": id_, "firstname": one, "lastname": two} for id_, one, two in people]})

    def _set_up(self, asked: Asked) -> Reply:
        if set(asked.json) != set(self.push):
            return Reply(400)
        self.push = asked.json
        return Reply(204)


def _row(one: Sent, begun: datetime, users: list[str], answered: tuple[str, datetime] | None) -> dict[str, Any]:
    said = one.message.post
    out, taken = said["direction"] == "out", answered is not None
    endpoints = [
        {"type": "ANSWERED" if answered and answered[0] == user else "ROUTED", "endpoint": {"extension": user}}
        for user in users
    ]
    return {
        "id": f"h-{said['callId']}",
        "callId": said["callId"],
        "type": "CALL",
        "created": iso(begun.replace(microsecond=0)),
        "lastModified": iso(one.at),
        "direction": f"{'' if taken else 'MISSED_'}{'OUTGOING' if out else 'INCOMING'}",
        "incoming": not out,
        "source": said["from"],
        "target": said["to"],
        "duration": round((one.at - answered[1]).total_seconds()) if answered else 0,
        "callStatus": "SUCCESS" if taken else _STATUSES.get(said["cause"], "FAILURE"),
        "recordings": [],
        "endpoints": endpoints,
    }
