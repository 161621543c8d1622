"""Mango Office's API: signed forms that contain JSON, four-digit codes, and statistics in two steps."""

import hashlib
import hmac
import json
import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from local.simulator.past import Sent
from local.simulator.rest.base import Request, Response

_ZONE = timezone(timedelta(hours=3))
_PAGES = (1, 5, 10, 20, 50, 100, 500, 1000, 2000, 5000)
_MONTH = timedelta(days=28)
_DATE = "%d.%m.%Y %H:%M:%S"
_BLOCK_SECONDS = 120.0
# Directions of the notifications, as the statistics number them.
_CONTEXTS = {0: 3, 1: 1, 2: 2}
_CALLBACK_KEYS = {"command_id", "from", "to_number", "line_number", "sip_headers"}


class Api:
    """One account. `contexts` are the calls of its statistics, `placed` the requested callbacks.

    `polls` is the number of polls until statistics are ready, `links` contains the recording addresses returned.
    """

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._key, self._salt = credentials["vpbx_api_key"], credentials["vpbx_api_salt"]
        self.employees = {"101": "Anna Petrova", "102": "Boris Orlov", "103": "Vera Sokolova", "104": "Gleb Fomin"}
        self.lines = ["74951230001", "74951230002"]
        self.recordings = {"MToxMDAwNjA4NTo1MDA5NDExMDIyOjE="}
        self.contexts: list[dict[str, Any]] = []
        self.placed: list[dict[str, Any]] = []
        self.links: list[str] = []
        self.polls = 1
        self.clock = time.monotonic
        self._wrong_at: float | None = None
        self._blocked = False
        self._exports: dict[str, tuple[Mapping[str, Any], int]] = {}

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """Return the account's credentials."""
        return {"vpbx_api_key": self._key, "vpbx_api_salt": self._salt}

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the integration's settings."""
        return {"api_url": f"{url}/vpbx"}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:  # noqa: ARG002 - the events contain it
        """Add the calls of a story to the history."""
        calls: dict[str, list[tuple[str, Any]]] = defaultdict(list)
        for item in sent:
            payload: Any = item.message.body or {}
            if "entry_id" in payload:
                calls[payload["entry_id"]].append((item.message.rest, payload))
        for events in calls.values():
            context = self._context(events)
            if context is not None:
                self.contexts.append(context)

    def _context(self, events: Sequence[tuple[str, Any]]) -> dict[str, Any] | None:
        """Return one call of the statistics; None before its summary was sent."""
        summary = next((payload for rest, payload in events if rest == "events/summary"), None)
        if summary is None:
            return None
        direction = _CONTEXTS[int(summary["call_direction"])]
        begun, ended, talked = (int(summary[name]) for name in ("create_time", "end_time", "talk_time"))
        legs = self._legs([payload for rest, payload in events if rest == "events/call"], direction)
        for _, payload in events:
            recording = payload.get("recording_id")
            # A recording belongs to the leg that was answered.
            answered_leg = next((leg for leg in legs if leg["call_answer_time"]), None)
            if recording and answered_leg is not None and recording not in answered_leg["recording_id"]:
                answered_leg["recording_id"].append(recording)
                self.recordings.add(recording)
        caller, called = summary["from"], summary["to"]
        return {
            "entry_id": summary["entry_id"],
            "context_type": direction,
            "context_status": int(talked > 0),
            "caller_id": self._user(caller.get("extension")),
            "caller_number": caller.get("number", ""),
            "called_number": summary["line_number"] if direction == 1 else called.get("number", ""),
            "context_start_time": begun,
            "duration": ended - begun,
            "talk_duration": ended - talked if talked else 0,
            "context_init_type": 0,
            "recall_status": 2,
            "context_calls": legs,
        }

    def _legs(self, events: Sequence[Any], direction: int) -> list[dict[str, Any]]:
        """Return the legs that rang a phone. Legs of a group become its members."""
        legs: dict[str, dict[str, Any]] = {}
        group: list[dict[str, Any]] = []
        consultations: set[str] = set()
        for payload in events:
            if payload["location"] != "abonent":
                continue
            caller, called, state, at = payload["from"], payload["to"], payload["call_state"], int(payload["timestamp"])
            name = payload["call_id"]
            leg = legs.get(name)
            if leg is None:
                is_out = direction == 2
                leg = legs[name] = {
                    "call_type": "number" if is_out else "user",
                    "call_abonent_id": self._user((caller if is_out else called).get("extension")),
                    "call_abonent_number": None if is_out else called.get("number"),
                    "call_start_time": at,
                    "call_answer_time": None,
                    "call_end_time": None,
                    "recording_id": [],
                    "external_call_id": name,
                    "BlindTransfer": False,
                    "ConsultTransfer": False,
                    "members": None,
                }
                group += [leg] if "acd_group" in called else []
            is_consultation = direction != 3 and caller.get("extension") and called.get("extension")
            if is_consultation:
                consultations.add(name)
            elif state == "Connected":
                leg["call_answer_time"] = leg["call_answer_time"] or at
            if state == "Disconnected":
                leg |= {"call_end_time": at, "call_end_reason": int(payload["disconnect_reason"])}
                leg["ConsultTransfer"] = name in consultations
            leg["BlindTransfer"] |= payload.get("transfer") == "blind" and name not in consultations
        for leg in legs.values():
            answered, ended = leg["call_answer_time"], leg["call_end_time"]
            leg["talk_duration"] = ended - answered if answered and ended else 0
        if not group:
            return list(legs.values())
        first = {
            **group[0],
            "call_type": "group",
            "call_abonent_id": 10051192,
            "external_call_id": "",
            "members": group,
        }
        return [{**first, "recording_id": []}, *(leg for leg in legs.values() if leg not in group)]

    def _user(self, extension: object) -> int | None:
        return 300000000 + int(str(extension)) if extension else None

    # -------------------------------------------------------------- requests

    def placed_call_id(self, request: Request, response: Response) -> str | None:  # noqa: ARG002 - the response names no call
        """See `ClickToCallRest`."""
        return "" if request.path.endswith("/commands/callback") else None

    def respond(self, request: Request) -> Response:
        """Respond to one request. Two wrong ones within two minutes block all requests until these are over."""
        if self._wrong_at is not None and self.clock() - self._wrong_at >= _BLOCK_SECONDS:
            self._wrong_at, self._blocked = None, False
        if self._blocked:
            return Response(401, {"name": "Unauthorized", "code": 0, "status": 401})
        response = self._answer(request)
        if response.status >= 400:
            if self._wrong_at is not None:
                self._blocked = True
                return Response(401, {"name": "Unauthorized", "code": 0, "status": 401})
            self._wrong_at = self.clock()
        return response

    def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            return _error(405, 3101)
        fields = request.form
        if not hmac.compare_digest(fields.get("vpbx_api_key", "").encode(), self._key.encode()):
            return _error(400, 3105)
        payload = fields.get("json", "")
        signed = hashlib.sha256(f"{self._key}{payload}{self._salt}".encode()).hexdigest()
        if set(fields) != {"vpbx_api_key", "sign", "json"} or not hmac.compare_digest(fields["sign"], signed):
            return _error(400, 3102)
        try:
            parameters = json.loads(payload)
        except ValueError:
            return _error(400, 3400)
        routes = {
            "/vpbx/commands/callback": self._callback,
            "/vpbx/queries/recording/post": self._recording,
            "/vpbx/config/users/request": self._users,
            "/vpbx/stats/calls/request": self._request,
            "/vpbx/stats/calls/result": self._result,
        }
        route = routes.get(request.path.rstrip("/"))
        return route(parameters) if route is not None else _error(404, 3000)

    def _callback(self, payload: Mapping[str, Any]) -> Response:
        caller = payload.get("from")
        if not payload.keys() <= _CALLBACK_KEYS or not 0 < len(payload.get("command_id", "")) <= 128:
            return _error(400, 3100)
        if not isinstance(caller, dict) or not re.fullmatch(r"[0-9]{3,18}", str(payload.get("to_number"))):
            return _error(400, 3103)
        if caller.get("extension") not in self.employees:
            return _error(400, 3330)
        if payload.get("line_number", self.lines[0]) not in self.lines:
            return _error(400, 3124)
        self.placed.append(dict(payload))
        return Response(200, {"result": 1000})

    def _recording(self, payload: Mapping[str, Any]) -> Response:
        if payload.get("action") not in ("download", "play"):
            return _error(400, 3104)
        if payload.get("recording_id") not in self.recordings:
            return _error(404, 3320)
        link = f"https://files.mango-office.ru/{len(self.links) + 1:032x}"
        self.links.append(link)
        return Response(302, "", {"location": link})

    def _users(self, payload: Mapping[str, Any]) -> Response:
        with_ids = "general.user_id" in payload.get("ext_fields", [])
        users = [
            {
                "general": {"name": name, "email": "", **({"user_id": self._user(number)} if with_ids else {})},
                "telephony": {"extension": number, "outgoingline": self.lines[0], "numbers": []},
            }
            for number, name in self.employees.items()
        ]
        # An employee without a short number.
        users.append({"general": {"name": "Dana Reid", "email": ""}, "telephony": {"extension": "", "numbers": []}})
        return Response(200, {"users": users})

    def _request(self, payload: Mapping[str, Any]) -> Response:
        try:
            begin, end = (datetime.strptime(payload[name], _DATE) for name in ("start_date", "end_date"))
        except (KeyError, ValueError):
            return _error(400, 3111)
        if end - begin > _MONTH or int(payload.get("limit", 0)) not in _PAGES or "offset" not in payload:
            return _error(400, 3104)
        key = f"BK7TWiy3+Lku1yV0lfHJ{len(self._exports)}"
        self._exports[key] = (payload, self.polls)
        return Response(200, {"key": key})

    def _result(self, payload: Mapping[str, Any]) -> Response:
        if payload.get("key") not in self._exports:
            return Response(200, {"result": 1000, "status": "not-found"})
        query, polls = self._exports[payload["key"]]
        if polls > 0:
            self._exports[payload["key"]] = (query, polls - 1)
            return Response(200, {"result": 1000, "status": "work" if polls > 1 else "request"})
        begin, end = (
            datetime.strptime(query[name], _DATE).replace(tzinfo=_ZONE).timestamp()
            for name in ("start_date", "end_date")
        )
        rows = [call for call in self.contexts if begin <= call["context_start_time"] <= end]
        offset = int(query["offset"])
        days: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows[offset : offset + int(query["limit"])]:
            days[datetime.fromtimestamp(row["context_start_time"], UTC).date().isoformat()].append(row)
        data = [{"list": rows_of_day, "period": day} for day, rows_of_day in days.items()]
        return Response(200, {"result": 1000, "status": "complete", "data": data})


def _error(status: int, code: int) -> Response:
    return Response(status, {"result": code, "message": "a description that may repeat what was sent"})
