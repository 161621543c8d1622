"""Client that keeps one connection to the live channel open and yields changes."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

from hangtag.errors import BadInputError, TooManyError, UnavailableError, UnreachableError
from hangtag_client.live.board import Board, Unread
from hangtag_client.live.link import Link, need_library, open_link
from hangtag_client.live.ticket import ApiTickets, TryLaterError
from hangtag_client.live.timing import Timing
from hangtag_client.live.values import Call, Change, Missed

__all__ = ["LiveClient", "Pauses"]

Tickets = Callable[[], Awaitable[str]]
Sleep = Callable[[float], Awaitable[None]]

log = logging.getLogger("hangtag_client.live")

# More doublings than any longest pause allows.
_MOST_DOUBLINGS = 30
_TEMPORARY = (TryLaterError, UnreachableError, UnavailableError, TooManyError, OSError)


class LiveClient:
    """Changes in the calls of one employee: `async with` connects, `async for` yields the changes.

    Create it with the API's address and an employee's token, or with `ticket`, for programs with their own HTTP client:
    a function that requests POST /v1/live-tickets and returns the `url` of the response. It raises OSError or
    TryLaterError for temporary errors; any other exception ends the client.

    A lost connection is opened again, without a limit of attempts; meanwhile `calls` keep their last state. A permanent
    error is raised from the iteration after all earlier changes were read: UnauthorizedError, ForbiddenError or
    ConflictError for a token without access, BadInputError for an address that never was the API's. The constructor
    raises BadInputError for an invalid address or token; entering raises ImportError if the library websockets is
    missing. Missed calls from the time without a connection are in the API only.
    """

    def __init__(
        self,
        api_url: str | None = None,
        token: str | None = None,
        *,
        ticket: Tickets | None = None,
        timing: Timing | None = None,
        sleep: Sleep = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._ticket = _tickets(api_url, token, ticket)
        self._timing = timing or Timing()
        self._pauses = Pauses(self._timing, sleep, draw)
        self._board = Board()
        self._unread = Unread()
        self._links: list[Link] = []
        self._was_connected = False
        self._keeper: asyncio.Task[None] | None = None

    @property
    def calls(self) -> Mapping[str, Call]:
        """The newest state of every call that has a window, by id."""
        return self._board.calls

    async def __aenter__(self) -> Self:
        if self._keeper is not None:
            raise RuntimeError("A LiveClient can be entered once. Create another one.")
        need_library()
        self._keeper = asyncio.create_task(self._keep(), name="hangtag live")
        self._keeper.add_done_callback(lambda _: self._unread.wake())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
            if not self._keeper.cancelled():
                # Mark the exception as retrieved: the program stopped reading.
                self._keeper.exception()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change:
        if self._keeper is None:
            raise RuntimeError("Read a LiveClient within `async with`.")
        while (change := self._unread.pop()) is None:
            if self._keeper.done():
                if self._keeper.cancelled():
                    raise StopAsyncIteration
                self._keeper.result()
            await self._unread.wait()
        return change

    # ------------------------------------------------------------------ connections

    async def _keep(self) -> None:
        """Keep a connection open until cancelled. Raises permanent errors."""
        try:
            current = await self._connect()
            while True:
                current = await self._next(current)
        finally:
            await asyncio.gather(*(link.close() for link in self._links))

    async def _next(self, current: Link) -> Link:
        """Wait until a connection ends or must be renewed. Return its successor."""
        reason = await current.over(self._timing.renew_after - current.age)
        if current.age >= self._timing.lived:
            self._pauses.reset()
        if reason is None:
            return await self._renew(current)
        log.warning("Disconnected: %s.", reason)
        self._links.remove(current)
        self._pauses.failed()
        return await self._connect()

    async def _renew(self, old: Link) -> Link:
        """Open another connection before the server ends this one, so that no change is missed."""
        fresh = await self._connect()
        while old.stands and not await fresh.synced(self._timing.synced_within):
            log.warning("The new connection sent no list of open calls and is not used.")
            self._pauses.failed()
            await self._drop(fresh)
            fresh = await self._connect()
        was_up = old.stands
        await self._drop(old)
        if was_up and fresh.stands:
            # Request again what only the old connection received in the meantime.
            await fresh.sync()
        return fresh

    async def _drop(self, link: Link) -> None:
        await link.close()
        self._links.remove(link)

    async def _connect(self) -> Link:
        """Connect, with any number of attempts. Raises permanent errors."""
        while True:
            await self._pauses.wait()
            try:
                link = await open_link(await self._ticket(), self._board, self._timing, self._apply, self._settle)
            except BadInputError as error:
                if not self._was_connected:
                    raise
                # The address was correct before, so a proxy responds in its place.
                self._failed(error)
            except _TEMPORARY as error:
                self._failed(error)
            else:
                log.info("Connected.")
                self._was_connected = True
                self._links.append(link)
                return link

    def _failed(self, error: Exception) -> None:
        log.warning("Not connected: %s", error if str(error) else type(error).__name__)
        self._pauses.failed(error.seconds if isinstance(error, TryLaterError) else None)

    # ------------------------------------------------------------------ messages

    def _apply(self, message: Call | Missed) -> None:
        change = self._board.apply(message)
        if change is not None:
            self._unread.put(change)

    def _settle(self, since: int) -> None:
        for change in self._board.settle(since):
            self._unread.put(change)


class Pauses:
    """Pauses between attempts: a random part of a time that doubles, plus the server's Retry-After."""

    def __init__(self, timing: Timing, sleep: Sleep, draw: Callable[[], float]) -> None:
        self._timing = timing
        self._sleep = sleep
        self._draw = draw
        self._failures = 0
        self._retry_after = 0.0

    def reset(self) -> None:
        """Make the next attempt without a pause."""
        self._failures, self._retry_after = 0, 0.0

    def failed(self, retry_after: float | None = None) -> None:
        """Count a failed attempt. `retry_after` is the pause that the server requests, in seconds."""
        self._failures += 1
        self._retry_after = retry_after or 0.0

    async def wait(self) -> None:
        """Wait before the next attempt."""
        if self._failures:
            await self._sleep(self._retry_after + self._draw() * self._longest())
            self._retry_after = 0.0

    def _longest(self) -> float:
        doublings = min(self._failures - 1, _MOST_DOUBLINGS)
        return min(self._timing.longest_pause, self._timing.first_pause * 2.0**doublings)


def _tickets(api_url: str | None, token: str | None, ticket: Tickets | None) -> Tickets:
    if ticket is not None and api_url is None and token is None:
        return ticket
    if ticket is None and api_url is not None and token is not None:
        return ApiTickets(api_url, token)
    raise TypeError("Create a LiveClient with api_url and token, or with ticket.")
