"""Vonage's REST API of calls: a JWT by RS256 of the application, JSON in and out, a list in pages."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from local.simulator.past import Sent
from local.simulator.rest.base import Asked, Reply

_NUMBER = re.compile(r"[1-9]\d{6,14}")
_SIP = re.compile(r"sips?:[^@\s]+@[\w.-]+", re.ASCII)
_FILTERS = {"status", "date_start", "date_end", "page_size", "record_index", "order", "conversation_uuid"}
_ACTIONS = ("record", "connect", "talk", "conversation", "stream", "input", "notify")
_MOST_ROWS = 100
# A token may be good for a day at most.
_LONGEST = 86400


class Api:
    """One application. `calls` is its list, `placed` the calls that were asked for."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._typed = dict(credentials)
        self._public: Any = load_pem_private_key(credentials["private_key"].encode(), None).public_key()
        self.numbers = ["74951230001", "74951230002"]
        self.page_size = _MOST_ROWS
        self.calls: list[dict[str, Any]] = []
        self.placed: list[dict[str, Any]] = []
        self.seen: set[str] = set()

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """The account's credentials."""
        return dict(self._typed)

    def settings(self, url: str) -> Mapping[str, Any]:
        """The integration's settings."""
        return {"api_url": url, "sip_domain": "acme.sip.example.com", "caller_id": f"+{self.numbers[0]}"}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:  # noqa: ARG002 - the events say it
        """Have its history know the calls of a story that began then."""
        legs: dict[str, dict[str, Any]] = {}
        for one in sent:
            said: Any = one.message.body or {}
            if "status" not in said or "uuid" not in said:
                continue
            at = one.at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
            row = legs.setdefault(
                said["uuid"],
                {"uuid": said["uuid"], "conversation_uuid": said["conversation_uuid"],
                 "direction": said["direction"], "start_time": None, "end_time": None,
                 "from": _endpoint(said["from"]), "to": _endpoint(said["to"])},
            )  # fmt: skip
            row |= {"status": said["status"], "duration": said.get("duration", "0"), "detail": said.get("detail")}
            if said["status"] == "answered":
                row["start_time"] = at
            elif said["status"] not in ("started", "ringing"):
                row["end_time"] = at
        self.calls += legs.values()

    def clicked(self, asked: Asked, reply: Reply) -> str | None:
        """See `TakesClicks`."""
        return str(reply.body["conversation_uuid"]) if (asked.method, asked.path) == ("POST", "/v1/calls") else None

    def answer(self, asked: Asked) -> Reply:
        """One request."""
        if not self._is_ours(asked.headers.get("authorization", "")):
            return _error(401, "Unauthorized", "You did not provide correct credentials.")
        if asked.method == "GET" and re.fullmatch(r"/v1/files/[\w-]+", asked.path):
            return Reply(200, b"ID3 sound", {"content-type": "audio/mpeg"})
        routes = {("POST", "/v1/calls"): self._call, ("GET", "/v1/calls"): self._list}
        route = routes.get((asked.method, asked.path))
        return route(asked) if route is not None else _error(404, "Not found", "No such resource.")

    def _is_ours(self, header: str) -> bool:
        """Whether the token is the application's, of now, and was not used before."""
        scheme, _, token = header.partition(" ")
        try:
            required = {"require": ["iat", "exp", "jti"]}
            said = jwt.decode(token, self._public, algorithms=["RS256"], options=required)  # type: ignore[arg-type]
        except jwt.PyJWTError:
            return False
        fresh = said["jti"] not in self.seen and said["exp"] - said["iat"] <= _LONGEST
        self.seen.add(said["jti"])
        return scheme == "Bearer" and fresh and said.get("application_id") == self._typed["application_id"]

    def _call(self, asked: Asked) -> Reply:
        if asked.headers.get("content-type") != "application/json":
            return _error(415, "Unsupported Media Type", "JSON is expected.")
        said = asked.json
        wrong = self._wrong(said)
        if wrong is not None:
            # A real refusal repeats what it refuses.
            reason = {"name": wrong, "reason": f"{said.get(wrong)} is not valid"}
            return Reply(400, {"title": "Bad Request", "type": "about:blank", "invalid_parameters": [reason]})
        number = len(self.placed)
        self.placed.append(said)
        return Reply(
            201,
            {
                "uuid": f"63f61863-4a51-4f6b-86e1-{number:012x}",
                "status": "started",
                "direction": "outbound",
                "conversation_uuid": f"CON-f972836a-550f-45fa-956c-{number:012x}",
            },
        )

    def _wrong(self, said: Mapping[str, Any]) -> str | None:
        """The first parameter that is wrong."""
        shown, ncco = said.get("from"), said.get("ncco")
        connects = [action for action in ncco if action.get("action") == "connect"] if isinstance(ncco, list) else []
        wrong = {
            "to": not _are_endpoints(said.get("to")),
            "from": shown not in [{"type": "phone", "number": number} for number in self.numbers],
            "ncco": not ncco
            or any(action.get("action") not in _ACTIONS for action in ncco)
            or any(
                not _are_endpoints(one.get("endpoint"))
                or one.get("from") not in self.numbers
                or not _are_addresses(one.get("eventUrl", []))
                for one in connects
            ),
            "event_url": not _are_addresses(said.get("event_url", [])),
            "event_method": said.get("event_method", "POST") not in ("GET", "POST"),
            "ringing_timer": not 1 <= said.get("ringing_timer", 60) <= 120,
        }
        return next((name for name, is_so in wrong.items() if is_so), None)

    def _list(self, asked: Asked) -> Reply:
        fields = asked.parameters
        if not fields.keys() <= _FILTERS:
            return _error(400, "Bad Request", "Unknown parameter.")
        rows = sorted(self.calls, key=lambda row: _begun(row).isoformat(), reverse=fields.get("order") == "desc")
        if "date_start" in fields:
            rows = [row for row in rows if _begun(row) >= datetime.fromisoformat(fields["date_start"])]
        if "date_end" in fields:
            rows = [row for row in rows if _begun(row) <= datetime.fromisoformat(fields["date_end"])]
        size, index = int(fields.get("page_size", "10")), int(fields.get("record_index", "0"))
        if not 1 <= size <= _MOST_ROWS:
            return _error(400, "Bad Request", "page_size")
        page = rows[index : index + min(size, self.page_size)]
        return Reply(200, {"count": len(rows), "page_size": size, "record_index": index, "_embedded": {"calls": page}})


def _endpoint(said: str | None) -> dict[str, str] | None:
    if said is None:
        return None
    if ":" in said:
        return {"type": "sip", "uri": said}
    return {"type": "phone", "number": said} if _NUMBER.fullmatch(said) else {"type": "app", "user": said}


def _begun(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(row["start_time"] or row["end_time"])


def _are_endpoints(said: object) -> bool:
    """Whether it is a list of one endpoint."""
    if not isinstance(said, list) or len(said) != 1 or not isinstance(said[0], dict):
        return False
    match said[0]:
        case {"type": "phone", "number": str(number)}:
            return bool(_NUMBER.fullmatch(number))
        case {"type": "sip", "uri": str(uri)}:
            return bool(_SIP.fullmatch(uri))
        case {"type": "app", "user": str(user)}:
            return bool(user)
    return False


def _are_addresses(said: object) -> bool:
    return isinstance(said, list) and all(urlsplit(url).scheme in ("https", "http") for url in said)


def _error(status: int, title: str, detail: str) -> Reply:
    return Reply(status, {"type": "about:blank", "title": title, "detail": detail})
