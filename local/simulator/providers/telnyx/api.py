"""Telnyx's REST API, v2: a bearer key, JSON in and out, lists in pages, errors as a list with codes."""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from local.simulator.past import Sent
from local.simulator.rest.base import Request, Response

_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_CALLED = re.compile(r"\+[1-9]\d{6,14}|sips?:[^@\s]+@[\w.-]+", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FILTER = re.compile(r"filter\[(\w+)\](?:\[(gte|lte|eq|contains)\])?")
# The filters of each list, and their columns.
_FILTERS = {
    "webhook_deliveries": {"event_type": "event_type", "started_at": "started_at", "status": "status"},
    "recordings": {"created_at": "created_at", "call_leg_id": "call_leg_id", "call_session_id": "call_session_id"},
    "credential_connections": {"connection_name": "connection_name"},
    "telephony_credentials": {"name": "name", "sip_username": "sip_username"},
}
_MOST_ROWS = 250
KNOWN_RECORDING = "10cd86ac-fef8-4765-b203-0f7511f9fc75"


class Api:
    """One account. `lists` are its rows by the name of the list, `placed` the bodies of requested legs, one a command.

    `live` are the call_control_ids of active legs, `over` those that were hung up by a request.
    """

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._typed = dict(credentials)
        self._url = ""
        self.numbers = ["+74951230001", "+74951230002"]
        self.page_size = _MOST_ROWS
        self.application: dict[str, Any] = {
            "record_type": "call_control_application",
            "id": credentials["connection_id"],
            "active": True,
            "application_name": "Acme",
            "webhook_api_version": "2",
            "webhook_event_url": "https://hooks.example.com/hooks/telnyx/x",
        }
        self.lists: dict[str, list[dict[str, Any]]] = {
            "webhook_deliveries": [],
            "recordings": [{"id": KNOWN_RECORDING, "record_type": "recording", "status": "completed"}],
            "credential_connections": [
                {
                    "record_type": "credential_connection",
                    "user_name": "anna101",
                    "connection_name": "Anna",
                    "password": "p",
                }
            ],
            "telephony_credentials": [
                {"record_type": "credential", "sip_username": "gencredBoris", "name": "Boris", "expired": False}
            ],
        }
        self.commands: dict[str, dict[str, Any]] = {}
        self.live: set[str] = set()
        self.over: list[str] = []

    @property
    def placed(self) -> list[dict[str, Any]]:
        """The bodies of requested legs."""
        return list(self.commands.values())

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """Return the credentials of the account."""
        return dict(self._typed)

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the settings of the integration."""
        self._url = url
        return {"api_url": url, "sip_domain": "acme.sip.telnyx.com", "caller_id": self.numbers[0]}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:  # noqa: ARG002 - the events contain the time
        """Add the webhooks and recordings of a story to the lists."""
        rows = self.lists["webhook_deliveries"]
        for one in sent:
            body: Any = one.message.body or {}
            at = one.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            payload = body["data"]["payload"]
            if body["data"]["event_type"] == "call.recording.saved":
                row = {
                    "id": payload.get("recording_id", f"rec-{payload['call_session_id']}"),
                    "call_session_id": payload["call_session_id"],
                }
                row |= {"record_type": "recording", "status": "completed", "created_at": at}
                self.lists["recordings"].append(row)
            row = {"id": f"d-{len(rows)}", "record_type": "webhook_delivery", "status": "delivered"}
            rows.append({**row, "started_at": at, "finished_at": at, "webhook": body["data"]})

    def placed_call_id(self, request: Request, response: Response) -> str | None:
        """See `ClickToCallRest`."""
        return str(response.body["data"]["call_session_id"]) if _is_first_leg(request) else None

    def respond(self, request: Request) -> Response:
        """Return the response to one request."""
        if request.headers.get("authorization") != f"Bearer {self._typed['api_key']}":
            return _error(401, "10009", "Authentication failed")
        return self._routed(request) or _error(404, "10005", "Resource not found")

    def _routed(self, request: Request) -> Response | None:
        response = None
        match request.method, request.path.split("/")[1:]:
            case "GET", ["v2", "balance"]:
                response = Response(200, {"data": {"record_type": "balance", "balance": "300.00", "currency": "USD"}})
            case "GET", ["v2", "call_control_applications", id_] if id_ == self.application["id"]:
                response = Response(200, {"data": self.application})
            case "POST", ["v2", "calls"]:
                response = self._call(request)
            case "POST", ["v2", "calls", control_id, "actions", "hangup"]:
                response = self._hang_up(unquote(control_id))
            case "GET", ["v2", "recordings", id_]:
                response = self._recording(id_)
            case "GET", ["v2", name] if name in self.lists:
                response = self._list(request, name)
        return response

    def _call(self, request: Request) -> Response:
        if request.headers.get("content-type") != "application/json":
            return _error(415, "10014", "Unsupported Media Type")
        payload = request.json
        refusal = self._refusal(payload)
        if refusal is not None:
            return refusal
        self.commands.setdefault(payload["command_id"], payload)
        number = list(self.commands).index(payload["command_id"])
        control_id = f"v3:control-{number}"
        leg = {
            "record_type": "call",
            "call_control_id": control_id,
            "call_leg_id": f"leg-{number}",
            "call_session_id": "session-0" if "link_to" in payload else f"session-{number}",
            "is_alive": False,
        }
        self.live.add(control_id)
        return Response(200, {"data": leg})

    def _refusal(self, payload: Mapping[str, Any]) -> Response | None:
        """Return the first error of a call. Telnyx repeats the numbers in the detail."""
        called, shown = str(payload.get("to")), str(payload.get("from"))
        link = payload.get("link_to")
        errors = {
            ("10017", "Associated resource does not exist"): payload.get("connection_id") != self.application["id"],
            ("10016", f"{called} must be in +E.164 format"): not _CALLED.fullmatch(called),
            ("10002", f"{shown} is not valid"): not _NUMBER.fullmatch(shown) or shown not in self.numbers,
            ("10015", "timeout_secs"): not 5 <= int(payload.get("timeout_secs", 30)) <= 600,
            ("10015", "client_state is not Base64"): not _is_state(str(payload.get("client_state", ""))),
            ("10015", "command_id"): not _UUID.fullmatch(str(payload.get("command_id"))),
            ("10015", "record"): payload.get("record", "record-from-answer") != "record-from-answer",
            ("10015", "record_channels"): payload.get("record_channels", "dual") not in ("single", "dual"),
            ("10015", "record_format"): payload.get("record_format", "mp3") not in ("wav", "mp3"),
            ("10015", "link_to"): not link and bool(payload.get("bridge_on_answer") or payload.get("bridge_intent")),
            ("90018", "Call has already ended"): bool(link) and link not in self.live,
        }
        match = next((why for why, is_so in errors.items() if is_so), None)
        return _error(422, *match) if match else None

    def _hang_up(self, control_id: str) -> Response:
        if control_id not in self.live:
            return _error(422, "90018", "Call has already ended")
        self.live.discard(control_id)
        self.over.append(control_id)
        return Response(200, {"data": {"result": "ok"}})

    def _recording(self, id_: str) -> Response | None:
        row = next((row for row in self.lists["recordings"] if row["id"] == id_), None)
        if row is None:
            return None
        urls = {"mp3": f"{self._url}/files/{id_}.mp3?X-Amz-Expires=600"}
        return Response(200, {"data": {**row, "download_urls": urls}})

    def _list(self, request: Request, name: str) -> Response:
        fields = request.parameters
        rows = self.lists[name]
        for field, value in fields.items():
            if field.startswith("page["):
                continue
            match = _FILTER.fullmatch(field)
            if match is None or match[1] not in _FILTERS[name]:
                return _error(400, "10015", f"unknown filter {field}")
            rows = [row for row in rows if _fits(str(_column(row, _FILTERS[name][match[1]])), match[2], value)]
        size = min(int(fields.get("page[size]", "20")), self.page_size)
        page = int(fields.get("page[number]", "1"))
        meta = {
            "page_number": page,
            "page_size": size,
            "total_pages": -(-len(rows) // size),
            "total_results": len(rows),
        }
        return Response(200, {"data": rows[(page - 1) * size : page * size], "meta": meta})


def _column(row: Mapping[str, Any], name: str) -> Any:
    return row["webhook"].get(name) if name == "event_type" else row.get(name, "")


def _fits(value: str, how: str | None, limit: str) -> bool:
    if how in ("gte", "lte"):
        if not value:
            return False
        at, bound = datetime.fromisoformat(value), datetime.fromisoformat(limit)
        return at >= bound if how == "gte" else at <= bound
    return value in limit.split(",")


def _is_state(payload: str) -> bool:
    try:
        return isinstance(json.loads(base64.b64decode(payload, validate=True)), dict)
    except (binascii.Error, ValueError):
        return False


def _error(status: int, code: str, title: str) -> Response:
    meta = {"url": f"https://developers.telnyx.com/docs/overview/errors/{code}"}
    return Response(status, {"errors": [{"code": code, "title": title, "detail": title, "meta": meta}]})


def _is_first_leg(request: Request) -> bool:
    return (request.method, request.path) == ("POST", "/v2/calls") and "link_to" not in request.json
