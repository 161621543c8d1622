"""Current state of all calls, and the queue of unread changes. No network access."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from hangtag_client.live.values import Call, Change, Missed

__all__ = ["Board", "Unread"]

# Ended calls and missed calls that are remembered, to drop late and duplicate messages.
REMEMBERED = 1000
# A program this many changes behind does not read at all.
MAX_UNREAD = 1000


class Board:
    """The latest message of each call that has a window. Pure.

    Connections can overlap, and messages can be late or duplicate: the higher `seq` counts. A moment is a number that
    grows with each message; it orders messages before and after a sync.
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
        """Return a new moment, later than all earlier ones."""
        self._moment += 1
        return self._moment

    def hear(self, said: Call | Missed) -> Change | None:
        """Apply a message. Return the change, or None if nothing changed."""
        return self._hear_call(said) if isinstance(said, Call) else self._hear_missed(said)

    def _hear_call(self, call: Call) -> Change | None:
        before = self._open.get(call.id)
        newest = before.seq if before else self._over.get(call.id)
        if newest is not None and call.seq < newest:
            return None
        if before:
            # A duplicate, too, confirms that the call is open.
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
        """Close the calls without a message since that moment, when all open calls were sent. Return the changes."""
        lost = [call for call in self._open.values() if self._heard[call.id] < since]
        for call in lost:
            # No message confirmed the end: the same message again reopens the call.
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
    """Unread changes. Each call has one entry, its latest change, in the position of its first.

    Above the limit, the oldest missed calls and calls without a window are dropped.
    """

    def __init__(self, most: int = MAX_UNREAD) -> None:
        self._waiting: dict[str, Change] = {}
        self._news = asyncio.Event()
        self._most = most

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, change: Change) -> None:
        """Add a change."""
        self._waiting[_key(change)] = change
        if len(self._waiting) > self._most:
            dispensable = (key for key, one in self._waiting.items() if one.call is None or not one.call.open)
            del self._waiting[next(dispensable, next(iter(self._waiting)))]
        self.wake()

    def take(self) -> Change | None:
        """Remove and return the oldest change; None if there is no change."""
        if not self._waiting:
            self._news.clear()
            return None
        return self._waiting.pop(next(iter(self._waiting)))

    def wake(self) -> None:
        """Wake the waiting reader."""
        self._news.set()

    async def news(self) -> None:
        """Wait until a change can be available."""
        await self._news.wait()


def _key(change: Change) -> str:
    return f"call {change.call.id}" if change.call else f"missed {(change.missed_call or {}).get('id')}"
