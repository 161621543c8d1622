"""Source of a simulated PBX's call history: the requests of a story, including those that were lost.

A fake REST API with a history implements `Remembers` and turns the requests into rows as the real API lists them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from local.simulator.story import Message

__all__ = ["Remembers", "Sent", "iso", "post_of"]


@dataclass(frozen=True, slots=True)
class Sent:
    """A webhook request, and the time when the PBX sent it (UTC)."""

    message: Message
    at: datetime


class Remembers(Protocol):
    """Interface of a fake REST API that has a call history."""

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:
        """Add the calls of a story that started at `started` (UTC) to the history."""
        ...


def post_of(sent: Sent) -> Mapping[str, Any]:
    """Return the form fields of a request."""
    return sent.message.post


def iso(at: datetime) -> str:
    """Return a UTC time in ISO 8601 with the suffix Z."""
    return at.isoformat().replace("+00:00", "Z")
