"""Client of the live channel: keeps a connection open and yields changes."""

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

# More doublings exceed every maximum pause.
_MOST_DOUBLINGS = 30
_PASSING = (TryLaterError, UnreachableError, UnavailableError, TooManyError, OSError)


class LiveClient:
    """The calls of one employee as they happen: `async with` connects, `async for` yields changes.

    Create it with the API's URL and an employee's token, or with `ticket` for programs with their own HTTP client: a
    function that sends POST /v1/live-tickets and returns the `url` of the response. OSError and TryLaterError of
    `ticket` are retried; its other errors end the client.

    A lost connection is opened again until it succeeds; `calls` keep their latest state. After the last change the
    iteration raises the error that ended the client: UnauthorizedError, ForbiddenError or ConflictError for a rejected
    token, BadInputError for a URL that never was the API's. The constructor raises BadInputError for an invalid URL or
    token; entering raises ImportError without the library websockets. Missed calls from a time without a connection are
    available at the API only.
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
        self._stood = False
        self._keeper: asyncio.Task[None] | None = None

    @property
    def calls(self) -> Mapping[str, Call]:
        """The latest state of each call that has a window, by id."""
        return self._board.calls

    async def __aenter__(self) -> Self:
        if self._keeper is not None:
            raise RuntimeError("a LiveClient is entered once: make another")
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
                # The program stopped reading: consume the error, so that asyncio does not log it.
                self._keeper.exception()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change:
        if self._keeper is None:
            raise RuntimeError("a LiveClient is read within: async with")
        while (change := self._unread.take()) is None:
            if self._keeper.done():
                if self._keeper.cancelled():
                    raise StopAsyncIteration
                self._keeper.result()
            await self._unread.news()
        return change

    # ------------------------------------------------------------------ connections

    async def _keep(self) -> None:
        """Keep a connection open until cancelled. Raise the error that ends the client."""
        try:
            current = await self._stand()
            while True:
                current = await self._next(current)
        finally:
            await asyncio.gather(*(link.close() for link in self._links))

    async def _next(self, current: Link) -> Link:
        """Wait until a connection has ended or nears its limit. Return the next connection."""
        why = await current.over(self._timing.renew_after - current.age)
        if current.age >= self._timing.lived:
            self._pauses.reset()
        if why is None:
            return await self._renew(current)
        log.warning("the connection is over: %s", why)
        self._links.remove(current)
        self._pauses.failed()
        return await self._stand()

    async def _renew(self, old: Link) -> Link:
        """Open another connection before the server ends this one, so that no message is lost between them."""
        fresh = await self._stand()
        while old.stands and not await fresh.synced(self._timing.synced_within):
            log.warning("the new connection is not used: it did not tell the open calls")
            self._pauses.failed()
            await self._drop(fresh)
            fresh = await self._stand()
        was_up = old.stands
        await self._drop(old)
        if was_up and fresh.stands:
            # Request again what arrived on the old connection only.
            await fresh.sync()
        return fresh

    async def _drop(self, link: Link) -> None:
        await link.close()
        self._links.remove(link)

    async def _stand(self) -> Link:
        """Connect, with retries. Raise errors that a retry cannot solve."""
        while True:
            await self._pauses.wait()
            try:
                link = await open_link(await self._ticket(), self._board, self._timing, self._hear, self._settle)
            except BadInputError as error:
                if not self._stood:
                    raise
                # The URL was right before: something in between responds in its place.
                self._failed(error)
            except _PASSING as error:
                self._failed(error)
            else:
                log.info("connected")
                self._stood = True
                self._links.append(link)
                return link

    def _failed(self, error: Exception) -> None:
        log.warning("not connected: %s", error if str(error) else type(error).__name__)
        self._pauses.failed(error.seconds if isinstance(error, TryLaterError) else None)

    # ------------------------------------------------------------------ messages

    def _hear(self, said: Call | Missed) -> None:
        change = self._board.hear(said)
        if change is not None:
            self._unread.put(change)

    def _settle(self, since: int) -> None:
        for change in self._board.settle(since):
            self._unread.put(change)


class Pauses:
    """Pauses between attempts: a random part of a doubling time, plus the server's Retry-After."""

    def __init__(self, timing: Timing, sleep: Sleep, draw: Callable[[], float]) -> None:
        self._timing = timing
        self._sleep = sleep
        self._draw = draw
        self._failures = 0
        self._wanted = 0.0

    def reset(self) -> None:
        """All was well: the next try is made at once."""
        self._failures, self._wanted = 0, 0.0

    def failed(self, wanted: float | None = None) -> None:
        """It was not; the server asked for so many seconds, if it did."""
        self._failures += 1
        self._wanted = wanted or 0.0

    async def wait(self) -> None:
        """Wait before the next try."""
        if self._failures:
            await self._sleep(self._wanted + self._draw() * self._longest())
            self._wanted = 0.0

    def _longest(self) -> float:
        doublings = min(self._failures - 1, _MOST_DOUBLINGS)
        return min(self._timing.longest_pause, self._timing.first_pause * 2.0**doublings)


def _tickets(api_url: str | None, token: str | None, ticket: Tickets | None) -> Tickets:
    if ticket is not None and api_url is None and token is None:
        return ticket
    if ticket is None and api_url is not None and token is not None:
        return ApiTickets(api_url, token)
    raise TypeError("a LiveClient is made with api_url and token, or with ticket")
