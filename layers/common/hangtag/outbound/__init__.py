"""The only door to the internet: `send` for one request, `RateLimitedClient` for all that goes to a PBX.

`address` says where a request may go, `http` sends it, `door` keeps a PBX's limits and tries again what is safe.
"""

from hangtag.outbound.address import Address, Rule, UrlError, check, check_url, is_public
from hangtag.outbound.door import Limiter, RateLimitedClient, TokenStore, check_host
from hangtag.outbound.http import HttpResponse, send

__all__ = [
    "Address",
    "HttpResponse",
    "Limiter",
    "RateLimitedClient",
    "Rule",
    "TokenStore",
    "UrlError",
    "check",
    "check_host",
    "check_url",
    "is_public",
    "send",
]
