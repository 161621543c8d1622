"""The client of the live channel: an employee's calls as they happen, for programs in Python and for `hangtag live`.

    async with LiveClient("https://api.example", token) as live:
        async for change in live:
            ...

`values` is what a program gets, `board` what is known of calls (pure), `ticket` asks the API to be let in, `link` is
one connection, `client` keeps one standing. It needs the library websockets: pip install ./clients/hangtag_client.
"""

from hangtag_client.live.client import LiveClient
from hangtag_client.live.ticket import TryLaterError
from hangtag_client.live.timing import Timing
from hangtag_client.live.values import Call, CallTag, Change, Line, Party

__all__ = ["Call", "CallTag", "Change", "Line", "LiveClient", "Party", "Timing", "TryLaterError"]
