"""A PBX's side of the telephony API: makeCall and setup, with the key in the form; other requests are 400."""

import hmac
from collections.abc import Mapping
from typing import Any

from local.simulator.rest.base import Request, Response

_KEY = "pbx-key-0123456789abcdef"


class Api:
    """One PBX. `calls` are the requested calls, `set_up` the fields of the last setup."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._key = credentials.get("pbx_token", _KEY)
        self.calls: list[Mapping[str, str]] = []
        self.set_up: Mapping[str, str] = {}

    def credentials(self, url: str) -> Mapping[str, str]:
        """Return the account's credentials."""
        return {"pbx_url": f"{url}/planfix_api.php", "pbx_token": self._key}

    def settings(self, url: str) -> Mapping[str, Any]:  # noqa: ARG002 - the address is typed
        """Return the integration's settings."""
        return {}

    def placed_call_id(self, request: Request, response: Response) -> str | None:  # noqa: ARG002 - the response has no call id
        """See `ClickToCallRest`."""
        return "" if request.form.get("cmd") == "makeCall" else None

    def respond(self, request: Request) -> Response:
        """Return the response to one command."""
        if (request.method, request.path) != ("POST", "/planfix_api.php"):
            return Response(404, "Not found")
        if not hmac.compare_digest(request.form.get("token", "").encode(), self._key.encode()):
            return Response(401, {"error": "Invalid token"})
        fields = {name: value for name, value in request.form.items() if name != "token"}
        if fields.get("cmd") == "makeCall" and fields.get("from") and fields.get("to", "").isdigit():
            self.calls.append(fields)
            return Response(200)
        if fields.get("cmd") == "setup" and fields.get("planfix_token") and fields.get("planfix_url"):
            self.set_up = fields
            return Response(200)
        return Response(400, {"error": "Invalid parameters"})
