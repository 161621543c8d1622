"""One request over HTTP, to a checked address, within its time and size.

Proxies and .netrc are not read; of an answer that is packed no more is unpacked than may be kept.
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
_NO_ANSWER = (requests.RequestException, HTTPError, OSError, UnicodeError)
# gzip's header, zlib's or none: deflate is sent in both ways.
PACKINGS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What a service said. Header names are in lower case, the body is unpacked."""

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
    """One request to a service outside. Answers of any status are returned.

    `seconds` is for all of it, `plain` allows http. So many redirects of a GET are followed as `hops` says; each
    address is checked like the first, and `headers` go to the first only. Raises BadInputError for an address that is
    not allowed, UnreachableError for no answer, a late one, or one over `max_bytes`. Neither message holds the address.
    """
    deadline = time.monotonic() + seconds
    for hop in range(hops + 1):
        answer = _hop(method, url, headers if hop == 0 else None, body, deadline, max_bytes, plain, rule(allowed))
        target = answer.headers.get("location", "")
        if method != "GET" or answer.status not in REDIRECTS or not target or hop == hops:
            return answer
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
    kept = {name.lower(): value for name, value in response.headers.items()}
    return HttpResponse(response.status_code, kept, _unpacked(content, kept.get("content-encoding", ""), max_bytes))


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
    """One request to a checked address, whose answer's body is still to be read; `deadline` is of `time.monotonic()`.

    What goes wrong in reading it is raised as it is by the request: UnreachableError. Raises BadInputError.
    """
    check_url(url, plain=plain or on_loopback())
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise UnreachableError("the service's answer took too long")
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
        except (*_NO_ANSWER, ValueError) as error:
            # requests looks at where a redirect leads although it is not to follow it.
            raise UnreachableError("the service did not answer") from error
        try:
            with response:
                yield response
        except _NO_ANSWER as error:
            raise UnreachableError("the service did not answer") from error


def _read(response: requests.Response, deadline: float, max_bytes: int) -> bytes:
    kept = bytearray()
    # As it comes, not as it unpacks: a small answer may unpack to a huge one.
    # By pieces as they arrive, so that a service which drips is given up in time.
    while chunk := response.raw.read1(_CHUNK, decode_content=False):
        kept += chunk
        if len(kept) > max_bytes:
            raise UnreachableError("the service's answer is too long")
        if time.monotonic() > deadline:
            raise UnreachableError("the service's answer took too long")
    return bytes(kept)


def _unpacked(content: bytes, packing: str, max_bytes: int) -> bytes:
    """A service may pack its answer though it was asked not to. Raises UnreachableError."""
    form = packing.strip().lower()
    if form in ("", "identity") or not content:
        return content
    if form not in PACKINGS:
        raise UnreachableError("the service packs its answer in an unknown way")
    try:
        unpacking = zlib.decompressobj(PACKINGS[form])
        whole = unpacking.decompress(content, max_bytes)
    except zlib.error:
        raise UnreachableError("the service's answer can't be unpacked") from None
    if unpacking.unconsumed_tail or not unpacking.eof:
        raise UnreachableError("the service's answer is too long, or cut off")
    return whole


class _Adapter(HTTPAdapter):
    """Connects to checked addresses only."""

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
                        made: socket.socket = super()._new_conn()
                        return made
            finally:
                # Put back at once: the certificate is checked against the name, not the address.
                self._dns_host = name
            raise NewConnectionError(self, "none of its addresses answers")

    return type("CheckedPool", (pool,), {"ConnectionCls": Checked})
