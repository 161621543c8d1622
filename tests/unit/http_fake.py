"""A fake of any service: an HTTP server on loopback that answers as a test tells it, and keeps what it was asked."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from local.simulator.rest.base import Asked, Reply, Server
from local.simulator.rest.base import serving as serving_api

__all__ = ["Asked", "Reply", "Server", "serving"]


@dataclass(frozen=True, slots=True)
class _Told:
    """A service that is one function, called by many threads."""

    respond: Callable[[Asked], Reply]


def serving(answer: Callable[[Asked], Reply]) -> AbstractContextManager[Server]:
    """A server for as long as the context lasts."""
    return serving_api(_Told(answer))
