"""State of the calls, and the queue of changes that the program has not read. No network access."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from hangtag_client.live.values import Call, Change, Missed

__all__ = ["Board", "Unread"]

# Closed and missed calls that are remembered to detect late and repeated messages.
REMEMBERED = 1000
# A program with this many unread changes counts as not reading.
MAX_UNREAD = 1000


class Board:
    """The calls that have a window, in their newest state. Pure.

    Connections can overlap, and messages can be late or repeated: the higher `seq` wins. A moment is a counter of
    received messages; it separates messages before a sync from those after it.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._open: dict[str, Call] = {}
        self._received_at: dict[str, int] = {}
        self._closed: dict[str, int] = {}
        self._missed: dict[str, int] = {}
        self._moment = 0
        self._remembered = remembered

    @property
    def calls(self) -> Mapping[str, Call]:
        """The calls that have a window, by id, at this moment."""
        return MappingProxyType(dict(self._open))

    def moment(self) -> int:
        """Return a moment after all earlier and before all later messages."""
        self._moment += 1
        return self._moment

    def apply(self, message: Call | Missed) -> Change | None:
        """Apply a message. Return the change, or None if it contains nothing new."""
        return self._apply_call(message) if isinstance(message, Call) else self._apply_missed(message)

    def _apply_call(self, call: Call) -> Change | None:
        before = self._open.get(call.id)
        newest = before.seq if before else self._closed.get(call.id)
        if newest is not None and call.seq < newest:
            return None
        if before:
            # A duplicate confirms that the call is still open.
            self._received_at[call.id] = self.moment()
        if call.seq == newest:
            return None
        if call.open:
            self._closed.pop(call.id, None)
            self._open[call.id] = call
            self._received_at[call.id] = self.moment()
        else:
            self._close(call.id, call.seq)
        return Change(kind="gone" if call.taken_away else "call", call=call)

    def _apply_missed(self, missed: Missed) -> Change | None:
        if missed.id in self._missed:
            return None
        self._remember(self._missed, missed.id, 0)
        return Change(kind="missed_call", missed_call=missed.body)

    def settle(self, since: int) -> list[Change]:
        """Close calls that were not among the open calls received since that moment. Return the changes."""
        lost = [call for call in self._open.values() if self._received_at[call.id] < since]
        for call in lost:
            # The end was not received. If the server sends the call again with the same seq, it opens again.
            self._close(call.id, call.seq - 1)
        return [Change(kind="gone", call=replace(call, window_state="gone")) for call in lost]

    def _close(self, call_id: str, seq: int) -> None:
        self._open.pop(call_id, None)
        self._received_at.pop(call_id, None)
        self._remember(self._closed, call_id, seq)

    def _remember(self, memory: dict[str, int], name: str, value: int) -> None:
        memory.pop(name, None)
        memory[name] = value
        if len(memory) > self._remembered:
            del memory[next(iter(memory))]


class Unread:
    """Queue of unread changes. A call has one entry: its newest state, at the position of its first.

    If the queue is full, the oldest missed call or call without a window is dropped.
    """

    def __init__(self, most: int = MAX_UNREAD) -> None:
        self._waiting: dict[str, Change] = {}
        self._changed = asyncio.Event()
        self._most = most

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, change: Change) -> None:
        """Add a change."""
        self._waiting[_key(change)] = change
        if len(self._waiting) > self._most:
            dispensable = (key for key, waiting in self._waiting.items() if not (waiting.call and waiting.call.open))
            del self._waiting[next(dispensable, next(iter(self._waiting)))]
        self.wake()

    def pop(self) -> Change | None:
        """Remove and return the oldest change; None if the queue is empty."""
        if not self._waiting:
            self._changed.clear()
            return None
        return self._waiting.pop(next(iter(self._waiting)))

    def wake(self) -> None:
        """Wake the reader."""
        self._changed.set()

    async def wait(self) -> None:
        """Wait until there can be a change."""
        await self._changed.wait()


def _key(change: Change) -> str:
    return f"call {change.call.id}" if change.call else f"missed {(change.missed_call or {}).get('id')}"
