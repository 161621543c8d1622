"""Fake of any service: an HTTP server on loopback that responds with a test's function and records its requests."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from local.simulator.rest.base import Request, Response, Server
from local.simulator.rest.base import serving as serving_api

__all__ = ["Request", "Response", "Server", "serving"]


@dataclass(frozen=True, slots=True)
class _FunctionApi:
    """Service of one function, called by many threads."""

    respond: Callable[[Request], Response]


def serving(respond: Callable[[Request], Response]) -> AbstractContextManager[Server]:
    """Run a server during the block."""
    return serving_api(_FunctionApi(respond))
