"""A telephony API PBX for tests: posts the events of calls and waits for the calls and tags at the API."""

import time
from dataclasses import dataclass
from typing import Any

import requests

from api_client import Caller, Office

WITHIN_SECONDS = 60.0
EVERY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Line:
    """The PBX of an office: posts events of calls and waits for their calls and tags."""

    office: Office
    number: str = "74951230001"

    def post(self, **form: str) -> requests.Response:
        """Post one webhook request."""
        form = {"planfix_token": self.office.integration["secrets"]["planfix_token"], **form}
        response = requests.post(self.office.integration["webhook_url"], data=form, timeout=60)
        assert response.status_code == 200, (response.status_code, response.text)
        return response

    def event(self, call_id: str, event: str, phone: str, ext: str = "101", **more: str) -> None:
        """Post one event, by default of an incoming call."""
        form = {"type": "in", "diversion": self.number, **more}
        self.post(cmd="event", event=event, callid=call_id, phone=phone, ext=ext, **form)

    def ring(self, call_id: str, phone: str, ext: str = "101", **more: str) -> None:
        """Let an extension ring."""
        self.event(call_id, "INCOMING", phone, ext, **more)

    def pick_up(self, call_id: str, phone: str, ext: str = "101") -> None:
        """Answer the call."""
        self.event(call_id, "ACCEPTED", phone, ext)

    def hang_up(self, call_id: str, phone: str, ext: str = "101", **more: str) -> None:
        """End the conversation."""
        self.event(call_id, "COMPLETED", phone, ext, **{"status": "Success", "duration": "9", **more})

    def miss(self, call_id: str, phone: str, ext: str = "101") -> None:
        """End the call without an answer, as the last extension that rings."""
        self.event(call_id, "COMPLETED", phone, ext, status="Missed", duration="0", final="1")

    def talk(self, call_id: str, phone: str, ext: str = "101", **more: str) -> dict[str, Any]:
        """Return the tag of an answered call."""
        self.ring(call_id, phone, ext)
        self.pick_up(call_id, phone, ext)
        self.hang_up(call_id, phone, ext, **more)
        return self.tag(call_id)

    def missed(self, call_id: str, phone: str, ext: str = "101") -> dict[str, Any]:
        """Return the tag of a missed call."""
        self.ring(call_id, phone, ext)
        self.miss(call_id, phone, ext)
        return self.tag(call_id)

    def call(self, call_id: str, **expected: Any) -> dict[str, Any]:
        """Return the call, once it has these values; by default, once its tag is decided."""

        def there(call: dict[str, Any]) -> bool:
            if expected:
                return all(call[name] == value for name, value in expected.items())
            return bool(call["tag_id"] or call["skip_reason"])

        place = {"integration_id": self.office.integration["id"], "pbx_call_id": call_id}
        return until(self.office.owner, "/v1/calls", place, there)

    def recording(self, call_id: str, *states: str) -> dict[str, Any]:
        """Return the call's latest recording, once it is in one of these states."""
        place = {"integration_id": self.office.integration["id"], "pbx_call_id": call_id}

        def there(call: dict[str, Any]) -> bool:
            return bool(call["recordings"]) and call["recordings"][-1]["state"] in states

        return dict(until(self.office.owner, "/v1/calls", place, there)["recordings"][-1])

    def tag(self, call_id: str, revision: int = 1) -> dict[str, Any]:
        """Return the call's tag, once it has that revision."""
        call = self.call(call_id)
        assert call["tag_id"], call["skip_reason"]
        path, there = "/v1/tags", {"call_id": call["id"]}
        return until(self.office.owner, path, there, lambda tag: bool(tag["revision"] >= revision))


def until(caller: Caller, path: str, params: dict[str, str], accept: Any) -> dict[str, Any]:
    """Poll a list until it has an accepted item, and return the first."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while True:
        items = caller.get(path, **params).json["items"]
        item = next((item for item in items if accept(item)), None)
        if item is not None:
            return dict(item)
        assert time.monotonic() < deadline, (path, params, items)
        # The API does not push changes.
        time.sleep(EVERY_SECONDS)


def values(tag: dict[str, Any]) -> dict[str, Any]:
    """Return a tag's fields by name."""
    return {field["name"]: field["value"] for field in tag["fields"]}
