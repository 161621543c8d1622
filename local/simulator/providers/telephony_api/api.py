"""A PBX's side of the telephony API: makeCall and setup, with the key in the form; anything else is 400."""

import hmac
from collections.abc import Mapping
from typing import Any

from local.simulator.rest.base import Asked, Reply

_KEY = "pbx-key-0123456789abcdef"


class Api:
    """One PBX. `calls` are those it was asked to make, `set_up` what it was told."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._key = credentials.get("pbx_token", _KEY)
        self.calls: list[Mapping[str, str]] = []
        self.set_up: Mapping[str, str] = {}

    def credentials(self, url: str) -> Mapping[str, str]:
        """The account's credentials."""
        return {"pbx_url": f"{url}/planfix_api.php", "pbx_token": self._key}

    def settings(self, url: str) -> Mapping[str, Any]:  # noqa: ARG002 - the address is typed
        """The integration's settings."""
        return {}

    def clicked(self, asked: Asked, reply: Reply) -> str | None:  # noqa: ARG002 - it names no call
        """See `TakesClicks`."""
        return "" if asked.form.get("cmd") == "makeCall" else None

    def answer(self, asked: Asked) -> Reply:
        """One command."""
        if (asked.method, asked.path) != ("POST", "/planfix_api.php"):
            return Reply(404, "Not found")
        if not hmac.compare_digest(asked.form.get("token", "").encode(), self._key.encode()):
            return Reply(401, {"error": "Invalid token"})
        fields = {name: value for name, value in asked.form.items() if name != "token"}
        if fields.get("cmd") == "makeCall" and fields.get("from") and fields.get("to", "").isdigit():
            self.calls.append(fields)
            return Reply(200)
        if fields.get("cmd") == "setup" and fields.get("planfix_token") and fields.get("planfix_url"):
            self.set_up = fields
            return Reply(200)
        return Reply(400, {"error": "Invalid parameters"})
