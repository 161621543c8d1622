"""Cache of recently read values."""

from collections.abc import Iterator

import pytest

from hangtag.runtime import TtlCache


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the current time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def values() -> Iterator[int]:
    return iter(range(100))


def test_value_is_loaded_once_until_it_expires(clock: Clock, values: Iterator[int]) -> None:
    cache: TtlCache[str, int] = TtlCache(10, 60, clock)
    results = []
    for clock.now in (0, 59.9, 60, 119, 121):
        results.append(cache.get_or("a", lambda: next(values)))
    assert results == [0, 0, 1, 1, 2]


def test_missing_value_is_cached_like_a_value(clock: Clock) -> None:
    cache: TtlCache[str, int | None] = TtlCache(10, 60, clock)
    assert cache.get_or("a", lambda: None) is None
    assert cache.get_or("a", lambda: 1) is None


def test_least_recently_used_value_is_evicted_first(clock: Clock, values: Iterator[int]) -> None:
    cache: TtlCache[str, int] = TtlCache(2, 60, clock)
    results = [cache.get_or(key, lambda: next(values)) for key in ("a", "b", "a", "c", "a", "b")]
    assert results == [0, 1, 0, 2, 0, 3]


def test_failed_load_is_not_cached(clock: Clock) -> None:
    cache: TtlCache[str, int] = TtlCache(2, 60, clock)

    def fail() -> int:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        cache.get_or("a", fail)
    assert cache.get_or("a", lambda: 7) == 7


def test_forgotten_key_is_loaded_again(clock: Clock, values: Iterator[int]) -> None:
    cache: TtlCache[str, int] = TtlCache(2, 60, clock)
    cache.get_or("a", lambda: next(values))
    cache.discard("a")
    cache.discard("b")
    assert cache.get_or("a", lambda: next(values)) == 1
