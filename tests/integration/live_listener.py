"""A client of the live channel for tests: records its messages and waits for expected ones."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from api_client import Caller

WITHIN_SECONDS = 60.0

Message = dict[str, Any]


class Listener:
    """One connection; `messages` are in the order of their arrival."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._came = threading.Condition()
        self.messages: list[Message] = []
        # Arrival times of the messages, by time.perf_counter.
        self.arrivals: list[float] = []
        self.closed = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for frame in self._socket:
                arrived = time.perf_counter()
                with self._came:
                    self.arrivals.append(arrived)
                    self.messages.append(json.loads(frame))
                    self._came.notify_all()
        except ConnectionClosed:
            pass
        with self._came:
            self.closed = True
            self._came.notify_all()

    def send(self, kind: str) -> None:
        """Send a message of that type."""
        self._socket.send(json.dumps({"type": kind}))

    def until(self, accept: Callable[[Message], bool]) -> Message:
        """Return the first accepted message, once it has arrived."""

        def first() -> Message | None:
            return next((message for message in self.messages if accept(message)), None)

        with self._came:
            assert self._came.wait_for(lambda: first() is not None, WITHIN_SECONDS), self.messages
        return first() or {}

    def until_closed(self) -> None:
        """Wait until the other side closed the connection."""
        with self._came:
            assert self._came.wait_for(lambda: self.closed, WITHIN_SECONDS)

    def call(self, window_state: str, **fields: Any) -> Message:
        """Return the first message of a call with this window state and these fields, once it has arrived."""
        expected = {"window_state": window_state, **fields}

        def fits(message: Message) -> bool:
            call = message.get("call", {})
            return all(call.get(name) == value for name, value in expected.items())

        return dict(self.until(fits)["call"])

    def states(self) -> list[str]:
        """Return the window states of all messages of calls, without immediate repetitions."""
        states = [message["call"]["window_state"] for message in self.messages if message["type"] == "call"]
        return [state for place, state in enumerate(states) if place == 0 or states[place - 1] != state]

    def all(self) -> list[Message]:
        """Return all messages about calls; those sent before this request have arrived."""
        before = sum(message["type"] == "pong" for message in self.messages)
        self.send("ping")
        with self._came:
            arrived = self._came.wait_for(
                lambda: sum(message["type"] == "pong" for message in self.messages) > before, WITHIN_SECONDS
            )
            assert arrived, self.messages
        return [message for message in self.messages if message["type"] not in ("pong", "synced", "hello")]


@contextmanager
def listening(caller: Caller) -> Iterator[Listener]:
    """Connect to the live channel with a token, and wait until the open calls have arrived."""
    ticket = caller.create("/v1/live-tickets", {})
    # A busy machine responds late.
    with connect(ticket["url"], open_timeout=WITHIN_SECONDS, ping_interval=None) as socket:
        listener = Listener(socket)
        listener.until(lambda message: message["type"] == "synced")
        yield listener
