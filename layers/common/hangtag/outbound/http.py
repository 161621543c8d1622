"""HTTP requests to checked addresses, with limits on time and size.

Proxies and .netrc are ignored. A compressed response is decompressed up to the size limit only.
"""

import socket
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util import Timeout

from hangtag.errors import UnreachableError
from hangtag.outbound.address import Rule, check_url, is_public, next_hop, on_loopback, resolve, rule

__all__ = ["MAX_BYTES", "PACKINGS", "REDIRECTS", "HttpResponse", "Response", "opened", "send"]

Response = requests.Response

CONNECT_SECONDS = 3.0
MAX_BYTES = 1024 * 1024
_CHUNK = 64 * 1024
REDIRECTS = (301, 302, 303, 307, 308)
_NO_RESPONSE = (requests.RequestException, HTTPError, OSError, UnicodeError)
# Window bits for zlib: with the gzip header, or the zlib header for deflate.
PACKINGS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A service's response. Header names are in lower case, the body is decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    seconds: float = 10.0,
    max_bytes: int = MAX_BYTES,
    hops: int = 0,
    plain: bool = False,
    allowed: Rule = is_public,
) -> HttpResponse:
    """Send one request to an external service. Return the response with any status.

    `seconds` is the limit for the whole exchange, `plain` allows http. At most `hops` redirects of a GET are followed;
    each address is checked like the first, and only the first receives `headers`. Raises BadInputError for an address
    that is not allowed, UnreachableError for no response, a late one, or one over `max_bytes`. The messages do not
    contain the address.
    """
    deadline = time.monotonic() + seconds
    for hop in range(hops + 1):
        response = _hop(method, url, headers if hop == 0 else None, body, deadline, max_bytes, plain, rule(allowed))
        target = response.headers.get("location", "")
        if method != "GET" or response.status not in REDIRECTS or not target or hop == hops:
            return response
        url = next_hop(url, target)
    raise AssertionError("the last hop returns")


def _hop(
    method: str,
    url: str,
    headers: Mapping[str, str] | None,
    body: bytes | None,
    deadline: float,
    max_bytes: int,
    plain: bool,
    allowed: Rule,
) -> HttpResponse:
    with opened(method, url, headers, body, deadline, plain=plain, allowed=allowed) as response:
        content = _read(response, deadline, max_bytes)
    lower = {name.lower(): value for name, value in response.headers.items()}
    return HttpResponse(response.status_code, lower, _decompress(content, lower.get("content-encoding", ""), max_bytes))


@contextmanager
def opened(
    method: str,
    url: str,
    headers: Mapping[str, str] | None,
    body: bytes | None,
    deadline: float,
    *,
    plain: bool,
    allowed: Rule,
) -> Iterator[requests.Response]:
    """Open a request to a checked address; the caller reads the body. `deadline` is a time of `time.monotonic()`.

    Raises BadInputError, and UnreachableError for the request and for reading its body.
    """
    check_url(url, plain=plain or on_loopback())
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise UnreachableError("The service's response took too long.")
    limits: Any = Timeout(total=seconds, connect=min(CONNECT_SECONDS, seconds), read=seconds)
    with requests.Session() as session:
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(allowed))
        try:
            response = session.request(
                method,
                url,
                headers={"accept-encoding": "identity"} | dict(headers or {}),
                data=body,
                timeout=limits,
                allow_redirects=False,
                stream=True,
            )
        except (*_NO_RESPONSE, ValueError) as error:
            # requests parses the target of a redirect even if it does not follow it.
            raise UnreachableError("The service did not answer.") from error
        try:
            with response:
                yield response
        except _NO_RESPONSE as error:
            raise UnreachableError("The service did not answer.") from error


def _read(response: requests.Response, deadline: float, max_bytes: int) -> bytes:
    content = bytearray()
    # Without decompression: a small response can decompress to a huge one.
    # Chunk by chunk as they arrive: a slow service must not exceed the deadline.
    while chunk := response.raw.read1(_CHUNK, decode_content=False):
        content += chunk
        if len(content) > max_bytes:
            raise UnreachableError("The service's response is too long.")
        if time.monotonic() > deadline:
            raise UnreachableError("The service's response took too long.")
    return bytes(content)


def _decompress(content: bytes, packing: str, max_bytes: int) -> bytes:
    """Decompress a response; some services compress it against the request's headers. Raises UnreachableError."""
    form = packing.strip().lower()
    if form in ("", "identity") or not content:
        return content
    if form not in PACKINGS:
        raise UnreachableError("The service's response has an unknown content encoding.")
    try:
        unpacking = zlib.decompressobj(PACKINGS[form])
        whole = unpacking.decompress(content, max_bytes)
    except zlib.error:
        raise UnreachableError("The service's response cannot be decompressed.") from None
    if unpacking.unconsumed_tail or not unpacking.eof:
        raise UnreachableError("The service's response is too long or cut off.")
    return whole


class _Adapter(HTTPAdapter):
    """Transport adapter that connects to checked addresses only."""

    def __init__(self, allowed: Rule) -> None:
        self._allowed = allowed
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(HTTPConnectionPool, HTTPConnection, self._allowed),
            "https": _pool(HTTPSConnectionPool, HTTPSConnection, self._allowed),
        }


def _pool(pool: Any, connection: Any, allowed: Rule) -> Any:
    class Checked(connection):  # type: ignore[misc]
        _dns_host: str

        def _new_conn(self) -> socket.socket:
            name = self._dns_host
            addresses = resolve(name, self.port, allowed)
            try:
                for self._dns_host in addresses:
                    with suppress(NewConnectionError):
                        connected: socket.socket = super()._new_conn()
                        return connected
            finally:
                # Restored because the certificate is checked against the name, not the address.
                self._dns_host = name
            raise NewConnectionError(self, "none of its addresses answers")

    return type("CheckedPool", (pool,), {"ConnectionCls": Checked})
