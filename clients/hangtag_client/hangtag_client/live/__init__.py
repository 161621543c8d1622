"""Client of the live channel: an employee's calls in real time, for Python programs and for `hangtag live`.

    async with LiveClient("https://api.example", token) as live:
        async for change in live:
            ...

`values` are the values that a program receives, `board` the state of calls (pure), `ticket` requests tickets from the
API, `link` is one connection, and `client` keeps one open. Requires websockets: pip install ./clients/hangtag_client.
"""

from hangtag_client.live.client import LiveClient
from hangtag_client.live.ticket import TryLaterError
from hangtag_client.live.timing import Timing
from hangtag_client.live.values import Call, CallTag, Change, Line, Party

__all__ = ["Call", "CallTag", "Change", "Line", "LiveClient", "Party", "Timing", "TryLaterError"]
