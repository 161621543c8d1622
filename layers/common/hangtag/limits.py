"""Rate limits and access tokens: values shared by providers, the HTTP client and the table. Standard library only."""

from dataclasses import dataclass, field

__all__ = ["PAUSE_SECONDS", "Limit", "Token"]

# Pause after a "too many requests" response without a Retry-After.
PAUSE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` requests in any period of `seconds`."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and its lifetime in seconds."""

    value: str = field(repr=False)
    seconds: float
