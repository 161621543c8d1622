"""One connection to the live channel."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from hangtag_client.live.board import Board
from hangtag_client.live.ticket import TryLaterError, check_live, retry_after
from hangtag_client.live.timing import Timing
from hangtag_client.live.values import Call, Missed, Signal, read

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

__all__ = ["Link", "need_library", "open_link"]

# The maximum of API Gateway.
MAX_FRAME_BYTES = 128 * 1024

Apply = Callable[["Call | Missed"], None]
Settle = Callable[[int], None]


def need_library() -> None:
    """Raise ImportError with the command to install if the library is missing."""
    try:
        import websockets.asyncio.client  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "The live channel requires the library websockets: pip install ./clients/hangtag_client"
        ) from error


async def open_link(url: str, board: Board, timing: Timing, apply: Apply, settle: Settle) -> "Link":
    """Connect to the address of a ticket.

    Raises BadInputError for an invalid address, TryLaterError if the connection is rejected. The message does not
    contain the address, which includes the ticket.
    """
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus, WebSocketException

    # Later messages of another connection can be missing from the first messages of this one.
    since = board.moment()
    try:
        socket = await connect(
            check_live(url),
            open_timeout=timing.open_within,
            close_timeout=timing.close_within,
            # The server's gateway counts messages; the client sends its own pings.
            ping_interval=None,
            max_size=MAX_FRAME_BYTES,
            compression=None,
            user_agent_header="hangtag-live",
            # Like all outgoing requests.
            proxy=None,
        )
    except InvalidStatus as error:
        response = error.response
        if response.status_code in (401, 403):
            raise TryLaterError("the ticket was rejected") from None
        seconds = retry_after(response.headers.get("Retry-After"))
        raise TryLaterError(f"the live channel returned HTTP {response.status_code}", seconds) from None
    except (WebSocketException, OSError, UnicodeError) as error:
        raise TryLaterError(f"the live channel did not respond ({type(error).__name__})") from None
    return Link(socket, since, board, timing, apply, settle)


class Link:
    """An open connection. A task reads it and sends pings until it ends."""

    def __init__(
        self, socket: "ClientConnection", since: int, board: Board, timing: Timing, apply: Apply, settle: Settle
    ) -> None:
        self._socket = socket
        self._since = since
        self._board = board
        self._timing = timing
        self._apply = apply
        self._settle = settle
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self._opened_at = self._clock()
        self._ping_at = self._opened_at + timing.ping_every
        self._pong_by: float | None = None
        self._leaving = False
        self._synced = False
        self._first_synced = loop.create_future()
        self._task = asyncio.create_task(self._read(), name="hangtag live link")
        self._task.add_done_callback(lambda _: self._note_synced())

    @property
    def stands(self) -> bool:
        """True while the connection is open."""
        return not self._task.done()

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return self._clock() - self._opened_at

    async def over(self, seconds: float) -> str | None:
        """Wait so long for its end; why it ended, None if it did not."""
        await asyncio.wait({self._task}, timeout=max(seconds, 0.0))
        return self._task.result() if self._task.done() else None

    async def synced(self, seconds: float) -> bool:
        """Wait so long until all open calls were sent; whether they were, and it stands."""
        await asyncio.wait({self._first_synced}, timeout=seconds)
        return self._synced and self.stands

    async def sync(self) -> None:
        """Ask for all open calls again; nothing if it is over meanwhile."""
        from websockets.exceptions import ConnectionClosed

        if self._synced:
            # Else the first answer is still to come, and knows nothing of what is heard from now on.
            self._since = self._board.moment()
        with suppress(ConnectionClosed):
            await self._send("sync")

    async def close(self) -> None:
        """Close the connection. Messages that arrive until the server has closed its side are still read."""
        self._leaving = True
        await self._socket.close()
        await asyncio.wait({self._task})

    async def _read(self) -> str:
        from websockets.exceptions import ConnectionClosed

        try:
            while True:
                try:
                    # Even after the deadline, read frames that have already arrived.
                    async with asyncio.timeout_at(self._deadline()):
                        frame = await self._socket.recv()
                except TimeoutError:
                    if self._leaving:
                        continue
                    if self._pong_by is not None:
                        # The peer is gone, so a closing handshake is useless.
                        self._socket.transport.abort()
                        return "a ping was not answered"
                    await self._ping()
                else:
                    self._process(frame)
        except ConnectionClosed as closed:
            return f"closed with {closed.rcvd.code}" if closed.rcvd else "the connection was lost"

    def _deadline(self) -> float | None:
        """Return the deadline for the next frame, by the loop's clock."""
        if self._leaving:
            # Closing has its own time limit. A ping would wait for it and leave frames unread.
            return None
        return self._ping_at if self._pong_by is None else self._pong_by

    async def _ping(self) -> None:
        at = self._clock()
        self._ping_at, self._pong_by = at + self._timing.ping_every, at + self._timing.pong_within
        await self._send("ping")
        if not self._synced:
            await self._send("sync")

    def _process(self, frame: str | bytes) -> None:
        match read(frame):
            case Signal.PONG:
                self._pong_by = None
            case Signal.SYNCED:
                self._synced = True
                self._settle(self._since)
                self._note_synced()
            case Call() | Missed() as message:
                self._apply(message)

    def _note_synced(self) -> None:
        if not self._first_synced.done():
            self._first_synced.set_result(None)

    async def _send(self, kind: str) -> None:
        await self._socket.send(json.dumps({"type": kind}))
