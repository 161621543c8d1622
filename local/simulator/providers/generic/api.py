"""A bridge that takes commands: one address, JSON, signed after Standard Webhooks with the bridge's key."""

import base64
import hmac
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from local.simulator.past import Sent, iso
from local.simulator.rest.base import Request, Response

PATH = "/hangtag"
TOLERANCE_SECONDS = 300


class Api:
    """One bridge. `events` are its history, in pages of `page`; `placed` are the requested calls."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._secret = credentials["bridge_key"]
        self.events: list[Mapping[str, Any]] = []
        self.page = 2
        self.placed: dict[str, Mapping[str, str]] = {}
        self.extensions: list[Mapping[str, Any]] = [
            {"extension": "101", "name": "Anna Petrova"},
            {"extension": "102", "name": "Boris Orlov"},
            {"extension": "103"},
        ]

    def credentials(self, url: str) -> Mapping[str, str]:
        """Return the account's credentials."""
        return {"bridge_url": url + PATH, "bridge_key": self._secret}

    def settings(self, url: str) -> Mapping[str, Any]:  # noqa: ARG002 - the address is a credential
        """Return the integration's settings."""
        return {}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:
        """Add the calls of a story that began at `started` to the history."""
        begun: dict[str, str] = {}
        for one in sent:
            body: Any = one.message.body or {}
            for event in body.get("events", [body]):
                begun.setdefault(event["call_id"], iso(one.at if begun else started))
                self.events.append({"at": iso(one.at), **event, "started_at": begun[event["call_id"]]})

    def placed_call_id(self, request: Request, response: Response) -> str | None:
        """See `ClickToCallRest`."""
        return str(response.body["call_id"]) if request.json.get("command") == "call" else None

    def respond(self, request: Request) -> Response:
        """Return the response to one command."""
        if request.path != PATH or request.method != "POST":
            return Response(404, {"error": "nothing here"})
        if not self._is_genuine(request):
            return Response(401, {"error": "wrong signature"})
        if request.headers.get("content-type") != "application/json" or not isinstance(request.json, dict):
            return Response(400, {"error": "no JSON object"})
        command: Mapping[str, Any] = request.json
        commands = {
            "ping": self._ping,
            "call": self._call,
            "recording": self._recording,
            "history": self._history,
            "extensions": self._extensions,
        }
        run = commands.get(command.get("command", ""))
        return run(command) if run is not None else Response(400, {"error": "unknown command"})

    def _is_genuine(self, request: Request) -> bool:
        message_id, sent_at = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        if not message_id or not sent_at.isdigit() or abs(time.time() - int(sent_at)) > TOLERANCE_SECONDS:
            return False
        key = base64.b64decode(self._secret.removeprefix("whsec_"))
        digest = hmac.digest(key, f"{message_id}.{sent_at}.".encode() + request.body, "sha256")
        return hmac.compare_digest(
            request.headers.get("webhook-signature", ""), "v1," + base64.b64encode(digest).decode()
        )

    def _ping(self, command: Mapping[str, Any]) -> Response:
        return Response(200) if set(command) == {"command"} else _wrong()

    def _call(self, command: Mapping[str, Any]) -> Response:
        needed = {"command", "extension", "number", "reference"}
        if not needed <= set(command) <= needed | {"line"} or not all(isinstance(one, str) for one in command.values()):
            return _wrong()
        if command["extension"] not in {one["extension"] for one in self.extensions}:
            return Response(422, {"error": f"{command['extension']} can't call {command['number']}"})
        # A repeated click returns the first call.
        self.placed[command["reference"]] = command
        return Response(202, {"call_id": f"call-{command['reference']}"})

    def _recording(self, command: Mapping[str, Any]) -> Response:
        if set(command) != {"command", "reference"}:
            return _wrong()
        return Response(200, {"url": f"https://bridge.example.com/once/{command['reference']}.wav"})

    def _history(self, command: Mapping[str, Any]) -> Response:
        if not {"command", "since", "until"} <= set(command) or command["since"] > command["until"]:
            return _wrong()
        begin = int(command.get("cursor", "0"))
        inside = [one for one in self.events if command["since"] <= one["started_at"] < command["until"]]
        more = {"next_cursor": str(begin + self.page)} if len(inside) > begin + self.page else {}
        return Response(200, {"events": inside[begin : begin + self.page], **more})

    def _extensions(self, command: Mapping[str, Any]) -> Response:
        return Response(200, {"extensions": self.extensions}) if set(command) == {"command"} else _wrong()


def _wrong() -> Response:
    return Response(400, {"error": "wrong parameters"})
