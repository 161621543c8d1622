"""Outgoing HTTP: `send` for one request, `RateLimitedClient` for requests to a PBX.

`address` decides where a request can go, `http` sends it, `client` applies a PBX's rate limits and retries.
"""

from hangtag.outbound.address import Address, Rule, check, check_url, is_public
from hangtag.outbound.client import Limiter, RateLimitedClient, TokenStore, check_host
from hangtag.outbound.http import HttpResponse, send

__all__ = [
    "Address",
    "HttpResponse",
    "Limiter",
    "RateLimitedClient",
    "Rule",
    "TokenStore",
    "check",
    "check_host",
    "check_url",
    "is_public",
    "send",
]
