"""A PBX that places a call on an API request, then posts the events of a story.

Its API is the fake of `local.simulator.rest`; its webhook requests are signed and posted as the simulated PBX does.
Telnyx calls the contact only on a second request, like the real one.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import requests

from local.simulator.lines import Line
from local.simulator.player import fresh_id
from local.simulator.rest import ClickToCallRest, Request, Response, Rest, Server, load, serving
from local.simulator.story import Message, Story, load_story, message

WITHIN_SECONDS = 60.0


@dataclass(slots=True)
class ClickedPbx:
    """The PBX, for one click at a time.

    `story` has the events of the call; None: it posts none. `lost`: its API response never arrives. `calls` are the ids
    of the placed calls.
    """

    provider: str
    api: Rest
    story: str | None = None
    lost: bool = False
    line: Line | None = None
    calls: list[str] = field(default_factory=list)
    server: Server = field(default_factory=lambda: Server(""))
    _threads: list[threading.Thread] = field(default_factory=list)
    _failed: list[BaseException] = field(default_factory=list)
    _second: threading.Event = field(default_factory=threading.Event)
    _legs: list[tuple[str, str]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _command: str = ""

    def credentials(self, url: str) -> Mapping[str, str]:
        """See `Rest`."""
        return self.api.credentials(url)

    def settings(self, url: str) -> Mapping[str, Any]:
        """See `Rest`."""
        return self.api.settings(url)

    def respond(self, request: Request) -> Response:
        """See `Rest`; an accepted click is placed in a thread."""
        reply = self.api.respond(request)
        if reply.status >= 300:
            return reply
        if request.path == "/v2/calls":
            # Telnyx: each leg is a command of its own.
            leg = (json.loads(reply.encoded())["data"]["call_control_id"], request.json["client_state"])
            if "link_to" in request.json:
                self._legs.append(leg)
                self._second.set()
            else:
                self._legs = [leg]
                self._second.clear()
        if request.path.endswith("/commands/callback"):
            self._command = str(json.loads(request.form["json"])["command_id"])
        named = cast("ClickToCallRest", self.api).placed_call_id(request, reply)
        if named is not None:
            self._place(named or fresh_id())
            if self.lost:
                self._over.wait(WITHIN_SECONDS)
        return reply

    def _place(self, call_id: str) -> None:
        self.calls.append(call_id)
        if self.story is None:
            return
        setting = load_story(self.story, self.provider)
        thread = threading.Thread(target=self._tell, args=(setting, call_id), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _tell(self, story: Story, call_id: str) -> None:
        try:
            self._post_all(story, call_id)
        except BaseException as error:
            self._failed.append(error)

    def _post_all(self, story: Story, call_id: str) -> None:
        assert self.line is not None
        ids = {name: fresh_id() for name in story.placeholders} | {"call": call_id}
        start = datetime.now(UTC)
        controls: list[str] = []
        for event in story.events:
            sent = self._as_asked(message(event, ids, start, datetime.now(UTC)), controls)
            signed = self.line.pbx.request(self.line.webhook_url, sent, self.line.secrets, datetime.now(UTC))
            answer = requests.request(
                signed.method, signed.url, headers=dict(signed.headers), data=signed.body, timeout=WITHIN_SECONDS
            )
            assert answer.status_code == event.reply, (story.name, answer.status_code, answer.text)

    def _as_asked(self, sent: Message, controls: list[str]) -> Message:
        """Fill in the references that Mango Office and Telnyx echo; the second leg of Telnyx waits for its request."""
        if "command_id" in (sent.body or {}):
            return replace(sent, body={**(sent.body or {}), "command_id": self._command})
        payload = (sent.body or {}).get("data", {}).get("payload", {})
        control = payload.get("call_control_id")
        if control is None:
            return sent
        if control not in controls:
            controls.append(control)
        place = controls.index(control)
        if place == 1:
            assert self._second.wait(WITHIN_SECONDS), "the contact was never called"
        own, state = self._legs[place]
        changed = {**payload, "call_control_id": own, "client_state": state}
        body = {**(sent.body or {}), "data": {**(sent.body or {})["data"], "payload": changed}}
        return replace(sent, body=body)

    def done(self) -> None:
        """Wait until all events are posted. Raise the first error of the threads."""
        for thread in self._threads:
            thread.join(WITHIN_SECONDS)
            assert not thread.is_alive()
        self._threads.clear()
        if self._failed:
            raise self._failed.pop()

    def close(self) -> None:
        """Release delayed responses."""
        self._over.set()


@contextmanager
def clickable(provider: str, typed: Mapping[str, str]) -> Iterator[ClickedPbx]:
    """Run a provider's PBX; `typed` are its credentials."""
    pbx = ClickedPbx(provider, load(provider)(typed))
    with serving(pbx) as server:
        pbx.server = server
        try:
            yield pbx
        finally:
            pbx.close()
