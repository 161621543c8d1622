"""In-process cache with a time limit. Standard library only: on the webhook's path."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class TtlCache(Generic[K, V]):
    """Cache of at most `size` values, each for `seconds` after loading; the least recently used one is evicted first.

    None is a value like any other, so absences are cached too.
    """

    def __init__(self, size: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get_or(self, key: K, load: Callable[[], V]) -> V:
        """Return the value of a key, loading it if it is not cached. Errors of `load` propagate and are not cached."""
        now = self._clock()
        entry = self._entries.get(key)
        if entry is not None and now < entry[0]:
            self._entries.move_to_end(key)
            return entry[1]
        value = load()
        self._entries[key] = (now + self._seconds, value)
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
        return value

    def discard(self, key: K) -> None:
        """Drop a key after this process changed its value."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Drop all keys."""
        self._entries.clear()
