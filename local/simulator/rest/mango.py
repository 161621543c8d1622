"""Mango Office's API: signed forms with JSON in them, codes of four digits, and statistics in two steps."""

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
from local.simulator.rest.base import Asked, Reply

_ZONE = timezone(timedelta(hours=3))
_PAGES = (1, 5, 10, 20, 50, 100, 500, 1000, 2000, 5000)
_MONTH = timedelta(days=28)
_DATE = "%d.%m.%Y %H:%M:%S"
_BLOCK_SECONDS = 120.0
# What the notifications call a direction, and the statistics.
_CONTEXTS = {0: 3, 1: 1, 2: 2}
_CALLBACK_KEYS = {"command_id", "from", "to_number", "line_number", "sip_headers"}


class Api:
    """One account. `contexts` are the calls of its statistics, `placed` the callbacks that were asked for.

    `polls` is how often statistics are still being made before they are ready, `links` the addresses that it gave out.
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
        self._asked: dict[str, tuple[Mapping[str, Any], int]] = {}

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """The account's credentials."""
        return {"vpbx_api_key": self._key, "vpbx_api_salt": self._salt}

    def settings(self, url: str) -> Mapping[str, Any]:
        """The integration's settings."""
        return {"api_url": f"{url}/vpbx"}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:  # noqa: ARG002 - the events say it
        """Have its history know the calls of a story that began then."""
        told: dict[str, list[tuple[str, Any]]] = defaultdict(list)
        for one in sent:
            said: Any = one.message.body or {}
            if "entry_id" in said:
                told[said["entry_id"]].append((one.message.rest, said))
        for events in told.values():
            context = self._context(events)
            if context is not None:
                self.contexts.append(context)

    def _context(self, events: Sequence[tuple[str, Any]]) -> dict[str, Any] | None:
        """What the statistics say of one call, once its summary was sent."""
        summary = next((said for rest, said in events if rest == "events/summary"), None)
        if summary is None:
            return None
        direction = _CONTEXTS[int(summary["call_direction"])]
        begun, ended, talked = (int(summary[name]) for name in ("create_time", "end_time", "talk_time"))
        legs = self._legs([said for rest, said in events if rest == "events/call"], direction)
        for _, said in events:
            named = said.get("recording_id")
            # A recording is of the leg that talked.
            of = next((leg for leg in legs if leg["call_answer_time"]), None)
            if named and of is not None and named not in of["recording_id"]:
                of["recording_id"].append(named)
                self.recordings.add(named)
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
        """The legs that rang somebody; those of a group are its members."""
        found: dict[str, dict[str, Any]] = {}
        group: list[dict[str, Any]] = []
        consulted: set[str] = set()
        for said in events:
            if said["location"] != "abonent":
                continue
            caller, called, state, at = said["from"], said["to"], said["call_state"], int(said["timestamp"])
            name = said["call_id"]
            leg = found.get(name)
            if leg is None:
                is_out = direction == 2
                leg = found[name] = {
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
            asks = direction != 3 and caller.get("extension") and called.get("extension")
            if asks:
                consulted.add(name)
            elif state == "Connected":
                leg["call_answer_time"] = leg["call_answer_time"] or at
            if state == "Disconnected":
                leg |= {"call_end_time": at, "call_end_reason": int(said["disconnect_reason"])}
                leg["ConsultTransfer"] = name in consulted
            leg["BlindTransfer"] |= said.get("transfer") == "blind" and name not in consulted
        for leg in found.values():
            answered, ended = leg["call_answer_time"], leg["call_end_time"]
            leg["talk_duration"] = ended - answered if answered and ended else 0
        if not group:
            return list(found.values())
        first = {
            **group[0],
            "call_type": "group",
            "call_abonent_id": 10051192,
            "external_call_id": "",
            "members": group,
        }
        return [{**first, "recording_id": []}, *(leg for leg in found.values() if leg not in group)]

    def _user(self, extension: object) -> int | None:
        return 300000000 + int(str(extension)) if extension else None

    # -------------------------------------------------------------- what is asked

    def clicked(self, asked: Asked, reply: Reply) -> str | None:  # noqa: ARG002 - it names no call
        """See `TakesClicks`."""
        return "" if asked.path.endswith("/commands/callback") else None

    def answer(self, asked: Asked) -> Reply:
        """One request. Two wrong ones within two minutes, and nothing is answered until they are over."""
        if self._wrong_at is not None and self.clock() - self._wrong_at >= _BLOCK_SECONDS:
            self._wrong_at, self._blocked = None, False
        if self._blocked:
            return Reply(401, {"name": "Unauthorized", "code": 0, "status": 401})
        reply = self._answer(asked)
        if reply.status >= 400:
            if self._wrong_at is not None:
                self._blocked = True
                return Reply(401, {"name": "Unauthorized", "code": 0, "status": 401})
            self._wrong_at = self.clock()
        return reply

    def _answer(self, asked: Asked) -> Reply:
        if asked.method != "POST":
            return _error(405, 3101)
        fields = asked.form
        if not hmac.compare_digest(fields.get("vpbx_api_key", "").encode(), self._key.encode()):
            return _error(400, 3105)
        said = fields.get("json", "")
        signed = hashlib.sha256(f"{self._key}{said}{self._salt}".encode()).hexdigest()
        if set(fields) != {"vpbx_api_key", "sign", "json"} or not hmac.compare_digest(fields["sign"], signed):
            return _error(400, 3102)
        try:
            parameters = json.loads(said)
        except ValueError:
            return _error(400, 3400)
        routes = {
            "/vpbx/commands/callback": self._callback,
            "/vpbx/queries/recording/post": self._recording,
            "/vpbx/config/users/request": self._users,
            "/vpbx/stats/calls/request": self._request,
            "/vpbx/stats/calls/result": self._result,
        }
        route = routes.get(asked.path.rstrip("/"))
        return route(parameters) if route is not None else _error(404, 3000)

    def _callback(self, said: Mapping[str, Any]) -> Reply:
        caller = said.get("from")
        if not said.keys() <= _CALLBACK_KEYS or not 0 < len(said.get("command_id", "")) <= 128:
            return _error(400, 3100)
        if not isinstance(caller, dict) or not re.fullmatch(r"[0-9]{3,18}", str(said.get("to_number"))):
            return _error(400, 3103)
        if caller.get("extension") not in self.employees:
            return _error(400, 3330)
        if said.get("line_number", self.lines[0]) not in self.lines:
            return _error(400, 3124)
        self.placed.append(dict(said))
        return Reply(200, {"result": 1000})

    def _recording(self, said: Mapping[str, Any]) -> Reply:
        if said.get("action") not in ("download", "play"):
            return _error(400, 3104)
        if said.get("recording_id") not in self.recordings:
            return _error(404, 3320)
        link = f"https://files.mango-office.ru/{len(self.links) + 1:032x}"
        self.links.append(link)
        return Reply(302, "", {"location": link})

    def _users(self, said: Mapping[str, Any]) -> Reply:
        with_ids = "general.user_id" in said.get("ext_fields", [])
        users = [
            {
                "general": {"name": name, "email": "", **({"user_id": self._user(number)} if with_ids else {})},
                "telephony": {"extension": number, "outgoingline": self.lines[0], "numbers": []},
            }
            for number, name in self.employees.items()
        ]
        # Not everybody has a short number.
        users.append({"general": {"name": "Dana Reid", "email": ""}, "telephony": {"extension": "", "numbers": []}})
        return Reply(200, {"users": users})

    def _request(self, said: Mapping[str, Any]) -> Reply:
        try:
            begin, end = (datetime.strptime(said[name], _DATE) for name in ("start_date", "end_date"))
        except (KeyError, ValueError):
            return _error(400, 3111)
        if end - begin > _MONTH or int(said.get("limit", 0)) not in _PAGES or "offset" not in said:
            return _error(400, 3104)
        key = f"BK7TWiy3+Lku1yV0lfHJ{len(self._asked)}"
        self._asked[key] = (said, self.polls)
        return Reply(200, {"key": key})

    def _result(self, said: Mapping[str, Any]) -> Reply:
        if said.get("key") not in self._asked:
            return Reply(200, {"result": 1000, "status": "not-found"})
        asked, polls = self._asked[said["key"]]
        if polls > 0:
            self._asked[said["key"]] = (asked, polls - 1)
            return Reply(200, {"result": 1000, "status": "work" if polls > 1 else "request"})
        begin, end = (
            datetime.strptime(asked[name], _DATE).replace(tzinfo=_ZONE).timestamp()
            for name in ("start_date", "end_date")
        )
        rows = [one for one in self.contexts if begin <= one["context_start_time"] <= end]
        offset = int(asked["offset"])
        days: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows[offset : offset + int(asked["limit"])]:
            days[datetime.fromtimestamp(row["context_start_time"], UTC).date().isoformat()].append(row)
        data = [{"list": found, "period": day} for day, found in days.items()]
        return Reply(200, {"result": 1000, "status": "complete", "data": data})


def _moment(said: str) -> float:
    return datetime.strptime(said, _DATE).replace(tzinfo=_ZONE).timestamp()


def _error(status: int, code: int) -> Reply:
    return Reply(status, {"result": code, "message": "a description that may repeat what was sent"})
