"""HTTP client for all outgoing requests: `send` for one request, `RateLimitedClient` for requests to a PBX.

`address` checks addresses and `http` sends. `RateLimitedClient` respects a PBX's limits and retries safe requests.
"""

from hangtag.outbound.address import Address, Rule, UrlError, check, check_url, is_public
from hangtag.outbound.client import Limiter, RateLimitedClient, TokenStore, check_host
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
