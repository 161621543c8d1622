"""Looks through everything that stacks logged during a test run, for secrets and whole phone numbers.

A pytest plugin: `pytest_plugins = ["log_guard"]` in tests/conftest.py. The run fails if a log of a stack that it
started holds one of them.
"""

import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

LOGS = Path(__file__).parents[2] / ".local"
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


def in_files(directory: Path, since: float, seeded: Iterable[str] = ()) -> list[Leak]:
    """What is wrong in the logs below a directory that were written since then (epoch seconds)."""
    known = list(seeded)
    files = [path for path in _logs(directory) if path.stat().st_mtime >= since]
    return [
        leak
        for path in files
        for leak in leaks(path.read_text(errors="replace"), f"{path.parent.name}/{path.name}", known)
    ]


def _logs(directory: Path) -> Iterator[Path]:
    """The logs below a directory; not where another stack, which runs beside this one, makes and removes files."""
    for root, folders, names in os.walk(directory):
        folders[:] = sorted(set(folders) - {"tmp", "objects", "state"})
        yield from (Path(root) / name for name in NAMES if name in names)


def _around(line: str, place: int) -> str:
    """Where in its line it stands: what comes before it, never the thing itself."""
    return line[max(0, place - _SHOWN) : place]


_STARTED = pytest.StashKey[float]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Logs of earlier runs are none of ours."""
    session.config.stash[_STARTED] = time.time()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Look when a module's stacks have ended: the next one at the same port begins with empty logs.

    The last test of the module fails if a log holds what it must not.
    """
    yield
    if nextitem is not None and nextitem.path == item.path:
        return
    stash = item.config.stash
    since, stash[_STARTED] = stash[_STARTED], time.time()
    found = in_files(LOGS, since) if LOGS.exists() else []
    if found:
        told = (f"{leak.file}:{leak.line}: {leak.what} after …{leak.around}" for leak in found[:50])
        pytest.fail("secrets or phone numbers in the logs:\n" + "\n".join(told), pytrace=False)
