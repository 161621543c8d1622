"""Mango Office's REST API: signed forms, reports in two steps, links to recordings in a redirect."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from local.simulator.past import Sent
from local.simulator.rest.base import Asked, Reply

_CLOCK = ZoneInfo("Europe/Moscow")
_LIMITS = ("1", "5", "10", "20", "50", "100", "500", "1000", "2000", "5000")


class Api:
    """One PBX. `rows` are its calls, `placed` the callbacks that were asked for, `work` how long a report takes."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._key, self._salt = credentials["vpbx_api_key"], credentials["vpbx_api_salt"]
        self.rows: list[dict[str, Any]] = []
        self.placed: list[Mapping[str, Any]] = []
        self.work = 1
        self._reports: dict[str, tuple[int, list[dict[str, Any]]]] = {}
        self.users = [
            {"general": {"name": "Anna Petrova"}, "telephony": {"extension": "101"}},
            {"general": {"name": "Boris Orlov"}, "telephony": {"extension": 102}},
            {"general": {"name": "No phone"}, "telephony": {"extension": None}},
        ]

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """The account's credentials."""
        return {"vpbx_api_key": self._key, "vpbx_api_salt": self._salt}

    def settings(self, url: str) -> Mapping[str, Any]:
        """The integration's settings."""
        return {"api_url": f"{url}/vpbx"}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:
        """Have its reports know the calls of a story that began then."""
        rows: dict[str, dict[str, Any]] = {}
        for one in sent:
            said: Any = one.message.body
            row = rows.setdefault(said["entry_id"], {"entry_id": said["entry_id"], "context_calls": []})
            match one.message.rest:
                case "events/call":
                    _leg(row, said, one.at)
                case "events/summary":
                    _sum_up(row, said, started, one.at)
                case "events/record/added":
                    row["recording_id"] = said["recording_id"]
        for row in rows.values():
            named = row.pop("recording_id", None)
            if named:
                row["context_calls"][-1]["recording_id"] = [named]
            self.rows.append(row)

    def clicked(self, asked: Asked, reply: Reply) -> str | None:  # noqa: ARG002 - it names no call
        """See `TakesClicks`."""
        return "" if asked.path == "/vpbx/commands/callback" else None

    def answer(self, asked: Asked) -> Reply:
        """One request."""
        fields = asked.form if asked.method == "POST" else {}
        said = fields.get("json", "")
        good = hashlib.sha256((self._key + said + self._salt).encode()).hexdigest()
        if fields.get("vpbx_api_key") != self._key or not hmac.compare_digest(fields.get("sign", ""), good):
            return Reply(401, {"name": "Unauthorized", "message": "wrong sign"})
        routes = {
            "/vpbx/commands/callback": self._callback,
            "/vpbx/queries/recording/post": self._recording,
            "/vpbx/stats/calls/request/": self._request,
            "/vpbx/stats/calls/result/": self._result,
            "/vpbx/config/users/request": self._users,
        }
        route = routes.get(asked.path)
        return route(json.loads(said)) if route is not None else Reply(404, {"message": "no such method"})

    def _callback(self, said: Mapping[str, Any]) -> Reply:
        if not said.get("command_id") or not str(said.get("to_number", "")).isdigit():
            return Reply(400, {"result": 3100})
        if not str(said.get("from", {}).get("extension", "")).isdigit():
            return Reply(400, {"result": 3330})
        self.placed.append(said)
        return Reply(200, {"result": 1000})

    def _recording(self, said: Mapping[str, Any]) -> Reply:
        if not said.get("recording_id") or said.get("action") not in ("download", "play"):
            return Reply(400, {"result": 3100})
        link = f"https://files.mango-office.ru/once/{said['recording_id']}.mp3"
        return Reply(302, "", {"location": link})

    def _request(self, said: Mapping[str, Any]) -> Reply:
        try:
            begin, end = (_date(said[name]) for name in ("start_date", "end_date"))
        except (KeyError, ValueError):
            return Reply(400, {"result": 3100})
        if said.get("limit") not in _LIMITS or (end - begin).days > 31:
            return Reply(400, {"result": 3100})
        found = [row for row in self.rows if begin.timestamp() <= row["context_start_time"] < end.timestamp()]
        offset = int(said.get("offset", "0"))
        key = f"report-{len(self._reports)}"
        self._reports[key] = (self.work, found[offset : offset + int(said["limit"])])
        return Reply(200, {"key": key})

    def _result(self, said: Mapping[str, Any]) -> Reply:
        left, rows = self._reports.get(said.get("key", ""), (0, None))
        if rows is None:
            return Reply(200, {"status": "not-found"})
        if left:
            self._reports[said["key"]] = (left - 1, rows)
            return Reply(200, {"status": "work"})
        return Reply(200, {"status": "complete", "data": [{"list": rows}]})

    def _users(self, _: Mapping[str, Any]) -> Reply:
        return Reply(200, {"users": self.users})


def _leg(row: dict[str, Any], said: Mapping[str, Any], at: datetime) -> None:
    extension = said["to"].get("extension") or said["from"].get("extension")
    if extension is None:
        return
    legs = {leg["call_abonent_number"]: leg for leg in row["context_calls"]}
    leg = legs.get(extension)
    if leg is None:
        leg = {"call_abonent_number": extension, "call_answer_time": 0, "call_end_reason": 0, "recording_id": []}
        row["context_calls"].append(leg)
    if said["call_state"] == "Connected" and not ("command_id" in said and "extension" in said["to"]):
        leg["call_answer_time"] = int(at.timestamp())
    if said["call_state"] == "Disconnected":
        leg["call_end_reason"] = said.get("disconnect_reason", 0)


def _sum_up(row: dict[str, Any], said: Mapping[str, Any], started: datetime, at: datetime) -> None:
    out = said["call_direction"] == "2"
    begun = int(started.timestamp())
    row |= {"context_type": int(said["call_direction"]), "context_start_time": begun, "context_status": 1}
    row |= {"caller_number": said["from"].get("number") or said["from"]["extension"]}
    row |= {"called_number": said["to"]["number"] if out else said["line_number"]}
    row["duration"] = int(at.timestamp()) - begun
    row["talk_duration"] = int(said["end_time"]) - int(said["talk_time"]) if said["talk_time"] != "0" else 0


def _date(said: str) -> datetime:
    return datetime.strptime(said, "%d.%m.%Y %H:%M:%S").replace(tzinfo=_CLOCK).astimezone(UTC)
