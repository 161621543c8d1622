"""Time limits and intervals of the client, in seconds."""

from dataclasses import dataclass

__all__ = ["Timing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Defaults for API Gateway, which closes a connection after 10 idle minutes, and always after 2 hours.

    After a connection that lasted `lived` seconds, pauses between attempts start at `first_pause` again. They double up
    to `longest_pause`; each is a random part of that, so that many clients do not reconnect at once.
    """

    ping_every: float = 240.0
    pong_within: float = 10.0
    renew_after: float = 110 * 60.0
    synced_within: float = 15.0
    open_within: float = 10.0
    close_within: float = 2.0
    lived: float = 30.0
    first_pause: float = 0.5
    longest_pause: float = 30.0
