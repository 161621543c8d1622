"""A bridge that takes commands: one address, JSON, signed after Standard Webhooks with the bridge's key."""

import base64
import hmac
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from local.simulator.past import Sent, iso
from local.simulator.rest.base import Asked, Reply

PATH = "/hangtag"
TOLERANCE_SECONDS = 300


class Api:
    """One bridge. `events` are its history, in pages of `page`; `placed` are the calls that it was asked for."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._secret = credentials["bridge_key"]
        self.events: list[Mapping[str, Any]] = []
        self.page = 2
        self.placed: dict[str, Mapping[str, str]] = {}
        self.known: list[Mapping[str, Any]] = [
            {"extension": "101", "name": "Anna Petrova"},
            {"extension": "102", "name": "Boris Orlov"},
            {"extension": "103"},
        ]

    def credentials(self, url: str) -> Mapping[str, str]:
        """The account's credentials."""
        return {"bridge_url": url + PATH, "bridge_key": self._secret}

    def settings(self, url: str) -> Mapping[str, Any]:  # noqa: ARG002 - the address is a credential
        """The integration's settings."""
        return {}

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:
        """Have its history know the calls of a story that began then."""
        begun: dict[str, str] = {}
        for one in sent:
            body: Any = one.message.body or {}
            for event in body.get("events", [body]):
                begun.setdefault(event["call_id"], iso(one.at if begun else started))
                self.events.append({"at": iso(one.at), **event, "started_at": begun[event["call_id"]]})

    def clicked(self, asked: Asked, reply: Reply) -> str | None:
        """See `TakesClicks`."""
        return str(reply.body["call_id"]) if asked.json.get("command") == "call" else None

    def answer(self, asked: Asked) -> Reply:
        """One command."""
        if asked.path != PATH or asked.method != "POST":
            return Reply(404, {"error": "nothing here"})
        if not self._is_genuine(asked):
            return Reply(401, {"error": "wrong signature"})
        if asked.headers.get("content-type") != "application/json" or not isinstance(asked.json, dict):
            return Reply(400, {"error": "no JSON object"})
        command: Mapping[str, Any] = asked.json
        commands = {
            "ping": self._ping,
            "call": self._call,
            "recording": self._recording,
            "history": self._history,
            "extensions": self._extensions,
        }
        run = commands.get(command.get("command", ""))
        return run(command) if run is not None else Reply(400, {"error": "unknown command"})

    def _is_genuine(self, asked: Asked) -> bool:
        message_id, sent_at = asked.headers.get("webhook-id", ""), asked.headers.get("webhook-timestamp", "")
        if not message_id or not sent_at.isdigit() or abs(time.time() - int(sent_at)) > TOLERANCE_SECONDS:
            return False
        key = base64.b64decode(self._secret.removeprefix("whsec_"))
        digest = hmac.digest(key, f"{message_id}.{sent_at}.".encode() + asked.body, "sha256")
        return hmac.compare_digest(
            asked.headers.get("webhook-signature", ""), "v1," + base64.b64encode(digest).decode()
        )

    def _ping(self, command: Mapping[str, Any]) -> Reply:
        return Reply(200) if set(command) == {"command"} else _wrong()

    def _call(self, command: Mapping[str, Any]) -> Reply:
        needed = {"command", "extension", "number", "reference"}
        if not needed <= set(command) <= needed | {"line"} or not all(isinstance(one, str) for one in command.values()):
            return _wrong()
        if command["extension"] not in {one["extension"] for one in self.known}:
            return Reply(422, {"error": f"{command['extension']} can't call {command['number']}"})
        # The same click again is the same call.
        self.placed[command["reference"]] = command
        return Reply(202, {"call_id": f"call-{command['reference']}"})

    def _recording(self, command: Mapping[str, Any]) -> Reply:
        if set(command) != {"command", "reference"}:
            return _wrong()
        return Reply(200, {"url": f"https://bridge.example.com/once/{command['reference']}.wav"})

    def _history(self, command: Mapping[str, Any]) -> Reply:
        if not {"command", "since", "until"} <= set(command) or command["since"] > command["until"]:
            return _wrong()
        begin = int(command.get("cursor", "0"))
        inside = [one for one in self.events if command["since"] <= one["started_at"] < command["until"]]
        more = {"next_cursor": str(begin + self.page)} if len(inside) > begin + self.page else {}
        return Reply(200, {"events": inside[begin : begin + self.page], **more})

    def _extensions(self, command: Mapping[str, Any]) -> Reply:
        return Reply(200, {"extensions": self.known}) if set(command) == {"command"} else _wrong()


def _wrong() -> Reply:
    return Reply(400, {"error": "wrong parameters"})
