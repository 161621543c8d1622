"""Plivo's REST API: HTTP Basic, JSON both ways, lists of twenty."""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from local.simulator.past import Sent
from local.simulator.rest.base import Asked, Reply

_NUMBER = re.compile(r"[1-9]\d{6,14}")
_CALLED = re.compile(r"[1-9]\d{6,14}|sips?:[^@\s]+@[\w.-]+", re.ASCII)
_MOST_ROWS = 20


class Api:
    """One account. `calls`, `recordings` and `endpoints` are its lists, `placed` the calls that were asked for."""

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
        """The account's credentials."""
        return dict(self._typed)

    def settings(self, url: str) -> Mapping[str, Any]:
        """The integration's settings."""
        return {"api_url": url, "caller_id": f"+{self.numbers[0]}"}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:
        """Have its history know the calls of a story that began then."""
        legs: dict[str, dict[str, Any]] = {}
        for one in sent:
            said = one.message.post
            if "RecordUrl" in said:
                self.recordings.append(
                    {"call_uuid": said["CallUUID"], "recording_id": said["RecordingID"], "add_time": _time(one.at),
                     "recording_url": said["RecordUrl"]}
                )  # fmt: skip
            elif "DialAction" in said:
                _dialled(legs, one)
            else:
                _own(legs, one, started)
        self.calls += legs.values()

    def clicked(self, asked: Asked, reply: Reply) -> str | None:  # noqa: ARG002 - it names a request
        """See `TakesClicks`."""
        return "" if (asked.method, asked.path) == ("POST", f"{self._account}Call/") else None

    def answer(self, asked: Asked) -> Reply:
        """One request."""
        typed = f"{self._typed['auth_id']}:{self._typed['auth_token']}"
        if asked.headers.get("authorization") != f"Basic {base64.b64encode(typed.encode()).decode()}":
            return Reply(401, "Could not verify your access level for that URL.")
        if not asked.path.startswith(self._account):
            return Reply(404, {"error": "not found", "api_id": "a"})
        path = asked.path.removeprefix(self._account)
        if (asked.method, path) == ("POST", "Call/"):
            return self._call(asked)
        return self._read(path, asked)

    def _read(self, path: str, asked: Asked) -> Reply:
        if asked.method != "GET":
            return Reply(405, {"error": "method not allowed", "api_id": "a"})
        if not path:
            return Reply(200, {"auth_id": self._typed["auth_id"], "name": "Acme", "cash_credits": "10.0"})
        lists = {
            "Call/": (self.calls, "end_time"),
            "Recording/": (self.recordings, "add_time"),
            "Endpoint/": (self.endpoints, ""),
        }
        if path not in lists:
            return Reply(404, {"error": "not found", "api_id": "a"})
        return _page(asked.parameters, *lists[path])

    def _call(self, asked: Asked) -> Reply:
        said = asked.json
        if not _CALLED.fullmatch(said.get("to", "")):
            return _error(f"to parameter is invalid: {said.get('to')}")
        if said.get("from") not in self.numbers:
            return _error(f"from parameter is invalid: {said.get('from')}")
        for name in ("answer_url", "ring_url", "hangup_url"):
            if urlsplit(said.get(name, "")).scheme not in ("http", "https"):
                return _error(f"{name} is not a valid URL")
        self.placed.append(said)
        return Reply(201, {"message": "call fired", "request_uuid": f"req-{len(self.placed)}", "api_id": "a"})


def _own(legs: dict[str, dict[str, Any]], one: Sent, started: datetime) -> None:
    said = one.message.post
    row = legs.setdefault(
        said["CallUUID"],
        {"call_uuid": said["CallUUID"], "parent_call_uuid": None, "call_direction": said["Direction"],
         "from_number": said["From"], "to_number": said["To"], "initiation_time": _time(started),
         "answer_time": None, "call_duration": 0},
    )  # fmt: skip
    if said["Event"] == "StartApp":
        row["answer_time"] = _time(one.at)
    if said["Event"] == "Hangup":
        row |= {"end_time": _time(one.at), "call_duration": int(said.get("Duration", "0"))}


def _dialled(legs: dict[str, dict[str, Any]], one: Sent) -> None:
    said = one.message.post
    talked = int(said.get("DialBLegDuration", "0"))
    row = legs.setdefault(
        said["DialBLegUUID"],
        {"call_uuid": said["DialBLegUUID"], "parent_call_uuid": said["DialALegUUID"], "call_direction": "outbound",
         "from_number": said["DialBLegFrom"], "to_number": said["DialBLegTo"],
         "initiation_time": _time(one.at - timedelta(seconds=talked)), "answer_time": None},
    )  # fmt: skip
    if said["DialAction"] == "answer":
        row["answer_time"] = _time(one.at)
    if said["DialAction"] == "hangup":
        row |= {"end_time": _time(one.at), "call_duration": talked}
        row["hangup_cause_code"] = int(said["DialBLegHangupCauseCode"])
        row["answer_time"] = row["answer_time"] or (_time(one.at - timedelta(seconds=talked)) if talked else None)


def _page(asked: Mapping[str, str], rows: list[dict[str, Any]], by: str) -> Reply:
    limit, offset = int(asked.get("limit", "20")), int(asked.get("offset", "0"))
    if not 0 < limit <= _MOST_ROWS:
        return _error("limit must be between 1 and 20")
    known = {"limit", "offset", f"{by}__gte", f"{by}__lt"}
    if not set(asked) <= known:
        return _error("an unknown filter")
    since, until = asked.get(f"{by}__gte", ""), asked.get(f"{by}__lt", "9999")
    found = [row for row in rows if not by or since <= row.get(by, "") < until]
    # The newest first.
    found.sort(key=lambda row: str(row.get(by, "")), reverse=True)
    meta = {"limit": limit, "offset": offset, "total_count": len(found), "next": None, "previous": None}
    return Reply(200, {"api_id": "a", "meta": meta, "objects": found[offset : offset + limit]})


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S+00:00")


def _error(words: str) -> Reply:
    return Reply(400, {"api_id": "a", "error": words})
