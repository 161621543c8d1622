"""A small memory of what was read lately, for the life of a process. Standard library only: on the webhook's path."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class TtlCache(Generic[K, V]):
    """At most `size` values, each for `seconds` from when it was put; the one unused longest goes first.

    None is a value like any other, so that "there is nothing" is remembered too.
    """

    def __init__(self, size: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._held: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get_or(self, key: K, load: Callable[[], V]) -> V:
        """The value of a key, loaded if it is not remembered. What `load` raises is passed on, and not kept."""
        now = self._clock()
        held = self._held.get(key)
        if held is not None and now < held[0]:
            self._held.move_to_end(key)
            return held[1]
        value = load()
        self._held[key] = (now + self._seconds, value)
        self._held.move_to_end(key)
        while len(self._held) > self._size:
            self._held.popitem(last=False)
        return value

    def forget(self, key: K) -> None:
        """Drop a key, because this process changed what it stands for."""
        self._held.pop(key, None)

    def clear(self) -> None:
        """Drop everything."""
        self._held.clear()
