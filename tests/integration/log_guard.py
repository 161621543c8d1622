"""Pytest plugin that searches the logs of all stacks of a test run for secrets and whole phone numbers.

Enabled by `pytest_plugins = ["log_guard"]` in tests/conftest.py. If a stack's log contains one of them, the test that
ends the stack fails.
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
# Whole numbers of the tests: Russian, in E.164 or in the PBX's digits. Hexadecimal ids, times in microseconds and
# longer numbers do not match.
NUMBER = re.compile(r"(?<![0-9A-Za-z._:/#-])(?:\+|%2B)?[78]9\d{9}(?![0-9A-Za-z.])|(?<![\w-])(?:\+|%2B)7\d{10}(?!\w)")
# Secrets by their format, or by their names in the tests.
SECRET = re.compile(
    r"pbx-key-of-the-tenant|whsec_[A-Za-z0-9+/=]{8,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*|[Bb]earer\s+[\w.-]{16,}"
    r"|planfix_token=[0-9A-Za-z]{8,}"
)
_SHOWN = 40
_LISTED = 50


@dataclass(frozen=True, slots=True)
class Leak:
    """A line of a log with forbidden content. `what` is the kind of content, never the content itself."""

    file: str
    line: int
    what: str
    around: str


def leaks(text: str, file: str, seeded: Iterable[str] = ()) -> Iterator[Leak]:
    """Yield the lines of a log that contain a whole number, a secret, or one of the seeded texts."""
    texts = [one for one in seeded if one]
    for number, line in enumerate(text.splitlines(), start=1):
        matches = [("a phone number", match) for match in NUMBER.finditer(line)]
        matches += [("a secret", match) for match in SECRET.finditer(line)]
        for what, match in matches:
            yield Leak(file, number, what, _around(line, match.start()))
        for one in texts:
            if one in line:
                yield Leak(file, number, "a seeded text", _around(line, line.index(one)))


def in_logs(directory: Path, since: float, seeded: Iterable[str] = ()) -> list[Leak]:
    """Return the leaks in the logs of a stack's folder that were written since then (epoch seconds)."""
    texts = list(seeded)
    files = [path for name in NAMES if (path := directory / name).exists() and path.stat().st_mtime >= since]
    return [
        leak
        for path in files
        for leak in leaks(path.read_text(errors="replace"), f"{directory.name}/{path.name}", texts)
    ]


def _around(line: str, place: int) -> str:
    """Return the text before a leak, never the leak itself."""
    return line[max(0, place - _SHOWN) : place]


_LEAKS = pytest.StashKey[list[Leak]]()


def pytest_configure(config: pytest.Config) -> None:
    """Check a stack's logs whenever this process ends it, because the next stack at its port empties them.

    The process that ends a stack checks it: no other process reads logs while they change. Logs of earlier runs are
    skipped.
    """
    since, all_leaks = time.time(), config.stash.setdefault(_LEAKS, [])
    stop = process.stop

    @functools.wraps(stop)
    def stop_and_look(place: Place, *, keep: bool = True) -> bool:
        stopped = stop(place, keep=keep)
        all_leaks.extend(in_logs(place.directory, since))
        return stopped

    patch = pytest.MonkeyPatch()
    patch.setattr(process, "stop", stop_and_look)
    config.add_cleanup(patch.undo)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Fail the test that ended a stack with forbidden content in its log."""
    yield
    all_leaks = item.config.stash[_LEAKS]
    if all_leaks:
        lines = [f"{leak.file}:{leak.line}: {leak.what} after …{leak.around}" for leak in all_leaks[:_LISTED]]
        all_leaks.clear()
        pytest.fail("secrets or phone numbers in the logs:\n" + "\n".join(lines), pytrace=False)
