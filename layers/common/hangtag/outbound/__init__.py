"""The only door to the internet: `send` for one request, `PbxDoor` for all that goes to a PBX.

`address` says where a request may go, `http` sends it, `door` keeps a PBX's limits and tries again what is safe.
"""

from hangtag.outbound.address import Address, Rule, check, check_url, is_public
from hangtag.outbound.door import Limiter, PbxDoor, TokenStore, check_host
from hangtag.outbound.http import Answer, send

__all__ = [
    "Address",
    "Answer",
    "Limiter",
    "PbxDoor",
    "Rule",
    "TokenStore",
    "check",
    "check_host",
    "check_url",
    "is_public",
    "send",
]
