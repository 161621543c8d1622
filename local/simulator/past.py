"""What a PBX's history is made of: the very deliveries of a story, whether they arrived or not.

The fake of a REST API that has a history turns them into rows as the real one lists them: `Remembers`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from local.simulator.story import Message

__all__ = ["Remembers", "Sent", "iso", "post_of"]


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery, and when the PBX sent it (UTC)."""

    message: Message
    at: datetime


class Remembers(Protocol):
    """What the fake of a REST API with a history can do besides."""

    def remember(self, started: datetime, sent: Sequence[Sent]) -> None:
        """Have its history know the calls of a story that began then."""
        ...


def post_of(sent: Sent) -> Mapping[str, Any]:
    """The fields of its form."""
    return sent.message.post


def iso(at: datetime) -> str:
    """A time as ISO 8601 in UTC."""
    return at.isoformat().replace("+00:00", "Z")
