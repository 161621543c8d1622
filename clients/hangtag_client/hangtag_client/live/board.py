"""What is known of calls, and what the program has not read yet. Nothing here waits for a network."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from hangtag_client.live.values import Call, Change, Missed

__all__ = ["Board", "Unread"]

# So many calls that are over, and missed calls, are remembered, to know what comes late or twice.
REMEMBERED = 1000
# Who is so many changes behind does not read at all.
MAX_UNREAD = 1000


class Board:
    """The calls that have a window, by the newest that was heard of each. Pure.

    Connections may overlap, and messages come late or twice: the higher `seq` counts. A moment is a number that grows
    with each thing heard, so that what was heard before a sync is told from what was heard since.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._open: dict[str, Call] = {}
        self._heard: dict[str, int] = {}
        self._over: dict[str, int] = {}
        self._missed: dict[str, int] = {}
        self._moment = 0
        self._remembered = remembered

    @property
    def calls(self) -> Mapping[str, Call]:
        """The calls that have a window, by id, as of now."""
        return MappingProxyType(dict(self._open))

    def moment(self) -> int:
        """A moment after all before and before all after."""
        self._moment += 1
        return self._moment

    def hear(self, said: Call | Missed) -> Change | None:
        """Take in a message; the change, or None if it says nothing new."""
        return self._hear_call(said) if isinstance(said, Call) else self._hear_missed(said)

    def _hear_call(self, call: Call) -> Change | None:
        before = self._open.get(call.id)
        newest = before.seq if before else self._over.get(call.id)
        if newest is not None and call.seq < newest:
            return None
        if before:
            # Also a double says that the call is still open.
            self._heard[call.id] = self.moment()
        if call.seq == newest:
            return None
        if call.open:
            self._over.pop(call.id, None)
            self._open[call.id] = call
            self._heard[call.id] = self.moment()
        else:
            self._close(call.id, call.seq)
        return Change(kind="gone" if call.taken_away else "call", call=call)

    def _hear_missed(self, missed: Missed) -> Change | None:
        if missed.id in self._missed:
            return None
        self._remember(self._missed, missed.id, 0)
        return Change(kind="missed_call", missed_call=missed.body)

    def settle(self, since: int) -> list[Change]:
        """All open calls were sent since that moment: which of those that have a window are over."""
        lost = [call for call in self._open.values() if self._heard[call.id] < since]
        for call in lost:
            # Nobody said that it is over. Should the server tell of it again just as it was, it is open after all.
            self._close(call.id, call.seq - 1)
        return [Change(kind="gone", call=replace(call, window_state="gone")) for call in lost]

    def _close(self, call_id: str, seq: int) -> None:
        self._open.pop(call_id, None)
        self._heard.pop(call_id, None)
        self._remember(self._over, call_id, seq)

    def _remember(self, memory: dict[str, int], name: str, value: int) -> None:
        memory.pop(name, None)
        memory[name] = value
        if len(memory) > self._remembered:
            del memory[next(iter(memory))]


class Unread:
    """Changes that the program has not read. Of a call only the newest waits, in the place of its first.

    Who does not read at all loses the oldest of missed calls and of calls without a window.
    """

    def __init__(self, most: int = MAX_UNREAD) -> None:
        self._waiting: dict[str, Change] = {}
        self._news = asyncio.Event()
        self._most = most

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, change: Change) -> None:
        """Let a change wait."""
        self._waiting[_key(change)] = change
        if len(self._waiting) > self._most:
            dispensable = (key for key, one in self._waiting.items() if one.call is None or not one.call.open)
            del self._waiting[next(dispensable, next(iter(self._waiting)))]
        self.wake()

    def take(self) -> Change | None:
        """The oldest; None if none waits."""
        if not self._waiting:
            self._news.clear()
            return None
        return self._waiting.pop(next(iter(self._waiting)))

    def wake(self) -> None:
        """Have whoever waits look again."""
        self._news.set()

    async def news(self) -> None:
        """Wait until something may be there."""
        await self._news.wait()


def _key(change: Change) -> str:
    return f"call {change.call.id}" if change.call else f"missed {(change.missed_call or {}).get('id')}"
