"""Zadarma's REST API: signed paths, one JSON form for success and one for errors."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from local.simulator.past import Sent, post_of
from local.simulator.rest.base import Request, Response

_NOTIFICATIONS = (
    "notify_start",
    "notify_internal",
    "notify_end",
    "notify_out_start",
    "notify_out_end",
    "notify_answer",
)


class Api:
    """One account. `rows` are its statistics, `extensions` its internal numbers, `set_up` the last settings."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._key, self._secret = credentials["api_key"], credentials["api_secret"]
        self.rows: list[dict[str, Any]] = []
        self.extensions: list[int] = [101, 102, 103, 104]
        self.set_up: dict[str, str] = {}

    def credentials(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the address is a setting
        """Return the account's credentials."""
        return {"api_key": self._key, "api_secret": self._secret}

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the integration's settings."""
        return {"api_url": url, "time_zone": "Europe/Moscow"}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:  # noqa: ARG002 - the events contain it
        """Add the calls of a story that began at `started` to the history."""
        recorded = {
            fields["pbx_call_id"]: fields["call_id_with_rec"]
            for fields in map(post_of, sent)
            if "call_id_with_rec" in fields
        }
        for fields in map(post_of, sent):
            if fields["event"] not in ("NOTIFY_END", "NOTIFY_OUT_END"):
                continue
            out, call_id = fields["event"] == "NOTIFY_OUT_END", fields["pbx_call_id"]
            destination = fields["destination"] if out else fields.get("internal", "")
            self.rows.append(
                {
                    "call_type": "out" if out else "in",
                    "call_id": recorded.get(call_id, ""),
                    "sip": fields["internal"] if out else "",
                    "callstart": fields["call_start"],
                    "clid": fields["caller_id"],
                    "destination": destination,
                    "disposition": fields["disposition"],
                    "seconds": int(fields["duration"]),
                    "is_recorded": "true" if call_id in recorded else "false",
                    "pbx_call_id": call_id,
                }
            )

    def placed_call_id(self, request: Request, response: Response) -> str | None:  # noqa: ARG002 - it names no call
        """See `ClickToCallRest`."""
        return "" if request.path == "/v1/request/callback/" else None

    def respond(self, request: Request) -> Response:
        """Return the response to one request."""
        encoded = request.query if request.method == "GET" else request.body.decode()
        if not hmac.compare_digest(
            request.headers.get("authorization", ""), self._authorization(request.path, encoded)
        ):
            return _error(401, "Not authorized")
        fields = dict(parse_qsl(encoded))
        routes = {
            ("GET", "/v1/request/callback/"): self._callback,
            ("GET", "/v1/pbx/record/request/"): self._record,
            ("GET", "/v1/statistics/pbx/"): self._statistics,
            ("GET", "/v1/pbx/internal/"): self._internal,
            ("POST", "/v1/pbx/callinfo/url/"): self._url,
            ("POST", "/v1/pbx/callinfo/notifications/"): self._notifications,
        }
        route = routes.get((request.method, request.path))
        return route(fields) if route is not None else _error(404, "Method not found")

    def _authorization(self, path: str, encoded: str) -> str:
        ordered = urlencode(sorted(parse_qsl(encoded, keep_blank_values=True)))
        signed = path + ordered + hashlib.md5(ordered.encode(), usedforsecurity=False).hexdigest()
        hexadecimal = hmac.new(self._secret.encode(), signed.encode(), "sha1").hexdigest()
        return f"{self._key}:{base64.b64encode(hexadecimal.encode()).decode()}"

    def _callback(self, fields: Mapping[str, str]) -> Response:
        if not fields.get("from") or not fields.get("to", "").isdigit() or "predicted" in fields:
            return _error(400, "Wrong parameters!")
        return _success({"from": fields["from"], "to": fields["to"], "time": 1435573082})

    def _record(self, fields: Mapping[str, str]) -> Response:
        if not 180 <= int(fields.get("lifetime", "1800")) <= 5184000 or not fields.get("call_id"):
            return _error(400, "Wrong parameters!")
        link = f"https://api.zadarma.com/v1/pbx/record/download/{fields['call_id']}.mp3"
        return _success({"link": link, "lifetime_till": "2026-11-23 13:00:00"})

    def _statistics(self, fields: Mapping[str, str]) -> Response:
        if fields.get("version") != "2" or fields.get("call_type") not in ("in", "out"):
            return _error(400, "Wrong parameters!")
        skip, limit = int(fields.get("skip", "0")), int(fields.get("limit", "1000"))
        if limit > 1000:
            return _error(400, "Wrong parameters!")
        rows = [
            {name: value for name, value in row.items() if name != "call_type"}
            for row in self.rows
            if row["call_type"] == fields["call_type"] and fields["start"] <= row["callstart"] < fields["end"]
        ]
        return _success(
            {"start": fields["start"], "end": fields["end"], "version": 2, "stats": rows[skip : skip + limit]}
        )

    def _internal(self, _: Mapping[str, str]) -> Response:
        return _success({"pbx_id": 1234, "numbers": self.extensions})

    def _url(self, fields: Mapping[str, str]) -> Response:
        if not fields.get("url"):
            return _error(400, "Wrong parameters!")
        self.set_up["url"] = fields["url"]
        return _success({"url": fields["url"]})

    def _notifications(self, fields: Mapping[str, str]) -> Response:
        flags = {name: value for name, value in fields.items() if name in _NOTIFICATIONS}
        if not flags or any(value not in ("true", "false") for value in flags.values()):
            return _error(400, "Wrong parameters!")
        self.set_up.update(flags)
        return _success(dict(flags))


def _success(more: Mapping[str, Any]) -> Response:
    return Response(200, {"status": "success", **more})


def _error(status: int, message: str) -> Response:
    return Response(status, {"status": "error", "message": message})
