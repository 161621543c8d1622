"""Vonage's REST API of calls: a JWT by RS256 of the application, JSON in and out, a list in pages."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from local.simulator.past import Sent
from local.simulator.rest.base import Request, Response

_NUMBER = re.compile(r"[1-9]\d{6,14}")
_SIP = re.compile(r"sips?:[^@\s]+@[\w.-]+", re.ASCII)
_FILTERS = {"status", "date_start", "date_end", "page_size", "record_index", "order", "conversation_uuid"}
_ACTIONS = ("record", "connect", "talk", "conversation", "stream", "input", "notify")
_MOST_ROWS = 100
# Maximum lifetime of a token: one day.
_LONGEST = 86400


class Api:
    """One application. `calls` is its call log, `placed` the bodies of requested calls."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._typed = dict(credentials)
        self._public: Any = load_pem_private_key(credentials["private_key"].encode(), None).public_key()
        self.numbers = ["74951230001", "74951230002"]
        self.page_size = _MOST_ROWS
        self.calls: list[dict[str, Any]] = []
        self.placed: list[dict[str, Any]] = []
        self.seen: set[str] = set()

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """Return the credentials of the account."""
        return dict(self._typed)

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the settings of the integration."""
        return {"api_url": url, "sip_domain": "acme.sip.example.com", "caller_id": f"+{self.numbers[0]}"}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:  # noqa: ARG002 - the events contain the time
        """Add the calls of a story to the call log."""
        legs: dict[str, dict[str, Any]] = {}
        for one in sent:
            payload: Any = one.message.body or {}
            if "status" not in payload or "uuid" not in payload:
                continue
            at = one.at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
            row = legs.setdefault(
                payload["uuid"],
                {"uuid": payload["uuid"], "conversation_uuid": payload["conversation_uuid"],
                 "direction": payload["direction"], "start_time": None, "end_time": None,
                 "from": _endpoint(payload["from"]), "to": _endpoint(payload["to"])},
            )  # fmt: skip
            row |= {
                "status": payload["status"],
                "duration": payload.get("duration", "0"),
                "detail": payload.get("detail"),
            }
            if payload["status"] == "answered":
                row["start_time"] = at
            elif payload["status"] not in ("started", "ringing"):
                row["end_time"] = at
        self.calls += legs.values()

    def placed_call_id(self, request: Request, response: Response) -> str | None:
        """See `ClickToCallRest`."""
        return (
            str(response.body["conversation_uuid"]) if (request.method, request.path) == ("POST", "/v1/calls") else None
        )

    def respond(self, request: Request) -> Response:
        """Return the response to one request."""
        if not self._is_ours(request.headers.get("authorization", "")):
            return _error(401, "Unauthorized", "You did not provide correct credentials.")
        if request.method == "GET" and re.fullmatch(r"/v1/files/[\w-]+", request.path):
            return Response(200, b"ID3 sound", {"content-type": "audio/mpeg"})
        routes = {("POST", "/v1/calls"): self._call, ("GET", "/v1/calls"): self._list}
        route = routes.get((request.method, request.path))
        return route(request) if route is not None else _error(404, "Not found", "No such resource.")

    def _is_ours(self, header: str) -> bool:
        """Return whether the token is the application's, valid now, and unused."""
        scheme, _, token = header.partition(" ")
        try:
            required = {"require": ["iat", "exp", "jti"]}
            claims = jwt.decode(token, self._public, algorithms=["RS256"], options=required)  # type: ignore[arg-type]
        except jwt.PyJWTError:
            return False
        fresh = claims["jti"] not in self.seen and claims["exp"] - claims["iat"] <= _LONGEST
        self.seen.add(claims["jti"])
        return scheme == "Bearer" and fresh and claims.get("application_id") == self._typed["application_id"]

    def _call(self, request: Request) -> Response:
        if request.headers.get("content-type") != "application/json":
            return _error(415, "Unsupported Media Type", "JSON is expected.")
        payload = request.json
        name = self._invalid_parameter(payload)
        if name is not None:
            # Vonage repeats the rejected value.
            reason = {"name": name, "reason": f"{payload.get(name)} is not valid"}
            return Response(400, {"title": "Bad Request", "type": "about:blank", "invalid_parameters": [reason]})
        number = len(self.placed)
        self.placed.append(payload)
        return Response(
            201,
            {
                "uuid": f"63f61863-4a51-4f6b-86e1-{number:012x}",
                "status": "started",
                "direction": "outbound",
                "conversation_uuid": f"CON-f972836a-550f-45fa-956c-{number:012x}",
            },
        )

    def _invalid_parameter(self, payload: Mapping[str, Any]) -> str | None:
        """Return the name of the first invalid parameter."""
        shown, ncco = payload.get("from"), payload.get("ncco")
        connects = [action for action in ncco if action.get("action") == "connect"] if isinstance(ncco, list) else []
        errors = {
            "to": not _are_endpoints(payload.get("to")),
            "from": shown not in [{"type": "phone", "number": number} for number in self.numbers],
            "ncco": not ncco
            or any(action.get("action") not in _ACTIONS for action in ncco)
            or any(
                not _are_endpoints(one.get("endpoint"))
                or one.get("from") not in self.numbers
                or not _are_addresses(one.get("eventUrl", []))
                for one in connects
            ),
            "event_url": not _are_addresses(payload.get("event_url", [])),
            "event_method": payload.get("event_method", "POST") not in ("GET", "POST"),
            "ringing_timer": not 1 <= payload.get("ringing_timer", 60) <= 120,
        }
        return next((name for name, is_so in errors.items() if is_so), None)

    def _list(self, request: Request) -> Response:
        fields = request.parameters
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
        return Response(
            200, {"count": len(rows), "page_size": size, "record_index": index, "_embedded": {"calls": page}}
        )


def _endpoint(payload: str | None) -> dict[str, str] | None:
    if payload is None:
        return None
    if ":" in payload:
        return {"type": "sip", "uri": payload}
    return {"type": "phone", "number": payload} if _NUMBER.fullmatch(payload) else {"type": "app", "user": payload}


def _begun(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(row["start_time"] or row["end_time"])


def _are_endpoints(payload: object) -> bool:
    """Return whether the value is a list of one endpoint."""
    if not isinstance(payload, list) or len(payload) != 1 or not isinstance(payload[0], dict):
        return False
    match payload[0]:
        case {"type": "phone", "number": str(number)}:
            return bool(_NUMBER.fullmatch(number))
        case {"type": "sip", "uri": str(uri)}:
            return bool(_SIP.fullmatch(uri))
        case {"type": "app", "user": str(user)}:
            return bool(user)
    return False


def _are_addresses(payload: object) -> bool:
    return isinstance(payload, list) and all(urlsplit(url).scheme in ("https", "http") for url in payload)


def _error(status: int, title: str, detail: str) -> Response:
    return Response(status, {"type": "about:blank", "title": title, "detail": detail})
