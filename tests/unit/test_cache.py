"""The small memory of what was read lately."""

from collections.abc import Iterator

import pytest

from hangtag.store.db.cache import TtlCache


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time it stands at."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def values() -> Iterator[int]:
    return iter(range(100))


def test_a_value_is_loaded_once_and_again_when_its_time_is_over(clock: Clock, values: Iterator[int]) -> None:
    cache: TtlCache[str, int] = TtlCache(10, 60, clock)
    seen = []
    for clock.now in (0, 59.9, 60, 119, 121):
        seen.append(cache.get_or("a", lambda: next(values)))
    assert seen == [0, 0, 1, 1, 2]


def test_an_absence_is_remembered_like_a_value(clock: Clock) -> None:
    cache: TtlCache[str, int | None] = TtlCache(10, 60, clock)
    assert cache.get_or("a", lambda: None) is None
    assert cache.get_or("a", lambda: 1) is None


def test_the_one_unused_longest_goes_first(clock: Clock, values: Iterator[int]) -> None:
    cache: TtlCache[str, int] = TtlCache(2, 60, clock)
    seen = [cache.get_or(key, lambda: next(values)) for key in ("a", "b", "a", "c", "a", "b")]
    assert seen == [0, 1, 0, 2, 0, 3]


def test_what_fails_to_load_is_not_kept(clock: Clock) -> None:
    cache: TtlCache[str, int] = TtlCache(2, 60, clock)

    def fail() -> int:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        cache.get_or("a", fail)
    assert cache.get_or("a", lambda: 7) == 7


def test_a_key_can_be_forgotten(clock: Clock, values: Iterator[int]) -> None:
    cache: TtlCache[str, int] = TtlCache(2, 60, clock)
    cache.get_or("a", lambda: next(values))
    cache.discard("a")
    cache.discard("b")
    assert cache.get_or("a", lambda: next(values)) == 1
