"""Looks through everything that stacks logged during a test run, for secrets and whole phone numbers.

A pytest plugin: `pytest_plugins = ["log_guard"]` in tests/conftest.py. The test in which a stack ends fails if that
stack's log holds one of them.
"""

import functools
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local import process
from local.place import Place

NAMES = ("functions.log", "runtime.log")
# Whole numbers as tests have them: Russian, in E.164 or in the PBX's digits. An id in hexadecimal, a time in
# microseconds or a longer number is none.
NUMBER = re.compile(r"(?<![0-9A-Za-z._:/#-])(?:\+|%2B)?[78]9\d{9}(?![0-9A-Za-z.])|(?<![\w-])(?:\+|%2B)7\d{10}(?!\w)")
# Secrets by how they look or by what tests call them.
SECRET = re.compile(
    r"pbx-key-of-the-tenant|whsec_[A-Za-z0-9+/=]{8,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*|[Bb]earer\s+[\w.-]{16,}"
    r"|planfix_token=[0-9A-Za-z]{8,}"
)
_SHOWN = 40
_TOLD = 50


@dataclass(frozen=True, slots=True)
class Leak:
    """A line of a log that holds what it must not. `what` is why, without the thing itself."""

    file: str
    line: int
    what: str
    around: str


def leaks(text: str, file: str, seeded: Iterable[str] = ()) -> Iterator[Leak]:
    """The lines of a log with a whole number, a secret, or one of these texts in them."""
    known = [one for one in seeded if one]
    for number, line in enumerate(text.splitlines(), start=1):
        found = [("a phone number", match) for match in NUMBER.finditer(line)]
        found += [("a secret", match) for match in SECRET.finditer(line)]
        for what, match in found:
            yield Leak(file, number, what, _around(line, match.start()))
        for one in known:
            if one in line:
                yield Leak(file, number, "a seeded text", _around(line, line.index(one)))


def in_logs(directory: Path, since: float, seeded: Iterable[str] = ()) -> list[Leak]:
    """What is wrong in the logs of a stack's folder that were written since then (epoch seconds)."""
    known = list(seeded)
    files = [path for name in NAMES if (path := directory / name).exists() and path.stat().st_mtime >= since]
    return [
        leak
        for path in files
        for leak in leaks(path.read_text(errors="replace"), f"{directory.name}/{path.name}", known)
    ]


def _around(line: str, place: int) -> str:
    """Where in its line it stands: what comes before it, never the thing itself."""
    return line[max(0, place - _SHOWN) : place]


_FOUND = pytest.StashKey[list[Leak]]()


def pytest_configure(config: pytest.Config) -> None:
    """Look into a stack's logs whenever this process ends one: the next at its port begins with empty ones.

    Whoever ends a stack looks, so that nobody reads where another process starts or forgets its own. Logs of earlier
    runs are none of ours.
    """
    since, found = time.time(), config.stash.setdefault(_FOUND, [])
    stop = process.stop

    @functools.wraps(stop)
    def stop_and_look(place: Place, *, keep: bool = True) -> bool:
        stopped = stop(place, keep=keep)
        found.extend(in_logs(place.directory, since))
        return stopped

    patch = pytest.MonkeyPatch()
    patch.setattr(process, "stop", stop_and_look)
    config.add_cleanup(patch.undo)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Fail the test that ended a stack whose log holds what it must not."""
    yield
    found = item.config.stash[_FOUND]
    if found:
        told = [f"{leak.file}:{leak.line}: {leak.what} after …{leak.around}" for leak in found[:_TOLD]]
        found.clear()
        pytest.fail("secrets or phone numbers in the logs:\n" + "\n".join(told), pytrace=False)
