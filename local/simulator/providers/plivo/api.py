"""Plivo's REST API: HTTP Basic, JSON both ways, lists of twenty."""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from local.simulator.past import Sent
from local.simulator.rest.base import Request, Response

_NUMBER = re.compile(r"[1-9]\d{6,14}")
_CALLED = re.compile(r"[1-9]\d{6,14}|sips?:[^@\s]+@[\w.-]+", re.ASCII)
_MOST_ROWS = 20


class Api:
    """One account. `calls`, `recordings` and `endpoints` are its lists, `placed` the bodies of requested calls."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._typed = dict(credentials)
        self._account = f"/v1/Account/{credentials['auth_id']}/"
        self.numbers = ["74951230001", "74951230002"]
        self.calls: list[dict[str, Any]] = []
        self.recordings: list[dict[str, Any]] = []
        self.endpoints: list[dict[str, Any]] = [
            {"username": "101", "alias": "Anna", "sip_uri": "sip:101@phone.plivo.com", "endpoint_id": "1"},
            {"username": "102", "alias": "Boris", "sip_uri": "sip:102@phone.plivo.com", "endpoint_id": "2"},
        ]
        self.placed: list[dict[str, Any]] = []

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """Return the credentials of the account."""
        return dict(self._typed)

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the settings of the integration."""
        return {"api_url": url, "caller_id": f"+{self.numbers[0]}"}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:
        """Add the calls of a story that began at `started` to the call log."""
        legs: dict[str, dict[str, Any]] = {}
        for one in sent:
            payload = one.message.post
            if "RecordUrl" in payload:
                self.recordings.append(
                    {"call_uuid": payload["CallUUID"], "recording_id": payload["RecordingID"],
                     "add_time": _time(one.at), "recording_url": payload["RecordUrl"]}
                )  # fmt: skip
            elif "DialAction" in payload:
                _dialled(legs, one)
            else:
                _own(legs, one, started)
        self.calls += legs.values()

    def placed_call_id(self, request: Request, response: Response) -> str | None:  # noqa: ARG002 - the response names a request
        """See `ClickToCallRest`."""
        return "" if (request.method, request.path) == ("POST", f"{self._account}Call/") else None

    def respond(self, request: Request) -> Response:
        """Return the response to one request."""
        typed = f"{self._typed['auth_id']}:{self._typed['auth_token']}"
        if request.headers.get("authorization") != f"Basic {base64.b64encode(typed.encode()).decode()}":
            return Response(401, "Could not verify your access level for that URL.")
        if not request.path.startswith(self._account):
            return Response(404, {"error": "not found", "api_id": "a"})
        path = request.path.removeprefix(self._account)
        if (request.method, path) == ("POST", "Call/"):
            return self._call(request)
        return self._read(path, request)

    def _read(self, path: str, request: Request) -> Response:
        if request.method != "GET":
            return Response(405, {"error": "method not allowed", "api_id": "a"})
        if not path:
            return Response(200, {"auth_id": self._typed["auth_id"], "name": "Acme", "cash_credits": "10.0"})
        lists = {
            "Call/": (self.calls, "end_time"),
            "Recording/": (self.recordings, "add_time"),
            "Endpoint/": (self.endpoints, ""),
        }
        if path not in lists:
            return Response(404, {"error": "not found", "api_id": "a"})
        return _page(request.parameters, *lists[path])

    def _call(self, request: Request) -> Response:
        payload = request.json
        if not _CALLED.fullmatch(payload.get("to", "")):
            return _error(f"to parameter is invalid: {payload.get('to')}")
        if payload.get("from") not in self.numbers:
            return _error(f"from parameter is invalid: {payload.get('from')}")
        for name in ("answer_url", "ring_url", "hangup_url"):
            if urlsplit(payload.get(name, "")).scheme not in ("http", "https"):
                return _error(f"{name} is not a valid URL")
        self.placed.append(payload)
        return Response(201, {"message": "call fired", "request_uuid": f"req-{len(self.placed)}", "api_id": "a"})


def _own(legs: dict[str, dict[str, Any]], one: Sent, started: datetime) -> None:
    payload = one.message.post
    row = legs.setdefault(
        payload["CallUUID"],
        {"call_uuid": payload["CallUUID"], "parent_call_uuid": None, "call_direction": payload["Direction"],
         "from_number": payload["From"], "to_number": payload["To"], "initiation_time": _time(started),
         "answer_time": None, "call_duration": 0},
    )  # fmt: skip
    if payload["Event"] == "StartApp":
        row["answer_time"] = _time(one.at)
    if payload["Event"] == "Hangup":
        row |= {"end_time": _time(one.at), "call_duration": int(payload.get("Duration", "0"))}


def _dialled(legs: dict[str, dict[str, Any]], one: Sent) -> None:
    payload = one.message.post
    talked = int(payload.get("DialBLegDuration", "0"))
    row = legs.setdefault(
        payload["DialBLegUUID"],
        {"call_uuid": payload["DialBLegUUID"], "parent_call_uuid": payload["DialALegUUID"],
         "call_direction": "outbound", "from_number": payload["DialBLegFrom"], "to_number": payload["DialBLegTo"],
         "initiation_time": _time(one.at - timedelta(seconds=talked)), "answer_time": None},
    )  # fmt: skip
    if payload["DialAction"] == "answer":
        row["answer_time"] = _time(one.at)
    if payload["DialAction"] == "hangup":
        row |= {"end_time": _time(one.at), "call_duration": talked}
        row["hangup_cause_code"] = int(payload["DialBLegHangupCauseCode"])
        row["answer_time"] = row["answer_time"] or (_time(one.at - timedelta(seconds=talked)) if talked else None)


def _page(parameters: Mapping[str, str], rows: list[dict[str, Any]], by: str) -> Response:
    limit, offset = int(parameters.get("limit", "20")), int(parameters.get("offset", "0"))
    if not 0 < limit <= _MOST_ROWS:
        return _error("limit must be between 1 and 20")
    allowed = {"limit", "offset", f"{by}__gte", f"{by}__lt"}
    if not set(parameters) <= allowed:
        return _error("an unknown filter")
    since, until = parameters.get(f"{by}__gte", ""), parameters.get(f"{by}__lt", "9999")
    matches = [row for row in rows if not by or since <= row.get(by, "") < until]
    # The newest first.
    matches.sort(key=lambda row: str(row.get(by, "")), reverse=True)
    meta = {"limit": limit, "offset": offset, "total_count": len(matches), "next": None, "previous": None}
    return Response(200, {"api_id": "a", "meta": meta, "objects": matches[offset : offset + limit]})


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S+00:00")


def _error(words: str) -> Response:
    return Response(400, {"api_id": "a", "error": words})
